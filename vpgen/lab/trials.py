"""One trial: a variant makes a clip of a pair, and what came of it goes into its row at once, failures too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vpgen import results, studio
from vpgen.clip import Video
from vpgen.config import PipelineConfig
from vpgen.errors import Conflict, OverBudget, Refused, StoreError, VpgenError
from vpgen.events import Listener
from vpgen.lab.definition import Experiment
from vpgen.lab.design import Pair
from vpgen.money.ledger import Purse
from vpgen.runtime import Runtime
from vpgen.stages import Score
from vpgen.store.records import StepRecord, load, read_record
from vpgen.store.schema import Charge, now
from vpgen.store.schema import Clip as ClipRow
from vpgen.store.schema_lab import Trial, TrialState

OURS = (StoreError, Conflict)
"""Errors that say nothing about a variant: they end the run, and the trial is made again by the next."""


@dataclass(frozen=True)
class Scale:
    """Which way a metric is better, and the values between which it lies (None: open)."""

    higher_is_better: bool
    low: float | None = None
    high: float | None = None


BUILT_IN: Mapping[str, Scale] = {
    "accepted": Scale(higher_is_better=True, low=0.0, high=1.0),
    "seconds": Scale(higher_is_better=False, low=0.0),
    "usd": Scale(higher_is_better=False, low=0.0),
}


def known(runtime: Runtime, experiment_id: str) -> dict[tuple[int, str], Trial]:
    """The trials that have an outcome, by pair and variant."""
    wanted = sa.select(Trial).where(Trial.experiment_id == experiment_id, Trial.state != "running")
    with runtime.database.read() as session:
        return {(row.pair, row.variant): row for row in session.scalars(wanted)}


def forget_failed(runtime: Runtime, experiment_id: str) -> int:
    """Take away trials that did not complete, so that they are made again; returns how many."""
    lost = sa.delete(Trial).where(Trial.experiment_id == experiment_id, Trial.state.notin_(["completed", "running"]))
    with runtime.database.write() as session:
        return session.connection().execute(lost).rowcount


async def run_trial(
    runtime: Runtime, experiment: Experiment, pair: Pair, variant: str, purse: Purse, tell: Listener
) -> TrialState:
    """Make the clip (or find it made), measure it, keep the outcome.

    A refusal, a failure and a time-out are outcomes. Raises OverBudget when the experiment's or the day's budget is
    used up, StoreError and Conflict when this installation is at fault, and passes cancellation on.
    """
    _begin(runtime, experiment.id, pair, variant)
    config = experiment.variants[variant]
    try:
        async with asyncio.timeout(experiment.timeout):
            clip = await _clip(runtime, experiment.kind, pair, config, purse, tell)
            truth = await _truth(runtime, experiment, pair, purse, tell)
        values = await runtime.in_thread(_measured, runtime, experiment, clip, truth)
    except TimeoutError:
        return _end(runtime, experiment, pair, variant, "timeout", error=f"not done within {experiment.timeout:g} s")
    except VpgenError as error:
        if isinstance(error, OURS) or (isinstance(error, OverBudget) and error.purse != "clip"):
            raise
        state: TrialState = "refused" if isinstance(error, Refused) else "failed"
        return _end(runtime, experiment, pair, variant, state, error=f"{type(error).__name__}: {error}")
    return _end(runtime, experiment, pair, variant, "completed", clip_id=clip.id, values=values)


async def _clip(
    runtime: Runtime, kind: str, pair: Pair, config: PipelineConfig, purse: Purse, tell: Listener
) -> results.Clip:
    make = studio.preview if kind == "preview" else studio.make
    return await make(
        pair.case.story,
        config=config,
        seed=pair.seed,
        character=pair.case.character,
        background=pair.case.background,
        out=runtime.scratch,
        purse=purse,
        runtime=runtime,
        tell=tell,
    )


async def _truth(runtime: Runtime, experiment: Experiment, pair: Pair, purse: Purse, tell: Listener) -> Video | None:
    if experiment.reference is None:
        return None
    clip = await _clip(runtime, "preview", pair, experiment.reference, purse, tell)
    return _video(runtime, clip)


def _measured(runtime: Runtime, experiment: Experiment, clip: results.Clip, truth: Video | None) -> dict[str, Any]:
    """Numbers and scales, as the trial's row keeps them."""
    scores = list(clip.scores.scores)
    if truth is not None:
        from vpgen.quality.truth import against

        with runtime.folder(f"truth-{clip.id}") as folder:
            scores += against(_video(runtime, clip), truth, folder, vmaf="vmaf" in experiment.metrics)
    numbers = {score.name: score.value for score in scores if score.value is not None}
    numbers |= {"accepted": 1.0, **_spent(runtime, clip)}
    return {
        "numbers": numbers,
        "scales": {score.name: _scale(score) for score in scores if score.value is not None},
        "skipped": {score.name: score.skipped for score in scores if score.value is None},
    }


