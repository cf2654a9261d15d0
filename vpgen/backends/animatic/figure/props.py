"""What a figure carries, sits on or is accompanied by."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import Points, Shape, blob, darker, ellipse, lighter, polygon, tube


def _grip(look: Look, bones: Skeleton) -> Points:
    """The middle of the holding fist."""
    i = 0 if look.view == "side" else 1
    along = bones.wrists[i] - bones.elbows[i]
    point: Points = bones.wrists[i] + along / np.linalg.norm(along) * bones.build.arm_radii[4] * 1.2
    return point


def _umbrella(look: Look, bones: Skeleton) -> tuple[list[Shape], list[Shape]]:
    grip, colour = _grip(look, bones), look.colours["umbrella"]
    centre = bones.head[0] + (2.0 if bones.turn else 3.0)
    top = np.array([centre, bones.head[1] + bones.build.head * 0.5 + 16])
    r = 25.0
    rim = top[1] - 13.5
    dome = [top + (r * np.cos(a), -13.5 + 13.5 * np.sin(a)) for a in np.linspace(np.pi, 0, 21)]
    n = 5
    scallop = [(centre + r * (1 - 2 * (t + 0.5) / n), rim + 2.2) for t in range(n)]
    points = [(centre + r * (1 - 2 * t / n), rim) for t in range(n + 1)]
    edge = [p for t in range(n) for p in ((points[t + 1] if t + 1 < n else None), scallop[t])[::-1] if p is not None]
    canopy = Shape((np.array([*dome, *_arches(points, edge)]),), colour, 1.6)
    panels = []
    for t in (0, 2, 4):
        left, right = points[t + 1], points[t]
        panels.append(
            polygon(
                [top, (right[0], rim - 1), (left[0], rim - 1)], lighter(colour, 0.16) if t else darker(colour, 0.1)
            ).clipped(canopy)
        )
    inside = ellipse((centre, rim + 1.0), (r * 0.97, 2.4), darker(colour, 0.42))
    rod = tube([top + (0, 2.0), grip + (0, -1.0)], [0.42, 0.5], (92, 78, 74), shade=0.2)
    hook = tube(
        [grip + (0, -1), grip + (0.1, -4), grip + (1.2, -5.2), grip + (2.2, -4.2)],
        [0.5, 0.6, 0.6, 0.5],
        (120, 82, 60),
        shade=0.2,
    )
    tip = tube([top, top + (0, 2.2)], [0.5, 0.3], (92, 78, 74), shade=0)
    return [inside, rod], [canopy, *panels, tip, hook]


def _arches(points: list[tuple[float, float]], _edge: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The scalloped lower edge, right to left."""
    arch = []
    for (x0, y0), (x1, _) in zip(points[:-1], points[1:], strict=True):
        arch += [(x0 + (x1 - x0) * t, y0 + 2.2 * np.sin(np.pi * t)) for t in np.linspace(0, 1, 9)]
    return arch


def _balloon(look: Look, bones: Skeleton) -> list[Shape]:
    grip, colour = _grip(look, bones), look.colours["balloon"]
    c = grip + (5.0, 27.0)
    c[1] = min(c[1], 101.0)
    skin = blob(
        [
            c + p
            for p in [(0, 8.4), (6.0, 5.4), (6.8, 0.0), (3.6, -5.6), (0, -8.2), (-3.6, -5.6), (-6.8, 0.0), (-6.0, 5.4)]
        ],
        colour,
        shade=1.8,
    )
    gloss = tube(
        [c + (-3.9, 0.6), c + (-3.3, 3.6), c + (-1.2, 5.6)], [0.3, 0.75, 0.3], (255, 255, 255), shade=0, opacity=0.55
    )
    knot = polygon([c + (-1, -9.4), c + (1, -9.4), c + (0, -7.8)], darker(colour, 0.2))
    string = tube([c + (0, -9), c + (-1.5, -16), grip + (0.8, 5), grip + (0, -2)], [0.16] * 4, (120, 110, 110), shade=0)
    return [string, knot, skin, gloss]


