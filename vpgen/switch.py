"""The switch of production: while it is off, flows and batches begin no new clip.

What runs ends; people's own commands (`vpgen make`) are not production and go on.
"""

from __future__ import annotations

from datetime import datetime

from vpgen.clip import Value
from vpgen.errors import Paused
from vpgen.projects import actor as user
from vpgen.store.database import Database
from vpgen.store.schema import now
from vpgen.store.schema_lab import Switch

NAME = "production"


class Position(Value):
    """Where the switch stands, and who put it there; `at` None when nobody ever did."""

    paused: bool = False
    actor: str = ""
    reason: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        if self.at is None:
            return "on"
        since = f"since {self.at:%Y-%m-%d %H:%M} UTC by {self.actor}"
        return f"{'paused' if self.paused else 'on'}, {since}{f': {self.reason}' if self.reason else ''}"


def position(database: Database) -> Position:
    """Whether production is paused."""
    with database.read() as session:
        row = session.get(Switch, NAME)
    return Position() if row is None else Position(paused=row.paused, actor=row.actor, reason=row.reason, at=row.at)


def pause(database: Database, reason: str = "", *, actor: str | None = None) -> Position:
    """No new production work from now on; who paused it first, and why, stays on record until it goes on."""
    return _throw(database, paused=True, reason=reason, actor=actor)


def resume(database: Database, reason: str = "", *, actor: str | None = None) -> Position:
    """Production goes on."""
    return _throw(database, paused=False, reason=reason, actor=actor)


def check(database: Database) -> None:
    """Pass when new production work may begin. Raises Paused with who stopped it and why."""
    found = position(database)
    if found.paused:
        raise Paused(
            f"production is {found}",
            remedy="What was made is kept. Switch it on with `vpgen resume`, then run the same again",
        )


def _throw(database: Database, *, paused: bool, reason: str, actor: str | None) -> Position:
    with database.write() as session:
        row = session.get(Switch, NAME)
        if row is None:
            row = Switch(name=NAME, paused=not paused, actor="", reason="")
            session.add(row)
        if row.paused != paused:
            row.paused, row.actor, row.reason, row.at = paused, actor or user(), reason.strip(), now()
    return position(database)
