"""The stopping rule keeps its alpha, saves pairs, and its looks behave as arithmetic says they must.

`pytest -s` prints the simulated figures.
"""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.sequential import NULLS, fixed_pairs, simulate
from vpgen.errors import InvalidInput
from vpgen.lab.sequential import Look, Rule, boundaries, decide, look, trace

RULE = Rule(min_pairs=6, max_pairs=40)
# Whole numbers, so that mirrored and scaled sums are the same to the last bit.
differences = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=45)


def _tell(line: str) -> None:
    """What was simulated, for `pytest -s`."""
    sys.stdout.write(line + "\n")


@pytest.mark.parametrize("name", NULLS)
def test_two_thousand_null_experiments_keep_alpha(name: str) -> None:
    """No true difference, a look after every pair: at most alpha declare one, and no tolerance is asked for."""
    found = simulate(RULE, NULLS[name](np.random.default_rng(2026), (2000, 40)))
    _tell(f"{name}: {found.decided:.2%} false positives of 2,000 at alpha 5 %, {found.pairs:.1f} pairs on average")
    assert found.decided <= RULE.alpha


@pytest.mark.parametrize("name", NULLS)
def test_alpha_is_kept_without_futility_and_not_by_luck(name: str) -> None:
    """Twenty thousand experiments, whose standard error is 0.15 %, and crossings counted as if futility never stopped one."""
    found = simulate(RULE, NULLS[name](np.random.default_rng(7), (20_000, 40)))
    assert found.decided <= found.crossed <= RULE.alpha


@pytest.mark.parametrize(
    ("first", "last", "alpha"), [(2, 20, 0.05), (6, 12, 0.05), (6, 100, 0.05), (10, 40, 0.1), (12, 60, 0.01)]
)
def test_other_rules_keep_their_alpha_too(first: int, last: int, alpha: float) -> None:
    """Fewer or more pairs, a stricter or a looser alpha: normal differences, heavy tails, and better-or-worse."""
    rule = Rule(alpha=alpha, min_pairs=first, max_pairs=last)
    for name in ("normal", "student t, 3 df", "better or worse"):
        found = simulate(rule, NULLS[name](np.random.default_rng(11), (10_000, last)))
        # Better-or-worse spends all of alpha, so one in a hundred simulations may come to this much more.
        assert found.crossed <= alpha + 2.33 * math.sqrt(alpha * (1 - alpha) / 10_000), name


def test_pairs_are_saved_at_the_same_power() -> None:
    """Against a t-test on a fixed number of pairs with the same power: the mean number of pairs that are bought."""
    found = {
        effect: simulate(RULE, np.random.default_rng(5).normal(effect, 1, (4000, 40)))
        for effect in (0.0, 0.5, 0.6, 0.8)
    }
    fixed = {effect: fixed_pairs(effect, found[effect].wins, RULE.alpha) for effect in (0.5, 0.6, 0.8)}
    saved = {effect: 1 - found[effect].pairs / pairs for effect, pairs in fixed.items()}
    for effect, pairs in fixed.items():
        _tell(
            f"d_z {effect}: power {found[effect].wins:.1%}, {found[effect].pairs:.1f} pairs on average, "
            f"fixed design {pairs}: {saved[effect]:.0%} saved"
        )
    _tell(f"no difference: {found[0.0].pairs:.1f} pairs against the {fixed[0.5]} of the design for d_z 0.5")
    assert found[0.5].wins > 0.75
    assert saved[0.5] > 0.08
    assert saved[0.6] > 0.15
    assert saved[0.8] > 0.3
    assert found[0.0].pairs < 0.8 * fixed[0.5]


def test_all_intervals_together_cover_the_truth() -> None:
    """The true mean, here 3, is inside every interval of an experiment in 95 % of experiments, stop as one may."""
    for index, name in enumerate(("normal", "student t, 3 df", "lognormal, σ 0.5")):
        seen = trace(RULE, 3 + NULLS[name](np.random.default_rng(index), (20_000, 40)))
        covered = ((seen.low <= 3) & (seen.high >= 3)).all(axis=1).mean()
        assert covered >= 1 - RULE.alpha, name


