"""What a run tells the outside while it works: one stream of events, read by CLI, MLflow and Prefect alike."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from vpgen.clip import Value

Kind = Literal["started", "progress", "finished", "cached", "fused", "waiting", "failed", "note"]


class Event(Value):
    """One thing that happened.

    started → (waiting | progress)* → finished | failed for work that is done; `cached` alone for work
    found in the store; `fused` for work done inside the next stage. `seconds` is wall time,
    `cpu_seconds` this stage's share of the process, `usd` what it cost (None: unknown).
    """

    kind: Kind
    stage: str = ""
    backend: str = ""
    key: str = ""
    fraction: float | None = None
    note: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    usd: Decimal | None = None


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Listen to nothing."""
