"""What people do with the journal: reconcile it with the providers, cancel jobs, say what became of a lost one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from vpgen.backends.registry import find
from vpgen.clip import Value
from vpgen.errors import InvalidInput, NotFound, VpgenError
from vpgen.money.ledger import Ledger, Reservation
from vpgen.results import REQUESTS
from vpgen.runtime import Runtime
from vpgen.stages import Stage
from vpgen.store import journal
from vpgen.store.schema import Charge, Outcome, RemoteJob

if TYPE_CHECKING:
    from vpgen.backends.http.client import Client
    from vpgen.backends.http.wire import Ask, Handle, Report


class Reconciled(Value):
    """What was found out about one open call. `state` is the provider's word, or what stands in the way."""

    id: int
    clip_id: str | None
    provider: str
    model: str
    state: str
    usd: Decimal | None = None
    next: str = ""


async def reconcile(runtime: Runtime, clip_id: str | None = None) -> list[Reconciled]:
    """Ask the providers about every open call; what ended without a result is settled and its reservation released."""
    found = []
    async with runtime.connections():
        for row in journal.entries(runtime.database, clip_id=clip_id):
            try:
                found.append(await _reconcile(runtime, row))
            except VpgenError as error:
                found.append(_told(row, f"{type(error).__name__}: {error.message}", next_=error.remedy or ""))
    return found


async def cancel(runtime: Runtime, remote_id: int) -> Reconciled:
    """Stop one job at its provider and settle what it charges. Raises NotFound, InvalidInput, ProviderError."""
    row = _open(runtime, remote_id)
    async with runtime.connections():
        if row.handle is None:
            return await _reconcile(runtime, row)
        client, handle, ask = _at(runtime, row)
        if (await client.look(handle, ask)).state not in {"waiting", "running"}:
            return await _reconcile(runtime, row)  # at some vendors cancelling what has ended deletes its result
        if not await client.cancel(handle):
            raise InvalidInput(
                f"{client.provider.name} has no way to cancel this job",
                remedy="It ends by itself; the same command as before picks it up",
            )
        return await _reconcile(runtime, row)


async def cancel_clip(runtime: Runtime, clip_id: str) -> list[Reconciled]:
    """Stop every job of a clip, and release what was not billed."""
    rows = journal.entries(runtime.database, clip_id=clip_id)
    if not rows and runtime.store.get_document(REQUESTS, clip_id) is None:
        raise NotFound(f"no clip {clip_id!r} was begun here", remedy="See `vpgen list`")
    return [await cancel(runtime, row.id) for row in rows]


def resolve(runtime: Runtime, remote_id: int, outcome: Literal["never", "lost"]) -> Reconciled:
    """A person says what became of a call whose answer was lost: it did not happen, or it was paid for and is gone.

    Raises NotFound, InvalidInput, Conflict when a process is at work on it.
    """
    row = _open(runtime, remote_id)
    if row.handle is not None:
        raise InvalidInput(
            f"call {remote_id} is known to {row.provider}: nothing is in doubt",
            remedy="`vpgen journal reconcile` asks for its state, `vpgen journal cancel` stops it",
        )
    with runtime.store.lock(row.step_key, timeout=0):  # nobody is at work on it
        usd = _settle(runtime, row, outcome, None, charged=outcome == "lost")
    return _told(row, f"closed: {outcome}", usd=usd)


async def _reconcile(runtime: Runtime, row: RemoteJob) -> Reconciled:
    if row.state == "reserved":
        return _told(row, "reserved, and not sent yet", next_=f"vpgen resume {row.clip_id}")
    if row.handle is None:
        return _told(
            row,
            f"in doubt since {row.created:%Y-%m-%d %H:%M} UTC",
            next_=f"the same command looks it up; or say it: vpgen journal resolve {row.id} --never | --lost",
        )
    client, handle, ask = _at(runtime, row)
    report = await client.look(handle, ask)
    if report.state == "succeeded":
        return _told(row, "succeeded", usd=report.usd, next_=f"vpgen resume {row.clip_id}")
    if report.state in {"waiting", "running"}:
        share = f" {report.progress:.0%}" if report.progress is not None else ""
        return _told(row, f"{report.state}{share}", next_=f"vpgen resume {row.clip_id}")
    outcome: Outcome = (
        "refused" if report.state == "refused" else "cancelled" if report.state == "cancelled" else "failed"
    )
    usd = _settle(runtime, row, outcome, report, charged=report.usd is not None or report.charged is not False)
    return _told(row, f"{report.state}: {report.message}".removesuffix(": "), usd=usd)


def _settle(
    runtime: Runtime, row: RemoteJob, outcome: Outcome, report: Report | None, *, charged: bool
) -> Decimal | None:
    """Close the row and its reservation: by the provider's word, else at the estimate when it is charged at all."""
    rows = journal.charges(runtime.database, row.id)
    billed: dict[str, Decimal] = {}
    if charged:
        with runtime.database.read() as session:
            charges = [session.get_one(Charge, id_) for id_ in rows.values()]
        bought = [charge for charge in charges if charge.category == "api"]
        word = report.usd if report else None
        billed = {c.sku: usd for c in bought if (usd := c.estimate_usd if word is None else word) is not None}
    ledger = Ledger(runtime.database, runtime.prices, row.clip_id, Decimal(0))
    held = Reservation(row.stage, row.provider, row.step_key, rows, row)
    reason = report.message if report else "said by a person"
    return ledger.settle(held, {}, waste=True, reason=reason or outcome, billed=billed, outcome=outcome)


def _at(runtime: Runtime, row: RemoteJob) -> tuple[Client, Handle, Ask]:
    from vpgen.backends.http.remote import Remote
    from vpgen.backends.http.wire import Ask, Handle

    backend = find(row.provider)
    if not issubclass(backend, Remote):
        raise NotFound(f"the backend {row.provider!r} is no provider", remedy="See `vpgen doctor`")
    stage: Stage = row.stage
    model = runtime.network.catalogue[row.provider].model(row.model)
    return runtime.network.client(backend.wire), Handle.model_validate(row.handle), Ask(stage, row.model, model)


def _open(runtime: Runtime, remote_id: int) -> RemoteJob:
    row = journal.entry(runtime.database, remote_id)
    if row.state == "closed":
        raise InvalidInput(f"call {remote_id} is closed already ({row.outcome})", remedy="See `vpgen journal --all`")
    return row


def _told(row: RemoteJob, state: str, *, usd: Decimal | None = None, next_: str = "") -> Reconciled:
    return Reconciled(
        id=row.id, clip_id=row.clip_id, provider=row.provider, model=row.model, state=state, usd=usd, next=next_
    )
