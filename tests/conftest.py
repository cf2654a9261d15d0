"""What the tests share: an installation of their own, and a config of toy backends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vpgen.config import PipelineConfig, load_config
from vpgen.runtime import Runtime
from vpgen.settings import Settings


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own installation."""
    monkeypatch.setenv("VPGEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VPGEN_OUT", str(tmp_path / "clips"))
    monkeypatch.setenv("VPGEN_TRACKING", "false")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """An empty installation."""
    with Runtime.open(Settings()) as opened:
        yield opened


@pytest.fixture
def toy_log(tmp_path: Path) -> Path:
    """Where the toy backends of `toy_config` write what they are asked to do."""
    return tmp_path / "toy.log"


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
    head = "name: toy\nseconds: 1\nstills: [64, 64]\npreview: {size: [64, 64], fps: 4}\nstages:\n"
    path.write_text(head + "\n".join(lines))
    return path


@pytest.fixture
def toy_config(tmp_path: Path, toy_log: Path) -> PipelineConfig:
    """Every stage done by the toy backend, logging to `toy_log`."""
    return load_config(write_toy_config(tmp_path / "toy.yaml", toy_log))
