"""Fresh water: a river that winds, or a still lake; bridge, boat, waterfall and city lights when named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpgen.backends.animatic.brush import Sheet, down_to, smooth
from vpgen.backends.animatic.built import path, skyline
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import corners, flowers, grass, hills, peaks, pines, rock, tree
from vpgen.backends.animatic.places.water import boat, glitter, ripples
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage

SHORE = 0.58


def river(stage: Stage) -> float:
    """Land, its mirror image in the water, a bank with reeds in front."""
    light = stage.light
    sky(stage)
    line = _far_side(stage)
    water = stage.sheet("water", 4)
    deep = mix(light.lit((46, 118, 152), 1.5), light.top, 0.2)
    water.rectangles(
        [(0, SHORE, stage.aspect, 0.93)],
        mix(mix(light.horizon, light.middle, 0.4), deep, 0.3),
        mix(light.top, deep, 0.5),
    )
    mirrored = np.stack([line[:, 0], np.minimum(2 * SHORE - line[:, 1], 0.92)], axis=1)
    water.polygon(
        np.concatenate([mirrored, [[stage.aspect + 0.1, SHORE], [-0.1, SHORE]]]), light.lit((66, 98, 104), 5), alpha=0.5
    )
    ripples(stage, water, SHORE + 0.01, 0.32, deep, 70)
    glitter(stage, water, SHORE + 0.005, 0.3)
    if stage.has("waterfall"):
        _waterfall(stage, stage.aspect * (0.5 - stage.towards * 0.24))
    if stage.has("bridge"):
        _bridge(stage)
    if stage.has("boat"):
        boat(stage, stage.aspect * (0.5 - stage.towards * 0.2), 0.70, 0.26, sail=False)
    bank = _bank(stage)
    path(bank, stage, 0.85, stage.earth, 0.8)
    flowers(stage, bank, 0.87, 60)
    front = stage.sheet("leaves", 0.75)
    sides = [(-0.02, 0.3), (stage.aspect - 0.28, 0.3)]
    for x0, wide in sides if stage.chance(0.5) else [stage.pick(*sides)]:
        _reeds(stage, front, x0, wide)
    grass(front, stage, 1.03, 0.12, stage.green, 120, corners(stage))
    return 0.57


def _far_side(stage: Stage) -> NDArray[np.float64]:
    """What stands on the other side; returns its skyline, to be mirrored."""
    light, random = stage.light, stage.random
    if stage.has("skyline"):
        line = hills(stage, SHORE, 0.12, (120, 136, 156), 14)
        skyline(stage, SHORE, 9, 22, (0.06, 0.27), (118, 130, 158))
        return line
    if stage.has("lake") and stage.chance(0.7):
        peaks(stage, SHORE, (0.1, random.uniform(0.26, 0.38)), (122, 138, 164), 14, 5)
        line = hills(stage, SHORE, 0.12, (98, 132, 132), 10)
    else:
        line = hills(stage, SHORE - 0.005, random.uniform(0.14, 0.24), (106, 138, 142), 12)
    woods = stage.sheet("woods", 7)
    woods.rectangles([(0, SHORE - 0.015, stage.aspect, SHORE + 0.005)], light.lit(shade(stage.green, 0.8), 5))
    feet = [(float(x), SHORE - 0.008, float(h)) for x, h in random.uniform((0, 0.06), (stage.aspect, 0.14), (46, 2))]
    pines(woods, stage, feet, 5, (62, 112, 84))
    if stage.season in {"spring", "autumn"}:
        for x, h in random.uniform((0, 0.09), (stage.aspect, 0.16), (12, 2)):
            tree(woods, stage, float(x), SHORE, float(h), 4)
    return line


def _bank(stage: Stage) -> Sheet:
    """The near shore: higher at one side, as a river's is in a bend."""
    bank, side = stage.sheet("bank", 1), stage.pick(-1, 1)
    high = stage.random.uniform(0.02, 0.11) if not stage.has("lake") else 0.03
    ends = (0.80 - high, 0.83) if side < 0 else (0.83, 0.80 - high)
    edge = smooth(
        [(-0.05, ends[0]), (stage.aspect * 0.3, 0.83), (stage.aspect * 0.65, 0.835), (stage.aspect + 0.05, ends[1])], 60
    )
    lit = stage.light.lit(stage.green, 1)
    bank.polygon(down_to(edge - (0, 0.012)), mix(stage.light.light, stage.light.horizon, 0.5), alpha=0.4)
    bank.polygon(down_to(edge), mix(lit, stage.light.light, 0.12), shade(lit, 0.8))
    for x, w in stage.random.uniform((0, 0.05), (stage.aspect, 0.13), (5, 2)):
        rock(bank, stage, float(x), float(np.interp(x, edge[:, 0], edge[:, 1])) + 0.02, float(w), float(w) * 0.4)
    return bank


