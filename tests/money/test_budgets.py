"""Budgets hold whoever asks at once: threads, processes, both databases; and a paid call is on the books exactly once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpgen.errors import OverBudget, StoreError
from vpgen.money.ledger import Ledger, Purse, Reservation
from vpgen.money.prices import Price, PriceBook
from vpgen.store import journal
from vpgen.store.database import Database, open_database
from vpgen.store.schema import Charge, RemoteJob

CENT = Price(usd=Decimal("0.01"), unit="credit", category="api", source="test", date="2026-11-24")  # type: ignore[arg-type]
BOOK = PriceBook(target={"api": Decimal(1)}, prices={"credit": CENT})


def _ledger(database: Database, *, clip: str | None = None, **budgets: Decimal) -> Ledger:
    experiment = budgets.pop("experiment_budget", None)
    return Ledger(
        database,
        BOOK,
        clip,
        budgets.pop("budget", Decimal(1000)),
        purse=Purse(name="e", budget=experiment) if experiment is not None else None,
        **budgets,  # type: ignore[arg-type]
    )


def _taken(database: Database) -> Decimal:
    """Settled charges and open reservations, as the budgets count them."""
    with database.read() as session:
        rows = session.execute(sa.select(Charge.usd, Charge.estimate_usd)).tuples()
        return sum((usd if usd is not None else estimate or Decimal(0) for usd, estimate in rows), Decimal(0))


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "fail"]), st.integers(0, 40), st.integers(0, 100)), max_size=40
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, cap=st.integers(0, 100))
def test_the_sum_never_passes_the_cap(tmp_path_factory: pytest.TempPathFactory, steps: list[Step], cap: int) -> None:
    """Whatever is reserved, settled for less, or failed, in any order: an experiment's and a day's budget hold."""
    database = open_database(str(tmp_path_factory.mktemp("db") / "v.db"))
    limit = Decimal(cap) / 100
    ledgers = [_ledger(database, experiment_budget=limit), _ledger(database, day_budget=limit, experiment_budget=limit)]
    held: list[tuple[Ledger, Reservation, int]] = []
    for number, (what, wanted, share) in enumerate(steps):
        ledger = ledgers[number % 2]
        if what == "reserve" or not held:
            before = _taken(database)
            try:
                held.append((ledger, ledger.reserve("animate", "x", f"k{number}", {"credit": Decimal(wanted)}), wanted))
            except OverBudget:
                assert before + Decimal(wanted) / 100 > limit
                assert _taken(database) == before
        else:
            ledger, reservation, reserved = held.pop(share % len(held))
            ledger.settle(reservation, {"credit": Decimal(reserved * share) / 100}, waste=what == "fail")
        assert _taken(database) <= limit
    database.close()


RESERVE = """
from decimal import Decimal
sys.path[:0] = sys.argv[2].split(os.pathsep)
from test_budgets import BOOK, Ledger, OverBudget, Purse, open_database

def work(number, wait):
    database = open_database(sys.argv[1], busy_seconds=60)
    ledger = Ledger(database, BOOK, None, Decimal(1000), purse=Purse(name="e", budget=Decimal("0.37")))
    wait()
    bought = 0
    for turn in range(25):
        try:
            held = ledger.reserve("animate", "x", f"{number}-{turn}", {"credit": Decimal(1)}, model="m")
        except OverBudget:
            continue
        bought += 1
        ledger.settle(held, {"credit": Decimal(1)}, outcome="succeeded")
    database.close()
    return bought
