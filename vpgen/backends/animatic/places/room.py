"""Indoors: a window onto the weather, light on the floor, and the furniture of the room that is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, oval, pill, ridge, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.places.furniture import FURNITURE, shelves
from vpgen.backends.animatic.sky import clouds, moon, stars
from vpgen.backends.animatic.stage import Stage

FLOOR = 0.74
WALLPAPER: tuple[Colour, ...] = ((226, 206, 180), (178, 204, 200), (222, 188, 182), (196, 198, 222), (206, 212, 178))
CLOTH: tuple[Colour, ...] = ((214, 112, 98), (96, 140, 162), (230, 180, 104), (130, 150, 110), (170, 128, 164))
LAMP: Colour = (255, 200, 130)


@dataclass(frozen=True)
class Room:
    """What furniture needs to know: the stage, the side of the free wall (-1 left), and the light inside."""

    stage: Stage
    free: int
    lit: bool
    tone: Callable[[Colour], Colour]


def room(stage: Stage) -> float:
    """The view, the wall with its window and curtains, the floor, then what stands in it."""
    light, aspect = stage.light, stage.aspect
    lamp_lit = light.night or light.wet

    def tone(colour: Colour) -> Colour:
        """A thing's colour by lamplight, or by what comes in at the window."""
        return mix(shade(colour, 0.74), shade(LAMP, 0.8), 0.13) if lamp_lit else mix(colour, light.light, 0.14)

    inside = Room(stage, -stage.towards, lamp_lit, tone)
    _view(stage)
    wall = stage.sheet("wall", 2.4)
    paper = tone(stage.pick(*WALLPAPER))
    half = stage.random.uniform(0.13, 0.165) * aspect
    middle = aspect * (0.5 + stage.towards * stage.random.uniform(0.17, 0.23))
    box = (middle - half, 0.12, middle + half, 0.56)
    _wall(inside, wall, box, paper)
    _curtains(inside, wall, box)
    _floor(inside, box, paper)
    things = stage.sheet("furniture", 1.6)
    kind = next((kind for kind in FURNITURE if stage.has(kind)), None)
    if kind:
        FURNITURE[kind](stage, things, inside.free, tone, lit=lamp_lit)
    else:
        width = 0.46 if stage.has("bookshelf") else 0.34
        x = aspect * 0.08 if inside.free < 0 else aspect * 0.92 - width
        shelves(stage, things, x, FLOOR + 0.02, width, tone)
        if stage.has("bookshelf"):
            shelves(stage, things, x + (width + 0.02) * -inside.free, FLOOR + 0.02, width * 0.7, tone)
        else:
            _picture(inside, wall, x + width / 2)
        _floor_lamp(inside, wall, things, aspect * (0.5 + inside.free * 0.04))
    _plant(inside, stage.sheet("leaves", 0.75), aspect - 0.16 if inside.free < 0 else 0.16)
    return 0.5


def _view(stage: Stage) -> None:
    """The world outside, in its own light and weather."""
    light, random = stage.light, stage.random
    back = stage.sheet("sky", float("inf"))
    if light.night or light.wet:  # seen from a lit room, the evening is blue
        light = replace(
            light,
            top=mix(light.top, (34, 46, 92), 0.6),
            middle=mix(light.middle, (58, 76, 128), 0.6),
            horizon=mix(light.horizon, (96, 112, 160), 0.6),
        )
        stage = replace(stage, light=light)
    back.fill(light.top, light.horizon, light.middle, 0.5)
    x = stage.aspect * (0.5 + stage.towards * 0.26)
    if light.time == "night" and not stage.overcast:
        stars(stage, back, 0.5)
        moon(back, (x, 0.24), light.top, crescent=stage.has("crescent"), big=False)
    elif not stage.overcast:
        back.glow((x, 0.3), 0.2, mix(light.light, (255, 248, 226), 0.5), 0.7)
    clouds(stage)
    outside = stage.sheet("hills", 8)
    outside.polygon(
        down_to(ridge(random, stage.aspect, 0.56, 0.12, 0.4)),
        light.lit(stage.green if stage.white else (112, 150, 124), 6),
    )
    outside.polygon(down_to(ridge(random, stage.aspect, 0.60, 0.10, 0.4)), light.lit(stage.green, 4))


