"""Limbs, hands, shoes and garments, hung on a skeleton."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vpgen.backends.animatic.figure.body import Skeleton
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import Colour, Points, Shape, blob, darker, ellipse, lighter, polygon, tube

_SHORT_SLEEVES = ("tshirt",)
_LONG_HEMS = {"dress": 0.42, "skirt": 0.62, "coat": 0.36, "raincoat": 0.5, "hanbok": 0.05, "kimono": 0.06}
"""Where a hem hangs, as a fraction of the height of the hip above the ground."""


def _between(a: Points, b: Points, t: float) -> Points:
    return a + (b - a) * t


def _limb(
    joints: tuple[Points, Points, Points], radii: tuple[float, ...], colour: Colour, *, ease: float = 0.0
) -> Shape:
    """A limb through three joints; `ease` is how far the cloth stands off."""
    a, b, c = joints
    spine = [a, _between(a, b, 0.5), b, _between(b, c, 0.4), c]
    return tube(spine, [r + ease for r in radii], colour, shade=0.9)


def _leg(bones: Skeleton, i: int) -> tuple[Points, Points, Points]:
    return bones.hips[i], bones.knees[i], bones.ankles[i]


def _arm(bones: Skeleton, i: int) -> tuple[Points, Points, Points]:
    return bones.shoulders[i], bones.elbows[i], bones.wrists[i]


def hand(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """A hand that goes on where the forearm points: open when waving, else loosely closed, thumb forward."""
    skin = look.colours["skin"]
    if look.full == "spacesuit":
        skin = darker(look.colours["spacesuit"], 0.18)
    if look.who == "robot":
        skin = darker(look.colours["robot"], 0.25)
    wrist, elbow = bones.wrists[i], bones.elbows[i]
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    across = np.array([-along[1], along[0]])
    thumb = 1.0 if along[1] < 0 else -1.0
    thumb *= 1 if bones.turn or i == 0 else -1
    size = bones.build.arm_radii[4] * (1.25 if look.full == "spacesuit" else 1.0)

    def at(forward: float, sideways: float) -> Points:
        return wrist + (along * forward + across * sideways * thumb) * size

    busy = i == (0 if look.view == "side" else 1) and look.held is not None
    if look.pose in ("wave", "spread", "dance") and not busy:
        fingers = [
            tube(
                [at(1.5, 0.55 * k), at(3.0, 0.9 * k), at(4.3 - 0.25 * abs(k), 1.2 * k)],
                [0.42 * size, 0.38 * size, 0.28 * size],
                skin,
                shade=0,
            )
            for k in (-1.1, -0.35, 0.4, 1.1)
        ]
        palm = tube([at(-0.4, 0), at(0.9, 0), at(2.0, 0)], [0.95 * size, 1.1 * size, 0.95 * size], skin, shade=0.4)
        thumb_shape = tube(
            [at(0.3, 0.7), at(1.4, 1.7), at(2.2, 2.1)], [0.5 * size, 0.42 * size, 0.3 * size], skin, shade=0
        )
        return [*fingers, thumb_shape, palm]
    if busy or {"book", "guitar", "camera"} & set(look.accessories):
        fist = tube([at(-0.4, 0), at(0.9, 0.1), at(2.1, 0.3)], [0.95 * size, 1.2 * size, 1.0 * size], skin, shade=0.5)
        return [
            fist,
            tube([at(0.7, 0.6), at(1.7, 1.2), at(2.4, 0.9)], [0.5 * size, 0.45 * size, 0.35 * size], skin, shade=0.2),
        ]
    palm = tube(
        [at(-0.4, 0), at(1.0, 0), at(2.6, 0.1), at(4.4, 0.5)],
        [0.95 * size, 1.12 * size, 0.95 * size, 0.45 * size],
        skin,
        shade=0.45,
    )
    return [
        palm,
        tube([at(0.6, 0.5), at(1.7, 1.15), at(2.8, 1.2)], [0.55 * size, 0.48 * size, 0.3 * size], skin, shade=0.2),
    ]


def foot(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """A shoe with its sole, boots with their shaft; from the front it is foreshortened."""
    colour = look.colours["shoes"]
    if look.full == "spacesuit":
        colour = darker(look.colours["spacesuit"], 0.2)
    if look.who == "robot":
        colour = darker(look.colours["robot"], 0.35)
    size = bones.build.leg_radii[4] / 1.65 if bones.build.head < 15 else 1.25
    size *= 1.25 if look.full == "spacesuit" else 1.0
    angle = np.radians(bones.feet[i])
    c, s = np.cos(angle), np.sin(angle)
    side = bool(bones.turn)
    outward = -1.0 if i == 0 else 1.0

    def at(points: ArrayLike) -> Points:
        p = np.asarray(points, float) * (size, 1.0)
        if side:
            p = p - (0, 4.4)
            return np.stack([c * p[:, 0] - s * p[:, 1], s * p[:, 0] + c * p[:, 1]], 1) + bones.ankles[i]
        return p * (outward, 1.0) - (0, 4.4) + bones.ankles[i]

    if side:
        body = [
            (-2.5, 0.1),
            (-2.9, 1.6),
            (-2.2, 3.6),
            (-1.9, 5.0),
            (1.9, 5.0),
            (2.5, 3.7),
            (5.4, 2.5),
            (7.7, 1.6),
            (8.0, 0.1),
            (8.0, 0.1),
            (-2.5, 0.1),
        ]
        sole = [(-2.7, 0.0), (-2.8, 0.95), (2.0, 0.8), (5.5, 0.85), (8.3, 0.95), (8.1, 0.0), (8.1, 0.0), (-2.7, 0.0)]
    else:
        back = look.view == "back"
        toe = 0.9 if back else 2.6
        body = [
            (-1.9, 0.1),
            (-2.0, 1.9),
            (-1.55, 4.9),
            (1.55, 4.9),
            (2.2, 2.2),
            (toe + 0.6, 0.9),
            (toe, 0.1),
            (toe, 0.1),
            (-1.9, 0.1),
        ]
        sole = [(-2.1, 0.0), (-2.15, 0.8), (0, 0.65), (toe + 0.7, 0.8), (toe + 0.5, 0.0), (toe + 0.5, 0.0), (-2.1, 0.0)]
    light = sum(colour) > 380 or look.outer in ("hoodie", "jacket")
    shoe = blob(at(body), colour, shade=0.7)
    rubber = blob(at(sole), (246, 244, 240) if light and not look.boots else darker(colour, 0.45), shade=0.0)
    shapes = [shoe, rubber]
    if look.boots or look.full == "spacesuit":
        a, k = bones.ankles[i], bones.knees[i]
        r = bones.build.leg_radii[4] + (1.9 if look.full == "spacesuit" else 1.15)
        shaft = tube(
            [_between(a, k, -0.02), _between(a, k, 0.18), _between(a, k, 0.46)],
            [r * 0.92, r, r * 1.2],
            colour,
            shade=0.9,
        )
        cuff = tube([_between(a, k, 0.44), _between(a, k, 0.47)], [r * 1.24, r * 1.24], lighter(colour, 0.2), shade=0.5)
        shapes = [shaft, cuff, *shapes]
    elif side and light:
        shapes.append(tube(at([(2.2, 3.5), (3.4, 3.0)]), [0.25, 0.25], (255, 255, 255), shade=0))
    return shapes


def leg(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """One leg: skin under a dress, trousers, jeans, shorts, or a suit's thick sleeve."""
    radii = bones.build.leg_radii
    joints = _leg(bones, i)
    skin = look.colours["skin"]
    if look.full == "spacesuit":
        white = look.colours["spacesuit"]
        limb = _limb(joints, radii, white, ease=2.0)
        rings = [
            tube(
                [_between(joints[1], joints[2], t), _between(joints[1], joints[2], t + 0.05)],
                [radii[2] + 2.2] * 2,
                darker(white, 0.16),
                shade=0.6,
            )
            for t in (-0.03, 0.3)
        ]
        return [limb, *rings]
    if look.who == "robot":
        metal = look.colours["robot"]
        joint = [ellipse(p, (radii[2] + 0.5,) * 2, darker(metal, 0.35), shade=0.6) for p in joints[1:2]]
        return [_limb(joints, radii, metal, ease=0.1), *joint]
    bare = (look.bottom == "skirt" and look.full is None) or look.full == "dress" or look.bottom == "shorts"
    bare = bare or look.full in ("hanbok", "kimono")
    colour = look.colours["bottom"]
    if bare:
        far = skin if i == 0 or not bones.turn else darker(skin, 0.14)
        shapes = [_limb(joints, radii, far)]
        if look.bottom == "shorts" and look.full is None:
            a, b, _ = joints
            tone = colour if i == 0 or not bones.turn else darker(colour, 0.16)
            shapes.append(
                tube(
                    [a, _between(a, b, 0.4), _between(a, b, 0.78)],
                    [radii[0] + 0.8, radii[1] + 1.2, radii[2] + 1.9],
                    tone,
                )
            )
        elif look.outer == "uniform" or look.age == "child":
            sock = tube(
                [_between(joints[1], joints[2], 0.72), joints[2]],
                [radii[3] + 0.05, radii[4] + 0.3],
                (246, 244, 240),
                shade=0.6,
            )
            shapes.append(sock)
        return shapes
    tone = colour if i == 0 or not bones.turn else darker(colour, 0.18)
    cut = (0.4, 0.7, 0.75, 0.8, 1.05) if look.feminine else (0.4, 0.8, 0.95, 1.0, 1.3)
    if look.full is None and look.variant > 0.6 and look.bottom == "trousers" and look.outer != "suit":
        cut = (0.4, 0.9, 1.5, 2.0, 2.6)
    cloth = _limb(joints, tuple(r + e for r, e in zip(radii, cut, strict=True)), tone)
    knee, ankle = joints[1], joints[2]
    along = (ankle - knee) / max(float(np.linalg.norm(ankle - knee)), 1e-6)
    across = np.array([-along[1], along[0]])
    r = radii[2]
    fold = tube(
        [knee - across * r, knee + along * 0.6, knee + across * r * 0.4 + along * 1.4],
        [0.05, 0.32, 0.05],
        darker(tone, 0.28),
        shade=0,
    )
    shapes = [cloth, fold.clipped(cloth)]
    if look.bottom == "jeans":
        hem = tube(
            [_between(knee, ankle, 0.93), _between(knee, ankle, 0.99)],
            [radii[4] + cut[4] + 0.1] * 2,
            lighter(tone, 0.35),
            shade=0.4,
        )
        shapes.append(hem)
    return shapes


