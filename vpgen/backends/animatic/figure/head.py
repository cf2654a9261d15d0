"""Head, face, hair and what is worn on the head, drawn in head space: one unit tall, origin at its centre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vpgen.backends.animatic.figure.body import Skeleton, lean
from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import (
    Colour,
    Points,
    Shape,
    blob,
    darker,
    ellipse,
    lighter,
    mix,
    polygon,
    tube,
)

_INK: Colour = (52, 40, 48)
_HAIRLINES = {
    "sweep": [(0.37, -0.02), (0.335, 0.13), (0.2, 0.2), (0.0, 0.27), (-0.14, 0.36), (-0.25, 0.27), (-0.34, 0.13), (-0.37, -0.02)],
    "bangs": [(0.37, -0.1), (0.35, 0.05), (0.22, 0.1), (0.09, 0.12), (-0.03, 0.09), (-0.13, 0.12), (-0.24, 0.1), (-0.35, 0.05), (-0.37, -0.1)],
    "middle": [(0.37, -0.08), (0.34, 0.1), (0.22, 0.24), (0.02, 0.39), (-0.02, 0.39), (-0.22, 0.24), (-0.34, 0.1), (-0.37, -0.08)],
    "crop": [(0.385, 0.0), (0.34, 0.18), (0.26, 0.28), (0.08, 0.31), (-0.12, 0.29), (-0.26, 0.28), (-0.34, 0.18), (-0.385, 0.0)],
}  # fmt: skip


class Head:
    """Maps head space onto the figure: `turn` 0 looks at us, 1 in profile; `back` shows no face."""

    def __init__(self, look: Look, bones: Skeleton) -> None:
        self.look = look
        self.centre = bones.head
        self.scale = bones.build.head
        self.tilt = bones.lean * 0.5 + (4.0 if look.pose == "dance" else 0.0)
        self.back = look.view == "back" and look.pose != "look_back"
        self.turn = 0.62 if look.view == "side" else 0.7 if look.pose == "look_back" else 0.0
        self.hair = look.colours["hair"]
        self.skin = look.colours["skin"]

    def at(self, points: ArrayLike) -> list[Points]:
        """Head-space points in figure space."""
        return [
            lean(np.array(p) * self.scale, self.tilt) + self.centre for p in np.asarray(points, float).reshape(-1, 2)
        ]

    def blob(
        self, points: ArrayLike, colour: Colour, *, shade: float = 0.06, rim: float = 0.0, opacity: float = 1
    ) -> Shape:
        """A smooth shape in head space."""
        return blob(self.at(points), colour, shade=shade * self.scale, rim=rim * self.scale, opacity=opacity)

    def dot(
        self, centre: ArrayLike, radii: tuple[float, float], colour: Colour, *, shade: float = 0, opacity: float = 1
    ) -> Shape:
        """An ellipse in head space."""
        size = (radii[0] * self.scale, radii[1] * self.scale)
        return ellipse(self.at(centre)[0], size, colour, shade=shade * self.scale, opacity=opacity)

    def line(
        self, points: ArrayLike, radii: Sequence[float], colour: Colour, *, shade: float = 0, opacity: float = 1
    ) -> Shape:
        """A tapered stroke in head space."""
        wide = [r * self.scale for r in radii]
        return tube(self.at(points), wide, colour, shade=shade * self.scale, opacity=opacity)


def _skull(turn: float) -> Points:
    """The outline of face and forehead; when turned the chin comes forward and the back of the head appears."""
    half = np.array([(0.26, 0.44), (0.37, 0.2), (0.375, 0.0), (0.345, -0.2), (0.23, -0.39), (0.07, -0.49)])
    p = np.concatenate([[(0, 0.5)], half, (half * (-1, 1))[::-1]])
    p[:, 0] += turn * 0.1 * (0.25 - p[:, 1])
    p[:, 0] *= np.where(p[:, 0] > 0, 1 - 0.07 * turn, 1 + 0.1 * turn)
    return p


def _features(head: Head) -> list[Shape]:
    """Eyes, brows, nose, mouth and a blush: little of each."""
    t, look = head.turn, head.look
    child, elder = look.age == "child", look.age == "elder"
    eye = 1.25 if child else 1.0
    drop = -0.06 if child else -0.02
    shadow = darker(head.skin, 0.3)
    shapes = []
    for sign in (-1, 1):
        far = 1 - 0.3 * t * (sign > 0)
        x = sign * 0.158 * (1 - 0.22 * t) + 0.185 * t
        shapes.append(head.dot((x + 0.05 * sign, drop - 0.135), (0.066 * far, 0.042), (232, 112, 104), opacity=0.3))
        if "sunglasses" not in look.accessories:
            if elder:
                shapes.append(
                    head.line([(x - 0.05, drop), (x, drop + 0.022), (x + 0.05, drop)], (0.008, 0.016, 0.008), _INK)
                )
            else:
                shapes.append(head.dot((x, drop), (0.029 * eye * far, 0.046 * eye), _INK))
                shapes.append(head.dot((x - 0.008, drop + 0.018 * eye), (0.009 * eye, 0.011 * eye), (255, 255, 255)))
            if look.feminine and not child:
                shapes.append(
                    head.line(
                        [(x - 0.04 * far, drop + 0.035), (x, drop + 0.054), (x + 0.05 * far, drop + 0.04)],
                        (0.006, 0.013, 0.006),
                        _INK,
                    )
                )
        brow = [(x - 0.062 * far, drop + 0.1), (x, drop + 0.125), (x + 0.062 * far, drop + 0.105)]
        width = 0.012 if look.feminine else 0.018
        shapes.append(head.line(brow, (0.006, width, 0.006), mix(darker(head.hair, 0.2), head.skin, 0.12)))
    nose = [(0.012 + 0.245 * t, drop - 0.06), (0.032 + 0.285 * t, drop - 0.13), (0.0 + 0.24 * t, drop - 0.15)]
    shapes.append(head.line(nose, (0.006, 0.013, 0.008), shadow))
    mouth = -0.275 if not child else -0.28
    curve = 0.022 + 0.03 * look.smile
    lips = (196, 84, 84) if look.feminine else mix(shadow, (150, 60, 60), 0.4)
    middle = 0.195 * t
    width = 0.07 + 0.02 * look.smile
    smile = [(middle - width, mouth + curve), (middle, mouth), (middle + width * (1 - 0.3 * t), mouth + curve)]
    shapes.append(head.line(smile, (0.007, 0.017, 0.007), lips))
    return shapes


def _ears(head: Head) -> list[Shape]:
    if head.turn > 0:
        return [
            head.blob(
                [(-0.17, 0.02), (-0.2, 0.06), (-0.25, 0.04), (-0.25, -0.06), (-0.2, -0.13), (-0.165, -0.08)],
                mix(head.skin, (226, 120, 100), 0.12),
            )
        ]
    return [
        head.dot((s * 0.385, -0.04), (0.055, 0.095), mix(head.skin, (226, 120, 100), 0.15), shade=0.03) for s in (-1, 1)
    ]


def neck(head: Head, bones: Skeleton) -> list[Shape]:
    """The neck, in the shade of the chin."""
    build = bones.build
    width = 0.155 if head.look.feminine else 0.2
    width *= 0.8 if head.look.age == "child" else 1
    base = bones.torso(0, build.shoulder_y - 1.5)
    top = head.at((-0.06 * head.turn, -0.2))[0]
    r = width * build.head
    skin = tube([base, (base + top) / 2, top], [r * 1.12, r * 0.95, r], head.skin, shade=0)
    chin = head.blob(_skull(head.turn) * 0.98 + (0.03, -0.09), darker(head.skin, 0.26), shade=0).clipped(skin)
    return [skin] if head.back else [skin, chin]


def _back_hair(head: Head) -> list[Shape]:
    """What falls or stands behind the face."""
    t, hair, style = head.turn, head.hair, head.look.hair
    deep = darker(hair, 0.14)
    o = -0.1 * t
    if style == "bald":
        return []
    shapes = []
    if style == "long":
        side = [(-0.46, 0.2), (-0.52, -0.3), (-0.6, -0.9), (-0.52, -1.4), (-0.3, -1.62)]
        if t:
            p = [
                (-0.5, 0.2),
                (-0.56, -0.3),
                (-0.68, -0.9),
                (-0.66, -1.4),
                (-0.5, -1.7),
                (-0.26, -1.5),
                (-0.14, -0.9),
                (-0.1, -0.3),
                (0.1, 0.3),
            ]
        else:
            p = [*side, (0.02, -1.56), *[(-x, y + 0.04) for x, y in side[::-1]], (0, 0.5)]
        shapes.append(head.blob(p, deep, shade=0.1))
    elif style == "bob":
        side = [(-0.43, 0.25), (-0.52, -0.1), (-0.53, -0.45), (-0.36, -0.6)]
        shapes.append(
            head.blob(
                [*[(x + o, y) for x, y in side], (0, -0.54), *[(-x + 2.6 * o, y) for x, y in side[::-1]], (0, 0.5)],
                deep,
                shade=0.08,
            )
        )
    elif style == "bun":
        shapes.append(head.dot((-0.3 * t, 0.62 - 0.12 * t), (0.2, 0.185), hair, shade=0.07))
    elif style == "ponytail":
        tail = (
            [(-0.4, 0.3), (-0.72, 0.2), (-0.84, -0.25), (-0.72, -0.8), (-0.8, -1.05)]
            if t
            else [(0.2, 0.44), (0.5, 0.36), (0.62, -0.1), (0.56, -0.62), (0.64, -0.85)]
        )
        if head.back:
            tail = [(0, 0.3), (0.03, 0.05), (0.06, -0.5), (0.0, -1.0), (0.05, -1.35)]
        shapes.append(head.line(tail, (0.08, 0.15, 0.17, 0.12, 0.01), hair, shade=0.07))
    elif style == "twintails":
        for s in (-1, 1):
            x = s * 0.42 - 0.1 * t
            shapes.append(
                head.line(
                    [(x, -0.12), (x + s * 0.15, -0.3), (x + s * 0.16, -0.7), (x + s * 0.1, -1.0)],
                    (0.08, 0.14, 0.12, 0.01),
                    hair,
                    shade=0.06,
                )
            )
            shapes.append(head.dot((x + s * 0.03, -0.15), (0.07, 0.06), head.look.colours["accent"]))
    elif style == "curly":
        long = head.look.feminine
        angles = np.radians(np.linspace(-52 if long else -8, 232 if long else 188, 15 if long else 12))
        for i, a in enumerate(angles):
            r = 0.185 if i % 2 else 0.16
            shapes.append(
                head.dot(
                    (0.45 * np.cos(a) - 0.08 * t, 0.1 + 0.43 * np.sin(a)), (r, r), deep if i % 2 else hair, shade=0.05
                )
            )
    return shapes


def _cap(head: Head) -> list[Shape]:
    """The hair over the forehead and sides."""
    t, hair, look = head.turn, head.hair, head.look
    style = look.hair
    if style == "bald":
        return [
            head.dot((s * 0.39 - 0.14 * t, -0.02), (0.07, 0.15), hair, shade=0.03) for s in ((-1,) if t else (-1, 1))
        ]
    if style == "bowl" or (style in ("bob", "twintails", "long") and look.variant < 0.5):
        line = "bangs"
    elif style in ("short", "curly") and not look.feminine:
        line = "crop" if look.variant < 0.45 else "sweep"
    else:
        line = "middle" if look.variant > 0.75 and look.feminine else "sweep"
    outer = np.array(
        [
            (-0.4, -0.12),
            (-0.44, 0.08),
            (-0.42, 0.3),
            (-0.3, 0.48),
            (-0.12, 0.575),
            (0.1, 0.575),
            (0.29, 0.48),
            (0.41, 0.3),
            (0.43, 0.08),
            (0.4, -0.12),
        ]
    )
    if not look.feminine and style == "short":
        outer[4:7, 1] += 0.03
    outer[:, 0] -= 0.06 * t * (outer[:, 0] < 0)
    outer[-3:, 0] -= 0.05 * t
    inner = np.array(_HAIRLINES[line])
    inner[:, 0] += np.where(inner[:, 0] < -0.2, 0.24, 0.03) * t
    top = head.blob(np.concatenate([outer, inner]), hair, shade=0.09, rim=0.0)
    shapes = [top]
    if t:
        nape = [
            (-0.05, 0.2),
            (-0.16, 0.02),
            (-0.22, -0.1),
            (-0.25, -0.26),
            (-0.36, -0.33),
            (-0.46, -0.12),
            (-0.47, 0.1),
            (-0.4, 0.3),
        ]
        shapes.insert(0, head.blob(nape, hair, shade=0))
    gloss = head.line(
        [(-0.3 - 0.06 * t, 0.28), (-0.16, 0.42), (0.06, 0.46)], (0.008, 0.026, 0.006), lighter(hair, 0.22), opacity=0.75
    )
    shapes.append(gloss.clipped(top))
    return shapes


def _from_behind(head: Head) -> list[Shape]:
    """The back of the head."""
    hair, style = head.hair, head.look.hair
    shapes = [head.blob(_skull(0), head.skin), *_ears(head)]
    if style == "bald":
        return shapes
    low = -0.34 if style in ("short", "bun", "ponytail", "twintails", "curly", "bowl") else -0.5
    side = [(-0.12, 0.575), (-0.3, 0.49), (-0.42, 0.28), (-0.43, 0.02), (-0.37, low * 0.62), (-0.22, low)]
    crown = head.blob([*side, (0, low - 0.03), *[(-x, y) for x, y in side[::-1]]], hair, shade=0.1)
    shapes += [crown, *_back_hair(head)]
    if style in ("long", "bob"):
        strands = [(-0.18, 0.1), (-0.22, -0.3), (-0.2, -0.52 if style == "bob" else -1.3)]
        shapes.append(head.line(strands, (0.006, 0.022, 0.006), darker(hair, 0.3), opacity=0.7))
        strands = [(0.12, 0.2), (0.17, -0.2), (0.16, -0.5 if style == "bob" else -1.2)]
        shapes.append(head.line(strands, (0.006, 0.022, 0.006), darker(hair, 0.3), opacity=0.7))
    gloss = head.line(
        [(-0.3, 0.26), (-0.16, 0.4), (0.06, 0.44)], (0.008, 0.028, 0.006), lighter(hair, 0.22), opacity=0.75
    )
    return [*shapes, gloss.clipped(crown)]


def _hat(head: Head) -> list[Shape]:
    """Hats sit low enough to hold."""
    t, worn, colours = head.turn, head.look.accessories, head.look.colours
    shapes: list[Shape] = []
    accent = colours["accent"]
    if "straw_hat" in worn or "hat" in worn:
        straw = "straw_hat" in worn
        colour = colours["straw_hat"] if straw else colours["hat"]
        brim = 0.86 if straw else 0.66
        o = -0.03 * t
        dome = [
            (-0.4, 0.3),
            (-0.39, 0.5),
            (-0.28, 0.7),
            (0, 0.73 if straw else 0.68),
            (0.28, 0.7),
            (0.39, 0.5),
            (0.4, 0.3),
        ]
        crown = head.blob([(x + o, y) for x, y in dome], colour, shade=0.1)
        band = head.blob(
            [(-0.45 + o, 0.24), (0.45 + o, 0.24), (0.42 + o, 0.4), (0, 0.36), (-0.42 + o, 0.4)],
            darker(accent if straw else colour, 0.3 if not straw else 0.05),
        )
        shapes += [crown, band.clipped(crown)]
        front = -0.06 if not head.back else 0.0
        shapes.append(
            head.blob(
                [
                    (-brim + o, 0.27),
                    (-0.3, 0.33),
                    (0.3, 0.33),
                    (brim + o, 0.27),
                    (0.42, 0.19 + front),
                    (0, 0.16 + front),
                    (-0.42, 0.19 + front),
                ],
                colour,
                shade=0.05,
                rim=0.015,
            )
        )
    elif "gat" in worn:
        black = colours["gat"]
        shapes.append(
            head.blob([(-0.27, 0.38), (-0.23, 0.82), (0, 0.86), (0.23, 0.82), (0.27, 0.38)], black, shade=0.08)
        )
        shapes.append(head.dot((0, 0.37), (0.78, 0.13), black, shade=0.04, opacity=0.93))
    elif "cap" in worn:
        colour = colours["cap"]
        dome = head.blob(
            [(-0.44, 0.2), (-0.44, 0.36), (-0.3, 0.56), (0, 0.62), (0.3, 0.56), (0.43, 0.36), (0.43, 0.2), (0, 0.25)],
            colour,
            shade=0.1,
        )
        shapes.append(dome)
        if not head.back:
            bill = (
                [(0.0, 0.3), (0.38, 0.3), (0.72, 0.2), (0.7, 0.14), (0.38, 0.17), (0.05, 0.2)]
                if t
                else [(-0.36, 0.27), (0, 0.32), (0.36, 0.27), (0.34, 0.15), (0, 0.1), (-0.34, 0.15)]
            )
            shapes.append(head.blob(bill, darker(colour, 0.15), shade=0.03))
    elif "beanie" in worn:
        colour = colours["beanie"]
        shapes.append(head.dot((-0.03 * t, 0.72), (0.12, 0.11), lighter(colour, 0.35), shade=0.04))
        shapes.append(
            head.blob(
                [
                    (-0.45, 0.2),
                    (-0.44, 0.4),
                    (-0.28, 0.62),
                    (0, 0.67),
                    (0.28, 0.62),
                    (0.44, 0.4),
                    (0.44, 0.2),
                    (0, 0.24),
                ],
                colour,
                shade=0.1,
            )
        )
        shapes.append(
            head.blob(
                [(-0.47, 0.14), (-0.47, 0.3), (0, 0.35), (0.46, 0.3), (0.46, 0.14), (0, 0.19)],
                darker(colour, 0.14),
                shade=0.04,
            )
        )
    elif "crown" in worn:
        zig = [
            (-0.3, 0.42),
            (-0.34, 0.72),
            (-0.17, 0.56),
            (0, 0.78),
            (0.17, 0.56),
            (0.34, 0.72),
            (0.3, 0.42),
            (0, 0.38),
        ]
        shapes.append(polygon(head.at(zig), colours["crown"], shade=0.06 * head.scale))
    return shapes


def _worn(head: Head) -> list[Shape]:
    """Glasses, headphones and beard."""
    t, worn, colours = head.turn, head.look.accessories, head.look.colours
    shapes: list[Shape] = []
    drop = -0.06 if head.look.age == "child" else -0.02
    if "beard" in worn:
        jaw = _skull(t) * (1.02, 1.03)
        cover = head.blob(
            [(-0.5, -0.12), (-0.3, -0.2), (0.19 * t, -0.19), (0.4, -0.2), (0.6, -0.12), (0.5, -0.7), (-0.5, -0.7)],
            head.hair,
            shade=0,
        )
        shapes.append(cover.clipped(head.blob(jaw, head.hair)))
        shapes.append(
            head.line(
                [(0.19 * t - 0.07, -0.265), (0.19 * t, -0.28), (0.19 * t + 0.07, -0.265)],
                (0.01, 0.022, 0.01),
                (190, 96, 90),
            )
        )
    dark = "sunglasses" in worn
    if dark or "glasses" in worn:
        colour = colours["sunglasses" if dark else "glasses"]
        for s in (-1, 1):
            x = s * 0.165 * (1 - 0.22 * t) + 0.185 * t
            far = 1 - 0.25 * t * (s > 0)
            ring = (0.115 * far, 0.1)
            if dark:
                shapes.append(head.dot((x, drop - 0.01), ring, colour))
                shapes.append(
                    head.line(
                        [(x - 0.05, drop + 0.0), (x - 0.01, drop + 0.045)], (0.012, 0.012), (255, 255, 255), opacity=0.4
                    )
                )
            else:
                turn = np.linspace(0, 2 * np.pi, 13)
                loop = np.stack([x + ring[0] * np.cos(turn), drop - 0.01 + ring[1] * np.sin(turn)], 1)
                shapes.append(head.dot((x, drop - 0.01), ring, (255, 255, 255), opacity=0.16))
                shapes.append(head.line(loop, [0.012] * 13, colour))
        shapes.append(head.line([(0.185 * t - 0.045, drop), (0.185 * t + 0.045, drop)], (0.012, 0.012), colour))
    if "headphones" in worn:
        colour = colours["headphones"]
        arc = np.radians(np.linspace(4, 176, 9))
        band = np.stack([0.46 * np.cos(arc) * (1 - 0.25 * t) - 0.08 * t, 0.02 + 0.58 * np.sin(arc)], 1)
        shapes.append(head.line(band, [0.035] * 9, colour))
        for x in (-0.2,) if t else (-0.45, 0.45):
            shapes.append(
                head.blob(
                    [(x - 0.09, 0.1), (x + 0.09, 0.1), (x + 0.1, -0.16), (x - 0.1, -0.16)],
                    lighter(colour, 0.12),
                    shade=0.04,
                )
            )
    return shapes


def _helmet(head: Head) -> list[Shape]:
    """The astronaut's helmet with a golden visor, its face in the glass from the front."""
    t, white = head.turn, head.look.colours["spacesuit"]
    shell = head.dot((0, 0.03), (0.68, 0.66), white, shade=0.12)
    if head.back:
        return [shell, head.dot((0, 0.03), (0.3, 0.3), darker(white, 0.08))]
    glass = head.dot((0.16 * t, 0.03), (0.5 - 0.06 * t, 0.43), (58, 66, 104), shade=0.05)
    inside = [shape.clipped(glass) for shape in (head.blob(_skull(t) * 0.92, head.skin), *_features(head))]
    glare = head.line(
        [(-0.27 + 0.16 * t, -0.02), (-0.24 + 0.16 * t, 0.18), (-0.08 + 0.16 * t, 0.32)],
        (0.02, 0.045, 0.015),
        (255, 255, 255),
        opacity=0.75,
    )
    tint = head.dot((0.16 * t, 0.03), (0.5 - 0.06 * t, 0.43), (250, 190, 90), opacity=0.16)
    return [shell, head.dot((0.16 * t, 0.03), (0.55 - 0.06 * t, 0.48), darker(white, 0.3)), glass, *inside, tint, glare]


