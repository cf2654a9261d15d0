"""What an experiment says: which challenger wins, how sure that is, and which guard rails it breaks. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Value
from vpgen.lab.definition import Experiment
from vpgen.lab.sequential import Look, Rule, decide
from vpgen.lab.statistics import paired
from vpgen.lab.trials import Scale

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
StoppedFor = Literal["win", "loss", "futility", "pairs", "budget", "interrupted", "open"]
EndedBy = Literal["budget", "interrupted"]
"""What ended a run before the question was settled."""


class Standing(Value):
    """How one challenger stands: the looks at its difference to the baseline, the decision, the rails it breaks."""

    variant: str
    decision: Literal["win", "loss", "futile", "open"]
    looks: tuple[Look, ...]
    breaches: tuple[str, ...] = ()


class Verdict(Value):
    """The outcome. `winner` is None while no challenger has won: the baseline stays. `why` is one sentence."""

    winner: str | None
    stopped_for: StoppedFor
    why: str
    standings: tuple[Standing, ...]

    def standing(self, variant: str) -> Standing:
        """Of one challenger."""
        return next(standing for standing in self.standings if standing.variant == variant)

    @property
    def open(self) -> tuple[str, ...]:
        """Challengers about whom another pair may still tell something."""
        return tuple(standing.variant for standing in self.standings if standing.decision == "open")


def judge(
    experiment: Experiment, trials: pd.DataFrame, scales: Mapping[str, Scale], ended_by: EndedBy | None = None
) -> Verdict:
    """The verdict on the trials there are, pair by pair in their order.

    Each challenger is tested against the baseline at alpha divided by their number, so that the chance of any false
    winner is at most alpha.
    """
    total = experiment.most_pairs
    standings = tuple(
        Standing(
            variant=variant,
            decision=looks[-1].decision if looks else "open",
            looks=tuple(looks),
            breaches=breaches(experiment, trials, scales, variant),
        )
        for variant in experiment.challengers
        for looks in [_looks(experiment, trials, scales, variant, total)]
    )
    ended = _pairs_done(trials, experiment) >= total
    winners = [s for s in standings if s.decision == "win" and not s.breaches]
    winner = max(winners, key=lambda s: s.looks[-1].mean).variant if winners else None
    stopped_for: StoppedFor = "open"
    if all(s.decision != "open" for s in standings):
        decisions = {s.decision for s in standings}
        stopped_for = "win" if "win" in decisions else "loss" if decisions == {"loss"} else "futility"
    elif ended:
        stopped_for = "pairs"
    elif ended_by:
        stopped_for = ended_by
    return Verdict(
        winner=winner,
        stopped_for=stopped_for,
        why=_why(experiment, standings, winner, stopped_for),
        standings=standings,
    )


def breaches(
    experiment: Experiment, trials: pd.DataFrame, scales: Mapping[str, Scale], variant: str
) -> tuple[str, ...]:
    """The guard rails that a variant's means break, in words. One that nobody measured is not kept."""
    found = []
    for name, metric in experiment.metrics.items():
        if metric.limit is None and metric.margin is None:
            continue
        sign = 1.0 if scales[name].higher_is_better else -1.0
        if name not in trials:
            found.append(f"{name}, a guard rail, was not measured")
            continue
        own = trials.loc[trials["variant"] == variant, name].dropna()
        ours, theirs = both(trials, name, variant, experiment.baseline)
        if not len(own) or (metric.margin is not None and not len(ours)):
            found.append(f"{name}, a guard rail, was not measured")
            continue
        if metric.limit is not None and sign * (own.mean() - metric.limit) < 0:
            found.append(f"{name} {own.mean():.4g} is beyond its limit {metric.limit:g}")
        if metric.margin is not None:
            worse = -sign * float((ours - theirs).mean())
            if worse > metric.margin:
                found.append(
                    f"{name} is worse than {experiment.baseline}'s by {worse:.4g}, more than {metric.margin:g}"
                )
    return tuple(found)


def both(trials: pd.DataFrame, metric: str, variant: str, baseline: str) -> tuple[Floats, Floats]:
    """The values of two variants in the pairs that have both, in the order of the pairs."""
    wide = trials[trials["variant"].isin([variant, baseline])].pivot_table(
        index="pair", columns="variant", values=metric, aggfunc="first", dropna=False, observed=True
    )
    if not {variant, baseline} <= set(wide.columns):
        return np.empty(0), np.empty(0)
    wide = wide[[variant, baseline]].dropna().sort_index()
    return wide[variant].to_numpy(float), wide[baseline].to_numpy(float)


