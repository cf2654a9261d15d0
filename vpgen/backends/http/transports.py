"""What wraps every call to a provider: httpx transports, each around the next.

Recorder → Retry → Breaker → Pace → Keyed → Rooms → the network. A request that costs money (POST to a create
endpoint) is marked with the extension `paid`: it is sent again only when it certainly did not happen.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import stamina

ATTEMPTS = 3
FIRST_WAIT = 2.0
"""Seconds; doubled each time, with jitter."""
THROTTLE_ATTEMPTS = 8
LONGEST_RETRY_AFTER = 60.0
"""Seconds; a provider that asks for more is not waited for."""
PASSING = {502, 503, 504}
"""Statuses that may pass, for a request that is free to repeat."""
REFUSED_BEFORE = {503}
"""The one of them after which a paid request certainly did not happen; a gateway's 502 or 504 leaves that open."""
MAX_ERROR_BODY = 1_000_000


class CircuitOpen(httpx.TransportError):
    """The provider failed so often that it is not asked for a while."""


class Keyed(httpx.AsyncBaseTransport):
    """Adds the vendor's headers with the key, to requests for the provider's own host only."""

    def __init__(self, inner: httpx.AsyncBaseTransport, headers: Mapping[str, str], base: httpx.URL) -> None:
        self._inner, self._headers, self._base = inner, headers, base

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) == _origin(self._base):
            for name, value in self._headers.items():
                request.headers.setdefault(name, value)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Breaker(httpx.AsyncBaseTransport):
    """After `failures` in a row nothing is sent for `pause` seconds; then one request tries whether it is back."""

    inner: httpx.AsyncBaseTransport
    failures: int = 8
    pause: float = 30.0
    _failed: int = 0
    _until: float = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now = time.monotonic()
        if self._failed >= self.failures:
            if now < self._until:
                raise CircuitOpen(f"failed {self._failed} times in a row; asked again in {self._until - now:.0f} s")
            self._until = now + self.pause
        try:
            response = await self.inner.handle_async_request(request)
        except httpx.TransportError:
            self._count()
            raise
        if response.status_code >= 500:
            self._count()
        else:
            self._failed = 0
        return response

    def _count(self) -> None:
        self._failed += 1
        if self._failed >= self.failures:
            self._until = time.monotonic() + self.pause

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass
class Retry(httpx.AsyncBaseTransport):
    """Three attempts, two seconds and more apart; throttling (429) is waited out with a patience of its own.

    A paid request is repeated only after what proves that it did not happen: no connection, 429, 503.
    """

    inner: httpx.AsyncBaseTransport
    attempts: int = ATTEMPTS
    first_wait: float = FIRST_WAIT
    throttle_attempts: int = THROTTLE_ATTEMPTS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        paid = bool(request.extensions.get("paid"))
        response: httpx.Response | None = None
        try:
            async for attempt in stamina.retry_context(
                on=lambda error: _passes(error, paid=paid),
                attempts=self.attempts,
                wait_initial=self.first_wait,
                wait_jitter=self.first_wait / 2,
                wait_max=LONGEST_RETRY_AFTER,
                timeout=None,
            ):
                with attempt:
                    response = await self._patiently(request)
                    if response.status_code in (REFUSED_BEFORE if paid else PASSING):
                        await _read_error(response)
                        raise _Passing  # noqa: TRY301  # stamina repeats what raises
        except _Passing:
            pass
        assert response is not None  # noqa: S101  # an attempt returns or raises
        return response

    async def _patiently(self, request: httpx.Request) -> httpx.Response:
        for tried in range(self.throttle_attempts):
            response = await self.inner.handle_async_request(request)
            if response.status_code != 429:
                return response
            await _read_error(response)
            wait = retry_after(response) or min(self.first_wait * 2**tried, LONGEST_RETRY_AFTER)
            if wait > LONGEST_RETRY_AFTER or tried == self.throttle_attempts - 1:
                return response
            await asyncio.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311  # jitter is no secret
        raise AssertionError("unreachable")  # pragma: no cover

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass
class Recorder(httpx.AsyncBaseTransport):
    """Writes one JSON line an exchange, without keys, signatures or media: to see what was said, or to report it."""

    inner: httpx.AsyncBaseTransport
    path: Path
    clock: Callable[[], float] = time.time

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began = self.clock()
        line: dict[str, Any] = {
            "at": round(began, 3),
            "method": request.method,
            "url": _bare(request.url),
            "request": _redacted(request.headers.get("content-type", ""), request.content),
        }
        try:
            response = await self.inner.handle_async_request(request)
            line["status"] = response.status_code
            if response.headers.get("content-type", "").startswith("application/json"):
                await _read_error(response)
                line["response"] = _redacted("application/json", response.content)
        except httpx.TransportError as error:
            line["error"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            line["seconds"] = round(self.clock() - began, 3)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Passing(Exception):
    """This answer may be another one later."""


def _passes(error: Exception, *, paid: bool) -> bool:
    if isinstance(error, _Passing | httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    return isinstance(error, httpx.TransportError) and not isinstance(error, CircuitOpen) and not paid


def retry_after(response: httpx.Response) -> float | None:
    """Seconds the provider asks us to wait: Retry-After (seconds or a date), or the words of its message."""
    value = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    if value:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return None
    said = re.search(rb"resets? in ~?(\d+)\s*s", response.content)
    return float(said[1]) if said else None


async def _read_error(response: httpx.Response) -> None:
    """Read a small body so that the connection is free again; a provider may send anything, so not all of it."""
    if response.is_closed:
        return
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ERROR_BODY:
            break
    await response.aclose()
    encoded = httpx.Response(response.status_code, headers=response.headers, content=body)
    response._content = encoded.content  # noqa: SLF001  # what `aread` would set, with a limit


def _bare(url: httpx.URL) -> str:
    """Without query and user: signatures and tokens live there."""
    return str(url.copy_with(query=None, username=None, password=None))


def _redacted(kind: str, body: bytes) -> object:
    if not kind.startswith("application/json"):
        return {"type": kind, "bytes": len(body)} if body else None
    try:
        return _shortened(json.loads(body))
    except ValueError:
        return {"type": kind, "bytes": len(body)}


def _shortened(value: object) -> object:
    """Media and signed addresses become a length and a digest; keys never are in a body."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and value.startswith("http"):
        return _bare(httpx.URL(value[:2048])) if len(value) <= 2048 else f"<{len(value)} characters>"
    if isinstance(value, str) and (value.startswith("data:") or len(value) > 2000):
        return f"<{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]}>"
    return value


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
