"""The database: opened by any number of processes, migrated, exact about money, clear when it cannot be used."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from vpgen.errors import Corrupted, InvalidInput, MissingDependency, StoreError
from vpgen.store import migrations
from vpgen.store.database import HEAD, Database
from vpgen.store.schema import NANO, Base, Charge, Clip, OutboxItem, ProjectEvent, Usd

Open = Callable[..., Database]


CLIP = {"kind": "preview", "story": "a story", "config_name": "c", "config_hash": "h", "seed": 1, "state": "running"}
CHARGE = {"clip_id": "preview-1", "step_key": "k", "stage": "plan", "backend": "b", "category": "api", "sku": "s"}


def clip(name: str = "preview-1", **facts: object) -> Clip:
    """A row for a clip."""
    return Clip(id=name, **(CLIP | facts))


def charge(usd: Decimal | None, **facts: object) -> Charge:
    """A row for a charge of clip preview-1."""
    return Charge(usd=usd, **(CHARGE | facts))


# --- values -------------------------------------------------------------------------------------


def test_money_and_times_come_back_exact(database: Database) -> None:
    """Decimals, unknown amounts, times of any zone, JSON and the largest seed are read as they were written."""
    korea = datetime(2026, 11, 24, 21, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    with database.write() as session:
        session.add(clip(seed=2**63 - 1, created=korea))
        session.flush()
        session.add(
            charge(Decimal("1.234567891"), quantity=Decimal("1E-12"), unit_usd=Decimal("0.0000000000023"), at=korea)
        )
        session.add(charge(None, quantity=None))
        session.add(OutboxItem(kind="mlflow", payload={"story": "해질녘", "list": [1, None]}))
    with database.read() as session:
        first, second = session.scalars(sa.select(Charge).order_by(Charge.id)).all()
        row = session.get_one(Clip, "preview-1")
        item = session.scalars(sa.select(OutboxItem)).one()
    assert first.usd == Decimal("1.234567891")
    assert (str(first.quantity), str(first.unit_usd)) == ("1E-12", "2.3E-12")
    assert second.usd is None
    assert second.quantity is None
    assert row.created == korea
    assert row.created.tzinfo == UTC
    assert row.seed == 2**63 - 1
    assert item.payload == {"story": "해질녘", "list": [1, None]}


def test_a_sum_in_sql_is_exact(database: Database) -> None:
    """Ten thousand tenths of a cent add up to ten dollars, not to 9.999999999998."""
    with database.write() as session:
        session.add(clip())
        session.flush()
        session.execute(sa.insert(Charge), [{**CHARGE, "usd": Decimal("0.001")}] * 10_000)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.sum(Charge.usd))) == Decimal(10)
        assert session.scalar(sa.select(sa.func.sum(Charge.usd)).where(Charge.stage == "score")) is None


@given(amount=st.decimals(-9_000_000_000, 9_000_000_000, allow_nan=False, places=12))
def test_an_amount_is_kept_to_the_nano_dollar(amount: Decimal) -> None:
    """Money is off by at most half a nano-dollar, however many digits it has."""
    kept = Usd().process_result_value(Usd().process_bind_param(amount, None), None)
    assert kept is not None
    assert abs(kept - amount) <= NANO / 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("usd", Decimal("NaN")),
        ("usd", Decimal("Infinity")),
        ("usd", 1.5),
        ("quantity", Decimal("NaN")),
        ("quantity", 2.0),
        ("at", datetime(2026, 11, 24)),  # noqa: DTZ001 - naive is the point
    ],
)
def test_what_is_not_exact_is_refused(database: Database, column: str, value: object) -> None:
    """NaN, infinity, floats and naive times are errors before they reach the database."""
    with database.write() as session:
        session.add(clip())
    with pytest.raises(StatementError, match=r"Decimal|time zone"), database.write() as session:
        session.execute(sa.insert(Charge).values(**{"stage": "plan", column: value}))


@pytest.mark.parametrize(
    "row",
    [
        lambda: clip(kind="sketch"),
        lambda: clip(state="perhaps"),
        lambda: charge(Decimal(1), clip_id=None, category="bribes"),
        lambda: charge(Decimal(1), clip_id="no-such-clip"),
        lambda: ProjectEvent(project_id="none", actor="a", move="plan", to_state="planning"),
    ],
    ids=["kind", "state", "category", "clip", "project"],
)
def test_the_database_itself_refuses_nonsense(database: Database, row: Callable[[], Base]) -> None:
    """A word that is none of the allowed ones, or a reference to nothing, does not get in."""
    with pytest.raises(StoreError), database.write() as session:
        session.add(row())


def test_a_failed_block_leaves_nothing(database: Database) -> None:
    """An exception in a write block rolls everything in it back."""

    def work() -> None:
        with database.write() as session:
            session.add(clip())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    with database.read() as session:
        assert session.get(Clip, "preview-1") is None


def test_a_read_block_changes_nothing(database: Database) -> None:
    """What is changed in a read block is thrown away."""
    with database.read() as session:
        session.add(clip())
        session.flush()
    with database.read() as session:
        assert session.get(Clip, "preview-1") is None


def test_read_then_write_is_serial(database: Database) -> None:
    """Threads that each read a figure and write it back plus one lose no update, and readers are not kept waiting."""
    with database.write() as session:
        session.add(clip(seed=0))

    def count() -> None:
        for _ in range(10):
            with database.write() as session:
                row = session.get_one(Clip, "preview-1")
                row.seed += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    with database.write() as writing:
        writing.get_one(Clip, "preview-1").story = "changed"
        writing.flush()
        with database.read() as session:
            assert session.get_one(Clip, "preview-1").story == "a story"
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(Clip, "preview-1").seed == 40


def test_a_reader_sees_one_moment(database: Database) -> None:
    """Two queries of one read block agree, even when a writer commits between them."""
    with database.write() as session:
        session.add(clip())
    count = sa.select(sa.func.count()).select_from(Clip)
    with database.read() as reading:
        assert reading.scalar(count) == 1
        with database.write() as session:
            session.add(clip("preview-2"))
        assert reading.scalar(count) == 1


# --- opening and migrating ----------------------------------------------------------------------


def test_head_is_the_newest_script() -> None:
    """The constant that lets a cached run skip Alembic agrees with the scripts."""
    assert ScriptDirectory.from_config(migrations.config()).get_current_head() == HEAD


def clauses(path: Path) -> dict[str, list[str]]:
    """Every table and index of a SQLite file by name, as the sorted parts of its SQL, without optional quotes."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    flat = {name: re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").replace('"', "") for name, sql in rows}
    return {name: sorted(re.split(r", (?=\w+ )", sql[:-1])) for name, sql in flat.items()}


