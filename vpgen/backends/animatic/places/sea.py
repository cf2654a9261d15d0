"""The sea: a beach at the water's edge; lighthouse, boats, pier and palms when named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import corners, grass, rock
from vpgen.backends.animatic.places.water import boat, glitter, ripples
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage


def sea(stage: Stage) -> float:
    """Sky, a coast on the side away from the sun, water, and sand in front."""
    light, random = stage.light, stage.random
    horizon = random.uniform(0.49, 0.54)
    sky(stage, horizon)
    side = -stage.towards
    _coast(stage, horizon, side)
    water = stage.sheet("sea", 6)
    deep = light.lit((30, 108, 160), 1.5)
    far = mix(mix(light.horizon, light.middle, 0.35), deep, 0.18)
    water.rectangles([(0, horizon, stage.aspect, 0.92)], far, mix(light.top, deep, 0.45))
    if stage.reading.weather == "storm":
        _swell(stage, water, horizon, deep)
    else:
        ripples(stage, water, horizon, 0.36, deep)
        glitter(stage, water, horizon, 0.34)
    if stage.has("boat"):
        boat(stage, stage.aspect * (0.5 + side * 0.2), horizon + 0.045, 0.22)
    if stage.has("pier"):
        _pier(stage, horizon, side)
    beach, sand = _beach(stage, deep)
    front = stage.sheet("leaves", 0.75)
    if stage.has("palm") or stage.reading.season == "summer":
        _palm(stage, front, 0.06 if side < 0 else stage.aspect - 0.06, -side)
        _parasol(stage, beach, stage.aspect * (0.5 - side * 0.32), 0.88)
    if stage.chance(0.5):
        grass(front, stage, 1.03, 0.13, (140, 148, 88), 120, corners(stage))
    else:
        for x, w, h in ((0.02, 0.30, 0.12), (0.22, 0.14, 0.06)):
            rock(front, stage, x if side > 0 else stage.aspect - x, 1.02, w, h)
    shells = random.uniform((0, 0.88), (stage.aspect, 1.0), (14, 2))
    beach.ellipses(((x, y, 0.008, 0.004) for x, y in shells), mix(sand, (255, 240, 232), 0.55))
    return horizon


def _coast(stage: Stage, horizon: float, side: int) -> None:
    """Land that runs out into the sea, or islands; rocks with the lighthouse on them."""
    light, random = stage.light, stage.random
    edge = 0.0 if side < 0 else stage.aspect
    far = stage.sheet("headland", 16)
    tone = mix(light.lit((92, 122, 122), 7), light.top, 0.22)
    if stage.chance(0.6):
        high, reach = random.uniform(0.07, 0.15), random.uniform(0.4, 0.8)
        steps = ((0.0, 1.0), (0.25, 0.92), (0.5, 0.5), (0.75, 0.3), (1.0, 0.0))
        line = smooth([(edge - side * reach * t, horizon - high * k + 0.004) for t, k in steps], 40)
        far.polygon(np.concatenate([line, [[edge, horizon + 0.004]]]), mix(tone, light.light, 0.1), tone)
    else:
        for k in range(int(random.integers(2, 4))):
            x, w, h = random.uniform(0, stage.aspect), random.uniform(0.12, 0.3), random.uniform(0.03, 0.08)
            isle = ridge(random, w, horizon + 0.004, h, 0.4, 33) * (1, 1) + (x - w / 2, 0)
            isle[:, 1] = horizon + 0.004 - (horizon + 0.004 - isle[:, 1]) * np.sin(np.linspace(0, np.pi, 33)) ** 0.6
            far.polygon(isle, shade(tone, 1 - 0.06 * k))
    if stage.has("lighthouse"):
        sheet = stage.sheet("lighthouse", 4)
        x = edge - side * 0.34
        for dx, w, h in ((0.0, 0.5, 0.10), (0.2, 0.3, 0.07), (-0.24, 0.3, 0.06)):
            rock(sheet, stage, x + side * dx, horizon + 0.10, w, h, (104, 100, 108), 3)
        foam = mix(light.lit((246, 249, 252), 2), light.horizon, 0.3)
        sheet.ellipses(((x + dx, horizon + 0.10, 0.07, 0.012) for dx in np.linspace(-0.42, 0.42, 9)), foam, alpha=0.8)
        _lighthouse(stage, sheet, x, horizon + 0.012)


def _beach(stage: Stage, deep: Colour) -> tuple[Sheet, Colour]:
    """Foam, wet sand and dry sand, their edge drawn anew by every seed."""
    light, random = stage.light, stage.random
    beach = stage.sheet("beach", 1)
    across = np.linspace(-0.05, stage.aspect + 0.05, 6)
    slope = stage.pick(-0.06, 0.0, 0.06) * np.linspace(-1, 1, 6)
    shore = smooth([(x, 0.785 + y) for x, y in zip(across, slope + random.uniform(-0.024, 0.024, 6), strict=True)], 90)
    sand = light.lit((240, 212, 166), 1)
    foam = mix(light.lit((248, 250, 252), 1), light.light, 0.25)
    for lift, alpha in ((0.045, 0.35), (0.022, 0.5)):
        crest = (
            shore + np.stack([np.zeros(len(shore)), 0.006 * np.sin(shore[:, 0] * 17 + lift * 300)], axis=1) - (0, lift)
        )
        beach.polygon(np.concatenate([crest, (crest + (0, 0.006))[::-1]]), foam, alpha=alpha)
    beach.polygon(down_to(shore - (0, 0.010)), foam, alpha=0.92)
    beach.polygon(down_to(shore + (0, 0.006)), mix(sand, deep, 0.5), mix(sand, deep, 0.25))
    beach.polygon(down_to(shore + (0, 0.04)), mix(sand, light.light, 0.12), shade(mix(sand, light.fill, 0.3), 0.88))
    spots = random.uniform((0, 0.86), (stage.aspect, 1.0), (70, 2))
    beach.ellipses(((x, y, 0.006, 0.0022) for x, y in spots), shade(sand, 0.84), alpha=0.7)
    return beach, sand


def _swell(stage: Stage, water: Sheet, horizon: float, deep: Colour) -> None:
    """High waves with white crests, larger towards the viewer."""
    x = np.linspace(-0.1, stage.aspect + 0.1, 240)
    for k in range(6):
        near = (k + 0.6) / 6
        y, high, long = horizon + 0.27 * near**1.3, 0.012 + 0.05 * near, 0.16 + 0.3 * near
        phase = stage.random.uniform(0, 6)
        shape = (0.5 + 0.5 * np.cos(2 * np.pi * x / long + phase)) ** 2 + 0.2 * np.sin(x * 9 + phase)
        line = np.stack([x, y - high * shape], axis=1)
        tone = mix(shade(deep, 1.25 - 0.45 * near), stage.light.middle, 0.3 * (1 - near))
        water.polygon(down_to(line, 0.95), mix(tone, stage.light.horizon, 0.25), tone)
        foam: NDArray[np.bool_] = shape > 0.42
        edges = np.flatnonzero(np.diff(np.concatenate([[0], foam.astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end - start > 2:
                crest = line[start:end]
                along = np.linspace(0, np.pi, len(crest))
                thick = (0.006 + 0.016 * near) * np.sin(along) * (0.65 + 0.35 * np.abs(np.cos(2.5 * along)))
                lower = np.stack([crest[:, 0], crest[:, 1] + thick], axis=1)
                water.polygon(np.concatenate([crest, lower[::-1]]), (238, 243, 248), alpha=0.85)


def _lighthouse(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    """A striped tower; its beams show when it is dark or the weather is thick."""
    light, h = stage.light, 0.34
    shining = light.night or stage.overcast
    top = y - h
    if shining:
        for side in (-1, 1):
            beam = [(x, top - 0.022), (x + side * 4, top - 0.33), (x + side * 4, top + 0.33)]
            sheet.polygon(beam, (255, 240, 190), alpha=0.20 if light.time == "night" else 0.15)
    for index in range(5):
        low, high = y - h * index / 5, y - h * (index + 1) / 5
        wide, narrow = 0.050 - 0.0044 * index, 0.050 - 0.0044 * (index + 1)
        stripe = light.lit((246, 242, 236) if index % 2 == 0 else (214, 66, 58), 2.5)
        sheet.polygon([(x - wide, low), (x + wide, low), (x + narrow, high), (x - narrow, high)], stripe)
        dim = -stage.towards
        sheet.polygon(
            [
                (x + dim * wide, low),
                (x + dim * wide * 0.35, low),
                (x + dim * narrow * 0.35, high),
                (x + dim * narrow, high),
            ],
            shade(stripe, 0.8),
        )
    sheet.rectangles([(x - 0.036, top - 0.008, x + 0.036, top + 0.004)], light.lit((70, 70, 80), 2))
    glass: Colour = (255, 238, 176) if shining else light.lit((180, 206, 220), 2)
    sheet.rectangles([(x - 0.02, top - 0.044, x + 0.02, top - 0.006)], glass)
    sheet.polygon([(x - 0.03, top - 0.042), (x + 0.03, top - 0.042), (x, top - 0.088)], light.lit((186, 58, 52), 2))
    if shining:
        sheet.glow((x, top - 0.025), 0.09, (255, 236, 170), 0.85)


def _pier(stage: Stage, horizon: float, side: int) -> None:
    """A boardwalk on posts from the beach out into the water."""
    sheet, wood = stage.sheet("pier", 2.2), stage.light.lit((150, 108, 78), 1.4)
    x, y = stage.aspect * (0.5 + side * 0.30), horizon + 0.05
    for t in np.linspace(0, 1, 6):
        px, py, w = x - side * 0.2 * t, y + 0.28 * t, 0.012 + 0.05 * t
        sheet.rectangles(
            (
                (px + k * w - 0.004 - 0.006 * t, py, px + k * w + 0.004 + 0.006 * t, py + 0.04 + 0.08 * t)
                for k in (-1, 1)
            ),
            shade(wood, 0.66),
        )
    sheet.polygon(
        [(x - 0.02, y), (x + 0.02, y), (x - side * 0.22 + 0.12, y + 0.34), (x - side * 0.22 - 0.12, y + 0.34)],
        mix(wood, stage.light.light, 0.1),
        wood,
    )
    for t in np.linspace(0.04, 0.96, 14) ** 1.6:
        px, w = x - side * 0.22 * t, 0.02 + 0.10 * t
        sheet.rectangles([(px - w, y + 0.34 * t, px + w, y + 0.34 * t + 0.002 + 0.003 * t)], shade(wood, 0.72))


def _palm(stage: Stage, sheet: Sheet, x: float, side: int) -> None:
    """A palm that leans into the picture."""
    light, top = stage.light, (x + side * 0.16, 0.26)
    trunk = light.lit((124, 92, 66), 1)
    stem = smooth([(x, 1.05), (x + side * 0.03, 0.75), (x + side * 0.08, 0.48), top], 30)
    sheet.stroke(stem, 0.05, trunk, 0.5)
    for at in stem[2::3]:
        sheet.ellipses([(float(at[0]), float(at[1]), 0.02, 0.004)], shade(trunk, 0.78))
    for turn in np.linspace(-0.35, np.pi + 0.35, 11):
        tip = (top[0] + 0.32 * np.cos(turn), top[1] - 0.15 * np.sin(turn) + 0.11)
        middle = (top[0] + 0.17 * np.cos(turn), top[1] - 0.15 * np.sin(turn) - 0.02)
        leaf = smooth([top, middle, tip], 24)
        sunny = (np.cos(turn) > 0) == (stage.towards > 0)
        full = (leaf + (0, 0.04) * np.sin(np.linspace(0, np.pi, 24))[:, None])[::-1]
        sheet.polygon(np.concatenate([leaf, full]), light.lit((76, 148, 84) if sunny else (48, 108, 72), 1))
    sheet.ellipses(((top[0] + dx, top[1] + 0.02, 0.016, 0.018) for dx in (-0.014, 0.016)), light.lit((110, 74, 50), 1))


def _parasol(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    """A beach umbrella in two colours, stuck in the sand."""
    light, tone = stage.light, stage.pick((226, 84, 76), (66, 138, 176), (240, 172, 66))
    stage.cast(sheet, x, y, 0.3, 0.6)
    sheet.stroke([(x, y), (x + 0.01, y - 0.1), (x + 0.02, y - 0.2)], 0.008, light.lit((236, 230, 220), 1))
    turn = np.linspace(np.pi, 0, 25)
    dome = np.stack([x + 0.02 + 0.15 * np.cos(turn), y - 0.19 - 0.10 * np.sin(turn)], axis=1)
    for k in range(6):
        wedge = np.concatenate(
            [dome[k * 4 : k * 4 + 5], [(x + 0.02 + 0.15 * np.cos(turn[k * 4 + 2]) * 0.2, y - 0.185)]]
        )
        part = (
            np.concatenate(
                [
                    dome[k * 4 : k * 4 + 5],
                    [dome[k * 4 + 4] * (1, 0) + (0, y - 0.185), dome[k * 4] * (1, 0) + (0, y - 0.185)],
                ]
            )
            if k in {0, 5}
            else wedge
        )
        sheet.polygon(part, light.lit(tone if k % 2 == 0 else (250, 246, 238), 1))
    sheet.stroke(
        [(x - 0.13, y - 0.19), (x + 0.02, y - 0.186), (x + 0.17, y - 0.19)], 0.008, light.lit(shade(tone, 0.8), 1)
    )
