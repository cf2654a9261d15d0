"""Space: the ground of a moon or of Mars, a planet or the Earth above it, nebulae; a rocket when named."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, oval, ridge, smooth
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import rock
from vpgen.backends.animatic.sky import stars
from vpgen.backends.animatic.stage import NIGHT_INK, Stage

NEBULAE = (
    ((120, 60, 160), (50, 90, 180), (200, 80, 130)),
    ((40, 110, 150), (70, 60, 170), (60, 160, 150)),
    ((180, 80, 90), (110, 50, 140), (220, 130, 80)),
)
WHITE: Colour = (255, 255, 255)


def space(stage: Stage) -> float:
    """Stars and nebulae, a world in the sky, and the ground one stands on."""
    random, aspect = stage.random, stage.aspect
    mars = stage.has("mars")
    back = stage.sheet("sky", float("inf"))
    if mars:
        back.fill((44, 20, 34), (214, 128, 84), (120, 58, 54), 0.5)
    else:
        back.fill((8, 8, 28), (44, 26, 76), (18, 16, 50), 0.6)
        for colour in stage.pick(*NEBULAE):
            for x, y in random.uniform((0, 0), (aspect, 0.7), (5, 2)):
                back.glow((x, y), random.uniform(0.12, 0.3), colour, 0.17)
    stars(stage, stage.sheet("stars", float("inf")), 0.4 if mars else 0.8)
    x, y, r = (
        aspect * (0.5 + stage.towards * random.uniform(0.18, 0.3)),
        random.uniform(0.24, 0.32),
        random.uniform(0.13, 0.22),
    )
    world = stage.sheet("planet", 30)
    if stage.has("earth", "moon"):  # from the moon one sees the Earth
        _earth(stage, world, x, y, r * 1.1)
    elif mars:
        for mx, my, mr in ((x, y, 0.035), (x - stage.towards * 0.3, y - 0.08, 0.018)):
            world.glow((mx, my), mr * 3, (255, 220, 190), 0.3)
            world.ellipses([(mx, my, mr, mr * 0.92)], (244, 222, 204), (206, 170, 150))
    else:
        _ringed(stage, world, x, y, r, ring=stage.chance(0.7))
    dust: Colour = (206, 116, 78) if mars else stage.pick((166, 160, 178), (150, 156, 176), (178, 166, 168))
    for depth, base, height in ((9, 0.73, random.uniform(0.08, 0.2)), (4, 0.78, random.uniform(0.04, 0.1))):
        far = stage.sheet("hills", depth)
        tone = mix(shade(dust, 0.62), (196, 110, 78) if mars else (60, 52, 96), 0.06 * depth)
        line = ridge(random, aspect, base, height, 0.5)
        far.polygon(down_to(line), mix(tone, WHITE, 0.12), shade(tone, 0.75))
    ground = stage.sheet("ground", 1)
    ground.polygon(down_to(ridge(random, aspect, 0.81, 0.03, 0.35)), mix(dust, WHITE, 0.1), shade(dust, 0.6))
    if mars:
        for sx, sy, w in sorted(
            random.uniform((0, 0.83, 0.03), (aspect, 1.0, 0.13), (15, 3)).tolist(), key=lambda p: float(p[1])
        ):
            rock(ground, stage, sx, sy, w, w * 0.5, (255, 190, 150))
    else:
        _craters(stage, ground, dust)
    if stage.has("rocket"):
        _rocket(stage, aspect * (0.5 - stage.towards * 0.34), 0.84, 0.62)
    if stage.has("flag"):
        _flag(ground, aspect * (0.5 - stage.towards * 0.16), 0.88)
    return 0.74


def _craters(stage: Stage, ground: Sheet, dust: Colour) -> None:
    for cx, cy in sorted(
        stage.random.uniform((0.02, 0.84), (stage.aspect, 0.99), (14, 2)).tolist(), key=lambda p: float(p[1])
    ):
        size = (0.02 + 0.36 * (cy - 0.81)) * stage.random.uniform(0.5, 1.1)
        ground.ellipses([(cx, cy, size, size * 0.26)], mix(dust, WHITE, 0.25))
        ground.ellipses(
            [(cx + stage.towards * size * 0.06, cy + size * 0.02, size * 0.86, size * 0.2)],
            shade(dust, 0.5),
            shade(dust, 0.7),
        )


def _globe(sheet: Sheet, stage: Stage, x: float, y: float, r: float) -> None:
    """The night side of a ball at (x, y)."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 50) + (0 if stage.towards < 0 else np.pi)
    edge = np.stack([np.cos(turn), np.sin(turn)], 1) * r * 1.005
    night = np.concatenate([edge, (edge * (0.35, 1))[::-1]])
    sheet.polygon(night + (x, y), (10, 10, 32), alpha=0.45)


