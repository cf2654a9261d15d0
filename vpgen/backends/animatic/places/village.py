"""A village: houses on a slope and to both sides of the path; Korean ones when named so."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Sheet, between
from vpgen.backends.animatic.built import hanok, house, path
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import corners, flowers, grass, hills, litter, peaks, tree
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage


def village(stage: Stage) -> float:
    """Hills, small houses far and large ones near, a wall or a fence."""
    light, random = stage.light, stage.random
    korean = stage.has("hanok", "thatched")
    sky(stage)
    if stage.chance(0.4):
        peaks(stage, 0.62, (0.08, random.uniform(0.2, 0.3)), (128, 144, 168), 16, 4, 0.3)
    hills(stage, 0.62, random.uniform(0.14, 0.26), (112, 138, 136), 13)
    hills(stage, 0.66, 0.11, (98, 144, 98) if not stage.white else (216, 225, 240), 8)
    for depth, count, base, width in ((6, 6, 0.70, 0.12), (3.4, 4, 0.755, 0.20)):
        sheet, line = stage.floor("houses", depth, base, 0.04, stage.green)
        for index in range(count):
            x = (index + random.uniform(0.1, 0.4)) / count * stage.aspect
            y = between(line, x) + 0.025
            if index % 2 == 1:
                tree(sheet, stage, x - 0.05, y, width * 1.3, depth * 0.7)
            if depth > 4 or abs(x + width / 2 - stage.aspect / 2) > 0.2:
                _home(stage, sheet, x, y, width * random.uniform(0.85, 1.15), depth * 0.55, korean=korean)
    near = stage.sheet("houses", 2)
    high = random.uniform(0.36, 0.46)
    _home(stage, near, -0.06, 0.84, high, 1.2, korean=korean)
    if stage.aspect > 1.2:
        _home(stage, near, stage.aspect - high * 0.8, 0.82, high * 0.85, 1.2, korean=korean)
        tree(near, stage, stage.aspect - high * 0.98, 0.83, 0.3, 1.2)
    ground, _ = stage.floor("ground", 1, 0.835, 0.02, stage.green)
    path(ground, stage, 0.80, stage.earth)
    flowers(stage, ground, 0.84, 90)
    litter(stage, ground, 0.83, 80)
    _edge(stage, stage.sheet("fence", 0.9), korean=korean)
    front = stage.sheet("leaves", 0.75)
    grass(front, stage, 1.03, 0.10, stage.green, 120, corners(stage))
    if light.night:
        ground.glow((stage.aspect / 2, 0.86), 0.3, (255, 190, 110), 0.10)
    return 0.66


def _home(stage: Stage, sheet: Sheet, x: float, y: float, w: float, depth: float, *, korean: bool) -> None:
    if korean:
        hanok(sheet, stage, x, y, w, depth, thatched=stage.has("thatched"))
    else:
        house(sheet, stage, x, y, w, depth)


def _edge(stage: Stage, sheet: Sheet, *, korean: bool) -> None:
    """A low stone wall under tiles, or a wooden fence, in the lower corners."""
    light, random = stage.light, stage.random
    for x0, x1 in ((-0.05, stage.aspect * 0.22), (stage.aspect * 0.82, stage.aspect + 0.05)):
        if not korean:
            wood = light.lit((168, 124, 90), 1)
            sheet.rectangles(((x, 0.86, x + 0.018, 1.0) for x in np.arange(x0, x1, 0.06)), wood, shade(wood, 0.8))
            sheet.rectangles([(x0, 0.885, x1, 0.900), (x0, 0.94, x1, 0.955)], shade(wood, 0.92))
            if stage.white:
                sheet.ellipses(
                    ((x + 0.009, 0.86, 0.014, 0.008) for x in np.arange(x0, x1, 0.06)), light.lit((244, 247, 252), 1)
                )
            continue
        sheet.rectangles([(x0, 0.90, x1, 1.02)], light.lit((176, 150, 122), 1), light.lit((140, 116, 96), 1))
        stones = random.uniform((x0, 0.915), (x1, 1.0), (26, 2))
        sheet.ellipses(((x, y, 0.022, 0.013) for x, y in stones if x + 0.022 < x1), light.lit((196, 186, 174), 1))
        cap = light.lit((242, 245, 250) if stage.white else (84, 88, 100), 1)
        sheet.rectangles([(x0 - 0.012, 0.872, x1 + 0.012, 0.902)], mix(cap, light.light, 0.1), shade(cap, 0.76))
        sheet.ellipses(
            ((x, 0.901, 0.010, 0.009) for x in np.arange(x0, x1, 0.032)), shade(light.lit((84, 88, 100), 1), 0.8)
        )
