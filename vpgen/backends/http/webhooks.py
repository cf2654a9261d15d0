"""Receives providers' webhooks, where a public address leads here.

They only ring a bell: what became of the job is then asked for as ever, so a webhook that is forged, lost or sent
three times changes nothing but the waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import h11

from vpgen.errors import InvalidInput

MAX_BODY = 1_000_000
SECONDS = 10.0
MOST_BELLS = 10_000
"""Kept for jobs nobody waits for here; beyond it the oldest are forgotten, and polled as without webhooks."""

Check = Callable[[Mapping[str, str], bytes], str]
"""Headers (lower case) and body of a webhook → the id of its job. Raises ValueError when it is not the provider's."""


class Receiver:
    """Listens at `listen` ("127.0.0.1:8778"); `public_url` is where providers reach it, below which each has a path."""

    def __init__(self, public_url: str, listen: str) -> None:
        self.public_url = public_url.rstrip("/")
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise InvalidInput(f"VPGEN_WEBHOOK_LISTEN: {listen!r} is no host:port", remedy="Like 127.0.0.1:8778")
        self._host, self._port = host, int(port)
        self._checks: dict[str, Check] = {}
        self._bells: dict[str, asyncio.Event] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen. Raises OSError when the port is taken: another process has the webhooks then."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port)

    async def aclose(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    def trust(self, provider: str, check: Check) -> str:
        """From now on believe what passes `check`; returns the address to give to the provider."""
        self._checks[provider] = check
        return f"{self.public_url}/{provider}"

    def bell(self, job_id: str) -> asyncio.Event:
        """Set when a webhook of that job has come."""
        while len(self._bells) >= MOST_BELLS:
            self._bells.pop(next(iter(self._bells)))
        return self._bells.setdefault(job_id, asyncio.Event())

    def forget(self, job_id: str) -> None:
        """Nobody waits for it any more."""
        self._bells.pop(job_id, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = 400
        try:
            with suppress(h11.RemoteProtocolError, TimeoutError, ConnectionError):
                async with asyncio.timeout(SECONDS):
                    status = self._ring(*await _read(reader))
            writer.write(f"HTTP/1.1 {status} \r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            with suppress(ConnectionError):
                await writer.drain()
        finally:
            writer.close()

    def _ring(self, request: h11.Request, body: bytes) -> int:
        check = self._checks.get(request.target.decode("latin-1").partition("?")[0].strip("/"))
        if check is None or request.method != b"POST":
            return 404
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        try:
            job_id = check(headers, body)
        except ValueError:
            return 401
        self.bell(job_id).set()
        return 204


async def _read(reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
    """One request with its body. Raises h11.RemoteProtocolError for what is none, or too large."""
    connection, request, body = h11.Connection(h11.SERVER), None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large")
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, body
        else:
            raise h11.RemoteProtocolError("not a whole request")