def _lantern(look: Look, bones: Skeleton) -> list[Shape]:
    grip, colour = _grip(look, bones), look.colours["lantern"]
    c = grip + (0.4, -9.5)
    glow = [ellipse(c, (r, r), (255, 214, 130), opacity=0.10) for r in (7.5, 6.2)]
    cord = tube([grip, c + (0, 5)], [0.2, 0.2], (84, 64, 60), shade=0)
    body = blob(
        [
            c + p
            for p in [
                (-2.0, 4.4),
                (2.0, 4.4),
                (4.0, 1.6),
                (4.0, -1.6),
                (2.0, -4.4),
                (-2.0, -4.4),
                (-4.0, -1.6),
                (-4.0, 1.6),
            ]
        ],
        lighter(colour, 0.2),
        shade=0.9,
    )
    light = ellipse(c + (0, -0.4), (2.2, 2.6), (255, 240, 190), opacity=0.85)
    caps = [tube([c + (-1.9, y), c + (1.9, y)], [0.7, 0.7], (84, 58, 54), shade=0.2) for y in (4.6, -4.6)]
    return [*glow, cord, body, light, *caps]


def _bouquet(look: Look, bones: Skeleton) -> list[Shape]:
    grip, colour = _grip(look, bones), look.colours["bouquet"]
    up = np.array([0.25, 0.97]) if bones.turn else np.array([-0.12, 0.99])
    side = np.array([up[1], -up[0]])
    leaves = [
        tube(
            [grip, grip + up * 5 + side * s, grip + up * 9 + side * s * 1.8], [0.6, 1.3, 0.3], (96, 146, 104), shade=0.4
        )
        for s in (-3.2, 3.2, 0.0)
    ]
    wrap = polygon(
        [
            grip - up * 4.4 - side * 0.9,
            grip - up * 4.4 + side * 0.9,
            grip + up * 5 + side * 4.2,
            grip + up * 5 - side * 4.2,
        ],
        (248, 240, 226),
        shade=0.6,
    )
    tones = (
        colour,
        lighter(colour, 0.45),
        darker(colour, 0.16),
        (250, 226, 150),
        colour,
        lighter(colour, 0.3),
        (255, 250, 244),
    )
    spots = ((-3.6, 5.4), (3.6, 5.2), (0.2, 5.0), (-2.0, 8.2), (2.4, 8.4), (0.2, 10.4), (-0.4, 7.0))
    blooms = []
    for tone, (s, u) in zip(tones, spots, strict=True):
        p = grip + side * s + up * u
        blooms += [ellipse(p, (2.2, 2.2), tone, shade=0.6), ellipse(p + (-0.2, 0.2), (0.75, 0.75), darker(tone, 0.2))]
    return [*leaves, wrap, *blooms]


