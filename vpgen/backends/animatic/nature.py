"""What grows and lies about in many places: peaks, rocks, trees, grass, flowers, cloud seas."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, oval, ridge, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.stage import Stage

PETALS = ((250, 244, 244), (250, 214, 92), (236, 116, 138), (160, 130, 214))


def hills(
    stage: Stage, base: float, height: float, colour: Colour, depth: float, rough: float = 0.4
) -> NDArray[np.float64]:
    """A range of hills on a sheet of its own; returns its line."""
    sheet = stage.sheet("hills", depth)
    line = ridge(stage.random, stage.aspect, base, height, rough)
    lit = stage.light.lit(colour, depth)
    sheet.polygon(down_to(line), mix(lit, stage.light.light, 0.1), mix(lit, stage.light.air, 0.35))
    return line


def peaks(
    stage: Stage,
    base: float,
    heights: tuple[float, float],
    colour: Colour,
    depth: float,
    count: int,
    snow: float = 0.36,
) -> None:
    """A range of faceted mountains, the highest off the middle; `snow`: the share of each that is white."""
    sheet, random = stage.sheet("mountains", depth), stage.random
    chief = stage.aspect * (0.5 - stage.towards * random.uniform(0.12, 0.26))
    spots = [float((k + random.uniform(0.1, 0.9)) / count * stage.aspect) for k in range(count)]
    tall = [random.uniform(heights[0], heights[0] * 0.4 + heights[1] * 0.6) for _ in spots]
    every = sorted([*zip(spots, tall, strict=True), (chief, heights[1])], key=lambda spot: spot[1])
    for x, h in every:
        _peak(stage, sheet, x, base, h, h * random.uniform(0.75, 1.15), colour, depth, 0.8 if stage.white else snow)
    lit = stage.light.lit(colour, depth)
    for share in (0.03, 0.06, 0.10):  # the feet stand in haze
        sheet.rectangles([(0, base - share, stage.aspect, 1)], mix(lit, stage.light.air, 0.75), alpha=0.35)


def _peak(
    stage: Stage, sheet: Sheet, x: float, base: float, h: float, w: float, colour: Colour, depth: float, snow: float
) -> None:
    """One mountain: a face in the light and one in shade, meeting in a jagged spine, and its cap of snow."""
    light, random = stage.light, stage.random
    up = np.linspace(0, 1, 9)

    def edge(side: float) -> NDArray[np.float64]:
        bumps = random.uniform(-0.05, 0.05, 9) * (1 - up) * w
        bumps[0] = bumps[-1] = 0
        return np.stack([x + side * w * (1 - up) ** 0.9 + bumps, base - h * up], axis=1)

    spine = np.stack(
        [x - stage.towards * w * 0.16 * (1 - up) + random.uniform(-0.05, 0.05, 9) * (1 - up) * w, base - h * up], 1
    )
    rock = light.lit(colour, depth)
    bright, dim = mix(rock, light.light, 0.2), mix(shade(rock, 0.72), light.fill, 0.18)
    dim = mix(dim, light.air, 1 - float(np.exp(-light.haze * depth * 0.7)))
    white, blue = light.lit((250, 251, 254), depth * 0.6), light.lit((186, 202, 230), depth * 0.6)
    for side in (-stage.towards, stage.towards):
        line, sunny = edge(side), side == stage.towards
        tone = bright if sunny else dim
        sheet.polygon(np.concatenate([line, spine[::-1]]), tone, mix(tone, light.air, 0.4))
        if snow:
            at = np.linspace(1 - snow, 1, 6)
            outer = np.stack([np.interp(at, up, line[:, 0]), base - h * at], axis=1)
            inner = np.stack([np.interp(at, up, spine[:, 0]), base - h * at], axis=1)
            teeth = inner[0] + (outer[0] - inner[0]) * np.linspace(0, 1, 7)[:, None]
            teeth[1:6:2, 1] += h * random.uniform(0.04, 0.10, 3)
            teeth[2:5:2, 1] -= h * random.uniform(0.01, 0.05, 2)
            sheet.polygon(np.concatenate([outer[1:], inner[::-1][1:-1], teeth]), white if sunny else blue)


def billows(stage: Stage, sheet: Sheet, y: float, r: float, colour: Colour, below: Colour, alpha: float = 1.0) -> None:
    """A bank of round tops from side to side: a sea of clouds, bushes, snow-laden shrubs."""
    random = stage.random
    centres = np.arange(-r, stage.aspect + 2 * r, r * 0.95)
    tops = [
        oval(float(x + random.uniform(-0.3, 0.3) * r), y, r * random.uniform(0.6, 1.15), r * random.uniform(0.35, 0.75))
        for x in centres
    ]
    body = np.array([(-0.1, y), (stage.aspect + 0.1, y), (stage.aspect + 0.1, 1.05), (-0.1, 1.05)])
    sheet.polygons([body, *tops], colour, below, alpha)


def rock(
    sheet: Sheet,
    stage: Stage,
    x: float,
    y: float,
    w: float,
    h: float,
    colour: Colour = (122, 118, 122),
    depth: float = 1,
) -> None:
    """A boulder with a lit top and a shaded side."""
    random, light = stage.random, stage.light
    tone = light.lit((214, 220, 232) if stage.white else colour, depth)
    turn = np.linspace(np.pi, 0, 8)
    reach = random.uniform(0.85, 1.08, 8)
    outline = np.stack([x + w / 2 * np.cos(turn) * reach, y - h * np.sin(turn) ** 0.8 * reach], axis=1)
    outline[[0, -1], 1] = y
    sheet.polygon(outline, shade(tone, 0.78), shade(tone, 0.62))
    top = outline[3 if stage.towards > 0 else 4]
    lit = outline[3:] if stage.towards > 0 else outline[:5]
    inner = np.array([(x + stage.towards * w * 0.22, y), (x + stage.towards * w * 0.06, y - h * 0.5), top])
    face = np.concatenate([lit, inner]) if stage.towards > 0 else np.concatenate([lit[::-1], inner])
    sheet.polygon(face, mix(tone, light.light, 0.16), shade(tone, 0.9))


def pines(
    sheet: Sheet, stage: Stage, feet: Iterable[tuple[float, float, float]], depth: float, colour: Colour = (44, 96, 78)
) -> None:
    """Conifers at (x, y of the foot, height); snow lies on them when the ground is white."""
    light, trees = stage.light, list(feet)
    dark, lit = light.lit(shade(colour, 0.82), depth), mix(light.lit(shade(colour, 1.22), depth), light.light, 0.08)
    sheet.rectangles(
        ((x - 0.014 * h, y - 0.12 * h, x + 0.014 * h, y) for x, y, h in trees), light.lit((92, 68, 52), depth)
    )
    side = stage.towards
    for part, (top, bottom, wide) in enumerate(((0.42, 0.08, 0.20), (0.70, 0.32, 0.155), (1.0, 0.56, 0.11))):
        sheet.polygons(
            ([(x, y - top * h), (x - wide * h, y - bottom * h), (x + wide * h, y - bottom * h)] for x, y, h in trees),
            dark,
        )
        sheet.polygons(
            (
                [(x, y - top * h), (x + side * 0.01 * h, y - bottom * h), (x + side * wide * h, y - bottom * h)]
                for x, y, h in trees
            ),
            lit,
        )
        if stage.white:
            middle = (top + bottom) / 2
            caps = (
                [
                    (x, y - top * h),
                    (x - wide * 0.5 * h, y - middle * h),
                    (x, y - (top * 0.6 + bottom * 0.4) * h),
                    (x + wide * 0.5 * h, y - middle * h),
                ]
                for x, y, h in trees
            )
            sheet.polygons(caps, light.lit((240, 244, 250), depth), alpha=0.95 - 0.1 * part)


def tree(sheet: Sheet, stage: Stage, x: float, y: float, h: float, depth: float, *, bare: bool = False) -> None:
    """A broad tree with its foot at (x, y) and height h, in the season's colours; without leaves in a snowless winter."""
    light, random = stage.light, stage.random
    stage.cast(sheet, x, y, h * 0.42)
    trunk = light.lit((98, 72, 56), depth)
    sheet.polygon(
        [(x - 0.035 * h, y), (x + 0.035 * h, y), (x + 0.018 * h, y - 0.55 * h), (x - 0.018 * h, y - 0.55 * h)],
        trunk,
        shade(trunk, 0.8),
    )
    for side in (-1, 1):
        sheet.stroke(
            [(x, y - 0.36 * h), (x + side * 0.09 * h, y - 0.52 * h), (x + side * 0.17 * h, y - 0.64 * h)],
            0.022 * h,
            trunk,
            0.4,
        )
    if bare or (stage.season == "winter" and not stage.white):
        for turn in np.linspace(0.5, np.pi - 0.5, 7):
            tip = (x + 0.3 * h * np.cos(turn), y - (0.5 + 0.42 * np.sin(turn)) * h)
            sheet.stroke(
                [(x, y - 0.5 * h), ((x + tip[0]) / 2, (y - 0.52 * h + tip[1]) / 2), tip], 0.022 * h, trunk, 0.25
            )
        return
    dark, bright = stage.leaves
    spots = [
        (x + random.uniform(-0.24, 0.24) * h, y - random.uniform(0.52, 0.86) * h, random.uniform(0.13, 0.2) * h)
        for _ in range(9)
    ]
    spots += [(x, y - 0.7 * h, 0.26 * h)]
    sheet.ellipses(((cx, cy, r, r * 0.86) for cx, cy, r in spots), light.lit(shade(dark, 0.84), depth))
    lean = 0.045 * h * (1 if stage.sun[0] > x else -1)
    sheet.ellipses(((cx + lean, cy - 0.03 * h, r * 0.74, r * 0.62) for cx, cy, r in spots), light.lit(dark, depth))
    tips = ((cx + 1.7 * lean, cy - 0.055 * h, r * 0.42, r * 0.34) for cx, cy, r in spots[:6])
    sheet.ellipses(tips, light.lit(mix(dark, bright, 0.75), depth))


