"""Serves the rating page at a port of this machine: beside a notebook, or for good from the command line."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import uvicorn

from vpgen.errors import InvalidInput, VpgenError
from vpgen.lab.rating.app import build
from vpgen.lab.rating.booth import Booth
from vpgen.lab.votes import find_experiment, rater_name
from vpgen.runtime import Runtime
from vpgen.settings import Settings

HOST = "127.0.0.1"
START_SECONDS = 15.0
GRACE = 1


class Page:
    """The page in a thread of its own, until `stop` or the end of a `with` block; `url` is where.

    page = Page("finishing", rater="mina")      # in a notebook, then IFrame(page.url, width="100%", height=800)

    Raises NotFound (no such experiment), InvalidInput (a name, a port that is taken), StoreError.
    """

    def __init__(
        self, experiment: str, *, rater: str | None = None, port: int = 0, settings: Settings | None = None
    ) -> None:
        self._runtime = Runtime.open(settings)
        try:
            self._server, self._socket = _server(self._runtime, experiment, rater, port)
        except BaseException:
            self._runtime.close()
            raise
        self.url = _address(self._socket)
        self._thread = threading.Thread(target=self._run, name="rating", daemon=True)
        self._thread.start()
        self._ready()

    def stop(self) -> None:
        """End it; a second time does nothing."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join(START_SECONDS)
            self._socket.close()
            self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def _ready(self) -> None:
        """Wait until it answers: a notebook's frame asks only once."""
        waited = threading.Event()
        for _ in range(int(START_SECONDS / 0.02)):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.02)
        if not self._server.started:
            self.stop()
            raise VpgenError("the rating page does not come up", retryable=True)


def serve(
    runtime: Runtime, experiment: str, *, rater: str | None, port: int, tell: Callable[[str], None] = lambda url: None
) -> None:
    """Serve until interrupted; `tell` is called with the address as soon as it is bound. Raises as `Page` does."""
    server, at = _server(runtime, experiment, rater, port)
    with at, suppress(KeyboardInterrupt):
        tell(_address(at))
        server.run(sockets=[at])


def _server(runtime: Runtime, experiment: str, rater: str | None, port: int) -> tuple[uvicorn.Server, socket.socket]:
    found = find_experiment(runtime.database, experiment)
    app = build(Booth(runtime, found), rater_name(rater) if rater else None)
    at = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        at.bind((HOST, port))
    except OSError as error:
        at.close()
        raise InvalidInput(f"port {port} is taken: {error.strerror}", remedy="Name another, or --port 0") from error
    at.listen(128)
    config = uvicorn.Config(
        app, ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False,
        timeout_graceful_shutdown=GRACE, server_header=False, proxy_headers=False,
    )  # fmt: skip
    return uvicorn.Server(config), at


def _address(at: socket.socket) -> str:
    return f"http://{HOST}:{at.getsockname()[1]}/"
