"""Clothes that are a whole appearance: hanbok, kimono, spacesuit, and the body of a robot."""

from __future__ import annotations

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.garments import bodice, everyday, skirt
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import (
    Colour,
    Shape,
    blob,
    darker,
    ellipse,
    lighter,
    merged,
    polygon,
    tube,
)


def _hanbok(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A short jeogori over a full chima, or for men a long durumagi, with its ribbon (goreum)."""
    b = bones.build
    if look.feminine:
        cloth, folds = skirt(look, bones, look.colours["bottom"], "hanbok", b.shoulder_y - 9.5, 7.5)
        jacket = merged(bodice(bones, b.shoulder_y - 12.5, 0.6, colour))
        shapes = [cloth, *folds, jacket]
    else:
        cloth, folds = skirt(look, bones, colour, "coat", b.waist_y + 2, 3.4)
        shapes = [merged(bodice(bones, b.waist_y - 1.5, 1.2, colour), cloth), *folds]
    if look.view == "back":
        return shapes
    for line in ("1.9,2.4 -.9,-7", "-1.9,2.4 .9,-7"):
        shapes.append(tube(list(bones.chest(line, shift=1.2)), [0.75, 0.75], (250, 247, 240), shade=0.2))
    ribbon = look.colours["accent"]
    for line in ("1.6,-8 .8,-15 .5,-23", "1.6,-8 3.2,-15 3.8,-26"):
        shapes.append(tube(list(bones.chest(line, shift=1.2)), [0.8, 0.9, 1.2], ribbon, shade=0.5, flat=True))
    loop = bones.chest("1.6,-8 -1.6,-7.2 -2.4,-9 1.2,-8.6", shift=1.2)
    return [*shapes, tube(list(loop), [0.7, 0.9, 0.7, 0.6], ribbon, shade=0.4)]


def _kimono(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A straight robe with a crossed collar and a wide sash (obi)."""
    b, accent = bones.build, look.colours["accent"]
    cloth, folds = skirt(look, bones, colour, "kimono", b.waist_y + 1, 1.2)
    whole = merged(bodice(bones, b.waist_y - 1.5, 0.8, colour), cloth)
    sash = [bones.torso(x, b.waist_y + 1.5) for x in (-15, 15)]
    shapes = [whole, *folds[1:2]]
    shapes += [
        tube(sash, [r, r], tone, shade=0).clipped(whole) for r, tone in ((3.4, accent), (0.5, lighter(colour, 0.6)))
    ]
    low = b.waist_y + 5 - b.shoulder_y
    if look.view == "back":
        y = b.waist_y + 1 - b.shoulder_y
        bow = bones.chest(f"-4.5,{y + 4} 4.5,{y + 4} 4,{y - 5} -4,{y - 5}")
        return [*shapes, blob(bow, lighter(accent, 0.15), shade=0.8)]
    for side, tone in ((1, lighter(colour, 0.7)), (-1, lighter(accent, 0.4))):
        line = bones.chest(f"2.2,2.4 -1.2,{low}", flip=side, shift=1.0)
        shapes.append(tube(list(line), [0.8, 0.8], tone, shade=0.2).clipped(whole))
    return shapes


def _spacesuit(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A padded suit with a chest pack, a stripe and a collar ring; from behind, its life support."""
    b, accent, grey = bones.build, look.colours["accent"], darker(colour, 0.2)
    whole = bodice(bones, b.hip_y - 4, 2.2, colour)
    belt = [bones.torso(x, b.hip_y + 6) for x in (-15, 15)]
    ring = tube(list(bones.chest("-3.8,1.6 0,.7 3.8,1.6")), [1.2] * 3, darker(colour, 0.3), shade=0.5)
    shapes = [whole, tube(belt, [1.0, 1.0], grey, shade=0).clipped(whole)]
    if look.view == "back":
        pack = bones.chest("-7,-1 -7,-1 7,-1 7,-1 7.4,-20 7.4,-20 -7.4,-20 -7.4,-20")
        return [
            *shapes,
            ring,
            blob(pack, lighter(colour, 0.1), shade=1.4),
            polygon(bones.chest("-4,-5 4,-5 4,-6.4 -4,-6.4"), accent),
        ]
    stripe = tube(list(bones.chest("-15,-4 15,-4")), [0.7, 0.7], accent, shade=0).clipped(whole)
    chest_pack = blob(bones.chest("-4,-7 4,-7 4.2,-15 -4.2,-15"), darker(colour, 0.14), shade=0.7)
    tones: tuple[tuple[int, Colour], ...] = ((-2, (222, 80, 70)), (0, (90, 180, 220)), (2, (240, 196, 84)))
    lamps = [ellipse(bones.chest(f"{x},-10")[0], (0.7, 0.7), tone) for x, tone in tones]
    return [
        *shapes,
        stripe,
        ring,
        chest_pack,
        *lamps,
        tube(list(bones.chest("-2.6,-12.8 2.6,-12.8")), [0.35, 0.35], darker(grey)),
    ]


def _robot(look: Look, bones: Skeleton) -> list[Shape]:
    """Metal torso with a plate and a lamp."""
    b, metal = bones.build, look.colours["robot"]
    h = b.hip
    seat = [(-h, 3.0), (h, 3.0), (h * 0.7, -4.0), (-h * 0.7, -4.0)]
    hips = blob([bones.torso(x, b.hip_y + y) for x, y in seat], darker(metal, 0.25), shade=1)
    shapes = [hips, bodice(bones, b.hip_y + 3.5, 0.8, metal)]
    if look.view != "back":
        plate = blob(bones.chest("-4,-5 4,-5 3.2,-13 -3.2,-13", shift=1), darker(metal, 0.2), shade=0.5)
        shapes += [plate, ellipse(bones.chest("0,-9", shift=1)[0], (1.7, 1.7), look.colours["accent"], shade=0.4)]
    return shapes


def dressed(look: Look, bones: Skeleton) -> list[Shape]:
    """Everything on the torso and below it that is not a limb, back to front."""
    if look.who == "robot":
        return _robot(look, bones)
    colour = look.colours["full"]
    if look.full == "hanbok":
        return _hanbok(look, bones, colour)
    if look.full == "kimono":
        return _kimono(look, bones, colour)
    return _spacesuit(look, bones, colour) if look.full == "spacesuit" else everyday(look, bones)
