"""What people do with the journal: cancel, reconcile, resolve, resume; and where the money went."""

import asyncio
import json
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from shop import Shop, buy_and_die, motion

from vpgen.backends.sandbox.serve import Sandbox
from vpgen.errors import InvalidInput, JobFailed, NotFound, Unavailable
from vpgen.money.spending import as_csv, plot, spending
from vpgen.remote_jobs import cancel, cancel_clip, reconcile, resolve
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store import journal

RUNWAY, REPLICATE = "runway/gen4_turbo", "replicate/kwaivgi/kling-v2.1"


@pytest.fixture(autouse=True)
def _slow(sandbox: Sandbox) -> None:
    """Jobs that take long enough to be cancelled while they run."""
    sandbox.settings(latency={"image": (1, 2), "video": (40_000, 40_001)})


def _left_running(folder: Path, choice: str) -> None:
    """A process that dies right after its job was accepted."""
    assert buy_and_die(folder, choice, "submitted") == -signal.SIGKILL


@pytest.mark.parametrize("choice", [RUNWAY, REPLICATE])
def test_a_job_left_running_is_cancelled_and_only_what_is_charged_is_booked(
    sandbox: Sandbox, tmp_path: Path, choice: str
) -> None:
    """The provider stops it; the reservation is released but for what it keeps."""
    _left_running(tmp_path, choice)
    with Runtime.open(Settings()) as runtime:
        [before] = asyncio.run(reconcile(runtime))
        assert before.state.split()[0] in {"waiting", "running"}
        told = asyncio.run(cancel(runtime, before.id))
        assert told.state.startswith("cancelled")
        assert not journal.entries(runtime.database)
        with pytest.raises(InvalidInput, match="closed already"):
            asyncio.run(cancel(runtime, before.id))
    assert Shop(tmp_path).books() == sandbox.total()


def test_a_provider_that_cannot_be_reached_cancels_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The error says so, the job stays open, and a later try works."""
    _left_running(tmp_path, RUNWAY)
    with Runtime.open(Settings()) as runtime:
        [row] = journal.entries(runtime.database)
        sandbox.settings(outage={"runway": "cut"})
        with pytest.raises(Unavailable, match="Runway cannot be used"):
            asyncio.run(cancel(runtime, row.id))
        sandbox.settings(outage={})
        assert [entry.state for entry in journal.entries(runtime.database)] == ["submitted"]
        assert asyncio.run(cancel(runtime, row.id)).state.startswith("cancelled")


def test_cancelling_a_clip_cancels_its_jobs(sandbox: Sandbox, tmp_path: Path) -> None:
    """And a clip nobody began is not found."""
    _left_running(tmp_path, RUNWAY)
    with Runtime.open(Settings()) as runtime:
        assert [told.state.split(":")[0] for told in asyncio.run(cancel_clip(runtime, "c"))] == ["cancelled"]
        with pytest.raises(NotFound, match="no clip 'nobody'"):
            asyncio.run(cancel_clip(runtime, "nobody"))
    assert Shop(tmp_path).books() == sandbox.total()


def test_who_is_still_waiting_for_a_cancelled_job_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The run that waits ends with JobFailed, and does not start another."""
    _left_running(tmp_path, RUNWAY)
    with Runtime.open(Settings()) as runtime:
        [row] = journal.entries(runtime.database)
        client_side = row.handle
    assert client_side
    import httpx

    httpx.delete(
        f"{sandbox.url}/runway/v1/tasks/{client_side['job_id']}",
        headers={"Authorization": "Bearer x", "X-Runway-Version": "2024-11-06"},
    )
    with pytest.raises(JobFailed, match="cancelled"):
        Shop(tmp_path, animate=RUNWAY).buy("animate", motion())
    assert len(sandbox.bill()["jobs"]) == 1
    assert Shop(tmp_path).books() == sandbox.total()


def test_what_is_not_in_doubt_cannot_be_resolved_by_hand(sandbox: Sandbox, tmp_path: Path) -> None:
    """The provider knows the job: a person's word is not needed, and not taken."""
    _left_running(tmp_path, RUNWAY)
    with Runtime.open(Settings()) as runtime:
        [row] = journal.entries(runtime.database)
        with pytest.raises(InvalidInput, match="nothing is in doubt"):
            resolve(runtime, row.id, "never")
        with pytest.raises(NotFound):
            resolve(runtime, 999, "never")


def test_the_command_line_lists_reconciles_and_cancels(sandbox: Sandbox, tmp_path: Path) -> None:
    """`vpgen journal` and its commands, for people and for machines."""
    _left_running(tmp_path, RUNWAY)

    def vpgen(*words: str) -> str:
        done = subprocess.run([sys.executable, "-m", "vpgen", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "runway/gen4_turbo" in vpgen("journal")
    [row] = [json.loads(line) for line in vpgen("journal", "--json").splitlines()]
    assert (row["state"], row["clip"], row["provider"]) == ("submitted", "c", "runway")
    assert "vpgen resume c" in vpgen("journal", "reconcile")
    assert "cancelled" in vpgen("journal", "cancel", str(row["id"]))
    assert "No call is open" in vpgen("journal")
    assert json.loads(vpgen("journal", "--all", "--json"))["outcome"] == "cancelled"
    assert json.loads(vpgen("cost", "--by", "provider", "--json"))["by"] == "provider"


def test_the_sum_of_every_grouping_is_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """By day, provider, stage, category or clip: one total; waste and what is held apart; CSV adds up; a plot is drawn."""
    _left_running(tmp_path, RUNWAY)
    with Runtime.open(Settings()) as runtime:
        reports = {
            by: spending(runtime.database, by) for by in ("day", "experiment", "provider", "stage", "category", "clip")
        }  # type: ignore[arg-type]
        for report in reports.values():
            assert sum((row.usd for row in report.groups), Decimal(0)) == report.total.usd
            assert report.total.held == reports["day"].total.held >= Decimal("0.30")
        [row] = journal.entries(runtime.database)
        asyncio.run(cancel(runtime, row.id))
        after = spending(runtime.database, "provider")
        assert after.total.held == 0
        assert after.total.waste == sandbox.total()
        lines = as_csv([*after.groups, after.total]).splitlines()
        assert lines[0].startswith("name,usd,api,compute")
        assert Decimal(lines[-1].split(",")[1]) == after.total.usd
        plot(after, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
