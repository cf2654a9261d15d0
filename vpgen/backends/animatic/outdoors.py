"""Places under the open sky that nature made: sea, mountain, forest, desert, field, river, snowfield."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge, smooth
from vpgen.backends.animatic.elements import GREENS, LEAVES, Stage, grass, hills, path, pines, sky, tree
from vpgen.backends.animatic.light import mix, shade

CROPS: dict[str, tuple[Colour, Colour, Colour, Colour]] = {
    "wheat": ((226, 184, 92), (206, 158, 70), (244, 206, 112), (0, 0, 0)),
    "lavender": ((134, 122, 150), (110, 140, 100), (152, 108, 206), (0, 0, 0)),
    "sunflower": ((128, 158, 72), (92, 138, 66), (250, 200, 56), (108, 66, 38)),
}
"""What grows in rows: the field's colour from afar, stem, head, and the middle of a blossom."""


def sea(stage: Stage) -> float:
    """Beach at the water's edge; lighthouse, boats and palms when named."""
    horizon, light, random = 0.52, stage.light, stage.random
    sky(stage)
    far = stage.sheet("headland", 16)
    side = -1 if stage.sun[0] > stage.aspect / 2 else 1
    x0 = 0.0 if side < 0 else stage.aspect
    land = smooth(
        [(x0, 0.43), (x0 - side * 0.22, 0.455), (x0 - side * 0.42, 0.495), (x0 - side * 0.62, horizon + 0.004)], 40
    )
    far.polygon(np.concatenate([land, [[x0, horizon + 0.004]]]), light.lit((96, 118, 122), 10))
    if stage.has("lighthouse"):
        _lighthouse(stage, far, x0 - side * 0.34, 0.478)
    water = stage.sheet("sea", 6)
    deep = light.lit((38, 112, 158), 1.5)
    water.rectangles([(0, horizon, stage.aspect, 0.9)], mix(light.lit((110, 178, 200), 9), light.horizon, 0.45), deep)
    for _ in range(90):
        y = horizon + 0.36 * random.uniform(0.02, 1) ** 1.6
        near = (y - horizon) / 0.36
        x, length = random.uniform(0, stage.aspect), (0.02 + 0.10 * near) * random.uniform(0.5, 1.3)
        water.ellipses([(x, y, length, 0.0012 + 0.004 * near)], mix(deep, light.light, 0.42), alpha=0.35)
    if stage.reading.weather not in {"rain", "storm", "cloudy", "fog", "snow"}:
        for _ in range(70):
            y = horizon + 0.34 * random.uniform(0.0, 1) ** 1.3
            near = (y - horizon) / 0.34
            x = stage.sun[0] + random.normal(0, 0.02 + 0.10 * near)
            water.ellipses(
                [(x, y, (0.012 + 0.05 * near) * random.uniform(0.4, 1.2), 0.0018 + 0.0035 * near)],
                mix(light.light, (255, 250, 226), 0.4),
                alpha=0.65,
            )
    if stage.has("boat"):
        _boat(stage, stage.aspect * (0.3 if side > 0 else 0.7), horizon + 0.035, 0.13)
    beach = stage.sheet("beach", 1)
    shore = smooth(
        [
            (-0.05, 0.80),
            (stage.aspect * 0.25, 0.765),
            (stage.aspect * 0.55, 0.80),
            (stage.aspect * 0.8, 0.772),
            (stage.aspect + 0.05, 0.80),
        ],
        80,
    )
    sand = light.lit((236, 208, 166), 1)
    beach.polygon(
        down_to(shore - (0, 0.012)),
        (246, 248, 250) if light.time == "day" else mix(light.lit((240, 246, 250), 1), light.light, 0.2),
        alpha=0.85,
    )
    beach.polygon(down_to(shore + (0, 0.004)), mix(sand, deep, 0.42), mix(sand, deep, 0.2))
    beach.polygon(down_to(shore + (0, 0.035)), sand, shade(sand, 0.86))
    spots = random.uniform((0, 0.86), (stage.aspect, 1.0), (60, 2))
    beach.ellipses(((x, y, 0.006, 0.0022) for x, y in spots), shade(sand, 0.84), alpha=0.7)
    front = stage.sheet("leaves", 0.75)
    if stage.has("palm") or stage.reading.season == "summer":
        _palm(stage, front, 0.10 if side > 0 else stage.aspect - 0.10, side)
    grass(front, stage, 1.03, 0.13, (120, 140, 84), 110, (0.32, stage.aspect - 0.32))
    return horizon


