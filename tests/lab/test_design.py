"""The order of pairs, and the price of an experiment before it runs."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

from lab.toys import toys

from vpgen import catalogue
from vpgen.lab import design
from vpgen.money.prices import load_prices
from vpgen.resources import folder
from vpgen.studio import run

PRICES = load_prices(folder("configs") / "prices.yaml")


def test_every_case_meets_every_seed_once_in_blocks(tmp_path: Path) -> None:
    """Each seed's block holds every case, so that a stop in between leaves the cases balanced."""
    experiment = toys(tmp_path, more="seeds: [5, 6]\n")
    pairs = design.order(experiment)
    assert Counter((pair.case.name, pair.seed) for pair in pairs) == Counter(
        (case.name, seed) for case in experiment.cases for seed in (5, 6)
    )
    assert {pair.seed for pair in pairs[:12]} == {5}
    assert [pair.number for pair in pairs] == list(range(24))


def test_the_order_is_shuffled_and_the_same_every_time(tmp_path: Path) -> None:
    """It is drawn from the experiment itself: a run taken up again finds it, another experiment has another."""
    experiment = toys(tmp_path)
    pairs = design.order(experiment)
    assert pairs == design.order(experiment)
    names = [pair.case.name for pair in pairs]
    assert names != sorted(names)
    other = experiment.model_copy(update={"seeds": (1,)})
    assert [pair.case.name for pair in design.order(other)] != names


def test_each_variant_goes_first_equally_often(tmp_path: Path) -> None:
    """Whoever goes first finds a cold machine: nobody always does."""
    pairs = design.order(toys(tmp_path))
    assert Counter(pair.turns[0] for pair in pairs) == {"dark": 6, "light": 6}
    assert all(sorted(pair.turns) == ["dark", "light"] for pair in pairs)


def test_max_pairs_cuts_the_order(tmp_path: Path) -> None:
    """The first of them, not others."""
    whole = design.order(toys(tmp_path))
    experiment = toys(tmp_path, decision="{min_pairs: 6, max_pairs: 8}")
    assert len(design.order(experiment)) == 8
    assert len(whole) == 12


def test_what_variants_share_is_priced_once(tmp_path: Path) -> None:
    """Two variants that differ in their score alone cost little more than one."""
    usage = "usage: {cpu_second: 10}"
    experiment = toys(
        tmp_path, variants=f"  dark: {{stages: {{animate: {{backend: toy, {usage}}}}}}}\n"
        f"  light: {{stages: {{animate: {{backend: toy, {usage}}}, score: {{backend: toy, shade: 9, {usage}}}}}}}",
    )  # fmt: skip
    plan = run(design.plan(experiment, PRICES))
    second = PRICES.price("cpu_second").usd
    assert [e.cpu_seconds for e in plan.estimates] == [Decimal(10), Decimal(20)]
    assert plan.estimates[1].changed == ("score",)
    assert plan.usd == 12 * 20 * second
    assert plan.usd_apart == 12 * 30 * second


def test_an_unknown_price_is_unknown_not_zero(tmp_path: Path) -> None:
    """The plan says so."""
    usage = "usage: {moonshine: 1}"
    plan = run(
        design.plan(
            toys(tmp_path, variants=f"  dark:\n  light: {{stages: {{score: {{backend: toy, {usage}}}}}}}"), PRICES
        )
    )
    assert [e.usd for e in plan.estimates] == [Decimal(0), None]
    assert plan.usd is None


def test_models_that_need_a_prompt_are_priced(tmp_path: Path) -> None:
    """A variant that buys its pictures costs what the catalogue says, before anything is planned."""
    prices = PRICES.joined(catalogue.prices(catalogue.load_catalogue(None)))
    bought = "  dark:\n  bought: {stages: {background: stability/core}}"
    plan = run(design.plan(toys(tmp_path, variants=bought), prices))
    cheap, dear = (e.usd for e in plan.estimates)
    assert cheap is not None
    assert dear is not None
    assert dear - cheap == Decimal("0.03")
    assert plan.usd == 12 * (cheap + Decimal("0.03"))
