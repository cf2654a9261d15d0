"""A third-party backend that does every stage in next to no time, found like any other through its entry point.

What it is asked to do is written to the file named by the parameter `log`, one stage a line; `fail`, `hang`
and `usage` let a test make a stage fail, wait or consume something.
"""

import hashlib
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
from pydantic import BaseModel, ConfigDict

from vpgen.clip import Prompt, Still, Video
from vpgen.stages import Readiness, Score, Scores, Verdict


class ToyParams(BaseModel):
    """What a config may set."""

    model_config = ConfigDict(extra="forbid")

    log: str | None = None
    shade: int = 128
    fail: str | None = None
    hang: float = 0.0
    usage: dict[str, Decimal] = {}


class Toy:
    """Does everything, smally."""

    name: ClassVar[str] = "toy"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[BaseModel]] = ToyParams

    def __init__(self, params: ToyParams) -> None:
        self.params = params

    def estimate(self, request) -> dict[str, Decimal]:
        return dict(self.params.usage)

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True)

    def _at_work(self, stage: str, work) -> None:
        if self.params.log:
            with Path(self.params.log).open("a") as log:
                log.write(stage + "\n")
        ends = time.monotonic() + self.params.hang
        while time.monotonic() < ends:
            work.progress(0.5)
            time.sleep(0.005)
        if self.params.fail:
            raise RuntimeError(self.params.fail)

    def plan(self, request, work):
        self._at_work("plan", work)
        return Prompt(character=request.story, background=request.story, motion="still")

    def moderate(self, request, work):
        return Verdict(allowed="forbidden" not in " ".join(request.texts), terms=("forbidden",), categories=("test",))

    def character(self, request, work):
        self._at_work("character", work)
        return self._picture(request.prompt.character, alpha=True)

    def background(self, request, work):
        self._at_work("background", work)
        return self._picture(request.prompt.background)

    def enlarge(self, request, work):
        self._at_work("enlarge", work)
        return request.picture.load()

    def matting(self, request, work):
        self._at_work("matting", work)
        return request.picture.load()

    def composite(self, request, work):
        self._at_work("composite", work)
        return request.background.load()

    def animate(self, request, work):
        self._at_work("animate", work)
        return self._video(work.dir / "animate.mp4", str(request.still.load().rgb.sum()), request.spec)

    def upscale(self, request, work):
        self._at_work("upscale", work)
        video = request.video.load()
        return self._video(work.dir / "upscale.mp4", _digest(video.path), None, video)

    def interpolate(self, request, work):
        self._at_work("interpolate", work)
        video = request.video.load()
        return self._video(work.dir / "interpolate.mp4", _digest(video.path), None, video)

    def encode(self, request, work):
        self._at_work("encode", work)
        return self._video(work.dir / "encode.mp4", _digest(request.video.load().path), request.spec)

    def score(self, request, work):
        self._at_work("score", work)
        # Better the brighter the shade, and a little different for every story.
        luck = hashlib.sha256(f"{request.prompt.character}/{self.params.shade}".encode()).digest()[0] % 8
        return Scores(
            scores=(
                Score(name="bytes", value=float(request.clip.load().path.stat().st_size)),
                Score(name="bright", value=(self.params.shade + luck) / 300, range=(0, 1)),
                Score(name="sound", value=None, skipped="toys are silent"),
            )
        )

    def _picture(self, text: str, *, alpha: bool = False) -> Still:
        tone = hashlib.sha256(text.encode()).digest()[0] ^ self.params.shade
        return Still(
            rgb=np.full((64, 64, 3), tone % 256, np.uint8), alpha=np.full((64, 64), 255, np.uint8) if alpha else None
        )

    def _video(self, path: Path, text: str, spec, like: Video | None = None) -> Video:
        size, fps, frames = (like.size, like.fps, like.frames) if like else (spec.size, Fraction(spec.fps), spec.frames)
        tone = hashlib.sha256(f"{text}/{self.params.shade}".encode()).digest()[0]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, width=size[0], height=size[1], pix_fmt="yuv420p")
            for index in range(frames):
                picture = np.full((size[1], size[0], 3), (tone + 5 * index) % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return Video(path, size, fps, frames)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
