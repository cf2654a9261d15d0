"""What an experiment has come to: its trials as a table, the differences, and the verdict that follows from them.

Everything here is worked out from the trials' rows whenever it is asked for: a run that was killed and taken up again
ends with the same tables as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import numpy as np
import sqlalchemy as sa

from vpgen.clip import Value
from vpgen.errors import MissingDependency
from vpgen.lab import votes
from vpgen.lab.definition import Experiment
from vpgen.lab.statistics import holm, paired
from vpgen.lab.trials import BUILT_IN, Scale
from vpgen.lab.verdict import EndedBy, Verdict, both, judge
from vpgen.money.spending import Spent, spending
from vpgen.runtime import Runtime
from vpgen.store import schema_lab as tables
from vpgen.store.jobs import is_gone

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = ("quality", "accepted", "seconds", "usd")
"""Metrics that are compared whether the definition names them or not."""
VOTES = "votes"


class Difference(Value):
    """A challenger's mean less the baseline's on one metric, over the `n` pairs in which both were measured.

    `low` and `high` bound it with 95 % confidence (bootstrap; None with too few pairs), in the metric's unit;
    `p_value` is of a paired test, `p_adjusted` the same after Holm's correction for all metrics and variants; `effect`
    is Cohen's d_z. `better` says on which side of 0 the whole interval lies, as the metric counts; None while open.
    """

    variant: str
    metric: str
    n: int
    mean: float
    low: float | None
    high: float | None
    p_value: float | None
    p_adjusted: float | None
    effect: float | None
    better: bool | None


@dataclass(frozen=True)
class Result:
    """An experiment with its outcomes; `trials` has one row a trial and one column a metric, NaN where not measured."""

    id: str
    state: str
    experiment: Experiment
    trials: pd.DataFrame
    scales: Mapping[str, Scale]
    spent_usd: Decimal
    """What it has really cost until now, by the ledger."""
    waste_usd: Decimal
    ended_by: EndedBy | None = None

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.experiment.name

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """What variants are compared on: what the definition names, and what always counts."""
        named = [*ALWAYS[:1], self.experiment.decision.metric, *self.experiment.metrics, *ALWAYS[1:]]
        return tuple(dict.fromkeys(name for name in named if name in self.trials.columns))

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Every challenger against the baseline, on every metric."""
        found = []
        for variant in self.experiment.challengers:
            for metric in self.metrics:
                ours, theirs = both(self.trials, metric, variant, self.experiment.baseline)
                if len(ours):
                    found.append((variant, metric, paired(ours.tolist(), theirs.tolist())))
        tested = [comparison.p_value for *_, comparison in found if comparison.p_value is not None]
        adjusted = iter(holm(tested))
        return tuple(
            Difference(
                variant=variant,
                metric=metric,
                n=c.n,
                mean=c.mean,
                low=c.low,
                high=c.high,
                p_value=c.p_value,
                p_adjusted=None if c.p_value is None else next(adjusted),
                effect=c.effect,
                better=self._better(metric, c.low, c.high),
            )
            for variant, metric, c in found
        )

    def difference(self, variant: str, metric: str) -> Difference | None:
        """One of them; None when no pair has both."""
        return next((d for d in self.differences if (d.variant, d.metric) == (variant, metric)), None)

    @cached_property
    def verdict(self) -> Verdict:
        """What can be said so far."""
        return judge(self.experiment, self.trials, self.scales, self.ended_by)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row a variant: trials and how they ended, means of the metrics, p95 of seconds, USD per accepted clip."""
        import pandas as pd

        rows = {}
        for variant in self.experiment.variants:
            own = self.trials[self.trials["variant"] == variant]
            states = own["state"].value_counts()
            row: dict[str, float] = {"n": len(own), **{str(state): int(count) for state, count in states.items()}}
            row |= {metric: float(own[metric].mean()) for metric in self.metrics}
            made = own[own["state"] == "completed"]
            if len(made):
                row["seconds_p95"] = float(np.percentile(made["seconds"], 95))
                # Failed trials bought nothing, and count: what they cost is in their `usd` as well.
                row["usd_per_accepted"] = float(own["usd"].sum(skipna=False)) / len(made)
            rows[variant] = row
        counts = ["n", "completed", "failed", "refused", "timeout"]
        return pd.DataFrame.from_dict(rows, orient="index").pipe(
            lambda frame: frame.assign(
                **{name: frame[name].fillna(0).astype(int) if name in frame else 0 for name in counts}
            )
        )

    def _better(self, metric: str, low: float | None, high: float | None) -> bool | None:
        if low is None or high is None or low <= 0 <= high:
            return None
        return (low > 0) == self.scales[metric].higher_is_better


def load(runtime: Runtime, name: str) -> Result:
    """Everything known of an experiment, by its id or name (the newest). Raises NotFound, MissingDependency."""
    row = votes.find_experiment(runtime.database, name)
    with runtime.database.read() as session:
        trials = list(
            session.scalars(
                sa.select(tables.Trial)
                .where(tables.Trial.experiment_id == row.id, tables.Trial.state != "running")
                .order_by(tables.Trial.pair, tables.Trial.variant)
            )
        )
    experiment = Experiment.model_validate(row.definition)
    liked = votes.preferences(votes.votes(runtime.database, row.id), experiment.baseline)
    frame, scales = frame_of(experiment, trials, liked)
    total = spent(runtime, row.id)
    state, stopped_for = standing(row), (row.verdict or {}).get("stopped_for")
    if state != row.state:
        stopped_for = "interrupted"
    ended_by = stopped_for if state == "stopped" and stopped_for in get_args(EndedBy) else None
    return Result(row.id, state, experiment, frame, scales, total.usd, total.waste, ended_by)


def standing(row: tables.Experiment) -> str:
    """The experiment's state; "stopped" when it is said to run and its process is gone (on this machine)."""
    return "stopped" if row.state == "running" and row.worker and is_gone(row.worker) else row.state


