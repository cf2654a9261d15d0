"""Places that people made, and one they went to: city, village, park, room, space."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge, smooth
from vpgen.backends.animatic.elements import LEAVES, Stage, grass, hills, house, lamp, path, sky, tree
from vpgen.backends.animatic.light import mix, shade

_NEON = ((255, 70, 150), (70, 220, 255), (255, 190, 70), (150, 110, 255), (90, 255, 170))


def city(stage: Stage) -> float:
    """A street between buildings: skyline behind, windows and signs lit after dark, wet when it rains."""
    light, random = stage.light, stage.random
    horizon = 0.60
    neon = light.night and ("neon" in stage.reading.moods)
    sky(stage)
    if light.night:
        stage.sheets[0].glow((stage.aspect / 2, horizon), 0.5, (214, 110, 170) if neon else (230, 160, 110), 0.35)
    for depth, count, low, high, colour in (
        (18, 26, 0.12, 0.34, (120, 136, 164)),
        (10, 17, 0.16, 0.44, (96, 108, 136)),
    ):
        sheet = stage.sheet("skyline", depth)
        for index in range(count):
            x, w, h = (
                index / count * stage.aspect,
                stage.aspect / count * random.uniform(0.8, 1.25),
                random.uniform(low, high),
            )
            _building(
                stage,
                sheet,
                (x, horizon - h, x + w, horizon + 0.04),
                light.lit(colour, depth * 0.7),
                depth,
                0.45 if light.night else 0.25,
            )
    walls = stage.sheet("buildings", 3)
    tones: tuple[Colour, ...] = ((150, 116, 106), (112, 122, 146), (166, 148, 124), (104, 104, 124))
    for side in (-1, 1):
        edge = 0.0 if side < 0 else stage.aspect
        for index, (near, far, top) in enumerate(((0.0, 0.26, -0.05), (0.26, 0.44, 0.10), (0.44, 0.56, 0.24))):
            x0, x1 = sorted((edge - side * near * stage.aspect * 0.72, edge - side * far * stage.aspect * 0.72))
            tone = light.lit(tones[(index + (side > 0) * 2) % 4], 1.5 + index)
            _building(
                stage,
                walls,
                (x0, top + random.uniform(-0.04, 0.04), x1, 0.80 - 0.075 * index),
                tone,
                2,
                0.6 if light.night else 0.3,
                cell=0.036 - 0.007 * index,
            )
            shop = 0.80 - 0.075 * index
            glow: Colour = (255, 214, 140) if light.night else light.lit((150, 176, 190), 2)
            walls.rectangles(
                [(x0 + 0.02, shop - 0.10 + 0.02 * index, x1 - 0.02, shop - 0.012)], glow, shade(glow, 0.72)
            )
            awning = light.lit(((206, 84, 76), (70, 130, 132), (222, 168, 82))[(index + (side > 0)) % 3], 1.5)
            walls.polygon(
                [
                    (x0 + 0.01, shop - 0.125 + 0.02 * index),
                    (x1 - 0.01, shop - 0.125 + 0.02 * index),
                    (x1, shop - 0.088 + 0.02 * index),
                    (x0, shop - 0.088 + 0.02 * index),
                ],
                awning,
            )
    if light.night:
        signs = stage.sheet("lights", 2.8)
        for index in range(9 if neon else 4):
            side = index % 2
            x = stage.aspect * (random.uniform(0.03, 0.30) if side else random.uniform(0.70, 0.97))
            y, colour = random.uniform(0.22, 0.58), _NEON[random.integers(len(_NEON))] if neon else (255, 206, 120)
            w, h = (0.03, 0.13) if random.random() < 0.6 else (0.10, 0.035)
            signs.glow((x, y), 0.11, colour, 0.5)
            signs.rectangles([(x - w / 2, y - h / 2, x + w / 2, y + h / 2)], mix(colour, (20, 16, 36), 0.72))
            for k in np.linspace(-0.36, 0.36, 4):
                tall = h > w
                at = (x, y + k * h) if tall else (x + k * w, y)
                signs.rectangles(
                    [(at[0] - 0.008, at[1] - 0.010, at[0] + 0.008, at[1] + 0.010)], mix(colour, (255, 255, 255), 0.35)
                )
    street = stage.sheet("street", 1)
    road, walk = light.lit((84, 88, 98), 1), light.lit((170, 166, 160), 1)
    middle = stage.aspect / 2
    street.rectangles([(0, horizon + 0.03, stage.aspect, 1.02)], mix(walk, light.air, 0.35), walk)
    street.polygon(
        [
            (middle - 0.05, horizon + 0.03),
            (middle + 0.05, horizon + 0.03),
            (middle + 1.15, 1.05),
            (middle - 1.15, 1.05),
        ],
        mix(road, light.air, 0.4),
        road,
    )
    for near in (0.04, 0.12, 0.24, 0.42, 0.68):
        y0, y1 = horizon + 0.03 + near * 0.39, horizon + 0.03 + min(1, near * 1.32) * 0.39
        street.polygon(
            [
                (middle - 0.004 - near * 0.02, y0),
                (middle + 0.004 + near * 0.02, y0),
                (middle + 0.006 + near * 0.03, y1),
                (middle - 0.006 - near * 0.03, y1),
            ],
            light.lit((236, 226, 196), 1),
            alpha=0.8,
        )
    if light.wet or neon:
        for _ in range(34):
            x, y = random.uniform((0.1, 0.72), (stage.aspect - 0.1, 1.0))
            gleam: Colour = (
                _NEON[random.integers(len(_NEON))]
                if neon
                else mix(light.horizon, (255, 214, 150), 0.5 if light.night else 0.1)
            )
            street.ellipses(
                [(x, y, 0.006, 0.11 * random.uniform(0.4, 1.1))], gleam, alpha=0.20 if light.night else 0.14
            )
        for _ in range(14):
            x, y = random.uniform((0.2, 0.80), (stage.aspect - 0.2, 1.0))
            street.ellipses(
                [(x, y, random.uniform(0.05, 0.16), 0.006)], mix(light.middle, light.horizon, 0.5), alpha=0.30
            )
    if stage.white:
        street.polygon([(0, 0.84), (middle * 0.45, 0.74), (0, 0.70)], light.lit((240, 244, 250), 1))
        street.polygon(
            [(stage.aspect, 0.84), (stage.aspect - middle * 0.45, 0.74), (stage.aspect, 0.70)],
            light.lit((240, 244, 250), 1),
        )
    posts = stage.sheet("lamps", 1.5)
    for x, y, h in (
        (stage.aspect * 0.27, 0.80, 0.40),
        (stage.aspect * 0.37, 0.72, 0.24),
        (stage.aspect * 0.74, 0.80, 0.40),
    ):
        lamp(stage, posts, x, y, h)
    return horizon


def village(stage: Stage) -> float:
    """Houses on a slope, smoke from the chimneys, a path; hanok roofs when named so."""
    light, random = stage.light, stage.random
    sky(stage)
    hills(stage, 0.62, 0.24, (112, 136, 134), 14)
    hills(stage, 0.66, 0.13, (98, 140, 96) if not stage.white else (216, 225, 238), 8)
    korean = stage.korean
    for depth, count, base, width in ((6, 7, 0.70, 0.10), (3.4, 5, 0.765, 0.17)):
        sheet = stage.sheet("houses", depth)
        line = ridge(random, stage.aspect, base, 0.04, 0.3)
        lit = light.lit(stage.green, depth)
        sheet.polygon(down_to(line), mix(lit, light.air, 0.15), lit)
        for index in range(count):
            x = (index + random.uniform(0.1, 0.55)) / count * stage.aspect
            y = float(np.interp(x, line[:, 0], line[:, 1])) + 0.02
            if index % 3 == 1:
                tree(sheet, stage, x - 0.04, y, width * 1.5, depth)
            house(sheet, stage, x, y, width * random.uniform(0.85, 1.15), depth * 0.6, korean=korean)
    ground = stage.sheet("ground", 1)
    lit = light.lit(stage.green, 1)
    ground.polygon(down_to(ridge(random, stage.aspect, 0.82, 0.03, 0.3)), mix(lit, light.light, 0.1), shade(lit, 0.84))
    path(ground, stage, 0.80, (214, 188, 148) if not stage.white else (220, 227, 238), 0.52)
    fence = stage.sheet("fence", 0.9)
    wood = light.lit((150, 112, 82), 1)
    for x0, x1 in ((-0.02, stage.aspect * 0.24), (stage.aspect * 0.8, stage.aspect + 0.02)):
        fence.rectangles(((x, 0.85, x + 0.014, 0.99) for x in np.arange(x0, x1, 0.06)), wood, shade(wood, 0.8))
        fence.rectangles([(x0, 0.885, x1, 0.898), (x0, 0.94, x1, 0.953)], shade(wood, 0.92))
    front = stage.sheet("leaves", 0.75)
    grass(front, stage, 1.03, 0.10, stage.green, 120, (0.4, stage.aspect - 0.4))
    return 0.66


def park(stage: Stage) -> float:
    """Round trees along a curved path, a bench, a lamp, the city far behind."""
    light, random = stage.light, stage.random
    sky(stage)
    far = stage.sheet("skyline", 16)
    for index in range(18):
        x, h = index / 18 * stage.aspect, random.uniform(0.05, 0.2)
        far.rectangles([(x, 0.62 - h, x + stage.aspect / 18 * 0.9, 0.66)], light.lit((150, 160, 178), 12))
    for depth, count, base, tall in ((7, 12, 0.67, 0.24), (3.5, 7, 0.745, 0.40)):
        sheet = stage.sheet("trees", depth)
        lit = light.lit(stage.green, depth)
        sheet.polygon(down_to(ridge(random, stage.aspect, base - 0.005, 0.015, 0.3)), mix(lit, light.air, 0.2), lit)
        for index in range(count):
            x = (index + random.uniform(0.2, 0.8)) / count * stage.aspect
            if depth > 4 or abs(x - stage.aspect / 2) > 0.25:
                tree(sheet, stage, x, base + 0.02, tall * random.uniform(0.85, 1.15), depth * 0.7)
    ground = stage.sheet("lawn", 1)
    lit = light.lit(stage.green, 1)
    ground.polygon(
        down_to(ridge(random, stage.aspect, 0.775, 0.012, 0.3)), mix(lit, light.light, 0.12), shade(lit, 0.84)
    )
    path(ground, stage, 0.77, (226, 208, 178) if not stage.white else (220, 227, 238), 0.5, 1.0)
    _bench(stage, ground, stage.aspect * 0.2, 0.87)
    lamp(stage, ground, stage.aspect * 0.82, 0.86, 0.42)
    season = "spring" if stage.has("blossom") else stage.reading.season
    if season in {"spring", "autumn"}:
        petals = random.uniform((0, 0.79), (stage.aspect, 1.0), (150, 2))
        ground.ellipses(((x, y, 0.006, 0.0035) for x, y in petals), light.lit(LEAVES[season][1], 1), alpha=0.9)
    front = stage.sheet("leaves", 0.72)
    dark, bright = LEAVES.get(season, LEAVES[None]) if not stage.white else ((200, 210, 224), (238, 242, 248))
    spots = random.normal((0.06, 0.05), (0.17, 0.07), (34, 2))
    front.stroke([(-0.05, 0.02), (0.14, 0.07), (0.36, 0.05)], 0.022, light.lit((86, 62, 52), 1), 0.25)
    front.ellipses(((x, y, 0.05, 0.035) for x, y in spots), light.lit(shade(dark, 0.9), 1))
    front.ellipses(((x, y, 0.026, 0.018) for x, y in spots[::2]), light.lit(bright, 1))
    grass(front, stage, 1.03, 0.09, stage.green, 130, (0.4, stage.aspect - 0.4))
    return 0.66


def room(stage: Stage) -> float:
    """A wall with a window onto the weather, light on the floor, books, a plant, a lamp."""
    light, random = stage.light, stage.random
    aspect, floor = stage.aspect, 0.74
    back = stage.sheet("sky", float("inf"))
    back.fill(light.top, light.horizon, light.middle, 0.5)
    outside = stage.sheet("hills", 8)
    outside.polygon(down_to(ridge(random, aspect, 0.58, 0.12, 0.4)), light.lit((112, 146, 124), 6))
    if light.time == "night":
        outside.ellipses(
            ((x, y, 0.002, 0.002) for x, y in random.uniform((0, 0), (aspect, 0.5), (120, 2))), (240, 240, 255)
        )
        outside.ellipses([(stage.sun[0], 0.2, 0.035, 0.035)], (246, 242, 224))
    inside = stage.sheet("wall", 2.4)
    lamp_lit = light.night
    warm: Colour = (255, 200, 130)
    wall_colour: Colour = ((222, 206, 186), (186, 202, 196), (214, 190, 186), (196, 194, 214))[random.integers(4)]
    wall = mix(wall_colour, warm, 0.25) if not lamp_lit else mix(shade(wall_colour, 0.62), shade(warm, 0.85), 0.42)
    x0, x1, y0, y1 = (
        (aspect * 0.56, aspect * 0.86, 0.13, 0.55)
        if stage.sun[0] > aspect / 2
        else (aspect * 0.14, aspect * 0.44, 0.13, 0.55)
    )
    inside.rectangles(
        [(0, 0, x0, floor), (x1, 0, aspect, floor), (x0, 0, x1, y0), (x0, y1, x1, floor)], wall, shade(wall, 0.93)
    )
    frame = mix((250, 246, 238), wall, 0.15) if not lamp_lit else shade((220, 206, 188), 0.66)
    middle = (x0 + x1) / 2
    inside.rectangles(
        [
            (x0 - 0.015, y0 - 0.015, x0 + 0.012, y1 + 0.015),
            (x1 - 0.012, y0 - 0.015, x1 + 0.015, y1 + 0.015),
            (x0, y0 - 0.015, x1, y0 + 0.010),
            (x0 - 0.03, y1, x1 + 0.03, y1 + 0.024),
            (middle - 0.006, y0, middle + 0.006, y1),
            (x0, 0.335, x1, 0.345),
        ],
        frame,
    )
    cloth = mix(((216, 120, 104), (108, 142, 160), (226, 178, 110))[random.integers(3)], wall, 0.2)
    cloth = shade(cloth, 0.6) if lamp_lit else cloth
    for side, x in ((-1, x0), (1, x1)):
        edge = smooth(
            [
                (x + side * 0.10, y0 - 0.06),
                (x - side * 0.035, y0 - 0.06),
                (x - side * 0.02, 0.32),
                (x + side * 0.03, y1 + 0.10),
                (x + side * 0.11, y1 + 0.10),
            ],
            40,
        )
        inside.polygon(edge, cloth, shade(cloth, 0.85))
        for k in (0.02, 0.05, 0.08):
            inside.stroke(
                [(x + side * k, y0 - 0.05), (x + side * (k + 0.005), 0.35), (x + side * (k + 0.01), y1 + 0.09)],
                0.006,
                shade(cloth, 0.84),
                alpha=0.8,
            )
    inside.rectangles([(x0 - 0.13, y0 - 0.075, x1 + 0.13, y0 - 0.062)], shade(frame, 0.7))
    planks = stage.sheet("floor", 1.0)
    wood = mix((176, 128, 92), wall, 0.1) if not lamp_lit else shade((150, 106, 78), 0.62)
    planks.rectangles([(0, floor, aspect, 1.02)], shade(wood, 0.92), wood)
    for x in np.linspace(-1.0, aspect + 1.0, 24):
        top = aspect / 2 + (x - aspect / 2) * 0.55
        planks.stroke([(top, floor), ((top + x) / 2, (floor + 1.02) / 2), (x, 1.02)], 0.002, shade(wood, 0.8), 2.0)
    planks.rectangles([(0, floor - 0.022, aspect, floor)], shade(frame, 0.94))
    if not lamp_lit and stage.reading.weather in {None, "clear"}:
        lean = 0.25 if x0 < aspect / 2 else -0.25
        planks.polygon(
            [(x0 + lean, floor + 0.03), (x1 + lean, floor + 0.03), (x1 + lean * 2.0, 0.99), (x0 + lean * 2.0, 0.99)],
            (255, 240, 200),
            alpha=0.28,
        )
    planks.ellipses(
        [(aspect / 2, 0.90, 0.52, 0.075)], mix((168, 96, 92), wood, 0.25) if not lamp_lit else (104, 62, 64)
    )
    planks.ellipses(
        [(aspect / 2, 0.90, 0.44, 0.058)], mix((206, 150, 126), wood, 0.25) if not lamp_lit else (126, 84, 76)
    )
    things = stage.sheet("furniture", 1.6)
    shelf = aspect * 0.10 if x0 > aspect / 2 else aspect * 0.62
    _shelves(stage, things, shelf, floor + 0.02, 0.46 if stage.has("bookshelf") else 0.36, lamp_lit=lamp_lit)
    lamp_x = aspect * 0.45 if x0 > aspect / 2 else aspect * 0.53
    things.stroke([(lamp_x, floor + 0.03), (lamp_x, 0.55), (lamp_x, 0.36)], 0.009, (74, 66, 66))
    if lamp_lit:
        inside.glow((lamp_x, 0.36), 0.95, warm, 0.45)
        things.glow((lamp_x, 0.34), 0.30, warm, 0.6)
    things.polygon(
        [(lamp_x - 0.035, 0.30), (lamp_x + 0.035, 0.30), (lamp_x + 0.06, 0.385), (lamp_x - 0.06, 0.385)],
        (255, 226, 170) if lamp_lit else (236, 222, 198),
    )
    front = stage.sheet("leaves", 0.75)
    plant_x = aspect - 0.16 if x0 > aspect / 2 else 0.16
    tone = shade((70, 128, 84), 0.55 if lamp_lit else 1)
    for turn in np.linspace(0.25, np.pi - 0.25, 9):
        length = random.uniform(0.24, 0.36)
        tip = (plant_x + length * np.cos(turn) * 0.8, 0.86 - length * np.sin(turn))
        leaf = smooth([(plant_x, 0.90), ((plant_x + tip[0]) / 2 + 0.01, (0.88 + tip[1]) / 2 - 0.03), tip], 20)
        bulge = 0.035 * np.sin(np.linspace(0, np.pi, 20))[:, None] * (np.sin(turn), np.cos(turn))
        front.polygon(np.concatenate([leaf + bulge, (leaf - bulge)[::-1]]), shade(tone, random.uniform(0.8, 1.2)))
    front.polygon(
        [(plant_x - 0.085, 0.88), (plant_x + 0.085, 0.88), (plant_x + 0.06, 1.03), (plant_x - 0.06, 1.03)],
        shade((206, 122, 92), 0.6 if lamp_lit else 1),
    )
    return 0.5


def space(stage: Stage) -> float:
    """A moon's ground with craters, a ringed planet, nebulae, and a rocket when named."""
    random, aspect = stage.random, stage.aspect
    back = stage.sheet("sky", float("inf"))
    back.fill((8, 8, 28), (40, 24, 70), (18, 16, 50), 0.6)
    for colour in ((120, 60, 160), (50, 90, 180), (200, 80, 130)):
        for _ in range(5):
            x, y = random.uniform((0, 0), (aspect, 0.7))
            back.glow((x, y), random.uniform(0.12, 0.3), colour, 0.16)
    stars = stage.sheet("stars", float("inf"))
    for size, count in ((0.0012, 260), (0.0022, 80), (0.0036, 16)):
        stars.ellipses(
            ((x, y, size, size) for x, y in random.uniform((0, 0), (aspect, 0.8), (count, 2))), (246, 246, 255)
        )
    planet = stage.sheet("planet", 30)
    x, y, r = (aspect * 0.74, 0.28, 0.17) if stage.sun[0] > aspect / 2 else (aspect * 0.26, 0.28, 0.17)
    tone: Colour = ((226, 150, 98), (110, 150, 214), (206, 120, 150), (120, 190, 180))[random.integers(4)]
    planet.glow((x, y), r * 1.5, tone, 0.35)
    turn = np.linspace(0, 2 * np.pi, 120)
    tilt = np.array([[np.cos(-0.3), -np.sin(-0.3)], [np.sin(-0.3), np.cos(-0.3)]])
    ring = np.stack([r * 1.9 * np.cos(turn), r * 0.42 * np.sin(turn)], 1)
    hollow = np.stack([r * 1.45 * np.cos(turn), r * 0.30 * np.sin(turn)], 1)
    back_half = np.concatenate([ring[60:], hollow[60:][::-1]]) @ tilt.T + (x, y)
    front_half = np.concatenate([ring[:61], hollow[:61][::-1]]) @ tilt.T + (x, y)
    planet.polygon(back_half, mix(tone, (255, 255, 255), 0.35), alpha=0.75)
    planet.ellipses([(x, y, r, r)], mix(tone, (255, 255, 255), 0.18), shade(tone, 0.72))
    disc = np.stack([np.cos(turn), np.sin(turn)], 1) * r
    for k, shadeby in ((-0.5, 1.12), (-0.1, 0.86), (0.35, 1.08)):
        band = disc[(disc[:, 1] > (k - 0.1) * r) & (disc[:, 1] < (k + 0.1) * r)]
        left, right = band[band[:, 0] < 0], band[band[:, 0] >= 0]
        hull = np.concatenate([left[np.argsort(left[:, 1])], right[np.argsort(-right[:, 1])]])
        planet.polygon(hull + (x, y), shade(tone, shadeby), alpha=0.55)
    night_side = np.concatenate(
        [
            disc[(turn > np.pi / 2) & (turn < 3 * np.pi / 2)],
            (disc[(turn > np.pi / 2) & (turn < 3 * np.pi / 2)] * (0.45, 1))[::-1],
        ]
    )
    planet.polygon(night_side + (x, y), (12, 10, 34), alpha=0.42)
    planet.polygon(front_half, mix(tone, (255, 255, 255), 0.45), alpha=0.9)
    for depth, base, height, colour in ((9, 0.72, 0.14, (92, 88, 116)), (4, 0.77, 0.08, (122, 116, 142))):
        far = stage.sheet("hills", depth)
        far.polygon(down_to(ridge(random, aspect, base, height, 0.5)), colour, shade(colour, 0.75))
    ground = stage.sheet("ground", 1)
    dust: Colour = (166, 158, 178)
    ground.polygon(down_to(ridge(random, aspect, 0.80, 0.03, 0.35)), dust, shade(dust, 0.62))
    for cx, cy in sorted(random.uniform((0.02, 0.83), (aspect, 0.99), (15, 2)).tolist(), key=lambda p: float(p[1])):
        size = (0.02 + 0.34 * (cy - 0.8)) * random.uniform(0.5, 1.1)
        ground.ellipses([(cx, cy, size, size * 0.26)], shade(dust, 1.12))
        ground.ellipses([(cx + size * 0.06, cy + size * 0.03, size * 0.86, size * 0.2)], shade(dust, 0.56))
    if stage.has("rocket"):
        rocket = stage.sheet("rocket", 3)
        px, py, h = aspect * (0.2 if x > aspect / 2 else 0.8), 0.80, 0.46
        body = smooth([(px - 0.05, py - 0.06), (px - 0.062, py - 0.22), (px - 0.04, py - 0.36), (px, py - h)], 30)
        mirror = np.stack([2 * px - body[:, 0], body[:, 1]], 1)[::-1]
        rocket.polygon(np.concatenate([body, mirror]), (238, 240, 246), (176, 180, 200))
        rocket.polygon([(px - 0.035, py - 0.375), (px + 0.035, py - 0.375), (px, py - h)], (224, 84, 78))
        rocket.ellipses([(px, py - 0.28, 0.026, 0.026)], (70, 90, 130))
        rocket.ellipses([(px, py - 0.28, 0.018, 0.018)], (140, 200, 230))
        for side in (-1, 1):
            rocket.polygon(
                [(px + side * 0.045, py - 0.16), (px + side * 0.105, py), (px + side * 0.045, py - 0.05)],
                (224, 84, 78),
                (160, 56, 62),
            )
    return 0.74


