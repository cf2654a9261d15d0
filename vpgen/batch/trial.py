"""A canary in a batch: which rows try the new champion, what came of them, and when it is taken back or confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from vpgen.batch import books
from vpgen.clip import Value
from vpgen.config import PipelineConfig
from vpgen.errors import Conflict, IllegalMove
from vpgen.projects import actor
from vpgen.results import KIND, Manifest
from vpgen.runtime import Runtime
from vpgen.stages import Score, Scores
from vpgen.store.records import load, read_record
from vpgen.store.schema import Clip
from vpgen.store.schema_lab import Batch, BatchRow, Experiment, Promotion

if TYPE_CHECKING:
    from vpgen.lab.canary import Canary, Outcome

Profile = Literal["preview", "final"]


class Weight(Value):
    """How one score counts in a clip's quality: its share, the values that mean 0 and 1, which way is better."""

    weight: float
    low: float | None
    high: float | None
    higher_is_better: bool | None


def canary_rows(canary: Canary, numbers: list[int], tried: int) -> frozenset[int]:
    """The rows that the new champion makes: the first N of all there ever were, or an even share. Deterministic."""
    if canary.clips is not None:
        return frozenset(numbers[: max(0, canary.clips - tried)])
    share = (canary.percent or 0.0) / 100
    return frozenset(
        number for place, number in enumerate(numbers) if int((place + 1) * share + 1e-9) > int(place * share + 1e-9)
    )


def tried_before(runtime: Runtime, promotion_id: int) -> int:
    """How many clips of every batch have tried it and have an outcome."""
    rows = (
        sa.select(sa.func.count()).select_from(BatchRow).join(Batch)
        .where(Batch.promotion_id == promotion_id, BatchRow.arm == "canary", BatchRow.state.in_(books.ENDED))
    )  # fmt: skip
    with runtime.database.read() as session:
        return session.scalar(rows) or 0


@dataclass
class Trial:
    """Watches the canary of a batch while it runs. `said` is what there is to say of it at the end."""

    runtime: Runtime
    profile: Profile
    batch_id: str
    promotion: Promotion
    canary: Canary
    over: bool = False
    said: str = ""
    _weights: dict[str, Weight] = field(default_factory=dict)
    _outcomes: dict[str, list[Outcome]] = field(default_factory=lambda: {"canary": [], "champion": []})

    @classmethod
    def of(cls, runtime: Runtime, batch: Batch) -> Trial | None:
        """The trial that a batch is part of; None when it has none, or it was confirmed or taken back meanwhile."""
        from vpgen.lab.canary import Canary

        if batch.promotion_id is None or batch.canary_config is None:
            return None
        with runtime.database.read() as session:
            promotion = session.get_one(Promotion, batch.promotion_id)
        data = dict(promotion.canary or {})
        confirmed = data.pop("confirmed", None)
        if not data:
            return None
        trial = cls(runtime, batch.profile, batch.id, promotion, Canary.model_validate(data))
        if confirmed:
            trial.over, trial.said = True, f"promotion {promotion.number} was confirmed before"
            return trial
        trial._weights = _weights(runtime, promotion)
        for row in _ended(runtime, promotion.id):
            trial.add(row)
        return trial

    def still(self) -> bool:
        """Whether the promotion still stands; somebody may have taken it back by hand."""
        with self.runtime.database.read() as session:
            newest = session.scalar(sa.select(sa.func.max(Promotion.number)).where(Promotion.profile == self.profile))
        return newest == self.promotion.number

    def add(self, row: BatchRow) -> None:
        """A row has its outcome. A row with a config of its own, or that was no request, says nothing about either."""
        if "resolved" not in row.request and row.started is not None:
            self._outcomes[row.arm].append(_outcome(self.runtime, row, self._weights))

    def look(self) -> str | None:
        """Take it back when a guard rail is broken; returns why, None while all is well."""
        from vpgen.lab.canary import breach

        if self.over or not self._outcomes["canary"]:
            return None
        why = breach(self.canary.limits, self._outcomes["canary"], self._outcomes["champion"])
        if why:
            self.taken_back(why)
        return why

    def taken_back(self, why: str) -> None:
        """The old champion serves again: by us, or by somebody who was faster."""
        from vpgen.lab import champions

        self.over, self.said = True, f"promotion {self.promotion.number} was taken back: {why}"
        try:
            champions.roll_back(
                self.runtime,
                self.profile,
                actor=f"{self.batch_id} for {actor()}",
                reason=why,
                action="canary-rollback",
                promotion=self.promotion,
            )
        except (Conflict, IllegalMove) as error:
            self.said += f" (somebody was faster: {error.message})"

    def held(self) -> None:
        """The batch is at its end: a canary that has seen enough clips is confirmed, unless too many of them failed.

        Two of two that failed may be an accident, as far as two can tell; that is no reason to trust it with the rest.
        """
        from vpgen.lab import champions

        tried = len(self._outcomes["canary"])
        if self.over:
            return
        enough = self.canary.clips if self.canary.clips is not None else self.canary.limits.min_clips
        if tried < enough:
            self.said = f"promotion {self.promotion.number} is still on trial: {tried} of at least {enough} clips"
            return
        failed = sum(not one.completed for one in self._outcomes["canary"])
        if failed > self.canary.limits.failures * tried:
            why = f"{failed} of its {tried} clips failed"
            on_trial = f"promotion {self.promotion.number} is still on trial: {why}"
            self.said = _undecided(self.promotion, why) if self.canary.clips is not None else on_trial
            return
        self.over = True
        try:
            champions.confirm(self.runtime, self.promotion)
            self.said = f"promotion {self.promotion.number} held over {tried} clips and is confirmed"
        except Conflict as error:
            self.said = error.message


