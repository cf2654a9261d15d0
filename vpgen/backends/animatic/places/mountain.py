"""Mountains: a meadow before ranges of peaks, or the top of one above a sea of clouds."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import down_to, ridge
from vpgen.backends.animatic.built import path
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import billows, corners, flowers, grass, hills, litter, peaks, pines, rock, tree
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage


def mountain(stage: Stage) -> float:
    """Peaks behind peaks, woods at their feet, a meadow with a path; or the summit when that is named."""
    sky(stage)
    if stage.has("summit"):
        return _summit(stage)
    random = stage.random
    rock_far, rock_near = stage.pick(
        ((132, 144, 172), (104, 118, 142)), ((150, 140, 158), (120, 108, 124)), ((126, 150, 166), (92, 118, 126))
    )
    peaks(stage, 0.63, (0.16, random.uniform(0.36, 0.5)), rock_far, 13, int(random.integers(4, 7)))
    peaks(stage, 0.68, (0.10, random.uniform(0.2, 0.32)), rock_near, 7, int(random.integers(3, 6)), 0.25)
    hills(stage, 0.72, random.uniform(0.07, 0.13), (82, 122, 96) if not stage.white else (206, 216, 232), 5)
    _woods(stage)
    if not stage.white and stage.chance(0.4):
        _tarn(stage)
    ground, _ = stage.floor("meadow", 1, 0.79, 0.05, stage.green)
    path(ground, stage, 0.77, stage.earth)
    flowers(stage, ground)
    litter(stage, ground, 0.8, 90)
    front = stage.sheet("leaves", 0.75)
    sides = [(0.03, 1.05, random.uniform(0.45, 0.8)), (stage.aspect - 0.04, 1.04, random.uniform(0.45, 0.8))]
    pines(front, stage, sides if stage.chance(0.5) else [sides[0 if stage.towards > 0 else 1]], 1)
    for x, y, w in random.uniform((0, 0.83, 0.05), (stage.aspect, 0.94, 0.15), (3, 3)):
        if abs(x - stage.aspect / 2) > 0.3:
            rock(ground, stage, float(x), float(y), float(w), float(w) * 0.5)
    grass(front, stage, 1.03, 0.10, stage.green, 120, corners(stage))
    return 0.66


def _woods(stage: Stage) -> None:
    """Conifers at the foot of the range; in autumn trees in colour among them."""
    woods = stage.sheet("woods", 3)
    spots = stage.random.uniform((0, 0, 0.09), (stage.aspect, 1, 0.19), (44, 3))
    feet = sorted(((x, 0.735 + 0.03 * y, h) for x, y, h in spots.tolist()), key=lambda t: t[1])
    pines(woods, stage, feet, 2.6)
    if stage.season in {"autumn", "spring"} and not stage.white:
        for x, y, h in stage.random.uniform((0, 0.755, 0.11), (stage.aspect, 0.785, 0.2), (13, 3)):
            tree(woods, stage, float(x), float(y), float(h), 2.4)


def _tarn(stage: Stage) -> None:
    """A mountain lake between the woods and the meadow."""
    light, water = stage.light, stage.sheet("water", 2.4)
    x, wide = stage.aspect * (0.5 - stage.towards * 0.18), stage.aspect * stage.random.uniform(0.3, 0.42)
    deep = mix(light.lit((46, 126, 158), 2), light.middle, 0.35)
    water.ellipses([(x, 0.79, wide, 0.042)], mix(light.lit(stage.green, 2), (90, 84, 70), 0.3))
    water.ellipses([(x, 0.79, wide * 0.985, 0.038)], mix(deep, light.horizon, 0.4), deep)
    for dx, y in stage.random.uniform((-0.7, 0.765), (0.7, 0.80), (12, 2)):
        water.ellipses(
            [(x + dx * wide, y, stage.random.uniform(0.02, 0.07), 0.0016)], mix(deep, light.light, 0.6), alpha=0.6
        )


def _summit(stage: Stage) -> float:
    """Rock underfoot, other tops rising from the clouds below."""
    light, random = stage.light, stage.random
    peaks(stage, 0.74, (0.16, random.uniform(0.32, 0.48)), (136, 146, 172), 12, 6)
    white = mix(light.horizon, (255, 255, 255), 0.5 if light.time != "night" else 0.04)
    sea = stage.sheet("fog", 8)
    billows(stage, sea, 0.66, 0.10, mix(white, light.air, 0.45), mix(white, light.air, 0.6))
    peaks(stage, 0.82, (0.12, random.uniform(0.22, 0.32)), (106, 116, 138), 5, 3, 0.25)
    sea = stage.sheet("fog", 3.5)
    billows(stage, sea, 0.755, 0.15, mix(white, light.light, 0.15), mix(white, light.air, 0.4))
    ground = stage.sheet("rock", 1)
    stone = (224, 230, 240) if stage.white else (150, 132, 120)
    lit = light.lit(stone, 1)
    line = ridge(random, stage.aspect, 0.87, 0.05, 0.45)
    line[:, 1] += 0.20 * np.abs(line[:, 0] / stage.aspect - 0.5) ** 1.5
    ground.polygon(down_to(line), mix(lit, light.light, 0.15), shade(lit, 0.74))
    for x, y, w in random.uniform((0, 0.90, 0.08), (stage.aspect, 1.02, 0.26), (11, 3)):
        rock(ground, stage, float(x), float(y), float(w), float(w) * 0.22, stone)
    tufts = random.uniform((0, 0.89), (stage.aspect, 1.0), (40, 2))
    blades = [[(x - 0.006, y), (x + 0.006, y), (x + lean, y - 0.03)] for x, y in tufts for lean in (-0.012, 0.0, 0.012)]
    ground.polygons(blades, light.lit(stage.green if not stage.white else (200, 210, 226), 1))
    litter(stage, ground, 0.88, 60)
    front = stage.sheet("leaves", 0.75)
    at = 0.02 if stage.towards > 0 else stage.aspect - 0.02
    if stage.season == "autumn" and not stage.white:
        tree(front, stage, at, 1.05, 0.62, 1)
        tree(front, stage, stage.aspect - at, 1.06, 0.34, 1)
    else:
        pines(front, stage, [(at, 1.06, 0.5)], 1)
    return 0.64
