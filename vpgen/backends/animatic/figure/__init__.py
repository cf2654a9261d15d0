"""The figure illustrator: a person drawn from words in flat colours, cut out, light from the upper left."""

from __future__ import annotations

import zlib

import numpy as np

from vpgen.backends.animatic.figure.body import skeleton_of
from vpgen.backends.animatic.figure.face import Head, neck
from vpgen.backends.animatic.figure.head import behind, front
from vpgen.backends.animatic.figure.limbs import arm, foot, leg
from vpgen.backends.animatic.figure.look import Look, settle
from vpgen.backends.animatic.figure.props import props
from vpgen.backends.animatic.figure.reading import read
from vpgen.backends.animatic.figure.robes import dressed
from vpgen.backends.animatic.figure.shapes import Shape, rasterise
from vpgen.clip import Scene, Still

__all__ = ["draw_figure", "shapes_of"]


def shapes_of(look: Look) -> list[Shape]:
    """All shapes of a figure, back to front, in figure space."""
    bones = skeleton_of(look)
    head = Head(look, bones)
    around = props(look, bones)
    back, body, things, over_all = (around[place] for place in ("back", "body", "hand", "front"))
    legs = [shape for i in (1, 0) for shape in (*leg(look, bones, i), *foot(look, bones, i))]
    torso = [*neck(head, bones), *dressed(look, bones), *body]
    (near_hand, near), (far_hand, far) = arm(look, bones, 0), arm(look, bones, 1)
    if look.view == "back":
        arms = [*things, *near_hand, *near, *far_hand, *far]
        return [*back, *legs, *arms, *torso, *front(head), *over_all]
    if look.view == "side":
        # Turned, the far arm is behind the body and a held thing is in the near hand.
        arms = [*things, *near_hand, *near] if not look.two_handed else [*near, *things, *near_hand]
        return [*back, *far_hand, *far, *legs, *torso, *front(head), *arms, *over_all]
    held = [*near_hand, *near, *far, *things, *far_hand] if things else [*near_hand, *near, *far_hand, *far]
    if look.two_handed:
        held = [*near, *far, *things, *near_hand, *far_hand]
    return [*back, *behind(head), *legs, *torso, *front(head), *held, *over_all]


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
