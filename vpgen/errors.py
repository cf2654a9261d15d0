"""Everything that can go wrong, in one small tree.

VpgenError
├── InvalidInput          the request itself is at fault: a picture, a prompt, an id, a number
│   └── NoPersonFound     matting was asked to cut out a person and there is none
├── ConfigError           a YAML file is at fault; carries every problem at once
├── Refused               moderation said no; never retried
├── OverBudget            spending was refused before it happened
├── NotFound              no clip, project, object or backend of that name
├── IllegalMove           a project's life does not allow this step; names the steps it allows
├── Conflict              another process moved the same thing first
├── GateFailed            a config has not proven what a champion must; carries the whole gate
├── Paused                production is switched off; says by whom and why
├── MissingDependency     an optional extra is not installed; names the exact command
├── StoreError            the artifact store or database cannot be read or written
│   └── Corrupted         stored bytes are not what was written
├── StageFailed           a backend broke while doing its work
└── ProviderError         a provider's API did not do what it was asked; also knows `provider` and `model`
    ├── Unauthorized      no key, or the provider does not accept it
    ├── RequestRejected   the provider will not take the request as it is; its own words
    ├── QuotaExceeded     the account has no credit or allowance left
    ├── Unavailable       no connection, an outage, throttled beyond patience, or the circuit is open
    ├── JobFailed         the job ended without a result
    ├── BadOutput         what came back is not what was paid for
    └── UnknownOutcome    it may have been accepted and paid for: never asked again by itself

Each says what happened (the message), where (`stage`, `backend`, `job_id`), what it cost so far
(`cost_usd`; None is unknown), whether the same call may succeed later (`retryable`) and what to do
(`remedy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal


class VpgenError(Exception):
    """The root: catch this to catch everything vpgen raises on purpose."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        stage: str | None = None,
        backend: str | None = None,
        job_id: str | None = None,
        cost_usd: Decimal | None = Decimal(0),
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.stage = stage
        self.backend = backend
        self.job_id = job_id
        self.cost_usd = cost_usd
        self.retryable = retryable
        self.job_goes_on = False
        """A job that may cost money goes on at a provider: the same command takes it up again."""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.stage, self.backend, self.job_id) if part)
        return f"{where}: {self.message}" if where else self.message


class InvalidInput(VpgenError, ValueError):
    """The request is at fault; asking again unchanged cannot help."""

    exit_code = 2


class NoPersonFound(InvalidInput):
    """There is nobody in the picture to cut out."""


class ConfigError(VpgenError):
    """One or more problems in a YAML file, all of them in `problems`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str], *, remedy: str | None = None) -> None:
        super().__init__("\n".join(problems), remedy=remedy)
        self.problems = tuple(problems)


class Refused(VpgenError):
    """Moderation refused the text or a picture. `terms` says what it objected to."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        terms: Sequence[str] = (),
        remedy: str | None = None,
        stage: str | None = None,
        backend: str | None = None,
        job_id: str | None = None,
        cost_usd: Decimal | None = Decimal(0),
    ) -> None:
        super().__init__(message, remedy=remedy, stage=stage, backend=backend, job_id=job_id, cost_usd=cost_usd)
        self.terms = tuple(terms)


Whose = Literal["clip", "purse", "day"]
"""Whose budget is used up: the clip's, the experiment's or batch's it is made for, or the day's."""


class OverBudget(VpgenError):
    """The estimate does not fit the budget that is left; nothing was spent. `purse` says whose budget."""

    exit_code = 4

    def __init__(self, message: str, *, purse: Whose = "clip", **more: Any) -> None:
        super().__init__(message, **more)
        self.purse: Whose = purse


class NotFound(VpgenError, LookupError):
    """Nothing goes by that name."""

    exit_code = 2


class IllegalMove(VpgenError):
    """A project cannot take this step from where it stands."""

    exit_code = 2


class Conflict(VpgenError):
    """Someone else changed the same thing first; look again, then decide."""

    exit_code = 5


class GateFailed(VpgenError):
    """A promotion was refused, and nothing was changed. `clauses` says which passed and which failed, with evidence."""

    def __init__(self, message: str, *, clauses: Sequence[Any], remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.clauses = tuple(clauses)


class Paused(VpgenError):
    """Somebody switched production off: no new clip begins until `vpgen resume`."""

    exit_code = 8


class MissingDependency(VpgenError, ImportError):
    """An optional library is needed here."""

    exit_code = 2


class StoreError(VpgenError):
    """The store or the database cannot be reached, read or written."""

    exit_code = 6


class Corrupted(StoreError):
    """Stored bytes do not match their hash."""


class StageFailed(VpgenError):
    """A backend failed; the cause is chained."""


class ProviderError(VpgenError):
    """Something between us and a provider; `provider` and `model` say where."""

    exit_code = 7

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        remedy: str | None = None,
        job_id: str | None = None,
        cost_usd: Decimal | None = Decimal(0),
        retryable: bool = False,
    ) -> None:
        super().__init__(
            message, remedy=remedy, backend=provider, job_id=job_id, cost_usd=cost_usd, retryable=retryable
        )
        self.provider = provider
        self.model = model


class Unauthorized(ProviderError):
    """The key is missing, wrong or not allowed to do this."""


class RequestRejected(ProviderError):
    """Asking again unchanged cannot help."""


class QuotaExceeded(ProviderError):
    """Out of credits, or over the day's allowance."""


class Unavailable(ProviderError):
    """The provider cannot be reached or is overloaded; nothing was accepted, so nothing was paid."""


class JobFailed(ProviderError):
    """The provider accepted the job and it failed there."""


class BadOutput(ProviderError):
    """The provider says it succeeded, and what it gave is broken, too large, or somewhere it must not be."""


class UnknownOutcome(ProviderError):
    """Nobody can say whether the provider accepted (and charged for) the job. Its reservation stays."""
