"""The figure illustrator: a person drawn from words in flat colours, cut out, light from the upper left."""

from __future__ import annotations

import zlib

import numpy as np

from vpgen.backends.animatic.figure import body, clothes, head
from vpgen.backends.animatic.figure.look import Look, settle
from vpgen.backends.animatic.figure.props import props
from vpgen.backends.animatic.figure.reading import read
from vpgen.backends.animatic.figure.shapes import Shape, rasterise
from vpgen.clip import Scene, Still

__all__ = ["draw_figure", "shapes_of"]


def shapes_of(look: Look) -> list[Shape]:
    """All shapes of a figure, back to front, in figure space."""
    bones = body.skeleton_of(look)
    crown = head.Head(look, bones)
    around = props(look, bones)
    legs = [part for i in (1, 0) for part in (*clothes.leg(look, bones, i), *clothes.foot(look, bones, i))]
    far, near = clothes.sleeve(look, bones, 1), clothes.sleeve(look, bones, 0)
    trunk = [*head.neck(crown, bones), *clothes.trunk(look, bones)]
    # Turned, the far arm is behind the body; otherwise both lie on it. A held thing lies under its fist.
    holding = near if look.view == "side" else far
    fist, other = holding[:2], [arm for arm in (far, near) if arm is not holding][0]
    hands = [*around["hand"], *fist] if around["hand"] else []
    if look.view == "back":
        arms = [*around["hand"], *far, *near]
        return [*around["back"], *arms, *legs, *trunk, *around["body"], *head.front(crown), *around["front"]]
    if look.view == "side":
        return [
            *around["back"],
            *other,
            *legs,
            *trunk,
            *around["body"],
            *head.front(crown),
            *near,
            *hands,
            *around["front"],
        ]
    return [
        *around["back"],
        *head.behind(crown),
        *legs,
        *trunk,
        *around["body"],
        *head.front(crown),
        *far,
        *near,
        *hands,
        *around["front"],
    ]


def draw_figure(text: str, seed: int, size: tuple[int, int]) -> Still:
    """Draw the person a Korean or English text describes, standing upright on an empty canvas.

    `size` is (width, height), at least 64 each. The soles are at 96 % of the height and the head of a
    standing person at 5 %; a figure that sits is as much shorter as people are. What the text leaves
    open is chosen by `seed` and text together; the same three arguments give the same pixels. The
    still's `alpha` is coverage, and its colours go on under alpha 0 so that resampling shows no halo.
    """
    rng = np.random.default_rng([seed, zlib.crc32(text.encode("utf-8", "replace"))])
    look = settle(read(text), rng)
    rgb, alpha = rasterise(shapes_of(look), size, mirror=look.mirror)
    return Still(rgb, alpha, scene=Scene(ground=0.96, light=(-0.4, 0.3)))
