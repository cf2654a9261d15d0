"""Motion, as VBench defines it (Huang et al., CVPR 2024), with OpenCV's DIS flow where VBench uses RAFT and AMT-S.

temporal flickering  (255 − mean |Fₜ − Fₜ₊₁|) / 255 on 8-bit frames. It rewards stillness.
motion smoothness    every other frame is dropped and interpolated back; (255 − mean |true − predicted|) / 255.
dynamic degree       at about 8 frames a second, the mean of the fastest 5 % of the flow of each pair; moving when
                     that exceeds 6 · min(H, W) / 256 pixels in at least round(4 · N / 16) of N pairs.

VBench's published ranges normalise the first two before they are averaged. Because a still frame would win both,
`motion_quality` multiplies that average by how much moves: 1 from a tenth of VBench's threshold on, 0 for a still.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

FLICKER_RANGE = (0.6293, 1.0)
SMOOTHNESS_RANGE = (0.706, 0.9975)
"""VBench's normalisation: lowest and highest score seen (VBench, scripts/constant.py)."""
FLOW_HEIGHT = 360
"""Pixels. Flow and prediction run at this height; VBench's thresholds scale with it."""
FLOW_RATE = 8.0
"""Frames a second at which the dynamic degree is looked at."""
GATE = 0.1
"""Share of VBench's threshold from which motion counts in full: a slow push in moves, a still does not."""

Gray = NDArray[np.uint8]


@dataclass
class Motion:
    """Fed with every frame once; keeps two frames and a few sums."""

    fps: float
    _last_rgb: NDArray[np.uint8] | None = None
    _small: list[Gray] = field(default_factory=list)
    _last_slow: Gray | None = None
    _index: int = 0
    _differences: list[float] = field(default_factory=list)
    _errors: list[float] = field(default_factory=list)
    _speeds: list[float] = field(default_factory=list)

    def add(self, rgb: NDArray[np.uint8], gray: Gray) -> None:
        """The next frame: uint8 RGB (height, width, 3), and its luma at FLOW_HEIGHT."""
        if self._last_rgb is not None:
            self._differences.append(float(np.mean(cv2.mean(cv2.absdiff(rgb, self._last_rgb))[:3])))
        self._last_rgb = rgb
        self._small.append(gray)
        if len(self._small) == 3:
            before, true, after = self._small
            if self._index % 2 == 0:
                self._errors.append(float(np.mean(cv2.absdiff(true, middle(before, after)))))
                self._small = [after]
            else:
                self._small = self._small[1:]
        step = max(1, round(self.fps / FLOW_RATE))
        if self._index % step == 0:
            if self._last_slow is not None:
                self._speeds.append(fastest(flow(self._last_slow, gray)))
            self._last_slow = gray
        self._index += 1

    @property
    def flickering(self) -> float | None:
        """0 to 1."""
        return (255 - float(np.mean(self._differences))) / 255 if self._differences else None

    @property
    def smoothness(self) -> float | None:
        """0 to 1."""
        return (255 - float(np.mean(self._errors))) / 255 if self._errors else None

    @property
    def moving(self) -> bool | None:
        """VBench's dynamic degree of one video."""
        if not self._speeds:
            return None
        pairs = len(self._speeds)
        return sum(speed > threshold(self._shape()) for speed in self._speeds) >= round(4 * (pairs + 1) / 16)

    @property
    def speed(self) -> float | None:
        """The median over pairs of the fastest 5 %, as a share of VBench's threshold."""
        return float(np.median(self._speeds)) / threshold(self._shape()) if self._speeds else None

    @property
    def quality(self) -> float | None:
        """0 to 1; see the module's docstring."""
        if self.flickering is None or self.smoothness is None or self.speed is None:
            return None
        calm = _normalised(self.flickering, FLICKER_RANGE)
        smooth = _normalised(self.smoothness, SMOOTHNESS_RANGE)
        return (calm + smooth) / 2 * min(1.0, self.speed / GATE)

    def _shape(self) -> tuple[int, int]:
        assert self._last_slow is not None  # noqa: S101  # add() sets it with the first frame
        return self._last_slow.shape[0], self._last_slow.shape[1]


def threshold(shape: tuple[int, int]) -> float:
    """Pixels above which VBench calls a pair of frames of (height, width) moving."""
    return 6.0 * min(shape) / 256.0


def flow(before: Gray, after: Gray) -> NDArray[np.float32]:
    """Optical flow (DIS, Kroeger et al. 2016) from one frame to the next: float32 (height, width, 2)."""
    into = np.zeros((*before.shape, 2), np.float32)
    return np.asarray(_dis().calc(before, after, into), np.float32)


def fastest(field_: NDArray[np.float32]) -> float:
    """Mean magnitude of the fastest 5 % of a flow field, in pixels."""
    speed = cv2.magnitude(field_[..., 0], field_[..., 1]).ravel()
    count = max(1, int(speed.size * 0.05))
    return float(np.mean(np.partition(speed, speed.size - count)[-count:]))


def middle(before: Gray, after: Gray) -> Gray:
    """The frame halfway between two, both warped along the flow between them."""
    height, width = before.shape
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    forward, backward = flow(before, after), flow(after, before)
    from_before = cv2.remap(
        before, xs + backward[..., 0] / 2, ys + backward[..., 1] / 2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    from_after = cv2.remap(
        after, xs + forward[..., 0] / 2, ys + forward[..., 1] / 2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.addWeighted(from_before, 0.5, from_after, 0.5, 0), np.uint8)


def _dis() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


def _normalised(value: float, bounds: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - bounds[0]) / (bounds[1] - bounds[0])))