def mountain(stage: Stage) -> float:
    """Ridges behind ridges, snow on the peaks, conifers, a meadow with a path."""
    light = stage.light
    sky(stage)
    for base, height, colour, depth in ((0.62, 0.44, (126, 138, 160), 16), (0.66, 0.30, (98, 116, 134), 9)):
        sheet = stage.sheet("mountains", depth)
        line = ridge(stage.random, stage.aspect, base, height, 0.52)
        lit = light.lit(colour, depth * 0.7)
        sheet.polygon(down_to(line), lit, mix(lit, light.air, 0.45))
        _snow_caps(stage, sheet, line, base, height, depth)
    hills(stage, 0.72, 0.12, (78, 112, 92) if not stage.white else (206, 216, 230), 5)
    woods = stage.sheet("woods", 3)
    feet = sorted(
        ((x, 0.735 + 0.03 * y, h) for x, y, h in stage.random.uniform((0, 0, 0.09), (stage.aspect, 1, 0.19), (46, 3))),
        key=lambda t: t[1],
    )
    pines(woods, stage, feet, 3)
    ground = stage.sheet("meadow", 1)
    line = ridge(stage.random, stage.aspect, 0.78, 0.05, 0.3)
    lit = light.lit(stage.green, 1)
    ground.polygon(down_to(line), mix(lit, light.air, 0.3), shade(lit, 0.86))
    path(ground, stage, 0.78, (206, 184, 148) if not stage.white else (214, 222, 234), 0.5)
    _flowers(stage, ground)
    front = stage.sheet("leaves", 0.75)
    pines(front, stage, [(0.04, 1.05, 0.62), (stage.aspect - 0.05, 1.04, 0.72)], 1)
    grass(front, stage, 1.03, 0.10, stage.green, 120, (0.4, stage.aspect - 0.4))
    return 0.66


def forest(stage: Stage) -> float:
    """Trunks fading into the light between them, a canopy above, a path through."""
    light, random = stage.light, stage.random
    back = stage.sheet("sky", float("inf"))
    glade = mix(light.lit((212, 232, 178), 2), light.horizon, 0.5)
    back.fill(mix(glade, light.lit((70, 120, 84), 1), 0.55), glade, mix(glade, light.horizon, 0.4), 0.5)
    if not light.night:
        back.glow((stage.sun[0], 0.34), 0.4, mix(light.light, (255, 250, 220), 0.5), 0.55)
    season = "spring" if stage.has("blossom") else stage.reading.season
    dark, bright = LEAVES.get(season, LEAVES[None])
    if stage.white:
        dark, bright = (188, 200, 216), (232, 238, 246)
    for depth, count, width, foot in ((7, 17, 0.022, 0.70), (4, 11, 0.040, 0.77), (2.2, 7, 0.066, 0.84)):
        sheet = stage.sheet("trees", depth)
        floor = ridge(random, stage.aspect, foot, 0.03, 0.3)
        lit = light.lit(GREENS.get(season, GREENS[None]) if not stage.white else (226, 233, 242), depth * 1.5)
        sheet.polygon(down_to(floor), mix(lit, glade, 0.35), lit)
        for index in range(count):
            x = (index + random.uniform(0.15, 0.85)) / count * stage.aspect
            w = width * random.uniform(0.7, 1.25)
            bark = mix(light.lit((88, 66, 54), 1), glade, min(0.75, depth * 0.1))
            sheet.polygon(
                [
                    (x - w * 0.75, foot + 0.02),
                    (x + w * 0.75, foot + 0.02),
                    (x + w * 0.36, -0.02),
                    (x - w * 0.36, -0.02),
                ],
                bark,
                mix(bark, glade, 0.15),
            )
            sunny = w * 0.5 if stage.sun[0] > x else -w * 0.5
            sheet.polygon(
                [
                    (x + sunny * 0.5, foot + 0.02),
                    (x + sunny * 1.4, foot + 0.02),
                    (x + sunny * 0.7, -0.02),
                    (x + sunny * 0.25, -0.02),
                ],
                mix(bark, light.light, 0.28),
            )
        tone = mix(light.lit(dark, 1), glade, min(0.6, depth * 0.09))
        tops = random.uniform((-0.05, -0.08), (stage.aspect + 0.05, 0.16 + 0.02 * depth), (34, 2))
        sheet.ellipses(((x, y, 0.09, 0.06) for x, y in tops), tone)
        sheet.ellipses(((x, y - 0.012, 0.05, 0.03) for x, y in tops[::2]), mix(tone, light.lit(bright, 1), 0.55))
    ground = stage.sheet("ground", 1)
    lit = light.lit(GREENS.get(season, GREENS[None]) if not stage.white else (236, 241, 248), 1)
    ground.polygon(down_to(ridge(random, stage.aspect, 0.86, 0.03, 0.3)), shade(lit, 1.02), shade(lit, 0.72))
    path(ground, stage, 0.78, (196, 164, 124) if not stage.white else (222, 228, 238), 0.5, 0.75)
    litter = random.uniform((0, 0.87), (stage.aspect, 1.0), (120, 2))
    ground.ellipses(((x, y, 0.007, 0.003) for x, y in litter), light.lit(bright, 1), alpha=0.85)
    if not light.night and stage.reading.weather is None:
        _shafts(stage)
    front = stage.sheet("leaves", 0.72)
    for x in (-0.02, stage.aspect + 0.02):
        spots = random.normal((x, 0.06), (0.14, 0.09), (26, 2))
        front.ellipses(((cx, cy, 0.07, 0.05) for cx, cy in spots), light.lit(shade(dark, 0.62), 1))
        front.ellipses(((cx, cy, 0.035, 0.022) for cx, cy in spots[::3]), light.lit(shade(dark, 0.85), 1))
    grass(front, stage, 1.03, 0.11, shade(stage.green, 0.8), 110, (0.45, stage.aspect - 0.45))
    return 0.7


