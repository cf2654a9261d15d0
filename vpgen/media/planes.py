"""Layers as planes in space, drawn from any camera pose straight into YUV: what the animator moves.

Frames are drawn where the encoder wants them. Every layer is converted once, and the planes of a 4:2:0 frame
hold half the numbers of an RGBA picture, so drawing a moment costs a third of warping and converting RGB.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB, Layer, Still
from vpgen.media import ambient
from vpgen.media.camera import Move, overscan, place, pose_at
from vpgen.media.color import convert

OVERSAMPLE = 1.5
"""Layers are kept this much larger than they are seen when nearest, and fetched linearly: 0.007 px rms of jitter,
against 0.025 for OpenCV's cubic at equal size, in a fifth of the time (`python -m benchmarks.finishing`)."""
FLAT_DEPTH = 3.0
"""Of a picture without layers: it moves, but less than a person before it would."""
DRIFT = 0.015
"""How far ambient motion may shift a layer, as a fraction of the frame."""
LUMA_BLACK, CHROMA_BLACK = 16, 128
"""Black in limited range."""

YUV = Literal["yuv420p", "yuv444p"]
Array = NDArray[np.uint8]


class Plane(NamedTuple):
    """A layer ready to be drawn, premultiplied, cut to where it is.

    `luma` is Y, or Y and alpha; `chroma` is U and V, or U, V and alpha, at its own resolution; `origin` is
    where the luma starts on the canvas (x, y).
    """

    name: str
    luma: Array
    chroma: Array
    origin: tuple[int, int]
    depth: float

    @property
    def opaque(self) -> bool:
        """Does it cover everything behind it?"""
        return self.luma.ndim == 2


@dataclass(frozen=True)
class Stage:
    """Everything needed to draw any moment; `at(t)` depends on t alone, whatever the rate or the order."""

    planes: tuple[Plane, ...]
    size: tuple[int, int]
    canvas: tuple[int, int]
    pixels: YUV
    moves: tuple[Move, ...]
    base: float
    seed: int
    moving: bool
    ground: float
    weather: ambient.Weather | None

    @classmethod
    def of(
        cls,
        still: Still,
        size: tuple[int, int],
        moves: tuple[Move, ...],
        seed: int,
        *,
        moving: bool,
        pixels: YUV = "yuv444p",
    ) -> Stage:
        """Prepare a still (any size) for output of `size` in `pixels`."""
        layers = still.layers or (Layer("background", _opaque(still.rgb), FLAT_DEPTH),)
        width, height = size
        depths = sorted({layer.depth for layer in layers})
        base = overscan(moves, depths, width / height, DRIFT if moving else 0.0, seed)
        nearest = max(place(pose_at(moves, t, seed), min(depths), 1.0)[0] for t in (0.0, 1.0))
        scale = base * nearest * OVERSAMPLE
        canvas = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
        with ThreadPoolExecutor(2) as pool:
            planes = tuple(pool.map(lambda layer: _plane(layer, canvas, pixels), layers))
        weather = ambient.Weather.of(still.scene, size, seed) if moving else None
        return cls(planes, size, canvas, pixels, moves, base, seed, moving, still.scene.ground, weather)

    def at(self, t: float, seconds: float) -> Array:
        """The frame at time t (0 to 1) of a clip of that many seconds, shaped as `Frames` says for its pixels."""
        width, height = self.size
        frame, targets = _empty(self.size, self.pixels)
        targets[0][:], targets[1][:], targets[2][:] = LUMA_BLACK, CHROMA_BLACK, CHROMA_BLACK
        pose = pose_at(self.moves, t, self.seed)
        clock = t * seconds
        for plane in self.planes:
            scale, x, y = place(pose, plane.depth, width / height)
            matrix = self._matrix(scale * self.base, x, y)
            if self.moving:
                matrix = matrix @ ambient.sway(plane.name, clock, self.canvas, self.ground, self.seed)
            self._draw(targets[:1], plane, plane.luma, 1, matrix, clock)
            self._draw(targets[1:], plane, plane.chroma, 2 if self.pixels == "yuv420p" else 1, matrix, clock)
        if self.weather:
            self.weather.over(targets, clock)
        return frame

    def _matrix(self, scale: float, x: float, y: float) -> NDArray[np.float64]:
        """Canvas pixels → frame pixels: scaled about the centre, then shifted. Pixel centres are at +0.5."""
        (width, height), (wide, high) = self.size, self.canvas
        s = scale * width / wide
        shift_x = width * (0.5 + x) - s * wide / 2
        shift_y = height * (0.5 + y) - s * high / 2
        return np.array([[s, 0, shift_x], [0, s, shift_y], [0, 0, 1]])

    def _draw(
        self,
        targets: tuple[Array, ...],
        plane: Plane,
        source: Array,
        divide: int,
        matrix: NDArray[np.float64],
        clock: float,
    ) -> None:
        """Warp a plane's luma or chroma into the part of the frame it covers, and blend it over what is there."""
        height, width = targets[0].shape
        matrix = matrix.copy()
        matrix[:2, 2] /= divide
        x0, y0 = plane.origin[0] // divide, plane.origin[1] // divide
        h, w = source.shape[:2]
        corners = matrix @ np.array([[x0, x0 + w, x0, x0 + w], [y0, y0, y0 + h, y0 + h], [1, 1, 1, 1]])
        left, top = np.floor(corners[:2].min(axis=1)).astype(int) - 1
        right, bottom = np.ceil(corners[:2].max(axis=1)).astype(int) + 1
        left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
        if left >= right or top >= bottom:
            return
        centre = np.array([[1, 0, -0.5 - left], [0, 1, -0.5 - top], [0, 0, 1]])
        pixel = np.array([[1, 0, x0 + 0.5], [0, 1, y0 + 0.5], [0, 0, 1]])
        local = (centre @ matrix @ pixel)[:2]
        border = cv2.BORDER_REPLICATE if plane.opaque else cv2.BORDER_CONSTANT
        warped = np.asarray(
            cv2.warpAffine(source, local, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderMode=border),
            np.uint8,
        )
        if self.moving:
            black = LUMA_BLACK if len(targets) == 1 else CHROMA_BLACK
            warped = ambient.stir(
                plane.name, warped, black, clock, (left, top), (width, height), self.seed, covered=not plane.opaque
            )
        parts = cv2.split(warped)
        through = None if plane.opaque else cv2.bitwise_not(parts[-1])
        for target, part in zip(targets, parts, strict=False):
            under = target[top:bottom, left:right]
            under[:] = part if through is None else cv2.add(part, cv2.multiply(under, through, scale=1 / 255))


