"""The line before the connections: nobody is passed over, nobody keeps a place, purchases and polls do not mix."""

import asyncio
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from conftest_http import Script, answer, hang_up

from vpgen.backends.http.rooms import Room, Rooms


def _get(script: Script, *, paid: bool = False, pool: float | None = None) -> httpx.Request:
    extensions = {"paid": paid, "timeout": {"pool": pool, "read": 5.0}}
    return httpx.Request("GET", f"{script.url}/", extensions=extensions)


class Held:
    """An answer that waits until the test lets it go; counts who is inside."""

    def __init__(self) -> None:
        self.inside, self.most, self.go = 0, 0, threading.Event()
        self._changed = threading.Condition()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        with self._changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()
        self.go.wait(5)
        with self._changed:
            self.inside -= 1
        answer(200)(handler)

    async def has(self, count: int) -> None:
        """Wait until so many are inside."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self.inside >= count, 5)

        assert await asyncio.to_thread(wait)


def test_no_more_are_inside_than_there_are_places(script: Script) -> None:
    """Forty calls on four connections: four at a time, and every one is answered."""
    held = Held()
    script.acts = [held]

    async def work() -> list[int]:
        async with httpx.AsyncClient(transport=Room(4)) as client:
            calls = [asyncio.ensure_future(client.send(_get(script))) for _ in range(40)]
            await held.has(4)
            held.go.set()
            return [response.status_code for response in await asyncio.gather(*calls)]

    assert asyncio.run(work()) == [200] * 40
    assert held.most == 4


def test_a_call_that_fails_or_is_given_up_leaves_its_place(script: Script) -> None:
    """A lost connection, a body nobody reads to its end, a cancelled wait: the only place is free again each time."""

    async def work() -> None:
        async with httpx.AsyncClient(transport=Room(1)) as client:
            script.acts = [hang_up]
            with suppress(httpx.TransportError):
                await client.send(_get(script))
            script.acts = [answer(200, b"x" * 1000)]
            await (await client.send(_get(script), stream=True)).aclose()
            held = Held()
            script.acts = [held]
            inside = asyncio.ensure_future(client.send(_get(script)))
            await held.has(1)
            waiting = asyncio.ensure_future(client.send(_get(script)))
            await asyncio.sleep(0)
            for call in (waiting, inside):
                call.cancel()
                with suppress(asyncio.CancelledError):
                    await call
            held.go.set()
            script.acts = [answer(200)]
            assert (await client.send(_get(script, pool=2.0))).status_code == 200

    asyncio.run(work())


def test_who_waits_too_long_is_told_that_nothing_was_sent(script: Script) -> None:
    """As httpx says it: after a PoolTimeout even a purchase may be tried again."""
    held = Held()
    script.acts = [held]

    async def work() -> None:
        async with httpx.AsyncClient(transport=Room(1)) as client:
            first = asyncio.ensure_future(client.send(_get(script)))
            await held.has(1)
            with pytest.raises(httpx.PoolTimeout):
                await client.send(_get(script, pool=0.02))
            held.go.set()
            await first

    asyncio.run(work())
    assert len(script.seen) == 1


def test_a_purchase_does_not_stand_in_line_with_polls(script: Script) -> None:
    """Nor a poll behind purchases that take a minute each."""
    held = Held()

    async def work(*, first_paid: bool) -> None:
        script.acts = [held, answer(200)]
        async with httpx.AsyncClient(transport=Rooms(free=1, paid=1)) as client:
            first = asyncio.ensure_future(client.send(_get(script, paid=first_paid)))
            await held.has(1)
            assert (await client.send(_get(script, paid=not first_paid, pool=2.0))).status_code == 200
            held.go.set()
            await first

    for first_paid in (True, False):
        held.go.clear()
        asyncio.run(work(first_paid=first_paid))
