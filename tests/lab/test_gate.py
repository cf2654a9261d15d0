"""The gate: each clause with what lets a variant through and what does not, and the file that sets them."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from contenders import contest, serve_toys, shade
from lab_results import failed_trial, lab_trial

from vpgen.catalogue import Licence, Model, ModelPrice, Provider
from vpgen.config import PipelineConfig, StageChoice, load_config
from vpgen.errors import ConfigError
from vpgen.inheritance import shipped
from vpgen.lab.gate import Candidacy, Gate, check, load_gate
from vpgen.lab.result import Result
from vpgen.runtime import Runtime

TODAY = datetime.date(2026, 11, 25)
Judge = Callable[..., dict[str, tuple[bool, str]]]


@pytest.fixture
def result(runtime: Runtime, tmp_path: Path) -> Result:
    """An experiment that `neural` has won."""
    return contest(runtime, tmp_path)


@pytest.fixture
def judge(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """The clauses by name: passed or not, and the evidence."""
    serving = serve_toys(tmp_path, monkeypatch)

    def clauses(outcome: Result = result, variant: str = "neural", **more: Any) -> dict[str, tuple[bool, str]]:
        facts = {
            "gate": load_gate(), "champion": serving, "number": 0, "catalogue": {}, "territory": None,
            "today": TODAY,
        }  # fmt: skip
        found = check(Candidacy(result=outcome, variant=variant, **{**facts, **more}))
        return {clause.name: (clause.passed, clause.evidence) for clause in found}

    return clauses


def with_trials(result: Result, *trials: Any, state: str = "decided") -> Result:
    """The same experiment with other trials."""
    from lab_results import lab_result

    return lab_result(result.experiment, trials=list(trials), state=state)


def test_the_shipped_gate_is_no_pipeline_and_reads_as_its_defaults() -> None:
    """configs/gate.yaml says what the code would say, and is not offered as a config."""
    assert load_gate() == Gate()
    assert {"gate", "prices"}.isdisjoint(shipped())
    assert load_gate().limits("preview").seconds == 30
    assert load_gate().limits("final").seconds == 300


def test_every_problem_of_a_gate_file_has_its_line(tmp_path: Path) -> None:
    """Unknown keys with the nearest known one, wrong values with what is wrong, all at once."""
    path = tmp_path / "gate.yaml"
    path.write_text("pairs: 0\nqualty: {margin: 0.1}\ncanary:\n  alhpa: 0.1\nusd_per_accepted: free\n")
    with pytest.raises(ConfigError) as caught:
        load_gate(path)
    text = "\n".join(caught.value.problems)
    assert "gate.yaml:1: pairs: Input should be greater than or equal to 1 (got 0)" in text
    assert "gate.yaml:2: unknown key 'qualty'; did you mean 'quality'?" in text
    assert "gate.yaml:4: unknown key 'canary.alhpa'; did you mean 'alpha'?" in text
    assert "gate.yaml:5: usd_per_accepted:" in text
    path.write_text("- a\n")
    with pytest.raises(ConfigError, match=r"gate.yaml:1: a gate is a mapping"):
        load_gate(path)
    path.write_text("")
    assert load_gate(path) == Gate()


def test_a_clear_winner_passes_with_evidence(judge: Judge) -> None:
    """Every clause passes, each says on what."""
    found = judge()
    assert all(passed for passed, _ in found.values()), found
    assert "neural wins" in found["decision"][1]
    assert "over 8 pairs; the interval must end above -0.0200" in found["quality"][1]
    assert "USD per accepted clip, 2.00 may be" in found["cost"][1]
    assert "a final may take 300 s" in found["latency"][1]


def test_the_end_of_the_interval_counts_not_the_mean(result: Result, judge: Judge) -> None:
    """Better on average, but perhaps worse by more than the margin: not proven, so not passed."""
    trials = []
    for pair, difference in enumerate([0.3, -0.1, 0.25, -0.2, 0.2, -0.1, 0.2, -0.1]):
        for variant, quality in (("lanczos", 0.5), ("neural", 0.5 + difference)):
            trial = lab_trial(pair, variant)
            trial.values = {**trial.values, "numbers": {**trial.values["numbers"], "ssim": quality}}
            trials.append(trial)
    noisy = with_trials(result, *trials)
    difference = noisy.difference("neural", "quality")
    assert difference is not None
    assert difference.mean > 0 > difference.low
    assert judge(noisy)["quality"][0] is False
    assert judge(noisy, gate=Gate.model_validate({"quality": {"margin": 0.5}}))["quality"][0] is True


def test_an_experiment_that_is_not_over_or_not_won_does_not_pass(result: Result, judge: Judge) -> None:
    """Still running, stopped on the way, or the baseline stayed."""
    trials = [lab_trial(pair, variant) for pair in range(8) for variant in ("lanczos", "neural")]
    assert "is still running" in judge(with_trials(result, *trials, state="running"))["decision"][1]
    for state in ("running", "stopped"):
        assert judge(with_trials(result, *trials, state=state))["decision"][0] is False
    assert judge(variant="lanczos")["decision"][0] is False


def test_a_changed_definition_does_not_pass(judge: Judge, result: Result) -> None:
    """The file as it is now is another experiment than the one that was run."""
    assert judge(written=result.id)["definition"][0] is True
    passed, evidence = judge(written="contest-00000000")["definition"]
    assert not passed
    assert "says something else now: contest-00000000" in evidence


def test_it_must_have_been_compared_with_the_champion(judge: Judge, result: Result, tmp_path: Path) -> None:
    """A win over somebody else says nothing about the champion; whatever the champion is called, its stages count."""
    renamed = shade(tmp_path, 1).model_copy(update={"name": "production"})
    assert judge(champion=renamed, number=3)["champion"] == (True, "lanczos is champion 3 of final (production)")
    passed, evidence = judge(champion=shade(tmp_path, 9), number=3)["champion"]
    assert not passed
    assert "was not among the variants" in evidence


def test_the_champion_may_be_a_challenger_of_the_experiment(judge: Judge, result: Result, tmp_path: Path) -> None:
    """Then that is who counts, not the baseline: what beats the baseline may be worse than the champion."""
    variants = {**result.experiment.variants, "third": shade(tmp_path, 3)}
    experiment = result.experiment.model_copy(update={"variants": variants})
    from lab_results import lab_result

    three = lab_result(experiment)
    found = judge(three, variant="third", champion=shade(tmp_path, 2), number=1)
    assert "against neural over 8 pairs" in found["quality"][1]
    assert found["champion"][1].startswith("neural is champion 1")
    means = three.summary["quality"]
    assert f"{means['third'] - means['neural']:+.4f} [" in found["quality"][1]


def test_few_pairs_failures_and_what_was_not_measured_do_not_pass(result: Result, judge: Judge) -> None:
    """Enough pairs, most trials with a clip, and figures that are there: unknown is not zero."""
    few = with_trials(result, *(lab_trial(pair, variant) for pair in range(3) for variant in ("lanczos", "neural")))
    assert judge(few)["pairs"] == (False, "3 pairs with lanczos, 6 are needed")
    assert "3 pairs give no interval" in judge(few)["quality"][1]
    broken = with_trials(
        result,
        *(lab_trial(pair, "lanczos") for pair in range(8)),
        *(lab_trial(pair, "neural") for pair in range(6)),
        failed_trial(6, "neural", "failed", "no ink"),
        failed_trial(7, "neural", "refused", "no"),
    )
    assert judge(broken)["accepted"] == (False, "6 of 8 trials ended with a clip (75%), 90% must")
    nothing = judge(
        with_trials(result, *(failed_trial(pair, v, "failed", "x") for pair in range(8) for v in ("lanczos", "neural")))
    )
    assert {name for name, (passed, _) in nothing.items() if not passed} >= {"accepted", "cost", "latency", "decision"}
    assert "unknown" in nothing["cost"][1]
    empty = judge(with_trials(result))
    assert {name for name, (passed, _) in empty.items() if not passed} >= {
        "pairs",
        "quality",
        "accepted",
        "cost",
        "latency",
    }


def test_cost_and_latency_have_limits_of_the_profile(judge: Judge, result: Result) -> None:
    """What a final may take is not what a preview may take."""
    dear = judge(gate=Gate(usd_per_accepted=Decimal("0.03")))["cost"]
    assert dear[0] is False
    assert "0.03 may be" in dear[1]
    assert judge(gate=Gate.model_validate({"seconds_p95": {"final": 20}}))["latency"][0] is False
    preview = result.experiment.model_copy(update={"kind": "preview"})
    from lab_results import lab_result

    assert "a preview may take 30 s" in judge(lab_result(preview))["latency"][1]


def bought(config: PipelineConfig, model: str, **more: Any) -> PipelineConfig:
    """The config with an animation by the provider `acme`."""
    choice = StageChoice(backend="acme", version="1", params={"model": model}, **more)
    return config.model_copy(update={"stages": {**config.stages, "animate": choice}})


def acme(**models: dict[str, Any]) -> dict[str, Provider]:
    price = ModelPrice(usd=Decimal("0.1"), per="second", source="s", date=TODAY)
    common = {"stages": ("animate",), "endpoint": "e", "price": price, "verified": "sdk"}
    own = {"licence": Licence(name="terms")}
    offered = {name: Model.model_validate({**common, **own, **fields}) for name, fields in models.items()}
    return {"acme": Provider(name="Acme", url="https://a.test", key="K", docs="d", checked=TODAY, models=offered)}


def variant_of(result: Result, config: PipelineConfig) -> Result:
    from lab_results import lab_result

    variants = {**result.experiment.variants, "neural": config}
    return lab_result(result.experiment.model_copy(update={"variants": variants}))


def test_shorter_or_smaller_clips_than_production_delivers_do_not_pass(judge: Judge, result: Result) -> None:
    """What was tested on two seconds says nothing of the cost and latency of six."""
    passed, said = judge()["delivery"]
    assert passed, said
    passed, said = judge(champion=load_config("animatic"))["delivery"]
    assert not passed
    assert "seconds 1 s instead of 6 s" in said
    assert "final 64x64 at 4 fps instead of 1920x1080 at 24 fps" in said


def test_models_that_end_or_are_unknown_do_not_pass(judge: Judge, result: Result) -> None:
    """Retired, about to be, or in no catalogue; also when it would only take over from another."""
    config = result.experiment.variants["neural"]
    offers = acme(
        old={"retires": TODAY, "successor": "new"},
        ending={"retires": TODAY + datetime.timedelta(days=10)},
        new={"retires": TODAY + datetime.timedelta(days=100)},
    )
    for model, said in (
        ("old", "acme/old was retired on 2026-11-25 (use new)"),
        ("ending", "acme/ending is retired on 2026-12-05"),
        ("lost", "acme/lost is not in the catalogue"),
    ):
        assert judge(variant_of(result, bought(config, model)), catalogue=offers)["models"] == (False, said)
    assert judge(variant_of(result, bought(config, "new")), catalogue=offers)["models"][0] is True
    behind = bought(config, "new", fallbacks=(StageChoice(backend="acme", version="1", params={"model": "old"}),))
    assert judge(variant_of(result, behind), catalogue=offers)["models"][0] is False


def test_a_licence_that_excludes_where_clips_are_used_does_not_pass(judge: Judge, result: Result) -> None:
    """By territory, members of the EU too; when nobody said where, a licence with exceptions is an objection."""
    config = bought(result.experiment.variants["neural"], "far")
    far = variant_of(result, config)
    offers = acme(far={"licence": {"name": "not in Europe", "excludes": ("EU",)}})
    assert judge(far, catalogue=offers, territory="de")["licences"] == (
        False, "acme/far may not be used in DE (not in Europe)",
    )  # fmt: skip
    assert "VPGEN_TERRITORY does not say" in judge(far, catalogue=offers)["licences"][1]
    passed, evidence = judge(far, catalogue=offers, territory="US")["licences"]
    assert passed
    assert "no objection in US: acme/far: not in Europe" in evidence


def moderated(result: Result, choice: StageChoice | None) -> Result:
    config = result.experiment.variants["neural"]
    stages = {stage: kept for stage, kept in config.stages.items() if stage != "moderate"}
    return variant_of(
        result, config.model_copy(update={"stages": {**stages, "moderate": choice} if choice else stages})
    )


def test_moderation_that_is_off_loose_or_gone_round_does_not_pass(judge: Judge, result: Result) -> None:
    """There, not too sure of itself, and what it refuses is not asked of another."""
    strict = StageChoice(backend="blocklist", version="1", params={"threshold": 0.8})
    loose = StageChoice(backend="blocklist", version="1", params={"threshold": 1.0})
    assert judge(moderated(result, strict))["safety"][0] is True
    assert judge(moderated(result, None))["safety"] == (False, "there is no moderation")
    assert "only when it is 100% sure" in judge(moderated(result, loose))["safety"][1]
    around = strict.model_copy(update={"fallbacks": (strict,), "next_on_refusal": True})
    assert "is asked of the next" in judge(moderated(result, around))["safety"][1]
    assert judge(moderated(result, strict.model_copy(update={"fallbacks": (loose,)})))["safety"][0] is False


def test_what_was_tested_must_be_what_is_installed(judge: Judge, result: Result) -> None:
    """Another version of a backend makes other clips; a backend that is gone makes none."""
    config = result.experiment.variants["neural"]
    older = config.stages["encode"].model_copy(update={"version": "0"})
    stale = config.model_copy(update={"stages": {**config.stages, "encode": older}})
    assert judge(variant_of(result, stale))["backends"] == (
        False, "encode: version 0 of toy was tested, 1 is installed",
    )  # fmt: skip
    assert "no backend is called 'acme'" in judge(variant_of(result, bought(config, "new")))["backends"][1]
