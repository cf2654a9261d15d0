"""Rankings hold to what is known of their method: on plain cases by hand, on many votes by the truth that made them."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from rated import film_experiment, prefer, rate

from vpgen.lab.ranking import agreement, directions, metric_agreement, rank, ranking
from vpgen.lab.votes import find_experiment, pairings
from vpgen.runtime import Runtime
from vpgen.store.schema_lab import Vote

FEW = 200
"""Resamples, where the interval is not what is looked at."""


def _contest(strengths: dict[str, float], pairs: int, seed: int = 0, ties: float = 0.0) -> list[Vote]:
    """Votes as Bradley-Terry's model makes them."""
    rng = np.random.default_rng(seed)
    cast = []
    for pair in range(pairs):
        for one, other in itertools.combinations(sorted(strengths), 2):
            wins = strengths[one] / (strengths[one] + strengths[other])
            better, worse = (one, other) if rng.random() < wins else (other, one)
            cast.append(prefer(better, worse, pair, choice="tie" if rng.random() < ties else None))
    return cast


def test_two_variants_are_ranked_by_their_votes() -> None:
    """With two, the share is the wins and half the ties, drawn a little to the middle by one imagined tie."""
    cast = [prefer("warm", "plain", pair) for pair in range(7)]
    cast += [prefer("plain", "warm", 7), prefer("plain", "warm", 8, choice="tie")]
    cast += [prefer("plain", "warm", 9, choice="both-bad")]
    best, last = rank(cast)
    assert (best.variant, best.wins, best.losses, best.ties, best.both_bad) == ("warm", 7, 1, 1, 1)
    assert (last.variant, last.wins, last.losses, last.ties, last.both_bad) == ("plain", 1, 7, 1, 1)
    assert best.share == pytest.approx((7 + 0.5 + 0.5) / 10, abs=1e-3)
    assert best.low is not None
    assert best.high is not None
    assert 0.4 < best.low < best.share < best.high < 1
    assert best.strength == pytest.approx(-(last.strength or 0))


def test_a_few_votes_that_all_say_the_same_are_not_certainty() -> None:
    """Five of five leave an interval that is wide, and nothing is infinite."""
    best, last = rank([prefer("warm", "plain", pair) for pair in range(5)])
    assert best.share is not None
    assert best.low is not None
    assert best.share < 1
    assert best.low < 0.7
    assert last.high is not None
    assert last.high > 0.3


