"""Flat shapes with two-tone shading, and the rasteriser that turns a list of them into a cut-out.

Figure space is in units of which a standing person is 100 tall: x to the right, y up, ground at 0.
Curves are Catmull-Rom splines (Catmull and Rom, 1974) through the given points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpgen.clip import RGB, Alpha

Points = NDArray[np.float64]
Colour = tuple[int, int, int]

FEET, HEAD, MARGIN = 0.96, 0.05, 0.02
LIGHT = np.array([-0.8, 0.6])
"""Direction towards the key light in figure space; it stays when a figure is mirrored."""


@dataclass(frozen=True)
class Shape:
    """A union of polygons in one colour.

    `shade` and `rim` are the widths, in units, of the dark and light bands along the edges that face
    away from and towards the light. `within` clips the shape to others.
    """

    pieces: tuple[Points, ...]
    colour: Colour
    shade: float = 1.1
    rim: float = 0.0
    opacity: float = 1.0
    within: tuple[Points, ...] = ()

    def clipped(self, by: Shape) -> Shape:
        """The part of this shape that lies on another, without an edge shade of its own."""
        return replace(self, within=by.pieces, shade=0.0, rim=0.0)


def curve(points: ArrayLike, *, closed: bool = False, samples: int = 9) -> Points:
    """A Catmull-Rom spline through (n, d) points; a point given twice makes a corner."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, samples, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    path = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    path = path.transpose(1, 0, 2)[np.any(b != c, axis=1)].reshape(-1, p.shape[1])
    return path if closed else np.concatenate([path, p[-1:]])


@cache
def pts(text: str) -> Points:
    """Points written as in SVG, "x,y x,y …", as an (n, 2) array; not to be written to."""
    return np.array([pair.split(",") for pair in text.split()], np.float64)


def blob(points: ArrayLike, colour: Colour, *, shade: float = 1.1, rim: float = 0.0, opacity: float = 1.0) -> Shape:
    """A smooth closed shape through the points."""
    return Shape((curve(points, closed=True),), colour, shade, rim, opacity)


def merged(first: Shape, *others: Shape) -> Shape:
    """One shape of several, shaded as a whole and in the colour of the first."""
    return replace(first, pieces=tuple(piece for shape in (first, *others) for piece in shape.pieces))


def polygon(points: ArrayLike, colour: Colour, *, shade: float = 0.0, opacity: float = 1.0) -> Shape:
    """A closed shape with straight edges."""
    return Shape((np.asarray(points, np.float64),), colour, shade, 0.0, opacity)


