"""A frozen land: white hills with blue shadows, conifers under snow, northern lights at night; ice when named."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, oval, ridge
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import peaks, pines, rock
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage

ICE: Colour = (150, 208, 232)


def snowfield(stage: Stage) -> float:
    """Snowy peaks, woods or cliffs of ice, drifts with blue hollows."""
    light, random = stage.light, stage.random
    sky(stage)
    peaks(stage, 0.68, (0.12, random.uniform(0.24, 0.38)), (128, 148, 184), 12, int(random.integers(4, 7)))
    sheet = stage.sheet("hills", 7)
    lit = light.lit((218, 230, 246), 4)
    sheet.polygon(
        down_to(ridge(random, stage.aspect, 0.71, random.uniform(0.06, 0.14), 0.4)),
        mix(lit, light.light, 0.15),
        mix(lit, light.air, 0.2),
    )
    if stage.has("ice"):
        _seracs(stage)
    else:
        woods = stage.sheet("woods", 4)
        spots = random.uniform((0, 0, 0.1), (stage.aspect, 1, 0.24), (int(random.integers(12, 30)), 3)).tolist()
        pines(
            woods, stage, sorted(((x, 0.745 + 0.04 * y, h) for x, y, h in spots), key=lambda t: t[1]), 2.4, (56, 98, 96)
        )
    ground = stage.sheet("snow", 1)
    white = light.lit((243, 247, 253), 1)
    ground.polygon(
        down_to(ridge(random, stage.aspect, 0.80, 0.05, 0.3)), mix(white, light.light, 0.1), shade(white, 0.88)
    )
    for x, y, w in random.uniform((0, 0.84, 0.14), (stage.aspect, 0.99, 0.4), (8, 3)):
        ground.ellipses([(x, y, w, 0.012)], light.lit((190, 210, 240), 1), alpha=0.55)
        ground.ellipses(
            [(x + stage.towards * 0.04, y - 0.010, w * 0.8, 0.008)], mix(white, light.light, 0.3), alpha=0.6
        )
    if stage.has("igloo"):
        _igloo(stage, ground, stage.aspect * (0.5 - stage.towards * 0.3), 0.87)
    front = stage.sheet("leaves", 0.75)
    if stage.has("ice"):
        for x, w in ((0.02, 0.36), (0.26, 0.16)):
            rock(front, stage, x if stage.towards > 0 else stage.aspect - x, 1.03, w, w * 0.55, ICE)
    else:
        sides = [(0.05, 1.06, random.uniform(0.45, 0.75)), (stage.aspect - 0.05, 1.05, random.uniform(0.4, 0.7))]
        pines(front, stage, sides if stage.chance(0.5) else [stage.pick(*sides)], 1, (48, 84, 84))
    return 0.66


def _seracs(stage: Stage) -> None:
    """The broken edge of a glacier: blocks of blue ice with snow on top, cracks between them."""
    light, random = stage.light, stage.random
    for depth, base, tall, count in ((5, 0.76, 0.20, 11), (3, 0.80, 0.13, 8)):
        sheet = stage.sheet("ice", depth)
        for index in range(count):
            x0, w = index / count * stage.aspect, stage.aspect / count * random.uniform(0.9, 1.3)
            centre = abs(x0 / stage.aspect - 0.5)
            h = tall * random.uniform(0.5, 1.1) * (0.5 + 1.3 * centre)
            ice = light.lit(shade(ICE, random.uniform(0.86, 1.08)), depth * 0.7)
            lean = random.uniform(-0.03, 0.03)
            sheet.polygon(
                [
                    (x0, base),
                    (x0 + lean, base - h),
                    (x0 + w + lean, base - h * random.uniform(0.75, 1)),
                    (x0 + w, base),
                ],
                mix(ice, (255, 255, 255), 0.3),
                shade(ice, 0.8),
            )
            dim = x0 if stage.towards > 0 else x0 + w * 0.7
            sheet.polygon(
                [
                    (dim, base),
                    (dim + lean, base - h * 0.95),
                    (dim + w * 0.3 + lean, base - h * 0.85),
                    (dim + w * 0.3, base),
                ],
                shade(ice, 0.76),
            )
            sheet.polygon(
                [
                    (x0 + lean - 0.006, base - h * 0.95),
                    (x0 + lean, base - h - 0.014),
                    (x0 + w + lean, base - h * 0.9 - 0.014),
                    (x0 + w + lean + 0.006, base - h * 0.85),
                ],
                light.lit((250, 252, 255), depth * 0.6),
            )


def _igloo(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    light = stage.light
    snow = light.lit((236, 243, 252), 1)
    stage.cast(sheet, x, y, 0.34)
    sheet.polygon(oval(x, y, 0.17, 0.17, y), mix(snow, light.light, 0.2), shade(snow, 0.8))
    for k, up in enumerate((0.045, 0.09, 0.13)):
        half = 0.17 * float(np.sqrt(1 - (up / 0.17) ** 2))
        sheet.rectangles([(x - half, y - up, x + half, y - up + 0.003)], shade(snow, 0.74))
        joints = np.linspace(-half, half, 6 - k)
        sheet.rectangles(
            ((x + j - 0.0015, y - up, x + j + 0.0015, y - up + 0.045) for j in joints[1:-1]), shade(snow, 0.74)
        )
    sheet.polygon(oval(x, y, 0.075, 0.09, y), mix(snow, light.light, 0.1))
    sheet.polygon(oval(x, y, 0.05, 0.065, y), (255, 214, 138) if light.night else light.lit((70, 92, 130), 1))
