"""Running a batch: rows become clips, so many at a time in one event loop, until each has an outcome.

Every outcome is in its row before anybody is told, so that a batch that was killed goes on where it was. What is no
row's own fault (the purse is empty, the disk is full, production is paused, a provider is down) stops the batch, and
the rows it touched wait for the same command.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from vpgen import references, studio, switch
from vpgen.batch import books, requests, webhook
from vpgen.batch.books import Plan, Summary
from vpgen.batch.files import Delivery, bring
from vpgen.batch.trial import Profile, Trial, planned
from vpgen.clip import ClipRequest
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import (
    Conflict,
    Corrupted,
    OverBudget,
    Paused,
    QuotaExceeded,
    Refused,
    StoreError,
    Unauthorized,
    Unavailable,
    VpgenError,
)
from vpgen.events import Event, Listener, silent
from vpgen.money.ledger import Purse
from vpgen.runtime import Runtime
from vpgen.store import jobs
from vpgen.store.journal import patiently
from vpgen.store.schema_lab import Batch, BatchRow, RowState
from vpgen.tracking import catch_up

log = logging.getLogger("vpgen.batch")
PARALLEL = 4
REPORT_SECONDS = 15.0
"""Between two times that MLflow is told of the clips that are done."""
OUTAGE_ROWS = 3
"""So many rows in a row (or `parallel`, if more) that could not reach a provider: it is down, not they at fault."""


@dataclass(frozen=True)
class Progress:
    """A row was begun or has its outcome: `done` of `rows` have one."""

    id: str
    done: int
    rows: int
    number: int
    state: RowState
    said: str = ""


Watcher = Callable[[Progress], None]


async def run(
    source: str,
    *,
    profile: Profile = "final",
    config: PipelineConfig | str | Path | None = None,
    parallel: int = PARALLEL,
    out: str | None = None,
    budget: Decimal | None = None,
    hook: str | None = None,
    retry: bool = False,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    watch: Watcher = lambda progress: None,
) -> Summary:
    """Make the clips of a table of requests, or go on with it: nothing that has an outcome is made again.

    Without a `config` the champion of the profile makes them. `out`: a folder or s3://bucket/prefix (default:
    VPGEN_OUT); `budget`: USD for the whole batch; `hook`: where its summary is posted; `retry`: rows that failed are
    tried again. Raises NotFound, InvalidInput or ConfigError when there is nothing to run, Conflict when another
    process runs it, Paused when production is; what goes wrong with a row is that row's outcome.
    """
    if runtime is None:
        with Runtime.open() as opened:
            return await run(
                source, profile=profile, config=config, parallel=parallel, out=out, budget=budget, hook=hook,
                retry=retry, runtime=opened, tell=tell, watch=watch,
            )  # fmt: skip
    webhook.check(hook)
    switch.check(runtime.database)
    table = await asyncio.to_thread(requests.read, source, runtime.settings.s3_options)
    chosen = config if isinstance(config, PipelineConfig) or config is None else load_config(config)
    batch, notes = await asyncio.to_thread(_begun, runtime, table, profile, chosen, retry=retry)
    held = runtime.store.lock(batch.id, timeout=0)
    try:
        held.__enter__()
    except Conflict:
        raise Conflict(
            f"another process is running {batch.id}", remedy=f"Watch it: vpgen batch --show {batch.id}", retryable=True
        ) from None
    try:
        waiting = books.take(runtime.database, batch.id, retry=retry)
        delivery = Delivery(out or str(runtime.settings.out), runtime.settings.s3_options)
        the_run = _Run(runtime, batch, delivery, parallel, Purse(name=batch.id, budget=budget), hook, tell, watch)
        the_run.notes = (*table.notes, *notes)
        async with runtime.connections():
            return await the_run.to_its_end(waiting)
    finally:
        held.__exit__(None, None, None)


def _begun(
    runtime: Runtime, table: requests.Table, profile: Profile, config: PipelineConfig | None, *, retry: bool
) -> tuple[Batch, list[str]]:
    """The batch of this table: the one that was begun and is not complete, else a new one with who is champion now."""
    whose = f"{table.digest} {profile} {'champion' if config is None else 'config'}"
    prefix = f"batch-{hashlib.sha256(whose.encode()).hexdigest()[:8]}-"
    if config is None:
        begun = books.newest(runtime.database, prefix, complete=retry)
        if begun is not None:
            return begun, [f"it goes on with the config {begun.config['name']!r} that it began with"]
        usable = [row.number for row in table.rows if row.error is None and "resolved" not in row.request]
        config, canary, promotion, rows, note = planned(runtime, profile, usable)
    else:
        canary, promotion, rows, note = None, None, frozenset[int](), ""
    decides = config.fingerprint(profile) + (canary.fingerprint(profile) if canary and rows else "")
    batch_id = f"{prefix}{hashlib.sha256(decides.encode()).hexdigest()[:8]}"
    plan = Plan(batch_id, profile, config, canary if rows else None, promotion, rows)
    return books.begin(runtime.database, table, plan), [note] if note else []


@dataclass
class _Run:
    runtime: Runtime
    batch: Batch
    delivery: Delivery
    parallel: int
    purse: Purse
    hook: str | None
    tell: Listener
    watch: Watcher
    notes: tuple[str, ...] = ()
    stop: VpgenError | None = None
    trial: Trial | None = None
    rows: int = 0
    done: int = 0
    files: dict[int, str] = field(default_factory=dict)
    outage: list[BatchRow] = field(default_factory=list)
    _configs: dict[str, PipelineConfig] = field(default_factory=dict)
    _reported: float = field(default_factory=time.monotonic)
    _reporting: asyncio.Task[Any] | None = None

    async def to_its_end(self, waiting: list[BatchRow]) -> Summary:
        every = await asyncio.to_thread(books.rows_of, self.runtime.database, self.batch.id)
        self.rows, self.done = len(every), sum(row.state in books.ENDED for row in every)
        if not waiting and self.batch.state == "completed":
            return await self._over(begun=False)
        if self.batch.worker is None and self.batch.summary is None:  # it begins: said once
            for row in every:
                if row.state == "failed":
                    self._say(row, "failed", row.error or "")
        self.trial = await asyncio.to_thread(Trial.of, self.runtime, self.batch)
        job = jobs.start(self.runtime.database, jobs.queue(self.runtime.database, "batch").id)
        try:
            with jobs.working(self.runtime.database, job.id):
                await self._all(deque(waiting))
                summary = await self._over(begun=True)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
            with suppress(VpgenError):
                stopped = books.summarise(self.runtime.database, self.batch.id, stopped=said, stopped_by="interrupted")
                books.close(self.runtime.database, stopped)
                jobs.fail(self.runtime.database, job.id, said)
            raise
        with suppress(Conflict):
            jobs.finish(self.runtime.database, job.id)
        return summary

    async def _all(self, waiting: deque[BatchRow]) -> None:
        """So many rows at a time, each when its turn comes; after a stop those under way still end."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                while waiting and self.stop is None and len(under_way) < self.parallel:
                    if not await self._may_begin():
                        break
                    under_way.add(asyncio.ensure_future(self._row(waiting.popleft())))
                if not under_way:
                    return
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _may_begin(self) -> bool:
        try:
            await patiently(partial(switch.check, self.runtime.database))
        except Paused as error:
            self.stop = error
        return self.stop is None

    async def _row(self, row: BatchRow) -> None:
        database, began = self.runtime.database, time.monotonic()
        row.arm = await asyncio.to_thread(self._arm, row)
        await patiently(partial(books.start, database, row.id))
        self._say(row, "running", str(row.request.get("name") or row.request["story"])[:60])
        clip_id: str | None = None

        def making(known: str) -> None:
            nonlocal clip_id
            clip_id = known

        state: RowState = "completed"
        error: str | None = None
        outage = False
        try:
            self.files[row.number] = await self._make(row, making)
        except Refused as refusal:
            state, error = "refused", f"Refused: {refusal}"
        except VpgenError as problem:
            if self._is_everybodys(problem):
                self.stop = self.stop or problem
                await patiently(partial(books.requeue, database, row.id))
                return
            state, error = "failed", f"{type(problem).__name__}: {problem}"
            outage = isinstance(problem, Unavailable | Unauthorized | QuotaExceeded)
        except Exception as defect:  # one row never sinks the rest, whatever is wrong with it
            log.exception("row %s of %s", row.number, self.batch.id)
            state, error = "failed", f"{type(defect).__name__}: {defect}"
        seconds = time.monotonic() - began
        ended = partial(books.end, database, row.id, state, clip_id=clip_id, seconds=seconds, error=error)
        row = await patiently(ended)
        self.done += 1
        self._say(row, state, error or self.files.get(row.number, ""))
        await self._after(row, outage=outage)

    def _arm(self, row: BatchRow) -> Any:
        """Who makes it: a canary row the old champion, once the new one was taken back."""
        if row.arm == "canary" and self.trial and not self.trial.over and not self.trial.still():
            self.trial.over, self.trial.said = True, "the promotion on trial was taken back by hand"
            books.rearm(self.runtime.database, self.batch.id, "champion")
        if row.arm == "canary" and self.trial and self.trial.over and "taken back" in self.trial.said:
            books.rearm(self.runtime.database, self.batch.id, "champion")
            return "champion"
        return row.arm

    async def _make(self, row: BatchRow, making: Callable[[str], None]) -> str:
        """The clip of one row, delivered; returns its address. `making` is told the ids it will have."""
        wanted, config = row.request, self._config_of(row)
        with self.runtime.folder(f"{self.batch.id}-{row.number}") as folder:
            pictures = {}
            for key in requests.PICTURES:
                if key in wanted:
                    (folder / key).mkdir()
                    address, options = wanted[key], self.runtime.settings.s3_options
                    pictures[key] = await self.runtime.in_thread(bring, address, folder / key, options)
            given = {key: await self._digest(path) for key, path in pictures.items()}
            request = ClipRequest(
                story=wanted["story"],
                seed=wanted.get("seed", 0),
                character_image=given.get("character"),
                background_image=given.get("background"),
            )
            common: dict[str, Any] = {
                "config": config, "out": folder, "purse": self.purse, "runtime": self.runtime, "tell": self._told(row),
            }  # fmt: skip
            making(studio.identify("preview", request, config))
            clip = await studio.preview(
                request.story,
                seed=request.seed,
                character=pictures.get("character"),
                background=pictures.get("background"),
                **common,
            )
            if self.batch.profile == "final":
                making(studio.identify("final", request, config))
                clip = await studio.final(clip.id, **common)
            stem = wanted.get("name") or clip.id
            await self.runtime.in_thread(self.delivery.put, clip.sheet, f"{stem}.png")
            return await self.runtime.in_thread(self.delivery.put, clip.video, f"{stem}.mp4")

    async def _digest(self, path: Path) -> str:
        return await self.runtime.in_thread(references.add, self.runtime.store, path)

    def _config_of(self, row: BatchRow) -> PipelineConfig:
        if "resolved" in row.request:
            return PipelineConfig.model_validate(row.request["resolved"])
        arm = row.arm if self.batch.canary_config else "champion"
        if arm not in self._configs:
            data: Mapping[str, Any] = self.batch.config if arm == "champion" else self.batch.canary_config or {}
            self._configs[arm] = PipelineConfig.model_validate(data)
        return self._configs[arm]

    def _is_everybodys(self, problem: VpgenError) -> bool:
        """Would the next row meet it too?"""
        if isinstance(problem, OverBudget):
            return problem.purse != "clip"
        return isinstance(problem, StoreError) and not isinstance(problem, Corrupted)

    async def _after(self, row: BatchRow, *, outage: bool) -> None:
        """What follows from an outcome: a provider that is down, a canary that is no good, a report to MLflow."""
        if self.trial is not None:
            self.trial.add(row)
            if why := await asyncio.to_thread(self.trial.look):
                self.tell(Event(kind="note", note=f"the canary is taken back: {why}"))
                await patiently(partial(books.rearm, self.runtime.database, self.batch.id, "champion"))
        self.outage = [*self.outage, row] if outage else []
        if len(self.outage) >= max(OUTAGE_ROWS, self.parallel) and self.stop is None:
            self.stop = Unavailable(
                f"{len(self.outage)} rows in a row could not be bought: {row.error}",
                remedy="When the provider is back (or the key is right), the same command goes on",
                retryable=True,
            )
            for one in self.outage:
                await patiently(partial(books.requeue, self.runtime.database, one.id))
                self.done -= 1
        if time.monotonic() - self._reported > REPORT_SECONDS and (self._reporting is None or self._reporting.done()):
            self._reported = time.monotonic()
            self._reporting = asyncio.ensure_future(asyncio.to_thread(catch_up, self.runtime))

    async def _over(self, *, begun: bool) -> Summary:
        """The summary, written down, put where the clips are, and posted."""
        database, stop = self.runtime.database, self.stop
        if self._reporting is not None:
            await self._reporting
        summary = books.summarise(database, self.batch.id, notes=self.notes)
        if not begun and self.batch.summary is not None:
            kept = Summary.model_validate(self.batch.summary)
            summary = summary.model_copy(update={"canary": kept.canary, "webhook": kept.webhook})
        if self.trial is not None:
            if not summary.left:
                await asyncio.to_thread(self.trial.held)
            summary = summary.model_copy(update={"canary": self.trial.said})
        if stop is not None and summary.left:
            more = f"{summary.left} {'row is' if summary.left == 1 else 'rows are'} left. {stop.remedy or ''}".strip()
            update = {"stopped": str(stop), "stopped_by": type(stop).__name__, "next": more}
            summary = summary.model_copy(update=update)
        with self.runtime.folder(f"{self.batch.id}-summary") as folder:
            path = folder / "summary.csv"
            rows = books.rows_of(database, self.batch.id)
            files = {row.number: self._address(row) for row in rows if row.state == "completed"}
            path.write_text(books.as_csv(database, self.batch.id, files), encoding="utf-8")
            try:
                where = await self.runtime.in_thread(self.delivery.put, path, f"{self.batch.id}.csv")
            except StoreError as error:  # the disk is full, say: that is why it stopped
                where = f"not written: {error.message}"
        summary = summary.model_copy(update={"table": where})
        books.close(database, summary)
        if self.hook and summary.webhook != "delivered":
            event = f"batch.{summary.state}"
            said = await webhook.send(self.hook, event, summary.model_dump(mode="json"), self.runtime.settings)
            summary = summary.model_copy(update={"webhook": said})
            books.close(database, summary)
        await self.runtime.in_thread(catch_up, self.runtime)
        return summary

    def _address(self, row: BatchRow) -> str:
        return self.files.get(row.number) or self.delivery.address(f"{row.request.get('name') or row.clip_id}.mp4")

    def _say(self, row: BatchRow, state: RowState, said: str) -> None:
        self.watch(Progress(self.batch.id, self.done, self.rows, row.number, state, said))

    def _told(self, row: BatchRow) -> Listener:
        """What happens inside a row is passed on where somebody should know; a hundred progress bars help nobody."""

        def tell(event: Event) -> None:
            if event.kind in {"note", "waiting"}:
                self.tell(event.model_copy(update={"note": f"row {row.number}: {event.note}"}))

        return tell