def _building(
    stage: Stage,
    sheet: Sheet,
    box: tuple[float, float, float, float],
    tone: Colour,
    depth: float,
    lit_share: float,
    cell: float = 0.016,
) -> None:
    """A box with rows of windows; a share of them lit."""
    x0, y0, x1, y1 = box
    sheet.rectangles([box], tone, mix(tone, stage.light.air, 0.2))
    columns, rows = max(1, int((x1 - x0) / (cell * 1.9))), max(1, int((y1 - y0) / (cell * 2.1)))
    panes = [
        (x0 + (c + 0.5) * (x1 - x0) / columns, y0 + (r + 0.55) * (y1 - y0) / rows)
        for c in range(columns)
        for r in range(rows)
    ]
    on = stage.random.random(len(panes)) < lit_share
    half = cell * 0.42
    dark = shade(tone, 0.74 if not stage.light.night else 0.66)
    bright: Colour = (
        mix((255, 214, 134), stage.light.air, min(0.5, depth * 0.02))
        if stage.light.night
        else mix(shade(tone, 1.2), stage.light.horizon, 0.5)
    )
    for chosen, colour in ((on, bright), (~on, dark)):
        sheet.rectangles(
            (
                (x - half, y - half * 1.15, x + half, y + half * 1.15)
                for (x, y), use in zip(panes, chosen, strict=True)
                if use
            ),
            colour,
            alpha=0.9,
        )


