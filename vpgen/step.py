"""How ONE stage runs: key → cache → lock → budget → journal → backend → store → settle → tell.

The key is the hash of the stage, the backend and its version, the parameters that matter and the keys of
its inputs. A key that is in the store is not run again; a record is written only after its bytes, so a
killed process leaves nothing that is ever believed. A backend that buys has its call in the journal from
before it asks until its result is in the store and on the books: whoever comes next takes it up there.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from threading import Event as Flag
from typing import Any, Literal, cast

import stamina
from pydantic import BaseModel

from vpgen import __version__
from vpgen.backends.registry import find
from vpgen.clip import Still
from vpgen.config import PipelineConfig, StageChoice
from vpgen.errors import (
    Corrupted,
    JobFailed,
    QuotaExceeded,
    Refused,
    StageFailed,
    Unauthorized,
    Unavailable,
    VpgenError,
)
from vpgen.events import Event, Listener
from vpgen.faults import point
from vpgen.media.frames import Frames
from vpgen.money.ledger import Ledger, Reservation
from vpgen.money.storage import storage_estimate
from vpgen.runtime import Runtime
from vpgen.stages import Backend, Ref, Request, Stage, Usage, Work
from vpgen.store.journal import PaidCall, patiently
from vpgen.store.records import StepRecord, Stored, blobs, load, read_record, save, write_record

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress events of one stage."""
WAITING_INTERVAL = 10.0
JOB_ATTEMPTS = 3
"""How often a provider's job is tried when it fails there in a way that may pass."""

Around = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]


async def plain(_stage: str, call: Callable[[], Awaitable[Any]]) -> Any:  # what a stage returns
    """Run a stage with nothing around it."""
    return await call()


class Cancelled(VpgenError):
    """The clip was cancelled while a backend was at work."""

    exit_code = 130