def test_boundaries_are_lan_and_demets() -> None:
    """Normal differences, by simulation: what has crossed by n pairs is at most alpha·(n / 40)², and most of it is used."""
    bound = boundaries(0.05, 6, 40)
    assert bound[-1] > 1.96
    sums = np.random.default_rng(3).normal(size=(200_000, 40)).cumsum(axis=1)[:, 5:]
    crossed = np.logical_or.accumulate(np.abs(sums) > bound * np.sqrt(np.arange(6, 41)), axis=1).mean(axis=0)
    allowed = 0.05 * (np.arange(6, 41) / 40) ** 2
    assert (crossed <= allowed + 4 * np.sqrt(allowed / 200_000)).all()
    assert crossed[-1] > 0.04
    single = boundaries(0.05, 100, 100)
    assert 1.96 <= single[0] <= 1.96 + 2 / math.sqrt(100)  # rounded up to what a sum of ±1 can be


def test_a_clear_winner_stops_early_and_says_so() -> None:
    """Twelve pairs of a large effect are enough; the interval excludes zero."""
    found = look(RULE, [0.2 + 0.01 * (index % 3) for index in range(40)])
    assert found.decision == "win"
    assert 11 <= found.n <= 14
    assert found.low is not None
    assert 0 < found.low < found.mean


def test_equal_differences_win_once_agreement_is_no_coincidence() -> None:
    """Zero variance: eleven pairs of 0.1 are a win, six are not yet, and the interval is the point they agree on."""
    looks = decide(RULE, [0.1] * 40)
    assert [seen.decision for seen in looks] == ["open"] * 10 + ["win"]
    assert looks[5].low is None
    assert looks[-1] == Look(n=11, mean=0.1, low=0.1, high=0.1, decision="win")
    # 1.1 - 1.0 and the like are not all the same number, and are all the same difference.
    assert len(decide(RULE, [(case + 0.1) - case for case in range(40)])) == 11


def test_ties_only_are_futile() -> None:
    """Nothing but ties: a decision by the end is soon hopeless, and it is neither a win nor a loss."""
    found = look(RULE, [0.0] * 40)
    assert found.decision == "futile"
    assert found.n < 25
    assert found.mean == 0


def test_a_difference_smaller_than_the_margin_is_futile() -> None:
    """What is certain to be within the margin is not worth more pairs, however few there were."""
    tiny = [0.001, -0.001] * 20
    without, with_margin = look(RULE, tiny), look(RULE.model_copy(update={"margin": 0.05}), tiny)
    assert without.decision == with_margin.decision == "futile"
    assert with_margin.n < without.n
    assert with_margin.low is not None
    assert with_margin.high is not None
    assert -0.05 < with_margin.low < with_margin.high < 0.05


def test_the_last_pair_always_decides() -> None:
    """At `max_pairs` there is no further look: what is not won or lost is futile."""
    for seed in range(50):
        looks = decide(RULE, list(np.random.default_rng(seed).normal(0.3, 1, 60)))
        assert looks[-1].decision != "open"
        assert looks[-1].n <= 40


def test_before_the_first_look_nothing_is_said() -> None:
    """Fewer pairs than `min_pairs`: open, without an interval, however large the difference."""
    found = look(RULE, [1000.0] * 5)
    assert found == Look(n=5, mean=1000, low=None, high=None, decision="open")


