"""Downloads that trust nothing: size, type, length and address are checked before a byte is believed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path

import httpx

from vpgen.backends.http.wire import Kind
from vpgen.errors import BadOutput

LIMITS: dict[Kind, int] = {"image": 64_000_000, "video": 1_000_000_000}
"""Bytes. No picture or six-second clip is near that."""
MAGIC: dict[Kind, tuple[tuple[int, bytes], ...]] = {
    "image": ((0, b"\x89PNG"), (0, b"\xff\xd8\xff"), (8, b"WEBP"), (4, b"ftypavif")),
    "video": ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3")),
}
"""Where in a file its kind shows: PNG, JPEG, WebP, AVIF; MP4 and MOV, WebM and MKV."""
REDIRECTS = 3
SECONDS_WITHOUT_A_BYTE = 30.0
LONGEST_DOWNLOAD = 600.0


async def fetch(client: httpx.AsyncClient, url: str, path: Path, kind: Kind, *, trusted: httpx.URL | None) -> None:
    """Stream `url` into `path`. `client` must carry no key; `trusted` is an origin that may be on this machine.

    Raises BadOutput for what must not be followed, is too large, or is no such media; httpx.TransportError when
    the connection breaks (worth another try: downloading costs nothing).
    """
    at = httpx.URL(url)
    try:
        async with asyncio.timeout(LONGEST_DOWNLOAD):
            for _ in range(REDIRECTS + 1):
                await _check_address(at, trusted)
                async with client.stream("GET", at, follow_redirects=False) as response:
                    if not response.is_redirect:
                        return await _write(response, path, kind)
                    at = at.join(response.headers.get("location", ""))
    except TimeoutError:
        raise BadOutput(f"the output did not arrive within {LONGEST_DOWNLOAD:.0f} s") from None
    except httpx.InvalidURL as error:
        raise BadOutput(f"the output's address is none: {error}") from error
    raise BadOutput(f"the output's address redirects more than {REDIRECTS} times")


async def _write(response: httpx.Response, path: Path, kind: Kind) -> None:
    status = response.status_code
    if status in {403, 404, 410}:
        raise BadOutput(f"the output is no longer there ({status}): providers delete outputs after hours")
    if status >= 500:
        raise httpx.ReadError(f"the output's server answered {status}")
    if status != 200:
        raise BadOutput(f"the output's server answered {status}")
    limit = LIMITS[kind]
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise BadOutput(f"the output is said to have {announced} bytes; no {kind} has more than {limit}")
    head, size = b"", 0
    with path.open("wb") as file:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > limit:
                raise BadOutput(f"the output does not end: stopped after {limit} bytes")
            if len(head) < 16:
                head += chunk[:16]
                if len(head) >= 16 and not is_media(head, kind):
                    raise BadOutput(f"the output is no {kind}: {response.headers.get('content-type', 'no type')}")
            file.write(chunk)
    if not is_media(head, kind):
        raise BadOutput(f"the output is no {kind}: {size} bytes")


def is_media(head: bytes, kind: Kind) -> bool:
    """Whether a file that begins like this can be of that kind."""
    return any(head[at : at + len(magic)] == magic for at, magic in MAGIC[kind])


async def _check_address(url: httpx.URL, trusted: httpx.URL | None) -> None:
    """Refuse anything but HTTPS to a public address: a provider must not make us talk to our own network."""
    if trusted and (url.scheme, url.host, url.port) == (trusted.scheme, trusted.host, trusted.port):
        return
    if url.scheme != "https":
        raise BadOutput(f"the output's address is {url.scheme or 'no'} and not https")
    if url.userinfo:
        raise BadOutput("the output's address has a user in it")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{url.host} has no address: {error}") from error
    for *_, place in found:
        if not ipaddress.ip_address(place[0]).is_global:
            raise BadOutput(f"the output's address {url.host} is inside a private network")