def _hung(look: Look, bones: Skeleton) -> list[Shape]:
    """Suitcase or handbag, hanging from the hand."""
    grip = _grip(look, bones)
    if look.held == "suitcase":
        colour = look.colours["suitcase"]
        height = min(20.0, grip[1] - 4.5)
        top = grip[1] - 2.8
        box = [(-9, top), (9, top), (9, top - height), (-9, top - height)]
        corners = [grip * (1, 0) + p for p in box for _ in (0, 1)]
        case = blob(corners, colour, shade=1.4)
        handle = tube(
            [grip + (-2.6, -2.8), grip + (-2, 0), grip + (2, 0), grip + (2.6, -2.8)],
            [0.55] * 4,
            darker(colour, 0.4),
            shade=0,
        )
        straps = [
            tube(
                [(grip[0] + x, top + 1), (grip[0] + x, top - height - 1)], [0.9, 0.9], darker(colour, 0.25), shade=0
            ).clipped(case)
            for x in (-5, 5)
        ]
        locks = [ellipse((grip[0] + x, top - 2.5), (0.8, 0.8), (226, 190, 110), shade=0.2) for x in (-5, 5)]
        return [handle, case, *straps, *locks]
    colour = look.colours["handbag"]
    c = grip + (0, -9.5)
    bag = blob(
        [c + p for p in [(-4.6, 3.2), (4.6, 3.2), (5.6, -3.4), (4.6, -4.6), (-4.6, -4.6), (-5.6, -3.4)]],
        colour,
        shade=1.0,
    )
    handle = tube(
        [c + (-3, 3), c + (-2.4, 8), c + (0, 9.8), c + (2.4, 8), c + (3, 3)], [0.45] * 5, darker(colour, 0.25), shade=0
    )
    flap = blob(
        [c + p for p in [(-4.7, 3.2), (4.7, 3.2), (4.2, -0.4), (0, -1.2), (-4.2, -0.4)]], darker(colour, 0.12), shade=0
    )
    return [handle, bag, flap.clipped(bag), ellipse(c + (0, -0.8), (0.7, 0.7), (226, 190, 110))]


def _small(look: Look, bones: Skeleton) -> list[Shape]:
    """Phone, cup, sword or cane."""
    grip, colour = _grip(look, bones), look.colours[look.held or "phone"]
    if look.held == "phone":
        tilt = np.array([0.25, 0.97])
        side = np.array([0.97, -0.25])
        corners = [grip + tilt * y + side * x for x, y in [(-1.4, -1.2), (1.4, -1.2), (1.4, 4.6), (-1.4, 4.6)]]
        screen = [grip + tilt * y + side * x for x, y in [(-1.0, -0.6), (1.0, -0.6), (1.0, 4.1), (-1.0, 4.1)]]
        return (
            [polygon(corners, colour), polygon(screen, (150, 200, 226))] if bones.turn else [polygon(corners, colour)]
        )
    if look.held == "cup":
        cup = polygon([grip + p for p in [(-1.7, 4.4), (1.7, 4.4), (1.3, -1.8), (-1.3, -1.8)]], colour, shade=0.6)
        band = polygon([grip + p for p in [(-1.6, 2.4), (1.6, 2.4), (1.42, 0.2), (-1.42, 0.2)]], look.colours["accent"])
        lid = tube([grip + (-1.6, 4.6), grip + (1.6, 4.6)], [0.5, 0.5], (250, 248, 244), shade=0.2)
        return [cup, band, lid]
    if look.held == "sword":
        along = np.array([0.62, -0.78])
        side = np.array([-along[1], along[0]])
        length = min(33.0, (grip[1] - 2) / 0.78)
        blade = polygon(
            [
                grip + along * 2 + side * 0.85,
                grip + along * (length - 3) + side * 0.7,
                grip + along * length,
                grip + along * (length - 2) - side * 0.7,
                grip + along * 2 - side * 0.85,
            ],
            colour,
            shade=0.4,
        )
        guard = tube(
            [grip + along * 2 - side * 2.3, grip + along * 2 + side * 2.3], [0.6, 0.6], (206, 164, 88), shade=0.2
        )
        return [tube([grip - along * 3.6, grip + along * 1.8], [0.8, 0.7], (74, 52, 56), shade=0.2), blade, guard]
    foot = np.array([grip[0] + 2.5, 0.3])
    stick = tube([grip + (0, 0.6), foot], [0.6, 0.5], colour, shade=0.3)
    handle = tube([grip + (0, -1), grip + (0, 1.2), grip + (1.6, 2.2), grip + (3.0, 1.0)], [0.7] * 4, colour, shade=0.3)
    return [stick, handle]