def desert(stage: Stage) -> float:
    """Dunes with a lit and a shaded side, a table mountain, cacti."""
    light, random = stage.light, stage.random
    sky(stage)
    far = stage.sheet("mesa", 18)
    tone = light.lit((196, 128, 92), 9)
    for x, w, h in (
        (stage.aspect * 0.2, 0.34, 0.14),
        (stage.aspect * 0.72, 0.22, 0.10),
        (stage.aspect * 0.86, 0.12, 0.17),
    ):
        far.polygon(
            [(x - w / 2, 0.60), (x - w * 0.36, 0.60 - h), (x + w * 0.34, 0.60 - h * 0.98), (x + w / 2, 0.60)],
            tone,
            mix(tone, light.air, 0.4),
        )
    side = 1 if stage.sun[0] > stage.aspect / 2 else -1
    for base, height, depth in ((0.68, 0.12, 8), (0.78, 0.15, 4), (0.90, 0.14, 2)):
        sheet = stage.sheet("dunes", depth)
        crest = stage.aspect * random.uniform(0.3, 0.7)
        line = smooth(
            [
                (-0.1, base - height * random.uniform(0.1, 0.5)),
                (crest * 0.5, base - height * 0.35),
                (crest, base - height),
                (crest + (stage.aspect - crest) * 0.5, base - height * 0.3),
                (stage.aspect + 0.1, base - height * random.uniform(0.1, 0.5)),
            ],
            120,
        )
        sunny, dim = light.lit((240, 192, 126), depth), light.lit((196, 136, 92), depth)
        sheet.polygon(down_to(line), sunny if side > 0 else dim, shade(sunny, 0.9))
        edge = smooth(
            [
                (crest, base - height),
                (crest - 0.05 * side, base - height * 0.5),
                (crest - 0.02 * side, base + 0.02),
                (crest - 0.16 * side, base + 0.3),
            ],
            40,
        )
        part = line[line[:, 0] <= crest] if side > 0 else line[line[:, 0] >= crest][::-1]
        sheet.polygon(
            np.concatenate([part, edge, [[-0.1 if side > 0 else stage.aspect + 0.1, 1.1]]]), dim, mix(dim, sunny, 0.45)
        )
    ground = stage.sheet("sand", 1)
    line = ridge(random, stage.aspect, 0.86, 0.025, 0.3)
    sand = light.lit((238, 196, 136), 1)
    ground.polygon(down_to(line), sand, shade(sand, 0.84))
    across = np.linspace(0, stage.aspect, 60)
    for down in np.linspace(0.88, 0.99, 6):
        ground.stroke(
            list(zip(across, down + 0.006 * np.sin(across * 9 + down * 60), strict=True)),
            0.003,
            shade(sand, 0.86),
            alpha=0.7,
        )
    if stage.has("cactus") or random.random() < 0.8:
        front = stage.sheet("cactus", 1.3)
        for x, h in ((stage.aspect * 0.12, 0.34), (stage.aspect * 0.91, 0.22)):
            _cactus(stage, front, x, 0.9, h)
    return 0.6


