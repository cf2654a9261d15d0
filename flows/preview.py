"""The preview as a Prefect flow: the same recipe as `vpgen preview`, its stages visible as task runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import State, flow
from pydantic import Field

from flows.stages import PREVIEW_STEPS, as_flow, on_page
from vpgen import studio
from vpgen.inheritance import shipped
from vpgen.runtime import Runtime


@flow(name="preview", flow_run_name="preview: {story:.60}", persist_result=False, validate_parameters=True)
async def preview(
    story: str = Field(description="Who, where, and how the camera moves; Korean or English"),
    config: str | None = Field(
        default=None, description=f"One of {', '.join(shipped())}, or a YAML file; empty: the champion, or VPGEN_CONFIG"
    ),
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Another seed draws another person and place"),
    character: Path | None = Field(default=None, description="Your own picture of the person: a file where this runs"),
    background: Path | None = Field(default=None, description="Your own picture of the place: a file where this runs"),
    out: Path | None = Field(default=None, description="Folder the finished files are copied to; empty: VPGEN_OUT"),
) -> str | State[Any]:
    """Story → small moving preview; returns the clip's id."""

    async def work() -> studio.Clip:
        with Runtime.open() as runtime:
            async with on_page(runtime, PREVIEW_STEPS) as page:
                clip = await studio.preview(
                    story,
                    config=await page.serving("preview", config),
                    seed=seed,
                    character=character,
                    background=background,
                    out=out,
                    runtime=runtime,
                    tell=page.tell,
                    around=page.around,
                )
                await page.publish(clip)
                return clip

    return await as_flow(work())