def _undecided(promotion: Promotion, why: str) -> str:
    return (
        f"promotion {promotion.number} is not confirmed: {why}. The old champion goes on until somebody decides: "
        f"`vpgen champion confirm {promotion.profile}` or `vpgen rollback {promotion.profile}`"
    )


def _ended(runtime: Runtime, promotion_id: int) -> list[BatchRow]:
    """Rows of every batch of the trial that have an outcome, in the order in which they ended."""
    rows = (
        sa.select(BatchRow).join(Batch).where(Batch.promotion_id == promotion_id, BatchRow.state.in_(books.ENDED))
        .order_by(BatchRow.ended, BatchRow.id)
    )  # fmt: skip
    with runtime.database.read() as session:
        return list(session.scalars(rows))


def _outcome(runtime: Runtime, row: BatchRow, weights: dict[str, Weight]) -> Outcome:
    from vpgen.lab.canary import Outcome

    completed = row.state == "completed"
    usd: Decimal | None = Decimal(0)
    if row.clip_id:
        with runtime.database.read() as session:
            parent = session.scalar(sa.select(Clip.parent).where(Clip.id == row.clip_id))
        parts = books.costs(runtime.database, row.batch_id, [row.clip_id, *([parent] if parent else [])]).values()
        usd = None if None in parts else sum((part for part in parts if part is not None), Decimal(0))
    quality = _quality(runtime, row.clip_id, weights) if completed and row.clip_id else None
    return Outcome(completed, row.seconds, usd, quality)


def _weights(runtime: Runtime, promotion: Promotion) -> dict[str, Weight]:
    """The metrics that counted when it was promoted; empty (every score with a range counts alike) without evidence."""
    if promotion.experiment_id is None:
        return {}
    with runtime.database.read() as session:
        experiment = session.get(Experiment, promotion.experiment_id)
    metrics = experiment.definition.get("metrics", {}) if experiment else {}
    weights = {}
    for name, metric in metrics.items():
        if metric.get("weight"):
            low, high = metric.get("range") or (None, None)
            weights[name] = Weight(
                weight=metric["weight"], low=low, high=high, higher_is_better=metric.get("higher_is_better")
            )
    return weights


def _quality(runtime: Runtime, clip_id: str, weights: dict[str, Weight]) -> float | None:
    """The weighted mean of a clip's scores, each from 0 (worst of its range) to 1; None when none can be placed."""
    document = runtime.store.get_document(KIND, clip_id)
    record = read_record(runtime.store, Manifest.model_validate(document).scores) if document else None
    scores = load(runtime.store, record.result) if record else None
    if not isinstance(scores, Scores):
        return None
    total = weighed = 0.0
    for score in scores.scores:
        weight = weights.get(score.name) if weights else Weight(weight=1, low=None, high=None, higher_is_better=None)
        share = None if weight is None else _share(score, weight)
        if weight is not None and share is not None:
            total += weight.weight * share
            weighed += weight.weight
    return total / weighed if weighed else None


def _share(score: Score, weight: Weight) -> float | None:
    low, high = (weight.low, weight.high) if weight.low is not None else score.range or (None, None)
    if score.value is None or low is None or high is None:
        return None
    share = min(1.0, max(0.0, (score.value - low) / (high - low)))
    better = score.higher_is_better if weight.higher_is_better is None else weight.higher_is_better
    return share if better else 1.0 - share


def planned(
    runtime: Runtime, profile: Profile, numbers: list[int]
) -> tuple[PipelineConfig, PipelineConfig | None, int | None, frozenset[int], str]:
    """What a batch without a config of its own begins with: the champion's, and its canary's, with what to note."""
    from vpgen.lab import champions

    champion = champions.current(runtime, profile)
    promotion = champion.promotion
    if champion.canary is None or champion.previous is None or promotion is None:
        return champion.config, None, promotion.id if promotion else None, frozenset(), champion.note
    tried = tried_before(runtime, promotion.id)
    rows, note = canary_rows(champion.canary, numbers, tried), champion.note
    if champion.canary.clips is not None and tried >= champion.canary.clips:
        note = "; ".join(filter(None, (note, _undecided(promotion, f"its {tried} clips did not settle it"))))
    return champion.previous, champion.config, promotion.id, rows, note
