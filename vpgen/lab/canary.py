"""The canary: the first clips of a new champion in production, and what ends it before harm is done. Pure functions.

Noise does not end a canary: every test is one-sided and looks again after each clip, so its share of `alpha` is spent
over the looks, alpha / (k (k + 1)) at the k-th, which together is never more than alpha. `failures` against the allowed
share is looked at when the k-th clip fails, when the evidence is strongest, and holds alpha exactly; the comparisons
with the old champion's clips hold it in simulation (tests/lab/test_canary.py), since those clips go on meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from vpgen.clip import Value
from vpgen.errors import InvalidInput
from vpgen.money.prices import dollars

_TESTS = 4
"""Which share alpha: failures (allowed, and against the champion), seconds, quality."""
_FIRST_QUALITY_LOOK = 5
"""Clips of each; then at every doubling."""


class Limits(Value):
    """What ends a canary: see configs/gate.yaml. `seconds`: a clip that takes longer is slow."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    failures: Annotated[float, Field(gt=0, lt=1)] = 0.1
    usd_per_accepted: Annotated[Decimal, Field(gt=0)] = Decimal("2.00")
    seconds: Annotated[float, Field(gt=0)] = 300.0
    slow: Annotated[float, Field(gt=0, lt=1)] = 0.05
    quality_margin: Annotated[float, Field(ge=0)] = 0.05
    min_clips: Annotated[int, Field(ge=1)] = 3


class Canary(Value):
    """How much of production tries the new champion: the first `clips`, or a `percent` of them. One of the two."""

    clips: Annotated[int, Field(ge=1)] | None = None
    percent: Annotated[float, Field(gt=0, lt=100)] | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _one(self) -> Canary:
        if (self.clips is None) == (self.percent is None):
            raise ValueError("a canary is a number of clips, or a percentage of them")
        return self

    def __str__(self) -> str:
        return f"the first {self.clips} clip(s)" if self.clips else f"{self.percent:g} % of the clips"


@dataclass(frozen=True)
class Outcome:
    """What came of one clip. None: not known (a failed clip has no quality); `seconds` and `usd` of failures count."""

    completed: bool
    seconds: float | None = None
    usd: Decimal | None = None
    quality: float | None = None
    """0..1."""


def parse(text: str, limits: Limits) -> Canary:
    """Reads "10" as ten clips, "20%" as a fifth of them. Raises InvalidInput."""
    found = re.fullmatch(r"(\d{1,6})|(\d{1,2}(?:\.\d+)?) ?%", text.strip())
    if found and found[1] and int(found[1]):
        return Canary(clips=int(found[1]), limits=limits)
    if found and found[2] and float(found[2]):
        return Canary(percent=float(found[2]), limits=limits)
    raise InvalidInput(f"{text[:40]!r} is no canary", remedy="Say 10 for ten clips, or 20% for a fifth of them")


def breach(limits: Limits, canary: Sequence[Outcome], champion: Sequence[Outcome]) -> str | None:
    """Why the canary must be taken back, in a sentence; None while there is no reason.

    Outcomes of both in the order in which they ended; call it after every one. Failed and refused clips are outcomes.
    """
    for guard in (_failures, _cost, _seconds, _quality):
        if reason := guard(limits, canary, champion):
            return reason
    return None


def _failures(limits: Limits, canary: Sequence[Outcome], champion: Sequence[Outcome]) -> str | None:
    from scipy.special import bdtrc  # half a second to import, and most batches have no canary
    from scipy.stats import hypergeom

    theirs = sum(not one.completed for one in champion)
    failed = 0
    for tried, one in enumerate(canary, start=1):
        if one.completed:
            continue
        failed += 1
        alpha = _spent(limits, failed)
        said = f"{failed} of its first {tried} clips failed"
        chance = float(bdtrc(failed - 1, tried, limits.failures))  # so many or more
        if chance <= alpha:
            return f"{said}, and {limits.failures:.0%} may (by accident: {_odds(chance)})"
        if champion and failed / tried > theirs / len(champion):  # Fisher's exact test
            chance = float(hypergeom.sf(failed - 1, tried + len(champion), failed + theirs, tried))
            if chance <= alpha:
                return f"{said}, of the old champion's {theirs} of {len(champion)} (by accident: {_odds(chance)})"
    return None


def _cost(limits: Limits, canary: Sequence[Outcome], champion: Sequence[Outcome]) -> str | None:
    """A hard limit: money that is gone is no noise. Until `min_clips` are accepted, it is as if they were."""
    if len(canary) < limits.min_clips:
        return None
    unknown = sum(one.usd is None for one in canary)
    if unknown and all(one.usd is not None for one in champion):
        return f"what {unknown} of its {len(canary)} clips cost is unknown"
    accepted = max(sum(one.completed for one in canary), limits.min_clips)
    each = sum((one.usd for one in canary if one.usd is not None), Decimal(0)) / accepted
    if each > limits.usd_per_accepted:
        return f"it costs {dollars(each)} USD per accepted clip, and {limits.usd_per_accepted:.2f} is the limit"
    return None


def _seconds(limits: Limits, canary: Sequence[Outcome], champion: Sequence[Outcome]) -> str | None:  # noqa: ARG001
    """Too many slow clips: a p95 over the limit, as far as so few can show it."""
    from scipy.special import bdtrc

    slow = tried = 0
    for one in canary:
        tried += one.seconds is not None
        if one.seconds is None or one.seconds <= limits.seconds:
            continue
        slow += 1
        chance = float(bdtrc(slow - 1, tried, limits.slow))
        if chance <= _spent(limits, slow):
            return (
                f"{slow} of its first {tried} clips took longer than {limits.seconds:g} s, and {limits.slow:.0%} may "
                f"(by accident: {_odds(chance)})"
            )
    return None


def _quality(limits: Limits, canary: Sequence[Outcome], champion: Sequence[Outcome]) -> str | None:
    """Worse than the old champion's clips by more than the margin: other stories, so a rank test of two samples."""
    from scipy.stats import mannwhitneyu

    ours = [one.quality for one in canary if one.quality is not None]
    theirs = [one.quality for one in champion if one.quality is not None]
    number, looks = _FIRST_QUALITY_LOOK, 1
    while len(ours) >= number and len(theirs) >= _FIRST_QUALITY_LOOK:
        worse = sum(theirs) / len(theirs) - sum(ours[:number]) / number
        shifted = [value + limits.quality_margin for value in ours[:number]]
        chance = (
            float(mannwhitneyu(shifted, theirs, alternative="less").pvalue) if worse > limits.quality_margin else 1.0
        )
        if chance <= _spent(limits, looks):
            return (
                f"its quality is worse than the old champion's by {worse:.3f} ({number} clips against {len(theirs)}), "
                f"and {limits.quality_margin:g} is allowed (by accident: {_odds(chance)})"
            )
        number, looks = number * 2, looks + 1
    return None


def _spent(limits: Limits, look: int) -> float:
    """The share of alpha for the k-th look of one test; all of them together are its share."""
    return limits.alpha / _TESTS / (look * (look + 1))


def _odds(chance: float) -> str:
    return f"once in {1 / chance:,.0f}" if chance > 1e-9 else "never"
