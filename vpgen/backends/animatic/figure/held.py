"""What a figure holds in one hand or in both."""

from __future__ import annotations

import itertools

import numpy as np

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

_BRASS: Colour = (226, 190, 110)


def _grip(look: Look, bones: Skeleton) -> Points:
    """The middle of the holding fist."""
    i = 0 if look.view == "side" else 1
    along = bones.wrists[i] - bones.elbows[i]
    point: Points = bones.wrists[i] + along / np.linalg.norm(along) * bones.build.arm_radii[4] * 1.2
    return point


def _umbrella(look: Look, bones: Skeleton) -> list[Shape]:
    """An open umbrella over the head, its scalloped canopy in panels."""
    grip, colour = _grip(look, bones), look.colours["umbrella"]
    half, height, gores = 25.0, 13.5, 5
    x, y = bones.head + (2.0 if bones.turn else 3.0, bones.build.head * 0.5 + 2.5)
    top = np.array([x, y + height])
    dome = [(x + half * np.cos(a), y + height * np.sin(a)) for a in np.linspace(np.pi, 0, 21)]
    ribs = np.linspace(x + half, x - half, gores + 1)
    arches = [
        (right + (left - right) * t, y + 2.2 * np.sin(np.pi * t))
        for right, left in itertools.pairwise(ribs.tolist())
        for t in np.linspace(0, 1, 9)
    ]
    canopy = polygon(np.array([*dome, *arches], np.float64), colour, shade=1.6)
    panels = [
        polygon(np.array([top, (ribs[n], y - 1), (ribs[n + 1], y - 1)], np.float64), tone).clipped(canopy)
        for n, tone in ((0, darker(colour, 0.1)), (2, lighter(colour, 0.16)), (4, lighter(colour, 0.16)))
    ]
    steel, wood = (92, 78, 74), (120, 82, 60)
    inside = ellipse((x, y + 1.0), (half * 0.97, 2.4), darker(colour, 0.42))
    rod = tube([top - (0, 2.0), grip - (0, 1.0)], [0.42, 0.5], steel, shade=0.2)
    hook = tube([grip + p for p in pts("0,-1 .1,-4 1.2,-5.2 2.2,-4.2")], [0.5, 0.6, 0.6, 0.5], wood, shade=0.2)
    return [inside, rod, canopy, *panels, tube([top, top + (0, 2.2)], [0.5, 0.3], steel, shade=0), hook]


