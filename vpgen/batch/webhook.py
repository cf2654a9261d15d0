"""The webhook of a batch: one POST of its summary when it has ended, signed, tried again while nobody answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from urllib.parse import urlsplit

import httpx
import stamina

from vpgen.errors import InvalidInput
from vpgen.settings import Settings
from vpgen.store.objects import canonical_json

log = logging.getLogger("vpgen.batch")
SECRET = "VPGEN_WEBHOOK_SECRET"  # noqa: S105  # the variable's name
ATTEMPTS = 5
PATIENCE = 120.0
"""Seconds, all attempts together."""
ANSWER = 10.0
"""Seconds for one attempt, from its connection to its answer's first line; what else is answered is not read."""
_LATER = {408, 425, 429}
_HERE = {"localhost", "127.0.0.1", "::1"}
"""A company's proxy is not asked for what is on this machine."""


class _Away(Exception):
    """It may be taken later."""


def check(url: str | None) -> str | None:
    """The address, when a POST can go there. Raises InvalidInput before any work is done."""
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(f"{url[:200]!r} is no address for a webhook", remedy="https://host/path")
    return url


def signature(secret: str, body: bytes) -> str:
    """What the header X-Vpgen-Signature says: HMAC-SHA256 of the body under the shared secret."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


async def send(url: str, event: str, document: dict[str, object], settings: Settings, *, wait: float = 1.0) -> str:
    """POST {"event": …, "batch": …}; returns "delivered", or why it was not. Never raises for the other side.

    `wait` is the seconds before the second attempt; doubled each time. A redirect is not followed: it may lead inside.
    """
    body = canonical_json({"event": event, "batch": document}).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "vpgen", "X-Vpgen-Event": event}
    if secret := settings.secret(SECRET):
        headers["X-Vpgen-Signature"] = signature(secret.get_secret_value(), body)
    try:
        async with httpx.AsyncClient(timeout=ANSWER, trust_env=urlsplit(url).hostname not in _HERE) as client:
            async for attempt in stamina.retry_context(
                on=(_Away, httpx.TransportError), attempts=ATTEMPTS, timeout=PATIENCE, wait_initial=wait, wait_max=30.0
            ):
                with attempt:
                    reply = await _post(client, url, body, headers)
        if reply.is_success:
            return "delivered"
        said = f"answered {reply.status_code}{', which is not followed' if reply.has_redirect_location else ''}"
    except (_Away, httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
    log.warning("the webhook %s was not delivered: %s", urlsplit(url).hostname, said)
    return f"not delivered: {said[:200]}"


async def _post(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """An answer that will not change. Raises _Away for one that may, and for none in time."""
    try:
        async with asyncio.timeout(ANSWER), client.stream("POST", url, content=body, headers=headers) as reply:
            if reply.status_code >= 500 or reply.status_code in _LATER:
                raise _Away(f"answered {reply.status_code}")
            return reply
    except (TimeoutError, httpx.TimeoutException):
        raise _Away(f"no answer within {ANSWER:g} s") from None
