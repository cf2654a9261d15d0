"""Runway: gen4_image pictures, gen4_turbo and gen4.5 motion, its upscalers (API version 2024-11-06).

Wire facts are those of the vendor's own SDK (runwayml 5.24), which the sandbox is held against.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import httpx

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Call, Handle, Media, Report, State, Wire, data_uri

VERSION = "2024-11-06"
CREDIT_USD = Decimal("0.01")
INLINE = 3_500_000
"""Bytes that fit a data URI of 5 MB; larger files are uploaded first."""
SEEDS = 2**32
STATES: dict[str, State] = {
    "PENDING": "waiting",
    "THROTTLED": "waiting",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
}
RETRYABLE_FAILURES = ("INTERNAL", "THIRD_PARTY.UNAVAILABLE", "INPUT_PREPROCESSING.INTERNAL")
RESOLUTIONS = ((1280, "720p"), (1920, "1k"), (2560, "2k"))
"""Width up to which a named resolution is enough; beyond it, 4k."""


class RunwayWire(Wire):
    """Requests and answers of api.dev.runwayml.com."""

    provider_id: ClassVar[str] = "runway"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}", "X-Runway-Version": VERSION}

    def upload(self, media: Media) -> Call | None:
        if media.size <= INLINE:
            return None
        return Call("POST", "/v1/uploads", json={"filename": _file_name(media), "type": "ephemeral"})

    def uploaded(self, response: httpx.Response, media: Media) -> tuple[str, Call | None]:
        said = response.json()
        file = (_file_name(media), media.read(), media.mime)
        return said["runwayUri"], Call("POST", said["uploadUrl"], data=said["fields"], files={"file": file})

    def create(self, ask: Ask, address: str | None) -> Call:
        body: dict[str, Any] = {"model": ask.name}
        if ask.stage in {"character", "background", "animate"}:
            body |= {"ratio": ask.ratio, "seed": ask.seed % SEEDS}
            if ask.prompt:
                body["promptText"] = ask.prompt
        match ask.stage:
            case "animate":
                body |= {"promptImage": address or data_uri(ask.media), "duration": ask.seconds}
            case "upscale":
                body |= {"videoUri": address or data_uri(ask.media)}
                if ask.size and "resolution" not in ask.model.defaults:
                    body["resolution"] = next((name for w, name in RESOLUTIONS if ask.size[0] <= w), "4k")
            case "interpolate":
                body |= {"videoUri": address or data_uri(ask.media), "targetFramerate": str(ask.fps)}
        return Call("POST", f"/v1/{ask.model.endpoint}", json=ask.body(body))

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        job = str(uuid.UUID(response.json()["id"]))
        path = f"/v1/tasks/{job}"
        return Handle(provider="runway", model=ask.name, job_id=job, poll=path, cancel=path, created=datetime.now(UTC))

    def poll(self, handle: Handle) -> Call:
        return Call("GET", handle.poll)

    def report(self, response: httpx.Response, ask: Ask) -> Report:  # noqa: ARG002  # the state says it all
        said = response.json()
        if said["status"] not in STATES:
            raise ValueError(f"unknown status {said['status']!r}")
        state = STATES[said["status"]]
        code = str(said.get("failureCode") or "")
        charged = (said.get("cost") or {}).get("credits")
        return Report(
            "refused" if code.startswith("SAFETY") else state,
            progress=float(said["progress"]) if said.get("progress") is not None else None,
            outputs=tuple(said.get("output") or ()),
            usd=None if charged is None else Decimal(str(charged)) * CREDIT_USD,
            message=str(said.get("failure") or ("queued there" if said["status"] == "THROTTLED" else "")),
            code=code,
            retryable=code.startswith(RETRYABLE_FAILURES),
        )

    def cancel(self, handle: Handle) -> Call | None:
        return Call("DELETE", handle.cancel or handle.poll)

    def said(self, response: httpx.Response) -> str:
        """The error with its issues, which name the field at fault."""
        try:
            said = response.json()
        except ValueError:
            return response.text[:200]
        issues = [
            f"{'.'.join(map(str, issue.get('path', [])))}: {issue.get('message', '')}"
            for issue in said.get("issues", [])
            if isinstance(issue, dict)
        ]
        return "; ".join([str(said.get("error", "")), *issues])[:400]

    def evidence(self, ask: Ask) -> Call | None:  # noqa: ARG002  # one page for all models
        return Call("GET", "/v1/organization")

    def weigh(self, response: httpx.Response, ask: Ask, since: datetime) -> list[Handle] | int:  # noqa: ARG002
        """Runway lists no tasks, but counts the day's generations of each model."""
        used = response.json()["usage"]["models"].get(ask.name)
        return int(used["dailyGenerations"]) if used else 0


class Runway(Remote):
    """Pictures, motion and upscaling by Runway."""

    name: ClassVar[str] = "runway"
    wire: ClassVar[Wire] = RunwayWire()

    character = background = Remote.make_picture
    animate = Remote.make_moving
    upscale = interpolate = Remote.finish


def _file_name(media: Media) -> str:
    return f"{media.kind}.{media.mime.partition('/')[2]}"
