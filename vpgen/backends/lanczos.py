"""Upscale and enlarge by Lanczos: cheap, sharp enough, fused with the stage that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, ClassVar

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import RGB, Still, Value, Video
from vpgen.errors import InvalidInput
from vpgen.media.enlarge import enlarged
from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map
from vpgen.media.video import decode
from vpgen.stages import EnlargeRequest, Readiness, UpscaleRequest, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.012")


class LanczosParams(Value):
    """`sharpen`: amount of unsharp mask (radius 1 px of the result), on luma for a video; 0 is none."""

    sharpen: Annotated[float, Field(ge=0, le=2)] = 0.4


class Lanczos:
    """Lanczos-3 on YUV planes by libswscale, Lanczos-4 on pictures by OpenCV."""

    name: ClassVar[str] = "lanczos"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = False
    Params: ClassVar[type[Value]] = LanczosParams

    def __init__(self, params: LanczosParams) -> None:
        self.params = params

    def estimate(self, request: UpscaleRequest | EnlargeRequest) -> Usage:
        pictures = 72 if isinstance(request, UpscaleRequest) else 1
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * request.size[0] * request.size[1] * pictures / 10**6}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="libswscale")

    def enlarge(self, request: EnlargeRequest, work: Work) -> Still:  # noqa: ARG002  # done in a moment
        sharpen = self.params.sharpen

        def larger(rgb: RGB, size: tuple[int, int]) -> RGB:
            large = cv2.resize(rgb, size, interpolation=cv2.INTER_LANCZOS4)
            if sharpen:
                large = cv2.addWeighted(large, 1 + sharpen, cv2.GaussianBlur(large, (0, 0), 1.0), -sharpen, 0)
            return np.asarray(large, np.uint8)

        return enlarged(request, larger)

    def upscale(self, request: UpscaleRequest, work: Work) -> Frames:  # noqa: ARG002  # the next stage reports
        frames = source_frames(request.video.load(), request.size)
        if frames.size == request.size:
            return frames
        source, size, sharpen = frames.pixels, request.size, self.params.sharpen

        def larger(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
            frame = av.VideoFrame.from_ndarray(array, format=source)
            frame = frame.reformat(*size, format="yuv420p", src_colorspace="ITU709", dst_colorspace="ITU709",
                                   src_color_range="MPEG", dst_color_range="MPEG", interpolation="LANCZOS")  # fmt: skip
            large = np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)
            if sharpen:
                luma = large[: size[1]]
                cv2.addWeighted(luma, 1 + sharpen, cv2.GaussianBlur(luma, (0, 0), 1.0), -sharpen, 0, dst=luma)
            return large

        def all_larger() -> Iterator[NDArray[np.uint8]]:
            return ordered_map(larger, frames.open())

        return replace(frames, size=size, pixels="yuv420p", open=all_larger)


def source_frames(source: Video | Frames, size: tuple[int, int]) -> Frames:
    """The frames to enlarge, as YUV with whatever chroma they have. Raises InvalidInput for another shape."""
    have = source.size
    if have[0] > size[0] or have[1] > size[1]:
        raise InvalidInput(
            f"{have[0]}x{have[1]} is larger than {size[0]}x{size[1]}", remedy="Choose a larger `final` size"
        )
    if abs(have[0] / have[1] - size[0] / size[1]) > 0.02:
        raise InvalidInput(
            f"{have[0]}x{have[1]} has another shape than {size[0]}x{size[1]}",
            remedy="Give preview and final one aspect ratio",
        )
    if isinstance(source, Frames):
        if source.pixels == "rgb24":
            from vpgen.media.color import as_pixels

            return as_pixels(source, "yuv444p")
        return source
    return decode(source, "yuv444p")
