"""What all look-alikes share: who may come in, how bodies are read, what an input refers to, what a job costs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from vpgen.backends.sandbox.jobs import MARKER, Job, Jobs, Secrets, Terms
from vpgen.backends.sandbox.media import LARGEST, LONGEST, Facts, Recipe, Renderer
from vpgen.backends.sandbox.problems import Cut, Problem
from vpgen.backends.sandbox.settings import Kind, SandboxSettings, VendorId
from vpgen.catalogue import Catalogue, Model

Handler = Callable[[Request], Awaitable[Response]]
Transports = dict[Any, asyncio.Transport]
DRAINED = 256_000_000
"""Bytes beyond a limit that are read and dropped, so that the answer arrives instead of a broken pipe."""
LOOPBACK = re.compile(r"^https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(?P<path>/[^?#]*)?")
DATA = re.compile(r"^data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    """A file somebody brought."""

    id: str
    name: str
    mime: str
    size: int
    path: Path
    created: float


@dataclass
class World:
    """What outlives a request: jobs, files, counters. `reset` empties it."""

    settings: SandboxSettings
    renderer: Renderer
    transports: Transports
    catalogue: Catalogue
    jobs: Jobs = field(init=False)
    secrets: Secrets = field(init=False)
    uploads: dict[str, Upload] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    recent: dict[str, deque[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every job, file and counter; the settings stay."""
        tiers = {name: provider.concurrency for name, provider in self.catalogue.items()}
        self.jobs = Jobs(self.settings, tiers)
        self.secrets = Secrets(self.settings.seed)
        self.uploads.clear()
        self.requests.clear()
        self.recent.clear()

    def change(self, settings: SandboxSettings) -> None:
        """New settings, for what is accepted from now on."""
        self.settings = self.jobs.settings = settings

    def source(self, reference: str) -> Path | Recipe | None:
        """What a data URI or an address of this sandbox refers to; None for anything else: nothing is fetched."""
        if match := DATA.match(reference):
            try:
                return self.renderer.keep(base64.b64decode(reference[match.end() :], validate=True))
            except (binascii.Error, ValueError):
                return None
        at = LOOPBACK.match(reference)
        path = (at["path"] or "" if at else reference).strip("/").split("/")
        if path[0] == "_media" and len(path) > 1 and (job := self.jobs.by_id.get(path[1])):
            return job.recipe
        upload = next((self.uploads[part] for part in path if part in self.uploads), None)
        return upload.path if upload else None

    def digest(self, path: str, body: Any) -> str:
        """Stands for a request, in whichever sandbox: files by their content, not by their address."""
        return hashlib.sha256(f"{path}\n{json.dumps(self._canonical(body), sort_keys=True)}".encode()).hexdigest()

    def _canonical(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._canonical(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._canonical(part) for part in value]
        if isinstance(value, str) and value.startswith(("http", "runway:", "data:")) and (source := self.source(value)):
            return source.name if isinstance(source, Path) else source.digest
        return value

    def outputs(self, job: Job, hours: float) -> str:
        """The address of what a job made, signed and good for so long after it finished."""
        recipe = job.recipe
        name = f"output.{'jpg' if recipe and recipe.format == 'jpeg' else recipe.format if recipe else 'bin'}"
        path = f"/_media/{job.id}/{name}"
        expires = int(job.ends + 3600 * (self.settings.expire_hours or hours)) + 1
        return f"{job.public}{path}?expires={expires}&signature={self.secrets.sign(path, expires)}"

    def limit_rate(self, key: str, most: int, seconds: float) -> None:
        """Raises Problem when there were already so many in the last `seconds` (at speed 1)."""
        now, times = time.monotonic(), self.recent.setdefault(key, deque())
        while times and times[0] < now - seconds / self.settings.speed:
            times.popleft()
        if len(times) >= most:
            raise Problem("throttled", "Too many requests")
        times.append(now)


class Vendor(ABC):
    """One vendor's API, mounted under its id."""

    id: ClassVar[VendorId]
    terms: ClassVar[Terms]
    scheme: ClassVar[str] = "Bearer"
    body_limit: ClassVar[int] = 16_000_000

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path → method → what answers."""

    @abstractmethod
    def problem(self, problem: Problem) -> Response:
        """A refusal in the vendor's words."""

    def routes(self) -> list[BaseRoute]:
        """For a Starlette mount."""
        known = [Route(path, _Endpoint(self, path, methods)) for path, methods in self.paths().items()]
        return [*known, Route("/{rest:path}", _Endpoint(self, "/…", {}))]

    def admit(self, request: Request) -> None:
        """Raises Problem for a request without a usable key, or at a bad moment."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != self.scheme.lower() or not key.strip() or key.strip() == "expired":
            raise Problem("unauthorized", "The API key is missing or not valid")
        if request.method == "GET":
            self.world.jobs.hiccup(self.id, request.url.path)

    def job(self, request: Request) -> Job:
        """The job in the path."""
        return self.world.jobs.get(self.id, request.path_params["id"])

    def submit(
        self, request: Request, *, model: str, kind: Kind, prompt: str, body: Any, recipe: Recipe | None, usd: Decimal,
        queues: bool = False,
    ) -> Job:  # fmt: skip
        """Accept a job. Raises Problem when it is turned away."""
        key = request.headers.get("authorization", "").partition(" ")[2].strip()
        if recipe and (recipe.size[0] * recipe.size[1] > LARGEST or recipe.seconds > LONGEST):
            recipe = None
        job = self.world.jobs.submit(
            self.id, self.terms, model=model, kind=kind, prompt=prompt, recipe=recipe, usd=usd,
            digest=self.world.digest(request.url.path, body), request=compact(body),
            broke=key == "broke", queues=queues, spelled=self.spelled,
        )  # fmt: skip
        job.public = public(request)
        return job

    def price(self, model: str, recipe: Recipe | None, *, ratio: str = "", endpoint: str = "") -> Decimal:
        """USD by the catalogue, for what is to be made. `ratio`: the shape or resolution by which prices differ."""
        entry = self.listed(model, endpoint)
        if entry is None or entry.price is None:
            return self.world.settings.unpriced_usd
        usd = entry.price.by_ratio.get(ratio, entry.price.usd)
        if recipe is None:
            return usd
        seconds, fps = (round(recipe.seconds, 3), recipe.fps) if recipe.kind == "video" else (1, 1)
        return usd * entry.price.quantity(seconds, recipe.size, fps)

    def spelled(self, job: uuid.UUID) -> str:
        """An id as this vendor writes them."""
        return str(job)

    def listed(self, model: str, endpoint: str = "") -> Model | None:
        """The catalogue's entry for a model, by its name or its endpoint."""
        if model in self.models:
            return self.models[model]
        return next((entry for entry in self.models.values() if endpoint and entry.endpoint.endswith(endpoint)), None)

    @property
    def models(self) -> Mapping[str, Model]:
        """What the catalogue lists."""
        provider = self.world.catalogue.get(self.id)
        return provider.models if provider else {}

    async def facts(self, reference: str) -> tuple[Path | Recipe | None, Facts | None]:
        """What a reference is, and its size and length."""
        source = self.world.source(reference)
        return source, await self.world.renderer.facts(source) if source is not None else None


class _Endpoint:
    """One path of a vendor. Not a function, so that Starlette hands over the raw request: polls are the hot path."""

    def __init__(self, vendor: Vendor, path: str, handlers: Mapping[str, Handler]) -> None:
        self._vendor, self._handlers = vendor, handlers
        self._label = f"/{vendor.id}{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, world = Request(scope, receive), self._vendor.world
        world.requests[f"{request.method} {self._label}"] += 1
        try:
            response = await self._answer(request)
        except Problem as problem:
            await drain(request)
            response = self._vendor.problem(problem)
        except Cut:
            await cut(world, scope)
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        match self._vendor.world.settings.outage.get(self._vendor.id):
            case "cut":
                raise Cut
            case "answer":
                raise Problem("unavailable", "The service is down")
        self._vendor.admit(request)
        if not self._handlers:
            raise Problem("not_found", "There is no such endpoint")
        if request.method not in self._handlers:
            raise Problem("method", "This endpoint does not support the method")
        return await self._handlers[request.method](request)


def answer(job: Job, response: Response) -> Response:
    """The response, unless it is the job's fate that its answer is lost."""
    if job.fate.lost:
        raise Cut
    return response


async def cut(world: World, scope: Scope) -> None:
    """Close the client's connection at once, as a network that fails does."""
    if transport := world.transports.get(scope.get("client")):
        transport.abort()
    await asyncio.sleep(0.01)


async def drain(request: Request) -> None:
    """Read what the client is still sending, up to a limit, and drop it."""
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > DRAINED:
                return
    except RuntimeError:
        return  # it was read already


async def read_body(request: Request, limit: int) -> bytes:
    """All of the body. Raises Problem when it is larger than `limit`."""
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > limit + DRAINED:
            break
    if size > limit:
        raise Problem("too_large", f"The body is larger than {limit} bytes")
    return b"".join(chunks)


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """A JSON object. Raises Problem."""
    try:
        body = json.loads(await read_body(request, limit) or b"{}")
    except (ValueError, RecursionError):
        raise Problem("invalid", "The body is not valid JSON") from None
    if not isinstance(body, dict):
        raise Problem("invalid", "The body is not a JSON object")
    return body


@dataclass(frozen=True)
class Brought:
    """A file of a form."""

    name: str
    mime: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """A multipart form, read to the end."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Brought] = field(default_factory=dict)


async def read_form(request: Request, limit: int) -> Form:
    """Fields and files of a multipart form. Raises Problem."""
    body = await read_body(request, limit)
    form = Form()

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, replay).form(max_part_size=limit) as parts:
            for key, part in parts.multi_items():
                if isinstance(part, UploadFile):
                    mime = part.content_type or "application/octet-stream"
                    form.files[key] = Brought(part.filename or key, mime, await part.read())
                else:
                    form.fields[key] = part
    except (MultiPartException, HTTPException, ValueError) as error:
        raise Problem("invalid", f"The form cannot be read: {getattr(error, 'detail', error)}") from None
    return form


def compact(value: Any) -> Any:
    """A request with its files replaced by their digests: what is kept of it."""
    if isinstance(value, dict):
        return {key: compact(part) for key, part in value.items()}
    if isinstance(value, list):
        return [compact(part) for part in value]
    if isinstance(value, str) and len(value) > 256 and (match := DATA.match(value)):
        return f"{value[: match.end()]}sha256-{hashlib.sha256(value.encode()).hexdigest()}"
    return value


def public(request: Request) -> str:
    """Where the client found the sandbox."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def drawn(prompt: str) -> str:
    """The prompt without the words that are meant for the sandbox."""
    return MARKER.sub("", prompt).replace("-once", "").strip()


def stamp(seconds: float) -> str:
    """RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_problem(problem: Problem, body: Any, *, media_type: str | None = None) -> JSONResponse:
    """An error as JSON, with Retry-After where it helps."""
    headers = {"retry-after": "1"} if problem.status in {429, 503} else None
    return JSONResponse(body, problem.status, headers=headers, media_type=media_type)
