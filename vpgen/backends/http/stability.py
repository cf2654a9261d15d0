"""Stability AI: core, ultra and sd3.5 pictures, background removal, and enlarging (REST API v2beta).

Most of its endpoints answer with the picture itself. It keeps no record of requests that one can ask for: when
such an answer is lost, the picture is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import httpx

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Call, Handle, Report, Wire, check_id

SEEDS = 2**32 - 1
FILTERED = "CONTENT_FILTERED"


class StabilityWire(Wire):
    """Requests and answers of api.stability.ai."""

    provider_id: ClassVar[str] = "stability"

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}", "stability-client-id": "vpgen"}

    def create(self, ask: Ask, address: str | None) -> Call:  # noqa: ARG002
        fields: dict[str, str] = {"output_format": "png"}
        if ask.stage in {"character", "background"}:
            fields |= {"prompt": ask.prompt, "seed": str(ask.seed % SEEDS)}
            if ask.negative:
                fields["negative_prompt"] = ask.negative
            if ask.ratio:
                fields["aspect_ratio"] = ask.ratio
        elif ask.prompt:
            fields["prompt"] = ask.prompt
        files: dict[str, tuple[str | None, bytes, str | None]] = {
            name: (None, str(value).encode(), None) for name, value in ask.body(fields).items()
        }
        if ask.media:
            files["image"] = ("image", ask.media.read(), ask.media.mime)
        return Call("POST", ask.model.endpoint, files=files, headers={"Accept": "image/*"})

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        kind = response.headers.get("content-type", "")
        if kind.startswith("image/"):
            if response.headers.get("finish-reason") == FILTERED:
                return Report("refused", message="the picture was blurred by its filter", code=FILTERED)
            return Report("succeeded", outputs=(response.content,))
        job = str(response.json()["id"])
        check_id(job)
        return Handle(
            provider="stability", model=ask.name, job_id=job, poll=f"v2beta/results/{job}", created=datetime.now(UTC)
        )

    def poll(self, handle: Handle) -> Call:
        return Call("GET", handle.poll, headers={"Accept": "image/*"})

    def report(self, response: httpx.Response, ask: Ask) -> Report:
        if response.status_code == 202:
            return Report("running")
        done = self.created(response, ask)
        if isinstance(done, Handle):
            raise ValueError("an id where a result should be")  # noqa: TRY004  # what was said is wrong, not its type
        return done

    def said(self, response: httpx.Response) -> str:
        try:
            said = response.json()
        except ValueError:
            return response.text[:200]
        return f"{said.get('name', '')}: {'; '.join(map(str, said.get('errors', [])))}"


class Stability(Remote):
    """Pictures, background removal and enlarging by Stability AI."""

    name: ClassVar[str] = "stability"
    wire: ClassVar[Wire] = StabilityWire()

    character = background = Remote.make_picture
    enlarge = Remote.make_larger
    matting = Remote.cut_out