def sleeve(look: Look, bones: Skeleton, i: int) -> list[Shape]:
    """One arm with its sleeve and hand."""
    radii, joints = bones.build.arm_radii, _arm(bones, i)
    far = bool(bones.turn) and i == 1
    skin = darker(look.colours["skin"], 0.12) if far else look.colours["skin"]
    slot = "full" if look.full else "outer" if look.outer else "top"
    garment = look.full or look.outer or look.top
    colour = darker(look.colours[slot], 0.16) if far else look.colours[slot]
    a, b, c = joints
    hands = hand(look, bones, i)
    if look.who == "robot":
        metal = darker(look.colours["robot"], 0.16) if far else look.colours["robot"]
        return [
            *hands,
            _limb(joints, radii, metal, ease=0.2),
            ellipse(b, (radii[2] + 0.4,) * 2, darker(metal, 0.35), shade=0.5),
        ]
    if garment == "spacesuit":
        rings = [
            tube([_between(b, c, t), _between(b, c, t + 0.08)], [radii[3] + 1.9] * 2, darker(colour, 0.16), shade=0.5)
            for t in (-0.05, 0.8)
        ]
        return [*hands, _limb(joints, radii, colour, ease=1.7), *rings]
    if garment in ("hanbok", "kimono"):
        down = np.array([0.0, -1.0])
        droop = 3.4 if garment == "hanbok" else 7.0
        along = (c - b) / np.linalg.norm(c - b)
        upright = abs(along[1]) > 0.8
        hang = np.array([-along[1], along[0]]) * (1 if (-along[1] < 0) == (i == 0) else -1) if upright else down
        wide = blob(
            [
                a + (0, radii[0]),
                _between(a, b, 0.6) + (0, 1.8),
                b - hang * 1.6,
                c - hang * 1.6,
                c + hang * droop,
                _between(b, c, 0.4) + hang * (droop + 0.6),
                b + hang * 3,
                a - (0, 3),
            ],
            colour,
        )
        base = _limb(joints, radii, colour, ease=0.9)
        cuff = tube(
            [_between(b, c, 0.96) - hang * 1.3, _between(b, c, 0.97) + hang * droop * 0.8],
            [0.7, 0.7],
            lighter(look.colours["accent"], 0.3),
            shade=0,
        )
        return [*hands, base, wide, cuff.clipped(wide)]
    if garment in _SHORT_SLEEVES or (garment == "dress" and look.variant < 0.6):
        end = 0.62 if garment == "tshirt" else 0.34
        bare = _limb(joints, radii, skin)
        cloth = tube(
            [a, _between(a, b, end * 0.6), _between(a, b, end)],
            [radii[0] + 0.7, radii[1] + 1.0, radii[1] + 1.0],
            colour,
        )
        return [*hands, bare, cloth]
    ease = {"shirt": 0.35, "dress": 0.3, "suit": 0.6, "uniform": 0.55, "sweater": 0.8}.get(garment, 0.9)
    cut = tuple(r + ease + extra for r, extra in zip(radii, (0, 0, 0.05, 0.15, 0.3), strict=True))
    cloth = _limb(joints, cut, colour)
    along = (c - b) / np.linalg.norm(c - b)
    across = np.array([-along[1], along[0]])
    fold = tube(
        [b - across * 1.6, b + along * 0.3, b + across * 0.9 + along * 1.2],
        [0.04, 0.26, 0.04],
        darker(colour, 0.28),
        shade=0,
    )
    shapes = [*hands, cloth, fold.clipped(cloth)]
    cuff_colour = look.colours["lining"] if garment in ("suit", "uniform") else darker(colour, 0.16)
    width = 0.05 if garment in ("suit", "uniform") else 0.1
    shapes.append(tube([_between(b, c, 1 - width), _between(b, c, 1.0)], [cut[4] + 0.06] * 2, cuff_colour, shade=0.3))
    return shapes


