"""Interpolate by optical flow (DIS, Kroeger et al. 2016) with occlusions reasoned about.

Flow is found at a reduced size, carried to the moment between the frames, and each frame is fetched along it. Where
the later frame, fetched back, does not look like the earlier one, something was covered or appeared: then flow is
found the other way as well, and of the two frames the one is believed whose flow the way back confirms.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import Value
from vpgen.media.frames import Frames
from vpgen.media.retime import resample
from vpgen.media.video import decode
from vpgen.stages import InterpolateRequest, Readiness, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.035")
"""Of interpolated picture; measured by `python -m benchmarks.interpolation`."""
UNLIKE, ENOUGH = 48, 0.05
"""Luma levels by which a pixel, fetched back, is unlike; and the share of such pixels that asks for both ways."""
CUT = 0.22
"""Mean luma difference (0 to 1) between neighbours, after fetching one along the flow, that only a cut makes."""

Array = NDArray[np.uint8]
Flow_ = NDArray[np.float32]


class FlowParams(Value):
    """`divide`: flow is found at this fraction of the size (3 is a third); 1 is the finest and slowest."""

    divide: Annotated[int, Field(ge=1, le=8)] = 3


class Flow:
    """DIS flow on luma, linear fetch on all planes."""

    name: ClassVar[str] = "flow"
    version: ClassVar[str] = "2"
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
    small = (max(32, width // divide), max(32, height // divide))
    s, e = (np.asarray(cv2.resize(p[:height], small, interpolation=cv2.INTER_AREA), np.uint8) for p in (a, b))
    if not cv2.absdiff(s, e).any():
        return a
    forward = _flow(s, e)
    unlike = cv2.absdiff(s, _along(e, forward, 1.0))
    if float(cv2.mean(unlike)[0]) / 255 > CUT:
        return a if t < 0.5 else b
    motion, share = _carry(forward, t)[0], None
    if cv2.countNonZero(cv2.threshold(unlike, UNLIKE, 1, cv2.THRESH_BINARY)[1]) > ENOUGH * unlike.size:
        motion, share = _both_ways(forward, _flow(e, s), t)
    return _fetched(a, b, t, size, motion, share)


def _both_ways(forward: Flow_, backward: Flow_, t: float) -> tuple[Flow_, NDArray[np.float32]]:
    """Motion at time t from both sides, and how much of the later frame to believe."""
    to_a, at_a = _carry(forward, t)
    to_b, at_b = _carry(backward, 1 - t)
    weight_a = _at(_trust(forward, backward), at_a) + 0.02
    weight_b = _at(_trust(backward, forward), at_b) + 0.02
    total = weight_a * (1 - t) + weight_b * t
    motion = (to_a * (weight_a * (1 - t))[..., None] - to_b * (weight_b * t)[..., None]) / total[..., None]
    return np.asarray(motion, np.float32), np.asarray(weight_b * t / total, np.float32)


def _fetched(
    a: Array, b: Array, t: float, size: tuple[int, int], motion: Flow_, share: NDArray[np.float32] | None
) -> Array:
    """Both frames fetched along the motion at time t, and blended; plane by plane."""
    width, height = size
    half = (height // 2, width // 2)
    result = np.empty_like(a)
    planes = [(slice(0, height), (height, width))]
    planes += [(slice(height, height + half[0] // 2), half), (slice(height + half[0] // 2, None), half)]
    maps: dict[tuple[int, int], tuple[Flow_, Flow_, Any]] = {}
    for rows, shape in planes:
        if shape not in maps:
            grown = np.asarray(cv2.resize(motion, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
            grown *= np.array([shape[1] / motion.shape[1], shape[0] / motion.shape[0]], np.float32)
            later = None if share is None else cv2.resize(share, shape[::-1], interpolation=cv2.INTER_LINEAR)
            maps[shape] = (_moved(grown, -t), _moved(grown, 1 - t), later)
        from_a, from_b, later = maps[shape]
        of_a, of_b = (_at(p[rows].reshape(shape), m) for p, m in ((a, from_a), (b, from_b)))
        blended = (
            cv2.addWeighted(of_a, 1 - t, of_b, t, 0) if later is None else cv2.blendLinear(of_a, of_b, 1 - later, later)
        )
        result[rows] = blended.reshape(result[rows].shape)
    return result


def _flow(before: Array, after: Array) -> Flow_:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dis.calc(before, after, np.zeros((*before.shape, 2), np.float32)), np.float32)


def _trust(there: Flow_, back: Flow_) -> NDArray[np.float32]:
    """1 where following the flow there and back returns to the start, towards 0 where it does not."""
    returned = _along(back, there, 1.0)
    error = np.square(there + returned).sum(axis=2)
    scale = 0.01 * (np.square(there).sum(axis=2) + np.square(returned).sum(axis=2)) + 0.5
    return np.asarray(np.exp(-error / scale), np.float32)


def _carry(flow: Flow_, t: float) -> tuple[Flow_, Flow_]:
    """The flow as it lies at time t, and where each point came from (one fixed-point step)."""
    came_from = _moved(_along(flow, flow, -t), -t)
    return np.asarray(_at(flow, came_from), np.float32), came_from


def _along(picture: NDArray[Any], flow: Flow_, t: float) -> NDArray[Any]:
    """The picture, fetched from where the flow leads after time t."""
    return _at(picture, _moved(flow, t))


def _at(picture: NDArray[Any], places: Flow_) -> NDArray[Any]:
    # One map of pairs needs no second; the stubs do not know.
    return np.asarray(cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]


def _moved(flow: Flow_, t: float) -> Flow_:
    """Each pixel's place after time t."""
    return np.asarray(cv2.scaleAdd(flow, t, _grid(flow.shape[0], flow.shape[1])), np.float32)


@cache
def _grid(height: int, width: int) -> Flow_:
    """Every pixel's own place (x, y)."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack([xs, ys])
