"""Interpolate by optical flow (DIS, Kroeger et al. 2016) with occlusions reasoned about.

Flow is found both ways at a reduced size, carried to the moment between the frames, and each frame is fetched
along it. Where the two disagree, the one whose flow is confirmed by the way back is believed: what appears
comes from the later frame, what is covered from the earlier.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import Value
from vpgen.media.frames import Frames
from vpgen.media.retime import resample
from vpgen.media.video import decode
from vpgen.stages import InterpolateRequest, Readiness, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.09")
"""Of interpolated picture; measured by `python -m benchmarks.interpolation`."""
CUT = 0.22
"""Mean luma difference (0 to 1) between neighbours, after fetching one along the flow, that only a cut makes."""

Array = NDArray[np.uint8]
Flow_ = NDArray[np.float32]


class FlowParams(Value):
    """`divide`: flow is found at this fraction of the size (3 is a third); 1 is the finest and slowest."""

    divide: Annotated[int, Field(ge=1, le=8)] = 3


class Flow:
    """DIS flow on luma, cubic fetch on all planes."""

    name: ClassVar[str] = "flow"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = FlowParams

    def __init__(self, params: FlowParams) -> None:
        self.params = params

    def estimate(self, request: InterpolateRequest) -> Usage:
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * 2 * request.fps * 3}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="OpenCV DIS")

    def interpolate(self, request: InterpolateRequest, work: Work) -> Frames:  # noqa: ARG002  # writing reports
        source = request.video.load()
        frames = source if isinstance(source, Frames) else decode(source, "yuv420p")
        if frames.pixels != "yuv420p":
            from vpgen.media.color import as_pixels

            frames = as_pixels(frames, "yuv420p")
        divide = self.params.divide if frames.size[1] > 400 else 1
        return resample(frames, request.fps, lambda a, b, t: between(a, b, t, frames.size, divide))


def between(a: Array, b: Array, t: float, size: tuple[int, int], divide: int = 3) -> Array:
    """The yuv420p frame at time t (0 to 1) between two; at a cut the nearer one."""
    width, height = size
    first, second = a[:height], b[:height]
    small = (max(32, width // divide), max(32, height // divide))
    s, e = (np.asarray(cv2.resize(plane, small, interpolation=cv2.INTER_AREA), np.uint8) for plane in (first, second))
    if not cv2.absdiff(s, e).any():
        return a
    forward, backward = _dis(s, e), _dis(e, s)
    # How far from its start a point ends that follows the flow there and back: large where something is covered.
    seen_a = _trust(forward, backward)
    seen_b = _trust(backward, forward)
    fetched = _fetch(e, forward)
    if float(cv2.mean(cv2.absdiff(s, fetched))[0]) / 255 > CUT:
        return a if t < 0.5 else b
    to_a, weight_a = _carry(forward, seen_a, t)
    to_b, weight_b = _carry(backward, seen_b, 1 - t)
    # Motion at time t, from both sides; each frame is then fetched back along it.
    total = weight_a * (1 - t) + weight_b * t + 1e-6
    motion = (to_a * (weight_a * (1 - t))[..., None] - to_b * (weight_b * t)[..., None]) / total[..., None]
    share = np.clip((weight_b * t) / total, 0, 1)
    result = np.empty_like(a)
    half = (height // 2, width // 2)
    blends = {}
    for shape in ((height, width), half):
        grown = cv2.resize(motion, shape[::-1], interpolation=cv2.INTER_LINEAR)
        grown *= np.array([shape[1] / small[0], shape[0] / small[1]], np.float32)
        mixed = cv2.resize(share.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
        ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        blends[shape] = (
            xs - t * grown[..., 0],
            ys - t * grown[..., 1],
            xs + (1 - t) * grown[..., 0],
            ys + (1 - t) * grown[..., 1],
            mixed,
        )
    for rows, shape in (
        (slice(0, height), (height, width)),
        (slice(height, height + half[0] // 2), half),
        (slice(height + half[0] // 2, None), half),
    ):
        ax, ay, bx, by, mixed = blends[shape]
        of_a = cv2.remap(a[rows].reshape(shape), ax, ay, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        of_b = cv2.remap(b[rows].reshape(shape), bx, by, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        result[rows] = cv2.blendLinear(of_a, of_b, 1 - mixed, mixed).reshape(result[rows].shape)
    return result


def _dis(before: Array, after: Array) -> Flow_:
    flow = np.zeros((*before.shape, 2), np.float32)
    return np.asarray(
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before, after, flow), np.float32
    )


def _fetch(picture: Array, flow: Flow_) -> Array:
    ys, xs = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    return np.asarray(
        cv2.remap(picture, xs + flow[..., 0], ys + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _trust(there: Flow_, back: Flow_) -> NDArray[np.float32]:
    """1 where following the flow there and back returns to the start, towards 0 where it does not."""
    ys, xs = np.mgrid[0 : there.shape[0], 0 : there.shape[1]].astype(np.float32)
    returned = cv2.remap(
        back, xs + there[..., 0], ys + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    error = np.square(there + returned).sum(axis=2)
    scale = 0.01 * (np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)) + 0.5
    return np.asarray(np.exp(-error / scale), np.float32)


def _carry(flow: Flow_, trust: NDArray[np.float32], t: float) -> tuple[Flow_, NDArray[np.float32]]:
    """The flow as it lies at time t: looked up where a point at time t came from (one fixed-point step)."""
    ys, xs = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    guess = cv2.remap(
        flow, xs - t * flow[..., 0], ys - t * flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = xs - t * guess[..., 0], ys - t * guess[..., 1]
    carried = cv2.remap(flow, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.remap(trust, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(carried, np.float32), np.asarray(weight, np.float32) + 0.02