def _trunk(bones: Skeleton, hem: float, ease: float = 0.3) -> list[Points]:
    """The outline of a top from collar to `hem` (height in the upright torso), clockwise from the neck."""
    b, k = bones.build, bones.width
    forward = 0.7 * bones.turn
    s, sy, w, h = (
        b.shoulder * k + ease * 0.6,
        b.shoulder_y,
        b.waist * (0.5 + 0.5 * k) + ease,
        b.hip * (0.45 + 0.55 * k) + ease,
    )
    chest = s * 0.9
    half = [
        (1.7, sy + 1.5),
        (s * 0.62, sy + 0.5),
        (s * 0.96, sy - 1.7),
        (chest, sy - 7.5),
        (w, b.waist_y),
        (h, b.hip_y + 0.5),
        (h + 0.1, hem),
    ]
    right = [(x + forward * (0.9 if 2 <= n <= 3 else 0.2), y) for n, (x, y) in enumerate(half)]
    left = [(-x, y) for x, y in half[::-1]]
    middle = [(0, hem - 0.4)]
    return [bones.torso(x, y) for x, y in [*right, right[-1], *middle, left[0], *left]]


def _leg_at(bones: Skeleton, i: int, y: float) -> float:
    """Where a leg is at a height."""
    path = np.array(_leg(bones, i))
    if y >= path[0, 1]:
        return float(path[0, 0])
    for a, b in zip(path[:-1], path[1:], strict=True):
        if min(a[1], b[1]) <= y <= max(a[1], b[1]) and a[1] != b[1]:
            return float(a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]))
    return float(path[2, 0])