def _robot(head: Head) -> list[Shape]:
    """A friendly metal head."""
    metal, accent, t = head.look.colours["robot"], head.look.colours["accent"], head.turn
    box = [
        (-0.46, -0.34),
        (-0.48, 0),
        (-0.46, 0.36),
        (-0.2, 0.45),
        (0.2, 0.45),
        (0.46, 0.36),
        (0.48, 0),
        (0.46, -0.34),
        (0.2, -0.42),
        (-0.2, -0.42),
    ]
    shapes = [
        head.line([(0, 0.4), (0, 0.62)], (0.025, 0.025), darker(metal)),
        head.dot((0, 0.66), (0.075, 0.075), accent, shade=0.03),
    ]
    shapes += [head.dot((s * 0.48, 0.0), (0.09, 0.14), darker(metal, 0.3), shade=0.03) for s in (-1, 1)]
    shapes.append(head.blob(box, metal, shade=0.1, rim=0.02))
    if not head.back:
        o = 0.12 * t
        shapes.append(
            head.blob(
                [(-0.33 + o, -0.2), (-0.35 + o, 0.18), (0, 0.24), (0.33 + o, 0.18), (0.31 + o, -0.2), (0, -0.25)],
                (40, 46, 70),
                shade=0,
            )
        )
        shapes += [head.dot((s * 0.14 + o, 0.03), (0.06, 0.075), (140, 240, 236)) for s in (-1, 1)]
        shapes.append(
            head.line([(o - 0.08, -0.1), (o, -0.13), (o + 0.08, -0.1)], (0.012, 0.016, 0.012), (140, 240, 236))
        )
    return shapes


def behind(head: Head) -> list[Shape]:
    """Hair that belongs behind the torso when the figure faces us."""
    plain = head.look.who not in ("robot", "astronaut") and head.look.full != "spacesuit"
    return [] if head.back or head.turn or not plain else _back_hair(head)


def front(head: Head) -> list[Shape]:
    """The head itself with everything on it."""
    if head.look.who == "robot":
        return _robot(head)
    if head.look.full == "spacesuit":
        return _helmet(head)
    if head.back:
        return [*_from_behind(head), *_hat(head)]
    covered = head.look.hair in ("long", "bob", "curly") and head.turn == 0
    face = [head.blob(_skull(head.turn), head.skin, shade=0.07), *_features(head)]
    ears = [] if covered or (head.turn and head.look.hair in ("long", "bob")) else _ears(head)
    hair = _back_hair(head) if head.turn else []
    base = ears if not head.turn else []
    return [*hair, *base, *face, *_cap(head), *(ears if head.turn else []), *_worn(head), *_hat(head)]
