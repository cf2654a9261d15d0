"""What a vendor's file says: how a call is written on the wire, and what the answers mean. No I/O happens here."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import httpx
from pydantic import AwareDatetime

from vpgen.catalogue import Model
from vpgen.clip import Value
from vpgen.stages import Stage

SEEDS = 2**31
"""Below it every model takes a seed."""
Kind = Literal["image", "video"]
State = Literal["waiting", "running", "succeeded", "failed", "refused", "cancelled"]


@dataclass(frozen=True)
class Media:
    """A picture or video to be sent: its bytes, or the file they are in."""

    kind: Kind
    mime: str
    data: bytes | Path

    def read(self) -> bytes:
        """All of it."""
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size


@dataclass(frozen=True)
class Ask:
    """What is wanted of a model, in vpgen's words. `size` is (width, height) in pixels, `seconds` whole seconds."""

    stage: Stage
    name: str
    model: Model
    prompt: str = ""
    negative: str = ""
    seed: int = 0
    ratio: str | None = None
    size: tuple[int, int] | None = None
    seconds: int | None = None
    fps: int | None = None
    media: Media | None = None
    webhook: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def body(self, ours: Mapping[str, Any]) -> dict[str, Any]:
        """What is sent: the catalogue's defaults, over them what is wanted, over all the user's own options."""
        return {**self.model.defaults, **ours, **self.extra}

    @property
    def makes(self) -> Kind:
        """What comes back."""
        return "video" if self.stage in {"animate", "upscale", "interpolate"} else "image"


@dataclass(frozen=True)
class Call:
    """One HTTP request: `path` is below the provider's URL, or a whole URL."""

    method: str
    path: str
    json: Any = None
    data: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str | None, bytes, str | None]] | None = None
    """Multipart parts: (file name, content, type); a plain field has neither name nor type."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Handle(Value):
    """Everything needed to find a job again, by any process: it is in the journal before the first poll."""

    provider: str
    model: str
    job_id: str
    poll: str
    result: str | None = None
    cancel: str | None = None
    created: AwareDatetime


@dataclass(frozen=True)
class Report:
    """What the provider says of a job.

    `progress` 0 to 1. `outputs` are URLs, or the bytes themselves. `usd` is what it says it charged; None when it
    does not say. `charged` is whether a job that did not succeed is paid for (None: see `usd`).
    """

    state: State
    progress: float | None = None
    outputs: tuple[str | bytes, ...] = ()
    usd: Decimal | None = None
    charged: bool | None = None
    message: str = ""
    code: str = ""
    retryable: bool = False


def check_id(job: str) -> None:
    """Refuse a job id that could lead elsewhere when it stands in a path. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", job):
        raise ValueError(f"an id like {job[:40]!r}")


def data_uri(media: Media | None) -> str:
    """A file as text, to be sent along."""
    if media is None:
        raise ValueError("this stage sends a picture or a video")
    return f"data:{media.mime};base64,{base64.b64encode(media.read()).decode()}"


def named(ask: Ask, address: str | None) -> dict[str, Any]:
    """What is wanted, under the model's own names and in its way of writing; what it has no name for is not sent.

    For vendors whose models have fields of their own each. `address` is that of the uploaded media.
    """
    model, (width, height) = ask.model, ask.size or (None, None)
    ours: dict[str, Any] = {
        "prompt": ask.prompt or None,
        "negative": ask.negative or None,
        "seed": ask.seed % SEEDS if ask.stage in {"character", "background", "animate"} else None,
        "ratio": ask.ratio,
        "seconds": ask.seconds,
        "fps": ask.fps if ask.stage == "interpolate" else None,  # a preview's rate is no order to a video model
        "width": width,
        "height": height,
    }
    if ask.media:
        ours[ask.media.kind] = address or data_uri(ask.media)
    return {
        model.inputs[word]: model.formats[word].format(value) if word in model.formats else value
        for word, value in ours.items()
        if value is not None and word in model.inputs
    }


def details(response: httpx.Response) -> str:
    """The `detail` of an error as FastAPI writes it: a sentence, or a list that names each field at fault."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
    issues = detail if isinstance(detail, list) else [detail]
    return "; ".join(
        f"{'.'.join(map(str, issue.get('loc', ())))}: {issue.get('msg')} ({issue.get('type')})"
        if isinstance(issue, dict)
        else str(issue)
        for issue in issues
    )[:400]


class Wire(Protocol):
    """One vendor. Stateless: everything is decided by the arguments."""

    provider_id: ClassVar[str]
    refusals: ClassVar[tuple[str, ...]] = ("moderat", "safety", "nsfw", "sensitive", "flagged", "content_policy")
    """Words by which a 4xx or a failure says that the content is refused."""

    def headers(self, key: str) -> Mapping[str, str]:
        """What every request carries."""
        ...

    def upload(self, media: Media) -> Call | None:  # noqa: ARG002
        """How a file is brought there when it is too large to be sent along; None when it never has to be."""
        return None

    def uploaded(self, response: httpx.Response, media: Media) -> tuple[str, Call | None]:  # noqa: ARG002
        """The address to use it by, and the second call that some vendors want for the bytes themselves."""
        return "", None

    def create(self, ask: Ask, address: str | None) -> Call:
        """The call that costs money. `address` is that of the uploaded media."""
        ...

    def created(self, response: httpx.Response, ask: Ask) -> Handle | Report:
        """A job to wait for, or the result at once. Raises ValueError when it is neither."""
        ...

    def poll(self, handle: Handle) -> Call:
        """How to ask what became of it. Costs nothing."""
        ...

    def result(self, response: httpx.Response, handle: Handle) -> Call | None:  # noqa: ARG002
        """What else to ask when a poll says that it ended but not how; None when the poll says it all.

        Its answer goes to `report` in the poll's place, errors included: they are the job's.
        """
        return None

    def report(self, response: httpx.Response, ask: Ask) -> Report:
        """What the answer to a poll means. Raises ValueError for a state nobody knows."""
        ...

    def cancel(self, handle: Handle) -> Call | None:  # noqa: ARG002
        """How to stop it; None when that cannot be done."""
        return None

    def said(self, response: httpx.Response) -> str:
        """The vendor's own words in a 4xx answer, with the name of the error and the field at fault."""
        ...

    def webhook_secret(self) -> Call | None:
        """How to get the key that its webhooks are signed with; None when it sends none."""
        return None

    def notified(self, headers: Mapping[str, str], body: bytes, secret: str) -> str:  # noqa: ARG002
        """The job a webhook is about. Raises ValueError when it is not signed with the key, or is too old."""
        raise ValueError("this vendor sends no webhooks")

    def evidence(self, ask: Ask) -> Call | None:  # noqa: ARG002
        """What to ask when the answer to `create` was lost; None when the vendor keeps no record one can see."""
        return None

    def weigh(self, response: httpx.Response, ask: Ask, since: datetime) -> list[Handle] | int:  # noqa: ARG002
        """The answer to that: jobs created since then that look like this one, or a count of all in 24 hours."""
        return []
