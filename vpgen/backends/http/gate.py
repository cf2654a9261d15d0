"""Keeps purchases and looks at the provider's records apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Many submits at a time, or one look at the provider's records while no submit is under way."""

    def __init__(self) -> None:
        self._submits = 0
        self._changed = asyncio.Condition()
        self._looking = False

    @asynccontextmanager
    async def submitting(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._looking)
            self._submits += 1
        try:
            yield
        finally:
            async with self._changed:
                self._submits -= 1
                self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._looking)
            self._looking = True
            await self._changed.wait_for(lambda: not self._submits)
        try:
            yield
        finally:
            async with self._changed:
                self._looking = False
                self._changed.notify_all()