def _wall(room: Room, sheet: Sheet, box: tuple[float, float, float, float], paper: Colour) -> None:
    """The wall round the window, its frame and sill; rain runs down the panes."""
    stage, (x0, y0, x1, y1) = room.stage, box
    aspect, light = stage.aspect, room.stage.light
    sheet.rectangles(
        [(0, 0, x0, FLOOR), (x1, 0, aspect, FLOOR), (x0, 0, x1, y0), (x0, y1, x1, FLOOR)], paper, shade(paper, 0.92)
    )
    if stage.chance(0.5):
        stripes = np.arange(0.04, aspect, 0.12)
        sheet.rectangles(
            ((x, 0, x + 0.05, FLOOR) for x in stripes if x + 0.05 < x0 or x > x1), shade(paper, 0.95), alpha=0.7
        )
    panel = shade(paper, 0.84)
    sheet.rectangles(
        [
            (0, FLOOR - 0.15, x0, FLOOR),
            (x1, FLOOR - 0.15, aspect, FLOOR),
            (x0, max(y1 + 0.03, FLOOR - 0.15), x1, FLOOR),
        ],
        panel,
    )
    if stage.reading.weather in {"rain", "storm"}:
        glass = stage.random.uniform((x0, y0), (x1, y1 - 0.05), (70, 2))
        sheet.polygons(
            ([(x, y), (x + 0.003, y), (x - 0.004, y + 0.05), (x - 0.007, y + 0.05)] for x, y in glass),
            mix(light.horizon, (255, 255, 255), 0.4),
            alpha=0.55,
        )
    if stage.reading.weather == "snow":
        flakes = stage.random.uniform((x0, y0), (x1, y1), (60, 2))
        sheet.ellipses(((x, y, 0.004, 0.004) for x, y in flakes), (250, 252, 255), alpha=0.9)
        sheet.ellipses([((x0 + x1) / 2, y1, (x1 - x0) / 2, 0.02)], light.lit((244, 247, 252), 1))
    frame = room.tone((250, 246, 238))
    middle, cross = (x0 + x1) / 2, y0 + (y1 - y0) * 0.45
    bars = [
        (x0 - 0.02, y0 - 0.02, x0 + 0.010, y1 + 0.02),
        (x1 - 0.010, y0 - 0.02, x1 + 0.02, y1 + 0.02),
        (x0, y0 - 0.02, x1, y0 + 0.010),
        (middle - 0.007, y0, middle + 0.007, y1),
        (x0, cross - 0.006, x1, cross + 0.006),
    ]
    sheet.rectangles(bars, frame)
    sheet.rectangles([(x0 - 0.05, y1, x1 + 0.05, y1 + 0.026)], mix(frame, (255, 255, 255), 0.1), shade(frame, 0.84))
    sheet.rectangles([(x0 - 0.04, y1 + 0.026, x1 + 0.04, y1 + 0.036)], shade(paper, 0.74), alpha=0.6)


def _curtains(room: Room, sheet: Sheet, box: tuple[float, float, float, float]) -> None:
    """Cloth to both sides of the window, in folds, tied back."""
    x0, y0, x1, y1 = box
    cloth = room.tone(room.stage.pick(*CLOTH))
    for side, x in ((-1, x0), (1, x1)):
        inner = smooth(
            [
                (x - side * 0.05, y0 - 0.06),
                (x - side * 0.035, 0.28),
                (x + side * 0.05, 0.42),
                (x + side * 0.02, y1 + 0.10),
            ],
            40,
        )
        outer = np.array([(x + side * 0.12, y1 + 0.10), (x + side * 0.10, 0.42), (x + side * 0.115, y0 - 0.06)])
        sheet.polygon(np.concatenate([inner, outer]), mix(cloth, (255, 255, 255), 0.06), shade(cloth, 0.84))
        for k in (0.02, 0.055, 0.09):
            fold = smooth(
                [
                    (x + side * (k - 0.04), y0 - 0.05),
                    (x + side * (k + 0.005), 0.28),
                    (x + side * (k * 0.4 + 0.06), 0.42),
                    (x + side * (k + 0.01), y1 + 0.095),
                ],
                30,
            )
            sheet.stroke(fold, 0.006, shade(cloth, 0.82), alpha=0.8)
        sheet.rectangles([(x + side * 0.075 - 0.035, 0.412, x + side * 0.075 + 0.035, 0.428)], shade(cloth, 0.68))
    rod = room.tone((120, 88, 66))
    sheet.polygon(pill(x0 - 0.16, x1 + 0.16, y0 - 0.068, 0.014), rod)
    sheet.ellipses([(x0 - 0.16, y0 - 0.068, 0.014, 0.014), (x1 + 0.16, y0 - 0.068, 0.014, 0.014)], rod)


