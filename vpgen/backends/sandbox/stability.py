"""Stability AI's v2beta Stable Image API, as its published OpenAPI description has it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vpgen.backends.sandbox.jobs import HOUR, Job, Terms
from vpgen.backends.sandbox.media import MIME, Facts, Format, Recipe
from vpgen.backends.sandbox.problems import Problem, ProblemKind
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import (
    Form,
    Handler,
    Vendor,
    answer,
    drawn,
    json_problem,
    read_form,
)  # fmt: skip

BODY_LIMIT = 10 * 2**20
MOST, WINDOW = 150, 10.0
"""Requests in so many seconds."""
RESULT_HOURS = 24.0
PROMPT_LIMIT = 10_000
SEEDS = 4_294_967_294
SIZES = {
    "16:9": (1344, 768), "1:1": (1024, 1024), "21:9": (1536, 640), "2:3": (832, 1216), "3:2": (1216, 832),
    "4:5": (896, 1088), "5:4": (1088, 896), "9:16": (768, 1344), "9:21": (640, 1536),
}  # fmt: skip
NAMES: dict[ProblemKind, str] = {
    "unauthorized": "unauthorized",
    "broke": "payment_required",
    "throttled": "rate_limit_exceeded",
    "unavailable": "service_unavailable",
    "internal": "internal_error",
    "too_large": "payload_too_large",
    "not_found": "not_found",
    "method": "method_not_allowed",
    "invalid": "bad_request",
    "refused": "content_moderation",
}
SD3 = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash")


@dataclass(frozen=True)
class Service:
    """An endpoint: what it needs, what it takes and gives."""

    path: str
    prompt: bool = False
    image: bool = False
    formats: tuple[Format, ...] = ("png", "jpeg", "webp")
    sides: tuple[int, int] = (64, 16_384)
    pixels: tuple[int, int] = (4_096, 9_437_184)
    aspect: float | None = None
    """The longer side over the shorter one, at most."""
    later: bool = False
    """Answers with an id at once, and with the result when asked again."""


SERVICES = {
    service.path: service
    for service in (
        Service("generate/core", prompt=True),
        Service("generate/ultra", prompt=True),
        Service("generate/sd3", prompt=True, formats=("png", "jpeg")),
        Service("edit/remove-background", image=True, formats=("png", "webp"), pixels=(4_096, 4_194_304)),
        Service("upscale/fast", image=True, sides=(32, 1_536), pixels=(1_024, 1_048_576)),
        Service("upscale/conservative", prompt=True, image=True, aspect=2.5),
        Service("upscale/creative", prompt=True, image=True, pixels=(4_096, 1_048_576), later=True),
    )
}


class Stability(Vendor):
    """Pictures, most of them at once."""

    id: ClassVar[VendorId] = "stability"
    terms: ClassVar[Terms] = Terms(refused=True, cancelled=True)
    """A moderated request is turned away before it is a job; a filtered result was made, and is paid for."""

    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "/v2beta/results/{id}": {"GET": self.result},
            **{f"/v2beta/stable-image/{path}": {"POST": self.create} for path in SERVICES},
            "/v1/user/balance": {"GET": self.balance},
        }

    def admit(self, request: Request) -> None:
        super().admit(request)
        self.world.limit_rate(self.id, MOST, WINDOW)

    def problem(self, problem: Problem) -> Response:
        issues = list(problem.issues) or [problem.detail]
        return json_problem(problem, {"id": uuid.uuid4().hex, "name": NAMES[problem.kind], "errors": issues})

    def spelled(self, job: uuid.UUID) -> str:
        return hashlib.sha256(job.bytes).hexdigest()

    async def create(self, request: Request) -> Response:
        """Any of the services."""
        service = SERVICES[request.url.path.partition("/stable-image/")[2]]
        wants_json = _wants_json(request)
        form = await read_form(request, BODY_LIMIT)
        fields = form.fields
        recipe = await self._plan(service, form)
        model = fields.get("model", "sd3.5-large") if service.path == "generate/sd3" else service.path.partition("/")[2]
        prompt = fields.get("prompt", "")
        body = {**fields, "image": recipe.source.name if isinstance(recipe.source, Path) else ""}
        job = self.submit(
            request, model=model, kind="image", prompt=prompt, body=body, recipe=recipe,
            usd=self.price(model, recipe, endpoint=service.path),
        )  # fmt: skip
        job.extra["seed"] = recipe.seed or int(job.digest, 16) % SEEDS + 1
        if job.fate.outcome == "refused" and not job.fate.filtered:
            self.world.jobs.forget(job)
            raise Problem(
                "refused", "Your request was flagged by our content moderation system and was denied as a result."
            )
        if service.later:
            return answer(job, JSONResponse({"id": job.id}))
        answer(job, Response())
        await asyncio.sleep(job.ends - self.world.jobs.now())
        return await self._picture(job, wants_json=wants_json)

    async def result(self, request: Request) -> Response:
        """What became of an asynchronous one."""
        wants_json = _wants_json(request)
        job = self.job(request)
        now = self.world.jobs.now()
        if now > job.ends + HOUR * (self.world.settings.expire_hours or RESULT_HOURS):
            raise Problem("not_found", "The result has expired")
        match job.state(now):
            case "waiting" | "running" | "throttled":
                return JSONResponse({"id": job.id, "status": "in-progress"}, 202)
            case "unknown":
                return JSONResponse({"id": job.id, "status": "reviewing"}, 202)
        return await self._picture(job, wants_json=wants_json)

    async def balance(self, request: Request) -> Response:  # noqa: ARG002
        """Credits left, of a cent each."""
        return JSONResponse({"credits": float(self.world.jobs.balance(self.id) * 100)})

    async def _picture(self, job: Job, *, wants_json: bool) -> Response:
        if job.fate.outcome == "failed" or job.recipe is None:
            raise Problem("internal", "An unexpected server error has occurred, please try again later.")
        blurred = job.fate.outcome == "refused"
        recipe = replace(job.recipe, blurred=blurred)
        path = await self.world.renderer.file(recipe, stock=self.world.settings.media == "stock")
        data = await asyncio.to_thread(path.read_bytes)
        mime = MIME[recipe.format]
        match job.fate.garbage:
            case "truncate":
                data = data[: len(data) // 2]
            case "garbage-html" | "garbage-endless" | "redirect-internal":
                return Response(b"<html><body>upstream error</body></html>", media_type="text/html")
        reason, seed = "CONTENT_FILTERED" if blurred else "SUCCESS", job.extra["seed"]
        if wants_json:
            said = {"image": base64.b64encode(data).decode(), "seed": seed, "finish_reason": reason}
            return JSONResponse(
                said, headers={"content-type": f"application/json; type={mime}", "x-request-id": job.id}
            )
        headers = {"finish-reason": reason, "seed": str(seed), "x-request-id": job.id}
        return Response(data, media_type=mime, headers=headers)

    async def _plan(self, service: Service, form: Form) -> Recipe:
        """What to make. Raises Problem with everything that is wrong with the form."""
        fields = form.fields
        issues = _field_issues(service, fields)
        source, facts = None, None
        if service.image and "image" not in form.files:
            issues.append("image: is required")
        elif service.image:
            source = self.world.renderer.keep(form.files["image"].data)
            facts = await self.world.renderer.facts(source)
            issues += _picture_issues(service, facts)
        if issues:
            raise Problem("invalid", issues=tuple(issues))
        picture = next(name for name in service.formats if name == fields.get("output_format", "png"))
        seed = int(fields.get("seed", "0"))
        if source is None or facts is None:
            size = SIZES[fields.get("aspect_ratio", "1:1")]
            return Recipe("draw", size, picture, text=drawn(fields["prompt"]), seed=seed)
        do: Literal["cut-out", "enlarge"] = "cut-out" if service.path == "edit/remove-background" else "enlarge"
        return Recipe(do, _enlarged(service, facts), picture, source=source, seed=seed)


def _field_issues(service: Service, fields: Mapping[str, str]) -> list[str]:
    prompt, seed = fields.get("prompt", ""), fields.get("seed", "0")
    choices: dict[str, tuple[str, ...]] = {"output_format": service.formats}
    if not service.image:
        choices["aspect_ratio"] = tuple(SIZES)
    if service.path == "generate/sd3":
        choices["model"] = SD3
    issues = [
        f"{name}: must be one of {', '.join(allowed)}"
        for name, allowed in choices.items()
        if name in fields and fields[name] not in allowed
    ]
    if service.prompt and not prompt:
        issues.append("prompt: is required")
    issues += [
        f"{name}: must have at most {PROMPT_LIMIT} characters"
        for name in ("prompt", "negative_prompt")
        if len(fields.get(name, "")) > PROMPT_LIMIT
    ]
    if not (seed.isascii() and seed.isdigit()) or int(seed[:11]) > SEEDS:
        issues.append(f"seed: must be a number from 0 to {SEEDS}")
    return issues


def _enlarged(service: Service, facts: Facts) -> tuple[int, int]:
    width, height = facts.size
    match service.path:
        case "edit/remove-background":
            return facts.size
        case "upscale/fast":
            return width * 4, height * 4
    scale = (4_000_000 / (width * height)) ** 0.5
    return round(width * scale), round(height * scale)


def _picture_issues(service: Service, facts: Facts | None) -> list[str]:
    if facts is None or facts.kind != "image":
        return ["image: must be a jpeg, png or webp"]
    (low, high), (least, most) = service.sides, service.pixels
    issues = []
    if not all(low <= side <= high for side in facts.size):
        issues.append(f"image: each side must have from {low} to {high} pixels")
    if not least <= facts.size[0] * facts.size[1] <= most:
        issues.append(f"image: must have from {least} to {most} pixels")
    if service.aspect and max(facts.size) > service.aspect * min(facts.size):
        issues.append(f"image: the aspect ratio must be between 1:{service.aspect} and {service.aspect}:1")
    return issues


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "image/*")
    if accept.startswith("application/json"):
        return True
    if accept.startswith(("image/", "*/*")):
        return False
    raise Problem("invalid", issues=("accept: must be 'image/*' or 'application/json'",))
