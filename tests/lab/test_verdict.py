"""The verdict is a pure function of the trials: gaps are waited for, failures count, several challengers share alpha."""

from pathlib import Path

import pandas as pd
import pytest
from lab.toys import toys

from vpgen.lab.definition import Experiment
from vpgen.lab.result import ALWAYS, frame_of
from vpgen.lab.verdict import judge
from vpgen.store.schema_lab import Trial

THREE = "  dark:\n  light: {stages: {score: {backend: toy, shade: 180}}}\n  grey: {stages: {score: {backend: toy, shade: 150}}}"


def _trial(pair: int, variant: str, bright: float | None, state: str = "completed", **numbers: float) -> Trial:
    values = {
        "numbers": {"accepted": float(state == "completed"), **numbers},
        "scales": {"bright": [True, 0, 1]},
        "skipped": {},
    }
    if bright is not None:
        values["numbers"]["bright"] = bright
    return Trial(
        experiment_id="toys-1",
        pair=pair,
        variant=variant,
        case=f"{pair:03d}",
        seed=0,
        state=state,
        values=values,
        clip_id=None,
        error=None,
    )


def _judged(experiment: Experiment, trials: list[Trial], **more: object):
    frame, scales = frame_of(experiment, trials, {})
    return judge(experiment, frame, scales, **more)  # type: ignore[arg-type]


def _pairs(count: int, gain: float = 0.1, variant: str = "light") -> list[Trial]:
    luck = [0.01 * (n % 5) for n in range(count)]
    return [
        _trial(n, name, 0.4 + luck[n] * (1 if name == "dark" else 0.7) + (gain if name == variant else 0))
        for n in range(count)
        for name in ("dark", variant)
    ]


def test_no_trial_is_no_verdict(tmp_path: Path) -> None:
    """Open, and it says so."""
    verdict = _judged(toys(tmp_path), [])
    assert (verdict.winner, verdict.stopped_for, verdict.open) == (None, "open", ("light",))
    assert "no pair to compare yet" in verdict.why


def test_a_pair_after_a_gap_waits_for_it(tmp_path: Path) -> None:
    """Judged as they come in, slow pairs would come late: what lies behind the gap does not count yet."""
    trials = _pairs(12)
    assert _judged(toys(tmp_path), trials).stopped_for == "win"
    gap = [trial for trial in trials if (trial.pair, trial.variant) != (3, "dark")]
    verdict = _judged(toys(tmp_path), gap)
    assert verdict.stopped_for == "open"
    assert verdict.standing("light").looks[-1].n == 3


def test_pairs_beyond_the_decision_do_not_undo_it(tmp_path: Path) -> None:
    """The first decision is final: later pairs that speak against it are not looked at."""
    few = _pairs(9)
    against = [_trial(n, name, 0.9 if name == "dark" else 0.1) for n in (9, 10, 11) for name in ("dark", "light")]
    assert _judged(toys(tmp_path), few).winner == "light"
    assert _judged(toys(tmp_path), few + against).winner == "light"


def test_a_variant_that_fails_loses(tmp_path: Path) -> None:
    """A failure is quality 0, not a missing pair."""
    trials = [trial for trial in _pairs(12) if trial.variant == "dark"]
    trials += [_trial(n, "light", None, "failed") for n in range(12)]
    verdict = _judged(toys(tmp_path), trials)
    assert verdict.standing("light").decision == "loss"
    assert "light is worse than dark" in verdict.why


def test_several_challengers_share_alpha(tmp_path: Path) -> None:
    """Each is tested at its share, and the better of two winners wins."""
    experiment = toys(tmp_path, variants=THREE)
    assert experiment.alpha_each == pytest.approx(0.025)
    trials = _pairs(12) + [t for t in _pairs(12, 0.2, "grey") if t.variant == "grey"]
    verdict = _judged(experiment, trials)
    assert {s.variant: s.decision for s in verdict.standings} == {"light": "win", "grey": "win"}
    assert verdict.winner == "grey"