def _floor(room: Room, box: tuple[float, float, float, float], paper: Colour) -> None:
    """Boards, the skirting, a rug, and the window's light lying across them."""
    stage, aspect, (x0, _, x1, _) = room.stage, room.stage.aspect, box
    planks = stage.sheet("floor", 1.0)
    wood = room.tone(stage.pick((184, 132, 92), (160, 112, 80), (206, 164, 120)))
    planks.rectangles([(0, FLOOR, aspect, 1.02)], shade(wood, 0.9), wood)
    for x in np.linspace(-1.0, aspect + 1.0, 24):
        top = aspect / 2 + (x - aspect / 2) * 0.55
        planks.stroke([(top, FLOOR), ((top + x) / 2, (FLOOR + 1.02) / 2), (x, 1.02)], 0.002, shade(wood, 0.82), 2.0)
    planks.rectangles([(0, FLOOR - 0.022, aspect, FLOOR)], mix(paper, (255, 255, 255), 0.4 if not room.lit else 0.08))
    rug, inner = room.tone(stage.pick(*CLOTH)), room.tone((244, 228, 204))
    for share, colour in ((1.0, rug), (0.86, inner), (0.80, rug), (0.42, mix(rug, inner, 0.5))):
        planks.ellipses([(aspect / 2, 0.905, 0.30 * aspect * share, 0.072 * share)], colour)
    if not room.lit and not stage.overcast:
        lean = -stage.towards * 0.22
        warm = mix(stage.light.light, (255, 246, 214), 0.5)
        for a, b in ((x0, (x0 + x1) / 2 - 0.01), ((x0 + x1) / 2 + 0.01, x1)):
            planks.polygon(
                [(a + lean, FLOOR + 0.03), (b + lean, FLOOR + 0.03), (b + lean * 2.2, 0.98), (a + lean * 2.2, 0.98)],
                warm,
                alpha=0.42,
            )
    if room.lit:
        planks.glow((aspect / 2, 0.84), 0.36, LAMP, 0.22)


def _floor_lamp(room: Room, wall: Sheet, sheet: Sheet, x: float) -> None:
    sheet.stroke([(x, FLOOR + 0.03), (x, 0.55), (x, 0.36)], 0.009, (74, 66, 66))
    sheet.ellipses([(x, FLOOR + 0.035, 0.05, 0.01)], (74, 66, 66))
    if room.lit:
        wall.glow((x, 0.36), 0.6, LAMP, 0.3)
        sheet.glow((x, 0.34), 0.30, LAMP, 0.6)
    shade_tone: Colour = (255, 228, 172) if room.lit else (240, 226, 202)
    sheet.polygon(
        [(x - 0.04, 0.28), (x + 0.04, 0.28), (x + 0.07, 0.385), (x - 0.07, 0.385)],
        shade_tone,
        mix(shade_tone, LAMP, 0.4),
    )


def _picture(room: Room, wall: Sheet, x: float) -> None:
    """A framed landscape over the shelves."""
    wall.rectangles([(x - 0.11, 0.055, x + 0.11, 0.195)], room.tone((120, 84, 62)))
    wall.rectangles([(x - 0.098, 0.067, x + 0.098, 0.183)], room.tone((214, 228, 232)))
    hill = oval(x + 0.02, 0.19, 0.075, 0.06, 0.183)
    wall.polygon(np.clip(hill, (x - 0.098, 0), (x + 0.098, 1)), room.tone((120, 156, 120)))
    wall.ellipses([(x - 0.05, 0.10, 0.018, 0.018)], room.tone((240, 180, 96)))


def _plant(room: Room, sheet: Sheet, x: float) -> None:
    """A house plant in the corner nearest to us: broad leaves, or long ones."""
    random = room.stage.random
    green, broad = room.tone((70, 136, 88)), room.stage.chance(0.5)
    for turn in np.linspace(0.25, np.pi - 0.25, 7 if broad else 10):
        length = random.uniform(0.26, 0.40)
        tip = (x + length * np.cos(turn) * 0.8, 0.86 - length * np.sin(turn))
        leaf = smooth([(x, 0.90), ((x + tip[0]) / 2 + 0.01, (0.88 + tip[1]) / 2 - 0.03), tip], 20)
        swell = np.sin(np.linspace(0, np.pi, 20) ** 1.6 / np.pi**0.6) if broad else np.sin(np.linspace(0, np.pi, 20))
        bulge = (0.055 if broad else 0.03) * swell[:, None] * (np.sin(turn), np.cos(turn))
        tint = shade(green, random.uniform(0.8, 1.2))
        sheet.polygon(np.concatenate([leaf + bulge, (leaf - bulge)[::-1]]), tint)
        sheet.stroke(leaf, 0.005, shade(tint, 0.8), 0.3)
    pot = room.tone(room.stage.pick((210, 122, 90), (236, 226, 212), (96, 126, 150)))
    sheet.polygon([(x - 0.095, 0.88), (x + 0.095, 0.88), (x + 0.066, 1.03), (x - 0.066, 1.03)], pot, shade(pot, 0.8))
    sheet.rectangles([(x - 0.105, 0.87, x + 0.105, 0.90)], shade(pot, 1.08))
