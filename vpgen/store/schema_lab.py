"""The SQL tables of the lab and of production: experiments and their trials, votes, promotions, batches, the switch.

Kept beside `vpgen.store.schema`, whose rules on times, money and migrations hold here too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vpgen.store.schema import Base, ClipKind, now, one_of

ExperimentState = Literal["running", "decided", "stopped"]
TrialState = Literal["running", "completed", "failed", "refused", "timeout"]
Choice = Literal["left", "right", "tie", "both-bad"]
PromotionAction = Literal["promote", "rollback", "canary-rollback"]
BatchState = Literal["running", "completed", "stopped"]
RowState = Literal["queued", "running", "completed", "failed", "refused"]
Arm = Literal["champion", "canary"]


class Experiment(Base):
    """A question put to variants. `id` is the name and a hash of what decides its outcome; `definition` is resolved.

    `verdict` is what it came to, once `decided`; `stopped` means out of budget or patience before that.
    """

    __tablename__ = "experiment"
    __table_args__ = (one_of("state", "running", "decided", "stopped"), Index(None, "name", "created"))

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    definition: Mapped[dict[str, Any]]
    state: Mapped[ExperimentState] = mapped_column(String(16), default="running")
    verdict: Mapped[dict[str, Any] | None]
    worker: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class Trial(Base):
    """One variant on one case with one seed: what came of it. `pair` is its place in the order of the experiment.

    `values` holds every metric that was measured; seconds and USD count every stage, whoever made it first.
    """

    __tablename__ = "trial"
    __table_args__ = (
        one_of("state", "running", "completed", "failed", "refused", "timeout"),
        UniqueConstraint("experiment_id", "pair", "variant"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    pair: Mapped[int]
    variant: Mapped[str] = mapped_column(String(64))
    case: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[TrialState] = mapped_column(String(16), default="running")
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    values: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None]
    started: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class Vote(Base):
    """What one person said of two clips of one pair, shown side by side without names."""

    __tablename__ = "vote"
    __table_args__ = (
        one_of("choice", "left", "right", "tie", "both-bad"),
        # One say a person on two variants of a pair; the two are kept in the order of their names' alphabet.
        UniqueConstraint("experiment_id", "pair", "first", "second", "rater"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"))
    pair: Mapped[int]
    first: Mapped[str] = mapped_column(String(64))
    second: Mapped[str] = mapped_column(String(64))
    left: Mapped[str] = mapped_column(String(64))
    rater: Mapped[str] = mapped_column(String(64))
    choice: Mapped[Choice] = mapped_column(String(16))
    seconds: Mapped[float | None]
    at: Mapped[datetime] = mapped_column(default=now)


class Promotion(Base):
    """A config becomes the champion of a profile: which, on what evidence, by whom and why.

    `number` counts up within a profile: of two promotions at once, one finds its number taken. `registry_version` is
    the version in MLflow's registry, None until MLflow has it.
    """

    __tablename__ = "promotion"
    __table_args__ = (
        one_of("profile", "preview", "final"),
        one_of("action", "promote", "rollback", "canary-rollback"),
        UniqueConstraint("profile", "number"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    profile: Mapped[ClipKind] = mapped_column(String(16))
    number: Mapped[int]
    action: Mapped[PromotionAction] = mapped_column(String(16), default="promote")
    config: Mapped[dict[str, Any]]
    experiment_id: Mapped[str | None] = mapped_column(ForeignKey("experiment.id"))
    variant: Mapped[str | None] = mapped_column(String(64))
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    canary: Mapped[dict[str, Any] | None]
    actor: Mapped[str]
    reason: Mapped[str]
    override: Mapped[str | None]
    vpgen_version: Mapped[str] = mapped_column(String(32))
    registry_version: Mapped[str | None] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(default=now)


class Batch(Base):
    """A table of requests on its way to clips. `config` is what it began with, and goes on with after a stop."""

    __tablename__ = "batch"
    __table_args__ = (one_of("profile", "preview", "final"), one_of("state", "running", "completed", "stopped"))

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    source: Mapped[str]
    profile: Mapped[ClipKind] = mapped_column(String(16))
    config: Mapped[dict[str, Any]]
    canary_config: Mapped[dict[str, Any] | None]
    promotion_id: Mapped[int | None] = mapped_column(ForeignKey("promotion.id"))
    state: Mapped[BatchState] = mapped_column(String(16), default="running")
    summary: Mapped[dict[str, Any] | None]
    worker: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class BatchRow(Base):
    """One request of a batch and what became of it. `arm` says whether the champion or the canary makes it."""

    __tablename__ = "batch_row"
    __table_args__ = (
        one_of("arm", "champion", "canary"),
        one_of("state", "queued", "running", "completed", "failed", "refused"),
        UniqueConstraint("batch_id", "number"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batch.id", ondelete="CASCADE"))
    number: Mapped[int]
    request: Mapped[dict[str, Any]]
    arm: Mapped[Arm] = mapped_column(String(16), default="champion")
    state: Mapped[RowState] = mapped_column(String(16), default="queued")
    clip_id: Mapped[str | None] = mapped_column(ForeignKey("clip.id"))
    error: Mapped[str | None]
    seconds: Mapped[float | None]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class Switch(Base):
    """Whether new production work may start; the row `production` is there once it was ever thrown."""

    __tablename__ = "switch"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    paused: Mapped[bool]
    actor: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
