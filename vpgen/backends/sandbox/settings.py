"""What the look-alikes do: how fast, how reliable, how full, how rich. All of it can be changed while they run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from vpgen.clip import Value

Kind = Literal["image", "video"]
VendorId = Literal["runway", "stability", "replicate", "luma", "fal"]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]

LATENCY: Mapping[Kind, Seconds] = {"image": (3.0, 8.0), "video": (20.0, 60.0)}


class SandboxSettings(Value):
    """Shares are probabilities from 0 to 1, drawn by `seed` and what is asked for, not by the order of requests.

    `speed` shortens work, queues and rate limits (a minute at speed 60 is a second), but not how long things are
    kept. `only` narrows refusals, failures, garbage, lost answers and transient errors to some vendors ("runway")
    or models ("runway/gen4_turbo").
    """

    seed: int = 0
    speed: Annotated[float, Field(gt=0)] = 1.0
    latency: Mapping[Kind, Seconds] = Field(default_factory=lambda: LATENCY)
    """Seconds of work, lowest and highest; drawn so that short ones are commoner (log-uniform)."""
    queue: Seconds = (0.3, 1.5)
    """Seconds before work begins, with nobody else in the queue."""
    transient_errors: Share = 0.0
    """Requests answered 500 or 503 and not accepted."""
    lost_answers: Share = 0.0
    """Jobs accepted and billed whose answer never arrives: the connection is cut."""
    refusals: Share = 0.0
    failures: Share = 0.0
    garbage: Share = 0.0
    """Outputs that are a web page, half a file, without an end, or a redirect to an internal address."""
    throttle: dict[VendorId, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Jobs at once by vendor; without an entry, the catalogue's figure for the lowest tier."""
    outage: dict[VendorId, Literal["answer", "cut"]] = Field(default_factory=dict)
    """Vendors that are down: every request is answered 503, or its connection is cut."""
    only: tuple[str, ...] = ()
    media: Literal["drawn", "stock"] = "drawn"
    """"stock" draws one picture or video of each shape and gives it to everybody: for load tests."""
    expire_hours: Annotated[float, Field(gt=0)] | None = None
    """Hours until outputs are gone; None: what each vendor has."""
    daily_generations: Annotated[int, Field(ge=1)] = 10_000
    """Runway's cap on generations of one model in 24 hours."""
    balance_usd: Annotated[Decimal, Field(ge=0)] = Decimal(1000)
    """What is on the account with each vendor at the start."""
    unpriced_usd: Annotated[Decimal, Field(ge=0)] = Decimal("0.05")
    """What a job costs here when the catalogue knows no price for its model."""

    def changed(self, changes: Mapping[str, Any]) -> SandboxSettings:
        """The settings with some of them replaced. Raises pydantic.ValidationError."""
        return SandboxSettings.model_validate({**self.model_dump(), **changes})

    def touches(self, vendor: str, model: str) -> bool:
        """Whether `only` lets this model misbehave."""
        return not self.only or vendor in self.only or f"{vendor}/{model}" in self.only
