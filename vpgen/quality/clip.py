"""All figures of one clip in a single decode pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Alpha, Video
from vpgen.media.color import convert
from vpgen.media.pipeline import ordered_map
from vpgen.media.video import decode
from vpgen.quality import motion, niqe, picture, reference
from vpgen.stages import Score

NIQE_FRAMES = 6
"""Frames looked at; spread evenly."""


@dataclass
class _Sums:
    sharpness: list[float] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    naturalness: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Looked:
    """What one frame gives, worked out in a thread."""

    index: int
    rgb: NDArray[np.uint8]
    small: NDArray[np.uint8]
    sharpness: float
    clipped: float
    naturalness: float | None
    ssim: float | None
    error: float | None


def measure(
    clip: Video,
    *,
    preview: Video | None = None,
    person: Alpha | None = None,
    folder: Path,
    vmaf: bool = True,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[Score, ...]:
    """Every figure there is. `preview` is what was approved, `person` the cut-out's alpha, `folder` scratch space.

    Raises InvalidInput when a video cannot be read.
    """
    width, height = clip.size
    small_size = (max(2, round(width * motion.FLOW_HEIGHT / height)), motion.FLOW_HEIGHT)
    every = Fraction(clip.fps) / Fraction(preview.fps) if preview else Fraction(0)
    comparable = preview is not None and every.denominator == 1 and every >= 1
    natural_at = set(np.linspace(0, clip.frames - 1, min(NIQE_FRAMES, clip.frames)).round().astype(int).tolist())
    approved = iter(decode(preview, "yuv420p").open()) if preview and comparable else None

    def pairs() -> object:
        for index, frame in enumerate(decode(clip, "yuv420p").open()):
            yield index, frame, next(approved, None) if approved and index % every.numerator == 0 else None

    def look(item: tuple[int, NDArray[np.uint8], NDArray[np.uint8] | None]) -> _Looked:
        index, frame, truth = item
        luma = frame[:height]
        small = np.asarray(cv2.resize(luma, small_size, interpolation=cv2.INTER_AREA), np.uint8)
        like = error = None
        if truth is not None and preview is not None:
            wide, high = preview.size
            seen = np.asarray(cv2.resize(luma, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
            like, error = reference.ssim(seen, truth[:high]), reference.squared_error(seen, truth[:high])
        return _Looked(
            index=index,
            rgb=convert(frame, "yuv420p", "rgb24"),
            small=small,
            sharpness=picture.sharpness(luma),
            clipped=picture.clipped(luma),
            naturalness=niqe.niqe(luma) if index in natural_at else None,
            ssim=like,
            error=error,
        )

    moved, sums = motion.Motion(float(clip.fps)), _Sums()
    for seen in ordered_map(look, pairs(), workers=2, depth=6):  # type: ignore[arg-type]
        moved.add(seen.rgb, seen.small)
        sums.sharpness.append(seen.sharpness)
        sums.clipped.append(seen.clipped)
        for value, into in ((seen.naturalness, sums.naturalness), (seen.ssim, sums.ssim), (seen.error, sums.error)):
            if value is not None:
                into.append(value)
        if progress:
            progress((seen.index + 1) / clip.frames * 0.9, f"frame {seen.index + 1}/{clip.frames}")
    return (*_motion_scores(moved), *_picture_scores(sums), *_matte_scores(person), *_fidelity(clip, preview, sums, folder, vmaf=vmaf),
            Score(name="prompt_agreement", value=None, skipped="not measured by this version: no text-image model ships with it"))  # fmt: skip


def _score(name: str, value: float | None, why: str, **facts: Any) -> Score:  # Score checks them
    return Score(name=name, value=value, skipped=None if value is not None else why, **facts)


def _motion_scores(moved: motion.Motion) -> tuple[Score, ...]:
    short = "the clip is too short"
    return (
        _score("motion_quality", moved.quality, short, range=(0, 1), meaning="calm and smooth, counted only as far as something moves"),
        _score("temporal_flickering", moved.flickering, short, range=(0, 1), meaning="VBench: frames change little from one to the next (a still wins)"),
        _score("motion_smoothness_dis", moved.smoothness, short, range=(0, 1), meaning="VBench with DIS flow: dropped frames can be predicted"),
        _score("dynamic_degree_dis", None if moved.moving is None else float(moved.moving), short, range=(0, 1), meaning="VBench with DIS flow: 1 when there is large motion"),
        _score("motion_speed_dis", moved.speed, short, range=(0, None), meaning="fastest 5 % of the flow, as a share of VBench's threshold"),
    )  # fmt: skip


def _picture_scores(sums: _Sums) -> tuple[Score, ...]:
    def mean(values: list[float]) -> float | None:
        return float(np.mean(values)) if values else None

    return (
        _score("sharpness_720p", mean(sums.sharpness), "no frame", unit="levels", range=(0, None), meaning="deviation of the Laplacian at 1280x720"),
        _score("clipped", mean(sums.clipped), "no frame", higher_is_better=False, range=(0, 1), meaning="share of pixels too dark or too bright to see into"),
        _score("niqe_vp", mean(sums.naturalness), "smaller than one patch", higher_is_better=False, range=(0, None), meaning="NIQE, fitted to the photographs and films of three Python libraries: distance from natural pictures"),
    )  # fmt: skip


def _matte_scores(person: Alpha | None) -> tuple[Score, ...]:
    why = "no cut-out is known for this clip"
    width = picture.edge_width(person) if person is not None else None
    loose = picture.crumbs(person) if person is not None else None
    return (
        _score("matte_edge_width", width, why, unit="/1000", higher_is_better=False, range=(0, None), meaning="width of the cut-out's edge, of the picture's height"),
        _score("matte_crumbs", loose, why, higher_is_better=False, range=(0, 1), meaning="share of the cut-out that is loose islands or holes"),
    )  # fmt: skip


def _fidelity(clip: Video, preview: Video | None, sums: _Sums, folder: Path, *, vmaf: bool) -> tuple[Score, ...]:
    why = "this is a preview" if preview is None else "its rate is no multiple of the preview's"
    like = float(np.mean(sums.ssim)) if sums.ssim else None
    ratio = reference.psnr(float(np.mean(sums.error))) if sums.error else None
    value, reason = (
        (None, why)
        if preview is None
        else (None, "switched off")
        if not vmaf
        else reference.vmaf(clip, preview, folder)
    )
    return (
        _score("preview_ssim", like, why, range=(-1, 1), meaning="the final, made small, looks like the approved preview"),
        _score("preview_psnr", None if ratio is None else min(ratio, 100.0), why, unit="dB", range=(0, 100), meaning="the same as signal to noise"),
        _score("preview_vmaf", value, reason, range=(0, 100), meaning="the same as people see it (VMAF)"),
    )  # fmt: skip
