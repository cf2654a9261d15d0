"""Runway's developer API, version 2024-11-06, as its SDK (runwayml 5.24) speaks it."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vpgen.backends.sandbox.jobs import DONE, HOUR, Job, State, Terms
from vpgen.backends.sandbox.media import Facts, Recipe, even
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.vendor import (
    LOOPBACK,
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
DATA_LIMIT = 5 * 2**20
URL_LIMIT = 2048
PROMPT_LIMIT = 1000
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


def _prompt(text: str) -> str:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if not 1 <= length <= PROMPT_LIMIT:
        raise ValueError(f"must be from 1 to {PROMPT_LIMIT} UTF-16 code units, and has {length}")
    return text


def _address(uri: str) -> str:
    if uri.startswith("data:"):
        if len(uri) > DATA_LIMIT:
            raise ValueError("data URIs may have at most 5 MB; use an upload")
    elif not uri.startswith(("https://", "runway://")) and not LOOPBACK.match(uri):
        raise ValueError("must be an HTTPS URL, a Runway upload URI or a data URI")
    elif len(uri) > URL_LIMIT:
        raise ValueError(f"must have at most {URL_LIMIT} characters")
    return uri


PromptText = Annotated[str, AfterValidator(_prompt)]
Address = Annotated[str, AfterValidator(_address)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Percent = Annotated[int, Field(ge=0, le=100)]
Turbo = Literal["1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672"]
Veo = Literal["1280:720", "720:1280", "1080:1920", "1920:1080"]
Picture = Literal[
    "1024:1024", "1080:1080", "1168:880", "1360:768", "1440:1080", "1080:1440", "1808:768", "1920:1080", "1080:1920",
    "2112:912", "1280:720", "720:1280", "720:720", "960:720", "720:960", "1680:720",
]  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class _First(_Part):
    uri: Address
    position: Literal["first"]


class _Frame(_Part):
    uri: Address
    position: Literal["first", "last"]


class _Moderation(_Part):
    public_figure_threshold: Literal["auto", "low"] = "auto"


class _Reference(_Part):
    uri: Address
    tag: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{2,15}$")] | None = None


class _Body(_Part):
    model: str


class _Gen4Turbo(_Body):
    prompt_image: Address | Annotated[list[_First], Field(min_length=1, max_length=1)]
    ratio: Turbo
    duration: Annotated[int, Field(ge=2, le=10)] = 10
    prompt_text: PromptText | None = None
    seed: Seed | None = None
    content_moderation: _Moderation | None = None


class _Gen45Text(_Body):
    prompt_text: PromptText
    ratio: Literal["1280:720", "720:1280"]
    duration: Annotated[int, Field(ge=2, le=10)]
    seed: Seed | None = None
    content_moderation: _Moderation | None = None
    output_format: Literal["mp4"] = "mp4"


class _Gen45(_Gen45Text):
    prompt_image: Address | Annotated[list[_First], Field(min_length=1, max_length=1)]
    ratio: Turbo  # type: ignore[assignment]  # more shapes than from text alone


class _VeoText(_Body):
    prompt_text: PromptText
    ratio: Veo
    duration: Literal[4, 6, 8] = 8
    audio: bool = True
    negative_prompt: str | None = None
    seed: Seed | None = None


class _VeoImage(_VeoText):
    prompt_image: Address | Annotated[list[_Frame], Field(min_length=1, max_length=2)]
    prompt_text: PromptText | None = None  # type: ignore[assignment]  # the picture may say it all


class _Gen4Image(_Body):
    prompt_text: PromptText
    ratio: Picture
    reference_images: Annotated[list[_Reference], Field(max_length=3)] = Field(default_factory=list)
    seed: Seed | None = None
    content_moderation: _Moderation | None = None


class _Gen4ImageTurbo(_Gen4Image):
    reference_images: Annotated[list[_Reference], Field(min_length=1, max_length=3)]


class _VideoUpscale(_Body):
    video_uri: Address
    creativity: Percent | None = None
    flavor: Literal["vivid", "natural"] | None = None
    fps_boost: bool = False
    resolution: Literal["720p", "1k", "2k", "4k"] = "2k"
    sharpen: Percent | None = None
    smart_grain: Percent | None = None


class _FrameRate(_Body):
    video_uri: Address
    target_framerate: Literal["24", "25", "30", "48", "50", "60", "120", "23_98", "29_97", "59_94"]


class _ImageUpscale(_Body):
    image_uri: Address
    flavor: Literal["sublime", "photo", "photo_denoiser"] | None = None
    scale_factor: Literal[2, 4, 8, 16] = 2
    sharpen: Percent | None = None
    smart_grain: Percent | None = None
    ultra_detail: Percent | None = None


MODELS: dict[str, dict[str, type[_Body]]] = {
    "image_to_video": {"gen4_turbo": _Gen4Turbo, "gen4.5": _Gen45, "veo3.1": _VeoImage, "veo3.1_fast": _VeoImage},
    "text_to_video": {"gen4.5": _Gen45Text, "veo3.1": _VeoText, "veo3.1_fast": _VeoText},
    "text_to_image": {"gen4_image": _Gen4Image, "gen4_image_turbo": _Gen4ImageTurbo},
    "video_upscale": {"magnific_video_upscaler_creative": _VideoUpscale, "enhance_frame_rate": _FrameRate},
    "image_upscale": {"magnific_precision_upscaler_v2": _ImageUpscale},
}


class Runway(Vendor):
    """Tasks that are created, polled and deleted."""

    id: ClassVar[str] = "runway"
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
        body = _validated(endpoint, raw)
        self._daily_cap(body.model)
        recipe, usd = await self._plan(body)
        job = self.submit(
            request, model=body.model, kind=recipe.kind if recipe else "video", prompt=str(raw.get("promptText", "")),
            body=raw, recipe=recipe, usd=usd, queues=True,
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
            [_unrecognised(sorted(body.keys() - {"filename", "type"}))] if body.keys() - {"filename", "type"} else []
        )
        if not isinstance(body.get("filename"), str) or "." not in body["filename"]:
            issues.append(_issue(["filename"], "Must be a file name with an extension"))
        if body.get("type") != "ephemeral":
            issues.append(_issue(["type"], "Must be 'ephemeral'"))
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

    async def _plan(self, body: _Body) -> tuple[Recipe | None, Decimal]:
        """What to make and what it costs; no recipe when the input cannot be used."""
        match body:
            case _Gen4Image():
                recipe = Recipe("draw", _size(body.ratio), "png", text=drawn(body.prompt_text), seed=body.seed or 0)
                return recipe, self.price(body.model, ratio=body.ratio)
            case _Gen4Turbo() | _Gen45Text() | _VeoText():
                return await self._move(body)
            case _VideoUpscale() | _FrameRate():
                address, kind = body.video_uri, "video"
            case _ImageUpscale():
                address, kind = body.image_uri, "image"
            case _:
                raise TypeError(body)
        source, facts = await self.facts(address)
        if source is None or facts is None or facts.kind != kind:
            return None, self.price(body.model)
        recipe = _finish(body, source, facts)
        return recipe, self.price(body.model, seconds=facts.seconds, pixels=recipe.size[0] * recipe.size[1])

    async def _move(self, body: _Gen4Turbo | _Gen45Text | _VeoText) -> tuple[Recipe | None, Decimal]:
        usd = self.price(body.model, seconds=body.duration, ratio=body.ratio)
        recipe = Recipe("move", even(_size(body.ratio)), "mp4", text=drawn(body.prompt_text or ""), seed=body.seed or 0,
                        seconds=float(body.duration))  # fmt: skip
        image = getattr(body, "prompt_image", None)
        if image is None:
            return recipe, usd
        source, facts = await self.facts(image if isinstance(image, str) else image[0].uri)
        if source is None or facts is None or facts.kind != "image":
            return None, usd
        return replace(recipe, text="", source=source), usd


def _finish(body: _VideoUpscale | _FrameRate | _ImageUpscale, source: Path | Recipe, facts: Facts) -> Recipe:
    (width, height), seconds = facts.size, facts.seconds
    match body:
        case _VideoUpscale():
            scale = WIDTHS[body.resolution] / max(facts.size)
            size = even((round(width * scale), round(height * scale)))
            return Recipe("enlarge", size, "mp4", source=source, seconds=seconds, fps=facts.fps)
        case _FrameRate():
            fps = round(float(body.target_framerate.replace("_", ".")))
            return Recipe("retime", facts.size, "mp4", source=source, seconds=seconds, fps=fps)
    return Recipe("enlarge", (width * body.scale_factor, height * body.scale_factor), "png", source=source)


def _validated(endpoint: str, body: dict[str, Any]) -> _Body:
    shapes = MODELS[endpoint]
    if body.get("model") not in shapes:
        expected = " | ".join(f"'{name}'" for name in shapes)
        issue = {
            "code": "invalid_union_discriminator",
            "options": list(shapes),
            "path": ["model"],
            "message": f"Invalid discriminator value. Expected {expected}",
        }
        raise Problem("invalid", "Validation of body failed", issues=(issue,))
    try:
        return shapes[body["model"]].model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
    unknown = [str(detail["loc"][-1]) for detail in found if detail["type"] == "extra_forbidden"]
    issues = [_unrecognised(unknown)] if unknown else []
    for detail in found:
        path = [part for part in detail["loc"] if isinstance(part, int) or part in body or part == detail["loc"][0]]
        if detail["type"] == "missing":
            issues.append({"code": "invalid_type", "received": "undefined", "path": path, "message": "Required"})
        elif detail["type"] != "extra_forbidden":
            issues.append(_issue(path, detail["msg"]))
    raise Problem("invalid", "Validation of body failed", issues=tuple(issues))


def _issue(path: list[Any], message: str) -> dict[str, Any]:
    return {"code": "custom", "path": path, "message": message}


def _unrecognised(keys: list[str]) -> dict[str, Any]:
    said = ", ".join(f"'{key}'" for key in keys)
    return {"code": "unrecognized_keys", "keys": keys, "path": [], "message": f"Unrecognized key(s) in object: {said}"}


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
    code = "INTERNAL.BAD_OUTPUT.CODE01" if job.number % 2 else "INTERNAL"
    return {"failure": "An unexpected error occurred.", "failureCode": code}