def _skirt(look: Look, bones: Skeleton, colour: Colour, kind: str, top: float, flare: float) -> list[Shape]:
    """Cloth from the waist to a hem that follows the legs, with folds; over the thighs when sitting."""
    b = bones.build
    hip = bones.pelvis[1]
    hem = hip * _LONG_HEMS[kind]
    if kind == "dress" and look.variant > 0.7:
        hem = hip * 0.16
    if look.pose == "sit" and bones.turn:
        knee = (bones.knees[0] + bones.knees[1]) / 2
        hip_joint = (bones.hips[0] + bones.hips[1]) / 2
        low = max(hem * 0.75, 8.0) if hem < 18 else knee[1] - 7
        cloth = tube(
            [bones.torso(0, top), hip_joint, knee + (0.6, 0.4), np.array([knee[0] + 1.6, low])],
            [b.waist * 0.8, b.leg_radii[0] + 2.2, b.leg_radii[2] + 3.0, b.leg_radii[2] + 2.6],
            colour,
        )
        return [cloth]
    legs = [_leg_at(bones, i, hem) for i in (0, 1)]
    left, right = min(legs) - b.leg_radii[2] - flare, max(legs) + b.leg_radii[2] + flare
    k = bones.width
    w, h = b.waist * (0.5 + 0.5 * k) + 0.4, b.hip * (0.45 + 0.55 * k) + 0.7 + 0.12 * flare
    high = top < b.waist_y + 4
    waist = [bones.torso(x, top) for x in (-w, w)]
    hips = [bones.torso(x, b.hip_y) for x in (-h, h)]
    if not high:
        hips = [bones.torso(x, (top + b.hip_y) / 2) for x in (-h, h)]
    n = 6
    wave = [
        (right + (left - right) * t / n, hem + (0.9 if t % 2 else -0.3) - 0.8 * np.sin(np.pi * t / n))
        for t in range(n + 1)
    ]
    outline = [waist[0], waist[0], waist[1], waist[1], hips[1], wave[0], *wave, wave[-1], hips[0]]
    cloth = blob(outline, colour, shade=1.5)
    shapes = [cloth]
    for t in (0.22, 0.5, 0.76):
        foot_x = left + (right - left) * t
        start = _between(waist[0], waist[1], 0.2 + 0.6 * t)
        middle = _between(start, np.array([foot_x, hem]), 0.55)
        fold = tube(
            [_between(start, np.array([foot_x, hem]), 0.25), middle, np.array([foot_x, hem - 1])],
            [0.05, 0.3, 0.85],
            darker(colour, 0.2),
            shade=0,
        )
        shapes.append(fold.clipped(cloth))
    return shapes


def _lapels(look: Look, bones: Skeleton, colour: Colour, depth: float) -> list[Shape]:
    """The open front of a jacket: shirt, tie and lapels."""
    sy, o = bones.build.shoulder_y, 1.6 * bones.turn
    inner = polygon(
        [bones.torso(x + o, y) for x, y in [(-2.6, sy + 1.6), (2.6, sy + 1.6), (0.2, sy - depth)]],
        look.colours["lining"],
    )
    shapes = [inner]
    if look.outer in ("suit", "uniform") and not (look.feminine and look.outer == "suit"):
        tie = [
            (-0.8, sy + 0.6),
            (0.8, sy + 0.6),
            (0.5, sy - 1.2),
            (1.0, sy - depth * 0.85),
            (0, sy - depth),
            (-0.9, sy - depth * 0.85),
            (-0.5, sy - 1.2),
        ]
        shapes.append(polygon([bones.torso(x + o, y) for x, y in tie], darker(look.colours["accent"], 0.1)))
    for s in (-1, 1):
        lapel = [
            (1.5, sy + 1.9),
            (3.2, sy + 1.0),
            (3.6, sy - 3.2),
            (2.6, sy - 3.4),
            (3.0, sy - 4.6),
            (0.1, sy - depth - 0.4),
        ]
        shapes.append(
            polygon(
                [bones.torso(s * x + o, y) for x, y in lapel], lighter(colour, 0.12) if s < 0 else darker(colour, 0.1)
            )
        )
    return shapes