def ellipse(
    centre: ArrayLike, radii: tuple[float, float], colour: Colour, *, shade: float = 0.0, opacity: float = 1.0
) -> Shape:
    """An axis-aligned ellipse."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1) * radii
    return Shape((np.asarray(centre, np.float64) + ring,), colour, shade, 0.0, opacity)


def tube(
    spine: Sequence[ArrayLike],
    radii: Sequence[float],
    colour: Colour,
    *,
    shade: float = 1.0,
    opacity: float = 1.0,
    flat: bool = False,
) -> Shape:
    """A smooth tapered limb: circles of the given radii along a spline, and the hulls between them.

    `flat` cuts the far end straight, as a hem is, instead of leaving it round.
    """
    path = curve([[*np.asarray(point, np.float64), radius] for point, radius in zip(spine, radii, strict=True)])
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    circles = path[:, None, :2] + ring * np.maximum(path[:, None, 2:], 0.02)
    pairs = np.concatenate([circles[:-1], circles[1:]], 1).astype(np.float32)
    hulls = [cv2.convexHull(pair)[:, 0].astype(np.float64) for pair in pairs]
    if flat:
        end, along = path[-1, :2], path[-1, :2] - path[-2, :2]
        hulls = [hull for hull in (_cut(hull, end, along) for hull in hulls) if len(hull) > 2]
    return Shape(tuple(hulls), colour, shade, 0.0, opacity)


def _cut(convex: Points, point: Points, normal: Points) -> Points:
    """The part of a convex polygon behind a line (Sutherland and Hodgman, 1974)."""
    side = (convex - point) @ normal
    kept: list[Points] = []
    for i in range(len(convex)):
        j = (i + 1) % len(convex)
        if side[i] <= 0:
            kept.append(convex[i])
        if (side[i] <= 0) != (side[j] <= 0):
            kept.append(convex[i] + (convex[j] - convex[i]) * (side[i] / (side[i] - side[j])))
    return np.array(kept).reshape(-1, 2)


def mix(colour: Colour, other: Colour, amount: float) -> Colour:
    """A colour on the way to another one; 0 is the first, 1 the second."""
    r, g, b = (round(a + (c - a) * amount) for a, c in zip(colour, other, strict=True))
    return r, g, b


def darker(colour: Colour, amount: float = 0.24) -> Colour:
    """The colour in shade: towards a deep violet blue, as skylight fills shadows, rather than towards black."""
    return mix(colour, (38, 28, 74), amount)


def lighter(colour: Colour, amount: float = 0.25) -> Colour:
    """The colour in warm light."""
    return mix(colour, (255, 250, 236), amount)


@dataclass(frozen=True)
class _Fit:
    """From figure space to supersampled pixels of the crop that holds the figure."""

    scale: float
    offset: Points
    mirror: bool

    def __call__(self, points: Points) -> Points:
        flip = np.array([-1.0 if self.mirror else 1.0, -1.0])
        return np.asarray(points * flip * self.scale + self.offset, np.float64)


def _mask(pieces: Sequence[Points], fit: _Fit, shape: tuple[int, int]) -> tuple[slice, slice, Alpha]:
    """Rows, columns and coverage of a union of polygons, cut to its bounding box."""
    placed = [fit(piece) for piece in pieces]
    every = np.concatenate(placed)
    x0, y0 = np.maximum(np.floor(every.min(0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(every.max(0)).astype(int) + 3, (shape[1], shape[0]))
    mask = np.zeros((max(y1 - y0, 1), max(x1 - x0, 1)), np.uint8)
    for piece in placed:
        fixed = np.round((piece - (x0, y0)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, shift=4)
    return slice(y0, y0 + mask.shape[0]), slice(x0, x0 + mask.shape[1]), mask


def _away(mask: Alpha, step: Points, soft: float) -> Alpha:
    """The band of a mask that its copy, moved by `step` pixels, does not cover."""
    moved = cv2.warpAffine(mask, np.array([[1, 0, step[0]], [0, 1, step[1]]], np.float32), mask.shape[::-1])
    size = max(int(soft) | 1, 1)
    softened = cv2.blur(moved, (size, size)) if size > 1 else moved
    return np.asarray(cv2.subtract(mask, softened), np.uint8)


def _paint(canvas: NDArray[np.uint8], mask: Alpha, colour: Colour, opacity: float, gradient: float) -> None:
    """Lay a colour over the premultiplied RGBA canvas where the mask is, a little lighter at its top."""
    weight = mask.astype(np.float32) * (opacity / 255)
    rows = np.linspace(1 + gradient, 1 - gradient, mask.shape[0], dtype=np.float32)[:, None]
    paint = np.empty((*mask.shape, 4), np.uint8)
    paint[..., :3] = np.clip(rows * np.array(colour, np.float32), 0, 255).astype(np.uint8)[:, None]
    paint[..., 3] = 255
    canvas[:] = cv2.blendLinear(canvas, paint, 1 - weight, weight)


def _draw(shape: Shape, canvas: NDArray[np.uint8], fit: _Fit) -> None:
    rows, columns, mask = _mask(shape.pieces, fit, canvas.shape[:2])
    if shape.within:
        limit = np.zeros(canvas.shape[:2], np.uint8)
        other_rows, other_columns, other = _mask(shape.within, fit, canvas.shape[:2])
        limit[other_rows, other_columns] = other
        mask = np.minimum(mask, limit[rows, columns])
    part = np.ascontiguousarray(canvas[rows, columns])
    _paint(part, mask, shape.colour, shape.opacity, 0.025 if shape.shade else 0.0)
    away = np.array([LIGHT[0], -LIGHT[1]]) * fit.scale
    if shape.shade:
        band = _away(mask, away * shape.shade, 0.25 * shape.shade * fit.scale)
        _paint(part, band, darker(shape.colour), shape.opacity, 0.0)
    if shape.rim:
        band = _away(mask, -away * shape.rim, 0)
        _paint(part, band, lighter(shape.colour, 0.3), 0.8 * shape.opacity, 0.0)
    canvas[rows, columns] = part


def rasterise(shapes: Sequence[Shape], size: tuple[int, int], *, mirror: bool = False) -> tuple[RGB, Alpha]:
    """Draw the shapes, back to front, standing on the baseline of a canvas of `size` (width, height).

    100 units are 91 % of the height unless something is wider or taller than the canvas allows. Returns
    straight colours (under alpha 0 the nearest figure colour) and coverage.
    """
    width, height = size
    every = np.concatenate([piece for shape in shapes for piece in shape.pieces])
    (left, bottom), (right, top) = every.min(0), every.max(0)
    bottom = min(bottom, 0.0)
    scale = min(
        (FEET - HEAD) * height / (100 - bottom),
        (FEET - MARGIN) * height / (top - bottom),
        (1 - 2 * MARGIN) * width / (right - left),
    )
    x0 = (width - (right - left) * scale) / 2
    y1 = FEET * height
    box = (int(x0) - 2, int(y1 - (top - bottom) * scale) - 2, int(width - x0) + 3, int(y1) + 3)
    box = (max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height))
    fine = int(np.clip(round(2200 / height), 1, 8))
    start = right if mirror else -left
    offset = np.array([x0 + start * scale - box[0], y1 + bottom * scale - box[1]]) * fine
    fit = _Fit(scale * fine, offset, mirror)
    canvas = np.zeros(((box[3] - box[1]) * fine, (box[2] - box[0]) * fine, 4), np.uint8)
    for shape in shapes:
        _draw(shape, canvas, fit)
    small = cv2.resize(canvas, (box[2] - box[0], box[3] - box[1]), interpolation=cv2.INTER_AREA)
    premultiplied = np.zeros((height, width, 4), np.uint8)
    premultiplied[box[1] : box[3], box[0] : box[2]] = small
    return _unmultiply(premultiplied)


def _unmultiply(premultiplied: NDArray[np.uint8]) -> tuple[RGB, Alpha]:
    """Straight colours and alpha; where coverage is too thin to tell a colour, the nearest one that can."""
    alpha = np.ascontiguousarray(premultiplied[..., 3])
    gain = 255 / np.maximum(alpha, 1).astype(np.float32)
    rgb = np.clip(premultiplied[..., :3] * gain[..., None] + 0.5, 0, 255).astype(np.uint8)
    thin = (alpha < min(64, int(alpha.max()))).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(thin, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    known = thin == 0
    nearest = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    nearest[labels[known]] = rgb[known]
    return nearest[labels], alpha
