"""An experiment as a flow, against a real Prefect server: its progress, its tables, and a mistake in its file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab.toys import write_experiment
from prefect_records import Recorded

pytest.importorskip("prefect")


def test_an_experiment_shows_its_verdict_and_tables(
    recorded: Recorded, run_flow: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """One flow run drives every clip without task runs of its own; its page has the verdict and both tables."""
    path = write_experiment(tmp_path)
    answer = run_flow("experiment", experiment=str(path))
    assert answer["result"].startswith("toys-")
    run = recorded.run(f"experiment: {path}")
    assert run["state_name"] == "Completed"
    shown = recorded.artifacts(run)
    assert "light wins" in shown["experiment-means"]["description"]
    assert "quality" in str(shown["experiment-means"]["data"])
    assert "better" in str(shown["experiment-differences"]["data"])
    assert shown["progress"]["type"] == "progress"


def test_a_mistake_in_the_file_is_the_runs_message(
    recorded: Recorded, run_flow: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """With line and remedy, and without Prefect's traceback."""
    path = write_experiment(tmp_path, metrics="  bright: {}")
    answer = run_flow("experiment", experiment=str(path))
    assert answer["error"] == "ConfigError"
    run = recorded.run(f"experiment: {path}")
    assert run["state_name"] == "Failed"
    assert "none has a weight" in run["state"]["message"]
    assert "What to do" in run["state"]["message"]
