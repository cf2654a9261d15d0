"""Things that stand in many places: sky, sun, clouds, hills, trees, houses, grass, lamps and what a prompt names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge, smooth
from vpgen.backends.animatic.light import Light, mix, shade
from vpgen.backends.text.scene import Reading

GREENS = {
    None: (92, 150, 84),
    "spring": (128, 184, 96),
    "summer": (72, 146, 80),
    "autumn": (206, 128, 56),
    "winter": (120, 132, 128),
}
LEAVES = {
    None: ((86, 150, 82), (110, 170, 92)),
    "spring": ((246, 178, 196), (252, 206, 218)),
    "summer": ((58, 132, 74), (88, 160, 86)),
    "autumn": ((214, 102, 44), (238, 160, 62)),
    "winter": ((150, 140, 134), (176, 170, 166)),
}


@dataclass
class Stage:
    """What a place is drawn with: the reading, the light, the random numbers, and the sheets so far, back to front."""

    reading: Reading
    light: Light
    random: np.random.Generator
    size: tuple[int, int]
    sheets: list[Sheet]
    sun: tuple[float, float]
    korean: bool = False

    @property
    def aspect(self) -> float:
        """Width in units of the height."""
        return self.size[0] / self.size[1]

    def sheet(self, name: str, depth: float) -> Sheet:
        """A new layer in front of the others."""
        self.sheets.append(Sheet(name, depth, self.size))
        return self.sheets[-1]

    def has(self, thing: str) -> bool:
        """Does the prompt name it?"""
        return thing in self.reading.props

    @property
    def green(self) -> Colour:
        """Grass at this season, under snow when it snows."""
        return (232, 238, 246) if self.white else GREENS.get(self.reading.season, GREENS[None])

    @property
    def white(self) -> bool:
        """Is the ground covered in snow?"""
        return self.light.snow or self.reading.place == "snowfield"


def sky(stage: Stage) -> None:
    """Gradient, stars, sun or moon with its glow, and clouds."""
    light, random = stage.light, stage.random
    back = stage.sheet("sky", float("inf"))
    back.fill(light.top, light.horizon, light.middle, 0.55)
    overcast = stage.reading.weather in {"rain", "storm", "cloudy", "snow", "fog"}
    x, y = stage.sun
    if not overcast or light.time == "night":
        if light.time == "night":
            back.glow((x, y), 0.16, (150, 170, 220), 0.35)
            back.ellipses([(x, y, 0.042, 0.042)], (244, 242, 226))
            back.ellipses(
                [
                    (x - 0.012, y - 0.008, 0.009, 0.009),
                    (x + 0.014, y + 0.01, 0.006, 0.006),
                    (x + 0.004, y - 0.018, 0.005, 0.005),
                ],
                (224, 222, 208),
            )
        else:
            warm = mix(light.light, (255, 244, 214), 0.5)
            back.glow((x, y), 0.42, warm, 0.42)
            back.glow((x, y), 0.15, warm, 0.55)
            back.ellipses([(x, y, 0.055, 0.055)], (255, 248, 226))
    if light.time == "night" and not overcast:
        stars = stage.sheet("stars", float("inf"))
        for size, count in ((0.0011, 170), (0.0019, 50), (0.0030, 12)):
            spots = random.uniform((0, 0), (stage.aspect, 0.62), (count, 2))
            stars.ellipses(((sx, sy, size, size) for sx, sy in spots), (236, 240, 255), alpha=0.9)
    clouds(stage, 9 if overcast else 4 if stage.reading.weather != "clear" else 2)


def clouds(stage: Stage, count: int) -> None:
    """Flat-bottomed heaps of ovals, or long bands when the sun is low."""
    light, random = stage.light, stage.random
    sheet = stage.sheet("clouds", 40)
    low = light.time in {"dusk", "dawn", "golden"}
    for index in range(count):
        x = (index + random.uniform(0.1, 0.9)) / count * stage.aspect
        y = random.uniform(0.08, 0.36)
        scale = random.uniform(0.6, 1.25)
        base = mix(light.horizon, (255, 255, 255), 0.55 if light.time != "night" else 0.06)
        base = mix(base, light.light, 0.3) if low else base
        if stage.reading.weather in {"rain", "storm"}:
            base = mix(light.middle, (70, 76, 90), 0.35)
        alpha = 0.75 if light.time != "night" else 0.3
        if low:
            for band in range(3):
                length = scale * random.uniform(0.16, 0.34)
                sheet.ellipses(
                    [(x + random.uniform(-0.08, 0.08), y + band * 0.017, length, 0.008 + 0.004 * random.random())],
                    base,
                    alpha=alpha,
                )
        else:
            heaps = [(x + dx * scale, y - lift * scale, r * scale, r * 0.8 * scale) for dx, lift, r in
                     ((-0.11, 0.0, 0.040), (-0.05, 0.026, 0.055), (0.02, 0.036, 0.066), (0.09, 0.014, 0.050), (0.14, 0.0, 0.034))]  # fmt: skip
            sheet.ellipses(heaps, mix(base, (255, 255, 255), 0.2), mix(base, light.middle, 0.35), alpha)
            sheet.ellipses(
                [(x + 0.015 * scale, y + 0.012 * scale, 0.165 * scale, 0.024 * scale)],
                mix(base, light.middle, 0.35),
                alpha=alpha,
            )


def hills(
    stage: Stage, base: float, height: float, colour: Colour, depth: float, rough: float = 0.4, name: str = "hills"
) -> NDArray[np.float64]:
    """A range of hills on a sheet of its own; returns its line."""
    sheet = stage.sheet(name, depth)
    line = ridge(stage.random, stage.aspect, base, height, rough)
    lit = stage.light.lit(colour, depth)
    sheet.polygon(down_to(line), mix(lit, stage.light.light, 0.08), mix(lit, stage.light.air, 0.3))
    return line


def pines(
    sheet: Sheet, stage: Stage, feet: Iterable[tuple[float, float, float]], depth: float, colour: Colour = (44, 92, 78)
) -> None:
    """Conifers at (x, y of the foot, height); snow lies on them when the ground is white."""
    light = stage.light
    trees = list(feet)
    dark, lit = light.lit(shade(colour, 0.86), depth), light.lit(shade(colour, 1.18), depth)
    sheet.rectangles(
        ((x - 0.012 * h, y - 0.12 * h, x + 0.012 * h, y) for x, y, h in trees), light.lit((92, 68, 52), depth)
    )
    side = 1 if stage.sun[0] > stage.aspect / 2 else -1
    for part, (top, bottom, wide) in enumerate(((0.42, 0.08, 0.20), (0.70, 0.32, 0.155), (1.0, 0.56, 0.11))):
        shapes = [
            [(x, y - top * h), (x - wide * h, y - bottom * h), (x + wide * h, y - bottom * h)] for x, y, h in trees
        ]
        sheet.polygons(shapes, dark)
        sheet.polygons(
            [
                [(x, y - top * h), (x + side * 0.01 * h, y - bottom * h), (x + side * wide * h, y - bottom * h)]
                for x, y, h in trees
            ],
            lit,
        )
        if stage.white:
            caps = [
                [
                    (x, y - top * h),
                    (x - wide * 0.5 * h, y - (top * 0.5 + bottom * 0.5) * h),
                    (x, y - (top * 0.6 + bottom * 0.4) * h),
                    (x + wide * 0.5 * h, y - (top * 0.5 + bottom * 0.5) * h),
                ]
                for x, y, h in trees
            ]
            sheet.polygons(caps, light.lit((240, 244, 250), depth), alpha=0.95 - 0.1 * part)


def tree(sheet: Sheet, stage: Stage, x: float, y: float, h: float, depth: float) -> None:
    """A broad tree with its foot at (x, y) and height h, in the season's colours."""
    light, random = stage.light, stage.random
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
    season = "spring" if stage.has("blossom") else stage.reading.season
    dark, bright = LEAVES.get(season, LEAVES[None])
    if stage.white:
        dark, bright = (196, 206, 220), (236, 241, 248)
    spots = [
        (x + random.uniform(-0.24, 0.24) * h, y - random.uniform(0.52, 0.86) * h, random.uniform(0.13, 0.2) * h)
        for _ in range(9)
    ]
    spots += [(x, y - 0.7 * h, 0.26 * h)]
    sheet.ellipses(((cx, cy, r, r * 0.86) for cx, cy, r in spots), light.lit(shade(dark, 0.86), depth))
    lean = 0.045 * h if stage.sun[0] > x else -0.045 * h
    sheet.ellipses(((cx + lean, cy - 0.03 * h, r * 0.74, r * 0.62) for cx, cy, r in spots), light.lit(dark, depth))
    sheet.ellipses(
        ((cx + 1.7 * lean, cy - 0.055 * h, r * 0.42, r * 0.34) for cx, cy, r in spots[:6]),
        light.lit(bright, depth),
        alpha=0.9,
    )


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
            blades.append(
                [
                    (x - 0.004, base),
                    (x + 0.004, base),
                    (x + lean * 0.5 + 0.002, base - 0.6 * h),
                    (x + lean, base - h),
                    (x + lean * 0.5 - 0.002, base - 0.6 * h),
                ]
            )
        sheet.polygons(blades, stage.light.lit(shade(colour, tone), 1))