def _buttons(bones: Skeleton, heights: list[float], colour: Colour, x: float = 0.0) -> list[Shape]:
    o = 1.6 * bones.turn + x
    return [ellipse(bones.torso(o, y), (0.5, 0.5), colour, shade=0.15) for y in heights]


def _seam(bones: Skeleton, top: float, bottom: float, colour: Colour, width: float = 0.14) -> Shape:
    o = 1.6 * bones.turn
    return tube(
        [bones.torso(o, top), bones.torso(o, (top + bottom) / 2), bones.torso(o, bottom)], [width] * 3, colour, shade=0
    )


def _crease(bones: Skeleton, colour: Colour) -> list[Shape]:
    """Two folds where a top gathers at the waist."""
    b = bones.build
    w = b.waist * bones.width
    return [
        tube(
            [
                bones.torso(-w - 0.2, b.waist_y + 1),
                bones.torso(-w * 0.4, b.waist_y - 0.8),
                bones.torso(-w * 0.05, b.waist_y - 0.4),
            ],
            [0.05, 0.34, 0.05],
            darker(colour, 0.22),
            shade=0,
        ),
        tube(
            [
                bones.torso(w + 0.3, b.waist_y + 5),
                bones.torso(w * 0.6, b.waist_y + 3.2),
                bones.torso(w * 0.25, b.waist_y + 3.4),
            ],
            [0.05, 0.34, 0.05],
            darker(colour, 0.22),
            shade=0,
        ),
    ]


def _simple_top(look: Look, bones: Skeleton, colour: Colour, kind: str) -> list[Shape]:
    """T-shirt, shirt, sweater, hoodie, jacket: one trunk with the details that tell them apart."""
    b, sy = bones.build, bones.build.shoulder_y
    tucked = kind in ("shirt", "tshirt", "sweater") and look.bottom == "skirt"
    hem = b.hip_y + 7 if tucked else b.hip_y - (1.5 if kind in ("tshirt", "shirt") else 2.5)
    ease = {"hoodie": 1.1, "jacket": 1.0, "sweater": 0.8}.get(kind, 0.35)
    trunk = blob(_trunk(bones, hem, ease), colour, shade=1.3)
    details = _crease(bones, colour)
    back = look.view == "back"
    o = 1.0 * bones.turn
    collar: list[Shape] = []
    if kind in ("sweater", "hoodie", "jacket"):
        rib = tube(
            [bones.torso(-b.hip - ease, hem + 0.6), bones.torso(0, hem + 0.3), bones.torso(b.hip + ease, hem + 0.6)],
            [1.1] * 3,
            darker(colour, 0.14),
            shade=0,
        )
        details.append(rib)
    if kind == "hoodie":
        collar.append(
            blob(
                [
                    bones.torso(x + o * 0.3, y)
                    for x, y in [
                        (-4.6, sy + 0.2),
                        (-3.6, sy + 3.4),
                        (0, sy + 4.2),
                        (3.6, sy + 3.4),
                        (4.6, sy + 0.2),
                        (0, sy - (5.0 if back else 2.2)),
                    ]
                ],
                darker(colour, 0.1),
                shade=0.6,
            )
        )
        if not back:
            pocket = [
                bones.torso(x + o, y)
                for x, y in [(-3.4, b.hip_y + 1), (-2.5, b.hip_y + 6.5), (2.5, b.hip_y + 6.5), (3.4, b.hip_y + 1)]
            ]
            details.append(polygon(pocket, darker(colour, 0.1)))
            collar += [
                tube(
                    [bones.torso(x + o, sy - 1.2), bones.torso(x * 1.1 + o, sy - 7)],
                    [0.22, 0.26],
                    (246, 244, 240),
                    shade=0,
                )
                for x in (-1.3, 1.3)
            ]
    elif kind == "jacket" and not back:
        details.append(
            polygon(
                [
                    bones.torso(x + o, y)
                    for x, y in [
                        (-2.0, sy + 1.6),
                        (2.2, sy + 1.6),
                        (1.1, b.waist_y),
                        (1.3, hem - 1),
                        (-1.1, hem - 1),
                        (-0.9, b.waist_y),
                    ]
                ],
                look.colours["top"],
            )
        )
        details += [
            polygon(
                [
                    bones.torso(s * x + o, y)
                    for x, y in [(1.2, sy + 2.4), (4.2, sy + 1.2), (3.4, sy - 2.6), (1.6, sy - 1.2)]
                ],
                darker(colour, 0.12),
            )
            for s in (-1, 1)
        ]
    elif kind == "shirt" and not back:
        details += [
            _seam(bones, sy - 1, hem, darker(colour, 0.16)),
            *_buttons(bones, [sy - 4 - 5 * n for n in range(4)], darker(colour, 0.3)),
        ]
        collar += [
            polygon(
                [
                    bones.torso(s * x + o, y)
                    for x, y in [(0.0, sy - 0.9), (1.9, sy + 2.3), (3.3, sy + 0.8), (2.0, sy - 2.4)]
                ],
                lighter(colour, 0.25) if s < 0 else darker(colour, 0.08),
            )
            for s in (-1, 1)
        ]
    elif kind in ("tshirt", "sweater"):
        collar.append(
            tube(
                [
                    bones.torso(x + o * 0.5, y)
                    for x, y in [(-2.3, sy + 1.7), (0, sy + (0.9 if back else 0.0)), (2.3, sy + 1.7)]
                ],
                [0.55] * 3,
                darker(colour, 0.15),
                shade=0,
            )
        )
        if kind == "sweater" and look.variant > 0.5:
            details += [
                tube(
                    [bones.torso(-b.shoulder - 1, y), bones.torso(b.shoulder + 2, y)],
                    [0.85, 0.85],
                    look.colours["accent"] if n % 2 else lighter(colour, 0.4),
                    shade=0,
                )
                for n, y in enumerate((sy - 9, sy - 12.2))
            ]
    return [trunk, *(d.clipped(trunk) for d in details), *collar]


