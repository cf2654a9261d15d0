"""A city: a street between buildings, or a roof above them; lit windows and signs after dark, wet in the rain."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vpgen.backends.animatic.brush import Colour, Point, Sheet
from vpgen.backends.animatic.built import LAMPLIGHT, building, lamp, skyline
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage

NEON: tuple[Colour, ...] = ((255, 70, 150), (70, 220, 255), (255, 190, 70), (150, 110, 255), (90, 255, 170))
WALLS: tuple[Colour, ...] = (
    (176, 118, 100),
    (108, 124, 154),
    (190, 166, 132),
    (110, 108, 132),
    (150, 160, 150),
    (196, 140, 112),
)
AWNINGS: tuple[Colour, ...] = ((206, 84, 76), (70, 130, 132), (222, 168, 82), (86, 110, 170))
STROKES = (
    (-0.009, -0.010, 0.009, -0.006), (-0.009, 0.006, 0.009, 0.010), (-0.002, -0.004, 0.002, 0.010), (-0.009, -0.004, -0.005, 0.008),
    (0.005, -0.010, 0.009, 0.008), (-0.009, -0.002, 0.003, 0.002),
)  # fmt: skip
"""Of the letters on signs."""
HORIZON = 0.60


def city(stage: Stage) -> float:
    """Skyline, buildings to both sides with shops, a road with lamps; the roof of a tower when that is named."""
    light, random = stage.light, stage.random
    neon = light.night and "neon" in stage.reading.moods
    sky(stage)
    if light.night:
        glow: Colour = (214, 110, 170) if neon else (230, 160, 110)
        stage.sheets[0].glow((stage.aspect / 2, HORIZON), 0.5, glow, 0.35)
    roof = stage.has("rooftop")
    skyline(stage, HORIZON + (0.10 if roof else 0), 18, int(random.integers(20, 30)), (0.12, 0.34), (120, 138, 170))
    skyline(stage, HORIZON + (0.16 if roof else 0), 10, int(random.integers(13, 19)), (0.16, 0.44), (98, 112, 146))
    if roof:
        return _rooftop(stage)
    pavement = _sides(stage)
    if light.night:
        _signs(stage, neon=neon)
    street = _street(stage, pavement)
    if light.wet or neon:
        _wet(stage, street, neon=neon)
    posts = stage.sheet("lamps", 1.5)
    for x, y, h in ((0.26, 0.82, 0.44), (0.37, 0.72, 0.24), (0.64, 0.72, 0.24), (0.75, 0.82, 0.44)):
        lamp(stage, posts, stage.aspect * x, y, h)
    if stage.has("stop"):
        _stop(stage, posts, stage.aspect * (0.5 - stage.towards * 0.32))
    return HORIZON


def _sides(stage: Stage) -> list[Point]:
    """Three buildings to each side, smaller towards the middle, with shops; returns where the ground begins."""
    walls, light = stage.sheet("buildings", 3), stage.light
    order = stage.random.permutation(len(WALLS))
    feet: dict[float, tuple[float, float]] = {}
    for side in (-1, 1):
        edge = 0.0 if side < 0 else stage.aspect
        reach = stage.aspect * stage.random.uniform(0.64, 0.76)
        for index, (near, far, top) in ((2, (0.44, 0.56, 0.24)), (1, (0.26, 0.44, 0.10)), (0, (0.0, 0.26, -0.05))):
            x0, x1 = sorted((edge - side * near * reach, edge - side * far * reach))
            feet[x0] = (x1, 0.80 - 0.07 * index)
            tone = light.lit(WALLS[order[(index + (side > 0) * 3) % len(WALLS)]], 1.2 + index)
            y, foot = top + stage.random.uniform(-0.08, 0.08), 0.80 - 0.07 * index
            building(stage, walls, (x0, y, x1, foot), tone, 2, 0.55 if light.night else 0.3, cell=0.036 - 0.007 * index)
            low = foot - 0.13 + 0.025 * index
            walls.rectangles([(x0, low - 0.02, x1, foot)], shade(tone, 0.66))
            glow: Colour = (255, 220, 150) if light.night or light.wet else light.lit((170, 200, 214), 2)
            panes = np.linspace(x0 + 0.015, x1 - 0.015, 4)
            walls.rectangles(
                ((a + 0.006, low, b - 0.006, foot - 0.02) for a, b in pairwise(panes)),
                glow,
                shade(glow, 0.8),
            )
            awning = light.lit(AWNINGS[int(stage.random.integers(len(AWNINGS)))], 1.3)
            stripes = np.linspace(x0, x1, 9)
            for k, (a, b) in enumerate(pairwise(stripes)):
                tint = awning if k % 2 == 0 else mix(awning, (255, 246, 232), 0.6 if not light.night else 0.25)
                walls.polygon(
                    [
                        (a, low - 0.025),
                        (b, low - 0.025),
                        (b, low + 0.018),
                        ((a + b) / 2, low + 0.026),
                        (a, low + 0.018),
                    ],
                    tint,
                )
            if stage.white:
                walls.rectangles([(x0, low - 0.036, x1, low - 0.018)], light.lit((244, 247, 252), 1))

    corners: list[Point] = []
    for x0, (x1, y) in sorted(feet.items()):
        if corners and x0 - corners[-1][0] > 0.01:  # between the two rows lies the far end of the street
            corners += [(corners[-1][0], HORIZON + 0.03), (x0, HORIZON + 0.03)]
        corners += [(x0, y), (x1, y)]
    return corners


def _signs(stage: Stage, *, neon: bool) -> None:
    """Signs that hang from the walls, tall or wide, with strokes for letters."""
    sheet, random = stage.sheet("lights", 2.8), stage.random
    for index in range(13 if neon else 5):
        x = stage.aspect * (random.uniform(0.03, 0.32) if index % 2 else random.uniform(0.68, 0.97))
        y, colour = random.uniform(0.14, 0.58), NEON[int(random.integers(len(NEON)))] if neon else LAMPLIGHT
        w, h = stage.pick((0.036, 0.17), (0.036, 0.13), (0.13, 0.042))
        sheet.glow((x, y), 0.12, colour, 0.5)
        sheet.rectangles(
            [(x - w / 2 - 0.004, y - h / 2 - 0.004, x + w / 2 + 0.004, y + h / 2 + 0.004)],
            mix(colour, (255, 255, 255), 0.3),
        )
        sheet.rectangles([(x - w / 2, y - h / 2, x + w / 2, y + h / 2)], mix(colour, (20, 16, 36), 0.78))
        for k in np.linspace(-0.38, 0.38, max(3, round(max(w, h) / 0.034))):
            at = (x, y + k * h) if h > w else (x + k * w, y)
            for dx, dy, a, b in random.permutation(STROKES)[: int(random.integers(2, 5))]:
                sheet.rectangles([(at[0] + dx, at[1] + dy, at[0] + a, at[1] + b)], mix(colour, (255, 255, 255), 0.45))


def _street(stage: Stage, pavement: list[Point]) -> Sheet:
    """Pavements and a road with a dashed line and a crossing."""
    street, light, middle = stage.sheet("street", 1), stage.light, stage.aspect / 2
    road, walk = light.lit((88, 92, 104), 1), light.lit((240, 244, 250) if stage.white else (178, 172, 164), 1)
    top = HORIZON + 0.03
    street.polygon([*pavement, (stage.aspect + 0.1, 1.05), (-0.1, 1.05)], mix(walk, light.air, 0.35), walk)
    vanish = middle + stage.random.uniform(-0.1, 0.1)
    for wide, colour in ((1.22, shade(walk, 0.78)), (1.15, road)):
        street.polygon(
            [(vanish - 0.05, top), (vanish + 0.05, top), (middle + wide, 1.05), (middle - wide, 1.05)],
            mix(colour, light.air, 0.4),
            colour,
        )
    if stage.white:  # two tracks of wheels are left in the snow
        street.polygon(
            [(vanish - 0.05, top), (vanish + 0.05, top), (middle + 1.15, 1.05), (middle - 1.15, 1.05)],
            mix(walk, light.air, 0.3),
            mix(walk, road, 0.2),
        )
        for side in (-1, 1):
            a, b = side * 0.26, side * 0.42
            street.polygon(
                [
                    (vanish + a * 0.05, top),
                    (vanish + b * 0.05, top),
                    (middle + b * 1.4, 1.05),
                    (middle + a * 1.4, 1.05),
                ],
                mix(road, walk, 0.35),
            )
    else:
        for near in (0.04, 0.12, 0.24, 0.42, 0.68):
            y0, y1 = top + near * 0.39, top + min(1, near * 1.32) * 0.39
            x = vanish + (middle - vanish) * near
            dash = [
                (x - 0.004 - near * 0.02, y0),
                (x + 0.004 + near * 0.02, y0),
                (x + 0.006 + near * 0.03, y1),
                (x - 0.006 - near * 0.03, y1),
            ]
            street.polygon(dash, light.lit((240, 230, 200), 1), alpha=0.85)
        if stage.has("crossing") or stage.chance(0.4):
            for k in np.linspace(-0.5, 0.5, 9):
                street.polygon(
                    [
                        (middle + k * 1.3 - 0.035, 0.80),
                        (middle + k * 1.3 + 0.035, 0.80),
                        (middle + k * 1.62 + 0.045, 0.86),
                        (middle + k * 1.62 - 0.045, 0.86),
                    ],
                    light.lit((240, 238, 232), 1),
                    alpha=0.8,
                )
    return street


def _wet(stage: Stage, street: Sheet, *, neon: bool) -> None:
    """Reflections that hang down from the lights, and puddles."""
    random, light = stage.random, stage.light
    for _ in range(46):
        x, y = random.uniform((0.0, 0.78), (stage.aspect, 1.0))
        plain = mix(light.horizon, (255, 214, 150), 0.6 if light.night else 0.2)
        gleam = NEON[int(random.integers(len(NEON)))] if neon else plain
        w, h = random.uniform(0.006, 0.022), random.uniform(0.03, 0.10)
        dashes = ((x - w, at, x + w, at + 0.009) for at in np.arange(y - h, y + h, 0.015))
        street.rectangles(dashes, gleam, alpha=0.24 if light.night else 0.14)
    for x, y, w in random.uniform((0.1, 0.80, 0.06), (stage.aspect - 0.1, 1.0, 0.2), (12, 3)):
        street.ellipses([(x, y, w, 0.012)], mix(light.middle, light.horizon, 0.5), alpha=0.4)
        street.ellipses([(x, y, w * 0.3, 0.004)], mix(light.horizon, (255, 255, 255), 0.4), alpha=0.4)


def _stop(stage: Stage, sheet: Sheet, x: float) -> None:
    """A bus stop: a shelter with a bench, and a sign."""
    light = stage.light
    metal = light.lit((70, 78, 92), 1)
    glass = (255, 226, 160) if light.night else light.lit((176, 208, 222), 1)
    sheet.rectangles([(x - 0.22, 0.46, x + 0.22, 0.80)], glass, alpha=0.45)
    sheet.rectangles([(x - 0.25, 0.43, x + 0.25, 0.47)], light.lit((214, 84, 70), 1))
    sheet.rectangles(((x + k, 0.46, x + k + 0.012, 0.84) for k in (-0.22, -0.01, 0.208)), metal)
    sheet.rectangles(
        [(x - 0.19, 0.72, x + 0.19, 0.74), (x - 0.15, 0.74, x - 0.14, 0.83), (x + 0.14, 0.74, x + 0.15, 0.83)],
        light.lit((150, 110, 80), 1),
    )
    post = x + stage.towards * 0.34
    sheet.rectangles([(post - 0.005, 0.48, post + 0.005, 0.84)], metal)
    sheet.ellipses([(post, 0.44, 0.045, 0.045)], light.lit((60, 120, 190), 1))
    sheet.rectangles([(post - 0.022, 0.425, post + 0.022, 0.455)], light.lit((248, 248, 248), 1))


def _rooftop(stage: Stage) -> float:
    """A roof with a parapet, a water tank and a line of washing; the city lies below."""
    light = stage.light
    ground = stage.sheet("roof", 1)
    floor = light.lit((236, 240, 247) if stage.white else (168, 166, 164), 1)
    rail = stage.sheet("parapet", 1.8)
    wall = light.lit((190, 146, 122), 1.3)
    rail.rectangles([(0, 0.70, stage.aspect, 0.83)], mix(wall, light.light, 0.1), shade(wall, 0.8))
    rail.rectangles(
        [(0, 0.685, stage.aspect, 0.708)], light.lit((240, 244, 250) if stage.white else (206, 198, 188), 1)
    )
    ground.rectangles([(0, 0.82, stage.aspect, 1.02)], shade(floor, 0.9), floor)
    for x in np.linspace(-1.0, stage.aspect + 1.0, 14):
        top = stage.aspect / 2 + (x - stage.aspect / 2) * 0.6
        ground.stroke([(top, 0.82), ((top + x) / 2, 0.92), (x, 1.02)], 0.002, shade(floor, 0.82), 2.0)
    x = stage.aspect * (0.5 - stage.towards * 0.34)
    tank = light.lit((120, 150, 172), 1.2)
    rail.rectangles(((x + k, 0.6, x + k + 0.012, 0.84) for k in (-0.1, 0.088)), light.lit((84, 84, 92), 1))
    rail.rectangles([(x - 0.13, 0.36, x + 0.13, 0.62)], mix(tank, light.light, 0.15), shade(tank, 0.8))
    rail.rectangles(((x - 0.13, y, x + 0.13, y + 0.008) for y in (0.42, 0.49, 0.56)), shade(tank, 0.75))
    rail.polygon([(x - 0.15, 0.37), (x + 0.15, 0.37), (x, 0.28)], light.lit((96, 108, 124), 1))
    line = stage.sheet("washing", 1.4)
    a, b = stage.aspect * 0.5 + stage.towards * 0.2, stage.aspect * 0.5 + stage.towards * (stage.aspect * 0.5 - 0.06)
    line.stroke([(a, 0.52), ((a + b) / 2, 0.55), (b, 0.50)], 0.003, light.lit((70, 70, 78), 1))
    for t, tone in zip(
        np.linspace(0.12, 0.8, 4), ((246, 244, 238), (224, 120, 104), (120, 160, 190), (240, 196, 110)), strict=True
    ):
        cx = a + (b - a) * t
        line.polygon(
            [(cx - 0.045, 0.535), (cx + 0.045, 0.535), (cx + 0.05, 0.66), (cx - 0.04, 0.65)],
            light.lit(tone, 1),
            light.lit(shade(tone, 0.88), 1),
        )
    return HORIZON
