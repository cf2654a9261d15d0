"""Housekeeping: what is old goes by its class, what anything refers to stays, and nothing ever leads nowhere."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_config import write_toy_config

from vpgen import projects, studio, tracking
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import ConfigError, Conflict, NotFound
from vpgen.results import KIND, Clip
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store import clips
from vpgen.store import schema as tables
from vpgen.store import schema_lab as lab
from vpgen.store.records import RECORDS, read_record
from vpgen.store.retention import Policy, Report, housekeeping, load_policy

OLD = Policy(intermediates=0, previews=0, finals=None, grace_hours=0)
"""Everything is old at once; finals are kept."""
ALL = OLD.model_copy(update={"finals": 0})


def make(runtime: Runtime, config: PipelineConfig, story: str = "a fox", **more: Any) -> Clip:
    return studio.run(studio.make(story, config=config, runtime=runtime, **more))


def preview(runtime: Runtime, config: PipelineConfig, story: str = "a fox") -> Clip:
    return studio.run(studio.preview(story, config=config, runtime=runtime))


def there(runtime: Runtime) -> dict[str, set[str]]:
    """What the store holds, by kind."""
    found: dict[str, set[str]] = {"objects": {sha for sha, _, _ in runtime.store.objects()}}
    for kind, key, _, _ in runtime.store.documents():
        found.setdefault(kind, set()).add(key)
    return found


def whole(runtime: Runtime) -> bool:
    """Every record's objects, and every clip's record and sheet, are there."""
    for key in there(runtime).get(RECORDS, set()):
        if read_record(runtime.store, key) is None:
            return False
    for key in there(runtime).get(KIND, set()):
        manifest = studio.find(runtime, key)
        if not runtime.store.exists(manifest.sheet) or not read_record(runtime.store, manifest.video):
            return False
    return True


def test_dry_it_shows_what_would_go_and_touches_nothing(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """Applied, exactly that goes: the figures agree with each other and with the disk."""
    final = make(runtime, toy_config)
    before = there(runtime)
    shown = housekeeping(runtime, ALL)
    assert there(runtime) == before
    assert shown.applied is False
    assert shown.classes["previews"].clips == shown.classes["finals"].clips == 1
    assert shown.classes["intermediates"].records > 5
    on_disk = sum(size for _, size, _ in runtime.store.objects())
    assert shown.bytes == on_disk > 0
    done = housekeeping(runtime, ALL, apply=True)
    assert done.model_copy(update={"applied": False}) == shown
    assert there(runtime) == {"objects": set(), "requests": before["requests"]}
    with pytest.raises(NotFound):
        studio.show(runtime, final.id)


def test_a_kept_final_is_shown_as_before_and_all_that_is_shared_stays(
    runtime: Runtime, toy_config: PipelineConfig
) -> None:
    """Its preview and what lies between go; what it is shown from is shared by keys and stays."""
    final = make(runtime, toy_config)
    housekeeping(runtime, OLD, apply=True)
    again = studio.show(runtime, final.id)
    assert again.video.read_bytes() == final.video.read_bytes()
    assert again.scores == final.scores
    assert whole(runtime)
    assert there(runtime)[KIND] == {final.id}
    assert len(there(runtime)[RECORDS]) == 2


def test_young_it_stays_whatever_its_class(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """The grace period is by the age of document and object."""
    make(runtime, toy_config)
    before = there(runtime)
    report = housekeeping(runtime, ALL.model_copy(update={"grace_hours": 24}), apply=True)
    assert report.bytes == 0
    assert there(runtime) == before


def test_days_are_by_class(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """A final of a week is younger than its limit, its intermediates are not."""
    make(runtime, toy_config)
    week = time.time() - 7 * 86_400
    for path in (runtime.settings.home / "store").rglob("*"):
        os.utime(path, (week, week))
    report = housekeeping(runtime, Policy(intermediates=3, previews=30, finals=30))
    assert report.classes["intermediates"].records == 0  # the clips themselves are of today: made with what is older
    report = housekeeping(runtime, Policy(intermediates=3, previews=0, finals=30))
    assert report.classes["previews"].clips == 1


def test_made_again_from_what_was_asked(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """The request stays: `vpgen resume` makes a removed clip anew, with the same id."""
    final = make(runtime, toy_config)
    housekeeping(runtime, ALL, apply=True)
    assert studio.run(studio.resume(final.id, runtime=runtime)).id == final.id
    assert whole(runtime)


def trial(runtime: Runtime, clip: Clip) -> None:
    with runtime.database.write() as session:
        session.add(lab.Experiment(id="e-1", name="e", definition={}))
        session.flush()
        session.add(lab.Trial(experiment_id="e-1", pair=0, variant="a", case="c", seed=0, clip_id=clip.id))


def evidence(runtime: Runtime, clip: Clip) -> None:
    with runtime.database.write() as session:
        session.add(
            lab.Promotion(
                profile="final", number=1, config={}, evidence={"clips": [clip.id]}, actor="a", reason="r", vpgen_version="1"
            )
        )  # fmt: skip


def unfinished_batch(runtime: Runtime, clip: Clip) -> None:
    with runtime.database.write() as session:
        session.add(lab.Batch(id="b", source="s", profile="final", config={}, state="stopped"))
        session.flush()
        session.add(lab.BatchRow(batch_id="b", number=1, request={}, state="completed", clip_id=clip.id))


def open_project(runtime: Runtime, clip: Clip) -> None:
    project = projects.new(runtime.database, "a fox", config="animatic", name="p", seed=0)
    with runtime.database.write() as session:
        session.get_one(tables.Project, project.id).final_clip = clip.id


def open_call(runtime: Runtime, clip: Clip) -> None:
    with runtime.database.write() as session:
        session.add(
            tables.RemoteJob(clip_id=clip.id, step_key="k", stage="animate", provider="p", model="m", worker="w")
        )


def under_way(runtime: Runtime, clip: Clip) -> None:
    with runtime.database.write() as session:
        row = session.get_one(tables.Clip, clip.id)
        row.state, row.worker = "running", None


@pytest.mark.parametrize("refer", [trial, evidence, unfinished_batch, open_project, open_call, under_way])
def test_what_something_refers_to_stays_with_all_it_was_made_from(
    runtime: Runtime, toy_config: PipelineConfig, toy_log: Path, refer: Callable[[Runtime, Clip], None]
) -> None:
    """An experiment, a champion's evidence, an unfinished batch, an open project, the journal, a clip under way."""
    final = make(runtime, toy_config)
    other = make(runtime, toy_config, "a cat")
    refer(runtime, final)
    report = housekeeping(runtime, ALL, apply=True)
    assert sum(report.kept.values()) == 2  # and the preview it stands on
    assert there(runtime)[KIND] == {final.id, final.manifest.parent}
    assert other.id not in there(runtime)[KIND]
    toy_log.unlink()
    assert make(runtime, toy_config).cached
    assert not toy_log.exists()