def test_what_is_better_low_wins_by_being_lower(tmp_path: Path) -> None:
    """The rule looks at differences in the metric's good direction."""
    experiment = toys(
        tmp_path, decision="{metric: seconds, min_pairs: 6}", metrics="  bright: {weight: 1}\n  seconds: {}"
    )
    trials = [
        _trial(n, v, 0.5, seconds=(3.0 if v == "dark" else 1.0) + 0.01 * (n % 3))
        for n in range(12)
        for v in ("dark", "light")
    ]
    assert _judged(experiment, trials).winner == "light"


@pytest.mark.parametrize(("limit", "broken"), [(2.0, True), (4.0, False)])
def test_a_limit_holds_in_the_metrics_direction(tmp_path: Path, limit: float, *, broken: bool) -> None:
    """Seconds may not be above it, and the sentence says by how much they are."""
    experiment = toys(tmp_path, metrics=f"  bright: {{weight: 1}}\n  seconds: {{limit: {limit}}}")
    trials = _pairs(12)
    for trial in trials:
        trial.values["numbers"]["seconds"] = 3.0
    verdict = _judged(experiment, trials)
    assert bool(verdict.standing("light").breaches) is broken
    assert (verdict.winner is None) is broken


@pytest.mark.parametrize("ended_by", ["budget", "interrupted"])
def test_why_it_was_stopped_is_said(tmp_path: Path, ended_by: str) -> None:
    """An end before the answer is not an answer."""
    verdict = _judged(toys(tmp_path), _pairs(3), ended_by=ended_by)
    assert verdict.stopped_for == ended_by
    assert verdict.winner is None
    assert "stopped" in verdict.why


def test_votes_are_a_metric(tmp_path: Path) -> None:
    """The baseline is 0 where people compared it; what nobody rated is missing, not 0."""
    experiment = toys(tmp_path, decision="{metric: votes, min_pairs: 6}", metrics="  bright: {weight: 1}\n  votes: {}")
    trials = _pairs(12)
    frame, scales = frame_of(experiment, trials, {(n, "light"): 1.0 for n in range(11)})
    assert set(frame.loc[(frame["variant"] == "dark") & (frame["pair"] < 11), "votes"]) == {0.0}
    assert frame.loc[frame["pair"] == 11, "votes"].isna().all()
    assert judge(experiment, frame, scales).winner == "light"


def test_a_pair_that_nobody_has_rated_is_waited_for(tmp_path: Path) -> None:
    """Votes on later pairs do not count before it: the order of pairs is the planned one, not that of the votes."""
    experiment = toys(tmp_path, decision="{metric: votes, min_pairs: 6}")
    trials = _pairs(12)
    for trial in trials:
        trial.clip_id = f"preview-{trial.variant}-{trial.pair}"
    liked = {(n, "light"): 1.0 for n in range(12) if n != 3}
    frame, scales = frame_of(experiment, trials, liked)
    verdict = judge(experiment, frame, scales)
    assert verdict.winner is None
    assert verdict.standing("light").looks[-1].n == 3
    assert "vpgen rate" in judge(experiment, *frame_of(experiment, trials, {})).why


def test_a_guard_rail_that_nobody_measured_is_not_kept(tmp_path: Path) -> None:
    """Unknown is not good."""
    experiment = toys(tmp_path, metrics="  bright: {weight: 1}\n  seconds: {limit: 9}")
    verdict = _judged(experiment, _pairs(12))
    assert verdict.winner is None
    assert "seconds, a guard rail, was not measured" in verdict.why


def test_quality_weighs_over_ranges(tmp_path: Path) -> None:
    """Each from 0 to 1 over its range, clipped, turned round where lower is better."""
    metrics = "  bright: {weight: 3, range: [0.2, 0.6]}\n  seconds: {weight: 1, range: [0, 10]}"
    experiment = toys(tmp_path, metrics=metrics)
    frame, _ = frame_of(experiment, [_trial(0, "dark", 0.5, seconds=4.0), _trial(0, "light", 0.9, seconds=20.0)], {})
    assert frame["quality"].tolist() == pytest.approx([(3 * 0.75 + 0.6) / 4, 3 / 4])
    assert set(ALWAYS) <= set(frame.columns)
    assert isinstance(frame, pd.DataFrame)