def _long_coat(look: Look, bones: Skeleton, colour: Colour, kind: str) -> list[Shape]:
    """Coat or raincoat: trunk and skirt in one, with what closes it."""
    b, sy, back = bones.build, bones.build.shoulder_y, look.view == "back"
    trunk = blob(_trunk(bones, b.hip_y, 1.1), colour, shade=1.3)
    skirt = _skirt(look, bones, colour, kind, b.waist_y + 1, 2.2 if kind == "coat" else 3.4)
    shapes = [*skirt, trunk]
    o = 1.6 * bones.turn
    hem = bones.pelvis[1] * _LONG_HEMS[kind]
    if kind == "coat":
        belt = tube(
            [bones.torso(-b.waist - 2, b.waist_y), bones.torso(b.waist + 2, b.waist_y)],
            [0.95, 0.95],
            darker(colour, 0.22),
            shade=0,
        )
        if look.variant < 0.65:
            shapes.append(belt.clipped(trunk))
        if not back:
            shapes += [s.clipped(trunk) if n == 0 else s for n, s in enumerate(_lapels(look, bones, colour, 11))]
            shapes += _buttons(bones, [b.waist_y + 4.5, b.waist_y - 4], darker(colour, 0.4), 1.4)
    else:
        hood = [
            (-4.8, sy + 0.4),
            (-3.8, sy + 3.6),
            (0, sy + 4.4),
            (3.8, sy + 3.6),
            (4.8, sy + 0.4),
            (0, sy - (4.6 if back else 1.8)),
        ]
        shapes.append(blob([bones.torso(x, y) for x, y in hood], darker(colour, 0.1), shade=0.6))
        if not back:
            shapes += _buttons(bones, [sy - 5, sy - 11, sy - 17, sy - 23], lighter(colour, 0.55))
    if not back and look.pose != "sit":
        end = np.array([bones.torso(o, b.hip_y)[0] + 0.4, hem])
        seam = tube(
            [bones.torso(o, sy - (11 if kind == "coat" else 2)), bones.torso(o, b.hip_y), end],
            [0.12, 0.16, 0.22],
            darker(colour, 0.32),
            shade=0,
        )
        shapes.append(seam)
        shapes += [
            tube(
                [bones.torso(s * 2.8 + o, b.hip_y + 3.5), bones.torso(s * 5.0 + o * 0.7, b.hip_y + 1.5)],
                [0.5, 0.5],
                darker(colour, 0.2),
                shade=0,
            )
            for s in (-1, 1)
        ]
    return shapes


