"""Scores a finished clip: one decode pass, every figure with its meaning, what cannot be measured with its reason."""

from __future__ import annotations

from decimal import Decimal
from importlib.util import find_spec
from typing import ClassVar

from vpgen.clip import Value
from vpgen.quality.clip import measure
from vpgen.stages import Readiness, ScoreRequest, Scores, Usage, Work

CPU_SECONDS_PER_MEGAPIXEL = Decimal("0.035")
"""Of the clip; `python -m benchmarks.scoring` measures it."""


class ScorerParams(Value):
    """`vmaf`: also run VMAF for a final, when the ffmpeg binary is there."""

    vmaf: bool = True


class Scorer:
    """Motion, sharpness, exposure, naturalness, cut-out and likeness to the preview."""

    name: ClassVar[str] = "quality"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = ScorerParams

    def __init__(self, params: ScorerParams) -> None:
        self.params = params

    def estimate(self, request: ScoreRequest) -> Usage:  # noqa: ARG002  # the clip does not exist yet
        return {"cpu_second": CPU_SECONDS_PER_MEGAPIXEL * 300}

    @classmethod
    def readiness(cls) -> Readiness:
        if find_spec("imageio_ffmpeg"):
            return Readiness(ready=True, note="with VMAF")
        return Readiness(ready=True, note="without VMAF", remedy="pip install 'vpgen[vmaf]'")

    def score(self, request: ScoreRequest, work: Work) -> Scores:
        person = request.person.load().alpha if request.person else None
        return Scores(
            scores=measure(
                request.clip.load(),
                preview=request.preview.load() if request.preview else None,
                person=person,
                folder=work.dir,
                vmaf=self.params.vmaf,
                progress=work.progress,
            )
        )