@pytest.mark.parametrize("bad", [[], [math.nan], [0.1, math.inf]])
def test_what_is_no_number_is_refused(bad: list[float]) -> None:
    """A failed trial has to be given a value by the caller."""
    with pytest.raises(InvalidInput) as refused:
        look(RULE, bad)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_pairs": 6, "max_pairs": 5}, "less than min_pairs"),
        ({"min_pairs": 2, "max_pairs": 5}, "can decide nothing at alpha 0.05.*6 or more"),
        ({"min_pairs": 2, "max_pairs": 6, "alpha": 0.01}, "can decide nothing at alpha 0.01.*8 or more"),
        ({"min_pairs": 1, "max_pairs": 40}, "min_pairs"),
        ({"min_pairs": 6, "max_pairs": 40, "alpha": 0}, "alpha"),
        ({"min_pairs": 6, "max_pairs": 40, "margin": -1}, "margin"),
    ],
)
def test_a_rule_that_cannot_decide_is_refused(values: dict[str, float], message: str) -> None:
    """The message says how many pairs it takes, and with so many it is accepted."""
    with pytest.raises(ValidationError, match=message):
        Rule.model_validate(values)


@pytest.mark.parametrize(("alpha", "least"), [(0.05, 6), (0.01, 8), (0.1, 5)])
def test_the_least_rule_decides_when_all_agree(alpha: float, least: int) -> None:
    """The number that the message names is enough."""
    rule = Rule(alpha=alpha, min_pairs=least, max_pairs=least)
    assert look(rule, [1.0] * least).decision == "win"
    assert look(rule, [-1.0] * least).decision == "loss"


@given(differences)
def test_swapping_the_variants_mirrors_the_look(values: list[float]) -> None:
    """Every look of baseline against challenger is the other's, upside down."""
    mirrored = {"win": "loss", "loss": "win", "futile": "futile", "open": "open"}
    for there, back in zip(decide(RULE, values), decide(RULE, [-value for value in values]), strict=True):
        assert (back.n, back.mean, back.decision) == (there.n, -there.mean, mirrored[there.decision])
        assert back.low == (None if there.high is None else -there.high)
        assert back.high == (None if there.low is None else -there.low)


@given(differences, st.integers(-300, 300))
def test_units_do_not_matter(values: list[float], power: int) -> None:
    """In a unit 2^power times as small, margin and all, each look says the same."""
    unit = 2.0**power
    rule = RULE.model_copy(update={"margin": 8.0})
    scaled = decide(rule.model_copy(update={"margin": 8.0 * unit}), [value * unit for value in values])
    for there, back in zip(decide(rule, values), scaled, strict=True):
        assert (back.n, back.decision) == (there.n, there.decision)
        assert back.mean == pytest.approx(there.mean * unit, abs=0)
        for bound, other in ((there.low, back.low), (there.high, back.high)):
            assert other == (None if bound is None else pytest.approx(bound * unit, rel=1e-12))


@given(st.lists(st.integers(-1000, 1000).map(float), min_size=6, max_size=40), st.integers(-1000, 1000))
def test_a_shift_shifts_mean_and_interval(values: list[float], shift: int) -> None:
    """Adding a constant to every difference adds it to the mean; and to the interval, but for what is plainly ±c or 0."""
    there, back = (trace(RULE, np.array([values]) + by) for by in (0, shift))
    assert back.mean == pytest.approx(there.mean + shift, abs=1e-9)
    if all(len({abs(value + by) for value in values[:6] if value + by}) > 1 for by in (0, shift)):
        assert back.low == pytest.approx(there.low + shift, abs=1e-6)
        assert back.high == pytest.approx(there.high + shift, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(differences)
def test_a_look_replays(values: list[float]) -> None:
    """Looking after every pair, or once at the end, tells the same story, and a decision is never undone."""
    looks = decide(RULE, values)
    assert [seen.n for seen in looks] == list(range(1, len(looks) + 1))
    assert all(seen.decision == "open" for seen in looks[:-1])
    for count in range(1, len(values) + 1):
        assert look(RULE, values[:count]) == looks[min(count, len(looks)) - 1]
    for seen in looks:
        assert (seen.decision == "win") == (seen.low is not None and seen.low > 0)
        assert (seen.decision == "loss") == (seen.high is not None and seen.high < 0)
