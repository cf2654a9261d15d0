"""How close a clip comes to a reference that shows what it should have been: SSIM, PSNR and VMAF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Video
from vpgen.errors import InvalidInput
from vpgen.media.pipeline import ordered_map
from vpgen.media.video import decode
from vpgen.quality import reference
from vpgen.stages import Score

BEST_PSNR = 100.0
"""dB, given to frames without any difference: infinity has no mean."""


def against(
    clip: Video, truth: Video, folder: Path, *, vmaf: bool = True, progress: Callable[[float], None] | None = None
) -> tuple[Score, ...]:
    """`ssim`, `psnr` (of luma, means over frames) and `vmaf` of a clip, at the truth's size and rate.

    `folder` is scratch space. Raises InvalidInput when the two do not show the same moments.
    """
    if clip.frames != truth.frames or Fraction(clip.fps) != Fraction(truth.fps):
        raise InvalidInput(
            f"the clip has {clip.frames} frames at {clip.fps} fps, the reference {truth.frames} at {truth.fps}: "
            "they do not show the same moments",
            remedy="Give the reference the final's rate: reference: {preview: {size: …, fps: …}}",
        )
    width, height = truth.size

    def pairs() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        yield from zip(decode(clip, "yuv420p").open(), decode(truth, "yuv420p").open(), strict=True)

    def look(frames: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> tuple[float, float]:
        seen, true = frames[0][: clip.size[1]], frames[1][:height]
        if clip.size != truth.size:
            seen = np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        return reference.ssim(seen, true), min(reference.psnr(reference.squared_error(seen, true)), BEST_PSNR)

    found = []
    for index, both in enumerate(ordered_map(look, pairs(), workers=2, depth=6)):
        found.append(both)
        if progress:
            progress((index + 1) / truth.frames)
    similarity, ratio = np.mean(found, axis=0)
    value, why = reference.vmaf(clip, truth, folder) if vmaf else (None, "not asked for")
    return (
        Score(name="ssim", value=float(similarity), range=(-1, 1), meaning="likeness to the reference, frame by frame"),
        Score(name="psnr", value=float(ratio), unit="dB", range=(0, BEST_PSNR), meaning="the same as signal to noise"),
        Score(
            name="vmaf", value=value, range=(0, 100), skipped=why or None, meaning="the same as people see it (VMAF)"
        ),
    )
