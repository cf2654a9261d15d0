"""The SQL tables: projects and their events, jobs, clips, charges, and what is still to be reported.

Times are aware and in UTC. Money is `Decimal` USD, kept as whole nano-dollars so that SQL sums are exact.
Rows read from a session are snapshots: they have no lazy relations and may be used after it is closed.
Changing a table: change it here, add a script under migrations/versions, set `database.HEAD` to its revision.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ProjectState = Literal["draft", "planning", "planned", "previewing", "completed"]
JobStatus = Literal["queued", "processing", "completed", "failed"]
ClipKind = Literal["preview", "final"]
ClipState = Literal["running", "completed", "failed", "rejected"]
Category = Literal["api", "compute", "storage", "network", "overhead"]
RemoteState = Literal["reserved", "submitting", "submitted", "unknown", "closed"]
Outcome = Literal["succeeded", "failed", "refused", "cancelled", "bad-output", "never", "lost"]

NANO = Decimal("1e-9")
"""The smallest amount of money kept, in USD."""


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class Time(TypeDecorator[datetime]):
    """An instant. Refuses naive datetimes; comes back in UTC from every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - its interface
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; use an aware datetime in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Usd(TypeDecorator[Decimal]):
    """An amount of money as an integer of 1e-9 USD, rounded half to even; SUM over it is exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"{value!r} is not an amount of money; use a finite Decimal, or None when it is unknown")
        return int((value / NANO).to_integral_value(ROUND_HALF_EVEN))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else int(value) * NANO


class Exact(TypeDecorator[Decimal]):
    """A Decimal of any scale, kept as its text: quantities and unit prices, which are never summed in SQL."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"{value!r} is not a finite Decimal")
        return str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class Base(DeclarativeBase):
    """Names every constraint, which migrations need, and maps Python types to columns."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Time(), Decimal: Usd(), str: Text(), dict[str, Any]: JSON()}  # noqa: RUF012 - SQLAlchemy's own


def one_of(column: str, *values: str) -> CheckConstraint:
    """A column that holds one of these words and nothing else."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Clip(Base):
    """One run of the pipeline. `parent` of a final is the preview it was approved from."""

    __tablename__ = "clip"
    __table_args__ = (
        one_of("kind", "preview", "final"),
        one_of("state", "running", "completed", "failed", "rejected"),
        Index(None, "created"),
    )

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[ClipKind] = mapped_column(String(16))
    parent: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    story: Mapped[str]
    config_name: Mapped[str]
    config_hash: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[ClipState] = mapped_column(String(16))
    error: Mapped[str | None]
    worker: Mapped[str | None]
    seconds: Mapped[float | None]
    manifest: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=now)
    completed: Mapped[datetime | None]


class Project(Base):
    """A story on its way to a clip; see `vpgen.projects` for its life. `version` counts its moves."""

    __tablename__ = "project"
    __table_args__ = (one_of("state", "draft", "planning", "planned", "previewing", "completed"),)

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(80), unique=True)
    story: Mapped[str]
    state: Mapped[ProjectState] = mapped_column(String(16), default="draft")
    config: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger, default=0)
    prompt: Mapped[dict[str, Any] | None]
    preview_clip: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    final_clip: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    approved: Mapped[datetime | None]
    # The job at work on it. No foreign key: job already refers to project, and SQLite cannot add one to a circle.
    job_id: Mapped[int | None]
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now)
    version: Mapped[int] = mapped_column(default=1)


class ProjectEvent(Base):
    """One move of a project: when, by whom, from where to where, why."""

    __tablename__ = "project_event"
    __table_args__ = (Index(None, "project_id", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str]
    move: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    note: Mapped[str | None]
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))


class Job(Base):
    """Work that some process does: a plan, a preview, a final, a batch. `worker` is host:pid:start time."""

    __tablename__ = "job"
    __table_args__ = (one_of("status", "queued", "processing", "completed", "failed"), Index(None, "status"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    type: Mapped[str] = mapped_column(String(32))
    status: Mapped[JobStatus] = mapped_column(String(16), default="queued")
    worker: Mapped[str | None]
    queued_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    error: Mapped[str | None]
    retry_count: Mapped[int] = mapped_column(default=0)


class RemoteJob(Base):
    """A paid call to a provider, written down before it is made: the journal.

    reserved → submitting → submitted | unknown → closed. `handle` is what is needed to find the job again. `outcome`
    "never": it did not happen; "lost": it happened, was paid for, and its result cannot be had. One open row a step.
    """

    __tablename__ = "remote_job"
    __table_args__ = (
        one_of("state", "reserved", "submitting", "submitted", "unknown", "closed"),
        one_of("outcome", "succeeded", "failed", "refused", "cancelled", "bad-output", "never", "lost"),
        Index(None, "provider", "model", "created"),
        Index(
            "uq_remote_job_open",
            "step_key",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    step_key: Mapped[str]
    stage: Mapped[str] = mapped_column(String(32))
    provider: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(128))
    state: Mapped[RemoteState] = mapped_column(String(16), default="reserved")
    outcome: Mapped[Outcome | None] = mapped_column(String(16))
    handle: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    worker: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    submitted: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class Charge(Base):
    """What one SKU of one step cost. `usd` and `estimate_usd` None are unknown, which is not zero."""

    __tablename__ = "charge"
    __table_args__ = (
        one_of("category", "api", "compute", "storage", "network", "overhead"),
        Index(None, "clip_id"),
        Index(None, "at"),
        Index(None, "experiment"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    remote_id: Mapped[int | None] = mapped_column(ForeignKey("remote_job.id"))
    experiment: Mapped[str | None] = mapped_column(String(80))
    step_key: Mapped[str]
    stage: Mapped[str] = mapped_column(String(32))
    backend: Mapped[str]
    category: Mapped[Category] = mapped_column(String(16))
    sku: Mapped[str]
    quantity: Mapped[Decimal | None] = mapped_column(Exact())
    unit_usd: Mapped[Decimal | None] = mapped_column(Exact())
    usd: Mapped[Decimal | None]
    estimate_usd: Mapped[Decimal | None]
    waste: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now)


class OutboxItem(Base):
    """A report (to MLflow, say) that could not be delivered yet and is tried again from `next_try` on."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "kind", "next_try"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime] = mapped_column(default=now)
    error: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=now)
