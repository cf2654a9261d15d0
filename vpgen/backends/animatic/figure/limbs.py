"""Arms, hands, legs and shoes, in skin or cloth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import (
    Colour,
    Points,
    Shape,
    blob,
    darker,
    ellipse,
    lighter,
    polygon,
    pts,
    tube,
)

_EASE = {"shirt": 0.35, "dress": 0.3, "suit": 0.6, "uniform": 0.55, "sweater": 0.8, "tshirt": 0.7}
"""How far a sleeve stands off the arm, in units."""


def between(a: Points, b: Points, t: float) -> Points:
    """The point at a fraction of the way from a to b."""
    return a + (b - a) * t


def _across(a: Points, b: Points) -> tuple[Points, Points]:
    """Unit vectors along and across the line from a to b."""
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    return along, np.array([-along[1], along[0]])


def _band(a: Points, b: Points, t: float, radius: float, width: float, colour: Colour) -> Shape:
    """A straight band across a limb at a fraction of the way between two joints: a cuff, a ring."""
    along, across = _across(a, b)
    centre, across, half = between(a, b, t), across * radius, along * width / 2
    corners = [centre - across - half, centre + across - half, centre + across + half, centre - across + half]
    return polygon(corners, colour, shade=0.6)


def _limb(
    joints: tuple[Points, Points, Points],
    radii: tuple[float, ...],
    colour: Colour,
    *,
    ease: tuple[float, ...] = (0, 0, 0, 0, 0),
    flat: bool = False,
) -> Shape:
    """A limb through three joints; `ease` is how far the cloth stands off at each of the five radii."""
    a, b, c = joints
    spine = [a, between(a, b, 0.5), b, between(b, c, 0.4), c]
    return tube(spine, [r + e for r, e in zip(radii, ease, strict=True)], colour, shade=0.9, flat=flat)


def _fold(a: Points, b: Points, radius: float, colour: Colour) -> Shape:
    """A crease that starts at the inside of a joint."""
    along, across = _across(a, b)
    line = [a - across * radius, a + along * 0.5, a + across * radius * 0.45 + along * 1.3]
    return tube(line, [0.05, 0.3, 0.05], darker(colour, 0.28), shade=0)


def _is_holding(look: Look, i: int) -> bool:
    return i == (0 if look.view == "side" else 1) and look.held is not None


def hand(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """A hand that goes on where the forearm points: open in a gesture, a fist round a thing, else at ease."""
    skin = look.colours["skin"]
    if look.full == "spacesuit":
        skin = darker(look.colours["spacesuit"], 0.18)
    if look.who == "robot":
        skin = darker(look.colours["robot"], 0.25)
    wrist = bones.wrists[i]
    along, across = _across(bones.elbows[i], wrist)
    thumb = (1.0 if along[1] < 0 else -1.0) * (1 if bones.turn or i == 0 else -1)
    size = bones.build.arm_radii[4] * (1.25 if look.full == "spacesuit" else 1.0)

    def finger(points: list[tuple[float, float]], radii: list[float], shade: float = 0.0) -> Shape:
        places = [wrist + (along * u + across * v * thumb) * size for u, v in points]
        return tube(places, [r * size for r in radii], skin, shade=shade)

    if _is_holding(look, i) or {"book", "guitar", "camera"} & set(look.accessories):
        return [
            finger([(-0.4, 0), (0.9, 0.1), (2.1, 0.3)], [0.95, 1.2, 1.0], 0.5),
            finger([(0.7, 0.6), (1.7, 1.2), (2.4, 0.9)], [0.5, 0.45, 0.35], 0.2),
        ]
    if look.pose in ("wave", "spread", "dance"):
        return [
            *(
                finger([(1.5, 0.55 * k), (3.0, 0.9 * k), (4.3 - 0.25 * abs(k), 1.2 * k)], [0.42, 0.38, 0.28])
                for k in (-1.1, -0.35, 0.4, 1.1)
            ),
            finger([(0.3, 0.7), (1.4, 1.7), (2.2, 2.1)], [0.5, 0.42, 0.3]),
            finger([(-0.4, 0), (0.9, 0), (2.0, 0)], [0.95, 1.1, 0.95], 0.4),
        ]
    return [
        finger([(-0.4, 0), (1.0, 0), (2.5, 0.1), (3.9, 0.35)], [0.95, 1.14, 1.02, 0.6], 0.45),
        finger([(0.6, 0.5), (1.7, 1.15), (2.7, 1.2)], [0.55, 0.48, 0.32], 0.2),
    ]


_SHOES = {
    "side": (
        "-2.5,.1 -2.9,1.6 -2.2,3.6 -1.9,5 1.9,5 2.5,3.7 5.4,2.5 7.7,1.6 8,.1 8,.1 -2.5,.1",
        "-2.7,0 -2.8,.95 2,.8 5.5,.85 8.3,.95 8.1,0 8.1,0 -2.7,0",
    ),
    "front": (
        "-1.9,.1 -2.05,1.9 -1.55,4.9 1.55,4.9 2.2,2.5 3.1,1.1 2.7,.1 2.7,.1 -1.9,.1",
        "-2.1,0 -2.2,.8 0,.65 3.3,.8 3.1,0 3.1,0 -2.1,0",
    ),
    "back": (
        "-1.9,.1 -2,1.9 -1.55,4.9 1.55,4.9 1.95,2.2 1.6,.1 1.6,.1 -1.9,.1",
        "-2.1,0 -2.15,.8 0,.65 1.9,.8 1.8,0 1.8,0 -2.1,0",
    ),
}
"""Upper and sole of a shoe, its ankle at (0, 4.4), toes to the right."""


def foot(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """A shoe with its sole; boots have a shaft. From the front it is foreshortened."""
    colour = look.colours["shoes"]
    if look.full == "spacesuit":
        colour = darker(look.colours["spacesuit"], 0.2)
    if look.who == "robot":
        colour = darker(look.colours["robot"], 0.35)
    size = bones.build.leg_radii[4] / 1.65 * (1.25 if look.full == "spacesuit" else 1.0)
    angle = np.radians(bones.feet[i])
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    outward = 1.0 if bones.turn or i == 1 else -1.0

    def at(points: ArrayLike) -> Points:
        p = np.asarray(points, np.float64) * (size * outward, 1.0) - (0, 4.4)
        placed: Points = p @ turned + bones.ankles[i]
        return placed

    upper, sole = (at(pts(outline)) for outline in _SHOES[look.view])
    rubber: Colour = (246, 244, 240)
    trainers = (sum(colour) > 380 or look.outer in ("hoodie", "jacket")) and not look.boots
    shapes = [blob(upper, colour, shade=0.7), blob(sole, rubber if trainers else darker(colour, 0.45), shade=0)]
    if trainers and bones.turn:
        shapes.append(tube(list(at([(2.2, 3.5), (3.4, 3.0)])), [0.25, 0.25], rubber, shade=0))
    if look.boots or look.full == "spacesuit":
        a, k = bones.ankles[i], bones.knees[i]
        r = bones.build.leg_radii[4] + (2.2 if look.full == "spacesuit" else 1.5)
        shaft = tube([a, between(a, k, 0.2), between(a, k, 0.46)], [r * 0.92, r, r * 1.15], colour, flat=True)
        shapes = [shaft, _band(a, k, 0.45, r * 1.2, 1.0, lighter(colour, 0.2)), *shapes]
    return shapes


def bare_legged(look: Look) -> bool:
    """Do the legs show?"""
    if look.full == "hanbok":
        return look.feminine
    return look.full in ("dress", "kimono") or (look.full is None and look.bottom in ("skirt", "shorts"))


def leg(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """One leg: skin, trousers, jeans, shorts, or the thick sleeve of a spacesuit."""
    radii = bones.build.leg_radii
    joints = hip, knee, ankle = bones.hips[i], bones.knees[i], bones.ankles[i]
    shadow = 0.17 if bones.turn and i == 1 else 0.0
    if look.full == "spacesuit":
        white = darker(look.colours["spacesuit"], shadow / 2)
        rings = [_band(knee, ankle, t, radii[2] + 1.6, 1.3, darker(white, 0.2)) for t in (0.0, 0.2)]
        return [_limb(joints, radii, white, ease=(1.2, 1.3, 1.5, 1.6, 1.6)), *rings]
    if look.who == "robot":
        metal = darker(look.colours["robot"], shadow)
        cap = ellipse(knee, (radii[2] + 0.5,) * 2, darker(metal, 0.35), shade=0.6)
        return [_limb(joints, radii, metal), cap]
    colour = darker(look.colours["bottom"], shadow)
    if bare_legged(look):
        shapes = [_limb(joints, radii, darker(look.colours["skin"], shadow * 0.7))]
        if look.bottom == "shorts" and look.full is None:
            spine = [hip, between(hip, knee, 0.4), between(hip, knee, 0.78)]
            shapes.append(tube(spine, [radii[0] + 0.3, radii[1] + 0.5, radii[2] + 1.1], colour, flat=True))
        elif (look.outer == "uniform" or look.age == "child") and sum(look.colours["shoes"]) < 500:
            sock = [between(knee, ankle, 0.74), between(knee, ankle, 0.9), ankle]
            shapes.append(tube(sock, [radii[3] - 0.25, radii[4] + 0.45, radii[4] + 0.2], (246, 244, 240), shade=0.6))
        return shapes
    ease = (0.2, 0.35, 0.55, 0.6, 0.8) if look.feminine else (0.2, 0.35, 0.6, 0.7, 1.0)
    if look.variant > 0.7 and look.bottom == "trousers" and look.outer != "suit" and not bones.turn:
        ease = (0.2, 0.5, 1.0, 1.4, 1.9)
    cloth = _limb(joints, radii, colour, ease=ease, flat=True)
    shapes = [cloth, _fold(knee, ankle, radii[2], colour).clipped(cloth)]
    if look.bottom == "jeans":
        shapes.append(_band(knee, ankle, 0.96, radii[4] + ease[4] + 0.15, 1.5, lighter(colour, 0.35)))
    return shapes


def _wide_sleeve(look: Look, bones: Skeleton, i: int, colour: Colour) -> list[Shape]:
    """The hanging sleeve of a hanbok or kimono with its cuff."""
    a, b, c = bones.shoulders[i], bones.elbows[i], bones.wrists[i]
    radii = bones.build.arm_radii
    droop = 3.0 if look.full == "hanbok" else 6.5
    along, across = _across(b, c)
    hang = np.array([0.0, -1.0])
    if abs(along[1]) > 0.8:
        hang = across * (1 if (across[0] < 0) == (i == 0) else -1)
    upper = [a + (0, radii[0]), between(a, b, 0.6) + (0, 1.6), b - hang * 1.6, c - hang * 1.6]
    lower = [c + hang * droop, between(b, c, 0.4) + hang * (droop + 0.6), b + hang * 2.6, a - (0, 3)]
    wide = blob([*upper, upper[-1], lower[0], *lower], colour)
    trim = tube(
        [c - hang * 2 - along * 0.6, c + hang * droop - along * 0.6], [0.75, 0.75], lighter(colour, 0.65), shade=0
    )
    return [_limb((a, b, c), radii, colour, ease=(0.5, 0.5, 0.5, 0.5, 0.5)), wide, trim.clipped(wide)]


def arm(look: Look, bones: Skeleton, i: int) -> tuple[list[Shape], list[Shape]]:
    """(hand, sleeve) of one arm; the sleeve's end lies over the wrist."""
    radii = bones.build.arm_radii
    joints = a, b, c = bones.shoulders[i], bones.elbows[i], bones.wrists[i]
    slot, garment = look.sleeved
    shadow = 0.15 if bones.turn and i == 1 else 0.0
    colour = darker(look.colours[slot], shadow)
    hands = hand(look, bones, i)
    if look.who == "robot":
        metal = darker(look.colours["robot"], shadow)
        return hands, [_limb(joints, radii, metal), ellipse(b, (radii[2] + 0.4,) * 2, darker(metal, 0.35), shade=0.5)]
    if garment == "spacesuit":
        rings = [_band(b, c, t, radii[3] + 1.7, 1.2, darker(colour, 0.18)) for t in (0.05, 0.9)]
        return hands, [_limb(joints, radii, colour, ease=(1.2, 1.6, 1.6, 1.6, 1.6)), *rings]
    if garment in ("hanbok", "kimono"):
        return hands, _wide_sleeve(look, bones, i, colour)
    ease = _EASE.get(garment, 0.9)
    if garment == "tshirt" or (garment == "dress" and look.variant < 0.6):
        end = 0.6 if garment == "tshirt" else 0.36
        spine = [a, between(a, b, end * 0.5), between(a, b, end)]
        cloth = tube(spine, [radii[0] + 0.3, radii[1] + 0.7, radii[1] + 0.95], colour, flat=True)
        return hands, [_limb(joints, radii, darker(look.colours["skin"], shadow * 0.7)), cloth]
    cloth = _limb(joints, radii, colour, ease=(ease * 0.6, ease, ease + 0.05, ease + 0.15, ease + 0.3), flat=True)
    jacket = garment in ("suit", "uniform")
    cuff = look.colours["lining"] if jacket else darker(colour, 0.15)
    band = _band(b, c, 0.98, radii[4] + ease + 0.35, 0.8 if jacket else 1.5, cuff)
    return hands, [cloth, _fold(b, c, radii[2], colour).clipped(cloth), band]
