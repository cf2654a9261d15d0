"""Paired comparisons agree with published results, say what they do not know, and never warn."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.errors import InvalidInput
from vpgen.lab.statistics import holm, paired

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Cross- less self-fertilised maize, eighths of an inch (Darwin 1876), with which Fisher showed the test in 1935."""

measured = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=9)
p_values = st.lists(st.floats(0, 1), max_size=12)


def test_the_test_is_fishers() -> None:
    """All 2^15 sign flips of Darwin's maize: 863 sums are as large as the observed one (Fisher 1935), on either side."""
    result = paired(DARWIN, [0.0] * 15)
    assert result.p_value == pytest.approx(2 * 863 / 2**15, abs=1e-12)
    assert result.mean == pytest.approx(314 / 15)
    assert result.effect == pytest.approx(0.5546, abs=1e-4)
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0 < result.mean < result.high


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly() -> None:
    """A report that is made again says the same."""
    first, again, other = (paired(DARWIN, [0.0] * 15, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=1)


def test_more_confidence_is_a_wider_interval() -> None:
    """At 80 % Darwin's maize differs, at 99 % it may not."""
    wide, narrow = (paired(DARWIN, [0.0] * 15, confidence=confidence) for confidence in (0.99, 0.8))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < 0 < narrow.low


def test_too_few_pairs_have_no_interval() -> None:
    """Five pairs that agree are a coincidence once in sixteen: no 95 % interval, but an 80 % one."""
    five = paired([1, 2, 3, 4, 5], [0] * 5)
    assert (five.low, five.high) == (None, None)
    assert five.p_value == pytest.approx(1 / 16)
    assert paired([1, 2, 3, 4, 5], [0] * 5, confidence=0.8).low is not None
    one = paired([2.0], [1.5])
    assert (one.n, one.mean, one.low, one.high, one.p_value, one.effect) == (1, 0.5, None, None, None, None)


def test_equal_differences_have_no_effect_size_and_the_p_value_of_a_coin() -> None:
    """Nothing varies: the interval is a point, d_z is unknown, and ten of ten is a coincidence once in 512."""
    result = paired([1.1 + case for case in range(10)], [1.0 + case for case in range(10)])
    assert result.mean == pytest.approx(0.1)
    assert result.low == result.high == result.mean
    assert result.effect is None
    assert result.p_value == pytest.approx(2 / 2**10)


def test_ties_only_are_no_difference() -> None:
    """The same values on both sides: p is 1."""
    result = paired([0.5] * 8, [0.5] * 8)
    assert (result.mean, result.low, result.high, result.p_value, result.effect) == (0, 0, 0, 1, None)


@pytest.mark.parametrize(
    ("challenger", "baseline", "confidence", "message"),
    [
        ([], [], 0.95, "no pair"),
        ([1.0], [1.0, 2.0], 0.95, "cannot be paired"),
        ([math.nan], [1.0], 0.95, "finite"),
        ([math.inf], [math.inf], 0.95, "finite"),
        ([1.0], [1.0], 1.0, "between 0 and 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    challenger: list[float], baseline: list[float], confidence: float, message: str
) -> None:
    """Nothing is dropped or padded in silence."""
    with pytest.raises(InvalidInput, match=message) as refused:
        paired(challenger, baseline, confidence=confidence)
    assert refused.value.remedy


@settings(max_examples=60, deadline=None)
@given(measured)
def test_swapping_the_variants_mirrors_the_comparison(values: list[float]) -> None:
    """Challenger against baseline is baseline against challenger with the other sign; and no sample warns."""
    zero = [0.0] * len(values)
    there, back = paired(values, zero), paired(zero, values)
    assert (back.n, back.mean, back.p_value) == (there.n, -there.mean, there.p_value)
    assert back.effect == (None if there.effect is None else -there.effect)
    assert (back.low is None) == (there.low is None)
    if there.low is not None and there.high is not None:
        assert there.low <= there.high
        # The two tails of a bootstrap are drawn separately, so they are alike, not the same.
        assert back.low == pytest.approx(-there.high, abs=0.2 * (max(values) - min(values)) + 1e-9)


def test_holms_example() -> None:
    """Holm (1979), as multcomp and statsmodels compute it: 0.01, 0.04, 0.03, 0.005 of four."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(p_values)
def test_holm_lies_between_the_raw_values_and_bonferronis(values: list[float]) -> None:
    """Never below the raw value nor above Bonferroni's, in the same order, the smallest exactly Bonferroni's."""
    adjusted = holm(values)
    for raw, found in zip(values, adjusted, strict=True):
        assert raw <= found <= min(1, raw * len(values)) + 1e-12
    assert [found for _, found in sorted(zip(values, adjusted, strict=True))] == sorted(adjusted)
    if values:
        assert min(adjusted) == min(1, min(values) * len(values))
