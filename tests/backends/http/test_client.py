"""What many clips at once ask of the client they share: records compared when they are whole, patience with a poll."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest_http import Script, answer
from shop import Shop, motion

from vpgen.backends.http.client import UNANSWERED, Client
from vpgen.backends.http.network import Network
from vpgen.backends.http.runway import RunwayWire
from vpgen.backends.http.wire import Ask, Handle
from vpgen.backends.sandbox import Sandbox
from vpgen.config import load_config
from vpgen.errors import Unavailable
from vpgen.results import ledger_of
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.step import Steps
from vpgen.store import clips, journal
from vpgen.store.schema import Charge

SPEED = 400
AT_ONCE = 24


@pytest.fixture
def unreliable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A provider that answers one request in seven with 500 or 503, of which it accepted none."""
    with Sandbox(speed=SPEED, media="stock", transient_errors=0.15, seed=1, throttle={"runway": AT_ONCE}) as running:
        monkeypatch.setenv("VPGEN_PROVIDERS_URL", running.url)
        monkeypatch.setenv("VPGEN_PROVIDERS_SPEED", str(SPEED))
        yield running


def test_who_looks_for_a_lost_request_sees_all_others(unreliable: Sandbox, tmp_path: Path) -> None:
    """Those accepted meanwhile are in the journal before it is held against the provider's count: nothing is in doubt."""
    shop = Shop(tmp_path, animate="runway/gen4_turbo")
    with Runtime.open(Settings()) as runtime:
        config = load_config(shop.file)

        async def buy(index: int) -> None:
            clip = f"c{index}"
            clips.begin(
                runtime.database, clip, kind="preview", parent=None, story="s", config_name="s", config_hash="h", seed=0
            )
            await Steps(runtime, config, ledger_of(runtime, clip, config), lambda event: None)(
                "animate", motion(f"push in, take {index}")
            )

        async def all_at_once() -> None:
            async with runtime.connections():
                await asyncio.gather(*(buy(index) for index in range(AT_ONCE)))

        asyncio.run(all_at_once())
        rows = journal.entries(runtime.database, every=True)
        with runtime.database.read() as session:
            charged = session.scalars(sa.select(Charge.usd).where(Charge.sku.startswith("runway/"))).all()
    assert {(row.state, row.outcome) for row in rows} == {("closed", "succeeded")}
    assert len(rows) == len(unreliable.bill()["jobs"]) == AT_ONCE
    assert sum(usd or 0 for usd in charged) == unreliable.total() == AT_ONCE * Decimal("0.30")


def _client(script: Script, monkeypatch: pytest.MonkeyPatch) -> tuple[Client, Handle, Ask]:
    monkeypatch.setenv("VPGEN_PROVIDERS_URL", script.url)
    monkeypatch.setenv("VPGEN_PROVIDERS_SPEED", "1000")
    network = Network(Settings())
    ask = Ask("animate", "gen4_turbo", network.catalogue["runway"].model("gen4_turbo"))
    handle = Handle(provider="runway", model="gen4_turbo", job_id="1", poll="/v1/tasks/1", created=datetime.now(UTC))
    return network.client(RunwayWire()), handle, ask


def _wait(client: Client, handle: Handle, ask: Ask) -> tuple[Any, list[str]]:
    said: list[str] = []

    async def work() -> Any:
        try:
            return await client.wait(handle, ask, lambda fraction, note: said.append(note), 60)
        finally:
            await client.aclose()

    return asyncio.run(work()), said


def test_a_poll_that_fails_does_not_give_up_the_job(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again at the usual pace, and the user is told why it takes longer."""
    script.acts = [answer(500)] * (UNANSWERED - 1) + [answer(200, b'{"status": "SUCCEEDED", "output": ["u"]}')]
    report, said = _wait(*_client(script, monkeypatch))
    assert report.state == "succeeded"
    assert len(said) == UNANSWERED - 1
    assert "cannot be used at the moment (500" in said[0]


def test_a_provider_that_is_gone_is_told_as_such(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job goes on there, and so may the same command later."""
    script.acts = [answer(500)]
    with pytest.raises(Unavailable, match="cannot be used") as caught:
        _wait(*_client(script, monkeypatch))
    assert len(script.seen) == UNANSWERED
    assert (caught.value.job_id, caught.value.retryable, caught.value.cost_usd) == ("1", True, None)
