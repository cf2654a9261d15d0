"""When to stop buying pairs: a two-sided group-sequential test that may be looked at after every pair.

    rule = Rule(min_pairs=6, max_pairs=40, margin=0.02)
    look(rule, differences).decision    # after every pair, until it is no longer "open"

How it works. Alpha is spent over the looks as alpha·(n / max_pairs)² (Lan & DeMets 1983; Kim & DeMets 1987), so that
all looks together reject a true null hypothesis no more often than alpha. The boundaries bₙ follow by numerical
integration (Armitage, McPherson & Rowe 1969), once for sums of normal differences and once, exactly, for sums of ±1;
the higher holds. The statistic is the self-normalised sum Σd / √Σd², which heavy tails make smaller, not larger, and
which needs no spread: it is at most √n, so equal differences decide as soon as so many in a row are no coincidence.

Where the differences are skewed, their mean strays further towards the short tail. The boundary on that side is
raised, never lowered, by the leading term of the Edgeworth expansion of Student's t (Hall 1992). A small sample shows
too little of a long tail and some skewness where there is none: what is within its own standard error counts for less,
the rest 2.5-fold. By simulation that holds alpha over 40 pairs up to a skewness of 3 (chi-squared with one degree of
freedom); with 12 pairs, 0.05 became 0.053 at a skewness of 2 (exponential) and 0.08 at 3.
Outcomes that are only better, worse or the same by one amount have no long tail, and nothing is raised for them.

The interval of a look holds every mean that this test would not reject: all the intervals from `min_pairs` to
`max_pairs` together cover the true mean with probability 1 - alpha, whenever one stops (Jennison & Turnbull 1989).

Futility stops without spending alpha, and the boundaries do not count on it: it can only lower the rate of false
positives.

What it cannot do: exclude a rare catastrophe that the sample has not shown. n pairs without one say only that it comes
less often than about three in n: guard rails and the canary are for that. `python -m benchmarks.sequential` prints how
it does under many distributions, and docs/decisions/0007 says why it is not a library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from vpgen.clip import Value
from vpgen.errors import InvalidInput

Decision = Literal["win", "loss", "futile", "open"]
Floats = NDArray[np.float64]

HOPELESS = 0.05
"""Futile when the predictive probability of a decision by `max_pairs` is lower than this."""
SKEW = 2.5
"""What a sample's skewness is multiplied by, because it understates a long tail; found by simulation."""
SAME = 1e-9
"""What differs by less than this part of the largest difference is equal: rounding has no skewness."""
MOST_PAIRS = 1000


class Rule(Value):
    """When an experiment may stop. `margin`: the smallest difference worth having, in the metric's unit.

    Raises ValueError when `max_pairs` are too few to reject anything at `alpha`.
    """

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    min_pairs: int = Field(ge=2)
    max_pairs: int = Field(le=MOST_PAIRS)
    margin: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _can_decide(self) -> Rule:
        if self.max_pairs < self.min_pairs:
            raise ValueError(f"max_pairs {self.max_pairs} is less than min_pairs {self.min_pairs}")
        if not np.any(boundaries(self.alpha, self.min_pairs, self.max_pairs) ** 2 < _counts(self)):
            least = int(np.ceil(1 - np.log2(self.alpha)))
            raise ValueError(
                f"{self.max_pairs} pairs can decide nothing at alpha {self.alpha:g}: even if all agreed, it could be "
                f"chance; let max_pairs be {max(least, self.max_pairs + 1)} or more"
            )
        return self


class Look(Value):
    """What `n` pairs say: their mean difference, an always-valid interval, and whether to go on.

    `low` or `high` is None where there is no bound on that side yet.
    """

    n: int
    mean: float
    low: float | None
    high: float | None
    decision: Decision


@dataclass(frozen=True)
class Trace:
    """Every look of many experiments: arrays of shape (experiments, looks), the first look after `rule.min_pairs`.

    `low` and `high` are ∓infinity where there is no bound; `sign` is 1 for a win, -1 for a loss; `stop` is where
    a decision stands, futility included.
    """

    counts: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    sign: NDArray[np.int64]
    stop: NDArray[np.bool_]

    def first(self) -> NDArray[np.int64]:
        """The index of each experiment's first decision; the last look where there is none."""
        last = self.stop.shape[1] - 1
        return np.asarray(np.where(self.stop.any(1), self.stop.argmax(1), last))


