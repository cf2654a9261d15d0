"""Drawing on layers: antialiased shapes with flat colours or vertical gradients, in units of the picture's height.

x runs from 0 to the aspect ratio, y from 0 (top) to 1 (bottom), so that a drawing looks the same at any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Layer

Colour = tuple[float, float, float]
Point = tuple[float, float]
_BITS = 4
"""Sub-pixel bits of OpenCV's drawing functions."""
SPARSE = 6
"""Pixels are picked one by one when fewer than one in this many is touched; measured, the better way from there on."""


class Sheet:
    """One layer in the making: straight-alpha RGBA, uint8 (height, width, 4). `mirror` draws left for right."""

    def __init__(self, name: str, depth: float, size: tuple[int, int], *, mirror: bool = False) -> None:
        self.name = name
        self.mirror = mirror
        self.depth = depth
        self.width, self.height = size
        self.rgba = np.zeros((self.height, self.width, 4), np.uint8)

    @property
    def aspect(self) -> float:
        """Width in units of the height."""
        return self.width / self.height

    def layer(self) -> Layer:
        """The finished layer."""
        return Layer(self.name, self.rgba, self.depth)

    def fill(self, top: Colour, bottom: Colour, middle: Colour | None = None, at: float = 0.5) -> None:
        """Cover everything with a vertical gradient."""
        self.rgba[..., :3] = _dither(self._gradient(0, self.height, top, bottom, middle, at), self.width)
        self.rgba[..., 3] = 255

    def polygons(
        self,
        shapes: Iterable[Sequence[Point] | NDArray[np.float64]],
        colour: Colour,
        below: Colour | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Fill shapes with a colour, or with a gradient from `colour` at their top to `below` at their bottom."""
        points = [np.asarray(shape, np.float64) * self.height for shape in shapes]
        if self.mirror:
            points = [np.array((self.width, 0)) + shape * (-1, 1) for shape in points]
        if not points:
            return
        every = np.concatenate(points)
        x0, y0 = np.floor(every.min(axis=0)).astype(int) - 1
        x1, y1 = np.ceil(every.max(axis=0)).astype(int) + 2
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(self.width, x1), min(self.height, y1)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for shape in points:
            fixed = np.round((shape - (x0, y0)) * (1 << _BITS)).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _BITS)
        self._blend(mask, (x0, y0), colour, below, alpha)

    def polygon(
        self,
        shape: Sequence[Point] | NDArray[np.float64],
        colour: Colour,
        below: Colour | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Fill one shape."""
        self.polygons([shape], colour, below, alpha)

    def ellipses(
        self,
        ovals: Iterable[tuple[float, float, float, float]],
        colour: Colour,
        below: Colour | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Fill ovals given as (x, y, horizontal radius, vertical radius)."""
        self.polygons([oval(*each) for each in ovals], colour, below, alpha)

    def rectangles(
        self,
        boxes: Iterable[tuple[float, float, float, float]],
        colour: Colour,
        below: Colour | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Fill boxes given as (left, top, right, bottom)."""
        self.polygons([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in boxes], colour, below, alpha)

    def stroke(
        self,
        points: Sequence[Point] | NDArray[np.float64],
        width: float,
        colour: Colour,
        tip: float = 1.0,
        alpha: float = 1.0,
    ) -> None:
        """A line of that width, ending at `tip` times it."""
        self.polygon(ribbon(points, width, width * tip), colour, alpha=alpha)

    def glow(self, at: Point, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """Soft round light that falls off like a Gaussian."""
        x, y, r = at[0] * self.height, at[1] * self.height, radius * self.height
        x = self.width - x if self.mirror else x
        x0, x1 = max(0, int(x - 2.5 * r)), min(self.width, int(x + 2.5 * r) + 1)
        y0, y1 = max(0, int(y - 2.5 * r)), min(self.height, int(y + 2.5 * r) + 1)
        if x0 >= x1 or y0 >= y1:
            return
        across = np.exp(-(((np.arange(x0, x1) - x) / r) ** 2))
        down = np.exp(-(((np.arange(y0, y1) - y) / r) ** 2))
        mask = np.asarray(np.outer(down, across) * 255 * strength, np.uint8)
        self._blend(mask, (x0, y0), colour, None, 1.0)

    def veil(self, foot: NDArray[np.float64], reach: NDArray[np.float64], colour: Colour, strength: float) -> None:
        """Light that hangs above a line and fades upwards: `foot` (count, 2) from left to right, `reach` its height at each."""
        columns = (np.arange(self.width) + 0.5) / self.height
        columns = columns[::-1] if self.mirror else columns
        low = np.interp(columns, foot[:, 0], foot[:, 1]) * self.height
        high = np.interp(columns, foot[:, 0], reach) * self.height
        y0, y1 = max(0, int((low - 3 * high).min())), min(self.height, int(low.max()) + 1)
        if y0 >= y1:
            return
        up = low[None, :] - (np.arange(y0, y1) + 0.5)[:, None]
        soft = np.clip(up / (0.12 * high) + 1, 0, 1)
        mask = np.asarray(255 * strength * soft * np.exp(-np.maximum(up, 0) / high), np.uint8)
        self._blend(mask, (0, y0), colour, None, 1.0)

    def _gradient(
        self, y0: int, y1: int, top: Colour, bottom: Colour, middle: Colour | None, at: float
    ) -> NDArray[np.float32]:
        stops, colours = ([0, at, 1], [top, middle, bottom]) if middle else ([0, 1], [top, bottom])
        t = (np.arange(y1 - y0) + 0.5) / max(1, y1 - y0)
        return np.stack([np.interp(t, stops, [c[i] for c in colours]) for i in range(3)], axis=1).astype(np.float32)

    def _blend(
        self, mask: NDArray[np.uint8], at: tuple[int, int], colour: Colour, below: Colour | None, alpha: float
    ) -> None:
        x0, y0 = at
        h, w = mask.shape
        part = self.rgba[y0 : y0 + h, x0 : x0 + w]
        if below is None:
            rgb: NDArray[np.float32] = np.asarray(colour, np.float32)[None, None, :]
        else:
            rgb = self._gradient(y0, y0 + h, colour, below, None, 0.5)[:, None, :]
        if alpha == 1:  # inside a shape there is nothing to mix; that leaves its edge
            inside = mask == 255
            np.copyto(part[..., :3], (rgb + 0.5).clip(0, 255).astype(np.uint8), where=inside[..., None])
            np.copyto(part[..., 3], np.uint8(255), where=inside)
            mask = np.where(inside, np.uint8(0), mask)
        if np.count_nonzero(mask) * SPARSE < mask.size:  # stars, grass, windows: few pixels of a large box
            rows, columns = np.nonzero(mask)
            under = part[rows, columns]
            _over(under, rgb if below is None else rgb[rows, 0], mask[rows, columns], alpha)
            part[rows, columns] = under
            return
        _over(part, rgb, mask, alpha)


def _over(under: NDArray[np.uint8], rgb: NDArray[np.float32], mask: NDArray[np.uint8], alpha: float) -> None:
    """Lay a colour over straight-alpha pixels (..., 4), in place, as much as the mask (...) says."""
    m = mask.astype(np.float32)[..., None] * np.float32(alpha / 255)
    old = under[..., 3:].astype(np.float32) / 255
    kept = old * (1 - m)
    total = m + kept
    rgb = rgb.reshape(1, 3) if under.ndim == 2 and rgb.size == 3 else rgb
    mixed = (rgb * m + under[..., :3] * kept) / np.maximum(total, 1e-6)
    under[..., :3] = np.where(total > 0, mixed + 0.5, rgb).clip(0, 255)
    under[..., 3:] = (total * 255 + 0.5).clip(0, 255)


def oval(x: float, y: float, rx: float, ry: float, floor: float | None = None) -> NDArray[np.float64]:
    """The outline of an oval, cut off flat at y = `floor`."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=1)
    if floor is not None:
        points[:, 1] = np.minimum(points[:, 1], floor)
    return points


def pill(left: float, right: float, y: float, thick: float) -> NDArray[np.float64]:
    """A bar with round ends, its middle line at y."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, 14)
    r = thick / 2
    end = np.stack([np.cos(turn) * r, np.sin(turn) * r], axis=1)
    return np.concatenate([end + (max(left, right - r), y), -end + (min(right, left + r), y)])


def between(line: NDArray[np.float64], x: float) -> float:
    """The height of a skyline at x."""
    return float(np.interp(x, line[:, 0], line[:, 1]))


def ribbon(points: Sequence[Point] | NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """The outline of a line whose width runs from `start` to `end`."""
    line = np.asarray(points, np.float64)
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = np.linspace(start, end, len(line))[:, None] / 2
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


def ridge(
    random: np.random.Generator, aspect: float, base: float, height: float, rough: float = 0.55, count: int = 257
) -> NDArray[np.float64]:
    """A skyline from left to right: fractal noise between base - height and base; points (count, 2)."""
    x = np.linspace(-0.05, aspect + 0.05, count)
    y = np.zeros(count)
    amplitude, steps = 1.0, 3
    while steps < count:
        knots = random.uniform(-1, 1, steps + 3)
        t = np.linspace(0, steps, count)
        y += amplitude * np.interp(t, np.arange(steps + 3), knots)
        amplitude *= rough
        steps *= 2
    y = (y - y.min()) / (y.max() - y.min())
    return np.stack([x, base - height * y], axis=1)


def down_to(line: NDArray[np.float64], bottom: float = 1.05) -> NDArray[np.float64]:
    """The area under a line."""
    return np.concatenate([line, [[line[-1, 0], bottom], [line[0, 0], bottom]]])


def smooth(points: Sequence[Point], count: int = 60) -> NDArray[np.float64]:
    """A smooth curve through points (monotone cubic in each coordinate)."""
    from scipy.interpolate import PchipInterpolator

    given = np.asarray(points, np.float64)
    t = np.linspace(0, len(given) - 1, count)
    return np.stack([PchipInterpolator(np.arange(len(given)), given[:, i])(t) for i in (0, 1)], axis=1)


def _dither(rows: NDArray[np.float32], width: int) -> NDArray[np.uint8]:
    """Rows of colours to pixels; half a level of noise hides the bands of a slow gradient."""
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, (len(rows), width, 1)).astype(np.float32)
    return np.asarray((rows[:, None, :] + noise + 0.5).clip(0, 255), np.uint8)