"""


def test_a_hundred_asking_at_once_buy_exactly_what_fits(address: str, at_once: Callable[..., list[str]]) -> None:
    """Four processes, 100 purchases of a cent, 37 cents: 37 are made and booked, on both databases."""
    open_database(address).close()
    import sys

    path = ":".join([str(Path(__file__).parent), *sys.path])
    bought = [int(line) for line in at_once(RESERVE, 4, address, path)]
    assert sum(bought) == 37
    database = open_database(address)
    assert _taken(database) == Decimal("0.37")
    assert not journal.entries(database)
    database.close()


def test_reserving_and_opening_the_journal_are_one_transaction(database: Database) -> None:
    """Over budget there is neither a reservation nor a row; otherwise there are both, bound together."""
    with pytest.raises(OverBudget):
        _ledger(database, budget=Decimal(0), clip=None).reserve(
            "animate", "runway", "k", {"credit": Decimal(1)}, model="m"
        )
    assert not journal.entries(database)
    held = _ledger(database).reserve("animate", "runway", "k", {"credit": Decimal(1)}, model="m")
    [row] = journal.entries(database)
    assert held.remote is not None
    assert (row.id, row.state, row.provider, row.model) == (held.remote.id, "reserved", "runway", "m")
    assert journal.charges(database, row.id) == dict(held.rows)


def test_a_call_left_open_is_taken_up_and_not_reserved_again(database: Database) -> None:
    """The next run of the step gets the same row and reservation, whatever is left of the budget."""
    first = _ledger(database).reserve("animate", "runway", "k", {"credit": Decimal(5)}, model="m")
    assert first.remote is not None
    again = _ledger(database, budget=Decimal(0)).reserve("animate", "runway", "k", {"credit": Decimal(5)}, model="m")
    assert again.remote is not None
    assert (again.remote.id, again.rows) == (first.remote.id, first.rows)
    call = again.paid_call(database)
    assert call is not None
    assert not call.doubtful  # it was reserved, and never sent
    assert _taken(database) == Decimal("0.05")


def test_only_one_open_call_a_step_can_be_written(database: Database) -> None:
    """The database itself refuses a second one, should two machines try at once."""
    with database.write() as session:
        session.add(RemoteJob(step_key="k", stage="animate", provider="p", model="m", worker="a"))
    with pytest.raises(StoreError), database.write() as session:
        session.add(RemoteJob(step_key="k", stage="animate", provider="p", model="m", worker="b"))
    with database.write() as session:
        session.scalars(sa.select(RemoteJob)).one().state = "closed"
        session.add(RemoteJob(step_key="k", stage="animate", provider="p", model="m", worker="b"))


def test_the_providers_word_beats_the_price_book(database: Database) -> None:
    """Six credits by the book, four by the bill: four are booked, six stay as the estimate."""
    ledger = _ledger(database)
    held = ledger.reserve("animate", "runway", "k", {"credit": Decimal(6)}, model="m")
    spent = ledger.settle(held, {"credit": Decimal(6)}, billed={"credit": Decimal("0.04")}, outcome="succeeded")
    assert spent == Decimal("0.04")
    with database.read() as session:
        row = session.scalars(sa.select(Charge)).one()
        assert (row.usd, row.estimate_usd) == (Decimal("0.04"), Decimal("0.06"))
        assert session.scalars(sa.select(RemoteJob.outcome)).one() == "succeeded"


def test_an_unknown_price_is_bought_only_when_allowed(database: Database) -> None:
    """Allowed, it is booked as unknown, which makes the sum unknown and not 0."""
    ledger = _ledger(database)
    held = ledger.reserve("animate", "runway", "k", {"moon": Decimal(1)}, model="m", unknown_prices=True)
    assert ledger.settle(held, {"moon": Decimal(1)}, outcome="succeeded") is None


def test_a_result_stored_by_a_run_that_died_is_settled_by_the_next(database: Database) -> None:
    """What its record says it used and was billed is booked, and the row is closed; once."""
    ledger = _ledger(database)
    ledger.reserve("animate", "runway", "k", {"credit": Decimal(6)}, model="m")
    for _ in range(2):
        ledger.settle_left_open("k", {"credit": Decimal(6)}, {"credit": Decimal("0.05")})
        assert _taken(database) == Decimal("0.05")
        assert not journal.entries(database)
