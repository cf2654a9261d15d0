"""A desert: dunes with a lit and a shaded side, table mountains, cacti; pyramids when named."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Sheet, down_to, ridge, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import rock
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage


def desert(stage: Stage) -> float:
    """Far rocks, three dunes behind each other, rippled sand."""
    light, random = stage.light, stage.random
    sky(stage)
    if stage.has("pyramid"):
        _pyramids(stage)
    elif stage.chance(0.75):
        _mesas(stage)
    for base, height, depth in ((0.68, 0.10, 8), (0.78, 0.15, 4), (0.89, 0.13, 2)):
        _dune(stage, base, height * random.uniform(0.8, 1.4), depth)
    ground = stage.sheet("sand", 1)
    sand = light.lit((240, 192, 124), 1)
    ground.polygon(
        down_to(ridge(random, stage.aspect, 0.86, 0.025, 0.3)), mix(sand, light.light, 0.15), shade(sand, 0.82)
    )
    across = np.linspace(-0.05, stage.aspect + 0.05, 60)
    phase = random.uniform(0, 6)
    for down in np.linspace(0.885, 0.995, 6):
        wave = np.stack([across, down + 0.007 * np.sin(across * 7 + down * 60 + phase)], axis=1)
        ground.stroke(wave, 0.004, shade(sand, 0.88), alpha=0.8)
    front = stage.sheet("cactus", 1.3)
    if stage.has("cactus") or stage.chance(0.6):
        tall = random.uniform(0.3, 0.46)
        at = stage.towards * 0.36
        for x, y, h in ((0.5 - at, 0.89, tall), (0.5 + at + 0.06, 0.87, 0.2), (0.5 - at * 0.72, 0.87, 0.13)):
            _cactus(stage, front, stage.aspect * x, y, h)
    for x, y, w in random.uniform((0, 0.87, 0.04), (stage.aspect, 0.99, 0.13), (5, 3)):
        rock(front, stage, float(x), float(y), float(w), float(w) * 0.5, (178, 116, 84))
    return 0.6


def _mesas(stage: Stage) -> None:
    """Table mountains in layers of red rock."""
    far, light = stage.sheet("mesa", 15), stage.light
    for k in range(int(stage.random.integers(2, 5))):
        x, w, h = (
            stage.random.uniform(0, stage.aspect),
            stage.random.uniform(0.16, 0.44),
            stage.random.uniform(0.10, 0.24),
        )
        tone = light.lit(shade((206, 122, 84), 1 - 0.07 * k), 7)
        far.polygon(
            [(x - w / 2, 0.68), (x - w * 0.38, 0.66 - h), (x + w * 0.36, 0.66 - h), (x + w / 2, 0.68)],
            tone,
            mix(tone, light.air, 0.3),
        )
        for share in (0.2, 0.45, 0.7):
            y, half = 0.66 - h * (1 - share), w * (0.38 + 0.11 * share)
            far.rectangles([(x - half, y, x + half * 0.97, y + 0.009)], shade(tone, 0.86))
        dim = -stage.towards
        far.polygon(
            [
                (x + dim * w / 2, 0.68),
                (x + dim * w * 0.37, 0.66 - h),
                (x + dim * w * 0.22, 0.66 - h),
                (x + dim * w * 0.3, 0.68),
            ],
            shade(tone, 0.78),
        )


def _pyramids(stage: Stage) -> None:
    far, light = stage.sheet("pyramids", 9), stage.light
    for share, h in ((0.26, 0.24), (0.5, 0.34), (0.72, 0.18)):
        x = stage.aspect * (share if stage.towards > 0 else 1 - share)
        tone = light.lit((222, 176, 116), 5)
        for side in (-1, 1):
            face = mix(tone, light.light, 0.15) if side == stage.towards else shade(tone, 0.7)
            far.polygon(
                [(x, 0.70 - h), (x + side * h * 0.85, 0.70), (x - stage.towards * 0.12 * h, 0.70)],
                face,
                mix(face, light.air, 0.25),
            )


def _dune(stage: Stage, base: float, height: float, depth: float) -> None:
    """A dune whose crest winds down towards the viewer; one side of it lies in shade."""
    light, random, side = stage.light, stage.random, stage.towards
    sheet = stage.sheet("dunes", depth)
    crest, wide = stage.aspect * random.uniform(0.22, 0.78), stage.aspect * random.uniform(0.5, 0.8)
    sunny = mix(light.lit((248, 198, 124), depth), light.light, 0.1)
    dim = light.lit((190, 122, 84), depth)
    left = [
        (crest - wide * 1.4, base),
        (crest - wide * 0.7, base - height * 0.28),
        (crest - wide * 0.25, base - height * 0.8),
        (crest, base - height),
    ]
    right = [
        (crest, base - height),
        (crest + wide * 0.28, base - height * 0.72),
        (crest + wide * 0.7, base - height * 0.25),
        (crest + wide * 1.4, base),
    ]
    a, b = smooth(left, 50), smooth(right, 50)
    line = np.concatenate([a, b[1:]])
    back = ridge(random, stage.aspect, base, height * 0.3, 0.3)
    sheet.polygon(down_to(back), mix(sunny, dim, 0.25), sunny)
    sheet.polygon(down_to(line), sunny, shade(sunny, 0.92))
    swing = random.uniform(0.08, 0.2)
    spine = smooth(
        [
            (crest, base - height),
            (crest - side * swing * 0.7, base - height * 0.45),
            (crest + side * swing * 0.3, base + 0.04),
            (crest - side * swing, base + 0.3),
        ],
        40,
    )
    shaded = np.concatenate([spine[::-1], a[::-1]]) if side > 0 else np.concatenate([spine[::-1], b])
    sheet.polygon(np.concatenate([shaded, [[crest - side * wide * 1.4, base + 0.3]]]), dim, mix(dim, sunny, 0.5))


def _cactus(stage: Stage, sheet: Sheet, x: float, y: float, h: float) -> None:
    """A saguaro with two arms, ribbed, lit on the side of the light."""
    tone = stage.light.lit((74, 138, 88), 1.2)
    stage.cast(sheet, x, y, h * 0.3, 1.4)
    for points, wide in (
        ([(x, y), (x, y - h / 2), (x, y - h)], 0.16),
        ([(x, y - 0.4 * h), (x - 0.2 * h, y - 0.42 * h), (x - 0.21 * h, y - 0.72 * h)], 0.10),
        ([(x, y - 0.3 * h), (x + 0.19 * h, y - 0.33 * h), (x + 0.2 * h, y - 0.56 * h)], 0.10),
    ):
        sheet.stroke(smooth(points, 24), wide * h, tone)
        end = points[-1]
        sheet.ellipses([(end[0], end[1], wide * h / 2, wide * h / 2)], tone)
    for dx, by in ((stage.towards * 0.045, 1.22), (-stage.towards * 0.04, 0.8)):
        sheet.stroke(
            [(x + dx * h, y), (x + dx * h, y - h / 2), (x + dx * h, y - h)], 0.03 * h, shade(tone, by), alpha=0.85
        )
