"""Replicate's webhooks: signed, sent when something happens, and sent again, as at-least-once delivery is."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import math
import time
from collections.abc import Callable
from typing import Any

import httpx

from vpgen.backends.sandbox.jobs import Job
from vpgen.backends.sandbox.vendor import LOOPBACK, World

DELIVERIES = 3
AGAIN_SECONDS = 2.0
"""Between two deliveries, at speed 1."""
TIMEOUT = 10.0
NAP = 0.5
"""A job may be cancelled while its end is waited for."""


class Webhooks:
    """Watches jobs and posts to addresses on this machine only."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self.secret = "whsec_" + base64.b64encode(hashlib.sha256(b"vpgen sandbox").digest()).decode()

    async def close(self) -> None:
        """Send nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def watch(self, job: Job, address: str, events: list[str], said: Callable[[Job], dict[str, Any]]) -> None:
        """Post what `said` makes of the job when it starts and when it is done."""
        if LOOPBACK.match(address):
            task = asyncio.create_task(self._follow(job, address, events, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self, job: Job, address: str, events: list[str], said: Callable[[Job], dict[str, Any]]) -> None:
        if "start" in events:
            await self._until(lambda: min(job.starts, job.cancelled))
            await self._deliver(job, address, said(job), "start")
        await self._until(job.finished)
        if "completed" in events:
            await self._deliver(job, address, said(job), "completed")

    async def _until(self, moment: Callable[[], float]) -> None:
        while (left := moment() - self._world.jobs.now()) > 0:  # noqa: ASYNC110  # a moment, not an event: it can move
            await asyncio.sleep(min(left, NAP))

    async def _deliver(self, job: Job, address: str, body: dict[str, Any], event: str) -> None:
        content = json.dumps(body).encode()
        message = f"msg_{hashlib.sha256(f'{job.id}:{event}'.encode()).hexdigest()[:24]}"
        self._client = self._client or httpx.AsyncClient(trust_env=False, timeout=TIMEOUT)
        for delivery in range(DELIVERIES):
            if delivery:
                await asyncio.sleep(AGAIN_SECONDS / self._world.settings.speed)
            headers = signed(self.secret, message, math.floor(time.time()), content)
            try:
                await self._client.post(address, content=content, headers=headers)
            except httpx.HTTPError:
                continue  # nobody listens: the next delivery may find somebody


def signed(secret: str, message: str, timestamp: int, content: bytes) -> dict[str, str]:
    """The headers that prove where a webhook comes from."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message}.{timestamp}.".encode() + content, "sha256")
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
