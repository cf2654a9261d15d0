"""What people's votes come to: a ranking with intervals, how far raters agree, and which metrics agree with people.

Strengths are Bradley-Terry's, fitted by evalica. A tie is half a win for each; both bad is no comparison and is counted
apart. One imagined tie between each two variants keeps a variant that never lost from being infinitely good.
Loading this module loads pandas.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from scipy import stats

from vpgen.clip import Value
from vpgen.errors import Corrupted, MissingDependency, NotFound
from vpgen.lab.votes import Key, Pairing, key_of, pairings, preferred, votes
from vpgen.results import find
from vpgen.runtime import Runtime
from vpgen.stages import Scores
from vpgen.store.records import load, read_record
from vpgen.store.schema_lab import Experiment, Trial, Vote

try:
    import evalica
    import pandas as pd
except ImportError as error:
    raise MissingDependency(f"a ranking needs {error.name}", remedy="pip install 'vpgen[lab]'") from error

CONFIDENCE = 0.95
RESAMPLES = 1000
_NOT_SEEN = re.compile(r"(seconds|usd|accepted|votes)(\..*)?")
"""Metrics of what eyes cannot see."""
_Outcome = tuple[str, str, int]
"""Two variants and evalica's winner: 0 neither, 1 the first, 2 the second."""


class Standing(Value):
    """One variant's place. `share`: its chance to be preferred to another variant, averaged; None without a vote.

    `low` and `high` enclose it with 95 % confidence; `strength` is Bradley-Terry's, in log-odds around 0.
    """

    variant: str
    share: float | None
    low: float | None
    high: float | None
    strength: float | None
    wins: int
    losses: int
    ties: int
    both_bad: int


class Agreement(Value):
    """How far people say the same of the same two clips.

    `shared`: pairings that two or more have rated; `same`: of two people's votes on one, the share that is equal;
    `alpha`: Krippendorff's (nominal; 1 perfect, 0 as by chance), with its bootstrap interval. None: cannot be said.
    """

    raters: int
    shared: int
    same: float | None
    alpha: float | None
    low: float | None
    high: float | None


class MetricAgreement(Value):
    """How often a metric is better for the clip that most people prefer, with Wilson's interval.

    `n` counts the pairings on which both have a preference; `equal` those on which the metric has none.
    """

    metric: str
    n: int
    agrees: int
    equal: int
    share: float
    low: float
    high: float


class Ranking(Value):
    """All of it, of one experiment."""

    experiment: str
    votes: int
    rated: int
    pairings: int
    standings: tuple[Standing, ...]
    agreement: Agreement
    metrics: tuple[MetricAgreement, ...]


def ranking(runtime: Runtime, experiment: Experiment) -> Ranking:
    """What the votes on an experiment come to. Raises StoreError."""
    cast = votes(runtime.database, experiment.id)
    found = pairings(runtime.database, experiment.id)
    with runtime.database.read() as session:
        trials = list(session.scalars(sa.select(Trial).where(Trial.experiment_id == experiment.id)))
    values = {(trial.pair, trial.variant): trial.values.get("numbers", {}) for trial in trials}
    variants = sorted({trial.variant for trial in trials})
    return Ranking(
        experiment=experiment.id,
        votes=len(cast),
        rated=len({key_of(vote) for vote in cast}),
        pairings=len(found),
        standings=rank(cast, variants),
        agreement=agreement(cast),
        metrics=metric_agreement(cast, values, directions(runtime, experiment, found)),
    )


def rank(cast: Sequence[Vote], variants: Iterable[str] = (), *, resamples: int = RESAMPLES) -> tuple[Standing, ...]:
    """The variants, best first; those without a counted vote come last.

    The interval of each share is the wider of two bootstraps: one draws the pairs (a case with its seed) anew, as all
    votes on a pair hang together; one draws the votes anew from the fitted model, for a few pairs that all say the
    same would make the first one certain.
    """
    counted = [vote for vote in cast if vote.choice != "both-bad"]
    tally = _tally(cast, {*variants, *(name for vote in cast for name in (vote.first, vote.second))})
    known = sorted({name for vote in counted for name in (vote.first, vote.second)})
    fitted: dict[str, dict[str, float]] = {}
    if known:
        strengths, low, high = _intervals(counted, known, resamples)
        shares, odds = _shares(strengths), np.log(strengths) - np.log(strengths).mean()
        for place, name in enumerate(known):
            fitted[name] = {
                "share": float(shares[place]),
                "low": float(min(low[place], shares[place])),
                "high": float(max(high[place], shares[place])),
                "strength": float(odds[place]),
            }
    unknown = dict.fromkeys(("share", "low", "high", "strength"))
    rows = [Standing(variant=name, **fitted.get(name, unknown), **counts) for name, counts in sorted(tally.items())]
    return tuple(sorted(rows, key=lambda row: (row.share is None, -(row.share or 0.0))))


