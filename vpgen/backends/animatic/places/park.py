"""A park: round trees along a path, a bench and a lamp, the city far behind; a fountain when named."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Sheet, down_to, ridge
from vpgen.backends.animatic.built import bench, lamp, path
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import bough, corners, flowers, grass, litter, tree
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage


def park(stage: Stage) -> float:
    """Roofs far away, two rows of trees, a lawn with a path, a bough that frames the picture."""
    light, random = stage.light, stage.random
    sky(stage)
    far = stage.sheet("skyline", 16)
    for index in range(18):
        x, h = index / 18 * stage.aspect, random.uniform(0.05, 0.22)
        tone = mix(light.lit((150, 162, 184), 9), light.air, 0.2)
        far.rectangles([(x, 0.62 - h, x + stage.aspect / 18 * 0.92, 0.68)], tone, mix(tone, light.air, 0.4))
    for depth, count, base, tall in ((6, 11, 0.67, 0.24), (3.2, 6, 0.745, 0.42)):
        sheet = stage.sheet("trees", depth)
        lit = light.lit(stage.green, depth * 0.7)
        sheet.polygon(down_to(ridge(random, stage.aspect, base - 0.005, 0.015, 0.3)), mix(lit, light.air, 0.2), lit)
        for index in range(count):
            x = (index + random.uniform(0.2, 0.8)) / count * stage.aspect
            if depth > 4 or abs(x - stage.aspect / 2) > 0.25:
                tree(sheet, stage, x, base + 0.02, tall * random.uniform(0.85, 1.2), depth * 0.6)
    ground = stage.sheet("lawn", 1)
    lit = light.lit(stage.green, 1)
    ground.polygon(
        down_to(ridge(random, stage.aspect, 0.775, 0.012, 0.3)), mix(lit, light.light, 0.12), shade(lit, 0.82)
    )
    path(ground, stage, 0.77, (232, 214, 184) if not stage.white else stage.earth, 1.0)
    flowers(stage, ground, 0.79, 60)
    litter(stage, ground, 0.79, 190)
    side = stage.pick(-1, 1)
    if stage.has("fountain"):
        _fountain(stage, ground, stage.aspect * (0.5 + side * 0.27), 0.87)
    else:
        bench(stage, ground, stage.aspect * (0.5 + side * random.uniform(0.27, 0.34)), 0.87, 1.15)
    lamp(stage, ground, stage.aspect * (0.5 - side * random.uniform(0.28, 0.36)), 0.86, 0.46)
    front = stage.sheet("leaves", 0.72)
    if stage.season != "winter" or stage.white:
        bough(stage, front, -stage.towards)
    grass(front, stage, 1.03, 0.09, stage.green, 130, corners(stage))
    return 0.66


def _fountain(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    """Two basins and the water that rises and falls."""
    light = stage.light
    stone, water = light.lit((206, 200, 192), 1), mix(light.lit((196, 226, 240), 1), light.light, 0.2)
    stage.cast(sheet, x, y + 0.02, 0.5, 0.4)
    for up, wide, thick in ((0.0, 0.23, 0.05), (0.13, 0.11, 0.03)):
        if up:
            sheet.rectangles([(x - 0.022, y - up, x + 0.022, y)], shade(stone, 0.85))
        sheet.polygon(
            [
                (x - wide, y - up - thick),
                (x + wide, y - up - thick),
                (x + wide * 0.86, y - up + 0.02),
                (x - wide * 0.86, y - up + 0.02),
            ],
            stone,
            shade(stone, 0.74),
        )
        sheet.ellipses([(x, y - up - thick, wide, wide * 0.13)], mix(stone, light.light, 0.2))
        sheet.ellipses([(x, y - up - thick, wide * 0.9, wide * 0.1)], light.lit((110, 170, 196), 1))
    for reach in (-0.085, -0.05, 0.05, 0.085):
        t = np.linspace(0, 1, 20)
        drop = np.stack([x + reach * t, y - 0.17 - 0.14 * np.sin(np.pi * t) * (1 - 0.2 * t) + 0.02 * t], axis=1)
        sheet.stroke(drop, 0.008, water, 0.6, 0.85)
    sheet.stroke([(x, y - 0.17), (x, y - 0.27), (x, y - 0.36)], 0.012, water, 0.3, 0.85)
