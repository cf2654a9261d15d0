"""The journal of paid calls: what a run writes down between asking a provider and having the result in the store.

`money.ledger` opens a row with its reservation and closes it with its settlement; here is what happens between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
import stamina

from vpgen.errors import NotFound, StoreError
from vpgen.store.database import Database
from vpgen.store.schema import Charge, Outcome, RemoteJob, RemoteState, now

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds a paid call waits for a database that is away or locked, rather than lose what it knows."""


@dataclass
class PaidCall:
    """One row of the journal in the hands of the run that works on it.

    `handle` is there when the provider has accepted the job, `doubtful` when it may have been asked and nobody saw
    the answer. `outcome` is set when it ended without a result; None leaves the row open, to be taken up
    again. `inline` says that the result came with the answer, and is gone when it is not kept.
    """

    database: Database
    id: int
    created: datetime
    handle: dict[str, Any] | None
    doubtful: bool
    outcome: Outcome | None = None
    inline: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether a job may be running at the provider: nothing that was never sent does."""
        return not self.outcome and (self.handle is not None or self.doubtful)

    async def unsent(self) -> None:
        """It is proven that the request did not arrive: there is nothing in doubt until it is sent again."""
        self.doubtful = False
        await patiently(lambda: _set(self.database, self.id, "reserved", error=None))

    async def submitting(self) -> None:
        """The request is about to be sent (again)."""
        self.doubtful = True
        await patiently(lambda: _set(self.database, self.id, "submitting", handle=None))

    async def submitted(self, handle: dict[str, Any]) -> None:
        """The provider accepted it; with the handle it can be found again by anybody."""
        self.handle = handle
        await patiently(lambda: _set(self.database, self.id, "submitted", handle=handle, submitted=now(), error=None))

    async def unknown(self, why: str) -> None:
        """Nobody can say whether the provider accepted it."""
        await patiently(lambda: _set(self.database, self.id, "unknown", error=why))


async def patiently(call: Callable[[], T]) -> T:
    """Do it in a thread; while the database is away or locked, wait and try again. Raises its StoreError at last."""
    try:
        return await asyncio.to_thread(call)
    except StoreError as error:
        if not error.retryable:
            raise
    async for attempt in stamina.retry_context(
        on=lambda error: isinstance(error, StoreError) and error.retryable,
        attempts=None,
        timeout=PATIENCE,
        wait_initial=0.2,
        wait_max=3.0,
    ):
        with attempt:
            return await asyncio.to_thread(call)
    raise AssertionError("unreachable")  # pragma: no cover


def entry(database: Database, remote_id: int) -> RemoteJob:
    """One row. Raises NotFound."""
    with database.read() as session:
        row = session.get(RemoteJob, remote_id)
    if row is None:
        raise NotFound(f"the journal has no entry {remote_id}", remedy="See `vpgen journal`")
    return row


def entries(
    database: Database, *, clip_id: str | None = None, every: bool = False, limit: int = 200
) -> list[RemoteJob]:
    """Open calls, newest first; with `every` the closed ones too."""
    query = sa.select(RemoteJob).order_by(RemoteJob.id.desc()).limit(limit)
    if not every:
        query = query.where(RemoteJob.state != "closed")
    if clip_id:
        query = query.where(RemoteJob.clip_id == clip_id)
    with database.read() as session:
        return list(session.scalars(query))


def charges(database: Database, remote_id: int) -> dict[str, int]:
    """The reservation of a call: charge rows by SKU."""
    with database.read() as session:
        return dict(
            session.execute(sa.select(Charge.sku, Charge.id).where(Charge.remote_id == remote_id)).tuples().all()
        )


def known_handles(database: Database, provider: str, model: str, hours: float = 24) -> tuple[list[dict[str, Any]], int]:
    """Handles of every call of a model that the provider accepted lately, and how many calls are in doubt."""
    since = now() - timedelta(hours=hours)
    query = sa.select(RemoteJob).where(
        RemoteJob.provider == provider, RemoteJob.model == model, RemoteJob.created >= since
    )
    with database.read() as session:
        rows = list(session.scalars(query))
    return (
        [row.handle for row in rows if row.handle],
        sum(row.handle is None and row.state in {"submitting", "unknown"} for row in rows),
    )


def lost(database: Database, provider: str, model: str, hours: float = 24) -> int:
    """How many calls of a model were found to have happened although their result cannot be had."""
    query = sa.select(sa.func.count()).where(
        RemoteJob.provider == provider,
        RemoteJob.model == model,
        RemoteJob.outcome == "lost",
        RemoteJob.handle.is_(None),
        RemoteJob.created >= now() - timedelta(hours=hours),
    )
    with database.read() as session:
        return session.scalar(query) or 0


def _set(database: Database, remote_id: int, state: RemoteState, **values: Any) -> None:
    with database.write() as session:
        row = session.get_one(RemoteJob, remote_id)
        row.state = state
        for name, value in values.items():
            setattr(row, name, value)