def _looks(
    experiment: Experiment, trials: pd.DataFrame, scales: Mapping[str, Scale], variant: str, total: int
) -> list[Look]:
    decision = experiment.decision
    if decision.metric not in trials:
        return []
    gap: float = _first_gap(trials, variant, experiment.baseline)
    if decision.metric == "votes":
        gap = min(gap, _first_unrated(trials, variant, experiment.baseline))
    reached = trials[trials["pair"] < gap]
    ours, theirs = both(reached, decision.metric, variant, experiment.baseline)
    sign = 1.0 if scales[decision.metric].higher_is_better else -1.0
    differences = [sign * float(value) for value in ours - theirs]
    if not differences:
        return []
    alpha = experiment.alpha_each
    if decision.rule == "sequential":
        rule = stopping_rule(experiment)
        return decide(rule, differences)
    if gap < total:  # pairs without the metric (a failure has no seconds) are over too
        return []
    c = paired((ours * sign).tolist(), (theirs * sign).tolist(), confidence=1 - alpha)
    sure = c.p_value is not None and c.p_value < alpha
    return [
        Look(
            n=c.n, mean=c.mean, low=c.low, high=c.high, decision=("win" if c.mean > 0 else "loss") if sure else "futile"
        )
    ]


def _first_gap(trials: pd.DataFrame, variant: str, baseline: str) -> int:
    """The first pair that lacks an outcome of either. Judged as they come in, slow pairs would come late."""
    done = [set(trials.loc[trials["variant"] == name, "pair"]) for name in (variant, baseline)]
    pair = 0
    while all(pair in pairs for pairs in done):
        pair += 1
    return pair


def _first_unrated(trials: pd.DataFrame, variant: str, baseline: str) -> float:
    """The first pair that people can rate and nobody has.

    Taken as votes come in, the same pairs would be looked at in ever other orders, each time anew: that finds a winner
    where there is none more often than alpha allows.
    """
    made = trials.loc[trials["state"] == "completed", ["pair", "variant", "votes", "clip_id"]]
    ours, theirs = made[made["variant"] == variant], made[made["variant"] == baseline]
    two = ours.merge(theirs, on="pair", suffixes=("", "_baseline"))
    waiting = two[two["votes"].isna() & (two["clip_id"] != two["clip_id_baseline"])]
    return float(min(waiting["pair"], default=float("inf")))


def _pairs_done(trials: pd.DataFrame, experiment: Experiment) -> int:
    """Pairs in which the baseline and at least one challenger have an outcome."""
    done = trials.groupby("pair")["variant"].agg(set) if len(trials) else []
    return sum(1 for variants in done if experiment.baseline in variants and len(variants) > 1)


def _why(experiment: Experiment, standings: tuple[Standing, ...], winner: str | None, stopped_for: StoppedFor) -> str:
    metric, baseline = experiment.decision.metric, experiment.baseline
    parts = []
    for s in standings:
        if not s.looks and metric == "votes":
            ask = f"vpgen rate {experiment.name}"
            parts.append(f"people have yet to say whether {s.variant} or {baseline} is better: {ask}")
            continue
        if not s.looks:
            parts.append(f"{s.variant} has no pair to compare yet")
            continue
        look = s.looks[-1]
        figures = f"{metric} {look.mean:+.4g} [{_bound(look.low)}, {_bound(look.high)}] over {_pairs(look.n)}"
        words = {
            "win": f"{s.variant} is better than {baseline}",
            "loss": f"{s.variant} is worse than {baseline}",
            "futile": f"{s.variant} and {baseline} do not differ enough to go on",
            "open": f"whether {s.variant} or {baseline} is better is open",
        }[s.decision]
        rails = f", but {'; '.join(s.breaches)}" if s.breaches else ""
        parts.append(f"{words} ({figures}){rails}")
    end = {
        "budget": "; stopped because the budget is used up",
        "interrupted": "; stopped before that was settled",
        "pairs": "; every pair was run",
    }.get(stopped_for, "")
    head = f"{winner} wins: " if winner else ""
    return head + "; ".join(parts) + end


def stopping_rule(experiment: Experiment) -> Rule:
    """The rule for each challenger. Raises ValueError when its pairs could decide nothing."""
    decision = experiment.decision
    return Rule(
        alpha=experiment.alpha_each,
        min_pairs=decision.min_pairs,
        max_pairs=experiment.most_pairs,
        margin=decision.margin,
    )


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def _bound(value: float | None) -> str:
    return "open" if value is None else f"{value:+.4g}"