def grass(
    sheet: Sheet,
    stage: Stage,
    base: float,
    height: float,
    colour: Colour,
    count: int = 140,
    gap: tuple[float, float] | None = None,
) -> None:
    """Blades along the bottom edge, as a frame; none between the two x of `gap`."""
    random = stage.random
    for tone in (0.72, 0.95):
        blades = []
        for x in random.uniform(-0.05, stage.aspect + 0.05, count):
            if gap and gap[0] < x < gap[1]:
                continue
            h, lean = height * random.uniform(0.5, 1.2), random.uniform(-0.03, 0.03)
            tip, knee = (x + lean, base - h), base - 0.6 * h
            blades.append(
                [
                    (x - 0.004, base),
                    (x + 0.004, base),
                    (x + lean * 0.5 + 0.002, knee),
                    tip,
                    (x + lean * 0.5 - 0.002, knee),
                ]
            )
        sheet.polygons(blades, stage.light.lit(shade(colour, tone), 1))


def corners(stage: Stage, reach: float = 0.4) -> tuple[float, float]:
    """The gap that leaves only the picture's corners, by the seed more of one than of the other."""
    left = stage.random.uniform(0.3, 1.2) * reach
    return left, stage.aspect - (1.5 * reach - left)


def flowers(stage: Stage, ground: Sheet, top: float = 0.80, count: int = 90) -> None:
    """Blossoms in the grass beside the path, larger towards the viewer; none in autumn, winter or snow."""
    if stage.white or stage.season in {"winter", "autumn"}:
        return
    for colour in PETALS:
        spots = stage.random.uniform((0, top), (stage.aspect, 1.0), (count // len(PETALS), 2))
        spots = spots[np.abs(spots[:, 0] - stage.aspect / 2) > 0.16 + (spots[:, 1] - top)]
        ground.ellipses(
            ((x, y, 0.004 + 0.016 * (y - top), 0.003 + 0.012 * (y - top)) for x, y in spots), stage.light.lit(colour, 1)
        )


def litter(stage: Stage, ground: Sheet, top: float, count: int = 150) -> None:
    """Petals in spring and leaves in autumn, on the ground."""
    if stage.season in {"spring", "autumn"} and not stage.white:
        spots = stage.random.uniform((0, top), (stage.aspect, 1.0), (count, 2))
        for tone, some in zip(stage.leaves, (spots[::2], spots[1::2]), strict=True):
            ground.ellipses(
                ((x, y, 0.004 + 0.012 * (y - top), 0.002 + 0.006 * (y - top)) for x, y in some),
                stage.light.lit(tone, 1),
                alpha=0.9,
            )


def bough(stage: Stage, sheet: Sheet, side: int) -> None:
    """A branch in leaf that hangs into the picture's upper corner."""
    light, random = stage.light, stage.random
    dark, bright = stage.leaves
    edge = 0.0 if side < 0 else stage.aspect
    twigs = [[(edge + side * 0.05, 0.0), (edge - side * 0.14, 0.07), (edge - side * random.uniform(0.34, 0.5), 0.05)],
             [(edge - side * 0.08, 0.05), (edge - side * 0.16, 0.12), (edge - side * 0.27, 0.16)]]  # fmt: skip
    for twig in twigs:
        line = smooth(twig, 20)
        sheet.stroke(line, 0.022, light.lit((86, 62, 52), 1), 0.25)
        spots = np.concatenate([line + random.normal(0, 0.022, line.shape) for _ in range(3)])
        sheet.ellipses(((x, y, 0.036, 0.026) for x, y in spots), light.lit(shade(dark, 0.84), 1))
        sheet.ellipses(
            ((x + stage.towards * 0.006, y - 0.008, 0.022, 0.016) for x, y in spots[::2]),
            light.lit(mix(dark, bright, 0.8), 1),
        )
