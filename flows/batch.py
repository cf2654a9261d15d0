"""A batch as a Prefect flow: one run drives all its clips; its page shows progress, outcomes, cost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import State, flow, get_run_logger
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from flows.stages import as_state, usd_text
from vpgen import batch as batches
from vpgen.batch import books
from vpgen.errors import NotFound, VpgenError
from vpgen.events import Event
from vpgen.runtime import Runtime

SHOW_SECONDS = 1.0
"""Between two updates of the page: Prefect's server is not in the path of the clips."""
SHOWN_ROWS = 500
"""In the table of outcomes, those that were not made first; all of them are in the CSV."""


@flow(name="batch", flow_run_name="batch: {table:.80}", persist_result=False, validate_parameters=True)
async def batch(
    table: str = Field(description="CSV, JSONL or Parquet: a file where this runs, or s3://…; columns story, seed, …"),
    profile: Literal["preview", "final"] = Field(default="final", description="What is made of each row"),
    config: str | None = Field(default=None, description="A config; empty: the champion of the profile"),
    parallel: Annotated[int, Field(ge=1, le=500)] = Field(default=4, description="Rows under way at a time"),
    out: str | None = Field(default=None, description="A folder or s3://bucket/prefix; empty: VPGEN_OUT"),
    budget: Annotated[float, Field(ge=0)] | None = Field(default=None, description="USD for the whole batch"),
    webhook: str | None = Field(default=None, description="Where the summary is posted when it has ended"),
    retry: bool = Field(default=False, description="Try rows that failed again"),
    if_missing: Literal["fail", "skip"] = Field(default="fail", description="What to do when there is no such table"),
) -> State[Any]:
    """Table of requests → clips; returns the batch's id. The same run again goes on where it was."""

    async def work() -> State[Any]:
        with Runtime.open() as runtime:
            page = Page()
            try:
                async with page.shown():
                    summary = await batches.run(
                        table,
                        profile=profile,
                        config=config,
                        parallel=parallel,
                        out=out,
                        budget=None if budget is None else Decimal(str(budget)),
                        hook=webhook,
                        retry=retry,
                        runtime=runtime,
                        tell=page.tell,
                        watch=page.watch,
                    )
            except NotFound as error:
                if if_missing == "skip" and _absent(table):
                    return Completed(name="Skipped", message=f"{error.message}: there is nothing to do")
                raise
            await page.publish(runtime, summary)
            return ending(summary)

    return await as_state(work())


def _absent(table: str) -> bool:
    return "://" not in table and not Path(table).expanduser().exists()


def ending(summary: batches.Summary) -> State[Any]:
    """How a run of that outcome ends: a row that failed does not fail it, a batch without a single clip does."""
    if summary.left:
        message = f"{summary.id}: {summary}. {summary.stopped_by}: {summary.stopped}. {summary.next}"
        return Cancelled(name="Paused", message=message) if summary.stopped_by == "Paused" else _failed(message)
    message = f"{summary.id}: {summary}, {usd_text(summary.usd)} USD"
    return Completed(message=message, data=summary.id) if summary.completed else _failed(message)


def _failed(message: str) -> State[Any]:
    return Failed(message=message, data=VpgenError(message))


class Page:
    """A batch on the page of its flow run. What Prefect does not take is logged: no clip depends on it."""

    def __init__(self) -> None:
        self._log = get_run_logger()
        self._last: batches.Progress | None = None
        self._lost = False

    def tell(self, event: Event) -> None:
        """Notes of rows and canary."""
        if event.kind == "note":
            self._log.warning("%s", event.note)

    def watch(self, progress: batches.Progress) -> None:
        """Note where it is; failures are logged with their row."""
        self._last = progress
        if progress.state in {"failed", "refused"}:
            self._log.warning("row %s %s: %s", progress.number, progress.state, progress.said)

    def shown(self) -> _Shown:
        """Keeps the progress bar up to date while the block runs."""
        return _Shown(self)

    @property
    def percent(self) -> float:
        """Rows that have an outcome, of 100."""
        return 100.0 * self._last.done / self._last.rows if self._last and self._last.rows else 0.0

    async def publish(self, runtime: Runtime, summary: batches.Summary) -> None:
        """The outcomes as a table, the summary with what it cost as text."""
        rows = books.rows_of(runtime.database, summary.id)
        rows.sort(key=lambda row: (row.state == "completed", row.number))
        table = [
            {
                "row": row.number,
                "story": str(row.request.get("story", ""))[:80],
                "outcome": row.state,
                "arm": row.arm,
                "clip": row.clip_id or "",
                "seconds": "" if row.seconds is None else f"{row.seconds:.1f}",
                "why": (row.error or "")[:300],
            }
            for row in rows[:SHOWN_ROWS]
        ]
        more = "" if len(rows) <= SHOWN_ROWS else f"; the first {SHOWN_ROWS} of {len(rows)}"
        await self._put(acreate_table_artifact(key="outcomes", table=table, description=f"{summary}{more}"))
        await self._put(acreate_markdown_artifact(key="summary", markdown=in_words(summary), description=str(summary)))

    async def _put(self, call: Any) -> Any:
        if self._lost:
            call.close()
            return None
        try:
            return await call
        except Exception as error:  # noqa: BLE001  # whatever the server does, it must not fail a batch
            self._lost = True
            self._log.warning("Prefect takes no more artifacts of this run: %s", error)
            return None


class _Shown:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._task: asyncio.Task[None] | None = None
        self._bar: Any = None

    async def __aenter__(self) -> None:
        start = acreate_progress_artifact(progress=0.0, key="progress", description="Rows that have an outcome")
        self._bar = await self._page._put(start)  # noqa: SLF001  # its own other half
        self._task = asyncio.ensure_future(self._keep())

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._show()

    async def _keep(self) -> None:
        shown = 0.0
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            if self._page.percent != shown:
                shown = self._page.percent
                await self._show()

    async def _show(self) -> None:
        if self._bar is not None:
            update = aupdate_progress_artifact(self._bar, progress=self._page.percent)
            await self._page._put(update)  # noqa: SLF001


def in_words(summary: batches.Summary) -> str:
    """The summary as Markdown."""
    seconds = "" if summary.seconds_p50 is None else f"p50 {summary.seconds_p50:.1f}, p95 {summary.seconds_p95:.1f}"
    lines = {
        "batch": f"`{summary.id}` of `{summary.source}`",
        "rows": str(summary),
        "config": f"{summary.config} ({summary.profile})",
        "USD": f"{usd_text(summary.usd)}, of which waste {usd_text(summary.waste)}",
        "USD per accepted clip": usd_text(summary.per_accepted) if summary.completed else "none yet",
        "seconds a row": seconds,
        "not made because": ", ".join(f"{why} ({count})" for why, count in summary.reasons.items()),
        "canary": summary.canary,
        "stopped": f"{summary.stopped_by}: {summary.stopped} {summary.next}" if summary.stopped else "",
        "webhook": summary.webhook,
        "row by row": f"`{summary.table}`",
    }
    notes = "".join(f"\n- {note}" for note in summary.notes)
    return "| | |\n|---|---|\n" + "\n".join(f"| {k} | {v.replace('|', '/')} |" for k, v in lines.items() if v) + notes
