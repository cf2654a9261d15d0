"""The weekly report as a Prefect flow: the notebook `cost_quality_report`, run with parameters and kept as a page."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from prefect import State, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed
from pydantic import Field

from flows.stages import as_state
from vpgen.runtime import Runtime
from vpgen.store.schema import now
from vpgen.tracking import catch_up

NOTEBOOK = "cost_quality_report"


@flow(name="report", flow_run_name="report", persist_result=False, validate_parameters=True)
async def report(
    since: date | None = Field(default=None, description="First day, UTC; empty: `days` before the end"),
    until: date | None = Field(default=None, description="The day after the last one, UTC; empty: until now"),
    days: Annotated[int, Field(ge=1)] = Field(default=7, description="How many days, when `since` is empty"),
    out: Path | None = Field(default=None, description="The page's file; empty: VPGEN_HOME/reports/…html"),
) -> State[Any]:
    """What a time cost and how good it was; returns where the page is."""

    async def work() -> State[Any]:
        from vpgen.lab import notebooks  # pandas and papermill are not needed to list the flows

        end: datetime | date = until or now()
        begin = since or (end - timedelta(days=days))
        parameters = {"since": _day(begin), "until": _day(end)}
        with Runtime.open() as runtime:
            page = out or runtime.settings.home / "reports" / f"{_day(begin)[:10]}-{_day(end)[:10]}.html"
            page = page.expanduser().absolute()
            await asyncio.to_thread(notebooks.execute, NOTEBOOK, parameters, page)
            await asyncio.to_thread(notebooks.keep, runtime, page, name=NOTEBOOK, parameters=parameters)
            await asyncio.to_thread(catch_up, runtime)
        markdown = f"`{page}` ({page.stat().st_size / 1e6:.1f} MB); it is in the store and in MLflow as well"
        await acreate_markdown_artifact(key="report", markdown=markdown, description=f"{begin:%F} to {end:%F}")
        return Completed(message=str(page), data=str(page))

    return await as_state(work())


def _day(at: datetime | date) -> str:
    """A moment; a date is its beginning in UTC (alone, the notebook would take it as the whole day)."""
    return at.isoformat(timespec="seconds") if isinstance(at, datetime) else f"{at.isoformat()}T00:00:00+00:00"
