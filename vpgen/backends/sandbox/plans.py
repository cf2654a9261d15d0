"""What to make of an input whose field names differ from model to model: Replicate's and fal's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpgen.backends.sandbox.media import Facts, Recipe, even, shape
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.vendor import Vendor, drawn
from vpgen.catalogue import Model, Word

NUMBER = re.compile(r"-?\d+(\.\d+)?")
HEIGHTS = {"360p": 360, "480p": 480, "540p": 540, "720p": 720, "1080p": 1080, "1k": 1080, "2k": 1440, "4k": 2160}
FIELDS: dict[Word, tuple[str, ...]] = {
    "prompt": ("prompt",),
    "video": ("video", "video_url", "video_path"),
    "image": ("image", "image_url", "start_image", "first_frame_image", "input_image", "image_path", "img"),
    "seed": ("seed",),
    "ratio": ("aspect_ratio",),
    "seconds": ("duration", "seconds"),
    "fps": ("target_fps", "fps", "target_framerate"),
    "scale": ("upscale_factor", "scale_factor", "scale"),
}
"""Our word → what models call it, after the name that the catalogue gives."""
CHANGES = {"enlarge", "matting"}
"""Stages that are given a picture and give it back changed."""


class Plan:
    """One request, read by what its model is for."""

    def __init__(self, given: Mapping[str, Any], model: Model) -> None:
        self._given = given
        self._stages = set(model.stages)
        self._names = {
            word: (model.inputs[word], *names) if word in model.inputs else names for word, names in FIELDS.items()
        }

    @property
    def prompt(self) -> str:
        """What is asked for in words."""
        return self._first("prompt") or ""

    @property
    def resolution(self) -> str:
        """The named height it asks for, by which prices may differ."""
        return str(self._given.get("target_resolution") or self._given.get("resolution") or "").lower()

    async def recipe(self, vendor: Vendor) -> Recipe | None:
        """None when the input cannot be used. Raises Problem when there is none."""
        video, image = self._first("video"), self._first("image")
        wants_video = bool(self._stages & {"upscale", "interpolate"}) and image is None
        reference = video if wants_video else image
        if reference is None and (wants_video or self._stages & CHANGES or not self.prompt):
            name = "video" if wants_video else "image" if self._stages & CHANGES else "prompt"
            raise Problem("invalid", issues=(f"input: {name} is required",))
        if reference is None:
            return self._made(None, None)
        source, facts = await vendor.facts(reference)
        if source is None or facts is None or facts.kind != ("video" if wants_video else "image"):
            return None
        if self._stages & {"upscale", "interpolate", *CHANGES}:
            return self._changed(source, facts)
        return self._made(source, facts)

    def _first(self, word: Word) -> str | None:
        return next((str(self._given[name]) for name in self._names[word] if self._given.get(name)), None)

    def _number(self, word: Word, default: float) -> float:
        found = NUMBER.match(self._first(word) or "")
        return float(found[0]) if found else default

    def _height(self, default: int) -> int:
        return HEIGHTS.get(self.resolution, default)

    def _made(self, source: Path | Recipe | None, facts: Facts | None) -> Recipe:
        seed = int(self._number("seed", 0))
        moving = "animate" in self._stages
        like = f"{facts.size[0]}:{facts.size[1]}" if facts else "16:9" if moving else "1:1"
        ratio = self._first("ratio") or like
        try:
            size = shape(ratio, self._height(720 if moving else 1024))
        except ValueError:
            raise Problem("invalid", issues=(f"input.aspect_ratio: {ratio} is no ratio",)) from None
        text = drawn(self.prompt) if source is None else ""
        if moving:
            fps = int(self._given.get("frames_per_second") or 24)
            counted = float(self._given.get("num_frames") or 5 * fps) / fps
            seconds = self._number("seconds", counted)
            return Recipe("move", even(size), "mp4", text=text, seed=seed, source=source, seconds=seconds, fps=fps)
        return Recipe("draw", size, "png", text=drawn(self.prompt), seed=seed)

    def _changed(self, source: Path | Recipe, facts: Facts) -> Recipe:
        width, height = facts.size
        if "matting" in self._stages:
            return Recipe("cut-out", facts.size, "png", source=source)
        if facts.kind == "image":
            scale = self._number("scale", 4.0)
            return Recipe(
                "enlarge", (max(1, round(width * scale)), max(1, round(height * scale))), "png", source=source
            )
        if "upscale" not in self._stages:
            fps = round(self._number("fps", facts.fps * 2.0))
            return Recipe("retime", even(facts.size), "mp4", source=source, seconds=facts.seconds, fps=fps)
        factor = self._number("scale", 0.0)
        factor = factor or self._height(1080) / min(width, height)
        size = even((round(width * factor), round(height * factor)))
        large = Recipe("enlarge", size, "mp4", source=source, seconds=facts.seconds, fps=facts.fps)
        fps = round(self._number("fps", facts.fps))
        return large if fps == facts.fps else replace(large, do="retime", source=large, fps=fps)
