"""Running an experiment: pair after pair in its order, until the question is settled or the budget is used up.

Every outcome is in its row before the next begins, so that a run that was killed goes on where it was. Pairs are
judged in their order, whichever is done first, and a challenger that is decided gets no more of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from vpgen.errors import Conflict, InvalidInput, OverBudget
from vpgen.events import Event, Listener, silent
from vpgen.lab import design, result, trials
from vpgen.lab.definition import Experiment
from vpgen.lab.design import Pair
from vpgen.lab.result import Result
from vpgen.lab.verdict import EndedBy, Verdict
from vpgen.money.ledger import Purse
from vpgen.runtime import Runtime
from vpgen.store import schema_lab as tables
from vpgen.store.clips import EXPERIMENT_REPORT, owe
from vpgen.store.jobs import worker_name
from vpgen.store.schema import now


@dataclass(frozen=True)
class Progress:
    """Where an experiment is: pairs done of at most `pairs`, what it has cost, what can be said so far."""

    done: int
    pairs: int
    trial: str
    spent_usd: Decimal
    verdict: Verdict | None


Watcher = Callable[[Progress], None]


async def run(
    experiment: Experiment,
    *,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    watch: Watcher = lambda progress: None,
    retry_failed: bool = False,
) -> Result:
    """Run an experiment to its decision, or go on with it. Nothing that has an outcome is run again.

    Raises Conflict when another process runs it, InvalidInput when a metric that counts cannot be measured,
    MissingDependency without pandas, StoreError; what goes wrong with a clip is an outcome.
    """
    if runtime is None:
        with Runtime.open() as opened:
            return await run(experiment, runtime=opened, tell=tell, watch=watch, retry_failed=retry_failed)
    held = runtime.store.lock(f"experiment-{experiment.id}", timeout=0)
    try:
        held.__enter__()
    except Conflict:
        raise Conflict(
            f"another process is running {experiment.id}",
            remedy=f"Watch it: vpgen experiment show {experiment.id}",
            retryable=True,
        ) from None
    try:
        async with runtime.connections():
            return await _Run(experiment, runtime, tell, watch).to_its_end(retry_failed=retry_failed)
    finally:
        held.__exit__(None, None, None)


class _Run:
    def __init__(self, experiment: Experiment, runtime: Runtime, tell: Listener, watch: Watcher) -> None:
        self.experiment, self.runtime, self.tell, self.watch = experiment, runtime, tell, watch
        self.id = experiment.id
        self.purse = Purse(name=self.id, budget=experiment.budget)
        self.pairs = design.order(experiment)
        self.unfinished: set[int] = set()

    async def to_its_end(self, *, retry_failed: bool) -> Result:
        _begin(self.runtime, self.experiment)
        if retry_failed:
            trials.forget_failed(self.runtime, self.id)
        ended_by: EndedBy | None = "interrupted"
        try:
            await self._pairs()
            ended_by = None
        except OverBudget as error:
            ended_by = "budget"
            self.tell(Event(kind="note", note=f"{error.message}; {self.id} goes on with a larger budget"))
        finally:
            _end(self.runtime, self.id, ended_by, self._result(ended_by).verdict)
        return self._result(ended_by)

    async def _pairs(self) -> None:
        """Pairs until nothing is open, `parallel` under way at a time; each starts in its order."""
        under_way: set[asyncio.Task[None]] = set()
        waiting = iter(self.pairs)
        try:
            while True:
                verdict = await self._look()
                if verdict.stopped_for != "open":
                    return
                while len(under_way) < self.experiment.parallel and (pair := next(waiting, None)):
                    under_way.add(asyncio.ensure_future(self._pair(pair, verdict.open)))
                if not under_way:
                    return
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _pair(self, pair: Pair, challengers: tuple[str, ...]) -> None:
        """Every variant that still matters, one after the other: side by side they would slow each other down."""
        done = trials.known(self.runtime, self.id)
        wanted = [
            variant
            for variant in pair.turns
            if (pair.number, variant) not in done and variant in {*challengers, self.experiment.baseline}
        ]
        self.unfinished |= {pair.number} if wanted else set()
        for variant in wanted:
            self._say(f"{pair.case.name}, seed {pair.seed}: {variant}", None)
            state = await trials.run_trial(self.runtime, self.experiment, pair, variant, self.purse, self.tell)
            if state == "completed":
                self._check_measured(pair, variant)
        self.unfinished.discard(pair.number)

    async def _look(self) -> Verdict:
        verdict = (await self.runtime.in_thread(self._result)).verdict
        self._say("", verdict)
        return verdict

    def _check_measured(self, pair: Pair, variant: str) -> None:
        """A metric that counts and that nobody can measure: said after the first clip, not after the last."""
        row = trials.known(self.runtime, self.id)[pair.number, variant]
        needed = {
            name
            for name, metric in self.experiment.metrics.items()
            if metric.weight or metric.limit is not None or metric.margin is not None
        } | {self.experiment.decision.metric}
        for name in sorted(needed - {"quality", result.VOTES} - row.values["numbers"].keys()):
            why = row.values["skipped"].get(name, f"measured are {', '.join(sorted(row.values['numbers']))}")
            raise InvalidInput(f"{variant}'s clip has no {name}: {why}", remedy="Correct the experiment's metrics")
        for name, metric in self.experiment.metrics.items():
            scale = row.values["scales"].get(name, [None, None, None])
            if metric.weight and metric.range is None and None in scale[1:]:
                raise InvalidInput(
                    f"{name} has no best or worst value, so it cannot be weighed",
                    remedy=f"Say which values mean 0 and 1: metrics: {{{name}: {{weight: …, range: [LOW, HIGH]}}}}",
                )

    def _say(self, trial: str, verdict: Verdict | None) -> None:
        done = len({pair for pair, _ in trials.known(self.runtime, self.id)} - self.unfinished)
        spent = result.spent(self.runtime, self.id)
        self.watch(Progress(done, len(self.pairs), trial, spent.usd, verdict))

    def _result(self, ended_by: EndedBy | None = None) -> Result:
        return replace(result.load(self.runtime, self.id), ended_by=ended_by)


def _begin(runtime: Runtime, experiment: Experiment) -> None:
    with runtime.database.write() as session:
        row = session.get(tables.Experiment, experiment.id)
        if row is None:
            row = tables.Experiment(id=experiment.id, name=experiment.name, created=now())
            session.add(row)
        row.definition = experiment.model_dump(mode="json")
        row.state, row.worker, row.ended = "running", worker_name(), None


def _end(runtime: Runtime, experiment_id: str, ended_by: EndedBy | None, verdict: Verdict) -> None:
    with runtime.database.write() as session:
        row = session.get_one(tables.Experiment, experiment_id)
        row.state, row.ended = "stopped" if ended_by else "decided", now()
        row.verdict = verdict.model_dump(mode="json")
        owe(session, EXPERIMENT_REPORT, experiment_id=experiment_id)
