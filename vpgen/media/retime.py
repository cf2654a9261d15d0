"""A stream of frames at another rate or a smaller size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map

Array = NDArray[np.uint8]


def resample(frames: Frames, fps: int, middle: Callable[[Array, Array, float], Array]) -> Frames:
    """The stream at another rate and the same length; `middle(a, b, t)` makes what lies between two frames.

    Frames whose time coincides with an original's are passed on untouched. After the last original there is
    nothing to move towards: it is held. Works for any ratio, also downwards.
    """
    if frames.fps == fps:
        return frames
    count = round(Fraction(frames.count) / frames.fps * fps)
    ratio = frames.fps / fps

    def wanted() -> Iterator[tuple[Array, Array | None, float]]:
        """(before, after, t) for each output frame; two originals are held at a time."""
        upstream = frames.open()
        before = next(upstream)
        after = next(upstream, None)
        at = 0
        for index in range(count):
            place = index * ratio
            while at + 1 <= place and after is not None:
                before, after, at = after, next(upstream, None), at + 1
            t = float(place - at)
            yield before, (after if 0 < t < 1 else None), t

    def make(item: tuple[Array, Array | None, float]) -> Array:
        before, after, t = item
        return before if after is None else middle(before, after, t)

    def resampled() -> Iterator[Array]:
        return ordered_map(make, wanted())

    return replace(frames, fps=Fraction(fps), count=count, open=resampled)


def shrunk(frames: Frames, size: tuple[int, int]) -> Frames:
    """The stream at a smaller (width, height), averaged over the area, as yuv420p."""
    source, upstream = frames.pixels, frames.open

    def shrink(array: Array) -> Array:
        frame = av.VideoFrame.from_ndarray(array, format=source)
        rgb = source == "rgb24"
        frame = frame.reformat(*size, format="yuv420p", src_colorspace="ITU709", dst_colorspace="ITU709",
                               src_color_range="JPEG" if rgb else "MPEG", dst_color_range="MPEG",
                               interpolation="AREA")  # fmt: skip
        return np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)

    return replace(frames, size=size, pixels="yuv420p", open=lambda: ordered_map(shrink, upstream()))