def field(stage: Stage) -> float:
    """Rolling hills with rows and flowers, a lone tree."""
    light = stage.light
    sky(stage)
    hills(stage, 0.62, 0.10, (130, 158, 150), 14)
    hills(stage, 0.66, 0.09, (116, 164, 104) if not stage.white else (214, 224, 236), 8)
    crop = next((name for name in CROPS if stage.has(name) and not stage.white), None)
    tone = CROPS[crop][0] if crop else stage.green
    middle = stage.sheet("meadow", 4)
    line = ridge(stage.random, stage.aspect, 0.72, 0.06, 0.3)
    lit = light.lit(tone, 3)
    middle.polygon(down_to(line), mix(lit, light.light, 0.15), lit)
    at = stage.aspect * (0.22 if stage.sun[0] > stage.aspect / 2 else 0.78)
    tree(middle, stage, at, float(np.interp(at, line[:, 0], line[:, 1])) + 0.012, 0.34, 3)
    ground = stage.sheet("field", 1)
    near = light.lit(tone, 1)
    base = ridge(stage.random, stage.aspect, 0.77, 0.025, 0.3)
    ground.polygon(down_to(base), mix(near, light.light, 0.12), shade(near, 0.84))
    for x in np.linspace(-1.2, stage.aspect + 1.2, 22):
        top = stage.aspect / 2 + (x - stage.aspect / 2) * 0.22
        ground.polygon(
            [(top - 0.002, 0.775), (top + 0.002, 0.775), (x + 0.03, 1.05), (x - 0.03, 1.05)],
            shade(near, 0.92),
            alpha=0.55,
        )
    path(ground, stage, 0.765, (222, 198, 150) if not stage.white else (216, 224, 236), 0.5, 0.7)
    front = stage.sheet("leaves", 0.75)
    if crop:
        _crop(stage, ground, front, crop)
    else:
        _flowers(stage, ground, 170)
        grass(front, stage, 1.03, 0.16, stage.green, 190, (0.42, stage.aspect - 0.42))
    return 0.64


def _crop(stage: Stage, ground: Sheet, front: Sheet, crop: str) -> None:
    """Stems with ears or blossoms to both sides of the path, larger towards the viewer."""
    _, stem, head, eye = CROPS[crop]
    for sheet, low, count in ((ground, 0.79, 420), (front, 1.0, 90)):
        spots = stage.random.uniform((-0.05, low), (stage.aspect + 0.05, 1.05), (count, 2))
        spots = spots[np.abs(spots[:, 0] - stage.aspect / 2) > (0.16 + (spots[:, 1] - 0.78) * 0.9 if low < 1 else 0.5)]
        for x, y in sorted(spots.tolist(), key=lambda spot: float(spot[1])):
            size = 0.05 + 0.42 * (y - 0.78)
            lean = stage.random.uniform(-0.08, 0.08) * size
            top, tint = y - size, stage.random.uniform(0.86, 1.1)
            sheet.stroke([(x, y), (x + lean * 0.3, y - size / 2), (x + lean, top)], 0.025 * size, stage.light.lit(shade(stem, tint), 1))  # fmt: skip
            colour = stage.light.lit(shade(head, tint), 1)
            if crop == "sunflower":
                sheet.ellipses([(x + lean, top, 0.20 * size, 0.18 * size)], colour)
                sheet.ellipses([(x + lean, top, 0.09 * size, 0.08 * size)], stage.light.lit(eye, 1))
            else:
                sheet.ellipses([(x + lean, top + 0.05 * size, 0.045 * size, 0.20 * size)], colour)


