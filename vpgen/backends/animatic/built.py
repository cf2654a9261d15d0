"""What people build in many places: houses, lamps, benches, paths, skylines."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, oval, pill, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.stage import Stage

WALLS = ((236, 222, 200), (214, 176, 146), (240, 234, 220), (188, 204, 206), (232, 206, 178))
ROOFS = ((188, 88, 66), (134, 88, 76), (92, 110, 132), (170, 118, 74))
LAMPLIGHT: Colour = (255, 208, 128)


def house(sheet: Sheet, stage: Stage, x: float, y: float, w: float, depth: float) -> None:
    """A cottage with its left foot at (x, y) and width w; its windows are lit when it is dark."""
    light = stage.light
    wall, roof = light.lit(stage.pick(*WALLS), depth), light.lit(stage.pick(*ROOFS), depth)
    wood, tall = light.lit((116, 80, 60), depth), w * 0.56
    stage.cast(sheet, x + w / 2, y, w, 0.5)
    chimney = x + w * (0.74 if stage.towards < 0 else 0.18)
    sheet.rectangles([(chimney, y - tall - 0.42 * w, chimney + 0.09 * w, y - tall - 0.1 * w)], shade(roof, 0.72))
    if not light.wet:
        _smoke(sheet, stage, chimney + 0.045 * w, y - tall - 0.44 * w, w)
    sheet.rectangles([(x, y - tall, x + w, y)], wall, shade(wall, 0.88))
    sheet.rectangles([(x, y - 0.05 * w, x + w, y)], shade(wall, 0.7))
    ridge_y, top = y - tall - 0.40 * w, light.lit((240, 244, 250), depth)
    if stage.chance(0.5):
        sheet.polygon([(x + 0.04 * w, y - tall), (x + w / 2, ridge_y + 0.05 * w), (x + 0.96 * w, y - tall)], wall)
        for side in (-1, 1):
            sunny = side == stage.towards
            slope = [
                (x + w / 2, ridge_y),
                (x + w / 2 + side * 0.62 * w, y - tall + 0.06 * w),
                (x + w / 2 + side * 0.54 * w, y - tall + 0.10 * w),
                (x + w / 2, ridge_y + 0.11 * w),
            ]
            sheet.polygon(slope, shade(top if stage.white else roof, 1.06 if sunny else 0.84))
        sheet.ellipses([(x + w / 2, y - tall - 0.1 * w, 0.055 * w, 0.055 * w)], _pane(stage, depth))
    else:
        slope = [
            (x - 0.08 * w, y - tall + 0.04 * w),
            (x + 0.08 * w, ridge_y + 0.05 * w),
            (x + 0.92 * w, ridge_y + 0.05 * w),
            (x + 1.08 * w, y - tall + 0.04 * w),
        ]
        sheet.polygon(
            slope, mix(top if stage.white else roof, light.light, 0.12), shade(top if stage.white else roof, 0.84)
        )
        sheet.rectangles([(x - 0.08 * w, y - tall + 0.03 * w, x + 1.08 * w, y - tall + 0.055 * w)], shade(roof, 0.7))
    _windows(sheet, stage, [(x + k * w, y - 0.74 * tall, 0.17 * w, 0.36 * tall) for k in (0.12, 0.71)], depth, wood)
    sheet.rectangles([(x + 0.42 * w, y - 0.6 * tall, x + 0.58 * w, y)], wood, shade(wood, 0.8))
    if light.night:
        sheet.glow((x + w / 2, y - 0.4 * tall), w * 0.5, (255, 196, 110), 0.22)


def _pane(stage: Stage, depth: float) -> Colour:
    return (255, 216, 130) if stage.light.night or stage.light.wet else stage.light.lit((128, 164, 186), depth)


def _windows(
    sheet: Sheet, stage: Stage, boxes: list[tuple[float, float, float, float]], depth: float, frame: Colour
) -> None:
    """Windows given as (left, top, width, height), with a frame and a cross."""
    pane = _pane(stage, depth)
    for x, y, w, h in boxes:
        sheet.rectangles([(x - 0.08 * w, y - 0.08 * h, x + 1.08 * w, y + 1.1 * h)], mix(frame, (255, 255, 255), 0.25))
        sheet.rectangles([(x, y, x + w, y + h)], pane, shade(pane, 0.9))
        sheet.rectangles([(x + 0.46 * w, y, x + 0.54 * w, y + h), (x, y + 0.46 * h, x + w, y + 0.54 * h)], frame)


def _smoke(sheet: Sheet, stage: Stage, x: float, y: float, w: float) -> None:
    tone = mix(stage.light.horizon, (255, 255, 255), 0.3 if not stage.light.night else 0.0)
    for k in range(5):
        sheet.ellipses(
            [
                (
                    x - stage.towards * 0.05 * w * k * k * 0.4,
                    y - 0.09 * w * k,
                    0.035 * w * (1 + 0.5 * k),
                    0.03 * w * (1 + 0.5 * k),
                )
            ],
            tone,
            alpha=0.5 - 0.08 * k,
        )


def hanok(sheet: Sheet, stage: Stage, x: float, y: float, w: float, depth: float, *, thatched: bool = False) -> None:
    """A Korean house: stone base, wooden pillars, paper doors, and a roof whose eaves rise at the ends."""
    light, tall = stage.light, w * 0.36
    wall, wood = light.lit((240, 232, 216), depth), light.lit((122, 78, 54), depth)
    stage.cast(sheet, x + w / 2, y, w * 1.1, 0.5)
    sheet.rectangles(
        [(x - 0.04 * w, y - 0.06 * w, x + 1.04 * w, y)],
        light.lit((164, 158, 152), depth),
        light.lit((122, 118, 118), depth),
    )
    sheet.rectangles([(x, y - tall, x + w, y - 0.06 * w)], wall, shade(wall, 0.9))
    paper: Colour = (255, 214, 138) if light.night else light.lit((250, 244, 226), depth)
    for k in (0.10, 0.40, 0.70):
        box = (x + k * w, y - tall * 0.84, x + (k + 0.2) * w, y - 0.07 * w)
        sheet.rectangles([box], paper, shade(paper, 0.92))
        bars = [
            (box[0] + t * 0.2 * w - 0.003 * w, box[1], box[0] + t * 0.2 * w + 0.003 * w, box[3])
            for t in np.linspace(0, 1, 5)
        ]
        rungs = [
            (box[0], box[1] + t * (box[3] - box[1]) - 0.003 * w, box[2], box[1] + t * (box[3] - box[1]) + 0.003 * w)
            for t in np.linspace(0, 1, 5)
        ]
        sheet.rectangles([*bars, *rungs], wood)
    sheet.rectangles(
        ((x + k * w - 0.014 * w, y - tall, x + k * w + 0.014 * w, y - 0.06 * w) for k in (0.02, 0.35, 0.65, 0.98)), wood
    )
    sheet.rectangles([(x, y - tall, x + w, y - tall + 0.035 * w)], shade(wood, 0.86))
    if light.night:
        sheet.glow((x + w / 2, y - 0.5 * tall), w * 0.55, (255, 190, 104), 0.25)
    if thatched:
        straw = light.lit((240, 244, 250) if stage.white else (206, 168, 104), depth)
        sheet.polygon(
            oval(x + w / 2, y - tall * 0.9, w * 0.66, w * 0.36, y - tall * 0.86),
            mix(straw, light.light, 0.12),
            shade(straw, 0.74),
        )
        return
    roof = light.lit((82, 88, 100), depth)
    low = [
        (x - 0.20 * w, y - tall * 1.22),
        (x + 0.10 * w, y - tall * 0.98),
        (x + 0.5 * w, y - tall * 0.92),
        (x + 0.90 * w, y - tall * 0.98),
        (x + 1.20 * w, y - tall * 1.22),
    ]
    high = [
        (x + 1.0 * w, y - tall * 1.86),
        (x + 0.78 * w, y - tall * 1.74),
        (x + 0.5 * w, y - tall * 1.70),
        (x + 0.22 * w, y - tall * 1.74),
        (x + 0.0 * w, y - tall * 1.86),
    ]
    eaves, top = smooth(low, 40), smooth(high, 40)
    sheet.polygon(np.concatenate([eaves + (0, 0.035 * w), eaves[::-1]]), shade(wood, 0.7))
    tiles = light.lit((240, 244, 250), depth) if stage.white else roof
    sheet.polygon(np.concatenate([eaves, top]), mix(tiles, light.light, 0.14), shade(tiles, 0.8))
    for a, b in zip(eaves[2:-2:3], top[::-1][2:-2:3], strict=True):
        sheet.stroke([tuple(a), tuple((a + b) / 2 + (0, 0.02 * w)), tuple(b)], 0.007 * w, shade(tiles, 0.74), 0.6)
    sheet.stroke(top, 0.036 * w, mix(shade(roof, 0.7), tiles, 0.25))
    sheet.stroke(eaves, 0.022 * w, shade(roof, 0.66))


def lamp(stage: Stage, sheet: Sheet, x: float, y: float, h: float) -> None:
    """A street lamp with its foot at (x, y); it shines when it is dark, on the ground too."""
    post, side = stage.light.lit((60, 64, 76), 1.2), -1 if x > stage.aspect / 2 else 1
    head = (x + side * 0.14 * h, y - 0.985 * h)
    if stage.light.night:
        sheet.polygon(
            [
                (head[0] - 0.03 * h, head[1]),
                (head[0] + 0.03 * h, head[1]),
                (head[0] + 0.3 * h, y + 0.02),
                (head[0] - 0.3 * h, y + 0.02),
            ],
            (255, 214, 140),
            alpha=0.10,
        )
        sheet.ellipses([(head[0], y + 0.01, 0.34 * h, 0.05 * h)], (255, 214, 140), alpha=0.22)
    sheet.stroke([(x, y), (x, y - h * 0.5), (x, y - h)], 0.024 * h, post, 0.7)
    sheet.stroke(
        [(x, y - h), (x + side * 0.06 * h, y - 1.03 * h), (x + side * 0.14 * h, y - 1.0 * h)], 0.02 * h, post, 0.8
    )
    if stage.light.night:
        sheet.glow(head, 0.22 * h, (255, 206, 130), 0.6)
    sheet.ellipses([(*head, 0.045 * h, 0.022 * h)], (255, 238, 196) if stage.light.night else shade(post, 1.5))


def bench(stage: Stage, sheet: Sheet, x: float, y: float, size: float = 1.0) -> None:
    """A park bench with its middle at (x, y)."""
    wood, iron = stage.light.lit((180, 118, 74), 1), stage.light.lit((60, 60, 70), 1)
    stage.cast(sheet, x, y + 0.03 * size, 0.3 * size, 0.5)
    for foot in (-0.124, 0.124):
        sheet.rectangles(
            [(x + (foot - 0.006) * size, y - 0.1 * size, x + (foot + 0.006) * size, y + 0.03 * size)], iron
        )
    for up in (-0.04, -0.075, -0.1):
        sheet.polygon(
            pill(x - 0.15 * size, x + 0.15 * size, y + (up + 0.008) * size, 0.017 * size), wood, shade(wood, 0.86)
        )


def path(sheet: Sheet, stage: Stage, horizon: float, colour: Colour, width: float = 0.9) -> None:
    """A path that winds from the foreground to the horizon; where it goes the seed decides."""
    at, bend, far = (
        stage.random.uniform(-0.1, 0.1),
        stage.pick(-1, 1) * stage.random.uniform(0.05, 0.14),
        stage.random.uniform(-0.16, 0.16),
    )
    x, middle = stage.aspect / 2 + at, horizon + 0.45 * (0.84 - horizon)

    def edge(side: int) -> np.ndarray:
        points = [
            (x + side * width * 0.55, 1.06),
            (x + side * width * 0.27 + bend * 0.5, 0.84),
            (x + bend + side * 0.05, middle),
            (x + far + side * 0.010, horizon + 0.008),
        ]
        return smooth(points, 40)

    lit = stage.light.lit(colour, 1)
    sheet.polygon(
        np.concatenate([edge(-1), edge(1)[::-1]]), mix(lit, stage.light.air, 0.35), mix(lit, stage.light.light, 0.06)
    )


def building(
    stage: Stage,
    sheet: Sheet,
    box: tuple[float, float, float, float],
    tone: Colour,
    depth: float,
    lit_share: float,
    cell: float = 0.016,
) -> None:
    """A box with a shaded side and rows of windows; a share of them lit."""
    x0, y0, x1, y1 = box
    sheet.rectangles([box], tone, mix(tone, stage.light.air, 0.25))
    dark_side = (x0, y0, x0 + (x1 - x0) * 0.16, y1) if stage.towards > 0 else (x1 - (x1 - x0) * 0.16, y0, x1, y1)
    sheet.rectangles([dark_side], shade(tone, 0.82), mix(tone, stage.light.air, 0.2))
    columns, rows = max(1, int((x1 - x0) / (cell * 1.9))), max(1, int((y1 - y0) / (cell * 2.1)))
    panes = [
        (x0 + (c + 0.5) * (x1 - x0) / columns, y0 + (r + 0.55) * (y1 - y0) / rows)
        for c in range(columns)
        for r in range(rows)
    ]
    on = stage.random.random(len(panes)) < lit_share
    dark = shade(tone, 0.76 if not stage.light.night else 0.62)
    bright = mix(shade(tone, 1.2), stage.light.horizon, 0.5)
    if stage.light.night:
        bright = mix((255, 214, 134), stage.light.air, min(0.5, depth * 0.02))
    half = cell * 0.42
    for chosen, colour in ((on, bright), (~on, dark)):
        boxes = (
            (x - half, y - half * 1.15, x + half, y + half * 1.15)
            for (x, y), use in zip(panes, chosen, strict=True)
            if use
        )
        sheet.rectangles(boxes, colour, alpha=0.9)
    if stage.white:
        sheet.rectangles([(x0 - 0.004, y0 - 0.012, x1 + 0.004, y0 + 0.006)], stage.light.lit((242, 246, 252), depth))


def skyline(stage: Stage, base: float, depth: float, count: int, heights: tuple[float, float], colour: Colour) -> None:
    """Towers side by side on a sheet of their own, some with a mast or a step at the top."""
    sheet, random = stage.sheet("skyline", depth), stage.random
    for index in range(count):
        wide = stage.aspect / count
        x, w, h = index * wide, wide * random.uniform(0.8, 1.25), random.uniform(*heights)
        tone = mix(stage.light.lit(shade(colour, random.uniform(0.86, 1.12)), depth * 0.7), stage.light.air, 0.1)
        if stage.chance(0.25):
            sheet.rectangles([(x + w * 0.25, base - h * 1.12, x + w * 0.75, base - h)], tone)
        if stage.chance(0.2):
            sheet.rectangles([(x + w * 0.48, base - h * 1.3, x + w * 0.52, base - h)], tone)
        building(stage, sheet, (x, base - h, x + w, base + 0.05), tone, depth, 0.45 if stage.light.night else 0.25)
