"""Housekeeping as a Prefect flow: what is old is shown on the run's page, and removed when `apply` is set."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import State, flow
from prefect.artifacts import acreate_table_artifact
from prefect.states import Completed
from pydantic import Field

from flows.stages import as_state
from vpgen.runtime import Runtime
from vpgen.store import jobs, retention
from vpgen.tracking import catch_up


@flow(name="housekeeping", flow_run_name="housekeeping", persist_result=False, validate_parameters=True)
async def housekeeping(
    apply: bool = Field(default=False, description="Remove what is old; otherwise it is only shown"),
) -> State[Any]:
    """Retention by class, jobs of dead workers, reports that MLflow is owed."""

    async def work() -> State[Any]:
        with Runtime.open() as runtime:
            policy = retention.load_policy(runtime.settings.retention)
            report = await asyncio.to_thread(retention.housekeeping, runtime, policy, apply=apply)
            dead = await asyncio.to_thread(jobs.reap, runtime.database)
            await asyncio.to_thread(catch_up, runtime)
        table = [
            {"class": name, "clips": going.clips, "records": going.records, "objects": going.objects, "MB": going.bytes / 1e6}
            for name, going in report.classes.items()
        ]  # fmt: skip
        kept = "; ".join(f"{count} kept for {why}" for why, count in sorted(report.kept.items()))
        said = f"{report.bytes / 1e6:.1f} MB {'removed' if apply else 'would go'}"
        await acreate_table_artifact(key="retention", table=table, description=f"{said}. {kept}".strip())
        return Completed(message=f"{said}; {len(dead)} job(s) of dead workers closed")

    return await as_state(work())