def river(stage: Stage) -> float:
    """Still water that mirrors the hills; reeds; a bridge when named."""
    light, random = stage.light, stage.random
    horizon = 0.56
    sky(stage)
    line = hills(stage, 0.57, 0.20, (106, 136, 142), 12)
    woods = stage.sheet("woods", 7)
    feet = [(x, 0.572, h) for x, h in random.uniform((0, 0.06), (stage.aspect, 0.14), (52, 2))]
    pines(woods, stage, feet, 6, (62, 108, 84))
    woods.rectangles([(0, 0.565, stage.aspect, 0.585)], light.lit(shade(stage.green, 0.8), 6))
    water = stage.sheet("water", 4)
    deep = light.lit((58, 122, 150), 1.5)
    water.rectangles([(0, 0.58, stage.aspect, 0.93)], mix(light.horizon, deep, 0.25), mix(light.top, deep, 0.5))
    mirrored = np.stack([line[:, 0], 1.16 - line[:, 1]], axis=1)
    water.polygon(
        np.concatenate([mirrored, [[stage.aspect + 0.1, 0.58], [-0.1, 0.58]]]), light.lit((92, 124, 132), 6), alpha=0.55
    )
    water.polygons(
        ([(x - 0.16 * h, 0.585), (x + 0.16 * h, 0.585), (x, 0.585 + h * 0.9)] for x, _, h in feet),
        light.lit((60, 98, 88), 4),
        alpha=0.4,
    )
    for _ in range(60):
        y = 0.6 + 0.3 * random.uniform(0, 1) ** 1.3
        water.ellipses(
            [(random.uniform(0, stage.aspect), y, random.uniform(0.03, 0.12), 0.0016)],
            mix(light.light, light.horizon, 0.4),
            alpha=0.32,
        )
    if stage.reading.weather is None or stage.reading.weather == "clear":
        for _ in range(40):
            y = 0.6 + 0.3 * random.uniform(0, 1)
            water.ellipses(
                [(stage.sun[0] + random.normal(0, 0.02 + 0.12 * (y - 0.6)), y, random.uniform(0.01, 0.04), 0.002)],
                mix(light.light, (255, 250, 226), 0.5),
                alpha=0.6,
            )
    if stage.has("bridge"):
        _bridge(stage)
    if stage.has("boat"):
        _boat(stage, stage.aspect * 0.28, 0.68, 0.16)
    bank = stage.sheet("bank", 1)
    lit = light.lit(stage.green, 1)
    edge = smooth(
        [(-0.05, 0.80), (stage.aspect * 0.3, 0.845), (stage.aspect * 0.6, 0.835), (stage.aspect + 0.05, 0.79)], 60
    )
    bank.polygon(down_to(edge), mix(lit, light.light, 0.1), shade(lit, 0.82))
    path(bank, stage, 0.84, (208, 184, 146) if not stage.white else (222, 228, 238), 0.5, 0.8)
    front = stage.sheet("leaves", 0.75)
    for x0 in (0.0, stage.aspect - 0.36):
        for x, h in random.uniform((x0, 0.22), (x0 + 0.36, 0.42), (16, 2)):
            front.stroke(
                [(x, 1.02), (x + 0.004, 1.02 - 0.5 * h), (x + 0.016, 1.02 - h)],
                0.006,
                light.lit((112, 132, 72), 1),
                0.4,
            )
            front.ellipses([(x + 0.017, 1.02 - h, 0.007, 0.03)], light.lit((136, 92, 58), 1))
    grass(front, stage, 1.03, 0.12, stage.green, 120, (0.4, stage.aspect - 0.4))
    return horizon


