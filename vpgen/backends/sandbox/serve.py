"""Runs the sandbox: in a thread for tests and benchmarks, or for good from the command line."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import httpx
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vpgen.backends.sandbox.app import build
from vpgen.backends.sandbox.settings import SandboxSettings
from vpgen.backends.sandbox.vendor import Transports

HOST = "127.0.0.1"
START_SECONDS = 30.0
CONNECTIONS = 2_048
GRACE = 1


class Sandbox:
    """The look-alikes on a free port of this machine, while the `with` block lasts.

    with Sandbox(speed=200, failures=0.1) as sandbox:
        ...  # requests go to f"{sandbox.url}/runway", …
        sandbox.settings(outage={"replicate": "answer"})
        sandbox.bill()["total_usd"]
    """

    def __init__(
        self, settings: SandboxSettings | None = None, *, port: int = 0, catalogue: Path | None = None, **changes: Any
    ) -> None:
        self._server = _server((settings or SandboxSettings()).changed(changes), catalogue)
        self._socket = bound(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._control = httpx.Client(base_url=f"{self.url}/_control", trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        self._socket.listen(CONNECTIONS)
        self._thread.start()
        self._control.get("/settings").raise_for_status()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        self._socket.close()

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change some settings for what is accepted from now on; says what is set then."""
        body = SandboxSettings.model_validate(changes).model_dump(mode="json", include=set(changes))
        return self._json(self._control.put("/settings", json=body))

    def bill(self) -> dict[str, Any]:
        """Every accepted job, `by_vendor` and `total_usd` (decimal strings)."""
        return self._json(self._control.get("/bill"))

    def total(self) -> Decimal:
        """USD of all jobs."""
        return Decimal(self.bill()["total_usd"])

    def requests(self) -> dict[str, int]:
        """How often each endpoint was asked, by "GET /runway/v1/tasks/{id}"."""
        return self._json(self._control.get("/requests"))

    def reset(self) -> None:
        """Forget jobs, files and counters."""
        self._control.post("/reset").raise_for_status()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        response.raise_for_status()
        said: dict[str, Any] = response.json()
        return said


def bound(port: int) -> socket.socket:
    """A socket on this machine's port; 0 is any free one. Raises OSError when it is taken."""
    # The protocol is named because asyncio sends small answers without delay (TCP_NODELAY) only where it is.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError:
        found.close()
        raise
    return found


def serve(settings: SandboxSettings, at: socket.socket, catalogue: Path | None = None) -> None:
    """Serve at a bound socket until interrupted."""
    with at, suppress(KeyboardInterrupt):
        at.listen(CONNECTIONS)
        _server(settings, catalogue).run(sockets=[at])


def _server(settings: SandboxSettings, catalogue: Path | None) -> uvicorn.Server:
    transports: Transports = {}

    class Known(HttpToolsProtocol):
        """Remembers its connection, so that one that shall be cut can be found."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            transports[transport.get_extra_info("peername")[:2]] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.client, None)
            super().connection_lost(exc)

    config = uvicorn.Config(
        build(settings, transports, catalogue),
        http=cast("type[asyncio.Protocol]", Known),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)
