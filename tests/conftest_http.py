"""A provider on loopback whose every answer the test writes: well-behaved, broken, silent or hostile."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Act = Callable[[BaseHTTPRequestHandler], None]


class Script:
    """Answers each request with the next act (the last one again and again) and keeps what it was sent."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                act = outer.acts.pop(0) if len(outer.acts) > 1 else outer.acts[0]
                try:
                    act(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = _any  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


def answer(status: int, body: bytes = b"{}", **headers: str) -> Act:
    """A plain answer; `retry_after="3"` becomes the header Retry-After."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Take the request and close the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body that never ends."""
    handler.send_response(200)
    handler.send_header("Content-Type", "video/mp4")
    handler.end_headers()
    chunk = b"\0\0\0\x18ftypmp42" + bytes(1 << 20)
    while True:
        handler.wfile.write(chunk)


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    """Announce more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"\0\0\0\x18ftypmp42" + bytes(100))
    handler.close_connection = True


@pytest.fixture
def script() -> Iterator[Any]:
    """The provider."""
    running = Script()
    yield running
    running.http.shutdown()
    running.http.server_close()