def _both_hands(look: Look, bones: Skeleton) -> list[Shape]:
    """Book, guitar or camera: what two hands hold in front of the chest."""
    middle = (bones.wrists[0] + bones.wrists[1]) / 2
    shapes: list[Shape] = []
    worn = look.accessories
    if look.view == "back":
        return shapes
    if "guitar" in worn:
        wood = look.colours["guitar"]
        body = bones.torso(-2.0 if not bones.turn else 1.0, bones.build.waist_y - 1)
        along = np.array([0.87, 0.5])
        side = np.array([-along[1], along[0]])

        def at(u: float, v: float) -> Points:
            point: Points = body + along * u + side * v
            return point

        shapes.append(tube([at(6, 0), at(27, 0)], [0.95, 0.8], (96, 64, 52), shade=0.3))
        shapes.append(polygon([at(26, 1.3), at(31.5, 1.6), at(31.5, -1.6), at(26, -1.3)], (74, 50, 46), shade=0.3))
        half = [(-10, 0), (-9, 5.6), (-4, 7.4), (0.6, 5.0), (4, 5.4), (7.8, 3.6)]
        shapes.append(
            blob([*(at(u, v) for u, v in half), at(8.6, 0), *(at(u, -v) for u, v in half[:0:-1])], wood, shade=1.2)
        )
        shapes.append(ellipse(at(1.8, 0), (2.2, 2.2), (70, 46, 44)))
        shapes.append(tube([at(-5.6, -2.4), at(-5.6, 2.4)], [0.5, 0.5], (84, 56, 50), shade=0))
        shapes += [tube([at(-5.6, v), at(29, v * 0.5)], [0.07, 0.07], (246, 236, 220), shade=0) for v in (-0.6, 0, 0.6)]
    elif look.held is None and "book" in worn:
        cover = look.colours["book"]
        c = middle + ((3.6, 2.6) if bones.turn else (0.0, 2.4))
        if bones.turn:
            pages = [(0, -2.6), (5.2, 1.8), (4.4, 6.0), (-0.6, 1.4)]
            shapes += [
                polygon([c + (-0.5, -0.5) + p for p in pages], cover),
                polygon([c + p for p in pages], (250, 246, 238), shade=0.4),
            ]
        else:
            for s in (-1, 1):
                shapes.append(
                    polygon(
                        [c + (s * x, y) for x, y in [(0, -3.4), (5.6, -2.6), (5.6, 4.2), (0, 3.2)]],
                        cover if s > 0 else lighter(cover, 0.1),
                    )
                )
            shapes.append(tube([c + (-5.4, 4.4), c + (0, 3.3), c + (5.4, 4.4)], [0.45] * 3, (250, 246, 238), shade=0))
    elif "camera" in worn:
        colour = look.colours["camera"]
        c = middle + ((1.8, 1.4) if bones.turn else (0.0, 1.6))
        c[1] = min(c[1], bones.head[1] - bones.build.head * (0.46 if not bones.turn else 0.2))
        box = [
            c + p
            for p in [
                (-4.2, -2.4),
                (4.2, -2.4),
                (4.2, 2.2),
                (1.6, 2.4),
                (1.2, 3.6),
                (-1.2, 3.6),
                (-1.6, 2.4),
                (-4.2, 2.2),
            ]
        ]
        shapes += [
            polygon(box, colour, shade=0.5),
            polygon([c + p for p in [(-4.2, 0.9), (4.2, 0.9), (4.2, 2.0), (-4.2, 2.0)]], (196, 190, 186)),
        ]
        lens = c + (1.6 * bones.turn, -0.3)
        shapes += [
            ellipse(lens, (2.1, 2.1), lighter(colour, 0.2), shade=0.4),
            ellipse(lens, (1.4, 1.4), (44, 56, 84)),
            ellipse(lens + (-0.4, 0.5), (0.4, 0.4), (255, 255, 255), opacity=0.8),
        ]
    return shapes