def test_steps_of_an_unfinished_batchs_failed_rows_stay(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """They have no clip yet, and were paid for by its purse."""
    from vpgen.money.ledger import Purse

    broken = load_config(write_toy_config(tmp_path / "broken.yaml", toy_log, animate="fail: no ink"))
    with runtime.database.write() as session:
        session.add(lab.Batch(id="b", source="s", profile="final", config={}, state="stopped"))
    with pytest.raises(studio.VpgenError):
        make(runtime, broken, purse=Purse(name="b"))
    kept = there(runtime)[RECORDS]
    housekeeping(runtime, ALL, apply=True)
    assert there(runtime)[RECORDS] == kept
    assert whole(runtime)


def test_objects_wait_while_a_clip_is_under_way(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """It may have read a record that goes now; they go when nothing runs, or have waited for the grace period."""
    gone = make(runtime, toy_config)
    runs = preview(runtime, toy_config, "a cat")
    under_way(runtime, runs)
    before = there(runtime)["objects"]
    hours = ALL.model_copy(update={"grace_hours": 1})
    hour = time.time() - 3700
    for path in (runtime.settings.home / "store").rglob("*"):
        os.utime(path, (hour, hour))
    report = housekeeping(runtime, hours, apply=True)
    assert report.waiting > 0
    assert there(runtime)["objects"] == before
    assert gone.id not in there(runtime)[KIND]
    with runtime.database.write() as session:
        session.get_one(tables.Clip, runs.id).state = "completed"
    report = housekeeping(runtime, hours, apply=True)
    assert report.waiting == 0
    assert there(runtime)["objects"] == set()


def test_bytes_that_are_stored_again_are_young_again(runtime: Runtime) -> None:
    """A clip that makes what housekeeping is about to remove is not robbed of it."""
    blob = runtime.store.put_bytes(b"the same bytes")
    old = time.time() - 90 * 86_400
    path = runtime.store.get_path(blob)
    os.utime(path, (old, old))
    assert housekeeping(runtime, Policy()).classes["unused"].objects == 1
    runtime.store.put_bytes(b"the same bytes")
    assert housekeeping(runtime, Policy(), apply=True).classes["unused"].objects == 0
    assert runtime.store.exists(blob)


def test_what_others_keep_in_the_store_stays(runtime: Runtime) -> None:
    """A document of a kind that housekeeping knows nothing of, and the object it names."""
    blob = runtime.store.put_bytes(b"a report")
    runtime.store.put_document("reports", "weekly", {"html": blob.model_dump()})
    housekeeping(runtime, ALL, apply=True)
    assert runtime.store.exists(blob)
    assert runtime.store.get_document("reports", "weekly")


SCRIPT = """
import sys
from vpgen.runtime import Runtime
from vpgen.store.retention import Policy, housekeeping
with Runtime.open() as runtime:
    housekeeping(runtime, Policy(intermediates=0, previews=0, finals=0, grace_hours=0), apply=True)
"""


@pytest.mark.parametrize("point", ["clips-removed", "records-removed"])
def test_killed_it_leaves_nothing_that_leads_nowhere_and_the_next_one_ends_it(
    runtime: Runtime, toy_config: PipelineConfig, point: str
) -> None:
    """Documents go before what they name; the rows are put right by the next run."""
    final = make(runtime, toy_config)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "VPGEN_FAULT": point}
    killed = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert whole(runtime)
    assert there(runtime)["objects"]
    housekeeping(runtime, ALL, apply=True)
    assert there(runtime)["objects"] == set()
    with runtime.database.read() as session:
        assert session.get_one(tables.Clip, final.id).manifest is None


def test_two_at_once_are_a_conflict(runtime: Runtime) -> None:
    with runtime.store.lock("housekeeping"), pytest.raises(Conflict):
        housekeeping(runtime, ALL)


def test_a_store_elsewhere(tmp_path: Path, toy_config: PipelineConfig) -> None:
    """Through fsspec, as on S3: listed, swept and put right all the same."""
    with Runtime.open(Settings(store_url=f"memory://retention-{tmp_path.name}")) as runtime:
        final = make(runtime, toy_config)
        housekeeping(runtime, OLD, apply=True)
        assert studio.show(runtime, final.id).id == final.id
        assert whole(runtime)
        report = housekeeping(runtime, ALL, apply=True)
        assert report.bytes > 0
        assert there(runtime)["objects"] == set()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_mlflow_says_which_clips_are_gone(
    tmp_path: Path, toy_config: PipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run keeps its figures and its sheet, loses its copy of the video, and says so; twice is once."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as runtime:
        gone = preview(runtime, toy_config)
        kept = preview(runtime, toy_config, "a cat")
        unfinished_batch(runtime, kept)
        assert tracking.catch_up(runtime).delivered == 2
        housekeeping(runtime, ALL, apply=True)
        housekeeping(runtime, ALL, apply=True)
        assert tracking.catch_up(runtime).delivered == 1
        client = mlflow.MlflowClient(tracking_uri=runtime.settings.resolved_tracking)
        experiment = client.get_experiment_by_name("vpgen")
        runs = {run.data.tags["vpgen.clip"]: run for run in client.search_runs([experiment.experiment_id])}
        tags = runs[gone.id].data.tags
        assert tags["vpgen.removed"]
        assert f"vpgen resume {gone.id}" in tags["mlflow.note.content"]
        assert [item.path for item in client.list_artifacts(runs[gone.id].info.run_id)] == ["contact_sheet"]
        assert "vpgen.removed" not in runs[kept.id].data.tags
        assert len(client.list_artifacts(runs[kept.id].info.run_id)) == 2


def test_a_report_that_mlflow_never_had_is_not_owed_any_more(
    toy_config: PipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip that is gone cannot be reported; the outbox does not wait for it for ever."""
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as runtime:
        preview(runtime, toy_config)
        housekeeping(runtime, ALL, apply=True)
        with runtime.database.read() as session:
            owed = [item.kind for item in session.query(tables.OutboxItem)]
        assert owed == [clips.REMOVED]


def test_the_shipped_policy_keeps_finals_for_ever(tmp_path: Path) -> None:
    """And a file of one's own is checked, with the line of each problem."""
    assert load_policy().finals is None
    own = tmp_path / "retention.yaml"
    own.write_text("previews: 3\nfinalls: 2\nintermediates: -1\n")
    with pytest.raises(ConfigError) as caught:
        load_policy(own)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [f"{own}:3", f"{own}:2"]
    own.write_text("finals: 99999999999\ngrace_hours: 1e300\n")  # no time span that Python knows
    with pytest.raises(ConfigError, match="less than or equal"):
        load_policy(own)
    own.write_text("previews: 3\n")
    assert load_policy(own) == Policy(previews=3)


def test_the_command_is_dry_by_default(toy_config: PipelineConfig, runtime: Runtime, tmp_path: Path) -> None:
    """`vpgen housekeeping` shows, `--apply` removes; both speak JSON."""
    from test_cli import run

    make(runtime, toy_config)
    policy = tmp_path / "retention.yaml"
    policy.write_text("{intermediates: 0, previews: 0, finals: 0, grace_hours: 0}")
    monkey = {"VPGEN_RETENTION": str(policy)}
    assert "nothing was removed" in run("housekeeping", **monkey)
    assert there(runtime)["objects"]
    report = Report.model_validate(json.loads(run("housekeeping", "--apply", "--json", **monkey)))
    assert report.applied
    assert there(runtime)["objects"] == set()
