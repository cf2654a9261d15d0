"""How fast a provider may be asked: every limit that the catalogue knows, kept before the vendor has to say 429."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from vpgen.catalogue import Provider


@dataclass
class Bucket:
    """So many a minute, evenly spaced once a first burst of ten seconds' worth is used up (a token bucket)."""

    per_minute: float
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens, self._at = self._burst, time.monotonic()

    @property
    def _burst(self) -> float:
        return max(1.0, self.per_minute / 6)

    def take(self) -> float:
        """One of them; returns the seconds until its turn."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.per_minute / 60) - 1
        self._at = now
        return max(0.0, -self._tokens * 60 / self.per_minute)


class Pace(httpx.AsyncBaseTransport):
    """Lets a request through when it is its turn under each limit it counts for: the vendor's and its model's.

    A purchase (extension `paid`) counts as one of its `model`, as one of all purchases and as one of all requests.
    Jobs at once are no limit here: which tier an account has only the vendor knows, and it queues what is too much.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, provider: Provider, speed: float = 1.0) -> None:
        def bucket(per_minute: int | None) -> tuple[Bucket, ...]:
            return (Bucket(per_minute * speed),) if per_minute else ()

        self._inner = inner
        self._all = bucket(provider.requests_per_minute)
        self._purchases = self._all + bucket(provider.creates_per_minute)
        self._models = {name: bucket(model.creates_per_minute) for name, model in provider.models.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limits = self._all
        if request.extensions.get("paid"):
            limits = self._purchases + self._models.get(request.extensions.get("model", ""), ())
        if wait := max((limit.take() for limit in limits), default=0.0):
            await asyncio.sleep(wait)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
