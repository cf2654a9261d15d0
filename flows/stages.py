"""What the single-clip flows share: stages as task runs, and the artifacts of a finished clip."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import cv2
from prefect import get_run_logger, task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE

from vpgen.events import Event, Listener
from vpgen.runtime import Runtime
from vpgen.step import Around
from vpgen.studio import Clip
from vpgen.tracking import catch_up

PREVIEW_STEPS = 11
"""Task runs of a preview: moderation looks three times (story, prompts, pictures)."""
FINAL_STEPS = 13
"""Task runs of a final at most: those up to the animated clip, found in the store, and the finishing stages."""


async def stages_as_tasks(total: int) -> Around:
    """Makes each stage a task run of the current flow run and moves its progress artifact on.

    Prefect neither caches nor retries stages: vpgen's own store makes a rerun free, and decides what runs.
    """
    progress = await acreate_progress_artifact(progress=0.0, key="stages", description="Stages of this clip")
    done = 0

    async def around(stage: str, call: Callable[[], Awaitable[Any]]) -> Any:  # what a stage returns
        nonlocal done

        @task(name=stage, task_run_name=stage, cache_policy=NO_CACHE, persist_result=False, tags=["stage"])
        async def run() -> Any:
            return await call()

        result = await run()
        done += 1
        await aupdate_progress_artifact(progress, progress=min(100.0, 100.0 * done / total))
        return result

    return around


def stage_log() -> Listener:
    """A listener that writes what happens to the flow run's log."""
    log = get_run_logger()

    def tell(event: Event) -> None:
        if event.kind in {"finished", "cached", "fused", "failed", "waiting"}:
            seconds = "" if event.seconds is None else f" in {event.seconds:.2f} s"
            level = "error" if event.kind == "failed" else "info"
            getattr(log, level)("%s %s: %s%s %s", event.stage, event.backend, event.kind, seconds, event.note)
        elif event.kind == "note":
            log.warning("%s", event.note)

    return tell


async def publish(clip: Clip) -> None:
    """Put a finished clip on the flow run's page: stages and cost as tables, the contact sheet as a picture."""
    await acreate_table_artifact(
        key="stages-table",
        table=[
            {
                "stage": entry.stage,
                "backend": entry.backend,
                "result": entry.how,
                "seconds": round(entry.seconds, 2),
                "CPU seconds": round(entry.cpu_seconds, 2),
                "USD": str(entry.usd),
            }
            for entry in clip.trail
        ],
        description=clip.id,
    )
    await acreate_table_artifact(
        key="cost",
        table=[
            {
                "category": line.category,
                "USD": str(line.usd),
                "estimated": str(line.estimate_usd),
                "target": str(line.target_usd),
            }
            for line in clip.cost.lines
        ],
        description=f"{clip.cost.total} USD of {clip.cost.target}",
    )
    scores = "\n".join(
        f"| {s.name} | {'–' if s.value is None else f'{s.value:.4g} {s.unit}'} | {s.skipped or s.meaning} |"
        for s in clip.scores.scores
    )
    await acreate_markdown_artifact(
        key="contact-sheet",
        markdown=f"![contact sheet]({_thumbnail(clip)})\n\n`{clip.video}`\n\n| metric | value | meaning |\n|---|---|---|\n{scores}",
        description=clip.manifest.request.story,
    )


def _thumbnail(clip: Clip) -> str:
    """The contact sheet as a small data URL: the page needs no file server."""
    sheet = cv2.imread(str(clip.sheet))
    if sheet is None:
        raise ValueError(f"{clip.sheet} cannot be read")
    width = 900
    small = cv2.resize(sheet, (width, round(sheet.shape[0] * width / sheet.shape[1])), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise ValueError(f"{clip.sheet} cannot be written as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


async def report(runtime: Runtime) -> None:
    """Tell MLflow about the clip, or the log why that has to wait."""
    caught = await asyncio.to_thread(catch_up, runtime)
    if caught.summary:
        get_run_logger().info(caught.summary)
