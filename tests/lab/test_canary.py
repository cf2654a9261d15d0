"""The canary's guard rails: quiet on noise, quick on harm."""

from decimal import Decimal

import numpy as np
import pytest

from vpgen.errors import InvalidInput
from vpgen.lab.canary import Canary, Limits, Outcome, breach, parse

LIMITS = Limits(seconds=300)
CENT = Decimal("0.01")
GOOD = Outcome(completed=True, seconds=20.0, usd=CENT, quality=0.7)
BAD = Outcome(completed=False, seconds=5.0, usd=CENT)


def test_a_canary_is_some_clips_or_a_share_of_them() -> None:
    """As one types it, and in words; nothing else is one."""
    assert str(parse("10", LIMITS)) == "the first 10 clip(s)"
    assert str(parse(" 12.5 % ", LIMITS)) == "12.5 % of the clips"
    for text in ("0", "0%", "100%", "-3", "ten", "10 clips", "", "1e3", "../x"):
        with pytest.raises(InvalidInput, match="is no canary"):
            parse(text, LIMITS)
    with pytest.raises(ValueError, match="a number of clips, or a percentage"):
        Canary(clips=3, percent=3)


def batch(rng: np.random.Generator, clips: int, *, failing: float, slow: float, quality: float) -> list[Outcome]:
    """Clips that fail, dawdle and please by chance."""
    return [
        Outcome(
            completed=bool(rng.random() >= failing),
            seconds=301.0 if rng.random() < slow else 20.0,
            usd=CENT,
            quality=float(np.clip(rng.normal(quality, 0.1), 0, 1)),
        )
        for _ in range(clips)
    ]


def ends(canary: list[Outcome], champion: list[Outcome]) -> str | None:
    """Asked after every clip, as a batch does it: the two go on side by side."""
    for done in range(1, len(canary) + 1):
        if reason := breach(LIMITS, canary[:done], champion[: done * 4]):
            return reason
    return None


def test_noise_does_not_end_a_canary() -> None:
    """As good as the champion, at the edge of what is allowed, asked after every clip: taken back in alpha at most."""
    rng = np.random.default_rng(7)
    edge = {"failing": 0.1, "slow": 0.05, "quality": 0.7}
    batches = 300
    alarms = sum(ends(batch(rng, 20, **edge), batch(rng, 80, **edge)) is not None for _ in range(batches))
    assert alarms / batches <= LIMITS.alpha, f"{alarms} of {batches}"


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        ({"failing": 0.7}, "clips failed"),
        ({"slow": 0.7}, "took longer than 300 s"),
        ({"quality": 0.4}, "quality is worse"),
    ],
)
def test_harm_ends_it_soon(harm: dict[str, float], word: str) -> None:
    """Nine of ten canaries that fail, dawdle or displease are taken back within twenty clips, and it is said why."""
    rng = np.random.default_rng(11)
    usual = {"failing": 0.02, "slow": 0.01, "quality": 0.7}
    reasons = [ends(batch(rng, 20, **{**usual, **harm}), batch(rng, 80, **usual)) for _ in range(60)]
    assert sum(word in (reason or "") for reason in reasons) >= 54


def test_a_first_failure_is_no_reason_and_the_third_in_a_row_is() -> None:
    """What may happen by accident is told from what may not, also without the old champion's clips."""
    assert breach(LIMITS, [BAD], []) is None
    assert breach(LIMITS, [BAD, BAD], [GOOD] * 50) is not None  # of the old one's 50, none
    assert breach(LIMITS, [BAD, BAD], []) is None
    assert breach(LIMITS, [BAD, BAD, BAD], []) == (
        "3 of its first 3 clips failed, and 10% may (by accident: once in 1,000)"
    )
    assert breach(LIMITS, [BAD, BAD, BAD], [BAD] * 3) is not None  # both fail: the limit still holds


def test_money_has_a_hard_limit() -> None:
    """Per accepted clip, failed ones included, once there are three; an unknown price is not a price of 0."""
    dear = Outcome(completed=True, seconds=20.0, usd=Decimal("2.01"))
    assert breach(LIMITS, [dear, dear], []) is None
    assert breach(LIMITS, [dear, dear, dear], []) == "it costs 2.01 USD per accepted clip, and 2.00 is the limit"
    fair = Outcome(completed=True, seconds=20.0, usd=Decimal("1.50"))
    failed = Outcome(completed=False, seconds=20.0, usd=Decimal("2.50"))
    assert "per accepted clip" in str(breach(LIMITS, [fair, fair, fair, failed], []))
    unknown = Outcome(completed=True, seconds=20.0, usd=None)
    assert breach(LIMITS, [GOOD, GOOD, unknown], [GOOD]) == "what 1 of its 3 clips cost is unknown"
    assert breach(LIMITS, [GOOD, GOOD, unknown], [unknown]) is None  # the old one's is not known either


def test_nothing_ends_a_canary_that_has_not_begun() -> None:
    """No clip, no reason."""
    assert breach(LIMITS, [], [GOOD] * 10) is None
    assert breach(LIMITS, [GOOD] * 10, []) is None