def step_key(stage: Stage, choice: StageChoice, request: Request) -> str:
    """The key of one stage's result: hex SHA-256 of everything that decides it."""
    decides = {
        "stage": stage,
        "backend": choice.backend,
        "version": choice.version,
        "params": choice.params,
        "files": choice.files,
        "request": {name: _plain(value) for name, value in _deciding(request)},
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _deciding(request: Request) -> Iterator[tuple[str, object]]:
    """The request's fields; one that came later counts only when it says something."""
    for f in fields(request):
        value = getattr(request, f.name)
        if not ("later" in f.metadata and value == f.default):
            yield f.name, value


def _plain(value: object) -> object:
    if isinstance(value, Ref):
        return value.key
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def input_keys(request: Request) -> dict[str, str]:
    """The keys of a request's inputs by field name (`pictures.0` for a tuple's first)."""
    keys = {}
    for f in fields(request):
        value = getattr(request, f.name)
        if isinstance(value, Ref):
            keys[f.name] = value.key
        elif isinstance(value, tuple):
            keys |= {f"{f.name}.{i}": item.key for i, item in enumerate(value) if isinstance(item, Ref)}
    return keys


@dataclass
class Trail:
    """One stage of one run, for the table and the manifest."""

    stage: Stage
    backend: str
    key: str
    how: Literal["made", "cached", "fused"]
    inputs: dict[str, str]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    usd: Decimal | None = Decimal(0)


@dataclass
class Steps:
    """Runs the stages of one clip: `await steps("matting", MattingRequest(...))` gives a `Ref`."""

    runtime: Runtime
    config: PipelineConfig
    ledger: Ledger
    tell: Listener
    around: Around = plain
    cancelled: Flag = field(default_factory=Flag)
    trail: list[Trail] = field(default_factory=list)

    async def __call__(self, stage: Stage, request: Request) -> Ref[Any]:
        """The stage's result: from the store when its key is there, else made now.

        Raises the backend's VpgenError, or StageFailed around anything unexpected.
        """
        choice = self.config.stages[stage]
        key = step_key(stage, choice, request)
        if not find(choice.backend).stored:
            self.trail.append(Trail(stage, choice.backend, key, "fused", input_keys(request)))
            self.tell(Event(kind="fused", stage=stage, backend=choice.backend, key=key))
            return Ref(key, partial(self._fused, stage, choice, request))
        record = await self.around(stage, lambda: self._by_one_of(stage, choice.chain, request))
        return Ref(record.key, partial(load, self.runtime.store, record.result))

    async def _by_one_of(self, stage: Stage, chain: tuple[StageChoice, ...], request: Request) -> StepRecord:
        """The first result that any of the chain has made; else the first of them that can be used now makes it.

        The next one's turn comes on outage, quota, a missing key or an open circuit, and on a refusal where the
        config says so; never while a job goes on at an earlier one, which would be paid for as well.
        """
        if len(chain) > 1:
            for choice in chain:
                key = step_key(stage, choice, request)
                if await asyncio.to_thread(read_record, self.runtime.store, key):
                    return await self._recorded_or_made(stage, choice, request, key)
        for choice in chain[:-1]:
            try:
                return await self._recorded_or_made(stage, choice, request, step_key(stage, choice, request))
            except (Unavailable, QuotaExceeded, Unauthorized) as error:
                if error.job_goes_on:
                    raise
                self.tell(Event(kind="note", stage=stage, note=f"{error}; the next in the chain takes over"))
            except Refused as error:
                if not choice.next_on_refusal:
                    raise
                self.tell(Event(kind="note", stage=stage, note=f"{error}; the next in the chain takes over"))
        return await self._recorded_or_made(stage, chain[-1], request, step_key(stage, chain[-1], request))

    async def _recorded_or_made(self, stage: Stage, choice: StageChoice, request: Request, key: str) -> StepRecord:
        store, buys = self.runtime.store, is_paid(choice.backend)
        record = await asyncio.to_thread(read_record, store, key)
        if record is None or buys:
            async with self.runtime.only_one(key, self._waiting(stage, choice.backend)):
                record = await asyncio.to_thread(read_record, store, key)
                if record is None:
                    return await (self._bought if buys else self._make)(stage, choice, request, key)
                if buys:
                    await patiently(partial(self.ledger.settle_left_open, key, record.usage, record.billed))
        self.trail.append(Trail(stage, choice.backend, key, "cached", input_keys(request)))
        self.tell(Event(kind="cached", stage=stage, backend=choice.backend, key=key))
        return record

    async def _bought(self, stage: Stage, choice: StageChoice, request: Request, key: str) -> StepRecord:
        """Made by a provider: a job that failed there in a way that may pass is tried three times, in budget."""
        wait = self.runtime.retry_wait
        async for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, JobFailed) and error.retryable,
            attempts=JOB_ATTEMPTS,
            wait_initial=wait,
            wait_jitter=wait / 2,
            wait_max=60.0,
            timeout=None,
        ):
            with attempt:
                return await self._make(stage, choice, request, key)
        raise AssertionError("unreachable")  # pragma: no cover

    def _fused(self, stage: Stage, choice: StageChoice, request: Request) -> Frames | Still:
        """Cheap filters of frames and pictures run inside whichever stage reads them and are not written down."""
        work = Work(dir=self.runtime.scratch, progress=self._progress(stage, ""))
        return cast("Frames | Still", getattr(choice.build(), stage)(request, work))

    async def _make(self, stage: Stage, choice: StageChoice, request: Request, key: str) -> StepRecord:
        backend = choice.build()
        estimate = {**backend.estimate(request)}
        if stored := storage_estimate(stage, self.config):
            estimate["storage_gb_month"] = stored
        model = getattr(backend, "model", None) if is_paid(backend.name) else None
        reserve = partial(self.ledger.reserve, stage, backend.name, key, estimate, model=model,
                          unknown_prices=self.config.budget.unknown_prices == "allow")  # fmt: skip
        reservation = await (patiently(reserve) if model else asyncio.to_thread(reserve))
        paid = reservation.paid_call(self.runtime.database)
        point("reserved")
        self.tell(Event(kind="started", stage=stage, backend=backend.name, key=key))
        used: Usage = {}
        billed: dict[str, Decimal] = {}
        token, began = self.runtime.meter.start(), time.monotonic()
        try:
            with self.runtime.folder(key) as folder:
                work = Work(
                    dir=folder,
                    progress=self._progress(stage, key),
                    use=partial(_add, used),
                    bill=billed.__setitem__,
                    paid=paid,
                    network=self.runtime.network if paid else None,
                    in_thread=self.runtime.in_thread,
                )
                value = await self._call(stage, backend, request, work)
                result = await self.runtime.in_thread(save, self.runtime.store, value)
            point("stored")
        except BaseException as error:
            _add(used, "cpu_second", _decimal(self.runtime.meter.stop(token)))
            spent = await self._failed(error, reservation, paid, used, billed)
            self.tell(Event(kind="failed", stage=stage, backend=backend.name, key=key, note=str(error), usd=spent))
            if isinstance(error, Corrupted):
                raise
            if isinstance(error, VpgenError):
                error.stage, error.backend = error.stage or stage, error.backend or backend.name
                error.cost_usd = spent
            elif isinstance(error, Exception):
                raise StageFailed(
                    f"{type(error).__name__}: {error}",
                    stage=stage,
                    backend=backend.name,
                    cost_usd=spent,
                    remedy="This is a defect or a broken installation: `vpgen doctor` tells; what was finished is kept",
                ) from error
            raise
        seconds, cpu = time.monotonic() - began, self.runtime.meter.stop(token)
        _add(used, "cpu_second", _decimal(cpu))
        _add(used, "storage_gb_month", Decimal(sum(blob.size for blob in blobs(result))) / 10**9)
        record = StepRecord(
            key=key,
            stage=stage,
            backend=backend.name,
            version=backend.version,
            params=choice.params,
            inputs=input_keys(request),
            result=result,
            usage=used,
            billed=billed,
            seconds=seconds,
            cpu_seconds=cpu,
            created=datetime.now(UTC),
            vpgen_version=__version__,
        )
        # In this order: killed in between, the next run finds the record and settles what it says.
        await asyncio.to_thread(write_record, self.runtime.store, record)
        point("recorded")
        outcome = (paid.outcome or "succeeded") if paid else None
        usd = await patiently(partial(self.ledger.settle, reservation, used, billed=billed, outcome=outcome))
        point("settled")
        self.trail.append(Trail(stage, backend.name, key, "made", record.inputs, seconds, cpu, usd))
        self.tell(
            Event(
                kind="finished", stage=stage, backend=backend.name, key=key, seconds=seconds, cpu_seconds=cpu, usd=usd
            )
        )
        return record

    async def _failed(
        self,
        error: BaseException,
        reservation: Reservation,
        paid: PaidCall | None,
        used: Usage,
        billed: dict[str, Decimal],
    ) -> Decimal | None:
        """Book a failed attempt as waste; a job that goes on at the provider keeps its reservation and its row."""
        if paid and paid.inline and not paid.outcome:
            paid.outcome = "lost"  # the result came with the answer and could not be kept
        if paid and paid.goes_on:
            if isinstance(error, VpgenError):
                error.job_goes_on = True
            return None
        if paid:
            paid.outcome = paid.outcome or "never"
        settle = partial(self.ledger.settle, reservation, used, waste=True, billed=billed,
                         reason=type(error).__name__, outcome=paid.outcome if paid else None)  # fmt: skip
        return await patiently(settle) if paid else settle()

    async def _call(self, stage: Stage, backend: Backend, request: Request, work: Work) -> Stored:
        """Run the backend's method where it belongs, and write lazy frames down."""
        method = getattr(backend, stage)
        if inspect.iscoroutinefunction(method):
            return cast("Stored", await method(request, work))

        def call() -> Stored:
            value = method(request, work)
            if isinstance(value, Frames):
                from vpgen.media.video import write_mezzanine  # PyAV loads only when frames flow

                return write_mezzanine(value, work.dir / "frames.mkv", progress=work.progress)
            return cast("Stored", value)

        return await self.runtime.in_thread(call)

    def _waiting(self, stage: Stage, backend: str) -> Callable[[float], None]:
        """What is called while another run makes the same thing: says so at once, then every ten seconds."""
        due = 0.0

        def waiting(seconds: float) -> None:
            nonlocal due
            if self.cancelled.is_set():
                raise Cancelled("cancelled while waiting for another run", stage=stage)
            if seconds >= due:
                due = seconds + WAITING_INTERVAL
                self.tell(
                    Event(
                        kind="waiting", stage=stage, backend=backend,
                        note=f"for another run that makes the same thing ({seconds:.0f} s)",
                    )
                )  # fmt: skip

        return waiting

    def _progress(self, stage: Stage, key: str) -> Callable[..., None]:
        """What a backend calls: passes progress on at most ten times a second, and raises when cancelled."""
        last = 0.0

        def progress(fraction: float, note: str = "") -> None:
            nonlocal last
            if self.cancelled.is_set():
                raise Cancelled("cancelled while at work; finished stages are kept", stage=stage)
            if (now := time.monotonic()) - last > PROGRESS_INTERVAL:
                last = now
                self.tell(Event(kind="progress", stage=stage, key=key, fraction=fraction, note=note))

        return progress


def is_paid(backend: str) -> bool:
    """Whether a backend buys from a provider, and so has its calls in the journal."""
    return bool(getattr(find(backend), "paid", False))


def _add(usage: Usage, sku: str, quantity: Decimal) -> None:
    usage[sku] = usage.get(sku, Decimal(0)) + quantity


def _decimal(seconds: float) -> Decimal:
    return Decimal(str(round(seconds, 6)))
