"""Opening the SQL database: SQLite (WAL) by default, PostgreSQL by URL; brought to the newest schema when opened.

`Database.read()` and `Database.write()` give sessions. Write transactions run one at a time (BEGIN
IMMEDIATE on SQLite, an advisory lock on PostgreSQL), so what is read in one still holds when it commits.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from vpgen.errors import Corrupted, InvalidInput, MissingDependency, StoreError
from vpgen.store import schema_lab  # noqa: F401  # its tables are part of the schema
from vpgen.store.schema import Base

HEAD = "0003"
"""The newest revision under migrations/versions; a test holds the two together."""
BUSY_SECONDS = 10.0
"""How long a transaction waits for another process's before it gives up."""
_WRITE_LOCK = 0x76_70_67_65_6E
"""PostgreSQL's advisory lock for writers: "vpgen" in ASCII."""
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


class Database:
    """An open database. A failure inside a session is raised as a StoreError that says what to do."""

    def __init__(self, url: sa.URL, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self.address = url.render_as_string(hide_password=True)
        self.dialect = url.get_backend_name()
        self.busy_seconds = busy_seconds
        engine = _engine(url, busy_seconds)
        snapshot = {} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshot)
        self._writer = engine.execution_options(vpgen_write=True)
        # SQLite makes writers wait by sleeping; those of one process wait here, and are woken when it is their turn.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.dialect == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for looking: one consistent state, nobody is kept waiting, changes are thrown away."""
        with _translated(self), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises; one writer at a time."""
        with (
            self._turn,
            _translated(self),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def revision(self) -> str | None:
        """The schema's revision; None for an empty database."""
        with _translated(self), self._reader.connect() as connection:
            return _revision(connection)

    def close(self) -> None:
        """Close every pooled connection."""
        self._reader.dispose()


def open_database(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Open a database, creating it or upgrading it to the newest schema when needed.

    `url`: sqlite:///path, a plain path, or postgresql://user:password@host/name. Safe to call from many
    processes at once. Raises InvalidInput, MissingDependency, StoreError (unreachable, locked, read-only,
    written by a newer vpgen), Corrupted (not a database).
    """
    parsed = _parse(url)
    database = Database(parsed, busy_seconds=busy_seconds)
    try:
        if database.revision() != HEAD:
            upgrade(database)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(database: Database) -> None:
    """Bring the schema to HEAD in one transaction: a new database in one go, an older one by its migrations."""
    # Foreign keys are off here: SQLite alters a table by copying and dropping it, which would cascade.
    engine = _engine(database.url, database.busy_seconds, foreign_keys=False, poolclass=sa.NullPool)
    with _translated(database):
        _use_wal(engine, database.busy_seconds)
        with engine.execution_options(vpgen_write=True).begin() as connection:
            revision = _revision(connection)
            if revision == HEAD:
                return  # another process was faster
            if revision is None and not sa.inspect(connection).get_table_names():
                Base.metadata.create_all(connection)
                connection.exec_driver_sql(
                    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
                )
                connection.execute(_VERSION.insert().values(version_num=HEAD))
            else:
                from vpgen.store import migrations  # alembic takes half a second to import

                migrations.upgrade(connection, HEAD)
            _check_foreign_keys(connection)


def _parse(url: str) -> sa.URL:
    text = url.strip()
    if "://" not in text:
        if not text or "\0" in text:
            raise InvalidInput("the database's address is empty or holds a NUL character")
        text = f"sqlite:///{Path(text).expanduser().absolute()}"
    try:
        parsed = sa.make_url(text)
    except ArgumentError as exc:
        raise InvalidInput(
            "the database's address is not a URL", remedy="use sqlite:///path or postgresql://…"
        ) from exc
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite")
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidInput(
        f"{parsed.render_as_string(hide_password=True)} is not a database vpgen can use",
        remedy="use a file, sqlite:///path, or postgresql://user:password@host/name",
    )


def _engine(url: sa.URL, busy_seconds: float, *, foreign_keys: bool = True, **options: Any) -> sa.Engine:
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite:
        try:
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                f"cannot create the folder of the database {url.database}: {exc.strerror}",
                remedy="point the database somewhere else",
            ) from exc
        arguments: dict[str, Any] = {"timeout": busy_seconds, "isolation_level": None}
    else:
        arguments = {"connect_timeout": max(2, round(busy_seconds))}
    try:
        engine = sa.create_engine(url, connect_args=arguments, pool_pre_ping=not sqlite, **options)
    except ImportError as exc:  # psycopg is not there, or has no libpq
        raise MissingDependency(
            f"a PostgreSQL database needs psycopg: {exc}", remedy="pip install 'vpgen[postgres]'"
        ) from exc

    @sa.event.listens_for(engine, "connect")
    def prepare(raw: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's interface
        if sqlite:
            raw.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
            raw.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("vpgen_write", False)
        if sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
        elif writing:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(busy_seconds * 1000)}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")

    return engine


def _use_wal(engine: sa.Engine, busy_seconds: float) -> None:
    """Switch a SQLite file to write-ahead logging, in which readers and a writer don't block each other.

    SQLite does not wait for other processes in this one statement, so the waiting is done here.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + busy_seconds
    raw = sqlite3.connect(str(engine.url.database), timeout=busy_seconds)
    try:
        while True:
            try:
                raw.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as exc:
                if "locked" not in str(exc) or time.monotonic() > deadline:
                    raise DBAPIError.instance("PRAGMA journal_mode = WAL", (), exc, sqlite3.Error) from exc
                time.sleep(0.02)
    finally:
        raw.close()


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.scalar(sa.select(_VERSION.c.version_num))


def _check_foreign_keys(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise Corrupted("a migration left rows that refer to nothing; it was undone", remedy="report this")


@contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except DBAPIError as exc:
        raise _trouble(exc, database) from exc
    except PoolTimeoutError as exc:
        raise StoreError(
            f"the database {database.address}: no connection became free, too many threads use it at once",
            remedy="run fewer clips at once, then run the same command again",
            retryable=True,
        ) from exc


def _trouble(exc: DBAPIError, database: Database) -> StoreError:
    """The StoreError for what SQLite or PostgreSQL reported, with its remedy."""
    text = str(exc.orig).strip()
    low = text.lower()
    state = getattr(exc.orig, "sqlstate", None)
    error, retryable = StoreError, False
    if "locked" in low or state == "55P03":
        what = f"another process has held it for {database.busy_seconds:g} s"
        remedy = "wait for the other vpgen command to end, or stop it, then run this one again"
        retryable = True
    elif "not a database" in low or "malformed" in low:
        error, what, remedy = Corrupted, f"it is damaged or not a database ({text})", "move it away or restore a backup"
    elif "readonly" in low or "read-only" in low:
        what, remedy = "it is read-only", "give this user the right to write the file and its folder"
    elif "disk is full" in low or state == "53100":
        what, remedy = "no space is left on its disk", "free some space; nothing was half-written"
    elif "unable to open" in low:
        what, remedy = text, "check that the folder exists and that this user may write to it"
    elif "connection" in low or exc.connection_invalidated:
        what, remedy, retryable = text, "check the address and that the server is running", True
    else:
        what, remedy = text, "see the cause; nothing was changed"
    return error(f"the database {database.address}: {what}", remedy=remedy, retryable=retryable)
