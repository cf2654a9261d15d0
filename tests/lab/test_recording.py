"""An experiment in a real MLflow: a parent run with its trials under it, once, however often it is told."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.toys import toys

from vpgen.lab import recording, registry
from vpgen.lab import run as lab
from vpgen.lab.definition import Experiment
from vpgen.lab.result import load
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.studio import run
from vpgen.tracking import catch_up

pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
FEW = "{rule: fixed, min_pairs: 2, max_pairs: 2}"


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """An empty installation with an MLflow of its own."""
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as opened:
        yield opened


def _runs(runtime: Runtime) -> list:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=runtime.settings.resolved_tracking)
    board = client.get_experiment_by_name(recording.BOARD)
    return [] if board is None else list(client.search_runs([board.experiment_id]))


def test_one_parent_with_its_trials_under_it(tracked: Runtime, tmp_path: Path) -> None:
    """Verdict, tables and definition on the parent; each trial's numbers on its own run, and the failed as failed."""
    from mlflow import MlflowClient

    broken = "  dark:\n  broken: {stages: {score: {backend: toy, fail: no paint}}}"
    experiment = toys(tmp_path, variants=broken, decision=FEW)
    result = run(lab.run(experiment, runtime=tracked))
    assert catch_up(tracked).waiting == 0
    runs = _runs(tracked)
    (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 4
    assert sorted(r.info.status for r in children) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]
    assert result.verdict.why in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["dark.bright"] == pytest.approx(result.summary.loc["dark", "bright"])
    assert parent.data.metrics["spent_usd"] == pytest.approx(float(result.spent_usd))
    made = next(r for r in children if r.info.status == "FINISHED")
    assert made.data.metrics["bright"] == pytest.approx(result.trials["bright"].dropna().iloc[0], abs=0.03)
    assert made.data.tags["vpgen.clip_id"].startswith("preview-")
    assert any("no paint" in r.data.tags.get("vpgen.error", "") for r in children)
    assert all(0 < r.info.start_time <= r.info.end_time for r in runs)
    client = MlflowClient(tracking_uri=tracked.settings.resolved_tracking)
    assert {item.path for item in client.list_artifacts(parent.info.run_id)} >= {
        "definition.json",
        "trials.csv",
        "differences.csv",
    }
    assert registry.experiment_run(client, result.id) == parent.info.run_id  # what a promotion refers to
    kept = client.download_artifacts(parent.info.run_id, "definition.json", str(tmp_path))
    assert Experiment.model_validate(json.loads(Path(kept).read_text())) == experiment


def test_told_again_it_is_brought_up_to_date(tracked: Runtime, tmp_path: Path) -> None:
    """More pairs later are more runs under the same parent."""
    experiment = toys(tmp_path, decision=FEW)
    for _ in range(2):
        run(lab.run(experiment, runtime=tracked))
        assert catch_up(tracked).waiting == 0
    assert len(_runs(tracked)) == 5


def test_mlflow_down_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is there, the report waits, and is delivered when MLflow is back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    monkeypatch.setenv("VPGEN_TRACKING_URI", f"http://127.0.0.1:{port}")
    with Runtime.open(Settings()) as runtime:
        result = run(lab.run(toys(tmp_path, decision=FEW), runtime=runtime))
        caught = catch_up(runtime, deadline=15)
        assert caught.waiting == 5
        assert "vpgen track" in caught.summary
    monkeypatch.delenv("VPGEN_TRACKING_URI")
    with Runtime.open(Settings()) as runtime:
        assert catch_up(runtime).waiting == 0
        assert len(_runs(runtime)) == 5
        assert load(runtime, result.id).verdict == result.verdict
