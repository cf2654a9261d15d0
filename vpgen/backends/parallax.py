"""Layered 2.5D animation: camera moves with parallax over the layers of a still, and motion that fits the scene."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import RGB, Layer, Still, Value
from vpgen.media import ambient
from vpgen.media.camera import Move, overscan, place, pose_at, read_moves
from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map
from vpgen.stages import AnimateRequest, Readiness, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.15")
"""Of output, for a scene of seven layers; measured on one core of 2026 by `python -m benchmarks.finishing`."""
OVERSAMPLE = 1.5
"""Layers are kept this much larger than they are seen when nearest, and fetched linearly: 0.005 px rms of jitter,
against 0.025 for OpenCV's cubic at equal size, in a fifth of the time."""
FLAT_DEPTH = 3.0
"""Of a picture without layers: it moves, but less than a person before it would."""
DRIFT = 0.015
"""How far ambient motion may shift a layer, as a fraction of the frame."""


class ParallaxParams(Value):
    """`strength` scales every camera move, 0 holds it still; `ambient` lets weather, water and people move."""

    strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    ambient: bool = True


@dataclass(frozen=True)
class Plane:
    """A layer ready to be drawn: premultiplied RGBA at working size, where its pixels are, how it moves by itself."""

    name: str
    rgba: NDArray[np.uint8]
    origin: tuple[int, int]
    depth: float
    opaque: bool


class Parallax:
    """Moves a camera through the layers of a still."""

    name: ClassVar[str] = "parallax"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = ParallaxParams

    def __init__(self, params: ParallaxParams) -> None:
        self.params = params

    def estimate(self, request: AnimateRequest) -> Usage:
        width, height = request.spec.size
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * width * height * request.spec.frames / 10**6}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="OpenCV")

    def animate(self, request: AnimateRequest, work: Work) -> Frames:  # noqa: ARG002  # writing the frames reports
        spec = request.spec
        moves = tuple(Move(m.kind, m.amount * self.params.strength) for m in read_moves(request.prompt.motion))
        scene = Scene.of(request.still.load(), spec.size, moves, request.seed, moving=self.params.ambient)

        def frames() -> Iterator[RGB]:
            # The last frame stands one interval before the end, so that rate does not change where things are.
            times = (index / spec.frames for index in range(spec.frames))
            yield from ordered_map(lambda t: scene.at(t, spec.seconds), times, workers=2, depth=4)

        return Frames(spec.size, Fraction(spec.fps), spec.frames, "rgb24", frames)


@dataclass(frozen=True)
class Scene:
    """Everything needed to draw any moment; `at(t)` depends on t alone, whatever the rate or the order."""

    planes: tuple[Plane, ...]
    size: tuple[int, int]
    canvas: tuple[int, int]
    moves: tuple[Move, ...]
    base: float
    seed: int
    moving: bool
    ground: float
    weather: ambient.Weather | None

    @classmethod
    def of(cls, still: Still, size: tuple[int, int], moves: tuple[Move, ...], seed: int, *, moving: bool) -> Scene:
        """Prepare a still (any size) for output of `size`."""
        layers = still.layers or (Layer("background", _opaque(still.rgb), FLAT_DEPTH),)
        width, height = size
        depths = sorted({layer.depth for layer in layers})
        base = overscan(moves, depths, width / height, DRIFT if moving else 0.0, seed)
        nearest = max(place(pose_at(moves, t, seed), min(depths), 1.0)[0] for t in (0.0, 1.0))
        scale = base * nearest * OVERSAMPLE
        canvas = (round(width * scale), round(height * scale))
        with ThreadPoolExecutor(4) as pool:
            planes = tuple(pool.map(lambda layer: _plane(layer, canvas), layers))
        weather = ambient.Weather.of(still.scene, size, seed) if moving else None
        return cls(planes, size, canvas, moves, base, seed, moving, still.scene.ground, weather)

    def at(self, t: float, seconds: float) -> RGB:
        """The frame at time t (0 to 1) of a clip of that many seconds: uint8 (height, width, 3)."""
        width, height = self.size
        frame = np.zeros((height, width, 3), np.uint8)
        pose = pose_at(self.moves, t, self.seed)
        clock = t * seconds
        for plane in self.planes:
            scale, x, y = place(pose, plane.depth, width / height)
            matrix = self._matrix(scale * self.base, x, y)
            if self.moving:
                matrix = matrix @ ambient.sway(plane.name, clock, self.canvas, self.ground, self.seed)
            _draw(frame, plane, matrix, clock if self.moving else None, self.seed)
        return self.weather.over(frame, clock) if self.weather else frame

    def _matrix(self, scale: float, x: float, y: float) -> NDArray[np.float64]:
        """Canvas pixels → frame pixels: scaled about the centre, then shifted. Pixel centres are at +0.5."""
        (width, height), (wide, high) = self.size, self.canvas
        s = scale * width / wide
        shift_x = width * (0.5 + x) - s * wide / 2
        shift_y = height * (0.5 + y) - s * high / 2
        return np.array([[s, 0, shift_x], [0, s, shift_y], [0, 0, 1]])


