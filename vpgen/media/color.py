"""RGB ↔ YUV, always BT.709 in limited range, by libswscale; the one place where pixel formats change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import av
import numpy as np
from numpy.typing import NDArray

from vpgen.media.frames import Frames, Pixels

BT709 = 1
"""The code of BT.709 for primaries, transfer and matrix in H.264 (ITU-T H.273)."""
LIMITED = 1
"""libav's code for limited ("MPEG") range."""


def convert(array: NDArray[np.uint8], source: Pixels, target: Pixels) -> NDArray[np.uint8]:
    """One frame in another format; shapes as in `Frames`."""
    if source == target:
        return array
    return to_array(to_frame(array, source, target), target)


def to_frame(array: NDArray[np.uint8], source: Pixels, target: Pixels) -> av.VideoFrame:
    """A libav frame in `target` from an array in `source`, tagged BT.709 limited when it is YUV."""
    frame = av.VideoFrame.from_ndarray(array, format=source)
    if source != target:
        frame.colorspace = BT709 if source != "rgb24" else 0
        # BGR and RGB carry no matrix: without these two libswscale takes BT.601, whatever the tags say.
        frame = frame.reformat(
            format=target,
            src_colorspace="ITU709",
            dst_colorspace="ITU709",
            src_color_range="JPEG" if source == "rgb24" else "MPEG",
            dst_color_range="JPEG" if target == "rgb24" else "MPEG",
            interpolation="BICUBIC",
        )
    if target != "rgb24":
        frame.colorspace, frame.color_range = BT709, LIMITED
    return frame


def to_array(frame: av.VideoFrame, target: Pixels) -> NDArray[np.uint8]:
    """The array of a libav frame that is in `target` already."""
    return np.asarray(frame.to_ndarray(format=target), np.uint8)


def as_pixels(frames: Frames, target: Pixels) -> Frames:
    """The same stream in another format."""
    source, upstream = frames.pixels, frames.open
    if source == target:
        return frames

    def converted() -> Iterator[NDArray[np.uint8]]:
        return (convert(array, source, target) for array in upstream())

    return replace(frames, pixels=target, open=converted)
