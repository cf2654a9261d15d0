"""How much of the store a stage's result will take: what an estimate says before the result is there."""

from __future__ import annotations

from decimal import Decimal

from vpgen.config import PipelineConfig
from vpgen.stages import Stage

BYTES_PER_PIXEL: dict[Stage, Decimal] = {
    "character": Decimal("0.09"),
    "background": Decimal("1.34"),
    "enlarge": Decimal("1.15"),
    "matting": Decimal("0.26"),
    "composite": Decimal("1.47"),
    "animate": Decimal("0.13"),
    "upscale": Decimal("0.06"),
    "interpolate": Decimal("0.06"),
    "encode": Decimal("0.005"),
}
"""Measured on the demo's clip, `enlarge` on four photos: bytes stored over the pixels of the result, of all frames."""
FINISHED: tuple[Stage, ...] = ("upscale", "interpolate", "encode")


def storage_estimate(stage: Stage, config: PipelineConfig) -> Decimal:
    """GB-months that the result of a stage will take; 0 for what is a few words."""
    if stage not in BYTES_PER_PIXEL:
        return Decimal(0)
    pixels = config.stills[0] * config.stills[1]
    if stage == "animate":
        pixels = config.preview_spec.size[0] * config.preview_spec.size[1] * config.preview_spec.frames
    elif stage in FINISHED:
        pixels = config.final_spec.size[0] * config.final_spec.size[1] * config.final_spec.frames
    return BYTES_PER_PIXEL[stage] * pixels / 10**9
