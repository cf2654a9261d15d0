"""Runway's developer API, version 2024-11-06, as its SDK (runwayml 5.24) speaks it."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vpgen.backends.sandbox.jobs import DONE, HOUR, Job, State, Terms
from vpgen.backends.sandbox.media import Facts, Recipe, even
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.runway_shapes import (
    MODELS,
    Body,
    FrameRate,
    Gen4Image,
    Gen4Turbo,
    Gen45Text,
    ImageUpscale,
    VeoText,
    VideoUpscale,
    issue_of,
    unrecognised,
    validated,
)  # fmt: skip
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import (
    Handler,
    Upload,
    Vendor,
    answer,
    drawn,
    json_problem,
    public,
    read_form,
    read_json,
    stamp,
)  # fmt: skip

VERSION = "2024-11-06"
CREDIT_USD = Decimal("0.01")
DOCS = "https://docs.dev.runwayml.com/api"
OUTPUT_HOURS = 24.0
UPLOAD_LIMIT = 200_000_000
STATUS: dict[State, str] = {
    "waiting": "PENDING",
    "throttled": "THROTTLED",
    "running": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "refused": "FAILED",
    "cancelled": "CANCELLED",
    "unknown": "REVIEWING",
}
WIDTHS = {"720p": 1280, "1k": 1920, "2k": 2560, "4k": 3840}


class Runway(Vendor):
    """Tasks that are created, polled and deleted."""

    id: ClassVar[VendorId] = "runway"
    terms: ClassVar[Terms] = Terms(refused=True, cancelled=True)

    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "/v1/tasks/{id}": {"GET": self.retrieve, "DELETE": self.delete},
            **{f"/v1/{endpoint}": {"POST": self.create} for endpoint in MODELS},
            "/v1/uploads": {"POST": self.upload},
            "/v1/organization": {"GET": self.organization},
        }

    def admit(self, request: Request) -> None:
        super().admit(request)
        if request.headers.get("x-runway-version") != VERSION:
            raise Problem("invalid", f"The X-Runway-Version header must be {VERSION}")

    def problem(self, problem: Problem) -> Response:
        if problem.kind == "broke":
            return JSONResponse({"error": "You do not have enough credits to run this task."}, 400)
        body: dict[str, Any] = {"error": problem.detail}
        if problem.issues:
            body |= {"issues": list(problem.issues), "docUrl": DOCS}
        return json_problem(problem, body)

    async def create(self, request: Request) -> Response:
        """Any of the generating endpoints."""
        endpoint = request.url.path.rpartition("/")[2]
        raw = await read_json(request, self.body_limit)
        body = validated(endpoint, raw)
        self._daily_cap(body.model)
        recipe, usd = await self._plan(body)
        job = self.submit(
            request, model=body.model, kind=recipe.kind if recipe else "video", prompt=str(raw.get("promptText", "")),
            body=raw, recipe=recipe, usd=_credits(usd) * CREDIT_USD, queues=True,
        )  # fmt: skip
        return answer(job, JSONResponse({"id": job.id, "estimatedCost": {"credits": _credits(job.usd)}}))

    async def retrieve(self, request: Request) -> Response:
        """A task as it stands."""
        job = self.job(request)
        now = self.world.jobs.now()
        state = job.state(now)
        said: dict[str, Any] = {"id": job.id, "createdAt": stamp(job.created), "status": STATUS[state]}
        if state in DONE:
            said["cost"] = {"credits": _credits(job.charge(now))}
        else:
            said["estimatedCost"] = {"credits": _credits(job.usd)}
        match state:
            case "running":
                said["progress"] = job.progress(now)
            case "succeeded":
                said["output"] = [self.world.outputs(job, OUTPUT_HOURS)]
            case "refused":
                said |= {"failure": "The content was flagged by our moderation.", "failureCode": _refusal(job)}
            case "failed":
                said |= _failure(job)
        return JSONResponse(said)

    async def delete(self, request: Request) -> Response:
        """Cancel a task under way, or forget one that is done."""
        job = self.job(request)
        now = self.world.jobs.now()
        if job.state(now) in DONE:
            job.deleted = True
        else:
            self.world.jobs.cancel(job, now)
        return Response(status_code=204)

    async def upload(self, request: Request) -> Response:
        """An address to bring a file to."""
        body = await read_json(request, self.body_limit)
        issues = (
            [unrecognised(sorted(body.keys() - {"filename", "type"}))] if body.keys() - {"filename", "type"} else []
        )
        if not isinstance(body.get("filename"), str) or "." not in body["filename"]:
            issues.append(issue_of(["filename"], "Must be a file name with an extension"))
        if body.get("type") != "ephemeral":
            issues.append(issue_of(["type"], "Must be 'ephemeral'"))
        if issues:
            raise Problem("invalid", "Validation of body failed", issues=tuple(issues))
        token = uuid.uuid4().hex
        return JSONResponse(
            {
                "uploadUrl": f"{public(request)}/_uploads/{token}",
                "fields": {"key": f"ephemeral/{token}", "policy": "sandbox"},
                "runwayUri": f"runway://{token}",
            }
        )

    async def receive(self, request: Request) -> Response:
        """The form post to the address that `upload` gave, as to an S3 bucket."""
        form = await read_form(request, UPLOAD_LIMIT)
        file, token = form.files.get("file"), request.path_params["token"]
        if file is None or form.fields.get("key") != f"ephemeral/{token}":
            return Response("<Error><Code>InvalidArgument</Code></Error>", 400, media_type="application/xml")
        path = self.world.renderer.keep(file.data)
        self.world.uploads[token] = Upload(token, file.name, "", len(file.data), path, self.world.jobs.now())
        return Response(status_code=204)

    async def organization(self, request: Request) -> Response:  # noqa: ARG002
        """What is on the account, and what was generated in the last day."""
        world = self.world
        used = self._today()
        limit = world.settings.throttle.get(self.id, 1)
        models = {name for models in MODELS.values() for name in models}
        tier = {
            name: {"maxConcurrentGenerations": limit, "maxDailyGenerations": world.settings.daily_generations}
            for name in sorted(models)
        }
        return JSONResponse(
            {
                "creditBalance": int(world.jobs.balance(self.id) / CREDIT_USD),
                "tier": {"maxMonthlyCreditSpend": 100_000, "models": tier},
                "usage": {"models": {name: {"dailyGenerations": used[name]} for name in sorted(models)}},
            }
        )

    def _today(self) -> Counter[str]:
        since = self.world.jobs.now() - 24 * HOUR
        return Counter(job.model for job in self.world.jobs.of(self.id) if job.created > since)

    def _daily_cap(self, model: str) -> None:
        if self._today()[model] >= self.world.settings.daily_generations:
            raise Problem("throttled", "You have reached the limit of generations of this model in 24 hours")

    async def _plan(self, body: Body) -> tuple[Recipe | None, Decimal]:
        """What to make and what it costs; no recipe when the input cannot be used."""
        match body:
            case Gen4Image():
                recipe = Recipe("draw", _size(body.ratio), "png", text=drawn(body.prompt_text), seed=body.seed or 0)
                return recipe, self.price(body.model, recipe, ratio=body.ratio)
            case Gen4Turbo() | Gen45Text() | VeoText():
                return await self._move(body)
            case VideoUpscale() | FrameRate():
                address, kind = body.video_uri, "video"
            case ImageUpscale():
                address, kind = body.image_uri, "image"
            case _:
                raise TypeError(body)
        source, facts = await self.facts(address)
        if source is None or facts is None or facts.kind != kind:
            return None, self.price(body.model, None)
        recipe = _finish(body, source, facts)
        return recipe, self.price(body.model, recipe, ratio=getattr(body, "resolution", ""))

    async def _move(self, body: Gen4Turbo | Gen45Text | VeoText) -> tuple[Recipe | None, Decimal]:
        recipe = Recipe("move", even(_size(body.ratio)), "mp4", text=drawn(body.prompt_text or ""), seed=body.seed or 0,
                        seconds=float(body.duration))  # fmt: skip
        usd = self.price(body.model, recipe, ratio=body.ratio)
        image = getattr(body, "prompt_image", None)
        if image is None:
            return recipe, usd
        source, facts = await self.facts(image if isinstance(image, str) else image[0].uri)
        if source is None or facts is None or facts.kind != "image":
            return None, usd
        return replace(recipe, text="", source=source), usd


def _finish(body: VideoUpscale | FrameRate | ImageUpscale, source: Path | Recipe, facts: Facts) -> Recipe:
    (width, height), seconds = facts.size, facts.seconds
    match body:
        case VideoUpscale():
            scale = WIDTHS[body.resolution] / max(facts.size)
            size = even((round(width * scale), round(height * scale)))
            return Recipe("enlarge", size, "mp4", source=source, seconds=seconds, fps=facts.fps)
        case FrameRate():
            fps = round(float(body.target_framerate.replace("_", ".")))
            return Recipe("retime", facts.size, "mp4", source=source, seconds=seconds, fps=fps)
    return Recipe("enlarge", (width * body.scale_factor, height * body.scale_factor), "png", source=source)


def _size(ratio: str) -> tuple[int, int]:
    width, height = ratio.split(":")
    return int(width), int(height)


def _credits(usd: Decimal) -> int:
    return math.ceil(usd / CREDIT_USD)


def _refusal(job: Job) -> str:
    return "SAFETY.OUTPUT" if job.fate.filtered else "SAFETY.INPUT.TEXT"


def _failure(job: Job) -> dict[str, Any]:
    if job.recipe is None:
        return {"failure": "The input could not be loaded.", "failureCode": "ASSET.INVALID"}
    code = "INTERNAL.BAD_OUTPUT.CODE01" if int(job.digest, 16) % 2 else "INTERNAL"
    return {"failure": "An unexpected error occurred.", "failureCode": code}