def _bench(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    wood, iron = stage.light.lit((168, 112, 72), 1), stage.light.lit((60, 60, 70), 1)
    sheet.rectangles([(x - 0.13, y - 0.035, x - 0.118, y + 0.03), (x + 0.118, y - 0.035, x + 0.13, y + 0.03)], iron)
    sheet.rectangles(
        [
            (x - 0.15, y - 0.04, x + 0.15, y - 0.022),
            (x - 0.15, y - 0.075, x + 0.15, y - 0.060),
            (x - 0.15, y - 0.100, x + 0.15, y - 0.085),
        ],
        wood,
        shade(wood, 0.86),
    )


def _shelves(stage: Stage, sheet: Sheet, x: float, y: float, w: float, *, lamp_lit: bool) -> None:
    """A bookcase with its left foot at (x, y)."""
    dim = 0.6 if lamp_lit else 1.0
    wood = shade((140, 98, 70), dim)
    sheet.rectangles([(x, y - 0.52, x + w, y)], shade(wood, 0.62))
    for level in range(5):
        top = y - 0.52 + level * 0.1275
        sheet.rectangles([(x - 0.008, top, x + w + 0.008, top + 0.014)], wood)
        if level == 4:
            continue
        at = x + 0.012
        while at < x + w - 0.03:
            thick, tall = stage.random.uniform(0.010, 0.024), stage.random.uniform(0.066, 0.100)
            colour = shade(
                ((206, 92, 80), (86, 132, 148), (226, 178, 96), (120, 142, 96), (222, 208, 186), (128, 96, 132))[
                    stage.random.integers(6)
                ],
                dim,
            )
            if stage.random.random() < 0.9:
                sheet.rectangles([(at, top + 0.1275 - tall, at + thick, top + 0.1275)], colour, shade(colour, 0.88))
            at += thick + 0.002
    sheet.rectangles(
        [(x - 0.010, y - 0.53, x + 0.006, y), (x + w - 0.006, y - 0.53, x + w + 0.010, y)], wood, shade(wood, 0.85)
    )