def spent(runtime: Runtime, experiment_id: str) -> Spent:
    """What an experiment has really cost, by the ledger: what its variants share only once, waste included."""
    return spending(runtime.database, experiment=experiment_id).total


def frame_of(
    experiment: Experiment, trials: list[tables.Trial], liked: Mapping[tuple[int, str], float]
) -> tuple[pd.DataFrame, dict[str, Scale]]:
    """Trials as a table, with their quality, and the scales of its metrics.

    `liked` is what people said of a variant in a pair, against the baseline, from -1 to 1: the metric `votes`.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("experiments need pandas", remedy="pip install 'vpgen[lab]'") from error
    scales = {**BUILT_IN, VOTES: Scale(higher_is_better=True, low=-1.0, high=1.0)}
    for trial in trials:
        for name, (higher, low, high) in trial.values.get("scales", {}).items():
            scales.setdefault(name, Scale(bool(higher), low, high))
    for name, metric in experiment.metrics.items():
        scale = scales.get(name, Scale(higher_is_better=True))
        better = scale.higher_is_better if metric.higher_is_better is None else metric.higher_is_better
        scales[name] = Scale(better, *(metric.range or (scale.low, scale.high)))
    scales["quality"] = Scale(higher_is_better=True, low=0.0, high=1.0)
    rows = [
        {
            "pair": trial.pair, "variant": trial.variant, "case": trial.case, "seed": trial.seed, "state": trial.state,
            "clip_id": trial.clip_id, "error": trial.error, **trial.values.get("numbers", {}),
            **_votes(liked, trial, experiment.baseline),
            "quality": quality(experiment, trial, scales),
        }
        for trial in trials
    ]  # fmt: skip
    leading = ["pair", "variant", "case", "seed", "state", "clip_id", "error", *ALWAYS]
    frame = pd.DataFrame(rows)
    for name in leading:
        if name not in frame:
            frame[name] = np.nan
    return frame[[*leading, *sorted(set(frame.columns) - set(leading))]], scales


def _votes(liked: Mapping[tuple[int, str], float], trial: tables.Trial, baseline: str) -> dict[str, float]:
    """The baseline is what people compared with: 0 wherever they did."""
    if trial.variant == baseline:
        return {VOTES: 0.0} if any(pair == trial.pair for pair, _ in liked) else {}
    return {VOTES: liked[trial.pair, trial.variant]} if (trial.pair, trial.variant) in liked else {}


def quality(experiment: Experiment, trial: tables.Trial, scales: Mapping[str, Scale]) -> float:
    """The weighted mean of the metrics that have a weight, each from 0 (worst of its range) to 1.

    0 for what did not complete: a failure never helps a variant. NaN when one of them was not measured.
    """
    if trial.state != "completed":
        return 0.0
    numbers, total, weights = trial.values.get("numbers", {}), 0.0, 0.0
    for name, metric in experiment.metrics.items():
        if not metric.weight:
            continue
        scale, value = scales[name], numbers.get(name)
        if value is None or scale.low is None or scale.high is None:
            return float("nan")
        share = min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low)))
        total += metric.weight * (share if scale.higher_is_better else 1.0 - share)
        weights += metric.weight
    return total / weights if weights else float("nan")
