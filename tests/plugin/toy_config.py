"""A config whose every stage is the toy backend."""

from pathlib import Path


def write_toy_config(path: Path, log: Path | None, **overrides: str) -> Path:
    """A config whose every stage is the toy backend; `overrides` are lines of a stage's own parameters."""
    stages = [
        "plan", "moderate", "character", "background", "matting", "composite", "animate", "upscale", "interpolate",
        "encode", "score",
    ]  # fmt: skip
    lines = []
    for stage in stages:
        more = f", {overrides[stage]}" if stage in overrides else ""
        lines.append(f"  {stage}: {{backend: toy, log: {log or 'null'}{more}}}")
    head = "name: toy\nseconds: 1\nstills: [64, 64]\npreview: {size: [64, 64], fps: 4}\nfinal: {size: [64, 64], fps: 4}\nstages:\n"
    path.write_text(head + "\n".join(lines))
    return path
