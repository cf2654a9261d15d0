"""The `animatic` backend: people and places drawn from words; no weights, no key, the same pixels every time."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import BaseModel

from vpgen.backends.animatic.background import draw_background
from vpgen.backends.animatic.figure import draw_figure
from vpgen.clip import Still, Value
from vpgen.stages import BackgroundRequest, CharacterRequest, Readiness, Usage, Work

_CPU_SECONDS_PER_MEGAPIXEL = {"character": Decimal("0.1"), "background": Decimal("0.3")}
"""Measured at 1920x1080 over experiments/stories.jsonl, on shared cores of 2026: figures 0.08 in the mean, at most 0.10;
places 0.29 in the mean, from 0.1 (Mars) to 0.55 (a city in the snow, a room)."""


class AnimaticParams(Value):
    """Nothing to set: words and seed say it all."""


class Animatic:
    """Draws characters and backgrounds as flat illustration."""

    name: ClassVar[str] = "animatic"
    version: ClassVar[str] = "3"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[BaseModel]] = AnimaticParams

    def __init__(self, params: AnimaticParams) -> None:
        self.params = params

    def estimate(self, request: CharacterRequest | BackgroundRequest) -> Usage:
        """CPU seconds, from those measured for a megapixel."""
        stage = "character" if isinstance(request, CharacterRequest) else "background"
        pixels = Decimal(request.size[0] * request.size[1])
        return {"cpu_second": _CPU_SECONDS_PER_MEGAPIXEL[stage] * pixels / Decimal(1_000_000)}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="drawn by vpgen itself")

    def character(self, request: CharacterRequest, work: Work) -> Still:
        work.progress(0.0, "drawing the figure")
        words = ", ".join(part for part in (request.prompt.character, request.prompt.style) if part)
        return draw_figure(words, request.seed, request.size)

    def background(self, request: BackgroundRequest, work: Work) -> Still:
        work.progress(0.0, "drawing the place")
        words = ", ".join(part for part in (request.prompt.background, request.prompt.style) if part)
        return draw_background(words, request.seed, request.size)
