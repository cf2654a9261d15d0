"""The row of each clip: begun, completed or failed, with the report that MLflow is owed in the same transaction."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vpgen.store.database import Database
from vpgen.store.jobs import is_gone, worker_name
from vpgen.store.schema import Clip, ClipKind, OutboxItem, now

REPORT = "mlflow"
"""The outbox kind of a clip's report to MLflow."""
REMOVED = "mlflow-removed"
"""The outbox kind of the news that a clip is not in the store any more."""
EXPERIMENT_REPORT = "mlflow-experiment"
"""The outbox kind of an experiment's."""
PAGE_REPORT = "mlflow-page"
"""The outbox kind of an executed notebook's."""


def begin(
    database: Database,
    clip_id: str,
    *,
    kind: ClipKind,
    parent: str | None,
    story: str,
    config_name: str,
    config_hash: str,
    seed: int,
) -> None:
    """A run of this clip starts (again). Raises StoreError."""
    with database.write() as session:
        row = session.get(Clip, clip_id)
        if row is None:
            row = Clip(id=clip_id, kind=kind, parent=parent, story=story, seed=seed, created=now())
            session.add(row)
        row.config_name, row.config_hash = config_name, config_hash
        row.state, row.error, row.worker = "running", None, worker_name()


def complete(database: Database, clip_id: str, seconds: float, *, track: bool) -> None:
    """The clip is finished and its manifest stored; `track` owes MLflow a run."""
    with database.write() as session:
        row = session.get_one(Clip, clip_id)
        row.state, row.manifest, row.error = "completed", clip_id, None
        if row.completed is None or track:
            row.completed, row.seconds = now(), seconds
        if track:
            owe(session, REPORT, clip_id=clip_id)


def fail(database: Database, clip_id: str, error: str, seconds: float) -> None:
    """The run ended without a clip."""
    with database.write() as session:
        row = session.get_one(Clip, clip_id)
        row.state, row.error, row.seconds, row.completed = "failed", error, seconds, now()
        owe(session, REPORT, clip_id=clip_id, error=error)


def standing(row: Clip) -> str:
    """The clip's state; "interrupted" when it is said to run and its process is gone (on this machine)."""
    return "interrupted" if row.state == "running" and row.worker and is_gone(row.worker) else row.state


def recent(database: Database, limit: int) -> list[Clip]:
    """The newest clips first."""
    with database.read() as session:
        return list(session.scalars(sa.select(Clip).order_by(Clip.created.desc(), Clip.id).limit(limit)))


def owe(session: Session, kind: str, **payload: Any) -> None:  # JSON
    """A report that somebody is owed, delivered later: in the transaction that makes it true."""
    session.add(OutboxItem(kind=kind, payload=payload))
