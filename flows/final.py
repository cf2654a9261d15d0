"""The final as a Prefect flow: an approved preview brought to delivery size and rate."""

from __future__ import annotations

from prefect import flow
from pydantic import Field

from flows.stages import FINAL_STEPS, publish, report, stage_log, stages_as_tasks
from vpgen import studio
from vpgen.runtime import Runtime


@flow(name="final", flow_run_name="final: {preview_id}", persist_result=False)
async def final(
    preview_id: str = Field(description="The id of an approved preview"),
    config: str | None = Field(default=None, description="How to finish it; the preview's own config when empty"),
) -> str:
    """Approved preview → clip to deliver; returns the clip's id."""
    with Runtime.open() as runtime:
        clip = await studio.final(
            preview_id,
            config=config,
            runtime=runtime,
            tell=stage_log(),
            around=await stages_as_tasks(FINAL_STEPS),
        )
        await publish(clip)
        await report(runtime)
        return clip.id