def _balloon(look: Look, bones: Skeleton) -> list[Shape]:
    grip, colour = _grip(look, bones), look.colours["balloon"]
    c = grip + (5.0, 27.0)
    c[1] = min(c[1], 101.0)
    skin = blob(
        [c + p for p in pts("0,8.4 6,5.4 6.8,0 3.6,-5.6 0,-8.2 -3.6,-5.6 -6.8,0 -6,5.4")],
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
        [c + p for p in pts("-2,4.4 2,4.4 4,1.6 4,-1.6 2,-4.4 -2,-4.4 -4,-1.6 -4,1.6")],
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


def _suitcase(look: Look, bones: Skeleton) -> list[Shape]:
    """A suitcase with straps and brass locks, hanging from the hand."""
    grip, colour = _grip(look, bones), look.colours["suitcase"]
    low = -min(22.8, grip[1] - 1.5)
    case = polygon([grip + p for p in ((-9, -2.8), (9, -2.8), (9, low), (-9, low))], colour, shade=1.4)
    handle = tube([grip + p for p in pts("-2.6,-2.8 -2,0 2,0 2.6,-2.8")], [0.55] * 4, darker(colour, 0.4), shade=0)
    shapes = [handle, case]
    for x in (-5, 5):
        shapes.append(
            tube([grip + (x, 0), grip + (x, low - 2)], [0.9, 0.9], darker(colour, 0.25), shade=0).clipped(case)
        )
        shapes.append(ellipse(grip + (x, -5.4), (0.8, 0.8), _BRASS, shade=0.2))
    return shapes


def _handbag(look: Look, bones: Skeleton) -> list[Shape]:
    """A small bag on its handle."""
    grip, colour = _grip(look, bones), look.colours["handbag"]
    bag = blob(grip + pts("-4.6,-6.3 4.6,-6.3 5.6,-12.9 4.6,-14.1 -4.6,-14.1 -5.6,-12.9"), colour, shade=1.0)
    handle = tube(list(grip + pts("-3,-6.5 -2.4,-1.5 0,.3 2.4,-1.5 3,-6.5")), [0.45] * 5, darker(colour, 0.25), shade=0)
    flap = blob(grip + pts("-4.7,-6.3 4.7,-6.3 4.2,-9.9 0,-10.7 -4.2,-9.9"), darker(colour, 0.12), shade=0)
    return [handle, bag, flap.clipped(bag), ellipse(grip - (0, 10.3), (0.7, 0.7), _BRASS)]


def _phone(look: Look, bones: Skeleton) -> list[Shape]:
    """A phone; its screen shows from the side."""
    axes = np.array([[0.97, -0.25], [0.25, 0.97]])
    grip = _grip(look, bones)
    case = polygon(pts("-1.4,-1.2 1.4,-1.2 1.4,4.6 -1.4,4.6") @ axes + grip, look.colours["phone"])
    screen = polygon(pts("-1,-.6 1,-.6 1,4.1 -1,4.1") @ axes + grip, (150, 200, 226))
    return [case, screen] if bones.turn else [case]


def _cup(look: Look, bones: Skeleton) -> list[Shape]:
    """A paper cup with a sleeve and a lid."""
    grip = _grip(look, bones)
    cup = polygon(grip + pts("-1.9,5 1.9,5 1.4,-2 -1.4,-2"), look.colours["cup"], shade=0.6)
    band = polygon(grip + pts("-1.8,3 1.8,3 1.55,.2 -1.55,.2"), look.colours["accent"])
    return [cup, band, tube(list(grip + pts("-1.8,5.2 1.8,5.2")), [0.5, 0.5], (250, 248, 244), shade=0.2)]


def _sword(look: Look, bones: Skeleton) -> list[Shape]:
    """A sword pointing at the ground in front."""
    grip = _grip(look, bones)
    along = np.array([0.62, -0.78])
    axes = np.array([along, [-along[1], along[0]]])
    tip = min(33.0, (grip[1] - 2) / 0.78)
    blade = np.array([(2, 0.85), (tip - 3, 0.7), (tip, 0), (tip - 2, -0.7), (2, -0.85)]) @ axes + grip
    hilt = tube(list(pts("-3.6,0 1.8,0") @ axes + grip), [0.8, 0.7], (74, 52, 56), shade=0.2)
    guard = tube(list(pts("2,-2.3 2,2.3") @ axes + grip), [0.6, 0.6], (206, 164, 88), shade=0.2)
    return [hilt, polygon(blade, look.colours["sword"], shade=0.4), guard]


def _cane(look: Look, bones: Skeleton) -> list[Shape]:
    """A walking stick from the fist to the ground."""
    grip, colour = _grip(look, bones), look.colours["cane"]
    stick = tube([grip + (0, 0.6), (grip[0] + 2.5, 0.3)], [0.6, 0.5], colour, shade=0.3)
    return [stick, tube(list(grip + pts("0,-1 0,1.2 1.6,2.2 3,1")), [0.7] * 4, colour, shade=0.3)]


def _guitar(look: Look, bones: Skeleton) -> list[Shape]:
    """An acoustic guitar across the body."""
    axes = np.array([[0.87, 0.5], [-0.5, 0.87]])
    body = bones.torso(1.0 if bones.turn else -2.0, bones.build.waist_y - 1)

    def at(outline: str) -> list[Points]:
        return list(pts(outline) @ axes + body)

    dark = (84, 56, 50)
    wood = at("-10,0 -9,5.6 -4,7.4 .6,5 4,5.4 7.8,3.6 8.6,0 7.8,-3.6 4,-5.4 .6,-5 -4,-7.4 -9,-5.6")
    strings = [tube(at(f"-5.6,{v} 29,{v / 2}"), [0.07, 0.07], (246, 236, 220), shade=0) for v in (-0.6, 0, 0.6)]
    return [
        tube(at("6,0 27,0"), [0.95, 0.8], (96, 64, 52), shade=0.3),
        polygon(at("26,1.3 31.5,1.6 31.5,-1.6 26,-1.3"), dark, shade=0.3),
        blob(wood, look.colours["guitar"], shade=1.2),
        ellipse(at("1.8,0")[0], (2.2, 2.2), (70, 46, 44)),
        tube(at("-5.6,-2.4 -5.6,2.4"), [0.5, 0.5], dark, shade=0),
        *strings,
    ]


def _book(look: Look, bones: Skeleton) -> list[Shape]:
    """An open book: its covers from the front, a page from the side."""
    cover, paper = look.colours["book"], (250, 246, 238)
    middle = (bones.wrists[0] + bones.wrists[1]) / 2
    if bones.turn:
        spine = middle + (2.0, 0.4)
        near, far = spine + pts("0,0 5.6,2.2 6.6,8 1,6.4"), spine + pts("0,0 -3.8,3.4 -3,9.4 1,6.4")
        backs = [polygon(far - 0.4, darker(cover)), polygon(near + (0.5, -0.5), cover)]
        return [*backs, polygon(far, darker(paper, 0.1)), polygon(near, paper)]
    outline, centre = pts("0,-3.4 5.6,-2.6 5.6,4.2 0,3.2"), middle + (0, 2.4)
    sides = [polygon(centre + outline * (s, 1), tone) for s, tone in ((-1, lighter(cover, 0.12)), (1, cover))]
    return [*sides, tube(list(centre + pts("-5.4,4.4 0,3.3 5.4,4.4")), [0.45] * 3, paper, shade=0)]


def _camera(look: Look, bones: Skeleton) -> list[Shape]:
    """A camera held up below the eyes."""
    colour = look.colours["camera"]
    c = (bones.wrists[0] + bones.wrists[1]) / 2 + (1.8 * bones.turn, 1.5)
    c[1] = min(c[1], bones.head[1] - bones.build.head * (0.2 if bones.turn else 0.46))
    lens = c + (1.6 * bones.turn, -0.3)
    return [
        polygon(c + pts("-4.2,-2.4 4.2,-2.4 4.2,2.2 1.6,2.4 1.2,3.6 -1.2,3.6 -1.6,2.4 -4.2,2.2"), colour, shade=0.5),
        polygon(c + pts("-4.2,.9 4.2,.9 4.2,2 -4.2,2"), (196, 190, 186)),
        ellipse(lens, (2.1, 2.1), lighter(colour, 0.2), shade=0.4),
        ellipse(lens, (1.4, 1.4), (44, 56, 84)),
        ellipse(lens + (-0.4, 0.5), (0.4, 0.4), (255, 255, 255), opacity=0.8),
    ]


def held(look: Look, bones: Skeleton) -> list[Shape]:
    """Everything in the hands, to be drawn under the fists."""
    one_hand = {
        "umbrella": _umbrella,
        "balloon": _balloon,
        "lantern": _lantern,
        "bouquet": _bouquet,
        "suitcase": _suitcase,
        "handbag": _handbag,
        "phone": _phone,
        "cup": _cup,
        "sword": _sword,
        "cane": _cane,
    }
    shapes = one_hand[look.held](look, bones) if look.held else []
    if look.view == "back":
        return shapes
    if "guitar" in look.accessories:
        return [*shapes, *_guitar(look, bones)]
    if look.held is None and "book" in look.accessories:
        return _book(look, bones)
    return [*shapes, *_camera(look, bones)] if "camera" in look.accessories else shapes