def snowfield(stage: Stage) -> float:
    """White hills with blue shadows, conifers under snow, northern lights at night."""
    light = stage.light
    sky(stage)
    if light.time == "night":
        aurora = stage.sheet("lights", float("inf"))
        for index, colour in enumerate(((70, 220, 160), (90, 160, 230), (160, 110, 220))):
            x = np.linspace(-0.05, stage.aspect + 0.05, 70)
            y = 0.20 + 0.06 * index + 0.05 * np.sin(x * 3.1 + index * 1.3) + 0.02 * np.sin(x * 8 + index)
            for reach, alpha in ((0.16, 0.10), (0.11, 0.12), (0.06, 0.14)):
                band = np.concatenate([np.stack([x, y], 1), np.stack([x, y - reach], 1)[::-1]])
                aurora.polygon(band, colour, colour, alpha)
    for base, height, depth in ((0.64, 0.26, 14), (0.70, 0.14, 8)):
        sheet = stage.sheet("hills", depth)
        line = ridge(stage.random, stage.aspect, base, height, 0.46)
        lit = light.lit((214, 226, 242), depth * 0.6)
        sheet.polygon(
            down_to(line), mix(lit, (255, 255, 255), 0.2 if not light.night else 0.02), mix(lit, light.air, 0.2)
        )
    woods = stage.sheet("woods", 4)
    feet = sorted(
        ((x, 0.735 + 0.04 * y, h) for x, y, h in stage.random.uniform((0, 0, 0.1), (stage.aspect, 1, 0.22), (26, 3))),
        key=lambda t: t[1],
    )
    pines(woods, stage, feet, 3, (56, 92, 92))
    ground = stage.sheet("snow", 1)
    white = light.lit((240, 245, 252), 1)
    ground.polygon(down_to(ridge(stage.random, stage.aspect, 0.79, 0.05, 0.3)), white, shade(white, 0.88))
    for _ in range(7):
        x, y = stage.random.uniform((0, 0.83), (stage.aspect, 0.98))
        ground.ellipses([(x, y, 0.22, 0.012)], light.lit((196, 212, 236), 1), alpha=0.6)
    front = stage.sheet("leaves", 0.75)
    pines(front, stage, [(0.06, 1.06, 0.7), (stage.aspect - 0.06, 1.05, 0.58)], 1, (48, 80, 82))
    return 0.66


def _snow_caps(stage: Stage, sheet: Sheet, line: np.ndarray, base: float, height: float, depth: float) -> None:
    """The line's highest parts in white, with a ragged lower edge."""
    x, y = line[:, 0], line[:, 1]
    limit = base - height * (0.58 if not stage.white else 0.2)
    ragged = limit + 0.03 * np.sin(x * 37) + 0.02 * np.sin(x * 71 + 1)
    high = y < ragged
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(int), [0]])))
    snow = stage.light.lit((244, 247, 252), depth * 0.6)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > 2:
            top = line[start:end]
            low = np.stack([x[start:end], ragged[start:end]], axis=1)[::-1]
            sheet.polygon(np.concatenate([top, low]), snow, mix(snow, stage.light.air, 0.25), 0.95)