def test_a_new_database_is_what_the_scripts_make(tmp_path: Path, opened: Open) -> None:
    """The short cut for a new database and the migrations from nothing end in the same SQL, checks included."""
    opened(str(tmp_path / "new.db"))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        migrations.upgrade(connection)
    engine.dispose()
    assert clauses(tmp_path / "new.db") == clauses(tmp_path / "migrated.db")


def test_the_scripts_make_what_the_code_expects(address: str) -> None:
    """After the migrations Alembic finds no difference to the models; downgrading leaves no table of ours."""
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        migrations.upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    with engine.begin() as connection:
        command.downgrade(migrations.config(connection), "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_an_older_database_is_upgraded_when_opened(address: str, opened: Open) -> None:
    """A database that Alembic made, at any older revision, is brought to the newest when it is opened."""
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        migrations.upgrade(connection)
        command.downgrade(migrations.config(connection), "base")
    engine.dispose()
    assert opened(address).revision() == HEAD


def test_a_newer_database_is_left_alone(address: str, opened: Open) -> None:
    """A database of a later vpgen is refused with the advice to upgrade, and is not changed."""
    with opened(address).write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer vpgen") as caught:
        opened(address)
    assert "upgrade vpgen" in str(caught.value.remedy)
    assert ":secret@" not in str(caught.value)


def test_somebody_elses_database_is_left_alone(address: str, opened: Open) -> None:
    """A database with other tables and no revision is refused."""
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (id INTEGER)")
    engine.dispose()
    with pytest.raises(StoreError, match="not vpgen's"):
        opened(address)


def test_opening_a_current_database_does_not_load_alembic(tmp_path: Path) -> None:
    """The usual start, and a first one, stay free of half a second of imports."""
    script = """
import sys
from vpgen.store.database import open_database
open_database(sys.argv[1])
print("alembic" in sys.modules)
"""
    for _ in range(2):
        command_line = [sys.executable, "-c", script, str(tmp_path / "x.db")]
        assert subprocess.run(command_line, capture_output=True, text=True, check=True).stdout == "False\n"


def test_processes_may_open_a_new_database_at_once(
    address: str, at_once: Callable[..., list[str]], opened: Open
) -> None:
    """Six processes that start together on a database that is not there all get it."""
    script = """
        from vpgen.store.database import open_database
        from vpgen.store.schema import Clip
        CLIP = {"kind": "preview", "story": "s", "config_name": "c", "config_hash": "h", "seed": 1, "state": "running"}

        def work(number, wait):
            wait()
            with open_database(sys.argv[1]).write() as session:
                session.add(Clip(id=f"clip-{number}", **CLIP))
            return number
    """
    assert sorted(at_once(script, 6, address)) == list("012345")
    with opened(address).read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Clip)) == 6


# --- a database that cannot be used -------------------------------------------------------------