def look(rule: Rule, differences: Sequence[float]) -> Look:
    """The latest look at `differences` (challenger - baseline, higher is better, in the order they were planned).

    The first decision is final: pairs that came in after it are not looked at, so that neither a longer list nor a
    resumed run can undo it, and `Look.n` may be less than `len(differences)`. A caller that runs pairs side by side
    passes the longest prefix of the planned order that is complete: were they taken as they come, slow pairs would
    come late and the order would depend on the outcome.

    Raises InvalidInput for no difference at all, or one that is not a finite number: a failed pair is an outcome,
    and it is the caller who says what it is worth.
    """
    return decide(rule, differences)[-1]


def decide(rule: Rule, differences: Sequence[float]) -> list[Look]:
    """Every look in order, from the first pair up to and including the first decision. Raises as `look` does."""
    values = np.asarray(differences, dtype=float)[: rule.max_pairs]
    if values.ndim != 1 or not len(values):
        raise InvalidInput("there is no pair to look at", remedy="run a pair first")
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InvalidInput(
            f"the difference of pair {at + 1} is {values[at]}, which is no number to compare",
            remedy="give a failed trial the value that a failure is worth, and leave out what was not measured",
        )
    early = [
        Look(n=n, mean=float(np.mean(values[:n])), low=None, high=None, decision="open")
        for n in range(1, min(rule.min_pairs, len(values) + 1))
    ]
    if len(values) < rule.min_pairs:
        return early
    seen = trace(rule, values[None, :])
    return early + [_look(seen, index) for index in range(int(seen.first()[0]) + 1)]


def trace(rule: Rule, differences: Floats) -> Trace:
    """All looks at many experiments at once, one a row; what `decide` does, for simulations. Values must be finite."""
    differences = differences[:, : rule.max_pairs]
    n = np.arange(1, differences.shape[1] + 1)
    # Powers of two scale without rounding, and keep squares and cubes from overflowing.
    scale = np.exp2(np.frexp(np.abs(differences).max(axis=1, keepdims=True))[1])
    values = differences / scale
    # Moments about the first value: a common offset costs no digits, and equal values have no spread at all.
    about = values - values[:, :1]
    shift, square, cube = (power.cumsum(1) / n for power in (about, about * about, about * about * about))
    variance = np.maximum(square - shift**2, 0)
    third = cube - 3 * shift * square + 2 * shift * shift * shift  # a power of 3 rounds ± differently
    mean = values[:, :1] + shift
    spread = np.sqrt(variance)
    size = np.abs(values)
    largest = np.maximum.accumulate(size, axis=1)
    smallest = np.minimum.accumulate(np.where(size > 0, size, np.inf), axis=1)
    # Equal, or ±c and 0: on those values a mean of zero is a fair coin, whose boundary is exact.
    plain = (spread <= SAME * largest) | (smallest >= (1 - SAME) * largest)
    skewness = np.where(plain, 0.0, third) / np.where(plain, 1.0, spread**3)

    looks = slice(rule.min_pairs - 1, None)
    n, mean, spread, skewness = n[looks], mean[:, looks], spread[:, looks], skewness[:, looks]
    bound = boundaries(rule.alpha, rule.min_pairs, rule.max_pairs)[: len(n)]
    shrunk = skewness * (skewness**2 / (skewness**2 + 6 / n))  # 6 / n: the variance of the skewness of n normal values
    # As a bound on Student's t, where skewness is allowed for: self-normalised sums end at √n, and so would decisions.
    possible = n > bound**2
    t = bound * np.sqrt(n / np.where(possible, n - bound**2, 1.0))
    raised = SKEW * shrunk * (2 * t**2 + 1) / (6 * np.sqrt(n))
    error = spread / np.sqrt(n)
    low = np.where(possible, mean - (t + np.maximum(-raised, 0)) * error, -np.inf) * scale
    high = np.where(possible, mean + (t + np.maximum(raised, 0)) * error, np.inf) * scale
    sign = (low > 0).astype(np.int64) - (high < 0)
    root = np.sqrt(spread**2 + mean**2)
    z = np.sqrt(n) * mean / np.where(root > 0, root, 1.0)
    futile = (n == rule.max_pairs) | (_predicted(rule, z, n) < HOPELESS) | ((low > -rule.margin) & (high < rule.margin))
    return Trace(n, mean * scale, low, high, sign, (sign != 0) | futile)