def _backpack(look: Look, bones: Skeleton) -> tuple[list[Shape], list[Shape], list[Shape]]:
    """(behind the torso, over the torso, over everything): where it shows depends on the side we see."""
    b, sy, colour = bones.build, bones.build.shoulder_y, look.colours["backpack"]
    if look.view == "back":
        w = b.shoulder * 0.8
        sack = blob(
            [
                bones.torso(x, y)
                for x, y in [
                    (-w, sy - 2),
                    (-w * 0.6, sy + 1.0),
                    (w * 0.6, sy + 1.0),
                    (w, sy - 2),
                    (w * 1.06, b.waist_y - 4),
                    (w * 0.7, b.waist_y - 6),
                    (-w * 0.7, b.waist_y - 6),
                    (-w * 1.06, b.waist_y - 4),
                ]
            ],
            colour,
            shade=1.6,
        )
        pocket = blob(
            [
                bones.torso(x, y)
                for x, y in [
                    (-w * 0.66, b.waist_y + 4),
                    (w * 0.66, b.waist_y + 4),
                    (w * 0.7, b.waist_y - 4.4),
                    (-w * 0.7, b.waist_y - 4.4),
                ]
            ],
            darker(colour, 0.14),
            shade=0.7,
        )
        flap = tube(
            [bones.torso(-w, sy - 8), bones.torso(0, sy - 9), bones.torso(w, sy - 8)],
            [0.4] * 3,
            darker(colour, 0.3),
            shade=0,
        ).clipped(sack)
        return (
            [],
            [],
            [
                sack,
                flap,
                pocket,
                tube(
                    [bones.torso(-1.6, sy + 0.6), bones.torso(0, sy + 2.4), bones.torso(1.6, sy + 0.6)],
                    [0.4] * 3,
                    darker(colour, 0.3),
                    shade=0,
                ),
            ],
        )
    if bones.turn:
        s = -b.shoulder * 0.72
        sack = blob(
            [
                bones.torso(s + x, y)
                for x, y in [
                    (2, sy - 0.5),
                    (-3.6, sy - 1.0),
                    (-6.6, sy - 7),
                    (-7.0, b.waist_y - 1),
                    (-4.6, b.waist_y - 4.5),
                    (2, b.waist_y - 4),
                ]
            ],
            colour,
            shade=1.4,
        )
        pocket = blob(
            [
                bones.torso(s + x, y)
                for x, y in [
                    (-4.4, b.waist_y + 6),
                    (-7.6, b.waist_y + 5),
                    (-8.2, b.waist_y - 1.5),
                    (-4.8, b.waist_y - 2.5),
                ]
            ],
            darker(colour, 0.15),
            shade=0.6,
        )
        strap = tube(
            [
                bones.torso(s + 2.6, sy + 0.2),
                bones.torso(s + 5.0, sy - 5),
                bones.torso(s + 4.0, sy - 12),
                bones.torso(s + 1, b.waist_y + 2),
            ],
            [0.95] * 4,
            darker(colour, 0.18),
            shade=0.2,
        )
        return [pocket, sack], [strap], []
    w = b.shoulder * 0.82
    sack = blob(
        [
            bones.torso(x, y)
            for x, y in [(-w, sy + 0.6), (0, sy + 4.2), (w, sy + 0.6), (w * 1.1, b.waist_y), (-w * 1.1, b.waist_y)]
        ],
        colour,
        shade=1.2,
    )
    straps = [
        tube(
            [
                bones.torso(s * b.shoulder * 0.52, sy + 0.9),
                bones.torso(s * b.shoulder * 0.56, sy - 7),
                bones.torso(s * (b.waist + 0.9), b.waist_y + 1),
            ],
            [0.95, 0.95, 0.8],
            darker(colour, 0.12),
            shade=0.2,
        )
        for s in (-1, 1)
    ]
    return [sack], straps, []


