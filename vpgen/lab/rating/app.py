"""HTTP of the rating page: for this machine only, and for no other page that is open in the browser.

Everything that reads or changes something is a POST with JSON and the visit's secret word in a header, from the very
address that served the page. A clip has an address drawn by lot while it is on a screen; no path comes from a client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vpgen.errors import Conflict, InvalidInput, NotFound, VpgenError
from vpgen.lab.rating.booth import Booth, Unknown
from vpgen.store.schema_lab import Choice

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/": ("index.html", "text/html"),
    "/rate.css": ("rate.css", "text/css"),
    "/rate.js": ("rate.js", "text/javascript"),
}
OWN_NAMES = {"127.0.0.1", "localhost", "[::1]"}
MAX_BODY = 4096
HEADERS = {
    # A notebook on this machine may show the page inside itself; nobody else may.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
STATUS: tuple[tuple[type[VpgenError], int], ...] = (
    (Unknown, 401), (InvalidInput, 400), (NotFound, 404), (Conflict, 409),
)  # fmt: skip


def build(booth: Booth, rater: str | None = None) -> ASGIApp:
    """The application. `rater`: who is rating, when that is known; else the page asks."""
    calls = _Calls(booth, rater)
    names = ("hello", "enter", "show", "vote", "undo", "ranking")
    routes = [
        *(Route(path, _page, methods=["GET"]) for path in PAGES),
        *(Route(f"/api/{name}", getattr(calls, name), methods=["POST"]) for name in names),
        Route("/clip/{address}", calls.clip, methods=["GET"]),
    ]
    return _OnlyHere(Starlette(routes=routes, exception_handlers={VpgenError: _trouble}))


@dataclass(frozen=True)
class _Calls:
    """What the page can ask for. Work that waits for the database runs in threads."""

    booth: Booth
    rater: str | None

    async def hello(self, request: Request) -> Response:
        await _body(request)
        return JSONResponse({"experiment": self.booth.experiment.name, "rater": self.rater})

    async def enter(self, request: Request) -> Response:
        name = (await _body(request)).get("rater")
        if not isinstance(name, str):
            raise InvalidInput("who is rating?", remedy="Give a name")
        return JSONResponse({"visit": self.booth.enter(name)})

    async def show(self, request: Request) -> Response:
        return await self._answer(request, self.booth.show)

    async def undo(self, request: Request) -> Response:
        return await self._answer(request, self.booth.undo)

    async def ranking(self, request: Request) -> Response:
        return await self._answer(request, self.booth.ranking)

    async def vote(self, request: Request) -> Response:
        said = await _body(request)
        ticket, choice = said.get("ticket"), said.get("choice")
        if not isinstance(ticket, str) or not isinstance(choice, str) or choice not in get_args(Choice):
            raise InvalidInput("that is no vote", remedy=f"ticket, and choice: one of {', '.join(get_args(Choice))}")
        given = cast("Choice", choice)
        return JSONResponse(await asyncio.to_thread(self.booth.vote, _word(request), ticket, given))

    async def clip(self, request: Request) -> Response:
        address = request.path_params["address"]
        path = self.booth.file(address)
        tag = f'"{address}"'  # not the file's time or size, which say which of the two it is
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"etag": tag})
        response = FileResponse(
            path,
            stat_result=await asyncio.to_thread(path.stat),
            media_type="video/mp4",
            headers={"etag": tag, "cache-control": "private, no-cache"},
        )
        del response.headers["last-modified"]
        return response

    @staticmethod
    async def _answer(request: Request, ask: Callable[[str], dict[str, Any]]) -> Response:
        await _body(request)
        return JSONResponse(await asyncio.to_thread(ask, _word(request)))


class _OnlyHere:
    """Refuses who reached this machine by another name (DNS rebinding), and calls from other pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        # The port may be another one than ours: of an SSH tunnel, say.
        if host.rpartition(":")[0] not in OWN_NAMES and host not in OWN_NAMES:
            refused = "this page is for this machine only"
        elif origin not in {None, f"http://{host}"} or (origin is None and scope["method"] == "POST"):
            refused = "this call is for the rating page only"
        else:

            async def guarded(message: Any) -> None:  # ASGI's own
                if message["type"] == "http.response.start":
                    own = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                    message = {**message, "headers": [*message["headers"], *own]}
                await send(message)

            await self._app(scope, receive, guarded)
            return
        await JSONResponse({"error": refused}, 403)(scope, receive, send)


async def _page(request: Request) -> Response:
    name, kind = PAGES[request.url.path]
    return FileResponse(STATIC / name, media_type=kind, headers={"cache-control": "no-cache"})


async def _body(request: Request) -> dict[str, Any]:
    """The call's JSON. Raises InvalidInput."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise InvalidInput("send application/json")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise InvalidInput("that is too long")
    try:
        said = json.loads(body)
    except ValueError as error:
        raise InvalidInput("that is no JSON") from error
    if not isinstance(said, dict):
        raise InvalidInput("send an object")
    return said


def _word(request: Request) -> str:
    return request.headers.get("x-visit", "")


async def _trouble(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's interface
    """What went wrong, as the page shows it."""
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error), "remedy": getattr(error, "remedy", None)}, status)