def _reeds(stage: Stage, sheet: Sheet, x0: float, wide: float) -> None:
    green, brown = stage.light.lit((118, 142, 76), 1), stage.light.lit((136, 92, 58), 1)
    for x, h in stage.random.uniform((x0, 0.18), (x0 + wide, 0.40), (14, 2)):
        sheet.stroke([(x, 1.02), (x + 0.004, 1.02 - 0.5 * h), (x + 0.016, 1.02 - h)], 0.006, green, 0.4)
        sheet.ellipses([(x + 0.017, 1.02 - h, 0.008, 0.032)], brown)


def _bridge(stage: Stage) -> None:
    """Stone arches from bank to bank, with a parapet and their reflection."""
    sheet, light = stage.sheet("bridge", 3.9), stage.light
    tone = mix(light.lit((176, 148, 128), 2), light.air, 0.08)
    x = np.linspace(-0.05, stage.aspect + 0.05, 120)
    deck = 0.53 - 0.07 * np.sin((x + 0.05) / (stage.aspect + 0.1) * np.pi)
    count = max(2, round(stage.aspect * 2.2))
    span = stage.aspect / count
    lower = np.full_like(x, 0.62)
    for k in range(count):
        inside = (x > (k + 0.1) * span) & (x < (k + 0.9) * span)
        rise = np.sqrt(np.clip(1 - ((x - (k + 0.5) * span) / (0.4 * span)) ** 2, 0, 1))
        lower = np.where(inside, np.maximum(0.62 - rise * 0.16, deck + 0.028), lower)
    sheet.polygon(
        np.concatenate([np.stack([x, deck], 1), np.stack([x, lower], 1)[::-1]]),
        mix(tone, light.light, 0.15),
        shade(tone, 0.72),
    )
    image = np.concatenate([np.stack([x, 1.24 - lower], 1), np.stack([x, np.full_like(x, 0.70)], 1)[::-1]])
    sheet.polygon(image, shade(tone, 0.6), alpha=0.22)
    sheet.polygon(
        np.concatenate([np.stack([x, deck - 0.012], 1), np.stack([x, deck + 0.006], 1)[::-1]]), shade(tone, 0.8)
    )
    rail = light.lit((96, 84, 84), 2)
    for at in np.arange(0, stage.aspect, 0.045):
        y = float(np.interp(at, x, deck))
        sheet.rectangles([(at - 0.002, y - 0.045, at + 0.002, y - 0.01)], rail)
    sheet.polygon(np.concatenate([np.stack([x, deck - 0.050], 1), np.stack([x, deck - 0.043], 1)[::-1]]), rail)
    if light.night:
        for at in np.arange(0.1, stage.aspect, span / 2):
            y = float(np.interp(at, x, deck)) - 0.06
            sheet.glow((float(at), y), 0.035, (255, 214, 140), 0.8)


def _waterfall(stage: Stage, x: float) -> None:
    """A cliff with falling water and spray at its foot."""
    sheet, light = stage.sheet("waterfall", 3.9), stage.light
    stone = light.lit((112, 112, 116), 3)
    cliff = [
        (x - 0.5, SHORE + 0.01),
        (x - 0.36, 0.26),
        (x - 0.12, 0.19),
        (x + 0.14, 0.20),
        (x + 0.34, 0.28),
        (x + 0.52, SHORE + 0.01),
    ]
    sheet.polygon(cliff, mix(stone, light.light, 0.12), shade(stone, 0.72))
    for side in (-1, 1):
        face = [(x + side * 0.12, 0.2), (x + side * 0.35, 0.27), (x + side * 0.5, SHORE), (x + side * 0.14, SHORE)]
        sheet.polygon(face, shade(stone, 1.08 if side == stage.towards else 0.74))
    for at in np.arange(x - 0.3, x + 0.32, 0.09):
        if abs(at - x) > 0.1:
            pines(sheet, stage, [(float(at), 0.25 + 0.12 * abs(at - x), 0.13)], 3)
    white = mix(light.lit((240, 246, 250), 1), light.light, 0.3)
    sheet.polygon(
        [(x - 0.085, 0.19), (x + 0.085, 0.19), (x + 0.11, SHORE + 0.03), (x - 0.11, SHORE + 0.03)],
        white,
        mix(white, light.lit((150, 200, 220), 1), 0.4),
    )
    for dx in np.linspace(-0.08, 0.08, 7):
        sheet.stroke(
            [(x + dx * 0.9, 0.2), (x + dx, 0.4), (x + dx * 1.2, SHORE)], 0.007, light.lit((170, 206, 226), 1), alpha=0.6
        )
    sheet.ellipses(((x + dx, SHORE + 0.02, 0.06, 0.03) for dx in np.linspace(-0.14, 0.14, 7)), white, alpha=0.75)