def _scarf(look: Look, bones: Skeleton) -> list[Shape]:
    colour, sy = look.colours["scarf"], bones.build.shoulder_y
    o = 0.5 * bones.turn
    x = -2.4 if look.view == "back" else 2.4
    tails = [
        tube(
            [bones.torso(x + o, sy + 1.4), bones.torso(x + 1.0 + o, sy - 7), bones.torso(x + 0.6 + o, sy - 16)],
            [1.6, 1.8, 2.0],
            darker(colour, 0.06),
            shade=0.8,
        ),
    ]
    if bones.turn:
        tails.append(
            tube(
                [bones.torso(-2.6, sy + 1.4), bones.torso(-9, sy - 1), bones.torso(-16, sy - 0.2)],
                [1.4, 1.7, 2.0],
                darker(colour, 0.14),
                shade=0.8,
            )
        )
    stripe = tube(
        [bones.torso(x - 1.4 + o, sy - 14), bones.torso(x + 3.0 + o, sy - 14)],
        [0.6, 0.6],
        lighter(colour, 0.5),
        shade=0,
    ).clipped(tails[0])
    w = bones.build.head * 0.24
    wrap = tube(
        [bones.torso(-w + o, sy + 2.4), bones.torso(o, sy + 1.2), bones.torso(w + o, sy + 2.4)],
        [1.9, 2.2, 1.9],
        colour,
        shade=0.8,
    )
    return [*tails[::-1], stripe, wrap]


def _animal(look: Look, bones: Skeleton, left: float, right: float) -> list[Shape]:
    """A dog or cat that stands beside the person, on the side that is free."""
    dog = "dog" in look.accessories
    colour = look.colours["dog" if dog else "cat"]
    pale = lighter(colour, 0.55)
    s = 1.0 if dog else 0.8
    o = np.array([right + 13.0 * s, 0.0]) if not bones.turn else np.array([left - 11.0 * s, 0.0])

    def at(*points: tuple[float, float]) -> list[Points]:
        return [o + np.array(p) * s for p in points]

    legs = [
        tube(at((x, 10), (x + dx, 5), (x + dx, 0.9)), [2.0 * s, 1.2 * s, 1.0 * s], darker(colour, d), shade=0.4)
        for x, dx, d in ((-6.4, -0.6, 0.2), (6.0, 0.6, 0.2), (-8.2, 0.2, 0), (4.2, 0.2, 0))
    ]
    paws = [tube(at((x, 0.8), (x + 1.2, 0.75)), [0.9 * s, 0.75 * s], pale, shade=0.2) for x in (-7.0, 6.6, -8.0, 4.4)]
    tail_line = at((-9, 12), (-13, 14), (-13.5, 19)) if dog else at((-9, 11), (-14, 11), (-14.5, 19), (-12, 22))
    tail = tube(
        tail_line, [1.5 * s, 1.3 * s, 0.5 * s] if dog else [1.2 * s, 1.1 * s, 1.0 * s, 0.8 * s], colour, shade=0.5
    )
    body = tube(at((-7, 10.6), (-1, 10.8), (5.5, 12)), [3.6 * s, 3.5 * s, 4.1 * s], colour, shade=1.1)
    chest = ellipse(o + np.array((7.6, 10.4)) * s, (2.2 * s, 3.0 * s), pale, opacity=0.9).clipped(body)
    neck = tube(at((6, 13), (8, 17.5)), [3.2 * s, 2.8 * s], colour, shade=0.3)
    skull = ellipse(o + np.array((9.2, 19.6)) * s, (4.0 * s, 3.7 * s), colour, shade=0.8)
    if dog:
        ears = [
            blob(at((6.4, 22.6), (4.4, 21.4), (4.2, 17.0), (6.4, 17.6), (7.6, 20.8)), darker(colour, 0.25), shade=0.3)
        ]
        muzzle = [
            tube(at((10.6, 18.2), (14.0, 17.9)), [2.4 * s, 1.7 * s], pale, shade=0.4),
            ellipse(o + np.array((15.2, 18.7)) * s, (0.95 * s, 0.75 * s), (48, 40, 46)),
        ]
    else:
        ears = [
            polygon(at((x, 21.6), (x + 0.4, 26.4), (x + 3.4, 23.0)), darker(colour, d), shade=0.3)
            for x, d in ((9.2, 0.2), (5.6, 0.0))
        ]
        muzzle = [
            ellipse(o + np.array((11.6, 18.4)) * s, (1.7 * s, 1.2 * s), pale),
            ellipse(o + np.array((12.4, 19.0)) * s, (0.5 * s, 0.38 * s), (200, 110, 110)),
        ]
    eye = ellipse(o + np.array((10.8, 20.6)) * s, (0.55 * s, 0.7 * s), (44, 36, 44))
    collar = tube(at((5.2, 15.6), (7.6, 14.2), (10.2, 14.6)), [0.6 * s] * 3, look.colours["accent"], shade=0)
    first = ears[:1] if not dog else []
    return [
        tail,
        *legs[:2],
        *paws[:2],
        body,
        chest,
        *legs[2:],
        *paws[2:],
        neck,
        collar,
        *first,
        skull,
        *muzzle,
        eye,
        *(ears if dog else ears[1:]),
    ]


