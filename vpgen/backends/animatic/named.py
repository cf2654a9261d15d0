"""What a prompt can name anywhere under the sky: balloon, birds, tower, windmill, cabin, campfire, lanterns, lamp, bench."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Sheet, smooth
from vpgen.backends.animatic.built import LAMPLIGHT, bench, hanok, house, lamp
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import pines
from vpgen.backends.animatic.stage import Stage

FLAMES = (((236, 96, 44), 1.0), ((248, 160, 56), 0.72), ((255, 228, 130), 0.42))


def named(stage: Stage, horizon: float) -> None:
    """Draw what the prompt names and the place did not draw itself, away from the light and from each other."""
    away = stage.aspect * (0.22 if stage.towards > 0 else 0.78)
    near = stage.aspect - away
    place = stage.reading.place
    if stage.has("balloon"):
        sheet = stage.sheet("balloon", 14)
        for x, y, r in (
            (away, 0.26, 0.10),
            (away + stage.towards * 0.34, 0.40, 0.05),
            (away + stage.towards * 0.6, 0.2, 0.03),
        ):
            _hot_air(stage, sheet, x, y, r)
    if stage.has("birds"):
        _birds(stage, away)
    if stage.has("tower"):
        # In a street it stands over the far end, between the walls.
        _tower(stage, stage.aspect * (0.5 - stage.towards * 0.11) if place == "city" else away, horizon)
    if stage.has("windmill"):
        _windmill(stage, near)
    if stage.has("cabin") and place != "village":
        sheet = stage.sheet("cabin", 2.6)
        draw = hanok if stage.has("hanok") else house
        draw(sheet, stage, away - 0.19, 0.83, 0.38, 1.6)
    if stage.has("pine") and place not in {"mountain", "forest", "snowfield"}:
        pines(
            stage.sheet("pines", 2.2),
            stage,
            [(away, 0.84, 0.5), (away - 0.16, 0.82, 0.36), (away + 0.15, 0.83, 0.4)],
            1.5,
        )
    if stage.has("lamp") and place not in {"city", "park"}:
        lamp(stage, stage.sheet("lamps", 1.5), near, 0.86, 0.46)
    if stage.has("bench") and place != "park":
        bench(stage, stage.sheet("bench", 1.2), away, 0.88, 1.2)
    if stage.has("campfire"):
        _campfire(stage, near)
    if stage.has("lantern"):
        _lanterns(stage)


def _hot_air(stage: Stage, sheet: Sheet, x: float, y: float, r: float) -> None:
    tone = stage.light.lit(stage.pick((224, 92, 80), (240, 176, 74), (92, 150, 196)), 2)
    pale = mix(tone, (255, 248, 232), 0.6)
    sheet.ellipses([(x, y, r, r * 1.1)], tone)
    skirt = [
        (x - r * 0.72, y + r * 0.76),
        (x + r * 0.72, y + r * 0.76),
        (x + r * 0.2, y + r * 1.55),
        (x - r * 0.2, y + r * 1.55),
    ]
    sheet.polygon(skirt, tone, shade(tone, 0.8))
    sheet.ellipses([(x, y, r * 0.66, r * 1.1)], pale)
    sheet.ellipses([(x, y, r * 0.3, r * 1.1)], tone)
    for side in (-1, 1):
        sheet.stroke(
            [
                (x + side * r * 0.18, y + r * 1.5),
                (x + side * r * 0.16, y + r * 1.65),
                (x + side * r * 0.15, y + r * 1.8),
            ],
            r * 0.02,
            shade(tone, 0.6),
        )
    sheet.rectangles([(x - r * 0.18, y + r * 1.75, x + r * 0.18, y + r * 2.02)], stage.light.lit((130, 90, 58), 2))


def _birds(stage: Stage, x: float) -> None:
    sheet, tone = stage.sheet("birds", 20), stage.light.lit((56, 58, 70), 3)
    for bx, by in stage.random.uniform((x - 0.25, 0.10), (x + 0.4, 0.36), (9, 2)):
        w = stage.random.uniform(0.016, 0.032)
        wing = smooth(
            [
                (bx - w, by - w * 0.45),
                (bx - w * 0.45, by - w * 0.6),
                (bx, by),
                (bx + w * 0.45, by - w * 0.6),
                (bx + w, by - w * 0.45),
            ],
            20,
        )
        sheet.stroke(wing, 0.005, tone)


def _tower(stage: Stage, x: float, horizon: float) -> None:
    """A broadcasting tower with a deck, on the skyline."""
    sheet, tone = stage.sheet("tower", 9), stage.light.lit((206, 210, 218), 5)
    sheet.polygon(
        [(x - 0.022, horizon + 0.03), (x + 0.022, horizon + 0.03), (x + 0.009, 0.14), (x - 0.009, 0.14)],
        tone,
        shade(tone, 0.84),
    )
    sheet.polygon(
        [
            (x - 0.036, 0.22),
            (x + 0.036, 0.22),
            (x + 0.05, 0.25),
            (x + 0.028, 0.30),
            (x - 0.028, 0.30),
            (x - 0.05, 0.25),
        ],
        shade(tone, 0.9),
    )
    lit = LAMPLIGHT if stage.light.night else stage.light.lit((120, 150, 176), 3)
    sheet.rectangles([(x - 0.042, 0.236, x + 0.042, 0.252)], lit)
    sheet.stroke([(x, 0.15), (x, 0.09), (x, 0.03)], 0.008, stage.light.lit((214, 84, 74), 4), 0.4)


def _windmill(stage: Stage, x: float) -> None:
    """Nearer than the hills, on the side of the light."""
    light, (y, h) = stage.light, (0.755, 0.36)
    sheet = stage.sheet("windmill", 3.2)
    wall = light.lit((240, 232, 216), 2.4)
    stage.cast(sheet, x, y, 0.16, 0.8)
    sheet.polygon(
        [(x - 0.075, y), (x + 0.075, y), (x + 0.048, y - h), (x - 0.048, y - h)],
        mix(wall, light.air, 0.1),
        shade(wall, 0.85),
    )
    dim = [
        (x - stage.towards * 0.075, y),
        (x - stage.towards * 0.02, y),
        (x - stage.towards * 0.012, y - h),
        (x - stage.towards * 0.048, y - h),
    ]
    sheet.polygon(dim, shade(wall, 0.84))
    sheet.polygon([(x - 0.06, y - h), (x + 0.06, y - h), (x, y - h - 0.075)], light.lit((176, 84, 64), 2.4))
    sheet.rectangles(
        [(x - 0.018, y - 0.075, x + 0.018, y), (x - 0.012, y - 0.22, x + 0.012, y - 0.18)],
        light.lit((120, 84, 60), 2.4),
    )
    hub, start = np.array((x, y - h + 0.005)), stage.random.uniform(0.2, 1.2)
    for turn in np.arange(4) * np.pi / 2 + start:
        along, across = np.array((np.cos(turn), -np.sin(turn))), np.array((np.sin(turn), np.cos(turn)))
        root, tip = hub + 0.05 * along, hub + 0.23 * along
        sheet.polygon(
            np.stack([root, tip, tip + 0.045 * across, root + 0.045 * across]),
            light.lit((248, 242, 230), 2.4),
            alpha=0.92,
        )
        sheet.stroke(np.stack([hub, (hub + tip) / 2, tip]), 0.009, light.lit((110, 82, 64), 2.4))
        for k in (0.1, 0.14, 0.18, 0.22):
            rung = hub + k * along
            sheet.stroke(
                np.stack([rung, rung + 0.022 * across, rung + 0.045 * across]), 0.003, light.lit((150, 120, 96), 2.4)
            )


def _campfire(stage: Stage, x: float) -> None:
    """Logs and flames, and their light on the ground."""
    sheet, y, size = stage.sheet("lights", 1.1), 0.90, 1.0
    sheet.glow((x, y - 0.05), 0.34 if stage.light.night else 0.16, (255, 150, 64), 0.5 if stage.light.night else 0.3)
    sheet.ellipses([(x, y + 0.012, 0.13, 0.02)], stage.light.lit((96, 90, 92), 1))
    for turn in (-0.35, 0.35):
        reach = 0.08 * np.array((np.cos(turn), np.sin(turn)))
        sheet.stroke(np.stack([(x, y) - reach, np.array((x, y)), (x, y) + reach]), 0.024, (104, 66, 46))
    for colour, share in FLAMES:
        for dx, tall in ((-0.03, 0.10), (0.032, 0.11), (0.0, 0.17)):
            w, h = 0.034 * share * size, tall * share * size
            left = smooth(
                [(x + dx, y), (x + dx - w, y - h * 0.3), (x + dx - w * 0.2, y - h * 0.7), (x + dx + w * 0.1, y - h)], 16
            )
            right = smooth(
                [(x + dx + w * 0.1, y - h), (x + dx + w * 0.5, y - h * 0.6), (x + dx + w, y - h * 0.28), (x + dx, y)],
                16,
            )
            sheet.polygon(np.concatenate([left, right]), colour)
    sheet.ellipses(
        ((x + ex, y - 0.2 - ey, 0.003, 0.003) for ex, ey in stage.random.uniform((-0.07, 0), (0.07, 0.16), (12, 2))),
        (255, 196, 96),
    )


def _lanterns(stage: Stage) -> None:
    """A string of paper lanterns from side to side."""
    sheet = stage.sheet("lights", 1.3)
    x = np.linspace(-0.05, stage.aspect + 0.05, 80)
    for low, sag in ((0.10, 0.10), (0.05, 0.16)):
        line = np.stack([x, low + sag * (1 - (2 * (x / stage.aspect) - 1) ** 2)], axis=1)
        sheet.stroke(line, 0.003, (60, 50, 56))
        for at in np.linspace(0.08, stage.aspect - 0.08, max(2, round(stage.aspect * 4))):
            y, tone = (
                float(np.interp(at, line[:, 0], line[:, 1])) + 0.035,
                stage.pick((232, 88, 72), (244, 176, 72), (236, 120, 96)),
            )
            if stage.light.night:
                sheet.glow((at, y), 0.07, (255, 176, 90), 0.55)
            sheet.ellipses([(at, y, 0.026, 0.032)], tone, mix(tone, (255, 236, 170), 0.5))
            sheet.rectangles(
                [(at - 0.012, y - 0.036, at + 0.012, y - 0.029), (at - 0.012, y + 0.029, at + 0.012, y + 0.036)],
                (84, 56, 52),
            )
