"""The final as a Prefect flow: an approved preview brought to delivery size and rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from pydantic import Field

from flows.stages import FINAL_STEPS, as_flow, on_page
from vpgen import studio
from vpgen.runtime import Runtime


@flow(name="final", flow_run_name="final: {preview_id}", persist_result=False, validate_parameters=True)
async def final(
    preview_id: str = Field(description="The id of an approved preview, or the start of it"),
    config: str | None = Field(
        default=None, description="How to finish it; empty: as the champion does, or as the preview's config says"
    ),
    out: Path | None = Field(default=None, description="Folder the finished files are copied to; empty: VPGEN_OUT"),
) -> str | State[Any]:
    """Approved preview → clip to deliver; returns the clip's id."""

    async def work() -> studio.Clip:
        with Runtime.open() as runtime:
            async with on_page(runtime, FINAL_STEPS) as page:
                serving = await page.serving("final", config)
                clip = await studio.final(
                    preview_id, config=serving, out=out, runtime=runtime, tell=page.tell, around=page.around
                )
                await page.publish(clip)
                return clip

    return await as_flow(work())