def house(sheet: Sheet, stage: Stage, x: float, y: float, w: float, depth: float, *, korean: bool = False) -> None:
    """A house with its left foot at (x, y) and width w; its windows are lit when it is dark."""
    light, random = stage.light, stage.random
    wall = light.lit(((226, 208, 184), (204, 160, 132), (236, 226, 206), (182, 196, 200))[random.integers(4)], depth)
    roof = light.lit(
        (70, 76, 88) if korean else ((168, 84, 66), (120, 86, 76), (92, 104, 122))[random.integers(3)], depth
    )
    if stage.white:
        roof = light.lit((238, 242, 248), depth)
    tall = w * (0.42 if korean else 0.62)
    sheet.rectangles([(x, y - tall, x + w, y)], wall, shade(wall, 0.9))
    if korean:
        eaves = smooth(
            [
                (x - 0.16 * w, y - tall * 1.12),
                (x + 0.15 * w, y - tall * 0.98),
                (x + 0.5 * w, y - tall * 0.95),
                (x + 0.85 * w, y - tall * 0.98),
                (x + 1.16 * w, y - tall * 1.12),
            ],
            30,
        )
        ridge_line = np.array(
            [(x + 0.86 * w, y - tall * 1.62), (x + 0.5 * w, y - tall * 1.55), (x + 0.14 * w, y - tall * 1.62)]
        )
        sheet.polygon(np.concatenate([eaves, ridge_line]), roof, shade(roof, 0.8))
        sheet.rectangles(
            ((x + k * w - 0.015 * w, y - tall, x + k * w + 0.015 * w, y) for k in (0.04, 0.34, 0.66, 0.96)),
            light.lit((120, 84, 62), depth),
        )
    else:
        sheet.polygon(
            [(x - 0.08 * w, y - tall), (x + w / 2, y - tall - 0.42 * w), (x + 1.08 * w, y - tall)],
            roof,
            shade(roof, 0.85),
        )
        sheet.rectangles([(x + 0.70 * w, y - tall - 0.36 * w, x + 0.80 * w, y - tall - 0.10 * w)], shade(roof, 0.8))
    pane = (255, 214, 128) if light.night else light.lit((120, 156, 180), depth)
    if light.night:
        sheet.glow((x + w / 2, y - 0.5 * tall), w * 0.5, (255, 196, 110), 0.28)
    sheet.rectangles(((x + k * w, y - 0.72 * tall, x + (k + 0.17) * w, y - 0.34 * tall) for k in (0.12, 0.70)), pane)
    sheet.rectangles([(x + 0.42 * w, y - 0.6 * tall, x + 0.58 * w, y)], light.lit((116, 80, 60), depth))


