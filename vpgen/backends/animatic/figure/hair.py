"""Hair: what falls behind the face, what lies over the forehead, and the head from behind."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.figure.face import Head, ears, skull
from vpgen.backends.animatic.figure.shapes import (
    Shape,
    darker,
    lighter,
    pts,
)

_HAIRLINES = {
    "sweep": pts(".37,-.02 .335,.13 .2,.2 0,.27 -.14,.36 -.25,.27 -.34,.13 -.37,-.02"),
    "bangs": pts(".37,-.1 .35,.05 .22,.1 .09,.12 -.03,.09 -.13,.12 -.24,.1 -.35,.05 -.37,-.1"),
    "middle": pts(".37,-.08 .34,.1 .22,.24 .02,.39 -.02,.39 -.22,.24 -.34,.1 -.37,-.08"),
    "crop": pts(".385,0 .34,.18 .26,.28 .08,.31 -.12,.29 -.26,.28 -.34,.18 -.385,0"),
}
_TURNED = {
    "sweep": pts(".4,.06 .36,.17 .27,.24 .14,.29 .02,.27 -.07,.18 -.12,.06 -.14,-.08 -.2,-.12 -.3,-.05"),
    "bangs": pts(".4,.02 .34,.08 .22,.11 .1,.12 0,.1 -.09,.06 -.13,-.04 -.16,-.12 -.22,-.14 -.3,-.05"),
}
"""The lower edge of the hair over the forehead, right to left: from the front, and turned to the right."""


def back_hair(head: Head) -> list[Shape]:
    """What falls or stands behind the face."""
    t, hair, style = head.turn, head.hair, head.look.hair
    deep = darker(hair, 0.14)
    o = -0.1 * t
    if style == "bald":
        return []
    shapes = []
    if style == "long":
        side = pts("-.46,.2 -.52,-.3 -.6,-.9 -.52,-1.4 -.3,-1.62")
        if t:
            p = pts("-.5,.2 -.56,-.3 -.68,-.9 -.66,-1.4 -.5,-1.7 -.26,-1.5 -.14,-.9 -.1,-.3 .1,.3")
        else:
            p = np.array([*side, (0.02, -1.56), *[(-x, y + 0.04) for x, y in side[::-1]], (0, 0.5)], np.float64)
        shapes.append(head.blob(p, deep, shade=0.1))
    elif style == "bob":
        side = pts("-.43,.25 -.52,-.1 -.53,-.45 -.36,-.6")
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
            pts("-.4,.3 -.72,.2 -.84,-.25 -.72,-.8 -.8,-1.05") if t else pts(".2,.44 .5,.36 .62,-.1 .56,-.62 .64,-.85")
        )
        if head.back:
            tail = pts("0,.3 .03,.05 .06,-.5 0,-1 .05,-1.35")
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


def cap(head: Head) -> list[Shape]:
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
    outer = np.array(pts("-.4,-.12 -.44,.08 -.42,.3 -.3,.48 -.12,.575 .1,.575 .29,.48 .41,.3 .43,.08 .4,-.12"))
    if not look.feminine and style == "short":
        outer[4:7, 1] += 0.03
    outer[:, 0] -= 0.06 * t * (outer[:, 0] < 0)
    if t:
        outer = np.concatenate([outer[:-2], [(0.4, 0.16)]])
    inner = _TURNED["bangs" if line == "bangs" else "sweep"] if t else _HAIRLINES[line]
    top = head.blob(np.concatenate([outer, inner]), hair, shade=0.09, rim=0.0)
    shapes = [top]
    if t:
        nape = pts("-.05,.2 -.16,.02 -.22,-.1 -.25,-.26 -.36,-.33 -.46,-.12 -.47,.1 -.4,.3")
        shapes.insert(0, head.blob(nape, hair, shade=0))
    gloss = head.line(
        [(-0.3 - 0.06 * t, 0.28), (-0.16, 0.42), (0.06, 0.46)], (0.008, 0.026, 0.006), lighter(hair, 0.22), opacity=0.75
    )
    shapes.append(gloss.clipped(top))
    return shapes


def from_behind(head: Head) -> list[Shape]:
    """The back of the head."""
    hair, style = head.hair, head.look.hair
    shapes = [head.blob(skull(0), head.skin), *ears(head)]
    if style == "bald":
        return shapes
    low = -0.34 if style in ("short", "bun", "ponytail", "twintails", "curly", "bowl") else -0.5
    side = [(-0.12, 0.575), (-0.3, 0.49), (-0.42, 0.28), (-0.43, 0.02), (-0.37, low * 0.62), (-0.22, low)]
    crown = head.blob([*side, (0, low - 0.03), *[(-x, y) for x, y in side[::-1]]], hair, shade=0.1)
    shapes += [crown, *back_hair(head)]
    if style in ("long", "bob"):
        strands = [(-0.18, 0.1), (-0.22, -0.3), (-0.2, -0.52 if style == "bob" else -1.3)]
        shapes.append(head.line(strands, (0.006, 0.022, 0.006), darker(hair, 0.3), opacity=0.7))
        strands = [(0.12, 0.2), (0.17, -0.2), (0.16, -0.5 if style == "bob" else -1.2)]
        shapes.append(head.line(strands, (0.006, 0.022, 0.006), darker(hair, 0.3), opacity=0.7))
    gloss = head.line(pts("-.3,.26 -.16,.4 .06,.44"), (0.008, 0.028, 0.006), lighter(hair, 0.22), opacity=0.75)
    return [*shapes, gloss.clipped(crown)]
