"""Replicate's HTTP API, as its SDK (replicate 1.0) speaks it and its recorded exchanges show it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from vpgen.backends.sandbox.jobs import DONE, HOUR, Job, State, Terms
from vpgen.backends.sandbox.media import Recipe
from vpgen.backends.sandbox.plans import Plan
from vpgen.backends.sandbox.problems import Problem, ProblemKind
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import (
    DATA,
    Handler,
    Upload,
    Vendor,
    answer,
    json_problem,
    public,
    read_form,
    read_json,
    stamp,
)  # fmt: skip
from vpgen.backends.sandbox.webhooks import Webhooks

CREATES, OTHERS, WINDOW = 600, 3_000, 60.0
DATA_LIMIT = 256_000
FILE_LIMIT = 100_000_000
PAGE = 100
LONGEST_WAIT = 60.0
OUTPUT_HOURS = 1.0
FIELDS = {"version", "input", "webhook", "webhook_events_filter", "webhook_completed", "stream"}
EVENTS = ("start", "output", "logs", "completed")
TITLES: dict[ProblemKind, str] = {
    "unauthorized": "Unauthenticated",
    "broke": "Insufficient credit",
    "not_found": "Not found",
    "invalid": "Input validation failed",
    "method": "Method not allowed",
    "too_large": "Payload too large",
    "unavailable": "Service unavailable",
    "internal": "Internal server error",
}
STATUS: dict[State, str] = {
    "waiting": "starting",
    "throttled": "starting",
    "running": "processing",
    "succeeded": "succeeded",
    "failed": "failed",
    "refused": "failed",
    "cancelled": "canceled",
    "unknown": "reviewing",
}
MODEL = re.compile(r"^(?P<name>[\w.-]+/[\w.-]+)(?::(?P<version>\w+))?$")
PERIOD = re.compile(r"^(?P<number>\d+)(?P<unit>[smh]?)$")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Replicate(Vendor):
    """Predictions: created, polled or announced, cancelled."""

    id: ClassVar[VendorId] = "replicate"
    terms: ClassVar[Terms] = Terms(refused=False, cancelled=True)

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.webhooks = Webhooks(world)

    def spelled(self, job: uuid.UUID) -> str:
        return base64.b32encode(job.bytes).decode().lower().rstrip("=")

    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "/v1/predictions/{id}": {"GET": self.retrieve},
            "/v1/predictions": {"GET": self.list, "POST": self.create},
            "/v1/predictions/{id}/cancel": {"POST": self.cancel},
            "/v1/models/{owner}/{name}/predictions": {"POST": self.create},
            "/v1/models/{owner}/{name}": {"GET": self.model},
            "/v1/models/{owner}/{name}/versions/{version}": {"GET": self.model},
            "/v1/files": {"GET": self.files, "POST": self.upload},
            "/v1/files/{id}": {"GET": self.file, "DELETE": self.remove},
            "/v1/files/{id}/download": {"GET": self.download},
            "/v1/webhooks/default/secret": {"GET": self.secret},
        }

    def admit(self, request: Request) -> None:
        super().admit(request)
        creates = request.method == "POST" and request.url.path.endswith("/predictions")
        self.world.limit_rate(f"{self.id}:{creates}", CREATES if creates else OTHERS, WINDOW)

    def problem(self, problem: Problem) -> Response:
        if problem.kind == "throttled":
            return json_problem(
                problem, {"detail": "Request was throttled. Your rate limit resets in ~30s.", "status": 429}
            )
        status = 422 if problem.kind == "invalid" else problem.status
        details = "".join(f"- {issue}\n" for issue in problem.issues) or problem.detail
        body = {"title": TITLES.get(problem.kind, "Error"), "detail": details, "status": status}
        problem.status = status
        return json_problem(problem, body, media_type="application/problem+json")

    async def create(self, request: Request) -> Response:
        """A prediction of a model, or of a version of it."""
        body = await read_json(request, self.body_limit)
        issues = [f"Additional property {key} is not allowed" for key in sorted(body.keys() - FIELDS)]
        given = body.get("input")
        if not isinstance(given, dict):
            issues.append("input is required")
        version = body.get("version")
        if "owner" not in request.path_params and not isinstance(version, str):
            issues.append("version is required")
        if issues or not isinstance(given, dict):
            raise Problem("invalid", issues=tuple(issues))
        name = self._named(request, str(version))
        recipe, usd, prompt = await self._plan(name, given)
        job = self.submit(
            request,
            model=name,
            kind=recipe.kind if recipe else "video",
            prompt=prompt,
            body=body,
            recipe=recipe,
            usd=usd,
        )
        self._deadline(job, request.headers.get("cancel-after", ""))
        events = body.get("webhook_events_filter") or list(EVENTS)
        if address := body.get("webhook") or body.get("webhook_completed"):
            self.webhooks.watch(job, str(address), events if "webhook" in body else ["completed"], self._said)
        answer(job, Response())
        waited = await self._wait(job, request.headers.get("prefer", ""))
        headers = {"ratelimit-remaining": "599", "ratelimit-reset": "1"}
        if waited is not None:
            headers["preference-applied"] = request.headers["prefer"]
        said = self._said(job)
        if waited is not None:
            # A finished one is still called processing in the recorded exchanges, and one that is not, starting.
            said["status"] = {"succeeded": "processing", "processing": "starting"}.get(said["status"], said["status"])
        return JSONResponse(said, 201, headers=headers)

    async def retrieve(self, request: Request) -> Response:
        """A prediction as it stands."""
        return JSONResponse(self._said(self.job(request)))

    async def list(self, request: Request) -> Response:
        """All of them, newest first, by the page."""
        cursor = request.query_params.get("cursor", "0")
        start = int(cursor) if cursor.isdigit() else 0
        jobs = [*self.world.jobs.of(self.id)][::-1]
        at = f"{public(request)}/{self.id}/v1/predictions?cursor="
        return JSONResponse(
            {
                "previous": f"{at}{max(0, start - PAGE)}" if start else None,
                "next": f"{at}{start + PAGE}" if start + PAGE < len(jobs) else None,
                "results": [self._said(job) | {"source": "api"} for job in jobs[start : start + PAGE]],
            }
        )

    async def cancel(self, request: Request) -> Response:
        """Stop a prediction; a finished one stays as it is."""
        job = self.job(request)
        self.world.jobs.cancel(job, self.world.jobs.now())
        return JSONResponse(self._said(job))

    async def model(self, request: Request) -> Response:
        """A model with its latest version, or the version alone."""
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        self._known(name)
        version = {
            "id": self._version(name),
            "created_at": stamp(0),
            "cog_version": "0.9.0",
            "openapi_schema": {"components": {"schemas": {"Output": {"type": "string", "format": "uri"}}}},
        }
        if "version" in request.path_params:
            if request.path_params["version"] != version["id"]:
                raise Problem("not_found", "The requested resource could not be found.")
            return JSONResponse(version)
        owner, _, short = name.partition("/")
        nothing = dict.fromkeys(("github_url", "paper_url", "license_url", "cover_image_url", "default_example"))
        said = {"url": f"https://replicate.com/{name}", "owner": owner, "name": short, "description": "A look-alike"}
        return JSONResponse(said | nothing | {"visibility": "public", "run_count": 0, "latest_version": version})

    async def secret(self, request: Request) -> Response:  # noqa: ARG002
        """The key webhooks are signed with."""
        return JSONResponse({"key": self.webhooks.secret})

    async def upload(self, request: Request) -> Response:
        """A file to be used as an input."""
        form = await read_form(request, FILE_LIMIT)
        content = form.files.get("content")
        if content is None:
            raise Problem("invalid", issues=("content is required",))
        file = Upload(
            uuid.uuid4().hex, content.name, content.mime, len(content.data),
            self.world.renderer.keep(content.data), self.world.jobs.now(),
        )  # fmt: skip
        self.world.uploads[file.id] = file
        return JSONResponse(_file(file, request, json.loads(form.fields.get("metadata", "{}"))), 201)

    async def files(self, request: Request) -> Response:
        """All uploaded files."""
        results = [_file(file, request, {}) for file in self.world.uploads.values() if file.mime]
        return JSONResponse({"previous": None, "next": None, "results": results})

    async def file(self, request: Request) -> Response:
        """One of them."""
        return JSONResponse(_file(self._upload(request), request, {}))

    async def download(self, request: Request) -> Response:
        """Its bytes."""
        file = self._upload(request)
        return FileResponse(file.path, media_type=file.mime)

    async def remove(self, request: Request) -> Response:
        """Forget one."""
        del self.world.uploads[self._upload(request).id]
        return Response(status_code=204)

    def _upload(self, request: Request) -> Upload:
        file = self.world.uploads.get(request.path_params["id"])
        if file is None:
            raise Problem("not_found", "The requested resource could not be found.")
        return file

    def _known(self, name: str) -> None:
        if name not in self.models:
            raise Problem("not_found", "The requested resource could not be found.")

    def _named(self, request: Request, version: str) -> str:
        """The model that is meant. Raises Problem when there is none."""
        if "owner" in request.path_params:
            name = f"{request.path_params['owner']}/{request.path_params['name']}"
        elif match := MODEL.match(version):
            name = match["name"]
        else:
            name = next((model for model in self.models if self._version(model) == version), version)
        if name not in self.models:
            if "/" in name:
                raise Problem("not_found", "The requested resource could not be found.")
            raise Problem(
                "invalid",
                issues=("The specified version does not exist (or perhaps you don't have permission to use it?)",),
            )
        return name

    async def _plan(self, name: str, given: Mapping[str, Any]) -> tuple[Recipe | None, Decimal, str]:
        """What to make of an input, what it costs, and the prompt in it."""
        for key, value in given.items():
            if isinstance(value, str) and len(value) > DATA_LIMIT and DATA.match(value):
                raise Problem("invalid", issues=(f"input.{key}: data URIs may have at most 256 kB; upload the file",))
        plan = Plan(given, self.models[name])
        recipe = await plan.recipe(self)
        return recipe, self.price(name, recipe, ratio=plan.resolution), plan.prompt

    def _version(self, name: str) -> str:
        """A version's id: the one the catalogue names, or always the same for a model."""
        return self.models[name].version or hashlib.sha256(name.encode()).hexdigest()

    def _deadline(self, job: Job, after: str) -> None:
        if match := PERIOD.match(after):
            end = job.created + int(match["number"]) * UNITS[match["unit"]] / self.world.settings.speed
            if end < job.ends:
                job.cancelled, job.aborted = end, end < job.starts

    async def _wait(self, job: Job, prefer: str) -> bool | None:
        """Hold the answer back as `Prefer: wait` asks; None when it does not."""
        if not prefer.startswith("wait"):
            return None
        seconds = prefer.partition("=")[2]
        longest = min(LONGEST_WAIT, float(seconds) if seconds.isdigit() else LONGEST_WAIT)
        left = job.finished() - self.world.jobs.now()
        await asyncio.sleep(max(0.0, min(left, longest)))
        return left <= longest

    def _said(self, job: Job) -> dict[str, Any]:
        now = self.world.jobs.now()
        state = job.state(now)
        done, gone = state in DONE, now > job.finished() + HOUR * (self.world.settings.expire_hours or OUTPUT_HOURS)
        at = f"{job.public}/{self.id}/v1/predictions/{job.id}"
        said: dict[str, Any] = {
            "id": job.id,
            "model": job.model,
            "version": self._version(job.model),
            "input": {} if gone else job.request["input"],
            "logs": "",
            "output": None,
            "data_removed": gone,
            "error": None,
            "status": "aborted" if state == "cancelled" and job.aborted else STATUS[state],
            "created_at": stamp(job.created),
            "urls": {"cancel": f"{at}/cancel", "get": at},
        }
        if now >= job.starts and not job.aborted:
            said["started_at"] = stamp(job.starts)
        if done:
            end = job.finished()
            said["completed_at"] = stamp(end)
            said["metrics"] = {"predict_time": max(0.0, end - job.starts), "total_time": end - job.created}
        if state == "running" and not gone:
            percent = round(100 * job.progress(now))
            said["logs"] = f"{percent:3d}%|{'█' * (percent // 10):10}| {percent}/100 [00:00<00:00, 16.00it/s]\n"
        match state:
            case "succeeded" if not gone:
                said["output"] = self.world.outputs(job, OUTPUT_HOURS)
            case "refused":
                said["error"] = (
                    "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"
                )
            case "failed" if job.recipe is None:
                said["error"] = "cannot identify the input file"
            case "failed":
                said["error"] = "Prediction interrupted; please retry (code: PA)"
        return said


def _file(file: Upload, request: Request, metadata: Any) -> dict[str, Any]:
    digest = file.path.name
    return {
        "id": file.id,
        "name": file.name,
        "content_type": file.mime,
        "size": file.size,
        "etag": digest[:32],
        "checksums": {"sha256": digest},
        "metadata": metadata,
        "created_at": stamp(file.created),
        "expires_at": stamp(file.created + 24 * HOUR),
        "urls": {"get": f"{public(request)}/replicate/v1/files/{file.id}"},
    }