def lamp(stage: Stage, sheet: Sheet, x: float, y: float, h: float) -> None:
    """A street lamp with its foot at (x, y); it shines when it is dark."""
    post = stage.light.lit((60, 64, 76), 1.2)
    sheet.stroke([(x, y), (x, y - h * 0.5), (x, y - h)], 0.012 * h * 2, post, 0.7)
    sheet.stroke([(x, y - h), (x + 0.06 * h, y - 1.03 * h), (x + 0.14 * h, y - 1.0 * h)], 0.02 * h, post, 0.8)
    if stage.light.night:
        sheet.glow((x + 0.14 * h, y - 0.98 * h), 0.22 * h, (255, 206, 130), 0.55)
    sheet.ellipses(
        [(x + 0.14 * h, y - 0.985 * h, 0.04 * h, 0.02 * h)], (255, 232, 178) if stage.light.night else shade(post, 1.5)
    )


def path(sheet: Sheet, stage: Stage, horizon: float, colour: Colour, at: float, width: float = 0.9) -> None:
    """A path that winds from the foreground to the horizon."""
    x = at * stage.aspect
    left = smooth(
        [
            (x - width * 0.55, 1.06),
            (x - width * 0.25 + 0.06, 0.84),
            (x + 0.05, horizon + 0.45 * (0.84 - horizon)),
            (x - 0.04, horizon + 0.01),
        ],
        40,
    )
    right = smooth(
        [
            (x - 0.028, horizon + 0.01),
            (x + 0.11, horizon + 0.45 * (0.84 - horizon)),
            (x + width * 0.28 + 0.06, 0.84),
            (x + width * 0.55, 1.06),
        ],
        40,
    )
    lit = stage.light.lit(colour, 1)
    sheet.polygon(np.concatenate([left, right]), mix(lit, stage.light.air, 0.4), lit)