@lru_cache(maxsize=256)
def boundaries(alpha: float, first: int, last: int) -> Floats:
    """What |Σd| / √Σd² must exceed after `first`, first + 1, … `last` pairs.

    Chosen so that crossing at or before n has a probability of at most alpha·(n / last)² both for normal differences
    and for ±1; what either leaves unspent is carried over to later looks.
    """
    found: list[float] = []
    least = -float(ndtri(alpha / 2))  # no look may be easier than the only look of a fixed design
    sums, mass = np.zeros(1), np.ones(1)  # where a normal sum may be, given no crossing so far, and how likely
    coins = binom.pmf(np.arange(first + 1), first, 0.5)  # the same of a sum of ±1, at -n, -n + 2, … n
    spent = coins_spent = 0.0
    for n in range(first, last + 1):
        step = np.sqrt(n if n == first else 1)
        allowed = alpha * (n / last) ** 2
        edge = _edge(allowed - spent, least * np.sqrt(n), sums, mass, step)
        heads = np.abs(np.arange(-n, n + 1, 2))
        while coins_spent + coins[heads > edge].sum() > allowed:
            edge = heads[heads > edge].min() + 1.0  # halfway between what coins can sum to: rounding cannot matter
        found.append(edge / np.sqrt(n))

        spent += _crossing(edge, sums, mass, step)
        points, weights = _gauss(64 + 32 * int(edge / 4))
        kernel = np.exp(-(((points[:, None] * edge - sums) / step) ** 2) / 2) / (step * np.sqrt(2 * np.pi))
        sums, mass = points * edge, weights * edge * (kernel @ mass)
        coins_spent += coins[heads > edge].sum()
        inside = np.where(heads > edge, 0.0, coins)
        coins = (np.append(inside, 0.0) + np.append(0.0, inside)) / 2
    result = np.array(found)
    result.flags.writeable = False
    return result


def _crossing(edge: float, sums: Floats, mass: Floats, step: float) -> float:
    """The probability that a normal step from one of `sums` ends beyond ±edge."""
    return float(mass @ (ndtr((sums - edge) / step) + ndtr((-sums - edge) / step)))


def _edge(allowed: float, least: float, sums: Floats, mass: Floats, step: float) -> float:
    """The lowest edge from `least` on that is crossed with a probability of at most `allowed`."""
    if _crossing(least, sums, mass, step) <= allowed:
        return least
    most = least + 40 * step + float(np.abs(sums).max())
    return float(brentq(lambda edge: _crossing(edge, sums, mass, step) - allowed, least, most))


@lru_cache(maxsize=64)
def _gauss(count: int) -> tuple[Floats, Floats]:
    points, weights = leggauss(count)
    return points, weights


def _counts(rule: Rule) -> NDArray[np.int64]:
    return np.arange(rule.min_pairs, rule.max_pairs + 1)


def _predicted(rule: Rule, z: Floats, n: NDArray[np.int64]) -> Floats:
    """The predictive probability of a win or a loss at `max_pairs`, the effect being as uncertain as the data leave it.

    (Spiegelhalter, Freedman & Blackburn 1986, with a flat prior.) Unlike conditional power at the observed
    effect, it does not give up on what a few pairs happened to show.
    """
    final = float(boundaries(rule.alpha, rule.min_pairs, rule.max_pairs)[-1])
    towards = z * np.sqrt(rule.max_pairs / n)
    deviation = np.sqrt(np.maximum(rule.max_pairs - n, 0.5) / n)
    return np.asarray(ndtr((towards - final) / deviation) + ndtr((-towards - final) / deviation))


def _look(seen: Trace, index: int) -> Look:
    """One look of the only experiment of a trace."""
    sign, low, high = int(seen.sign[0, index]), float(seen.low[0, index]), float(seen.high[0, index])
    decision: Decision = "win" if sign > 0 else "loss" if sign < 0 else "futile" if seen.stop[0, index] else "open"
    return Look(
        n=int(seen.counts[index]),
        mean=float(seen.mean[0, index]),
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        decision=decision,
    )
