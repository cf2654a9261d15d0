"""Killed at every point that changes state, the network cut there, the database away: the bill is the ledger's sum."""

import asyncio
import signal
import sqlite3
import threading
import time
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest_databases import new_database
from shop import Shop, buy_and_die, motion

from vpgen import faults
from vpgen.backends.sandbox.serve import Sandbox
from vpgen.errors import JobFailed, VpgenError
from vpgen.money.spending import spending
from vpgen.remote_jobs import reconcile
from vpgen.runtime import Runtime
from vpgen.settings import Settings

POINTS = ("reserved", "submitting", "accepted", "submitted", "ended", "fetched", "stored", "recorded", "settled")
LISTED, COUNTED = "replicate/kwaivgi/kling-v2.1", "runway/gen4_turbo"
"""One vendor keeps a list of jobs, in which a lost one is found; the other only counts them."""


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_finishes_and_is_paid_once(sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    """kill -9 at the point, then the same command: one job at the provider, one price on the books, the clip made."""
    assert buy_and_die(tmp_path, LISTED, point) == -signal.SIGKILL
    shop = Shop(tmp_path, animate=LISTED)
    assert shop.buy("animate", motion()).seconds == pytest.approx(6.0, abs=0.1)
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() == Decimal("0.50")
    assert shop.journal() == [("closed", "succeeded")]


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_where_lost_jobs_cannot_be_found(sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    """Runway: the same, but for one gap: a job whose answer died with the process cannot be had.

    It is booked as waste, the run stops and says so, and only a person's next command buys again.
    """
    assert buy_and_die(tmp_path, COUNTED, point) == -signal.SIGKILL
    shop = Shop(tmp_path, animate=COUNTED)
    if point == "accepted":
        with pytest.raises(JobFailed, match="nothing was bought again|lost on the way"):
            shop.buy("animate", motion())
        assert shop.books() == sandbox.total() == Decimal("0.30")
    shop.buy("animate", motion())
    lost = [("closed", "lost")] if point == "accepted" else []
    assert shop.journal() == [*lost, ("closed", "succeeded")]
    assert shop.books() == sandbox.total() == Decimal("0.30") * len(shop.journal())


@pytest.mark.parametrize("point", ["submitting", "submitted", "ended"])
@pytest.mark.parametrize("choice", [LISTED, COUNTED])
def test_the_network_cut_at_any_point_loses_nothing(sandbox: Sandbox, tmp_path: Path, choice: str, point: str) -> None:
    """The run ends with a clear error, or comes through; the next one finishes; the bill is the ledger's sum."""
    vendor = choice.partition("/")[0]
    faults.hooks[point] = lambda: sandbox.settings(outage={vendor: "cut"})
    shop = Shop(tmp_path, animate=choice)
    # The output comes from another server than the API: once the job has ended, the API is not needed any more.
    with nullcontext() if point == "ended" else pytest.raises(VpgenError):
        shop.buy("animate", motion())
    faults.hooks.clear()
    sandbox.settings(outage={})
    for _ in range(2):  # Runway: a first run finds out what became of it
        try:
            shop.buy("animate", motion())
            break
        except JobFailed:
            continue
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() > 0
    assert shop.journal()[-1] == ("closed", "succeeded")


def test_a_database_that_is_away_for_ten_seconds_loses_no_job(sandbox: Sandbox, tmp_path: Path) -> None:
    """Locked by somebody else just when the provider has accepted: the handle is written down when it is back."""
    shop = Shop(tmp_path, animate=COUNTED)
    path = Settings().home / "vpgen.db"

    def lock() -> None:
        faults.hooks.clear()
        holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")

        def free() -> None:
            time.sleep(11)
            holder.execute("ROLLBACK")
            holder.close()

        threading.Thread(target=free).start()

    faults.hooks["accepted"] = lock
    shop.buy("animate", motion())
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() == Decimal("0.30")


@pytest.mark.parametrize("point", ["accepted", "recorded"])
def test_a_database_server_that_is_down_for_ten_seconds_loses_no_job(
    sandbox: Sandbox,
    tmp_path: Path,
    mortal_postgres: Any,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """PostgreSQL dies at once, with every connection open to it, and comes back: the run goes on, and pays once."""
    monkeypatch.setenv("VPGEN_DATABASE_URL", new_database(mortal_postgres))
    shop = Shop(tmp_path, animate=COUNTED)

    def down() -> None:
        faults.hooks.clear()
        mortal_postgres.get_postmaster_info().process.kill()

        def up() -> None:
            time.sleep(11)
            mortal_postgres.ensure_postgres_running()

        threading.Thread(target=up).start()

    faults.hooks[point] = down
    began = time.monotonic()
    shop.buy("animate", motion())
    assert time.monotonic() - began > 10
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() == Decimal("0.30")
    assert shop.journal() == [("closed", "succeeded")]
    with Runtime.open(Settings()) as runtime:
        assert spending(runtime.database).total.held == 0


def test_reconcile_tells_what_became_of_jobs_whose_process_died(sandbox: Sandbox, tmp_path: Path) -> None:
    """The provider is asked; a job that is done says how to get it; nothing is bought."""
    assert buy_and_die(tmp_path, COUNTED, "submitted") == -signal.SIGKILL
    time.sleep(0.5)
    with Runtime.open(Settings()) as runtime:
        [told] = asyncio.run(reconcile(runtime))
    assert (told.state, told.next) == ("succeeded", "vpgen resume c")
    assert len(sandbox.bill()["jobs"]) == 1
