"""fal's queue, as its SDK (fal-client 1.0) speaks it: submit to an app, follow the addresses in the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vpgen.backends.sandbox.jobs import DONE, Job, State, Terms
from vpgen.backends.sandbox.media import MIME, Recipe
from vpgen.backends.sandbox.plans import Plan
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import Handler, Vendor, answer, json_problem, public, read_json

OUTPUT_HOURS = 24.0 * 7
TIMEOUT_HEADER = "x-fal-request-timeout"


class Fal(Vendor):
    """Requests in a queue. It takes anything, and says what is wrong with it when the result is asked for."""

    id: ClassVar[VendorId] = "fal"
    terms: ClassVar[Terms] = Terms(refused=False, cancelled=True)
    scheme: ClassVar[str] = "Key"

    def paths(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "/{owner}/{alias}/requests/{id}/status": {"GET": self.status},
            "/{owner}/{alias}/requests/{id}/cancel": {"PUT": self.cancel},
            "/{owner}/{alias}/requests/{id}": {"GET": self.result},
            "/fal-ai/{app:path}": {"POST": self.create},
        }

    def problem(self, problem: Problem) -> Response:
        if problem.kind == "broke":
            detail = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
            return JSONResponse({"detail": detail}, 403)
        return json_problem(problem, {"detail": list(problem.issues) or problem.detail})

    async def create(self, request: Request) -> Response:
        """Into the queue."""
        app = f"fal-ai/{request.path_params['app']}"
        if app not in self.models:
            raise Problem("not_found", f"Application '{app}' not found")
        body = await read_json(request, self.body_limit)
        plan, missing = Plan(body, self.models[app]), ""
        recipe: Recipe | None = None
        try:
            recipe = await plan.recipe(self)
        except Problem as problem:
            missing = str(problem.issues[0]) if problem.issues else problem.detail
        usd = self.price(app, recipe, ratio=plan.resolution)
        job = self.submit(
            request,
            model=app,
            kind=recipe.kind if recipe else "video",
            prompt=plan.prompt,
            body=body,
            recipe=recipe,
            usd=usd,
        )
        job.extra |= {"app": "/".join(app.split("/")[:2]), "missing": missing}
        seconds = request.headers.get(TIMEOUT_HEADER, "")
        if seconds.replace(".", "", 1).isdigit():
            end = job.created + float(seconds) / self.world.settings.speed
            if end < job.starts:
                job.cancelled, job.aborted = end, True
        said = {"status": "IN_QUEUE", "request_id": job.id, "queue_position": self._position(job)}
        return answer(job, JSONResponse(said | self._addresses(job, request)))

    async def status(self, request: Request) -> Response:
        """Where a request stands."""
        job = self.job(request)
        now = self.world.jobs.now()
        state, addresses = job.state(now), self._addresses(job, request)
        match state:
            case "waiting" | "throttled":
                return JSONResponse({"status": "IN_QUEUE", "queue_position": self._position(job), **addresses}, 202)
            case "running":
                return JSONResponse({"status": "IN_PROGRESS", "logs": None, **addresses}, 202)
            case "unknown":
                return JSONResponse({"status": "REVIEWING", "logs": None, **addresses}, 202)
        said = {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": job.ends - job.starts}, **addresses}
        if state == "failed" and job.recipe is not None:
            said |= {"error": "The runner failed", "error_type": "internal_error"}
        return JSONResponse(said)

    async def result(self, request: Request) -> Response:
        """What came of it, or what was wrong."""
        job = self.job(request)
        state = job.state(self.world.jobs.now())
        if state not in DONE:
            raise Problem("invalid", "Request is still in progress")
        if job.recipe is None or state != "succeeded":
            return _failed(job, state)
        file = {
            "url": self.world.outputs(job, OUTPUT_HOURS),
            "content_type": MIME[job.recipe.format],
            "file_name": f"output.{job.recipe.format}",
        }
        if job.kind == "video":
            return JSONResponse({"video": file, "seed": job.recipe.seed})
        width, height = job.recipe.size
        picture = file | {"width": width, "height": height}
        made = {"images": [picture]} if job.recipe.do == "draw" else {"image": picture}
        return JSONResponse(made | {"seed": job.recipe.seed})

    async def cancel(self, request: Request) -> Response:
        """Stop it, unless it is done."""
        job = self.job(request)
        now = self.world.jobs.now()
        if job.state(now) in DONE:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        self.world.jobs.cancel(job, now)
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)

    def _position(self, job: Job) -> int:
        now = self.world.jobs.now()
        return sum(
            other.starts < job.starts and other.state(now) == "throttled" for other in self.world.jobs.of(self.id)
        )

    def _addresses(self, job: Job, request: Request) -> dict[str, Any]:
        at = f"{public(request)}/{self.id}/{job.extra['app']}/requests/{job.id}"
        return {"response_url": at, "status_url": f"{at}/status", "cancel_url": f"{at}/cancel"}


def _failed(job: Job, state: State) -> Response:
    match state:
        case "cancelled" if job.aborted:
            return _error(504, "Request timed out before it was started", "request_timeout")
        case "cancelled":
            return _error(400, "Request was cancelled", "request_cancelled")
        case "refused":
            said = "The content could not be processed because it was flagged by a content checker."
            return JSONResponse({"detail": [_detail("prompt", said, "content_policy_violation")]}, 422)
    if job.recipe is None:
        missing = job.extra["missing"] or "Failed to load the file."
        return JSONResponse({"detail": [_detail("input", missing, "file_download_error")]}, 422)
    return _error(500, "Internal Server Error", "internal_error")


def _detail(field: str, message: str, kind: str) -> dict[str, Any]:
    return {"loc": ["body", field], "msg": message, "type": kind}


def _error(status: int, detail: str, kind: str) -> Response:
    return JSONResponse({"detail": detail, "error_type": kind}, status, headers={"x-fal-error-type": kind})