def _scale(score: Score) -> list[float | bool | None]:
    return [score.higher_is_better, *(score.range or (None, None))]


def _video(runtime: Runtime, clip: results.Clip) -> Video:
    record = read_record(runtime.store, clip.manifest.video)
    video = load(runtime.store, record.result) if record else None
    if not isinstance(video, Video):
        raise StoreError(f"the file of {clip.id} is gone from the store", remedy=f"vpgen resume {clip.id}")
    return video


GATES = ("plan", "moderate")
"""Stages that everything after them waits for, though no key says so."""


def _spent(runtime: Runtime, clip: results.Clip) -> dict[str, float]:
    """Seconds and USD of a clip as if it had been made alone, whoever made its stages first.

    `seconds` is the longest chain of stages that wait for each other. `usd` leaves out what was wasted on the way,
    which the summary counts; it is missing where a price is not known.
    """
    numbers: dict[str, float] = {}
    finished: dict[str, float] = {}
    charges: list[tuple[str, Decimal | None]] = []
    for entry in clip.manifest.trail:
        record = read_record(runtime.store, entry.key)
        took = record.seconds if record else 0.0
        numbers[f"seconds.{entry.stage}"] = numbers.get(f"seconds.{entry.stage}", 0.0) + took
        waited = max((finished.get(key, 0.0) for key in entry.inputs.values()), default=0.0)
        finished[entry.key] = waited + (0.0 if entry.stage in GATES else took)
        if record:
            charges += _charges(runtime, record)
    if clip.manifest.kind == "final":
        sent = Decimal(_video(runtime, clip).path.stat().st_size) / 10**9
        charges.append(("network", runtime.prices.price("egress_gb").usd * sent))
    gates = sum(numbers.get(f"seconds.{stage}", 0.0) for stage in GATES)
    numbers["seconds"] = gates + max(finished.values(), default=0.0)
    for category, part in charges:
        if part is not None:
            numbers[f"usd.{category}"] = numbers.get(f"usd.{category}", 0.0) + float(part)
    if all(part is not None for _, part in charges):
        numbers["usd"] = float(sum((part for _, part in charges if part is not None), Decimal(0)))
    return numbers


def _charges(runtime: Runtime, record: StepRecord) -> Iterator[tuple[str, Decimal | None]]:
    """Category and USD of what a stage used; what a provider billed beats the price book, None is unknown."""
    for sku in {**record.usage, **record.billed}:
        price = runtime.prices.prices.get(sku)
        usd = record.billed.get(sku)
        if usd is None and price is not None:
            usd = price.usd * record.usage[sku]
        yield (price.category if price else "api"), usd


def _begin(runtime: Runtime, experiment_id: str, pair: Pair, variant: str) -> None:
    with runtime.database.write() as session:
        row = session.scalar(_row(experiment_id, pair, variant))
        if row is None:
            row = Trial(
                experiment_id=experiment_id, pair=pair.number, variant=variant, case=pair.case.name, seed=pair.seed
            )
            session.add(row)
        row.state, row.error, row.started, row.ended = "running", None, now(), None


def _end(
    runtime: Runtime,
    experiment: Experiment,
    pair: Pair,
    variant: str,
    state: TrialState,
    *,
    clip_id: str | None = None,
    values: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> TrialState:
    with runtime.database.write() as session:
        row = session.scalars(_row(experiment.id, pair, variant)).one()
        row.state, row.clip_id, row.error, row.ended = state, clip_id, error, now()
        row.values = dict(values or _nothing_made(session, experiment, pair, variant, row))
    return state


def _nothing_made(session: Session, experiment: Experiment, pair: Pair, variant: str, row: Trial) -> Mapping[str, Any]:
    """What is known of a trial without a clip: what its attempts have cost, and the clip that was begun."""
    config = experiment.variants[variant]
    begun = list(
        session.scalars(
            sa.select(ClipRow)
            .where(
                ClipRow.story == pair.case.story,
                ClipRow.seed == pair.seed,
                ClipRow.config_hash.in_([config.fingerprint("preview"), config.fingerprint("final")]),
            )
            .order_by(ClipRow.created)
        )
    )
    row.clip_id = next((clip.id for clip in reversed(begun) if clip.state == "failed"), None)
    charges = list(session.scalars(sa.select(Charge).where(Charge.clip_id.in_([clip.id for clip in begun]))))
    # What is still reserved counts as its estimate: the job goes on at the provider.
    usd = [c.usd if c.usd is not None or c.quantity is not None else c.estimate_usd for c in charges]
    numbers = {"accepted": 0.0}
    if None not in usd:
        numbers["usd"] = float(sum((part for part in usd if part is not None), Decimal(0)))
    return {"numbers": numbers, "scales": {}, "skipped": {}}


def _row(experiment_id: str, pair: Pair, variant: str) -> sa.Select[tuple[Trial]]:
    return sa.select(Trial).where(
        Trial.experiment_id == experiment_id, Trial.pair == pair.number, Trial.variant == variant
    )
