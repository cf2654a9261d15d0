"""Delivery: H.264 in MP4, BT.709, index in front, exactly as long as asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import ClipSpec, Value, Video
from vpgen.errors import InvalidInput
from vpgen.media.frames import Frames
from vpgen.media.retime import resample, shrunk
from vpgen.media.video import decode, encode
from vpgen.stages import EncodeRequest, Readiness, Usage, Work

PRESETS: dict[str, dict[str, str]] = {
    "draft": {"crf": "23", "preset": "veryfast"},
    "high": {"crf": "18", "preset": "veryfast"},
    "archive": {"crf": "12", "preset": "medium"},
}
CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.024")
"""At "high" on one core of 2026; `python -m benchmarks.finishing` measures it (encode only)."""
TOLERANCE = 0.02
"""A video this much too short or too long is padded or cut; more is somebody's mistake."""


class X264Params(Value):
    """`crf` (0 best to 51) overrides the preset's."""

    preset: Literal["draft", "high", "archive"] = "high"
    crf: int | None = Field(None, ge=0, le=51)


class X264:
    """libx264 through PyAV."""

    name: ClassVar[str] = "x264"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = X264Params

    def __init__(self, params: X264Params) -> None:
        self.params = params

    def estimate(self, request: EncodeRequest) -> Usage:
        width, height = request.spec.size
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * width * height * request.spec.frames / 10**6}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="PyAV")

    def encode(self, request: EncodeRequest, work: Work) -> Video:
        source = request.video.load()
        frames = exactly(reduced(source if isinstance(source, Frames) else decode(source), request.spec), request.spec)
        options = dict(PRESETS[self.params.preset])
        if self.params.crf is not None:
            options["crf"] = str(self.params.crf)
        return encode(
            frames, work.dir / "clip.mp4", options, metadata={"comment": "made with vpgen"}, progress=work.progress
        )


def reduced(frames: Frames, spec: ClipSpec) -> Frames:
    """A larger stream of the same shape, or one of a multiple of the rate, brought down to the spec.

    A provider's clip comes as it comes. Anything else is passed on as it is: it would judder, or be stretched.
    """
    # An upscaler may give 1920x1072 for 1080p: that is fitted as well.
    if frames.size != spec.size and frames.size[0] >= spec.size[0] and _like(frames.size, spec.size):
        frames = shrunk(frames, spec.size)
    if frames.fps > spec.fps and frames.fps % spec.fps == 0:
        frames = resample(frames, spec.fps, lambda before, after, t: before if t < 0.5 else after)
    return frames


def _like(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] / one[1] - other[0] / other[1]) <= 0.02


def exactly(frames: Frames, spec: ClipSpec) -> Frames:
    """The stream with exactly the frames the spec asks for: a little too few holds the last, too many are cut.

    Raises InvalidInput when size or rate differ, or the length by more than 2 %.
    """
    if frames.size != spec.size or frames.fps != spec.fps:
        raise InvalidInput(
            f"the video is {frames.size[0]}x{frames.size[1]} at {float(frames.fps):g} fps, "
            f"not {spec.size[0]}x{spec.size[1]} at {spec.fps}",
            remedy="Let upscale and interpolate bring it there: see `finish` in the config",
        )
    if abs(frames.count - spec.frames) > max(1, round(TOLERANCE * spec.frames)):
        raise InvalidInput(f"the video has {frames.count} frames, and {spec.frames} were asked for")
    upstream = frames.open

    def held() -> Iterator[NDArray[np.uint8]]:
        last: NDArray[np.uint8] | None = None
        given = 0
        for last in upstream():
            if given == spec.frames:
                return
            given += 1
            yield last
        while last is not None and given < spec.frames:
            given += 1
            yield last

    return replace(frames, count=spec.frames, open=held)
