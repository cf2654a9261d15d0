"""fal: any model that the catalogue describes, through its queue.

Wire facts are those of the vendor's own SDK (fal-client 1.0). Where a request stands and what came of it are two
addresses, both in the answer to the purchase. It says neither what a request cost nor, at this address, which ones
there were; server errors are free, and so is what its checker stops before a runner has worked on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

import httpx

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Call, Handle, Report, State, Wire, details, named

STATES: dict[str, State] = {"IN_QUEUE": "waiting", "IN_PROGRESS": "running", "COMPLETED": "succeeded"}
CANCELLED = {"request_cancelled", "client_cancelled"}
FINAL = {400, 413, 422}
"""What a request that ended so has, it would have again."""


class FalWire(Wire):
    """Requests and answers of queue.fal.run."""

    provider_id: ClassVar[str] = "fal"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Key {key}"}

    def create(self, ask: Ask, address: str | None) -> Call:
        return Call("POST", ask.model.endpoint, json=ask.body(named(ask, address)))

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        said, own = response.json(), response.request.url
        for name in ("status_url", "response_url", "cancel_url"):
            at = httpx.URL(said[name])
            if (at.scheme, at.host, at.port, at.userinfo) != (own.scheme, own.host, own.port, b""):
                raise ValueError(f"{name} leads to {at.host}, which is not {own.host}")
        return Handle(
            provider="fal",
            model=ask.name,
            job_id=str(uuid.UUID(said["request_id"])),
            poll=said["status_url"],
            result=said["response_url"],
            cancel=said["cancel_url"],
            created=datetime.now(UTC),
        )

    def poll(self, handle: Handle) -> Call:
        return Call("GET", handle.poll)

    def result(self, response: httpx.Response, handle: Handle) -> Call | None:
        return Call("GET", handle.result) if handle.result and response.json()["status"] == "COMPLETED" else None

    def report(self, response: httpx.Response, ask: Ask) -> Report:  # noqa: ARG002  # the answer says it all
        if not response.is_success:
            return self._failed(response)
        said = response.json()
        if response.request.url.path.endswith("/status"):
            if said["status"] not in STATES:
                raise ValueError(f"unknown status {said['status']!r}")
            return Report(STATES[said["status"]])
        files = [said.get("video"), said.get("image"), *(said.get("images") or ())]
        return Report("succeeded", outputs=tuple(file["url"] for file in files if file))

    def _failed(self, response: httpx.Response) -> Report:
        """How a request that has ended failed; a gateway's error is no end, so the result is asked for again."""
        kind, said = response.headers.get("x-fal-error-type", ""), self.said(response)
        with suppress(ValueError, AttributeError):
            kind = response.json().get("error_type") or kind
        if response.status_code >= 500 and not kind:
            return Report("running", message=f"its result cannot be had yet ({response.status_code})")
        refused = any(word in said.lower() for word in self.refusals)
        state: State = "refused" if refused else "cancelled" if kind in CANCELLED else "failed"
        return Report(
            state,
            charged=None if state == "cancelled" else False,
            message=said,
            code=kind,
            retryable=state == "failed" and response.status_code not in FINAL,
        )

    def cancel(self, handle: Handle) -> Call | None:
        return Call("PUT", handle.cancel) if handle.cancel else None

    def said(self, response: httpx.Response) -> str:
        return details(response)


class Fal(Remote):
    """Pictures, their enlarging, cut-outs, motion and finishing by the models on fal."""

    name: ClassVar[str] = "fal"
    wire: ClassVar[Wire] = FalWire()

    character = background = Remote.make_picture
    enlarge = Remote.make_larger
    matting = Remote.cut_out
    animate = Remote.make_moving
    upscale = interpolate = Remote.finish
