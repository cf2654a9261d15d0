"""What is worn on the head: hats, glasses, headphones, and a beard."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.figure.face import Head, skull
from vpgen.backends.animatic.figure.shapes import (
    Shape,
    darker,
    lighter,
    polygon,
    pts,
)


def hat(head: Head) -> list[Shape]:
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
        shapes.append(head.blob(pts("-.27,.38 -.23,.82 0,.86 .23,.82 .27,.38"), black, shade=0.08))
        shapes.append(head.dot((0, 0.37), (0.78, 0.13), black, shade=0.04, opacity=0.93))
    elif "cap" in worn:
        colour = colours["cap"]
        crown = head.blob(
            pts("-.44,.2 -.44,.36 -.3,.56 0,.62 .3,.56 .43,.36 .43,.2 0,.25"),
            colour,
            shade=0.1,
        )
        shapes.append(crown)
        if not head.back:
            bill = (
                pts("0,.3 .38,.3 .72,.2 .7,.14 .38,.17 .05,.2")
                if t
                else pts("-.36,.27 0,.32 .36,.27 .34,.15 0,.1 -.34,.15")
            )
            shapes.append(head.blob(bill, darker(colour, 0.15), shade=0.03))
    elif "beanie" in worn:
        colour = colours["beanie"]
        shapes.append(head.dot((-0.03 * t, 0.72), (0.12, 0.11), lighter(colour, 0.35), shade=0.04))
        shapes.append(
            head.blob(
                pts("-.45,.2 -.44,.4 -.28,.62 0,.67 .28,.62 .44,.4 .44,.2 0,.24"),
                colour,
                shade=0.1,
            )
        )
        shapes.append(
            head.blob(
                pts("-.47,.14 -.47,.3 0,.35 .46,.3 .46,.14 0,.19"),
                darker(colour, 0.14),
                shade=0.04,
            )
        )
    elif "crown" in worn:
        zig = pts("-.3,.42 -.34,.72 -.17,.56 0,.78 .17,.56 .34,.72 .3,.42 0,.38")
        shapes.append(polygon(head.at(zig), colours["crown"], shade=0.06 * head.scale))
    return shapes


def worn(head: Head) -> list[Shape]:
    """Glasses, headphones and beard."""
    t, worn, colours = head.turn, head.look.accessories, head.look.colours
    shapes: list[Shape] = []
    drop = -0.06 if head.look.age == "child" else -0.02
    if "beard" in worn:
        jaw = skull(t) * (1.02, 1.03)
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