def test_a_database_locked_by_another_process_is_waited_for_and_then_said(address: str, opened: Open) -> None:
    """A writer waits as long as it was told to, then says who may be at fault and what to do; readers still read."""
    database = opened(address, busy_seconds=0.5)
    script = """
        import sys
        from vpgen.store.database import open_database
        import sqlalchemy as sa
        with open_database(sys.argv[1]).write() as session:
            session.execute(sa.text("UPDATE clip SET story = 'x'"))
            print("locked", flush=True)
            sys.stdin.readline()
    """
    command_line = [sys.executable, "-c", textwrap.dedent(script), address]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        write = database.write()
        with pytest.raises(StoreError, match=r"another process has held it for 0\.5 s") as caught, write as session:
            session.execute(sa.delete(Clip))
        assert caught.value.retryable
        assert "stop it" in str(caught.value.remedy)
        with database.read() as session:
            assert session.get(Clip, "preview-1") is None
        other.stdin.write("done\n")
        other.stdin.flush()
        other.wait(timeout=30)
    with database.write() as session:
        session.add(clip())


def test_a_killed_writer_leaves_nothing_and_locks_nobody_out(address: str, opened: Open) -> None:
    """After kill -9 in the middle of a transaction the next writer goes on, and sees none of it."""
    database = opened(address)
    script = """
        import os, signal, sys
        from vpgen.store.database import open_database
        from vpgen.store.schema import Clip
        with open_database(sys.argv[1]).write() as session:
            session.add(Clip(id="half", kind="preview", story="s", config_name="c", config_hash="h", seed=1,
                             state="running"))
            session.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), address], check=False)
    assert done.returncode == -9
    with database.write() as session:
        assert session.get(Clip, "half") is None
        session.add(clip())


def test_a_file_that_is_no_database_is_said(tmp_path: Path, opened: Open) -> None:
    """A text file in the database's place is Corrupted, not overwritten."""
    path = tmp_path / "vpgen.db"
    path.write_text("This is a letter to the reader, and long enough to be looked at. " * 20)
    with pytest.raises(Corrupted, match="not a database"):
        opened(str(path))
    assert path.read_text().startswith("This is a letter")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_loses_nothing(disk: Path, opened: Open) -> None:
    """When the disk fills up, the write is refused with a remedy, and what was written before is still there."""
    database = opened(str(disk / "vpgen.db"))
    with database.write() as session:
        session.add(clip())
    (disk / "filler").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    write = database.write()
    with pytest.raises(StoreError, match="no space is left") as caught, write as session:
        session.execute(sa.insert(OutboxItem), [{"kind": "mlflow", "payload": {"x": "y" * 1000}}] * 500)
    assert "free some space" in str(caught.value.remedy)
    (disk / "filler").unlink()
    with database.write() as session:
        assert session.get(Clip, "preview-1")
        session.add(clip("preview-2"))


def test_a_read_only_database_is_said(disk: Path, opened: Open) -> None:
    """On a read-only mount the database cannot be used: readers take locks too; the remedy says so."""
    address = str(disk / "vpgen.db")
    opened(address).close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StoreError, match=r"unable to open|read-only") as caught:
        opened(address)
    assert "write" in str(caught.value.remedy)


def test_a_folder_that_cannot_be_is_said(tmp_path: Path, opened: Open) -> None:
    """A database below a file, or in a folder's place, is a StoreError with a remedy."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "vpgen.db", tmp_path):
        with pytest.raises(StoreError) as caught:
            opened(str(path))
        assert caught.value.remedy


def test_an_unreachable_server_is_said_without_the_password(opened: Open) -> None:
    """With nothing listening, the error names the address and hides the password."""
    pytest.importorskip("psycopg", reason="needs vpgen[postgres]")
    with pytest.raises(StoreError, match=r"server is running|refused") as caught:
        opened("postgresql://user:hunter2@127.0.0.1:1/vpgen")
    assert "hunter2" not in f"{caught.value}{caught.value.remedy}"
    assert caught.value.retryable


@pytest.mark.parametrize("address", ["", "sqlite://", "sqlite:///:memory:", "mysql://x/y", "http://x", "a\0b", "://"])
def test_a_nonsense_address_is_invalid_input(address: str, opened: Open) -> None:
    """Addresses that vpgen has no database for are refused with the forms it has."""
    with pytest.raises(InvalidInput):
        opened(address)


def test_a_missing_psycopg_names_its_extra() -> None:
    """Where psycopg is not installed, a PostgreSQL address says which extra brings it."""
    script = """
import sys
sys.modules["psycopg"] = None
from vpgen.errors import MissingDependency
from vpgen.store.database import open_database
try:
    open_database("postgresql://localhost/x")
except MissingDependency as error:
    print(error.remedy)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "pip install 'vpgen[postgres]'", said.stderr
    assert issubclass(MissingDependency, ImportError)