def _draw(frame: RGB, plane: Plane, matrix: NDArray[np.float64], clock: float | None, seed: int) -> None:
    """Warp a plane into the part of the frame it covers, and blend it over what is there."""
    height, width = frame.shape[:2]
    x0, y0 = plane.origin
    h, w = plane.rgba.shape[:2]
    corners = matrix @ np.array([[x0, x0 + w, x0, x0 + w], [y0, y0, y0 + h, y0 + h], [1, 1, 1, 1]])
    left, top = np.floor(corners[:2].min(axis=1)).astype(int) - 1
    right, bottom = np.ceil(corners[:2].max(axis=1)).astype(int) + 1
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    if left >= right or top >= bottom:
        return
    centre = np.array([[1, 0, -0.5 - left], [0, 1, -0.5 - top], [0, 0, 1]])
    source = np.array([[1, 0, x0 + 0.5], [0, 1, y0 + 0.5], [0, 0, 1]])
    local = (centre @ matrix @ source)[:2]
    border = cv2.BORDER_REPLICATE if plane.opaque else cv2.BORDER_CONSTANT
    warped = np.asarray(
        cv2.warpAffine(plane.rgba, local, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderMode=border),
        np.uint8,
    )
    if clock is not None:
        warped = ambient.stir(plane.name, warped, clock, (left, top), (width, height), seed)
    target = frame[top:bottom, left:right]
    if plane.opaque:
        target[:] = warped[..., :3]
        return
    through = cv2.merge([cv2.bitwise_not(warped[..., 3])] * 3)
    target[:] = cv2.add(warped[..., :3], cv2.multiply(target, through, scale=1 / 255))


def _opaque(rgb: RGB) -> NDArray[np.uint8]:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def _plane(layer: Layer, canvas: tuple[int, int]) -> Plane:
    """Premultiply a layer, bring it to canvas size (covering it; the frame is cropped about the centre), cut it out."""
    rgba = layer.rgba
    opaque = bool(rgba[..., 3].min() == 255)
    if not opaque:
        alpha = rgba[..., 3:].astype(np.uint16)
        rgba = np.dstack([((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8), rgba[..., 3]])
    height, width = rgba.shape[:2]
    scale = max(canvas[0] / width, canvas[1] / height)
    fitted = (max(canvas[0], round(width * scale)), max(canvas[1], round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgba = np.asarray(cv2.resize(rgba, fitted, interpolation=how), np.uint8)
    left, top = (fitted[0] - canvas[0]) // 2, (fitted[1] - canvas[1]) // 2
    rgba = rgba[top : top + canvas[1], left : left + canvas[0]]
    if opaque:
        return Plane(layer.name, np.ascontiguousarray(rgba), (0, 0), layer.depth, opaque=True)
    ys, xs = np.flatnonzero(rgba[..., 3].any(axis=1)), np.flatnonzero(rgba[..., 3].any(axis=0))
    if not len(ys):
        return Plane(layer.name, np.zeros((1, 1, 4), np.uint8), (0, 0), layer.depth, opaque=False)
    y0, y1, x0, x1 = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    # What is cut off at the canvas's edge goes on beyond it; repeating the last pixels keeps the edge solid.
    pad = [2 if inside else 0 for inside in (y0 > 0, y1 < canvas[1], x0 > 0, x1 < canvas[0])]
    part = rgba[y0 - min(y0, pad[0]) : y1 + pad[1], x0 - min(x0, pad[2]) : x1 + pad[3]]
    origin = (int(x0 - min(x0, pad[2])), int(y0 - min(y0, pad[0])))
    return Plane(layer.name, np.ascontiguousarray(part), origin, layer.depth, opaque=False)