def _tally(cast: Iterable[Vote], variants: Iterable[str]) -> dict[str, dict[str, int]]:
    """Plain counts of each variant."""
    tally = {name: dict.fromkeys(("wins", "losses", "ties", "both_bad"), 0) for name in variants}
    for vote in cast:
        better = preferred(vote)
        for name in (vote.first, vote.second):
            if better is not None:
                tally[name]["wins" if name == better else "losses"] += 1
            else:
                tally[name]["ties" if vote.choice == "tie" else "both_bad"] += 1
    return tally


def _intervals(
    counted: Sequence[Vote], known: Sequence[str], resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fitted strengths, and the low and high ends of the shares."""
    matchups = list(combinations(known, 2))
    outcomes: list[_Outcome] = [(one, other, winner) for one, other in matchups for winner in (0, 1, 2)]
    column = {outcome: place for place, outcome in enumerate(outcomes)}
    row = {pair: place for place, pair in enumerate(sorted({vote.pair for vote in counted}))}
    table = np.zeros((len(row), len(outcomes)))
    for vote in counted:
        better = preferred(vote)
        winner = 0 if better is None else 1 if better == vote.first else 2
        table[row[vote.pair], column[vote.first, vote.second, winner]] += 1
    imagined = np.array([float(winner == 0) for _, _, winner in outcomes])
    strengths = _fit(outcomes, known, table.sum(0) + imagined)

    rng = np.random.default_rng(0)
    drawn_pairs = rng.multinomial(len(row), np.full(len(row), 1 / len(row)), size=resamples) @ table
    drawn_votes = _drawn(rng, outcomes, dict(zip(known, strengths, strict=True)), table.sum(0), resamples)
    ends = []
    for drawn in (drawn_pairs, drawn_votes):
        different, which = np.unique(drawn, axis=0, return_inverse=True)  # far fewer, with two variants
        shares = np.array([_shares(_fit(outcomes, known, weights + imagined)) for weights in different])[which]
        ends.append(np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0))
    low, high = np.min([end[0] for end in ends], axis=0), np.max([end[1] for end in ends], axis=0)
    return strengths, low, high


def _drawn(
    rng: np.random.Generator,
    outcomes: Sequence[_Outcome],
    strengths: Mapping[str, float],
    counts: NDArray[np.float64],
    resamples: int,
) -> NDArray[np.float64]:
    """Counts of each outcome as the model might have brought them: as many votes on each two, as likely tied."""
    drawn = np.zeros((resamples, len(outcomes)))
    for at in range(0, len(outcomes), 3):  # neither, first, second
        total = int(counts[at : at + 3].sum())
        if total:
            one, other, _ = outcomes[at]
            ties, wins = counts[at] / total, strengths[one] / (strengths[one] + strengths[other])
            chances = [ties, (1 - ties) * wins, (1 - ties) * (1 - wins)]
            drawn[:, at : at + 3] = rng.multinomial(total, chances, size=resamples)
    return drawn


def _fit(outcomes: Sequence[_Outcome], known: Sequence[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bradley-Terry's strengths, in the order of `known`; their geometric mean is 1."""
    ones, others, winners = zip(*outcomes, strict=True)
    result = evalica.bradley_terry(
        ones, others, [evalica.Winner(winner) for winner in winners], index=pd.Index(known),
        weights=weights.tolist(), tolerance=1e-9, limit=10_000,
    )  # fmt: skip
    return np.asarray(result.scores.loc[list(known)], dtype=np.float64)


def _shares(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each variant's chance to be preferred to one of the others, averaged over them."""
    chances = evalica.pairwise_scores(strengths)
    return np.asarray((chances.sum(axis=1) - chances.diagonal()) / (len(strengths) - 1), dtype=np.float64)


def agreement(cast: Iterable[Vote], *, resamples: int = RESAMPLES) -> Agreement:
    """How far raters agree on what they have all seen: first better, second better, tie or both bad."""
    said: defaultdict[Key, dict[str, str]] = defaultdict(dict)
    raters = set()
    for vote in cast:
        raters.add(vote.rater)
        said[key_of(vote)][vote.rater] = preferred(vote) or f"({vote.choice})"  # no variant's name has brackets
    shared = {key: answers for key, answers in said.items() if len(answers) > 1}
    if not shared:
        return Agreement(raters=len(raters), shared=0, same=None, alpha=None, low=None, high=None)
    twos = [one == other for answers in shared.values() for one, other in combinations(answers.values(), 2)]
    # In words that mean the same for every pairing: whether it was the first or the second of the alphabet.
    code = {key: {key[1]: "first", key[2]: "second"} for key in shared}
    units = {
        place: {rater: code[key].get(answer, answer) for rater, answer in answers.items()}
        for place, (key, answers) in enumerate(shared.items())
    }
    alpha = low = high = None
    if len({answer for answers in units.values() for answer in answers.values()}) > 1:  # else chance is not defined
        fitted = evalica.alpha_bootstrap(
            pd.DataFrame(units), "nominal", n_resamples=resamples, confidence_level=CONFIDENCE, random_state=0
        )
        alpha, low, high = float(fitted.alpha), float(fitted.low), float(fitted.high)
    return Agreement(
        raters=len(raters), shared=len(shared), same=sum(twos) / len(twos), alpha=alpha, low=low, high=high
    )


def metric_agreement(
    cast: Iterable[Vote],
    values: Mapping[tuple[int, str], Mapping[str, Any]],
    higher_is_better: Mapping[str, bool],
) -> tuple[MetricAgreement, ...]:
    """For each metric: of the pairings that most people decided, on how many it was better for the same clip.

    `values` are the trials' metrics by pair and variant. A pairing on which people are split evenly says nothing; votes
    on one pairing hang together, so the pairing is what counts. Best first.
    """
    margins: Counter[Key] = Counter()
    for vote in cast:
        if (better := preferred(vote)) is not None:
            margins[key_of(vote)] += 1 if better == vote.first else -1
    names = {name for each in values.values() for name in each if not _NOT_SEEN.fullmatch(name)}
    rows = []
    for name in names:
        signs = []
        for (pair, first, second), margin in margins.items():
            one, other = (values.get((pair, variant), {}).get(name) for variant in (first, second))
            if margin and one is not None and other is not None and math.isfinite(float(one) - float(other)):
                direction = 1 if higher_is_better.get(name, True) else -1
                signs.append(np.sign(float(one) - float(other)) * direction * np.sign(margin))
        agrees, n = sum(sign > 0 for sign in signs), sum(sign != 0 for sign in signs)
        if n:
            interval = stats.binomtest(agrees, n).proportion_ci(CONFIDENCE, method="wilson")
            rows.append(
                MetricAgreement(
                    metric=name, n=n, agrees=agrees, equal=len(signs) - n, share=agrees / n,
                    low=float(interval.low), high=float(interval.high),
                )
            )  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (-row.share, -row.n, row.metric)))


def directions(runtime: Runtime, experiment: Experiment, found: Sequence[Pairing]) -> dict[str, bool]:
    """Whether higher is better, by metric: as the experiment says, else as a clip's own scores do."""
    known: dict[str, bool] = {}
    for pairing in found:
        with suppress(NotFound, Corrupted):  # an old clip may have been cleared away
            record = read_record(runtime.store, find(runtime, pairing.clips[0]).scores)
            scores = load(runtime.store, record.result) if record else None
            if isinstance(scores, Scores):
                known |= {score.name: score.higher_is_better for score in scores.scores}
                break
    for name, metric in experiment.definition.get("metrics", {}).items():
        if metric.get("higher_is_better") is not None:
            known[name] = metric["higher_is_better"]
    return known