def props(stage: Stage, horizon: float, side: int) -> None:
    """What the prompt names and any place can hold: balloon, birds, rainbow, tower, windmill, planet, rocket."""
    light, random = stage.light, stage.random
    away = stage.aspect * (0.22 if side > 0 else 0.78)
    if stage.has("rainbow"):
        sheet = stage.sheet("rainbow", 30)
        turn = np.linspace(np.pi, 0, 60)
        for index, colour in enumerate(
            ((226, 84, 84), (240, 160, 80), (246, 222, 110), (120, 196, 120), (96, 150, 220), (140, 110, 200))
        ):
            r = 0.62 - index * 0.016
            arc = np.stack(
                [stage.aspect * 0.5 + r * 1.2 * np.cos(turn), horizon + 0.02 - r * 0.8 * np.sin(turn)], axis=1
            )
            sheet.stroke([tuple(p) for p in arc], 0.014, colour, alpha=0.5)
    if stage.has("balloon"):
        sheet = stage.sheet("balloon", 14)
        for x, y, r in ((away, 0.24, 0.075), (away + 0.28, 0.36, 0.038)):
            tone = light.lit(((224, 92, 80), (240, 176, 74), (92, 150, 196))[random.integers(3)], 3)
            sheet.ellipses([(x, y, r, r * 1.12)], tone)
            sheet.ellipses([(x, y, r * 0.4, r * 1.12)], shade(tone, 1.18))
            sheet.polygon(
                [
                    (x - r * 0.45, y + r * 0.98),
                    (x + r * 0.45, y + r * 0.98),
                    (x + r * 0.16, y + r * 1.5),
                    (x - r * 0.16, y + r * 1.5),
                ],
                shade(tone, 0.85),
            )
            sheet.rectangles([(x - r * 0.17, y + r * 1.58, x + r * 0.17, y + r * 1.85)], light.lit((120, 84, 56), 3))
    if stage.has("birds"):
        sheet = stage.sheet("birds", 20)
        for x, y in random.uniform((away - 0.2, 0.12), (away + 0.35, 0.34), (9, 2)):
            wing = random.uniform(0.012, 0.022)
            sheet.stroke(
                [
                    (x - wing, y - wing * 0.5),
                    (x - wing * 0.4, y - wing * 0.55),
                    (x, y),
                    (x + wing * 0.4, y - wing * 0.55),
                    (x + wing, y - wing * 0.5),
                ],
                0.004,
                light.lit((56, 58, 70), 4),
            )
    if stage.has("tower"):
        sheet = stage.sheet("tower", 9)
        tone = light.lit((196, 200, 208), 7)
        sheet.polygon(
            [(away - 0.012, horizon), (away + 0.012, horizon), (away + 0.005, 0.16), (away - 0.005, 0.16)], tone
        )
        sheet.polygon(
            [(away - 0.03, 0.25), (away + 0.03, 0.25), (away + 0.02, 0.3), (away - 0.02, 0.3)], shade(tone, 0.9)
        )
        sheet.stroke([(away, 0.16), (away, 0.12), (away, 0.08)], 0.004, shade(tone, 0.8), 0.5)
    if stage.has("windmill"):
        # Nearer than the hills, and away from the lone tree.
        sheet = stage.sheet("windmill", 3.2)
        x, y, h = stage.aspect - away, 0.755, 0.36
        wall = light.lit((238, 230, 214), 3)
        sheet.polygon(
            [(x - 0.075, y), (x + 0.075, y), (x + 0.048, y - h), (x - 0.048, y - h)], mix(wall, light.air, 0.1), shade(wall, 0.85)
        )  # fmt: skip
        sheet.polygon([(x - 0.06, y - h), (x + 0.06, y - h), (x, y - h - 0.075)], light.lit((168, 84, 66), 3))
        sheet.rectangles([(x - 0.018, y - 0.075, x + 0.018, y)], light.lit((120, 84, 60), 3))
        hub = np.array((x, y - h + 0.005))
        for turn in np.arange(4) * np.pi / 2 + 0.5:
            along = np.array((np.cos(turn), -np.sin(turn)))
            across = np.array((np.sin(turn), np.cos(turn)))
            root, tip = hub + 0.05 * along, hub + 0.23 * along
            sail = np.stack([root, tip, tip + 0.045 * across, root + 0.045 * across])
            sheet.polygon(sail, light.lit((246, 240, 228), 3), alpha=0.92)
            sheet.stroke(np.stack([hub, (hub + tip) / 2, tip]), 0.009, light.lit((110, 82, 64), 3))
