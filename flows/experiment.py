"""An experiment as a Prefect flow: one run that drives every clip, with its progress and its tables on the page."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Annotated, Any

from prefect import State, flow, get_run_logger
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.states import Failed
from pydantic import Field

from vpgen.errors import VpgenError
from vpgen.lab import run as lab
from vpgen.lab.definition import load_experiment
from vpgen.lab.result import Result
from vpgen.lab.views import comparison, means
from vpgen.runtime import Runtime
from vpgen.tracking import catch_up

PAGE_SECONDS = 2.0
"""Between two updates of the page: Prefect's API stays out of the way of the work."""


@flow(name="experiment", flow_run_name="experiment: {experiment}", persist_result=False, validate_parameters=True)
async def experiment(
    experiment: str = Field(
        description="A YAML file where this runs, or the name of one that ships: finishing, matting"
    ),
    budget: Annotated[Decimal, Field(ge=0)] | None = Field(
        default=None, description="USD it may spend; empty: the file's"
    ),
    retry_failed: bool = Field(default=False, description="Make trials again that did not complete"),
) -> str | State[Any]:
    """Runs an experiment to its decision, or goes on with it; returns the experiment's id."""
    try:
        definition = load_experiment(experiment)
        if budget is not None:
            definition = definition.model_copy(update={"budget": budget})
        with Runtime.open() as runtime:
            result = await _watched(definition, runtime, retry_failed=retry_failed)
            caught = await asyncio.to_thread(catch_up, runtime)
            if caught.summary:
                get_run_logger().info("%s", caught.summary)
            return result.id
    except VpgenError as error:
        remedy = f" What to do: {error.remedy}" if error.remedy else ""
        return Failed(message=f"{type(error).__name__}: {error}{remedy}", data=error)


async def _watched(definition: Any, runtime: Runtime, *, retry_failed: bool) -> Result:
    """Run it, and keep the page up to date from a task of its own: what Prefect does must not delay a clip."""
    log, latest = get_run_logger(), [lab.Progress(0, definition.most_pairs, "", Decimal(0), None)]

    def watch(progress: lab.Progress) -> None:
        if progress.verdict and progress.done != latest[0].done:
            usd = f"{progress.spent_usd:.6f}"
            log.info("%d/%d pairs, %s USD: %s", progress.done, progress.pairs, usd, progress.verdict.why)
        latest[0] = progress

    async def show() -> None:
        page = await acreate_progress_artifact(progress=0.0, key="progress", description="Pairs done, at most")
        shown, began = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(PAGE_SECONDS)
            share = 100.0 * latest[0].done / max(1, latest[0].pairs)
            if share != shown:
                shown = share
                said = f"{latest[0].done} of at most {latest[0].pairs} pairs, {time.monotonic() - began:.0f} s"
                await aupdate_progress_artifact(page, progress=share, description=said)

    page = asyncio.ensure_future(show())
    try:
        result = await lab.run(definition, runtime=runtime, watch=watch, retry_failed=retry_failed)
    finally:
        page.cancel()
        (problem,) = await asyncio.gather(page, return_exceptions=True)
        if isinstance(problem, Exception):
            log.warning("Prefect took no progress of this run: %s", problem)
    log.info("%s", result.verdict.why)
    try:
        head, *rows = means(result)
        table = [dict(zip(["metric", *head[1:]], row, strict=True)) for row in rows]
        await acreate_table_artifact(key="experiment-means", table=table, description=result.verdict.why)
        against = [{key: row[key] for key in row if key != "tone"} for row in comparison(result)]
        what = f"Against {result.experiment.baseline}; everything: vpgen experiment report {result.id}"
        await acreate_table_artifact(key="experiment-differences", table=against, description=what)
    except Exception as error:  # noqa: BLE001  # the experiment is done, whatever Prefect says to its page
        log.warning("Prefect did not take the tables: %s", error)
    return result
