"""What can go wrong with a request, before a vendor puts it into its own words."""

from __future__ import annotations

from typing import Any, Literal

ProblemKind = Literal[
    "unauthorized", "broke", "throttled", "unavailable", "internal", "too_large", "not_found", "method", "invalid",
    "refused", "conflict",
]  # fmt: skip
STATUS: dict[ProblemKind, int] = {
    "unauthorized": 401,
    "broke": 402,
    "throttled": 429,
    "unavailable": 503,
    "internal": 500,
    "too_large": 413,
    "not_found": 404,
    "method": 405,
    "invalid": 400,
    "refused": 403,
    "conflict": 409,
}


class Problem(Exception):
    """A request that is not served. `issues`: what is wrong with which field, as the vendor lists it."""

    def __init__(self, kind: ProblemKind, detail: str = "", *, issues: tuple[Any, ...] = (), status: int = 0) -> None:
        super().__init__(detail or kind)
        self.kind, self.detail, self.issues = kind, detail, issues
        self.status = status or STATUS[kind]


class Cut(Exception):
    """The connection ends here, without an answer."""
