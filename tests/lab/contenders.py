"""Experiments whose winner can be promoted: toy configs that differ, and figures that pass the gate."""

from pathlib import Path
from typing import Any

import pytest
from lab_results import lab_experiment, lab_result, store_result
from toy_config import write_toy_config

from vpgen.config import PipelineConfig, load_config
from vpgen.lab.result import Result
from vpgen.runtime import Runtime


def shade(folder: Path, level: int) -> PipelineConfig:
    """A toy config that differs from the others by the shade it paints."""
    path = write_toy_config(folder / f"shade-{level}.yaml", None, animate=f"shade: {level}")
    return load_config(path).model_copy(update={"name": f"shade-{level}"})


def contest(
    runtime: Runtime,
    folder: Path,
    *,
    baseline: int | PipelineConfig = 1,
    challenger: int = 2,
    state: str = "decided",
    **more: Any,
) -> Result:
    """An experiment that `neural` (the challenger's shade) has won over `lanczos`, in the database."""
    old = baseline if isinstance(baseline, PipelineConfig) else shade(folder, baseline)
    configs = {"lanczos": old, "neural": shade(folder, challenger)}
    experiment = lab_experiment(config=old, **{"name": "contest", **more}).model_copy(update={"variants": configs})
    result = lab_result(experiment, state=state)
    store_result(runtime, result)
    return result


def serve_toys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineConfig:
    """Before anybody is promoted, toys serve, under the default's name: what is tested has their length and size."""
    path = write_toy_config(folder / "serving.yaml", None)
    path.write_text(path.read_text().replace("name: toy", "name: animatic", 1))
    monkeypatch.setenv("VPGEN_CONFIG", str(path))
    return load_config(path)
