"""The preview as a Prefect flow: the same recipe as `vpgen preview`, its stages visible as task runs."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from pydantic import Field

from flows.stages import PREVIEW_STEPS, publish, report, stage_log, stages_as_tasks
from vpgen import studio
from vpgen.runtime import Runtime


@flow(name="preview", flow_run_name="preview: {story:.60}", persist_result=False, validate_parameters=True)
async def preview(
    story: str = Field(description="Who, where, and how the camera moves; Korean or English"),
    config: str = Field(default="animatic", description="A pipeline config: a file, or the name of one that ships"),
    seed: int = Field(default=0, ge=0, description="Another seed draws another person and place"),
    character: Path | None = Field(default=None, description="Your own picture of the person"),
    background: Path | None = Field(default=None, description="Your own picture of the place"),
) -> str:
    """Story → small moving preview; returns the clip's id."""
    with Runtime.open() as runtime:
        clip = await studio.preview(
            story,
            config=config,
            seed=seed,
            character=character,
            background=background,
            runtime=runtime,
            tell=stage_log(),
            around=await stages_as_tasks(PREVIEW_STEPS),
        )
        await publish(clip)
        await report(runtime)
        return clip.id


if __name__ == "__main__":
    import asyncio

    asyncio.run(preview(story="A woman walks along the beach at dusk, slow push in"))
