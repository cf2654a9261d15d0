"""The ledger: estimates and actual figures side by side, budgets that refuse before spending."""

from decimal import Decimal

import pytest

from vpgen.errors import NotFound, OverBudget
from vpgen.money.ledger import Ledger
from vpgen.runtime import Runtime
from vpgen.store import clips

CPU = Decimal("0.00001133")


def _ledger(runtime: Runtime, budget: str = "2.00", clip_id: str = "preview-1", parent: str | None = None) -> Ledger:
    clips.begin(
        runtime.database,
        clip_id,
        kind="final" if parent else "preview",
        parent=parent,
        story="s",
        config_name="c",
        config_hash="h",
        seed=0,
    )
    return Ledger(runtime.database, runtime.prices, clip_id, Decimal(budget), parent)


def test_estimate_and_actual_are_both_kept(runtime: Runtime) -> None:
    """After settling, the category shows what was estimated and what it came to."""
    ledger = _ledger(runtime)
    held = ledger.reserve("encode", "x264", "k1", {"cpu_second": Decimal(100)})
    spent = ledger.settle(held, {"cpu_second": Decimal(40), "egress_gb": Decimal("0.5")})
    cost = ledger.cost()
    lines = {line.category: line for line in cost.lines}
    assert spent == 40 * CPU + Decimal("0.045")
    assert lines["compute"].estimate_usd == 100 * CPU
    assert lines["compute"].usd == 40 * CPU
    assert lines["network"].usd == Decimal("0.045")
    assert cost.total == spent
    assert cost.target == Decimal("2.00")


def test_over_budget_is_refused_and_writes_nothing(runtime: Runtime) -> None:
    """An estimate that does not fit raises OverBudget and leaves the books as they were."""
    ledger = _ledger(runtime, budget="0.01")
    with pytest.raises(OverBudget, match="nothing was spent"):
        ledger.reserve("animate", "gpu", "k1", {"gpu_second": Decimal(1000)})
    assert ledger.cost().estimate == 0


def test_an_open_reservation_counts_against_the_budget(runtime: Runtime) -> None:
    """Two stages side by side cannot both take the last of the budget."""
    ledger = _ledger(runtime, budget="0.01")
    ledger.reserve("character", "gpu", "k1", {"gpu_second": Decimal(8)})
    with pytest.raises(OverBudget):
        ledger.reserve("background", "gpu", "k2", {"gpu_second": Decimal(8)})


def test_work_without_cost_is_never_blocked(runtime: Runtime) -> None:
    """A budget of nothing still lets free stages run."""
    ledger = _ledger(runtime, budget="0")
    assert ledger.settle(ledger.reserve("plan", "rules", "k1", {}), {}) == 0


def test_unknown_price_is_an_error_before_and_unknown_after(runtime: Runtime) -> None:
    """An unpriced SKU is refused when estimated, and makes the total unknown (not 0) when it turns up in the usage."""
    ledger = _ledger(runtime)
    with pytest.raises(NotFound, match="no price for 'moon_dust'"):
        ledger.reserve("animate", "x", "k1", {"moon_dust": Decimal(1)})
    held = ledger.reserve("animate", "x", "k1", {})
    assert ledger.settle(held, {"moon_dust": Decimal(1)}) is None
    assert ledger.cost().total is None


def test_waste_is_overhead_and_a_figure_of_its_own(runtime: Runtime) -> None:
    """A failed attempt's cost is booked under overhead and counted as waste."""
    ledger = _ledger(runtime)
    held = ledger.reserve("encode", "x264", "k1", {"cpu_second": Decimal(1)})
    ledger.settle(held, {"cpu_second": Decimal(1000)}, waste=True, reason="StageFailed")
    cost = ledger.cost()
    assert cost.waste == 1000 * CPU
    assert {line.category: line.usd for line in cost.lines}["overhead"] == 1000 * CPU


def test_settling_a_purchase_twice_books_it_once(runtime: Runtime) -> None:
    """A database that dies while it commits may have committed: who settles again then changes nothing."""
    ledger = _ledger(runtime)
    held = ledger.reserve("encode", "shop", "k1", {"cpu_second": Decimal(1)}, model="m")
    assert ledger.reserve("encode", "shop", "k1", {"cpu_second": Decimal(1)}, model="m").rows == held.rows
    for _ in range(2):
        spent = ledger.settle(held, {"cpu_second": Decimal(2), "egress_gb": Decimal(1)}, outcome="succeeded")
        assert spent == ledger.cost().total == 2 * CPU + Decimal("0.09")


def test_the_reservation_of_a_dead_process_becomes_waste(runtime: Runtime) -> None:
    """When the same step is reserved again, what was left open by a killed process is closed at its estimate."""
    ledger = _ledger(runtime)
    ledger.reserve("encode", "x264", "k1", {"cpu_second": Decimal(10)})
    ledger.reserve("encode", "x264", "k1", {"cpu_second": Decimal(10)})
    assert ledger.cost().waste == 10 * CPU


def test_a_final_costs_what_its_preview_cost_and_more(runtime: Runtime) -> None:
    """The charges of the preview count in the final's cost and against its budget."""
    first = _ledger(runtime)
    first.settle(first.reserve("plan", "rules", "k1", {}), {"cpu_second": Decimal(10)})
    final = _ledger(runtime, clip_id="final-1", parent="preview-1")
    final.settle(final.reserve("encode", "x264", "k2", {}), {"cpu_second": Decimal(5)})
    assert final.cost().total == 15 * CPU


def test_charges_made_before_there_was_a_clip_are_adopted(runtime: Runtime) -> None:
    """A project's plan is paid for before its preview exists; the preview takes the charge over."""
    early = Ledger(runtime.database, runtime.prices, None, Decimal(2))
    early.settle(early.reserve("plan", "rules", "k1", {}), {"cpu_second": Decimal(10)})
    ledger = _ledger(runtime)
    assert ledger.cost().total == 0
    ledger.adopt(["k1", "k9"])
    assert ledger.cost().total == 10 * CPU