def _flowers(stage: Stage, ground: Sheet, count: int = 90) -> None:
    if stage.white or stage.reading.season in {"winter", "autumn"}:
        return
    for colour in ((250, 240, 240), (250, 214, 92), (232, 120, 136)):
        spots = stage.random.uniform((0, 0.80), (stage.aspect, 1.0), (count // 3, 2))
        spots = spots[np.abs(spots[:, 0] - stage.aspect / 2) > 0.16 + (spots[:, 1] - 0.8)]
        ground.ellipses(
            ((x, y, 0.004 + 0.016 * (y - 0.78), 0.003 + 0.012 * (y - 0.78)) for x, y in spots),
            stage.light.lit(colour, 1),
        )


def _shafts(stage: Stage) -> None:
    beams = stage.sheet("beams", 1.6)
    for x in stage.random.uniform(0.1, stage.aspect - 0.1, 5):
        lean = (x - stage.sun[0]) * 0.5
        beams.polygon(
            [(x - 0.02, -0.02), (x + 0.04, -0.02), (x + lean + 0.16, 0.9), (x + lean - 0.02, 0.9)],
            (255, 248, 210),
            alpha=0.10,
        )


def _lighthouse(stage: Stage, sheet: Sheet, x: float, y: float) -> None:
    light = stage.light
    for index in range(5):
        top, bottom = y - 0.042 * (index + 1), y - 0.042 * index
        wide = 0.030 - 0.003 * index
        sheet.polygon(
            [(x - wide, bottom), (x + wide, bottom), (x + wide - 0.003, top), (x - wide + 0.003, top)],
            light.lit((240, 238, 232) if index % 2 else (212, 74, 64), 5),
        )
    if light.night:
        sheet.polygon([(x, y - 0.236), (x + 0.7, y - 0.32), (x + 0.7, y - 0.16)], (255, 240, 190), alpha=0.16)
        sheet.glow((x, y - 0.232), 0.05, (255, 236, 170), 0.9)
    sheet.rectangles(
        [(x - 0.013, y - 0.245, x + 0.013, y - 0.21)], (255, 236, 170) if light.night else light.lit((180, 206, 220), 5)
    )
    sheet.polygon([(x - 0.02, y - 0.245), (x + 0.02, y - 0.245), (x, y - 0.275)], light.lit((176, 60, 54), 5))


def _boat(stage: Stage, x: float, y: float, size: float) -> None:
    sheet, light = stage.sheet("boat", 5), stage.light
    sheet.polygon(
        [
            (x - size * 0.5, y),
            (x + size * 0.5, y),
            (x + size * 0.36, y + size * 0.16),
            (x - size * 0.36, y + size * 0.16),
        ],
        light.lit((150, 88, 62), 2),
        light.lit((96, 58, 46), 2),
    )
    sheet.stroke([(x, y), (x, y - size * 0.4), (x, y - size * 0.85)], 0.006, light.lit((86, 64, 52), 2))
    sheet.polygon(
        [(x + 0.006, y - size * 0.82), (x + 0.006, y - size * 0.08), (x + size * 0.42, y - size * 0.08)],
        light.lit((246, 240, 228), 2),
    )
    sheet.polygon(
        [(x - 0.006, y - size * 0.72), (x - 0.006, y - size * 0.08), (x - size * 0.28, y - size * 0.08)],
        light.lit((226, 214, 196), 2),
    )
    sheet.ellipses([(x, y + size * 0.19, size * 0.5, size * 0.04)], light.lit((30, 60, 80), 2), alpha=0.35)


def _palm(stage: Stage, sheet: Sheet, x: float, side: int) -> None:
    light = stage.light
    top = (x + side * 0.16, 0.24)
    sheet.stroke(
        smooth([(x, 1.05), (x + side * 0.03, 0.75), (x + side * 0.08, 0.48), top], 30).tolist(),
        0.05,
        light.lit((112, 84, 62), 1),
        0.5,
    )
    for turn in np.linspace(-0.35, np.pi + 0.35, 9):
        tip = (top[0] + 0.30 * np.cos(turn), top[1] - 0.13 * np.sin(turn) + 0.11)
        middle = (top[0] + 0.16 * np.cos(turn), top[1] - 0.13 * np.sin(turn) - 0.015)
        leaf = smooth([top, middle, tip], 24)
        sheet.polygon(
            np.concatenate([leaf, (leaf + (0, 0.034) * np.sin(np.linspace(0, np.pi, 24))[:, None])[::-1]]),
            light.lit((58, 122, 78) if turn < 1.6 else (44, 100, 68), 1),
        )


def _cactus(stage: Stage, sheet: Sheet, x: float, y: float, h: float) -> None:
    tone = stage.light.lit((78, 128, 84), 1.2)
    for points, wide in (
        ([(x, y), (x, y - h / 2), (x, y - h)], 0.16),
        ([(x, y - 0.4 * h), (x - 0.2 * h, y - 0.42 * h), (x - 0.21 * h, y - 0.72 * h)], 0.10),
        ([(x, y - 0.3 * h), (x + 0.19 * h, y - 0.33 * h), (x + 0.2 * h, y - 0.56 * h)], 0.10),
    ):
        sheet.stroke(smooth(points, 24).tolist(), wide * h, tone)
        end = points[-1]
        sheet.ellipses([(end[0], end[1], wide * h / 2, wide * h / 2)], tone)
    sheet.stroke(
        [(x + 0.03 * h, y), (x + 0.03 * h, y - h / 2), (x + 0.03 * h, y - h)], 0.035 * h, shade(tone, 1.2), alpha=0.8
    )


def _bridge(stage: Stage) -> None:
    sheet, tone = stage.sheet("bridge", 5), stage.light.lit((150, 112, 92), 3)
    x = np.linspace(-0.05, stage.aspect + 0.05, 80)
    deck = 0.60 - 0.05 * np.sin((x + 0.05) / (stage.aspect + 0.1) * np.pi)
    sheet.polygon(
        np.concatenate([np.stack([x, deck], 1), np.stack([x, deck + 0.022], 1)[::-1]]), tone, shade(tone, 0.8)
    )
    for at in np.linspace(0.2, stage.aspect - 0.2, 5):
        y = float(np.interp(at, x, deck))
        sheet.rectangles([(at - 0.012, y, at + 0.012, 0.68)], shade(tone, 0.85))
    for at in np.linspace(0, stage.aspect, 40):
        y = float(np.interp(at, x, deck))
        sheet.rectangles([(at - 0.0015, y - 0.03, at + 0.0015, y)], tone)
    sheet.polygon(np.concatenate([np.stack([x, deck - 0.034], 1), np.stack([x, deck - 0.028], 1)[::-1]]), tone)
