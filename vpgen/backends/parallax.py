"""Layered 2.5D animation: camera moves with parallax over the layers of a still, and motion that fits the scene."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import Value
from vpgen.media.camera import Move, read_moves
from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map
from vpgen.media.planes import YUV, Stage
from vpgen.stages import AnimateRequest, Readiness, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.15")
"""Of output, for a scene of seven layers; measured on one core of 2026 by `python -m benchmarks.finishing`."""
DELIVERY_LINES = 720


class ParallaxParams(Value):
    """`strength` scales every camera move, 0 holds it still; `ambient` lets weather, water and people move."""

    strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    ambient: bool = True


class Parallax:
    """Moves a camera through the layers of a still."""

    name: ClassVar[str] = "parallax"
    version: ClassVar[str] = "3"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = ParallaxParams

    def __init__(self, params: ParallaxParams) -> None:
        self.params = params

    def estimate(self, request: AnimateRequest) -> Usage:
        width, height = request.spec.size
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * width * height * request.spec.frames / 10**6}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="OpenCV")

    def animate(self, request: AnimateRequest, work: Work) -> Frames:  # noqa: ARG002  # writing the frames reports
        spec = request.spec
        moves = tuple(Move(m.kind, m.amount * self.params.strength) for m in read_moves(request.prompt.motion))
        # Small frames keep all their colour for the upscaler; delivery size is 4:2:0 anyway.
        pixels: YUV = "yuv420p" if spec.size[1] >= DELIVERY_LINES else "yuv444p"
        stage = Stage.of(
            request.still.load(), spec.size, moves, request.seed, moving=self.params.ambient, pixels=pixels
        )

        def frames() -> Iterator[NDArray[np.uint8]]:
            # The last frame stands one interval before the end, so that rate does not change where things are.
            times = (index / spec.frames for index in range(spec.frames))
            yield from ordered_map(lambda t: stage.at(t, spec.seconds), times, workers=2, depth=4)

        return Frames(spec.size, Fraction(spec.fps), spec.frames, pixels, frames)