def _earth(stage: Stage, sheet: Sheet, x: float, y: float, r: float) -> None:
    """The Earth: oceans, continents, clouds."""
    sheet.glow((x, y), r * 1.35, (110, 170, 255), 0.5)
    sheet.ellipses([(x, y, r, r)], (70, 150, 226), (28, 84, 176))
    lands = (((-0.5, -0.55), (-0.1, -0.72), (0.12, -0.5), (-0.08, -0.22), (-0.26, -0.02), (-0.42, -0.2)), ((-0.2, 0.08), (0.06, 0.14), (0.1, 0.4), (-0.06, 0.74), (-0.2, 0.42)), ((0.36, -0.62), (0.68, -0.46), (0.84, -0.1), (0.6, 0.02), (0.42, -0.2)), ((0.44, 0.1), (0.7, 0.14), (0.66, 0.46), (0.5, 0.52)))  # fmt: skip
    for land in lands:
        closed = smooth([*land, land[0]], 40) * r + (x, y)
        sheet.polygon(closed, (112, 178, 96), (86, 146, 84))
    sheet.ellipses([(x, y - 0.92 * r, 0.36 * r, 0.07 * r), (x, y + 0.92 * r, 0.36 * r, 0.07 * r)], WHITE, alpha=0.9)
    for dx, dy, w in ((-0.35, -0.3, 0.42), (0.25, 0.0, 0.5), (-0.1, 0.32, 0.4), (0.3, -0.42, 0.3), (-0.5, 0.1, 0.3)):
        sheet.ellipses(
            [
                (x + dx * r, y + dy * r, w * r, 0.055 * r),
                (x + (dx + 0.14) * r, y + (dy + 0.07) * r, w * 0.6 * r, 0.045 * r),
            ],
            WHITE,
            alpha=0.8,
        )
    _globe(sheet, stage, x, y, r)


def _ringed(stage: Stage, sheet: Sheet, x: float, y: float, r: float, *, ring: bool) -> None:
    """A banded gas giant; most have a ring."""
    tone: Colour = stage.pick((226, 150, 98), (110, 150, 214), (206, 120, 150), (120, 190, 180))
    turn = np.linspace(0, 2 * np.pi, 120)
    angle = stage.random.uniform(-0.5, 0.5)
    tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    outer, hollow = (np.stack([r * k * np.cos(turn), r * k * 0.21 * np.sin(turn)], 1) for k in (1.9, 1.42))
    sheet.glow((x, y), r * 1.5, tone, 0.35)
    if ring:
        sheet.polygon(
            np.concatenate([outer[60:], hollow[60:][::-1]]) @ tilt.T + (x, y), mix(tone, WHITE, 0.35), alpha=0.75
        )
    sheet.ellipses([(x, y, r, r)], mix(tone, WHITE, 0.2), shade(tone, 0.76))
    for k, wide, by in ((-0.55, 0.10, 1.12), (-0.18, 0.12, 0.86), (0.2, 0.07, 1.1), (0.5, 0.11, 0.84)):
        rows = np.linspace(k - wide, k + wide, 12)
        half = np.sqrt(1 - rows**2)
        band = np.concatenate([np.stack([-half, rows], 1), np.stack([half, rows], 1)[::-1]]) * r
        sheet.polygon(band @ tilt.T + (x, y), shade(tone, by), alpha=0.6)
    _globe(sheet, stage, x, y, r)
    if ring:
        sheet.polygon(
            np.concatenate([outer[:61], hollow[:61][::-1]]) @ tilt.T + (x, y), mix(tone, WHITE, 0.5), alpha=0.92
        )


def _rocket(stage: Stage, x: float, y: float, h: float) -> None:
    """A rocket that has landed on its fins."""
    sheet, dim = stage.sheet("rocket", 2.4), -stage.towards
    sheet.ellipses([(x + dim * 0.05 * h, y + 0.005, 0.22 * h, 0.02 * h)], NIGHT_INK, alpha=0.4)
    red: Colour = (226, 78, 72)
    for side in (-1, 1):
        fin = [
            (x + side * 0.08 * h, y - 0.36 * h),
            (x + side * 0.23 * h, y),
            (x + side * 0.17 * h, y),
            (x + side * 0.07 * h, y - 0.10 * h),
        ]
        sheet.polygon(fin, red if side != dim else shade(red, 0.76), shade(red, 0.64))
    sheet.polygon(
        [
            (x - 0.06 * h, y - 0.1 * h),
            (x + 0.06 * h, y - 0.1 * h),
            (x + 0.08 * h, y - 0.03 * h),
            (x - 0.08 * h, y - 0.03 * h),
        ],
        (92, 92, 108),
    )
    half = smooth([(-0.075, 0.08), (-0.115, 0.36), (-0.09, 0.68), (0.0, 1.0)], 40) * (h, -h)
    body = np.concatenate([half, (half * (-1, 1))[::-1]]) + (x, y)
    sheet.polygon(body, (246, 247, 252), (200, 204, 220))
    shade_half = np.concatenate([half * (1 if dim < 0 else -1, 1), (half * (0.25 if dim < 0 else -0.25, 1))[::-1]]) + (
        x,
        y,
    )
    sheet.polygon(shade_half, (150, 154, 182), alpha=0.55)
    cone = half[half[:, 1] < -0.74 * h]
    sheet.polygon(np.concatenate([cone, (cone * (-1, 1))[::-1]]) + (x, y), red)
    for up, r in ((0.56, 0.045), (0.40, 0.036)):
        sheet.ellipses([(x, y - up * h, r * h * 1.3, r * h * 1.3)], (96, 100, 124))
        sheet.ellipses([(x, y - up * h, r * h, r * h)], (150, 214, 240), (96, 168, 214))
    sheet.polygon(
        [(x - 0.014 * h, y - 0.3 * h), (x + 0.014 * h, y - 0.3 * h), (x + 0.012 * h, y), (x - 0.012 * h, y)],
        shade(red, 0.84),
    )


def _flag(sheet: Sheet, x: float, y: float) -> None:
    sheet.stroke([(x, y), (x, y - 0.14), (x, y - 0.28)], 0.006, (226, 226, 236))
    sheet.polygon(np.array([(x, y - 0.28), (x + 0.14, y - 0.272), (x + 0.14, y - 0.18), (x, y - 0.19)]), (226, 78, 72))
    sheet.polygon(oval(x + 0.07, y - 0.23, 0.024, 0.024), WHITE)