def test_the_truth_is_found_again_and_lies_in_the_intervals() -> None:
    """Four variants of known strength, 150 pairs: the order and the shares come back."""
    strengths = {"a": 4.0, "b": 2.0, "c": 1.0, "d": 0.5}
    found = {row.variant: row for row in rank(_contest(strengths, 150), resamples=FEW)}
    assert list(found) == ["a", "b", "c", "d"]
    for name, row in found.items():
        truth = sum(strengths[name] / (strengths[name] + other) for key, other in strengths.items() if key != name) / 3
        assert row.low is not None
        assert row.high is not None
        assert row.low - 0.02 <= truth <= row.high + 0.02
        assert row.high - row.low < 0.15


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Eighty experiments of 25 pairs with a true share of 0.7, and ties: at least nine in ten intervals hold it."""
    held = 0
    for seed in range(80):
        row = next(row for row in rank(_contest({"a": 7.0, "b": 3.0}, 25, seed), resamples=FEW) if row.variant == "a")
        assert row.low is not None
        assert row.high is not None
        held += row.low <= 0.7 <= row.high
    assert held >= 72


def test_votes_on_one_pair_hang_together() -> None:
    """Ten people on four pairs are not forty independent votes: the interval stays wide."""
    together = [
        prefer(*(("warm", "plain") if pair % 2 else ("plain", "warm")), pair, f"rater {number}")
        for pair in range(4)
        for number in range(10)
    ]
    best = rank(together)[0]
    assert best.low is not None
    assert best.high is not None
    assert best.high - best.low > 0.6


def test_who_was_not_rated_has_no_share() -> None:
    """Unknown is not a half: a variant without a counted vote comes last, with its both-bad votes."""
    rows = rank([prefer("warm", "plain"), prefer("cold", "plain", choice="both-bad")], ["cold", "plain", "warm", "new"])
    assert [row.variant for row in rows] == ["warm", "plain", "cold", "new"]
    assert [row.share is None for row in rows] == [False, False, True, True]
    assert rows[2].both_bad == 1
    assert rank([]) == ()


def test_a_ranking_is_the_same_each_time() -> None:
    """Resampling draws the same numbers, and the order of the votes does not matter."""
    cast = _contest({"a": 2.0, "b": 1.0, "c": 1.0}, 20, ties=0.2)
    assert rank(cast, resamples=50) == rank(cast, resamples=50) == rank(cast[::-1], resamples=50)


def test_people_who_agree_agree() -> None:
    """Equal answers throughout: all the same, and alpha is 1; opposite ones: never, and alpha is below 0."""
    alike = [
        prefer(*(("a", "b") if pair % 2 else ("b", "a")), pair, rater) for pair in range(8) for rater in ("mina", "jun")
    ]
    found = agreement(alike)
    assert (found.raters, found.shared, found.same, found.alpha) == (2, 8, 1.0, 1.0)
    opposed = [prefer("a", "b", pair, "mina") for pair in range(8)] + [
        prefer("b", "a", pair, "jun") for pair in range(8)
    ]
    found = agreement(opposed)
    assert found.same == 0
    assert found.alpha is not None
    assert found.low is not None
    assert found.alpha < 0
    assert found.low <= found.alpha


def test_alpha_is_krippendorffs() -> None:
    """His own example of nominal data (two observers, ten units, alpha 0.095) comes out."""
    # Krippendorff (2011), section A: ten articles, two observers, binary, no missing data.
    answers = {"meg": "0100000000", "owen": "1110010010"}
    cast = [
        prefer(*(("a", "b") if mark == "1" else ("b", "a")), pair, rater)
        for rater, marks in answers.items()
        for pair, mark in enumerate(marks)
    ]
    assert agreement(cast).alpha == pytest.approx(0.095, abs=5e-4)


def test_agreement_that_cannot_be_said_is_not_a_number() -> None:
    """No clips in common; or nobody ever gave another answer, so that chance is not defined."""
    apart = agreement([prefer("a", "b", 0, "mina"), prefer("a", "b", 1, "jun")])
    assert (apart.shared, apart.same, apart.alpha) == (0, None, None)
    same = agreement([prefer("a", "b", 0, "mina"), prefer("a", "b", 0, "jun")])
    assert (same.shared, same.same, same.alpha, same.low) == (1, 1.0, None, None)


def test_a_metric_agrees_where_it_is_better_for_the_preferred_clip() -> None:
    """By its direction; equal values, split votes and values that are missing are no evidence."""
    values = {
        (pair, "a"): {"sharp": 2.0, "noise": 2.0, "flat": 1.0, "seconds": 9.0, "usd.api": 1.0} for pair in range(6)
    }
    values |= {
        (pair, "b"): {"sharp": 1.0, "noise": 1.0, "flat": 1.0, "seconds": 1.0, "usd.api": 0.5} for pair in range(6)
    }
    del values[4, "b"]["sharp"]
    cast = [prefer("a", "b", pair) for pair in range(3)] + [prefer("b", "a", 3), prefer("a", "b", 4)]
    cast += [prefer("a", "b", 5, "mina"), prefer("b", "a", 5, "jun"), prefer("a", "b", 0, "jun")]
    found = {row.metric: row for row in metric_agreement(cast, values, {"noise": False})}
    assert set(found) == {"sharp", "noise"}  # what eyes cannot see is left out, and so is what is always equal
    assert (found["sharp"].agrees, found["sharp"].n) == (3, 4)
    assert (found["noise"].agrees, found["noise"].n) == (1, 5)
    assert found["sharp"].low == pytest.approx(0.3006, abs=1e-3)  # Wilson's, of 3 in 4
    assert found["sharp"].high == pytest.approx(0.9544, abs=1e-3)


def test_an_experiments_ranking_reads_everything_from_the_tables(runtime: Runtime, tmp_path: Path) -> None:
    """Votes, variants, metrics and their directions, of real clips."""
    experiment_id = film_experiment(runtime, tmp_path, pairs=3)
    while rate(runtime.database, experiment_id, "mina"):
        pass
    experiment = find_experiment(runtime.database, "opening")
    found = ranking(runtime, experiment)
    assert (found.votes, found.rated, found.pairings) == (3, 3, 3)
    assert {row.variant for row in found.standings} == {"dark", "light"}
    assert "bright" in {row.metric for row in found.metrics}
    known = directions(runtime, experiment, pairings(runtime.database, experiment_id))
    assert known["bright"] is True
    with runtime.database.write() as session:
        row = session.merge(experiment)
        row.definition = {"metrics": {"bright": {"weight": 1.0, "higher_is_better": False}, "bytes": {"weight": 0.0}}}
    changed = find_experiment(runtime.database, "opening")
    assert directions(runtime, changed, pairings(runtime.database, experiment_id))["bright"] is False
