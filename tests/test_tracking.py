"""What MLflow is told about clips, against a real MLflow over SQLite."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from toy_config import write_toy_config
from vpgen_toy import Toy

from vpgen import studio
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import VpgenError
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.clips import EXPERIMENT_REPORT
from vpgen.store.schema import OutboxItem
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
    """Story, scores, cost, contact sheet and clip are on the run; nothing is printed on first use; twice adds none."""
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
    for folder, file in (("contact_sheet", clip.sheet), ("clip", clip.video)):
        (artifact,) = client.list_artifacts(run.info.run_id, folder)
        assert artifact.path == f"{folder}/{file.name}"
        assert artifact.file_size == file.stat().st_size
        assert f"path={artifact.path}&run_uuid={run.info.run_id}" in run.data.tags["mlflow.note.content"]
    assert run.data.tags["vpgen.video"].startswith("file://")
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"  # opens on the runs
    took = (run.info.end_time - run.info.start_time) / 1000
    assert abs(took - run.data.metrics["seconds.total"]) < 0.5


def test_seconds_of_a_stage_are_those_it_worked(tracked: Runtime, toy_config: PipelineConfig) -> None:
    """What a final finds in the store is named as cached and not averaged in as 0 seconds; one run a clip."""
    preview = make(tracked, toy_config)
    final = studio.run(studio.final(preview.id, runtime=tracked))
    catch_up(tracked)
    runs = {run.data.tags["vpgen.clip"]: run.data for run in recorded(tracked)}
    assert set(runs) == {preview.id, final.id}
    assert {"seconds.encode", "seconds.upscale"} <= set(runs[final.id].metrics)
    assert not {"seconds.plan", "seconds.animate"} & set(runs[final.id].metrics)
    assert {"plan", "animate"} <= set(runs[final.id].tags["vpgen.cached"].split(", "))
    assert runs[final.id].tags["vpgen.parent"] == preview.id
    assert runs[preview.id].tags["vpgen.cached"] == ""


def test_a_failed_clip_is_a_failed_run(tracked: Runtime, tmp_path: Path) -> None:
    """The run says why."""
    with pytest.raises(VpgenError):
        make(tracked, load_config(write_toy_config(tmp_path / "broken.yaml", None, animate="fail: no ink")))
    catch_up(tracked)
    (run,) = recorded(tracked)
    assert run.info.status == "FAILED"
    assert "no ink" in run.data.tags["vpgen.error"]


def test_a_failure_stays_one_when_the_clip_is_made_after_it(
    tracked: Runtime, toy_config: PipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wait while MLflow is away: one failed run with its error, one finished."""

    def no_ink(*_: object) -> None:
        raise RuntimeError("no ink")

    with monkeypatch.context() as broken:
        broken.setattr(Toy, "animate", no_ink)
        with pytest.raises(VpgenError):
            make(tracked, toy_config)
    clip = make(tracked, toy_config)
    assert catch_up(tracked).delivered == 2
    runs = {run.info.status: run.data.tags for run in recorded(tracked)}
    assert {status: tags["vpgen.clip"] for status, tags in runs.items()} == {"FAILED": clip.id, "FINISHED": clip.id}
    assert "no ink" in runs["FAILED"]["vpgen.error"]
    assert "vpgen.error" not in runs["FINISHED"]


def test_a_stopped_clip_is_a_killed_run(tracked: Runtime, tmp_path: Path) -> None:
    """Ctrl-C is not a failure."""

    async def stopped() -> None:
        config = load_config(write_toy_config(tmp_path / "slow.yaml", None, animate="hang: 60"))
        await asyncio.wait_for(studio.preview("a fox at dusk", config=config, runtime=tracked), 2.0)

    with pytest.raises(TimeoutError):
        asyncio.run(stopped())
    catch_up(tracked)
    assert [run.info.status for run in recorded(tracked)] == ["KILLED"]


def test_a_report_that_cannot_be_made_keeps_no_other_waiting(tracked: Runtime, toy_config: PipelineConfig) -> None:
    """A clip that was removed from the store waits with its reason; the one after it is delivered."""
    gone = make(tracked, toy_config)
    whole = studio.run(studio.preview("a bear at dusk", config=toy_config, runtime=tracked))
    (Path(tracked.settings.resolved_store) / "documents" / "clips" / f"{gone.id}.json").unlink()
    told = catch_up(tracked)
    assert (told.delivered, told.waiting) == (1, 1)
    assert gone.id in told.summary
    assert [run.data.tags["vpgen.clip"] for run in recorded(tracked)] == [whole.id]


def test_a_mistake_of_ours_in_one_report_keeps_no_other_waiting(tracked: Runtime, toy_config: PipelineConfig) -> None:
    """What MLflow did not say is not held against it: the reports behind the bad one are delivered."""
    with tracked.database.write() as session:
        session.add(OutboxItem(kind=EXPERIMENT_REPORT, payload={}))
    clip = make(tracked, toy_config)
    told = catch_up(tracked)
    assert (told.delivered, told.waiting) == (1, 1)
    assert "KeyError" in told.summary
    assert [run.data.tags["vpgen.clip"] for run in recorded(tracked)] == [clip.id]


def test_a_password_in_mlflows_address_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, tracked: Runtime, toy_config: PipelineConfig
) -> None:
    """Neither to the user's screen nor to the database, though MLflow's own error names it."""
    monkeypatch.setenv("VPGEN_TRACKING_URI", "http://me:hunter2@127.0.0.1:1")
    with Runtime.open(Settings()) as down:
        make(down, toy_config)
        told = catch_up(down, deadline=30)
    assert told.waiting == 1
    assert "127.0.0.1:1" in told.summary
    assert "hunter2" not in told.summary
    with tracked.database.read() as session:
        assert "hunter2" not in str(session.scalars(sa.select(OutboxItem)).one().error)


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
    """A server that takes the connection and never answers costs the deadline, not more; later it is told all."""
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
    monkeypatch.delenv("VPGEN_TRACKING_URI")
    ends = time.monotonic() + 20  # the call that hangs holds the reports until MLflow's own client gives up
    while not catch_up(tracked).delivered:
        assert time.monotonic() < ends
        time.sleep(0.2)
    assert [run.info.status for run in recorded(tracked)] == ["FINISHED"]
