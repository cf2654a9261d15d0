"""Replicate: any model that the catalogue describes; it knows which of our words is which of the model's fields."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Call, Handle, Media, Report, State, Wire, check_id, named

INLINE = 190_000
"""Bytes that fit a data URL of 256 kB; larger files are uploaded first."""
STATES: dict[str, State] = {
    "starting": "waiting",
    "processing": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "aborted": "cancelled",
}
OLDEST = 300
"""Seconds; an older webhook is taken for a replay."""
CLOCKS = timedelta(minutes=2)
"""How far the provider's clock may be from ours."""


class ReplicateWire(Wire):
    """Requests and answers of api.replicate.com/v1."""

    provider_id: ClassVar[str] = "replicate"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def upload(self, media: Media) -> Call | None:
        if media.size <= INLINE:
            return None
        name = f"input.{media.mime.partition('/')[2]}"
        return Call("POST", "/v1/files", files={"content": (name, media.read(), media.mime)})

    def uploaded(self, response: httpx.Response, media: Media) -> tuple[str, Call | None]:  # noqa: ARG002
        return str(response.json()["urls"]["get"]), None

    def create(self, ask: Ask, address: str | None) -> Call:
        body: dict[str, Any] = {"input": self._input(ask, address)}
        if ask.model.version:
            body["version"] = ask.model.version
        if ask.webhook:
            body |= {"webhook": ask.webhook, "webhook_events_filter": ["completed"]}
        return Call("POST", f"/v1/{ask.model.endpoint}", json=body)

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        return _handle(response.json(), ask.name)

    def poll(self, handle: Handle) -> Call:
        return Call("GET", handle.poll)

    def report(self, response: httpx.Response, ask: Ask) -> Report:  # noqa: ARG002  # the state says it all
        said = response.json()
        if said["status"] not in STATES:
            raise ValueError(f"unknown status {said['status']!r}")
        state, message = STATES[said["status"]], str(said.get("error") or "")
        output = said.get("output")
        refused = state == "failed" and any(word in message.lower() for word in self.refusals)
        return Report(
            "refused" if refused else state,
            outputs=tuple(output) if isinstance(output, list) else (output,) if output else (),
            charged=False if said["status"] == "aborted" else None,
            message=message[:400],
            retryable=state == "failed" and not refused and "invalid" not in message.lower(),
        )

    def cancel(self, handle: Handle) -> Call | None:
        return Call("POST", handle.cancel) if handle.cancel else None

    def said(self, response: httpx.Response) -> str:
        try:
            said = response.json()
        except ValueError:
            return response.text[:200]
        return str(said.get("detail") or said.get("title") or said)

    def webhook_secret(self) -> Call | None:
        return Call("GET", "/v1/webhooks/default/secret")

    def notified(self, headers: Mapping[str, str], body: bytes, secret: str) -> str:
        """HMAC-SHA256 over id, time and body; a header may carry several signatures while keys change."""
        message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > OLDEST:
            raise ValueError("too old, or from the future")
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = base64.b64encode(hmac.digest(key, f"{message}.{stamp}.".encode() + body, "sha256")).decode()
        given = [part.partition(",")[2] for part in headers.get("webhook-signature", "").split()]
        if not any(hmac.compare_digest(wanted, signature) for signature in given):
            raise ValueError("not signed by Replicate")
        return str(json.loads(body)["id"])

    def evidence(self, ask: Ask) -> Call | None:  # noqa: ARG002  # all of them, newest first
        return Call("GET", "/v1/predictions")

    def weigh(self, response: httpx.Response, ask: Ask, since: datetime) -> list[Handle] | int:
        """Predictions of this model made since then. The first page (100) is minutes even of a busy account."""
        wanted = self._input(ask, None)
        sent_along = ask.model.inputs.get("image") or "", ask.model.inputs.get("video") or ""
        plain = {name: value for name, value in wanted.items() if name not in sent_along}
        found = []
        for said in response.json()["results"]:
            handle = _handle(said, ask.name)
            given = said.get("input") or {}
            alike = all(given.get(name) == value for name, value in plain.items())
            if said.get("model", ask.name) == ask.name and alike and handle.created >= since - CLOCKS:
                found.append(handle)
        return found

    def _input(self, ask: Ask, address: str | None) -> dict[str, Any]:
        """What the model wants, under its own names; what it has no name for is not sent."""
        return ask.body(named(ask, address))


class Replicate(Remote):
    """Pictures, their enlarging, cut-outs, motion and finishing by the models on Replicate."""

    name: ClassVar[str] = "replicate"
    wire: ClassVar[Wire] = ReplicateWire()

    character = background = Remote.make_picture
    enlarge = Remote.make_larger
    matting = Remote.cut_out
    animate = Remote.make_moving
    upscale = interpolate = Remote.finish


def _handle(said: Mapping[str, Any], model: str) -> Handle:
    job = str(said["id"])
    check_id(job)
    return Handle(
        provider="replicate",
        model=model,
        job_id=job,
        poll=f"/v1/predictions/{job}",
        cancel=f"/v1/predictions/{job}/cancel",
        created=datetime.fromisoformat(str(said.get("created_at") or datetime.now(UTC).isoformat())),
    )
