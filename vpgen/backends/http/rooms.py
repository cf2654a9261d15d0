"""The connections to a provider, with a line before them.

httpx's own pool looks through everything that waits and all its connections whenever a call begins or ends: with a
thousand jobs that poll, that was a third of the CPU and held the loop up for seconds. Here nobody waits in the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx

FREE, PAID = 32, 100
"""Connections for what costs nothing (polls, soon answered), and for purchases, some answered by the picture itself."""


class Room(httpx.AsyncBaseTransport):
    """So many calls at a time, each on a connection of its own; the others stand in line, first come, first served."""

    def __init__(self, places: int) -> None:
        limits = httpx.Limits(max_connections=places, max_keepalive_connections=places)
        self._pool = httpx.AsyncHTTPTransport(limits=limits)
        self._places = asyncio.Semaphore(places)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._places.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection became free", request=request) from error
        try:
            response = await self._pool.handle_async_request(request)
            assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # what an async transport gives
            response.stream = _Held(response.stream, self._places.release)
        except BaseException:
            self._places.release()
            raise
        return response

    async def aclose(self) -> None:
        await self._pool.aclose()


class Rooms(httpx.AsyncBaseTransport):
    """One room for purchases and one for all else: a submit that takes a minute keeps no poll waiting."""

    def __init__(self, free: int = FREE, paid: int = PAID) -> None:
        self._free, self._paid = Room(free), Room(paid)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        room = self._paid if request.extensions.get("paid") else self._free
        return await room.handle_async_request(request)

    async def aclose(self) -> None:
        await self._free.aclose()
        await self._paid.aclose()


class _Held(httpx.AsyncByteStream):
    """A body whose place in the room is given back when it is closed, once."""

    def __init__(self, body: httpx.AsyncByteStream, leave: Callable[[], None]) -> None:
        self._body, self._leave, self._inside = body, leave, True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            yield part

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            if self._inside:
                self._inside = False
                self._leave()
