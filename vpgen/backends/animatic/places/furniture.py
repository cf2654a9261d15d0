"""What stands along the free wall of a room, by the kind of room that is named."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, pill
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.stage import Stage

BOOKS: tuple[Colour, ...] = (
    (206, 92, 80),
    (86, 132, 148),
    (226, 178, 96),
    (120, 142, 96),
    (222, 208, 186),
    (128, 96, 132),
)
Tone = Callable[[Colour], Colour]
FOOT = 0.77
"""Where furniture stands, a little in front of the wall."""


class Furnish(Protocol):
    """Draws furniture at the side `free` (-1 left, 1 right); `tone` puts colours in the room's light."""

    def __call__(self, stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None: ...


def shelves(stage: Stage, sheet: Sheet, x: float, y: float, w: float, tone: Tone) -> None:
    """A bookcase with its left foot at (x, y)."""
    wood = tone((150, 104, 74))
    sheet.rectangles([(x, y - 0.52, x + w, y)], shade(wood, 0.6))
    for level in range(5):
        top = y - 0.52 + level * 0.1275
        sheet.rectangles([(x - 0.008, top, x + w + 0.008, top + 0.014)], wood)
        if level == 4:
            continue
        at = x + 0.012
        while at < x + w - 0.03:
            thick, tall = stage.random.uniform(0.010, 0.024), stage.random.uniform(0.066, 0.100)
            colour = tone(BOOKS[int(stage.random.integers(len(BOOKS)))])
            if stage.random.random() < 0.9:
                sheet.rectangles([(at, top + 0.1275 - tall, at + thick, top + 0.1275)], colour, shade(colour, 0.88))
            at += thick + 0.002
    sheet.rectangles(
        [(x - 0.010, y - 0.53, x + 0.006, y), (x + w - 0.006, y - 0.53, x + w + 0.010, y)], wood, shade(wood, 0.85)
    )


def kitchen(stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None:
    """Cupboards above tiles, a worktop with a stove and a pot, a fridge."""
    left = 0.0 if free < 0 else stage.aspect * 0.5
    right = stage.aspect * 0.5 if free < 0 else stage.aspect
    front = tone(stage.pick((150, 184, 172), (236, 220, 196), (120, 148, 176)))
    tiles, top = tone((244, 242, 236)), tone((196, 148, 106))
    sheet.rectangles([(left, 0.36, right, 0.56)], tiles)
    sheet.rectangles(((x, 0.36, x + 0.003, 0.56) for x in np.arange(left, right, 0.05)), shade(tiles, 0.88))
    sheet.rectangles(((left, y, right, y + 0.003) for y in (0.41, 0.46, 0.51)), shade(tiles, 0.88))
    doors = np.linspace(left, right, 6)
    for y0, y1 in ((0.10, 0.34), (0.585, FOOT)):
        sheet.rectangles([(left, y0, right, y1)], front, shade(front, 0.9))
        for a, b in pairwise(doors):
            sheet.rectangles([(a + 0.012, y0 + 0.02, b - 0.012, y1 - 0.02)], shade(front, 1.07), front)
            knob = y1 - 0.045 if y0 < 0.3 else y0 + 0.045
            sheet.ellipses([((a + b) / 2, knob, 0.008, 0.008)], tone((120, 100, 84)))
    sheet.rectangles([(left, 0.555, right, 0.585)], top, shade(top, 0.86))
    stove = (left + right) / 2 + free * 0.1
    sheet.rectangles([(stove - 0.11, 0.545, stove + 0.11, 0.556)], tone((60, 60, 68)))
    sheet.rectangles([(stove - 0.11, 0.60, stove + 0.11, 0.75)], tone((92, 94, 104)), tone((70, 72, 80)))
    sheet.rectangles([(stove - 0.08, 0.65, stove + 0.08, 0.73)], tone((255, 190, 110)) if lit else tone((50, 54, 66)))
    pot = tone((214, 84, 72))
    sheet.rectangles([(stove - 0.055, 0.48, stove + 0.055, 0.546)], pot, shade(pot, 0.8))
    sheet.polygon(pill(stove - 0.06, stove + 0.06, 0.478, 0.014), shade(pot, 1.1))
    sheet.ellipses([(stove, 0.467, 0.01, 0.01)], tone((60, 50, 50)))
    for k in range(3):
        sheet.ellipses(
            [(stove + 0.02 * (k % 2), 0.43 - 0.035 * k, 0.02 + 0.006 * k, 0.018)], (255, 255, 255), alpha=0.3
        )
    for k, colour in enumerate(((236, 180, 80), (120, 160, 110), (220, 120, 96))):
        x = stove - free * (0.2 + 0.06 * k)
        sheet.rectangles([(x - 0.022, 0.49, x + 0.022, 0.556)], tone(colour))
        sheet.rectangles([(x - 0.024, 0.482, x + 0.024, 0.494)], tone((110, 80, 62)))


def bedroom(stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None:
    """A bed with pillows and a blanket, a bedside table with a lamp."""
    wood, cover = tone((156, 108, 78)), tone(stage.pick((108, 140, 178), (206, 130, 122), (130, 160, 128)))
    head = stage.aspect * (0.5 + free * 0.46)
    foot = stage.aspect * (0.5 + free * 0.10)
    x0, x1 = sorted((head, foot))
    stage.cast(sheet, (x0 + x1) / 2, FOOT + 0.05, x1 - x0, 0.1)
    sheet.rectangles([(head - 0.016, 0.44, head + 0.016, FOOT + 0.05)], wood, shade(wood, 0.8))
    sheet.rectangles([(foot - 0.012, 0.58, foot + 0.012, FOOT + 0.05)], wood, shade(wood, 0.8))
    sheet.rectangles([(x0, 0.68, x1, FOOT + 0.02)], shade(wood, 0.86))
    sheet.polygon(pill(x0, x1, 0.64, 0.11), tone((246, 242, 236)))
    edge = head - free * 0.24
    a, b = sorted((edge, foot))
    sheet.polygon(pill(a, b, 0.635, 0.14), mix(cover, (255, 255, 255), 0.08), shade(cover, 0.82))
    sheet.rectangles([(a + 0.02, 0.66, b - 0.01, 0.745)], shade(cover, 0.9), shade(cover, 0.78))
    fold = edge - free * 0.03
    sheet.polygon(pill(fold - 0.035, fold + 0.035, 0.635, 0.15), tone((250, 248, 242)))
    pillow = head - free * 0.12
    sheet.polygon(pill(pillow - 0.09, pillow + 0.09, 0.575, 0.075), tone((255, 252, 246)), tone((222, 222, 228)))
    table = foot - free * 0.12
    sheet.rectangles([(table - 0.07, 0.62, table + 0.07, FOOT)], wood, shade(wood, 0.78))
    sheet.rectangles([(table - 0.05, 0.66, table + 0.05, 0.70)], shade(wood, 0.7))
    sheet.rectangles([(table - 0.008, 0.54, table + 0.008, 0.62)], tone((90, 74, 66)))
    if lit:
        sheet.glow((table, 0.5), 0.32, (255, 200, 130), 0.65)
    sheet.polygon(
        [(table - 0.032, 0.46), (table + 0.032, 0.46), (table + 0.055, 0.545), (table - 0.055, 0.545)],
        (255, 230, 176) if lit else tone((242, 228, 204)),
    )


def cafe(stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None:
    """A counter with a coffee machine under a menu board, a table with two chairs, hanging lamps."""
    wood, dark = tone((166, 116, 80)), tone((74, 62, 60))
    x0, x1 = sorted((stage.aspect * (0.5 + free * 0.5), stage.aspect * (0.5 + free * 0.12)))
    board = (x0 + x1) / 2
    sheet.rectangles([(board - 0.2, 0.14, board + 0.2, 0.38)], wood)
    sheet.rectangles([(board - 0.188, 0.152, board + 0.188, 0.368)], tone((52, 60, 58)))
    for k in range(5):
        y, reach = 0.19 + 0.036 * k, stage.random.uniform(0.06, 0.13)
        sheet.rectangles(
            [(board - 0.16, y, board - 0.16 + reach, y + 0.010), (board + 0.08, y, board + 0.15, y + 0.010)],
            (236, 232, 220),
            alpha=0.85,
        )
    sheet.rectangles([(x0, 0.56, x1, FOOT)], tone((130, 150, 142)), tone((104, 122, 118)))
    sheet.rectangles(((x, 0.58, x + 0.004, FOOT) for x in np.arange(x0, x1, 0.07)), dark, alpha=0.4)
    sheet.rectangles([(x0 - 0.02, 0.535, x1 + 0.02, 0.562)], wood, shade(wood, 0.86))
    machine = board + free * 0.12
    sheet.rectangles([(machine - 0.075, 0.42, machine + 0.075, 0.535)], tone((206, 208, 214)), tone((150, 152, 162)))
    sheet.rectangles([(machine - 0.06, 0.465, machine + 0.06, 0.52)], dark)
    sheet.rectangles([(machine - 0.075, 0.415, machine + 0.075, 0.432)], tone((206, 84, 72)))
    sheet.rectangles(((machine + k - 0.012, 0.495, machine + k + 0.012, 0.52) for k in (-0.03, 0.03)), (250, 248, 244))
    for k in range(3):
        x = board - free * (0.06 + 0.07 * k)
        sheet.polygon(
            [(x - 0.025, 0.495), (x + 0.025, 0.495), (x + 0.018, 0.535), (x - 0.018, 0.535)], tone((240, 216, 180))
        )
        sheet.ellipses([(x, 0.49, 0.03, 0.02)], tone(((206, 140, 90), (232, 150, 150), (150, 96, 70))[k]))
    table = stage.aspect * (0.5 - free * 0.14)
    sheet.rectangles([(table - 0.006, 0.66, table + 0.006, 0.82)], dark)
    sheet.ellipses([(table, 0.82, 0.06, 0.012)], dark)
    sheet.ellipses([(table, 0.66, 0.13, 0.022)], wood)
    for x in np.linspace(0.14, stage.aspect - 0.14, 4):
        sheet.rectangles([(x - 0.0015, 0, x + 0.0015, 0.08)], dark)
        if lit:
            sheet.glow((x, 0.13), 0.2, (255, 200, 130), 0.6)
        sheet.polygon([(x - 0.014, 0.07), (x + 0.014, 0.07), (x + 0.05, 0.12), (x - 0.05, 0.12)], dark)
        sheet.ellipses([(x, 0.122, 0.022, 0.014)], (255, 236, 190) if lit else tone((250, 240, 214)))


def classroom(stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None:
    """A blackboard with chalk on it, a clock, and rows of desks."""
    x0, x1 = sorted((stage.aspect * (0.5 + free * 0.46), stage.aspect * (0.5 + free * 0.02)))
    green, chalk = tone((52, 98, 80)), (240, 240, 232)
    sheet.rectangles([(x0 - 0.014, 0.17, x1 + 0.014, 0.535)], tone((168, 122, 84)))
    sheet.rectangles([(x0, 0.185, x1, 0.51)], green, shade(green, 0.88))
    middle = (x0 + x1) / 2
    sheet.ellipses([(middle + 0.1, 0.33, 0.075, 0.075)], chalk, alpha=0.8)
    sheet.ellipses([(middle + 0.1, 0.33, 0.070, 0.070)], green)
    sheet.polygons([[(middle - 0.16, 0.42), (middle - 0.06, 0.42), (middle - 0.11, 0.30)]], chalk, alpha=0.75)
    sheet.polygon([(middle - 0.148, 0.413), (middle - 0.072, 0.413), (middle - 0.11, 0.322)], green)
    for k in range(3):
        sheet.rectangles(
            [(x0 + 0.04, 0.215 + 0.026 * k, x0 + stage.random.uniform(0.12, 0.3), 0.222 + 0.026 * k)], chalk, alpha=0.8
        )
    clock = (x1 + 0.09) if free < 0 else (x0 - 0.09)
    sheet.ellipses([(clock, 0.13, 0.042, 0.042)], tone((90, 70, 62)))
    sheet.ellipses([(clock, 0.13, 0.035, 0.035)], tone((250, 248, 242)))
    sheet.stroke([(clock, 0.13), (clock, 0.118), (clock, 0.106)], 0.005, (60, 56, 60))
    sheet.stroke([(clock, 0.13), (clock + 0.01, 0.135), (clock + 0.02, 0.14)], 0.005, (60, 56, 60))
    wood, steel = tone((206, 160, 108)), tone((110, 112, 122))
    for row, (y, size) in enumerate(((0.70, 0.8), (0.80, 1.1))):
        for at in np.arange(0.12 + 0.06 * row, stage.aspect, 0.34 * size):
            if abs(at - stage.aspect / 2) < 0.22:
                continue
            legs = [(at + k * size - 0.005, y, at + k * size + 0.005, y + 0.12 * size) for k in (-0.08, 0.08)]
            sheet.rectangles(legs, steel)
            sheet.rectangles([(at - 0.1 * size, y - 0.02 * size, at + 0.1 * size, y + 0.005)], wood, shade(wood, 0.84))
    if lit:
        sheet.glow((stage.aspect / 2, 0.0), 0.5, (255, 236, 200), 0.35)


def office(stage: Stage, sheet: Sheet, free: int, tone: Tone, *, lit: bool) -> None:
    """A desk with a screen, a lamp and papers, a chair, folders on a shelf."""
    wood = tone((170, 122, 86))
    middle = stage.aspect * (0.5 + free * 0.27)
    sheet.rectangles([(middle - 0.26, 0.27, middle + 0.26, 0.29)], wood)
    for k in np.arange(-0.24, 0.2, 0.036):
        if stage.random.random() < 0.8:
            tall = stage.random.uniform(0.08, 0.12)
            sheet.rectangles(
                [(middle + k, 0.27 - tall, middle + k + 0.03, 0.27)],
                tone(BOOKS[int(stage.random.integers(len(BOOKS)))]),
            )
    sheet.rectangles([(middle - 0.30, 0.60, middle + 0.30, 0.63)], wood, shade(wood, 0.86))
    sheet.rectangles(
        [(middle - 0.28, 0.63, middle - 0.26, FOOT + 0.03), (middle + 0.10, 0.63, middle + 0.28, FOOT + 0.03)],
        shade(wood, 0.82),
    )
    sheet.rectangles(((middle + 0.115, y, middle + 0.265, y + 0.038) for y in (0.645, 0.69, 0.735)), shade(wood, 0.95))
    sheet.rectangles([(middle - 0.13, 0.40, middle + 0.09, 0.56)], tone((50, 54, 64)))
    sheet.rectangles([(middle - 0.12, 0.41, middle + 0.08, 0.55)], (150, 206, 236) if lit else tone((150, 196, 220)))
    sheet.rectangles(
        [
            (middle - 0.10, 0.43 + 0.022 * k, middle - 0.10 + w, 0.438 + 0.022 * k)
            for k, w in enumerate((0.1, 0.15, 0.07, 0.12))
        ],
        (250, 252, 255),
        alpha=0.8,
    )
    sheet.rectangles(
        [(middle - 0.03, 0.56, middle - 0.01, 0.595), (middle - 0.07, 0.592, middle + 0.03, 0.602)], tone((60, 64, 74))
    )
    at = middle + 0.2
    sheet.stroke([(at, 0.60), (at + 0.04, 0.51), (at - 0.02, 0.45)], 0.008, tone((80, 80, 90)))
    if lit:
        sheet.glow((at - 0.04, 0.48), 0.24, (255, 210, 140), 0.6)
    sheet.polygon([(at - 0.03, 0.43), (at, 0.45), (at - 0.03, 0.50), (at - 0.09, 0.47)], tone((226, 96, 80)))
    chair = tone((90, 110, 150))
    sheet.polygon(pill(middle - 0.09, middle + 0.05, 0.66, 0.05), chair, shade(chair, 0.8))
    sheet.rectangles([(middle - 0.03, 0.68, middle - 0.01, 0.80)], tone((70, 72, 80)))


FURNITURE: dict[str, Furnish] = {
    "kitchen": kitchen,
    "bedroom": bedroom,
    "cafe": cafe,
    "classroom": classroom,
    "office": office,
}
