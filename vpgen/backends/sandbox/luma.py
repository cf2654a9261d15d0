"""Luma's Agents API, as its SDK (luma-agents 0.5) speaks it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vpgen.backends.sandbox.jobs import Job, State, Terms
from vpgen.backends.sandbox.media import Recipe, even, shape
from vpgen.backends.sandbox.plans import HEIGHTS
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import Handler, Vendor, answer, drawn, json_problem, read_json, stamp

API_VERSION = "2026-04-01"
OUTPUT_HOURS = 1.0
PROMPT_LIMIT = 6_000
IMAGE_SIDE = 2_048
STATE: dict[State, str] = {
    "waiting": "queued",
    "throttled": "queued",
    "running": "processing",
    "succeeded": "completed",
    "failed": "failed",
    "refused": "failed",
    "cancelled": "failed",
    "unknown": "reviewing",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Reference(_Part):
    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    generation_id: str | None = None

    @model_validator(mode="after")
    def _one(self) -> _Reference:
        if sum(part is not None for part in (self.url, self.data, self.generation_id)) != 1:
            raise ValueError("give exactly one of url, data, generation_id")
        if self.data is not None and self.media_type is None:
            raise ValueError("data needs a media_type")
        return self


class _Video(_Part):
    resolution: Literal["360p", "540p", "720p", "1080p"] = "720p"
    duration: Literal["5s", "10s"] = "5s"
    start_frame: _Reference | None = None
    end_frame: _Reference | None = None
    loop: bool = False
    hdr: bool = False


class _Body(_Part):
    prompt: Annotated[str, Field(min_length=1, max_length=PROMPT_LIMIT)]
    model: Literal["uni-1", "uni-1-max", "ray-3.2"] = "uni-1"
    type: Literal["image", "video"] = "image"
    aspect_ratio: str | None = None
    image_ref: Annotated[list[_Reference], Field(max_length=9)] = Field(default_factory=list)
    output_format: Literal["png", "jpeg"] = "png"
    style: Literal["auto", "manga"] = "auto"
    user_id: str | None = None
    video: _Video = _Video()
    web_search: bool = False

    @model_validator(mode="after")
    def _fits(self) -> _Body:
        if (self.type == "video") != (self.model == "ray-3.2"):
            raise ValueError(f"{self.model} does not make type {self.type}")
        ratios = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "3:1", "2:1", "3:2", "2:3", "1:2", "1:3")
        if self.aspect_ratio not in {None, *(ratios[:6] if self.type == "video" else ratios)}:
            raise ValueError(f"aspect_ratio {self.aspect_ratio} is not supported for type {self.type}")
        if self.video.loop and self.video.duration == "10s":
            raise ValueError("loop is not supported with duration 10s")
        return self


class Luma(Vendor):
    """Generations that are created and polled; there is no way to cancel one."""

    id: ClassVar[VendorId] = "luma"
    terms: ClassVar[Terms] = Terms(refused=False, cancelled=False)

    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        return {"/v1/generations/{id}": {"GET": self.retrieve}, "/v1/generations": {"POST": self.create}}

    def problem(self, problem: Problem) -> Response:
        status = 422 if problem.issues else problem.status
        response = json_problem(problem, {"detail": list(problem.issues) or problem.detail})
        response.status_code = status
        return response

    async def create(self, request: Request) -> Response:
        """A picture or a video."""
        raw = await read_json(request, self.body_limit)
        try:
            body = _Body.model_validate(raw)
        except ValidationError as error:
            issues = [
                {"loc": ["body", *detail["loc"]], "msg": detail["msg"], "type": detail["type"]}
                for detail in error.errors(include_url=False, include_context=False)
            ]
            raise Problem("invalid", issues=tuple(issues)) from None
        recipe, usd = await self._plan(body)
        job = self.submit(
            request,
            model=body.model,
            kind=body.type,
            prompt=body.prompt,
            body=raw,
            recipe=recipe,
            usd=usd,
            queues=False,
        )
        job.extra["type"] = body.type
        return answer(job, JSONResponse(self._said(job), 201, headers={"x-api-version": API_VERSION}))

    async def retrieve(self, request: Request) -> Response:
        """A generation as it stands."""
        return JSONResponse(self._said(self.job(request)), headers={"x-api-version": API_VERSION})

    def _said(self, job: Job) -> dict[str, Any]:
        state = job.state(self.world.jobs.now())
        said: dict[str, Any] = {
            "id": job.id,
            "type": job.extra["type"],
            "state": STATE[state],
            "model": job.model,
            "created_at": stamp(job.created),
            "output": [],
            "failure_reason": None,
            "failure_code": None,
        }
        match state:
            case "succeeded":
                said["output"] = [{"type": job.kind, "url": self.world.outputs(job, OUTPUT_HOURS)}]
            case "refused":
                said |= {"failure_code": "content_moderated", "failure_reason": "The request was moderated"}
            case "failed" if job.recipe is None:
                said |= {"failure_code": "corrupt_input", "failure_reason": "The input could not be read"}
            case "failed":
                said |= {"failure_code": "generation_failed", "failure_reason": "The generation failed"}
        return said

    async def _plan(self, body: _Body) -> tuple[Recipe | None, Decimal]:
        if body.type == "image":
            size = shape(body.aspect_ratio or "1:1", IMAGE_SIDE)
            scale = IMAGE_SIDE / max(size)
            size = round(size[0] * scale), round(size[1] * scale)
            recipe = Recipe("draw", size, body.output_format, text=drawn(body.prompt))
            return recipe, self.price(body.model, recipe)
        seconds = float(body.video.duration.removesuffix("s"))
        size = even(shape(body.aspect_ratio or "16:9", HEIGHTS[body.video.resolution]))
        recipe = Recipe("move", size, "mp4", text=drawn(body.prompt), seconds=seconds)
        usd = self.price(body.model, recipe, ratio=body.video.resolution)
        frame = body.video.start_frame
        if frame is None:
            return recipe, usd
        source = self._source(frame)
        facts = await self.world.renderer.facts(source) if source is not None else None
        if source is None or facts is None or facts.kind != "image":
            return None, usd
        return replace(recipe, text="", source=source), usd

    def _source(self, reference: _Reference) -> Path | Recipe | None:
        if reference.url is not None:
            return self.world.source(reference.url)
        if reference.generation_id is not None:
            job = self.world.jobs.by_id.get(reference.generation_id)
            return job.recipe if job else None
        try:
            return self.world.renderer.keep(b64decode(reference.data or "", validate=True))
        except (binascii.Error, ValueError):
            return None