def _blazer(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """Suit jacket or uniform."""
    b, sy = bones.build, bones.build.shoulder_y
    trunk = blob(_trunk(bones, b.hip_y - 3.5, 0.75), colour, shade=1.3)
    shapes = [trunk, *(c.clipped(trunk) for c in _crease(bones, colour))]
    if look.view == "back":
        return [*shapes, _seam(bones, b.hip_y + 4, b.hip_y - 3.2, darker(colour, 0.3)).clipped(trunk)]
    shapes += [s.clipped(trunk) if n == 0 else s for n, s in enumerate(_lapels(look, bones, colour, 12.5))]
    shapes.append(_seam(bones, sy - 12.5, b.hip_y - 3.4, darker(colour, 0.35)).clipped(trunk))
    gold = (222, 184, 96) if look.outer == "uniform" else darker(colour, 0.5)
    shapes += _buttons(bones, [b.waist_y + 2.6, b.waist_y - 1.6], gold, 0.9)
    pocket = [bones.torso(x, y) for x, y in [(3.2, sy - 7.6), (5.6, sy - 7.2), (5.6, sy - 6.4), (3.2, sy - 6.8)]]
    return [*shapes, polygon(pocket, lighter(colour, 0.5) if look.outer == "suit" else gold).clipped(trunk)]


def _hanbok(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """Jeogori and a full chima, or a long durumagi for men, with the ribbon (goreum)."""
    b, sy, back = bones.build, bones.build.shoulder_y, look.view == "back"
    ribbon = look.colours["accent"]
    o = 1.2 * bones.turn
    if look.feminine:
        skirt = _skirt(look, bones, look.colours["bottom"], "hanbok", sy - 9.5, 8.5)
        trunk = blob(_trunk(bones, b.hip_y, 0.7), colour, shade=1.2)
        cut = polygon(
            [
                bones.torso(x, y)
                for x, y in [(-16, sy + 8), (16, sy + 8), (16, sy - 10.5), (0, sy - 12), (-16, sy - 10.5)]
            ],
            colour,
        )
        jacket = Shape(trunk.pieces, colour, 1.2, within=cut.pieces)
        shapes = [*skirt, jacket]
    else:
        shapes = [
            *_skirt(look, bones, colour, "coat", b.waist_y + 2, 3.6),
            blob(_trunk(bones, b.hip_y, 1.2), colour, shade=1.3),
        ]
    if back:
        return shapes
    collar = [
        tube(
            [bones.torso(s * 1.9 + o * 0.5, sy + 1.8), bones.torso(0.9 + o, sy - 7)],
            [0.75, 0.75],
            (250, 247, 240),
            shade=0.2,
        )
        for s in (-1, 1)
    ]
    knot = bones.torso(1.6 + o, sy - 8)
    tails = [
        tube([knot, knot + (d, -7), knot + (d * 1.4, -length)], [0.8, 0.9, 1.2], ribbon, shade=0.5)
        for d, length in ((-0.8, 15), (1.6, 18))
    ]
    loop = tube(
        [knot, knot + (-3.2, 0.8), knot + (-4.0, -1.0), knot + (-0.4, -0.6)], [0.7, 0.9, 0.7, 0.6], ribbon, shade=0.4
    )
    return [*shapes, *collar, *tails, loop]


def _kimono(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A straight robe with crossed collar and a wide sash (obi)."""
    b, sy = bones.build, bones.build.shoulder_y
    o = 1.2 * bones.turn
    robe = _skirt(look, bones, colour, "kimono", b.waist_y + 1, 1.4)
    trunk = blob(_trunk(bones, b.hip_y, 0.8), colour, shade=1.2)
    obi = tube(
        [bones.torso(-b.waist - 2, b.waist_y + 1.5), bones.torso(b.waist + 2, b.waist_y + 1.5)],
        [3.4, 3.4],
        look.colours["accent"],
        shade=0,
    )
    cord = tube(
        [bones.torso(-b.waist - 2, b.waist_y + 1.5), bones.torso(b.waist + 2, b.waist_y + 1.5)],
        [0.5, 0.5],
        lighter(colour, 0.6),
        shade=0,
    )
    shapes = [*robe, trunk, obi.clipped(trunk), cord.clipped(trunk)]
    if look.view == "back":
        bow = blob(
            [
                bones.torso(x, y)
                for x, y in [(-4.5, b.waist_y + 5), (4.5, b.waist_y + 5), (4, b.waist_y - 4), (-4, b.waist_y - 4)]
            ],
            lighter(look.colours["accent"], 0.15),
            shade=0.8,
        )
        return [*shapes, bow]
    collars = [
        tube(
            [bones.torso(s * 2.2 + o * 0.5, sy + 1.8), bones.torso(-s * 1.2 + o, b.waist_y + 5)],
            [0.8, 0.8],
            lighter(colour, 0.7) if s < 0 else lighter(look.colours["accent"], 0.4),
            shade=0.2,
        ).clipped(trunk)
        for s in (1, -1)
    ]
    return [*shapes, *collars]


def _spacesuit(look: Look, bones: Skeleton, colour: Colour) -> list[Shape]:
    """A padded white suit with a chest pack, stripes and a collar ring."""
    b, sy = bones.build, bones.build.shoulder_y
    accent = look.colours["accent"]
    trunk = blob(_trunk(bones, b.hip_y - 4, 2.2), colour, shade=1.6)
    belt = tube(
        [bones.torso(-b.hip - 3, b.hip_y + 6), bones.torso(b.hip + 3, b.hip_y + 6)],
        [1.0, 1.0],
        darker(colour, 0.22),
        shade=0,
    )
    ring = tube(
        [bones.torso(-3.6, sy + 1.4), bones.torso(0, sy + 0.6), bones.torso(3.6, sy + 1.4)],
        [1.2] * 3,
        darker(colour, 0.3),
        shade=0.5,
    )
    if look.view == "back":
        pack = blob(
            [bones.torso(x, y) for x, y in [(-7, sy - 1), (7, sy - 1), (7.4, b.waist_y - 3), (-7.4, b.waist_y - 3)]],
            lighter(colour, 0.1),
            shade=1.4,
        )
        return [
            trunk,
            belt.clipped(trunk),
            ring,
            pack,
            polygon([bones.torso(x, y) for x, y in [(-4, sy - 5), (4, sy - 5), (4, sy - 6.4), (-4, sy - 6.4)]], accent),
        ]
    o = 1.4 * bones.turn
    pack = blob(
        [bones.torso(x + o, y) for x, y in [(-4, sy - 7), (4, sy - 7), (4.2, sy - 15), (-4.2, sy - 15)]],
        darker(colour, 0.14),
        shade=0.7,
    )
    lamps = [
        ellipse(bones.torso(x + o, sy - 10), (0.7, 0.7), tone)
        for x, tone in ((-2, (222, 80, 70)), (0, (90, 180, 220)), (2, (240, 196, 84)))
    ]
    line = tube(
        [bones.torso(-2.6 + o, sy - 12.8), bones.torso(2.6 + o, sy - 12.8)], [0.35, 0.35], darker(colour, 0.4), shade=0
    )
    stripe = tube(
        [bones.torso(-b.shoulder - 2, sy - 4), bones.torso(b.shoulder + 3, sy - 4)], [0.7, 0.7], accent, shade=0
    ).clipped(trunk)
    return [trunk, belt.clipped(trunk), stripe, ring, pack, *lamps, line]


def _robot_trunk(look: Look, bones: Skeleton) -> list[Shape]:
    b, sy = bones.build, bones.build.shoulder_y
    metal, accent = look.colours["robot"], look.colours["accent"]
    trunk = blob(_trunk(bones, b.hip_y - 3, 0.8), metal, shade=1.5)
    hips = blob(
        [
            bones.torso(x, y)
            for x, y in [
                (-b.hip, b.hip_y + 3),
                (b.hip, b.hip_y + 3),
                (b.hip * 0.7, b.hip_y - 4),
                (-b.hip * 0.7, b.hip_y - 4),
            ]
        ],
        darker(metal, 0.25),
        shade=1,
    )
    shapes = [hips, trunk]
    if look.view != "back":
        plate = [
            bones.torso(x + bones.turn, y) for x, y in [(-4, sy - 5), (4, sy - 5), (3.2, sy - 13), (-3.2, sy - 13)]
        ]
        shapes += [
            blob(plate, darker(metal, 0.2), shade=0.5),
            ellipse(bones.torso(bones.turn, sy - 9), (1.7, 1.7), accent, shade=0.4),
        ]
    return shapes


def _pelvis(look: Look, bones: Skeleton) -> list[Shape]:
    """The seat of trousers, shorts or jeans that joins the legs, with a belt."""
    b, k = bones.build, bones.width
    colour = look.colours["bottom"]
    h, w = b.hip * (0.45 + 0.55 * k) + 0.25, b.waist * (0.5 + 0.5 * k) + 0.3
    seat = blob(
        [
            bones.torso(x, y)
            for x, y in [
                (-w, b.waist_y - 3),
                (w, b.waist_y - 3),
                (h, b.hip_y),
                (h * 0.8, b.hip_y - 4),
                (0, b.hip_y - 5.5),
                (-h * 0.8, b.hip_y - 4),
                (-h, b.hip_y),
            ]
        ],
        colour,
        shade=0.9,
    )
    return [seat]


def trunk(look: Look, bones: Skeleton) -> list[Shape]:
    """Everything on the torso and below it that is not a limb, back to front."""
    colours = look.colours
    if look.who == "robot":
        return _robot_trunk(look, bones)
    whole = {"hanbok": _hanbok, "kimono": _kimono, "spacesuit": _spacesuit}
    if look.full in whole:
        return whole[look.full](look, bones, colours["full"])
    b = bones.build
    shapes: list[Shape] = []
    if look.full == "dress":
        top = _trunk(bones, b.hip_y + 4, 0.2)
        bodice = blob(top, colours["full"], shade=1.2)
        shapes += _skirt(look, bones, colours["full"], "dress", b.waist_y + 0.5, 4.2 if look.variant < 0.7 else 5.5)
        shapes += [bodice]
        sash = tube(
            [bones.torso(-b.waist - 2, b.waist_y), bones.torso(b.waist + 2, b.waist_y)],
            [0.75, 0.75],
            darker(colours["full"], 0.2),
            shade=0,
        )
        shapes.append(sash.clipped(bodice))
        if look.view != "back":
            neckline = blob(
                [
                    bones.torso(x + 0.6 * bones.turn, y)
                    for x, y in [
                        (-2.4, b.shoulder_y + 2),
                        (2.4, b.shoulder_y + 2),
                        (1.9, b.shoulder_y - 0.8),
                        (0, b.shoulder_y - 2.4),
                        (-1.9, b.shoulder_y - 0.8),
                    ]
                ],
                colours["skin"],
                shade=0,
            )
            shapes.append(neckline.clipped(bodice))
    elif look.bottom == "skirt":
        shapes += _skirt(look, bones, colours["bottom"], "skirt", b.waist_y - 1, 3.6)
    else:
        shapes += _pelvis(look, bones)
    if look.outer in ("coat", "raincoat"):
        return [*shapes, *_long_coat(look, bones, colours["outer"], look.outer)]
    if look.outer in ("suit", "uniform"):
        return [*shapes, *_blazer(look, bones, colours["outer"])]
    if look.full == "dress" and look.outer is None:
        return shapes
    kind = look.outer or look.top
    return [*shapes, *_simple_top(look, bones, colours["outer" if look.outer else "top"], kind)]
