"""Luma: uni-1 pictures and ray-3.2 motion (Agents API).

Wire facts are those of the vendor's own SDK (luma-agents 0.5). It lists no generations and stops none: when the
answer to a purchase is lost, only Luma's own page tells what became of it.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Call, Handle, Report, State, Wire, details

STATES: dict[str, State] = {
    "queued": "waiting",
    "processing": "running",
    "completed": "succeeded",
    "failed": "failed",
}
REFUSED = "content_moderated"
RETRYABLE = {"generation_failed", "output_not_found", "rate_limited"}
OF_ANY = {"output_format", "style", "user_id", "web_search"}
"""Options beside the prompt; all others of a video are said inside `video`."""


class LumaWire(Wire):
    """Requests and answers of agents.lumalabs.ai."""

    provider_id: ClassVar[str] = "luma"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def create(self, ask: Ask, address: str | None) -> Call:  # noqa: ARG002  # files travel in the request
        body: dict[str, Any] = {"model": ask.name, "type": ask.makes, "prompt": ask.prompt}
        if ask.ratio:
            body["aspect_ratio"] = ask.ratio
        if ask.stage != "animate":
            return Call("POST", f"/v1/{ask.model.endpoint}", json=ask.body({**body, "output_format": "png"}))
        if ask.media is None:
            raise ValueError("this stage sends a picture")
        options = ask.body({})
        body |= {name: value for name, value in options.items() if name in OF_ANY}
        body["video"] = {
            "duration": ask.model.formats.get("seconds", "{}s").format(ask.seconds),
            "start_frame": {"data": base64.b64encode(ask.media.read()).decode(), "media_type": ask.media.mime},
            **{name: value for name, value in options.items() if name not in OF_ANY},
        }
        return Call("POST", f"/v1/{ask.model.endpoint}", json=body)

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        job = str(uuid.UUID(response.json()["id"]))
        path = f"/v1/{ask.model.endpoint}/{job}"
        return Handle(provider="luma", model=ask.name, job_id=job, poll=path, created=datetime.now(UTC))

    def poll(self, handle: Handle) -> Call:
        return Call("GET", handle.poll)

    def report(self, response: httpx.Response, ask: Ask) -> Report:  # noqa: ARG002  # the state says it all
        said = response.json()
        if said["state"] not in STATES:
            raise ValueError(f"unknown state {said['state']!r}")
        code = str(said.get("failure_code") or "")
        return Report(
            "refused" if code == REFUSED else STATES[said["state"]],
            outputs=tuple(output["url"] for output in said.get("output") or ()),
            charged=False if said["state"] == "failed" else None,
            message=str(said.get("failure_reason") or "")[:400],
            code=code,
            retryable=code in RETRYABLE,
        )

    def said(self, response: httpx.Response) -> str:
        return details(response)


class Luma(Remote):
    """Pictures and motion by Luma."""

    name: ClassVar[str] = "luma"
    wire: ClassVar[Wire] = LumaWire()

    character = background = Remote.make_picture
    animate = Remote.make_moving
