"""Everyday clothes on the torso: tops, skirts, dresses, coats, jackets."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.limbs import between
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import (
    Colour,
    Points,
    Shape,
    blob,
    darker,
    ellipse,
    lighter,
    merged,
    polygon,
    tube,
)

HEMS = {"dress": 0.42, "skirt": 0.6, "coat": 0.34, "raincoat": 0.46, "hanbok": 0.05, "kimono": 0.07}
"""Where a hem hangs, as a fraction of the height of the hip above the ground."""
_WHITE: Colour = (246, 244, 240)


def bodice(bones: Skeleton, hem: float, ease: float, colour: Colour) -> Shape:
    """A top from the collar to `hem` (a height on the upright torso), standing off by `ease`."""
    b, sy = bones.build, bones.build.shoulder_y
    s, w, h = b.shoulder * bones.width + ease * 0.5, bones.waist_half + ease, bones.hip_half + ease
    bust = s * (0.9 if b.head < 15 else 0.84)
    half = [(1.9, sy + 2.4), (s * 0.6, sy + 0.9), (s * 0.93, sy - 1.5), (bust, sy - 7.5), (w, b.waist_y)]
    if hem < b.hip_y + 4:
        half.append((h, b.hip_y + 0.5))
    edge = h + 0.1 if hem < b.hip_y + 4 else w + (h - w) * 0.4
    bottom = [(edge, hem), (edge, hem), (0, hem - 0.4), (-edge, hem), (-edge, hem)]
    chest = 0.7 * bones.turn
    right = [(x + chest * (n in (2, 3)), y) for n, (x, y) in enumerate(half)]
    return blob([bones.torso(x, y) for x, y in [*right, *bottom, *((-x, y) for x, y in half[::-1])]], colour, shade=1.3)


def _leg_at(bones: Skeleton, i: int, y: float) -> float:
    """Where a leg is at a height above the ground."""
    path = np.array([bones.ankles[i], bones.knees[i], bones.hips[i]])
    return float(np.interp(y, np.maximum.accumulate(path[:, 1]), path[:, 0]))


def skirt(
    look: Look, bones: Skeleton, colour: Colour, kind: str, top: float, flare: float
) -> tuple[Shape, list[Shape]]:
    """(cloth, folds) from `top` to a hem that follows the legs; over the thighs of somebody who sits."""
    b = bones.build
    hem = bones.pelvis[1] * (0.16 if kind == "dress" and look.variant > 0.7 else HEMS[kind])
    if look.pose == "sit" and bones.turn:
        knee, hip = (bones.knees[0] + bones.knees[1]) / 2, (bones.hips[0] + bones.hips[1]) / 2
        end = np.array([knee[0] + 1.8, 5.0 if kind in ("hanbok", "kimono") else knee[1] - 9])
        spine = [bones.torso(0, top), hip, knee + (0.6, 0.4), end]
        widths = [bones.waist_half, b.leg_radii[0] + 1.6, b.leg_radii[2] + 2.6, b.leg_radii[2] + 2.6]
        cloth = tube(spine, widths, colour, flat=True)
        crease = tube(
            [hip + (1, 2), between(hip, knee, 0.5) + (0, 1.6), knee + (-1, 1)], [0.05, 0.35, 0.05], darker(colour, 0.2)
        )
        return cloth, [crease.clipped(cloth)]
    legs = [_leg_at(bones, i, hem) for i in (0, 1)]
    left, right = min(legs) - b.leg_radii[2] - flare, max(legs) + b.leg_radii[2] + flare
    w, h = bones.waist_half + 0.4, bones.hip_half + 0.7 + 0.12 * flare
    waist = [bones.torso(x, top) for x in (-w, w)]
    hips = [bones.torso(x, b.hip_y if top < b.waist_y + 4 else (top + b.hip_y) / 2) for x in (-h, h)]
    wave = [
        np.array([right + (left - right) * t / 6, hem + (0.7 if t % 2 else -0.3) - 0.9 * np.sin(np.pi * t / 6)])
        for t in range(7)
    ]
    outline = [waist[0], waist[0], waist[1], waist[1], hips[1], wave[0], *wave, wave[-1], hips[0]]
    cloth = blob(outline, colour, shade=1.5)
    folds = []
    for t, deep in ((0.24, 0.15), (0.52, 0.2), (0.78, 0.24)):
        start, end = between(waist[0], waist[1], 0.2 + 0.6 * t), np.array([left + (right - left) * t, hem - 1])
        spine = [between(start, end, 0.22), between(start, end, 0.6), end]
        folds.append(tube(spine, [0.05, 0.3, 0.8], darker(colour, deep), shade=0).clipped(cloth))
    return cloth, folds


def trousers_seat(look: Look, bones: Skeleton) -> list[Shape]:
    """What joins the legs of trousers below the waist."""
    b = bones.build
    h, w = bones.hip_half + 0.25, bones.waist_half + 0.3
    half = [(w * 0.92, b.hip_y + 5), (h - 0.2, b.hip_y), (h * 0.82, b.hip_y - 4)]
    outline = [*half, (0, b.hip_y - 5.2), *((-x, y) for x, y in half[::-1])]
    return [blob([bones.torso(x, y) for x, y in outline], look.colours["bottom"], shade=0.9)]


def _across(bones: Skeleton, y: float, radius: float, colour: Colour) -> Shape:
    """A band round the torso at a height, wider than it: clip it."""
    return tube([bones.torso(-15, y), bones.torso(0, y - 0.3), bones.torso(15, y)], [radius] * 3, colour, shade=0)


def _creases(bones: Skeleton, colour: Colour) -> list[Shape]:
    """Two folds where a top gathers at the waist."""
    y, w = bones.build.waist_y, bones.waist_half
    lines = (
        ((-w - 0.2, y + 1), (-w * 0.4, y - 0.8), (0, y - 0.4)),
        ((w + 0.3, y + 5), (w * 0.6, y + 3.2), (w * 0.25, y + 3.4)),
    )
    return [tube([bones.torso(*p) for p in line], [0.05, 0.34, 0.05], darker(colour, 0.22), shade=0) for line in lines]


def _buttons(bones: Skeleton, heights: list[float], colour: Colour, x: float = 0.0) -> list[Shape]:
    """A row of buttons at heights below the pit of the neck."""
    return [ellipse(bones.chest(f"{x},{-y}")[0], (0.5, 0.5), colour) for y in heights]


def _seam(bones: Skeleton, top: float, bottom: Points, colour: Colour) -> Shape:
    """The line on which a coat closes, from below the neck to a point."""
    start = bones.chest(f"0,{-top}")[0]
    return tube([start, bones.torso(1.6 * bones.turn, bones.build.hip_y), bottom], [0.12, 0.15, 0.2], colour, shade=0)


def _lapels(look: Look, bones: Skeleton, colour: Colour, over: Shape) -> list[Shape]:
    """The open front of a jacket: shirt, tie and lapels."""
    shapes = [polygon(bones.chest("-2.6,2.2 2.6,2.2 .2,-12"), look.colours["lining"]).clipped(over)]
    if look.outer in ("suit", "uniform") and not (look.feminine and look.outer == "suit"):
        tie = bones.chest("-.8,1 .8,1 .5,-.8 1,-9.4 0,-11.2 -.9,-9.4 -.5,-.8")
        shapes.append(polygon(tie, darker(look.colours["accent"], 0.1)))
    for side, tone in ((-1, lighter(colour, 0.12)), (1, darker(colour, 0.1))):
        flap = bones.chest("1.6,2.3 3,1.3 3.7,-3 2.7,-3.3 3.1,-4.6 .1,-12.4", flip=side)
        shapes.append(polygon(flap, tone).clipped(over))
    return shapes


def _hood(bones: Skeleton, colour: Colour, *, back: bool) -> Shape:
    """A hood that lies on the shoulders."""
    low = -5.4 if back else -2.2
    outline = f"-5.4,-.2 -4.4,2.8 -2,3.9 2,3.9 4.4,2.8 5.4,-.2 2.6,{low * 0.8} 0,{low} -2.6,{low * 0.8}"
    return blob(bones.chest(outline, shift=0.3), darker(colour, 0.1), shade=0.7)


def _details(look: Look, bones: Skeleton, kind: str, colour: Colour, hem: float) -> tuple[list[Shape], list[Shape]]:
    """(on the cloth, over its edge): what tells T-shirt, shirt, sweater, hoodie and jacket apart."""
    back = look.view == "back"
    dark = darker(colour, 0.14)
    on: list[Shape] = _creases(bones, colour)
    over: list[Shape] = []
    if kind in ("sweater", "hoodie", "jacket"):
        on.append(_across(bones, hem + 0.5, 1.1, dark))
    if kind == "hoodie":
        over.append(_hood(bones, colour, back=back))
    if kind in ("tshirt", "sweater"):
        neckline = bones.chest(f"-2.4,2.2 0,{0.9 if back else -0.3} 2.4,2.2", shift=0.6)
        over.append(tube(list(neckline), [0.55] * 3, dark, shade=0))
    if kind == "sweater" and look.variant > 0.5:
        sy = bones.build.shoulder_y
        on += [
            _across(bones, sy - 9, 0.85, lighter(colour, 0.4)),
            _across(bones, sy - 12.2, 0.85, look.colours["accent"]),
        ]
    if back:
        return on, over
    if kind == "hoodie":
        y = bones.build.hip_y - bones.build.shoulder_y
        pocket = f"-3.6,{y + 1} -2.6,{y + 6.5} 2.6,{y + 6.5} 3.6,{y + 1}"
        on.append(polygon(bones.chest(pocket, shift=1), dark))
        over += [
            tube(list(bones.chest(f"{x},-2.2 {x * 1.1},-7.5", shift=1)), [0.22, 0.26], _WHITE) for x in (-1.3, 1.3)
        ]
    elif kind == "jacket":
        y = hem - bones.build.shoulder_y
        on.append(polygon(bones.chest(f"-2,2.4 2.2,2.4 1.1,-15 1.3,{y - 1} -1.1,{y - 1} -.9,-15"), look.colours["top"]))
        on += [polygon(bones.chest("1.2,3 4.2,1.6 3.6,-2.6 1.5,-1.2", flip=s), dark) for s in (-1, 1)]
    elif kind == "shirt":
        on += [
            _seam(bones, 1, bones.torso(1.6 * bones.turn, hem), dark),
            *_buttons(bones, [4, 9, 14, 19], darker(colour, 0.3)),
        ]
        for side, tone in ((-1, lighter(colour, 0.25)), (1, darker(colour, 0.1))):
            over.append(polygon(bones.chest("0,-.9 1.9,2.6 3.3,1.2 2.1,-2.4", flip=side, shift=1), tone))
    return on, over


def _top(look: Look, bones: Skeleton, kind: str, colour: Colour) -> list[Shape]:
    """T-shirt, shirt, sweater, hoodie or jacket."""
    tucked = look.bottom == "skirt" and kind in ("shirt", "tshirt", "sweater")
    hem = bones.build.hip_y + (7 if tucked else -1.5 if kind in ("tshirt", "shirt") else -2.5)
    cloth = bodice(bones, hem, {"hoodie": 1.1, "jacket": 1.0, "sweater": 0.8}.get(kind, 0.35), colour)
    on, over = _details(look, bones, kind, colour, hem)
    return [cloth, *(detail.clipped(cloth) for detail in on), *over]


def _coat(look: Look, bones: Skeleton, kind: str, colour: Colour) -> list[Shape]:
    """Coat or raincoat: bodice and skirt in one piece, and what closes it."""
    b, back = bones.build, look.view == "back"
    cloth, folds = skirt(look, bones, colour, kind, b.waist_y + 1, 2.0 if kind == "coat" else 3.2)
    whole = merged(bodice(bones, b.waist_y - 1.5, 1.1, colour), cloth)
    shapes = [whole, *folds]
    dark = darker(colour, 0.22)
    if kind == "coat" and look.variant < 0.65:
        shapes.append(_across(bones, b.waist_y, 0.95, dark).clipped(whole))
    if kind == "raincoat":
        shapes.append(_hood(bones, colour, back=back))
    if back:
        return shapes
    if look.pose != "sit":
        foot = np.array([bones.torso(1.6 * bones.turn, b.hip_y)[0] + 0.4, bones.pelvis[1] * HEMS[kind] - 1])
        shapes.append(_seam(bones, 11 if kind == "coat" else 3, foot, darker(colour, 0.3)).clipped(whole))
    for side in (-1, 1):
        pocket = [bones.torso(side * x + bones.turn, b.hip_y + y) for x, y in ((2.8, 3.0), (5.0, 1.0))]
        shapes.append(tube(pocket, [0.45, 0.45], dark, shade=0))
    if kind == "coat":
        return [*shapes, *_lapels(look, bones, colour, whole), *_buttons(bones, [14, 20.5], darker(colour, 0.4), 1.4)]
    return [*shapes, *_buttons(bones, [5, 11, 17, 23], lighter(colour, 0.55), 0.9)]


def _blazer(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """The jacket of a suit or uniform."""
    b = bones.build
    cloth = bodice(bones, b.hip_y - 3.5, 0.75, colour)
    shapes = [cloth, *(crease.clipped(cloth) for crease in _creases(bones, colour))]
    hem = bones.torso(1.6 * bones.turn, b.hip_y - 3.5)
    if look.view == "back":
        return [*shapes, tube([bones.torso(0, b.hip_y + 4), hem], [0.12, 0.2], darker(colour, 0.3)).clipped(cloth)]
    metal = (222, 184, 96) if look.outer == "uniform" else darker(colour, 0.5)
    pocket = polygon(bones.chest("3.4,-7.4 5.8,-7 5.8,-6.2 3.4,-6.6", shift=0), lighter(colour, 0.5)).clipped(cloth)
    seam = _seam(bones, 12, hem, darker(colour, 0.35)).clipped(cloth)
    return [*shapes, *_lapels(look, bones, colour, cloth), seam, pocket, *_buttons(bones, [14.5, 19], metal, 0.9)]


def _dress(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A dress: bodice and skirt in one piece, a sash and a round neckline."""
    b = bones.build
    cloth, folds = skirt(look, bones, colour, "dress", b.waist_y + 0.5, 4.0 if look.variant < 0.7 else 5.0)
    whole = merged(bodice(bones, b.waist_y - 2, 0.2, colour), cloth)
    shapes = [whole, *folds, _across(bones, b.waist_y, 0.75, darker(colour, 0.2)).clipped(whole)]
    if look.view != "back":
        neckline = bones.chest("-2.5,3 2.5,3 2,-.5 0,-2.2 -2,-.5", shift=0.6)
        shapes.append(blob(neckline, look.colours["skin"], shade=0).clipped(whole))
    return shapes


def everyday(look: Look, bones: Skeleton) -> list[Shape]:
    """Everything on the torso, and a skirt below it, back to front."""
    colours = look.colours
    shapes: list[Shape] = []
    if look.full == "dress":
        shapes += _dress(look, bones, colours["full"])
    elif look.bottom == "skirt" and look.outer not in ("coat", "raincoat"):
        cloth, folds = skirt(look, bones, colours["bottom"], "skirt", bones.build.waist_y - 1, 3.4)
        shapes += [cloth, *folds]
    elif look.bottom != "skirt":
        shapes += trousers_seat(look, bones)
    if look.outer in ("coat", "raincoat"):
        return [*shapes, *_coat(look, bones, look.outer, colours["outer"])]
    if look.outer in ("suit", "uniform"):
        return [*shapes, *_blazer(look, bones, colours["outer"])]
    if look.outer:
        return [*shapes, *_top(look, bones, look.outer, colours["outer"])]
    return shapes if look.full == "dress" else [*shapes, *_top(look, bones, look.top, colours["top"])]