def _empty(size: tuple[int, int], pixels: YUV) -> tuple[Array, tuple[Array, Array, Array]]:
    """A frame not yet drawn, and views of its three planes."""
    width, height = size
    if pixels == "yuv444p":
        frame = np.empty((3, height, width), np.uint8)
        return frame, (frame[0], frame[1], frame[2])
    frame = np.empty((height * 3 // 2, width), np.uint8)
    quarter = (height // 2, width // 2)
    u, v = frame[height:].reshape(2, *quarter)
    return frame, (frame[:height], u, v)


def _opaque(rgb: RGB) -> Array:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def _plane(layer: Layer, canvas: tuple[int, int], pixels: YUV) -> Plane:
    """Premultiply a layer, bring it to canvas size (covering it; cropped about the centre), cut it out, convert it."""
    rgba = layer.rgba
    opaque = bool(rgba[..., 3].min() == 255)
    box = (0, 0, rgba.shape[1], rgba.shape[0]) if opaque else cv2.boundingRect(rgba[..., 3])
    if not box[2]:
        return Plane(layer.name, np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8), (0, 0), layer.depth)
    height, width = rgba.shape[:2]
    scale = max(canvas[0] / width, canvas[1] / height)
    # Canvas pixels to source pixels: the layer covers the canvas and is centred on it.
    shift = ((width - canvas[0] / scale) / 2, (height - canvas[1] / scale) / 2)
    x0, x1 = (_even((edge - shift[0]) * scale, up) for edge, up in ((box[0] - 2, False), (box[0] + box[2] + 2, True)))
    y0, y1 = (_even((edge - shift[1]) * scale, up) for edge, up in ((box[1] - 2, False), (box[1] + box[3] + 2, True)))
    # What is cut off at the layer's edge goes on beyond it; repeating the last pixels keeps the edge solid.
    x0, x1 = max(0, x0), min(canvas[0], x1)
    y0, y1 = max(0, y0), min(canvas[1], y1)
    luma, *chroma = convert(np.ascontiguousarray(rgba[..., :3]), "rgb24", "yuv444p")
    if not opaque:
        alpha = np.ascontiguousarray(rgba[..., 3])
        luma, *chroma = (cv2.multiply(part, alpha, scale=1 / 255) for part in (luma, *chroma))
        luma = cv2.merge([luma, alpha])
        chroma.append(alpha)
    divide = 2 if pixels == "yuv420p" else 1
    return Plane(
        layer.name,
        _sized(np.asarray(luma), scale, shift, (x0, y0, x1, y1)),
        _sized(np.asarray(cv2.merge(chroma)), scale / divide, shift, tuple(v // divide for v in (x0, y0, x1, y1))),
        (x0, y0),
        layer.depth,
    )


def _sized(part: Array, scale: float, shift: tuple[float, float], box: tuple[int, ...]) -> Array:
    """The part of a picture inside `box` (x0, y0, x1, y1) once it is moved by -`shift` and enlarged by `scale`."""
    x0, y0, x1, y1 = box
    offset = np.array([shift[0], shift[1]])
    each = np.array([1 / scale, 1 / scale])
    if scale < 1:
        # Shrinking: average first, so that what follows only places.
        height, width = part.shape[:2]
        small = np.array([max(1, round(width * scale)), max(1, round(height * scale))])
        ratio = small / (width, height)
        part = np.asarray(cv2.resize(part, small.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
        offset, each = offset * ratio, each * ratio
    at = (np.array([x0, y0]) + 0.5) * each + offset - 0.5
    matrix = np.array([[each[0], 0, at[0]], [0, each[1], at[1]]])
    return np.asarray(
        cv2.warpAffine(
            part,
            matrix,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def _even(value: float, up: bool) -> int:  # noqa: FBT001  # private, and read at one place
    return int(np.ceil(value / 2) if up else np.floor(value / 2)) * 2
