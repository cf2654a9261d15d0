"""What a figure wears over its clothes, sits on or is accompanied by, and where each thing is drawn."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.held import held
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import (
    Points,
    Shape,
    blob,
    darker,
    ellipse,
    lighter,
    polygon,
    tube,
)


def _backpack(look: Look, bones: Skeleton) -> tuple[list[Shape], list[Shape], list[Shape]]:
    """(behind the torso, over the torso, over everything): where it shows depends on the side we see."""
    b, colour = bones.build, look.colours["backpack"]
    w, low = b.shoulder, b.waist_y - b.shoulder_y
    trim, lid = darker(colour, 0.2), darker(colour, 0.3)

    def at(outline: list[tuple[float, float]]) -> list[Points]:
        return [bones.torso(x, b.shoulder_y + y) for x, y in outline]

    def both(half: list[tuple[float, float]]) -> list[Points]:
        return at([*half, *((-x, y) for x, y in half[::-1])])

    if look.view == "back":
        sack = blob(both([(w * 0.5, 1), (w * 0.8, -2), (w * 0.85, low - 4), (w * 0.56, low - 6)]), colour, shade=1.6)
        pocket = blob(both([(w * 0.53, low + 4), (w * 0.56, low - 4.4)]), darker(colour, 0.14), shade=0.7)
        flap = tube(at([(-w, -8), (0, -9), (w, -8)]), [0.4] * 3, lid, shade=0).clipped(sack)
        loop = tube(at([(-1.6, 0.6), (0, 2.4), (1.6, 0.6)]), [0.4] * 3, lid, shade=0)
        return [], [], [sack, flap, pocket, loop]
    if bones.turn:
        s = -0.72 * w
        bag = [(2, -0.5), (-3.6, -1), (-6.6, -7), (-7, low - 1), (-4.6, low - 4.5), (2, low - 4)]
        pouch = [(-4.4, low + 6), (-7.6, low + 5), (-8.2, low - 1.5), (-4.8, low - 2.5)]
        strap = at([(s + 2.6, 0.2), (s + 5, -5), (s + 4, -12), (s + 1, low + 2)])
        sack = blob(at([(s + x, y) for x, y in bag]), colour, shade=1.4)
        return [blob(at([(s + x, y) for x, y in pouch]), trim, shade=0.6), sack], [tube(strap, [0.95] * 4, trim)], []
    sack = blob(both([(0.1, 4.2), (w * 0.82, 0.6), (w * 0.9, low)]), colour, shade=1.2)
    lines = [[(s * w * 0.4, 1.2), (s * w * 0.46, -7), (s * (b.waist + 0.9), low + 1)] for s in (-1, 1)]
    return [sack], [tube(at(line), [0.95, 0.95, 0.8], trim, shade=0.2) for line in lines], []


def _scarf(look: Look, bones: Skeleton) -> list[Shape]:
    """A scarf round the neck with an end in front, and one in the wind behind somebody who is turned."""
    colour, side = look.colours["scarf"], -1.0 if look.view == "back" else 1.0
    end = tube(
        list(bones.chest("2.4,1.4 3.4,-7 3,-16", flip=side, shift=0.5)),
        [1.6, 1.8, 2.0],
        darker(colour, 0.06),
        flat=True,
    )
    stripe = tube(
        list(bones.chest("-1,-13.5 7,-13.5", flip=side, shift=0.5)), [0.6, 0.6], lighter(colour, 0.5), shade=0
    )
    w = bones.build.head * 0.24
    wrap = tube(list(bones.chest(f"{-w},2.4 0,1.2 {w},2.4", shift=0.5)), [1.9, 2.2, 1.9], colour, shade=0.8)
    wind = tube(list(bones.chest("-2.6,1.4 -9,-1 -16,-.2", shift=0)), [1.4, 1.7, 2.0], darker(colour, 0.14), flat=True)
    return [*([wind] if bones.turn else []), end, stripe.clipped(end), wrap]


def _animal(look: Look, bones: Skeleton) -> list[Shape]:
    """A dog or cat that stands beside the person, on the side that is free."""
    dog = "dog" in look.accessories
    colour = look.colours["dog" if dog else "cat"]
    pale = lighter(colour, 0.55)
    s = 1.0 if dog else 0.8
    reach = np.array([*bones.ankles, *bones.knees])[:, 0]
    reach = np.append(reach, (-12, 12)) if look.pose == "sit" else reach
    o = np.array([reach.min() - 14.0 * s if bones.turn else reach.max() + 15.0 * s, 0.0])

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


def _seat(bones: Skeleton) -> list[Shape]:
    """A wooden block to sit on."""
    top = bones.pelvis[1] - bones.build.leg_radii[0] - 0.9
    wood = (188, 142, 104)
    x0, x1 = (-9.5, 11.0) if bones.turn else (-12.0, 12.0)
    shapes = [
        tube([(x, top - 1), (x * 1.04, 0.9)], [1.15, 0.9], darker(wood, d), shade=0.4)
        for x, d in ((x0 + 4, 0.35), (x1 - 4, 0.35), (x0 + 1.6, 0.12), (x1 - 1.6, 0.12))
    ]
    return [*shapes, tube([(x0, top - 1.0), (x1, top - 1.0)], [1.35, 1.35], wood, shade=0.9)]


def _life_support(look: Look, bones: Skeleton) -> Shape:
    """The pack on an astronaut's back, seen past the shoulders."""
    b = bones.build
    w, o = (b.shoulder * 0.7, -b.shoulder * 0.6) if bones.turn else (b.shoulder, 0.0)
    box = [(-w, b.shoulder_y + 3), (w, b.shoulder_y + 3), (w, b.waist_y - 2), (-w, b.waist_y - 2)]
    corners = [bones.torso(x + o, y) for x, y in box for _ in (0, 1)]
    return blob(corners, darker(look.colours["spacesuit"], 0.16), shade=1.2)


def props(look: Look, bones: Skeleton) -> dict[str, list[Shape]]:
    """Shapes by place: "back" (behind all), "body" (over the torso), "hand" (under the fist), "front" (over all)."""
    places: dict[str, list[Shape]] = {"back": [], "body": [], "hand": held(look, bones), "front": []}
    if look.pose == "sit":
        places["back"] += _seat(bones)
    if look.full == "spacesuit":
        places["back"] += [_life_support(look, bones)] if look.view != "back" else []
    else:
        if "backpack" in look.accessories:
            behind, over, top = _backpack(look, bones)
            places["back"] += behind
            places["body"] += over
            places["front"] += top
        places["body"] += _scarf(look, bones) if "scarf" in look.accessories else []
    if {"dog", "cat"} & set(look.accessories):
        places["front"] += _animal(look, bones)
    return places
