"""The work between a project's moves: plan, preview and final, each with its job, its heartbeat and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpgen import projects, studio
from vpgen.clip import Prompt
from vpgen.events import Listener, silent
from vpgen.runtime import Runtime
from vpgen.store import jobs
from vpgen.store.schema import Project
from vpgen.studio import Clip


async def plan(runtime: Runtime, project: Project, tell: Listener = silent) -> Prompt:
    """Draft | planned → planned, with prompts. Raises IllegalMove, Conflict, and what the stages raise."""
    project = projects.start_planning(runtime.database, project)
    with _working(runtime, project):
        prompt = await studio.plan(project.story, config=project.config, runtime=runtime, tell=tell)
        projects.finish_planning(runtime.database, project, prompt.model_dump())
    return prompt


async def preview(runtime: Runtime, project: Project, out: Path | None = None, tell: Listener = silent) -> Clip:
    """Planned → previewing, with a clip that waits to be approved or rejected."""
    project = projects.start_preview(runtime.database, project)
    with _working(runtime, project):
        clip = await studio.preview(
            project.story, config=project.config, seed=project.seed, out=out, runtime=runtime, tell=tell
        )
        projects.finish_preview(runtime.database, project, clip.id)
    return clip


async def final(runtime: Runtime, project: Project, out: Path | None = None, tell: Listener = silent) -> Clip:
    """Approved → completed, with the clip to deliver."""
    project = projects.start_final(runtime.database, project)
    with _working(runtime, project):
        clip = await studio.final(str(project.preview_clip), out=out, runtime=runtime, tell=tell)
        projects.complete(runtime.database, project, clip.id)
    return clip


@contextmanager
def _working(runtime: Runtime, project: Project) -> Iterator[None]:
    """Keep the job alive while the block runs; when it ends badly, put the project back with the error."""
    with jobs.working(runtime.database, project.job_id or 0):
        try:
            yield
        except BaseException as error:
            projects.fail(runtime.database, project, f"{type(error).__name__}: {error}")
            raise