def _seat(look: Look, bones: Skeleton) -> list[Shape]:
    """A wooden block to sit on."""
    top = bones.pelvis[1] - bones.build.leg_radii[0] - 0.9
    wood = (188, 142, 104)
    x0, x1 = (-9.5, 11.0) if bones.turn else (-12.0, 12.0)
    shapes = [
        tube([(x, top - 1), (x * 1.04, 0.9)], [1.15, 0.9], darker(wood, d), shade=0.4)
        for x, d in ((x0 + 4, 0.35), (x1 - 4, 0.35), (x0 + 1.6, 0.12), (x1 - 1.6, 0.12))
    ]
    return [*shapes, tube([(x0, top - 1.0), (x1, top - 1.0)], [1.35, 1.35], wood, shade=0.9)]


def props(look: Look, bones: Skeleton) -> dict[str, list[Shape]]:
    """Shapes by place: "back" (behind all), "body" (over the torso), "hand" (under the fist), "front" (over all)."""
    places: dict[str, list[Shape]] = {"back": [], "body": [], "hand": [], "front": []}
    if look.pose == "sit":
        places["back"] += _seat(look, bones)
    if "backpack" in look.accessories and look.full != "spacesuit":
        behind, over, top = _backpack(look, bones)
        places["back"] += behind
        places["body"] += over
        places["front"] += top
    if look.full == "spacesuit" and look.view != "back":
        b, sy = bones.build, bones.build.shoulder_y
        w, o = (b.shoulder, 0.0) if not bones.turn else (b.shoulder * 0.7, -b.shoulder * 0.6)
        box = [bones.torso(x + o, y) for x, y in [(-w, sy + 3), (w, sy + 3), (w, b.waist_y - 2), (-w, b.waist_y - 2)]]
        places["back"].append(
            blob([p for p in box for _ in (0, 1)], darker(look.colours["spacesuit"], 0.16), shade=1.2)
        )
    if "scarf" in look.accessories and look.full != "spacesuit":
        places["body"] += _scarf(look, bones)
    if look.held == "umbrella":
        behind, over = _umbrella(look, bones)
        places["back"] += behind[:1]
        places["hand"] += [behind[1], *over]
    simple = {"balloon": _balloon, "lantern": _lantern, "bouquet": _bouquet, "suitcase": _hung, "handbag": _hung}
    if look.held in simple:
        places["hand"] += simple[look.held](look, bones)
    elif look.held in ("phone", "cup", "sword", "cane"):
        places["hand"] += _small(look, bones)
    places["hand"] += _both_hands(look, bones)
    if {"dog", "cat"} & set(look.accessories):
        ends = np.array([*bones.ankles, *bones.knees])[:, 0]
        places["front"] += _animal(look, bones, float(ends.min()), float(ends.max()))
    return places
