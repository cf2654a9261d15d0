"""What water does and carries: ripples, the light's path on it, boats."""

from __future__ import annotations

from vpgen.backends.animatic.brush import Colour, Sheet
from vpgen.backends.animatic.light import mix
from vpgen.backends.animatic.stage import Stage


def ripples(stage: Stage, water: Sheet, top: float, reach: float, deep: Colour, count: int = 90) -> None:
    """Short bright and dark strokes, longer towards the viewer."""
    for tone, share, alpha in (
        (mix(deep, stage.light.light, 0.45), 0.65, 0.4),
        (mix(deep, stage.light.top, 0.35), 0.35, 0.3),
    ):
        strokes = []
        for _ in range(int(count * share)):
            near = stage.random.uniform(0.02, 1) ** 1.6
            x, length = stage.random.uniform(0, stage.aspect), (0.02 + 0.10 * near) * stage.random.uniform(0.5, 1.3)
            strokes.append((x, top + reach * near, length, 0.0012 + 0.004 * near))
        water.ellipses(strokes, tone, alpha=alpha)


def glitter(stage: Stage, water: Sheet, top: float, reach: float) -> None:
    """The path of sun or moon on the water, widening towards the viewer; none under clouds."""
    if stage.overcast:
        return
    strokes = []
    for _ in range(80):
        near = stage.random.uniform(0, 1) ** 1.3
        x = stage.sun[0] + stage.random.normal(0, 0.02 + 0.10 * near)
        strokes.append(
            (x, top + reach * near, (0.012 + 0.05 * near) * stage.random.uniform(0.4, 1.2), 0.0018 + 0.0035 * near)
        )
    water.ellipses(
        strokes, mix(stage.light.light, (255, 250, 226), 0.4), alpha=0.7 if stage.light.time != "night" else 0.5
    )


def boat(stage: Stage, x: float, y: float, size: float, *, sail: bool = True) -> None:
    """A sailing boat, or a rowing boat for still water, with its reflection."""
    sheet, light, s = stage.sheet("boat", 3.8), stage.light, size
    hull, dark = light.lit((176, 84, 60), 1.6), light.lit((104, 56, 48), 1.6)
    sheet.ellipses([(x, y + s * 0.20, s * 0.46, s * 0.05)], light.lit((24, 52, 74), 2), alpha=0.45)
    shape = [
        (x - s * 0.52, y - 0.02 * s),
        (x + s * 0.52, y - 0.02 * s),
        (x + s * 0.36, y + s * 0.17),
        (x - s * 0.36, y + s * 0.17),
    ]
    sheet.polygon(shape, hull, dark)
    sheet.polygon(
        [
            (x - s * 0.52, y - 0.02 * s),
            (x + s * 0.52, y - 0.02 * s),
            (x + s * 0.49, y + 0.03 * s),
            (x - s * 0.49, y + 0.03 * s),
        ],
        light.lit((240, 228, 206), 1.6),
    )
    if not sail:
        sheet.rectangles(
            [(x - 0.2 * s, y - 0.05 * s, x - 0.1 * s, y), (x + 0.1 * s, y - 0.05 * s, x + 0.2 * s, y)], dark
        )
        sheet.stroke(
            [(x - 0.1 * s, y - 0.10 * s), (x - 0.35 * s, y + 0.04 * s), (x - 0.62 * s, y + 0.18 * s)],
            0.022 * s,
            light.lit((204, 166, 118), 1.6),
        )
        return
    sheet.stroke([(x, y), (x, y - s * 0.5), (x, y - s * 1.02)], 0.028 * s, light.lit((86, 64, 52), 1.6))
    white = light.lit((250, 245, 234), 1.6)
    sheet.polygon(
        [(x + 0.03 * s, y - s * 0.98), (x + 0.03 * s, y - s * 0.1), (x + s * 0.46, y - s * 0.1)],
        mix(white, light.light, 0.2),
        white,
    )
    sheet.polygon(
        [(x - 0.03 * s, y - s * 0.86), (x - 0.03 * s, y - s * 0.1), (x - s * 0.34, y - s * 0.1)],
        light.lit((226, 206, 180), 1.6),
    )
    sheet.polygon([(x, y - s * 1.02), (x + 0.13 * s, y - s * 0.98), (x, y - s * 0.93)], light.lit((220, 70, 62), 1.6))
