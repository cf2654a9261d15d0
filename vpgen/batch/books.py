"""The rows of a batch in the database: begun, taken, ended; and the summary of where it stands, made from them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from vpgen.batch.requests import Row, Table
from vpgen.clip import Value
from vpgen.config import PipelineConfig
from vpgen.errors import Conflict, InvalidInput, NotFound
from vpgen.money.spending import spending
from vpgen.store.database import Database
from vpgen.store.jobs import is_dead, is_gone, worker_name
from vpgen.store.schema import Charge, Clip, ClipKind, Job, now
from vpgen.store.schema_lab import Arm, Batch, BatchRow, RowState

ENDED: tuple[RowState, ...] = ("completed", "failed", "refused")
_INSERT_ROWS = 5_000


@dataclass(frozen=True)
class Plan:
    """What a batch begins with. `canary` is the promotion on trial: its new config, and the rows that try it."""

    id: str
    profile: ClipKind
    config: PipelineConfig
    canary_config: PipelineConfig | None = None
    promotion_id: int | None = None
    canary_rows: frozenset[int] = field(default_factory=frozenset)


class Summary(Value):
    """Where a batch stands. `usd` is what it has itself been charged; `left` are rows that have no outcome yet.

    `per_accepted`: everything, waste included, for each clip; None when there is none or a price is unknown. Seconds
    are of the rows that were completed, each from its start to its delivery. `stopped` says why it is not complete.
    """

    id: str
    source: str
    profile: ClipKind
    config: str
    state: str
    rows: int
    completed: int
    failed: int
    refused: int
    left: int
    usd: Decimal
    unknown_charges: int
    waste: Decimal
    per_accepted: Decimal | None
    seconds_p50: float | None
    seconds_p95: float | None
    reasons: dict[str, int]
    canary: str = ""
    stopped: str = ""
    stopped_by: str = ""
    next: str = ""
    notes: tuple[str, ...] = ()
    table: str = ""
    webhook: str = ""

    def __str__(self) -> str:
        said = f"{self.completed} of {self.rows} made"
        for count, what in ((self.failed, "failed"), (self.refused, "refused"), (self.left, "left")):
            said += f", {count} {what}" if count else ""
        return said


def newest(database: Database, prefix: str, *, complete: bool = False) -> Batch | None:
    """The newest batch whose id starts so and that has rows left to do, or (`complete`) has none."""
    query = sa.select(Batch).where(Batch.id.startswith(prefix, autoescape=True))
    if not complete:
        query = query.where(Batch.state != "completed")
    with database.read() as session:
        return session.scalar(query.order_by(Batch.created.desc()).limit(1))


def get(database: Database, batch_id: str) -> Batch:
    """One batch. Raises NotFound."""
    with database.read() as session:
        row = session.get(Batch, batch_id)
    if row is None:
        raise NotFound(f"there is no batch {batch_id!r}", remedy="See `vpgen batch --list`")
    return row


def recent(database: Database, limit: int = 20) -> list[Batch]:
    """The newest batches first."""
    with database.read() as session:
        return list(session.scalars(sa.select(Batch).order_by(Batch.created.desc(), Batch.id).limit(limit)))


def begin(database: Database, table: Table, plan: Plan) -> Batch:
    """The batch and all its rows, or the one that was begun before. Rows that are no request have failed.

    The id holds what decides pixels; of that one's config only the budgets may have changed, and these count anew.
    """
    with database.write() as session:
        row = session.get(Batch, plan.id)
        if row is None:
            row = Batch(
                id=plan.id,
                source=table.source,
                profile=plan.profile,
                config=plan.config.model_dump(mode="json"),
                canary_config=plan.canary_config.model_dump(mode="json") if plan.canary_config else None,
                promotion_id=plan.promotion_id,
            )
            session.add(row)
            session.flush()
            for start in range(0, len(table.rows), _INSERT_ROWS):
                part = table.rows[start : start + _INSERT_ROWS]
                session.execute(sa.insert(BatchRow), [_row(plan, one) for one in part])
        elif row.canary_config is None:
            row.config = plan.config.model_dump(mode="json")
        return row


def _row(plan: Plan, row: Row) -> dict[str, Any]:
    bad = row.error is not None
    return {
        "batch_id": plan.id,
        "number": row.number,
        "request": row.request,
        "arm": "canary" if row.number in plan.canary_rows and not bad else "champion",
        "state": "failed" if bad else "queued",
        "error": f"InvalidInput: {row.error}" if bad else None,
        "ended": now() if bad else None,
    }


def take(database: Database, batch_id: str, *, retry: bool) -> list[BatchRow]:
    """Make this process the one that works on a batch; returns the rows that have no outcome, in order.

    Rows that a killed process left behind are among them; with `retry`, those that failed too (not those refused, nor
    those that are no request). Call it with the batch's lock held, which no other process of this machine then has.
    Raises Conflict when a process of another machine is at work on it.
    """
    with database.write() as session:
        batch = session.get_one(Batch, batch_id)
        if batch.state == "running" and batch.worker and not is_gone(batch.worker) and batch.worker != worker_name():
            job = session.scalar(
                sa.select(Job).where(Job.worker == batch.worker, Job.type == "batch", Job.status == "processing")
            )
            if job is not None and not is_dead(job):
                raise Conflict(
                    f"{batch_id} is running on another machine ({batch.worker})",
                    remedy="Wait for it to end, or stop it there",
                    retryable=True,
                )
        again = BatchRow.state == "running"
        if retry:
            again |= (BatchRow.state == "failed") & BatchRow.started.is_not(None)
        session.execute(
            sa.update(BatchRow).where(BatchRow.batch_id == batch_id, again).values(state="queued", error=None)
        )
        waiting = sa.select(BatchRow).where(BatchRow.batch_id == batch_id, BatchRow.state == "queued")
        rows = list(session.scalars(waiting.order_by(BatchRow.number)))
        if rows:
            batch.state, batch.worker, batch.ended = "running", worker_name(), None
        return rows


def start(database: Database, row_id: int) -> None:
    """A row is being made."""
    _set(database, row_id, state="running", started=now(), ended=None, error=None)


def requeue(database: Database, row_id: int) -> None:
    """A row has no outcome after all: what stopped it was not its own fault."""
    _set(database, row_id, state="queued", ended=None, error=None)


def end(
    database: Database, row_id: int, state: RowState, *, clip_id: str | None, seconds: float, error: str | None = None
) -> BatchRow:
    """A row has its outcome; `clip_id` is the clip that was made, or begun if it was."""
    with database.write() as session:
        row = session.get_one(BatchRow, row_id)
        known = clip_id is not None and session.get(Clip, clip_id) is not None
        row.state, row.clip_id, row.seconds = state, clip_id if known else None, seconds
        row.error, row.ended = error, now()
        return row


def rearm(database: Database, batch_id: str, arm: Arm) -> None:
    """Rows that have no outcome yet are made by the other config."""
    with database.write() as session:
        rows = sa.update(BatchRow).where(BatchRow.batch_id == batch_id, BatchRow.state == "queued")
        session.execute(rows.values(arm=arm))


def close(database: Database, summary: Summary) -> None:
    """Write the summary down, with the state it names; a row that was under way waits again."""
    with database.write() as session:
        batch = session.get_one(Batch, summary.id)
        batch.state, batch.worker = summary.state, None  # type: ignore[assignment]  # "completed" or "stopped"
        batch.summary, batch.ended = summary.model_dump(mode="json"), now()
        running = sa.update(BatchRow).where(BatchRow.batch_id == summary.id, BatchRow.state == "running")
        session.execute(running.values(state="queued"))


def rows_of(database: Database, batch_id: str) -> list[BatchRow]:
    """Every row, in order."""
    query = sa.select(BatchRow).where(BatchRow.batch_id == batch_id).order_by(BatchRow.number)
    with database.read() as session:
        return list(session.scalars(query))


def summarise(database: Database, batch_id: str, **said: Any) -> Summary:
    """Where a batch stands, by its rows and the ledger; `said` is what only the run that ends knows."""
    batch, rows = get(database, batch_id), rows_of(database, batch_id)
    states = Counter(row.state for row in rows)
    left = len(rows) - sum(states[state] for state in ENDED)
    spent = spending(database, "experiment", experiment=batch_id).total
    seconds = [row.seconds for row in rows if row.state == "completed" and row.seconds is not None]
    reasons = Counter((row.error or "").partition(":")[0] for row in rows if row.state in {"failed", "refused"})
    completed = states["completed"]
    return Summary(
        id=batch_id,
        source=batch.source,
        profile=batch.profile,
        config=str(batch.config.get("name", "")),
        state="completed" if not left else "stopped",
        rows=len(rows),
        completed=completed,
        failed=states["failed"],
        refused=states["refused"],
        left=left,
        usd=spent.usd,
        unknown_charges=spent.unknown,
        waste=spent.waste,
        per_accepted=spent.usd / completed if completed and not spent.unknown else None,
        seconds_p50=_percentile(seconds, 0.50),
        seconds_p95=_percentile(seconds, 0.95),
        reasons=dict(sorted(reasons.items())),
        **said,
    )


def costs(database: Database, batch_id: str, clips: list[str] | None = None) -> dict[str, Decimal | None]:
    """What each clip (or each of `clips`) was charged for the batch, by clip; None when a price is unknown."""
    columns = sa.select(Charge.clip_id, sa.func.sum(Charge.usd), sa.func.count().filter(Charge.usd.is_(None)))
    columns = columns.where(Charge.experiment == batch_id)
    if clips is not None:
        columns = columns.where(Charge.clip_id.in_(clips))
    with database.read() as session:
        found = session.execute(columns.group_by(Charge.clip_id)).tuples()
        return {str(clip): None if unknown else usd or Decimal(0) for clip, usd, unknown in found}


def as_csv(database: Database, batch_id: str, files: Mapping[int, str]) -> str:
    """One line a row: what became of it, where its file is, what it took. `files` are addresses by row number."""
    rows = rows_of(database, batch_id)
    spent = costs(database, batch_id)
    with database.read() as session:
        ours = sa.select(Clip.id, Clip.parent).join(BatchRow, BatchRow.clip_id == Clip.id)
        parents = dict(session.execute(ours.where(BatchRow.batch_id == batch_id)).tuples().all())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "name", "state", "arm", "clip", "file", "seconds", "usd", "story", "error"])
    for row in rows:
        parts = [spent[clip] for clip in (row.clip_id, parents.get(row.clip_id or "")) if clip in spent]
        usd = "" if None in parts or not parts else f"{sum((part for part in parts if part is not None), Decimal(0)):f}"
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        request, file = row.request, files.get(row.number, "") if row.state == "completed" else ""
        writer.writerow(
            [
                row.number, request.get("name", ""), row.state, row.arm, row.clip_id or "", file, seconds, usd,
                request.get("story", ""), row.error or "",
            ]
        )  # fmt: skip
    return text.getvalue()


def find(database: Database, text: str) -> Batch:
    """A batch by its id or the start of it. Raises NotFound, InvalidInput."""
    query = sa.select(Batch).where(Batch.id.startswith(text, autoescape=True)).limit(2)
    with database.read() as session:
        found = list(session.scalars(query))
    if len(found) > 1:
        raise InvalidInput(f"{text!r} fits more than one batch", remedy="Give more of the id")
    return found[0] if found else get(database, text)


def _percentile(values: list[float], share: float) -> float | None:
    """By linear interpolation, as numpy does; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _set(database: Database, row_id: int, **values: Any) -> None:
    with database.write() as session:
        session.execute(sa.update(BatchRow).where(BatchRow.id == row_id).values(**values))
