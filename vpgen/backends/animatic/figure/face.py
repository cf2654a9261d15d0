"""The head's own space, one unit tall with its origin in the middle, and the faces drawn in it."""

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
    mix,
    pts,
    tube,
)

_INK: Colour = (52, 40, 48)


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


def skull(turn: float) -> Points:
    """The outline of face and forehead; when turned the chin comes forward and the back of the head appears."""
    half = np.array(pts(".26,.44 .37,.2 .375,0 .345,-.2 .23,-.39 .07,-.49"))
    p = np.concatenate([[(0, 0.5)], half, (half * (-1, 1))[::-1]])
    p[:, 0] += turn * 0.1 * (0.25 - p[:, 1])
    p[:, 0] *= np.where(p[:, 0] > 0, 1 - 0.07 * turn, 1 + 0.1 * turn)
    return p


def features(head: Head) -> list[Shape]:
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


def ears(head: Head) -> list[Shape]:
    """The ears that are seen from here."""
    if head.turn > 0:
        return [
            head.blob(
                pts("-.17,.02 -.2,.06 -.25,.04 -.25,-.06 -.2,-.13 -.165,-.08"),
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
    tone = darker(head.look.colours["robot"], 0.35) if head.look.who == "robot" else head.skin
    skin = tube([base, (base + top) / 2, top], [r * 1.12, r * 0.95, r], tone, shade=0)
    chin = head.blob(skull(head.turn) * 0.98 + (0.03, -0.09), darker(head.skin, 0.26), shade=0).clipped(skin)
    return [skin] if head.back else [skin, chin]


def helmet(head: Head) -> list[Shape]:
    """The astronaut's helmet with a golden visor, its face in the glass from the front."""
    t, white = head.turn, head.look.colours["spacesuit"]
    shell = head.dot((0, 0.03), (0.68, 0.66), white, shade=0.12)
    if head.back:
        return [shell, head.dot((0, 0.03), (0.3, 0.3), darker(white, 0.08))]
    glass = head.dot((0.16 * t, 0.03), (0.5 - 0.06 * t, 0.43), (58, 66, 104), shade=0.05)
    inside = [shape.clipped(glass) for shape in (head.blob(skull(t) * 0.92, head.skin), *features(head))]
    glare = head.line(
        [(-0.27 + 0.16 * t, -0.02), (-0.24 + 0.16 * t, 0.18), (-0.08 + 0.16 * t, 0.32)],
        (0.02, 0.045, 0.015),
        (255, 255, 255),
        opacity=0.75,
    )
    tint = head.dot((0.16 * t, 0.03), (0.5 - 0.06 * t, 0.43), (250, 190, 90), opacity=0.16)
    return [shell, head.dot((0.16 * t, 0.03), (0.55 - 0.06 * t, 0.48), darker(white, 0.3)), glass, *inside, tint, glare]


def robot(head: Head) -> list[Shape]:
    """A friendly metal head."""
    metal, accent, t = head.look.colours["robot"], head.look.colours["accent"], head.turn
    box = pts("-.46,-.34 -.48,0 -.46,.36 -.2,.45 .2,.45 .46,.36 .48,0 .46,-.34 .2,-.42 -.2,-.42")
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
