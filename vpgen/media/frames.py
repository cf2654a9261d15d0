"""A stream of frames with its format: what flows between the video stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = Literal["rgb24", "yuv420p", "yuv444p"]


@dataclass(frozen=True)
class Frames:
    """A lazy, restartable stream of `count` frames of one size and rate.

    `open()` starts a fresh pass and yields uint8 arrays: "rgb24" is (height, width, 3) sRGB;
    "yuv420p" is (height * 3 / 2, width) with the planes one after the other, as PyAV's
    `VideoFrame.from_ndarray` takes it; "yuv444p" is (3, height, width). YUV is BT.709, limited range.
    A yielded array is never written to again by its producer.
    """

    size: tuple[int, int]
    fps: Fraction
    count: int
    pixels: Pixels
    open: Callable[[], Iterator[NDArray[np.uint8]]]

    def map(self, function: Callable[[Iterator[NDArray[np.uint8]]], Iterator[NDArray[np.uint8]]]) -> Frames:
        """The same format with the frames passed through a generator function."""
        upstream = self.open
        return replace(self, open=lambda: function(upstream()))

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.count / self.fps)
