"""The application: the vendors under their prefixes, the media beside them, and the control API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from vpgen.backends.sandbox.control import control_routes
from vpgen.backends.sandbox.fal import Fal
from vpgen.backends.sandbox.luma import Luma
from vpgen.backends.sandbox.media import MIME, Renderer, web_page
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.replicate import Replicate
from vpgen.backends.sandbox.runway import Runway
from vpgen.backends.sandbox.settings import SandboxSettings
from vpgen.backends.sandbox.stability import Stability
from vpgen.backends.sandbox.vendor import Transports, Vendor, World
from vpgen.catalogue import load_catalogue
from vpgen.errors import VpgenError

INTERNAL = "http://169.254.169.254/latest/meta-data/"
"""Where a redirect to this must not be followed: a cloud machine's own credentials are served there."""
CHUNK = 65_536


@dataclass
class _Media:
    """Serves what jobs made: signed, expiring, and as spoiled as the job's fate says."""

    world: World

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.world.requests["GET /_media/…"] += 1
        try:
            response = await self._response(request)
        except Problem as problem:
            response = JSONResponse({"error": problem.detail}, problem.status)
        except VpgenError as error:
            response = JSONResponse({"error": str(error)}, 500)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        world, query = self.world, request.query_params
        job = world.jobs.by_id.get(request.path_params["job"])
        expires = query.get("expires", "")
        if not expires.isdigit() or not world.secrets.valid(request.url.path, int(expires), query.get("signature", "")):
            raise Problem("refused", "The signature does not match")
        if world.jobs.now() > int(expires):
            raise Problem("refused", "The address has expired")
        if job is None or job.deleted or job.recipe is None or job.state(world.jobs.now()) != "succeeded":
            raise Problem("not_found", "There is no such file")
        match job.fate.garbage:
            case "garbage-html":
                return Response(web_page(), media_type="text/html")
            case "redirect-internal":
                return RedirectResponse(INTERNAL, 302)
        mime = MIME[job.recipe.format]
        path = await world.renderer.file(job.recipe, stock=world.settings.media == "stock")
        if job.fate.garbage is None:
            return _File(path, media_type=mime)
        data = await asyncio.to_thread(path.read_bytes)
        if job.fate.garbage == "truncate":
            return Response(data[: len(data) // 2], media_type=mime)
        return StreamingResponse(_endless(data), media_type=mime)


class _File(FileResponse):
    """Read in large pieces: each costs a trip to a thread."""

    chunk_size = 2**20


async def _endless(data: bytes) -> AsyncIterator[bytes]:
    """A file that begins like one and never ends."""
    yield data
    while True:
        await asyncio.sleep(0)  # sending to a client that is gone never waits, and nobody would notice it had gone
        yield bytes(CHUNK)
        await asyncio.sleep(0)  # once the client has gone, sending waits for nothing: let its end be noticed


def build(settings: SandboxSettings, transports: Transports | None = None, catalogue: Path | None = None) -> Starlette:
    """The whole sandbox.

    `transports`: the open connections by the client's address, for those that are to be cut. `catalogue`: a folder
    whose files win over those that ship.
    """
    known = transports if transports is not None else {}
    world = World(settings, Renderer(), known, load_catalogue(catalogue))
    runway = Runway(world)
    replicate = Replicate(world)
    vendors: list[Vendor] = [runway, Stability(world), replicate, Luma(world), Fal(world)]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        with world.renderer.opened():
            yield
            await replicate.webhooks.close()

    return Starlette(
        routes=[
            *(Mount(f"/{vendor.id}", routes=vendor.routes()) for vendor in vendors),
            Route("/_media/{job}/{name}", _Media(world)),
            Route("/_uploads/{token}", runway.receive, methods=["POST"]),
            *control_routes(world, vendors),
        ],
        lifespan=lifespan,
    )
