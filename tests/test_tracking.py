"""What MLflow is told about clips, against a real MLflow over SQLite."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_config import write_toy_config

from vpgen import studio
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import VpgenError
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.tracking import EXPERIMENT, catch_up

pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """An empty installation that records its clips in an MLflow of its own."""
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as opened:
        yield opened


def recorded(runtime: Runtime) -> list:
    """Every run in the installation's own MLflow, as MLflow's own client reads them."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=Settings().resolved_tracking)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def make(runtime: Runtime, config: PipelineConfig) -> studio.Clip:
    return studio.run(studio.preview("a fox at dusk", config=config, runtime=runtime))


def test_a_clip_is_one_run_with_its_contact_sheet(tracked: Runtime, toy_config: PipelineConfig, capfd) -> None:
    """Story, scores, cost and contact sheet are on the run; nothing is printed on first use; telling twice adds none."""
    from mlflow import MlflowClient

    clip = make(tracked, toy_config)
    assert (catch_up(tracked).delivered, catch_up(tracked).delivered) == (1, 0)
    assert "INFO" not in capfd.readouterr().err
    (run,) = recorded(tracked)
    assert (run.info.status, run.info.run_name) == ("FINISHED", clip.id)
    assert run.data.params["story"] == "a fox at dusk"
    assert {"score.bytes", "seconds.total", "seconds.animate", "cost.total"} <= set(run.data.metrics)
    assert run.data.tags["vpgen.clip"] == clip.id
    client = MlflowClient(tracking_uri=tracked.settings.resolved_tracking)
    (sheet,) = client.list_artifacts(run.info.run_id, "contact_sheet")
    assert sheet.file_size > 0


def test_a_failed_clip_is_a_failed_run(tracked: Runtime, tmp_path: Path) -> None:
    """The run says why."""
    with pytest.raises(VpgenError):
        make(tracked, load_config(write_toy_config(tmp_path / "broken.yaml", None, animate="fail: no ink")))
    catch_up(tracked)
    (run,) = recorded(tracked)
    assert run.info.status == "FAILED"
    assert "no ink" in run.data.tags["vpgen.error"]


def test_a_report_waits_while_mlflow_is_down(
    monkeypatch: pytest.MonkeyPatch, tracked: Runtime, toy_config: PipelineConfig
) -> None:
    """The clip is fine, the summary says what waits, and it is delivered once when MLflow is back."""
    with monkeypatch.context() as away:
        away.setenv("VPGEN_TRACKING_URI", "http://127.0.0.1:1")
        with Runtime.open(Settings()) as down:
            clip = make(down, toy_config)
            told = catch_up(down, deadline=30)
    assert clip.video.exists()
    assert (told.delivered, told.waiting) == (0, 1)
    assert "The clips are safe" in told.summary
    assert (catch_up(tracked).delivered, catch_up(tracked).delivered) == (1, 0)
    assert len(recorded(tracked)) == 1


def test_a_half_delivered_report_is_finished_not_doubled(
    monkeypatch: pytest.MonkeyPatch, tracked: Runtime, toy_config: PipelineConfig
) -> None:
    """A process that ends between the run's creation and the end of its report leaves one run, completed later."""
    from mlflow import MlflowClient

    make(tracked, toy_config)
    with monkeypatch.context() as dying:
        dying.setattr(MlflowClient, "log_batch", lambda *_, **__: (_ for _ in ()).throw(OSError("killed")))
        assert catch_up(tracked).waiting == 1
    assert [run.info.status for run in recorded(tracked)] == ["RUNNING"]
    assert catch_up(tracked).delivered == 1
    assert [run.info.status for run in recorded(tracked)] == ["FINISHED"]


def test_a_slow_mlflow_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, toy_config: PipelineConfig, tracked: Runtime
) -> None:
    """A server that takes the connection and never answers costs the deadline, not more."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        monkeypatch.setenv("VPGEN_TRACKING_URI", f"http://127.0.0.1:{hanging.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with Runtime.open(Settings()) as slow:
            make(slow, toy_config)
            began = time.monotonic()
            told = catch_up(slow, deadline=1.0)
            took = time.monotonic() - began
    assert told.waiting == 1
    assert "no answer within 1 s" in told.summary
    assert took < 2.5
