"""What the flows share: stages as task runs, and a clip's progress, pictures, figures or error on the run's page."""

from __future__ import annotations

import asyncio
import base64
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import cv2
from prefect import State, get_run_logger, task
from prefect.artifacts import (
    acreate_image_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.runtime import deployment
from prefect.states import Cancelled, Completed, Failed

from vpgen import switch
from vpgen.config import PipelineConfig
from vpgen.errors import Paused, StageFailed, VpgenError
from vpgen.events import Event
from vpgen.runtime import Runtime
from vpgen.studio import Clip
from vpgen.tracking import catch_up

T = TypeVar("T")
PREVIEW_STEPS = 11
"""Task runs of a preview: moderation looks three times (story, prompts, pictures); `enlarge`, if named, adds two."""
FINAL_STEPS = 13
"""Task runs of a final at most: those up to the animated clip, found in the store, and the finishing stages."""
_LOOKS = ("story", "prompts", "pictures")
"""What moderation looks at, in the order of the recipe."""


class Page:
    """One clip on the page of its flow run: hand `tell` and `around` to the studio, the clip to `publish`.

    Prefect neither caches nor retries stages: vpgen's own store makes a rerun free, and decides what runs.
    What cannot be put on the page is logged: only the pipeline decides whether a clip fails.
    """

    def __init__(self, runtime: Runtime, total: int) -> None:
        self._runtime, self._total = runtime, total
        self._log = get_run_logger()
        self._progress: UUID | None = None
        self._begun: Counter[str] = Counter()
        self._ended: dict[str, Event] = {}
        self._fused: list[str] = []
        self._done = 0
        self._lost = False

    def tell(self, event: Event) -> None:
        """Note how a stage ended, for its task run, and log what belongs to none."""
        if event.kind in {"finished", "cached"}:
            self._ended[event.stage] = event
        elif event.kind == "fused":
            self._fused.append(event.stage)
        elif event.kind == "waiting":
            self._log.info("%s: another process is making this; waiting for it", event.stage)
        elif event.kind == "note":
            self._log.warning("%s", event.note)

    async def around(self, stage: str, call: Callable[[], Awaitable[Any]]) -> Any:  # what a stage returns
        """Run a stage as a task run whose final state says who made it, or that it was in the store."""
        self._begun[stage] += 1
        result: Any = None
        failure: Exception | None = None

        @task(name=stage, task_run_name=self._name(stage), cache_policy=NO_CACHE, persist_result=False)
        async def run() -> State[None]:
            nonlocal result, failure
            try:
                result = await call()
            except Exception as error:  # noqa: BLE001  # raised below; here its message is enough
                failure = error
                return Failed(message=f"{type(error).__name__}: {error}")
            return _end(self._ended.pop(stage, None))

        # Its types take the state of an async task for a value.
        state = await cast("Awaitable[State[None]]", run(return_state=True))
        if failure is not None:
            raise failure
        if not state.is_completed():
            raise StageFailed(f"Prefect did not run it: {state.name} {state.message or ''}", stage=stage)
        self._done += 1
        await self._show(min(99.0, 100.0 * self._done / self._total))
        return result

    async def publish(self, clip: Clip) -> None:
        """Put a finished clip on the page: stages, cost and scores as tables, the contact sheet as a picture."""
        how = "everything was in the store: nothing was made, nothing was paid" if clip.cached else "made"
        self._log.info("%s: %s; the clip is %s", clip.id, how, clip.video)

        async def put() -> None:
            await acreate_table_artifact(key="stages", table=_stages(clip), description=f"{clip.id}: {how}")
            total = f"{clip.id}: {usd_text(clip.cost.total)} USD of {usd_text(clip.cost.target)}"
            await acreate_table_artifact(key="cost", table=_cost(clip), description=total)
            await acreate_table_artifact(key="scores", table=_scores(clip), description=clip.id)
            await acreate_image_artifact(
                key="contact-sheet",
                image_url=await asyncio.to_thread(_thumbnail, clip),
                description=f"{clip.manifest.request.story}\n\nThe clip: `{clip.video}`, or `vpgen show {clip.id}`",
            )

        await self._show(100.0)
        await self._put(put())

    async def refuse(self, error: VpgenError) -> None:
        """Put what went wrong on the page, with what it cost and what to do."""
        if isinstance(error, StageFailed) and error.__cause__ is not None:
            self._log.error("%s", "".join(traceback.format_exception(error.__cause__)).rstrip())
        text = f"**{type(error).__name__}**: {error}\n\n- cost of the failed attempt: {usd_text(error.cost_usd)} USD"
        if error.remedy:
            text += f"\n- what to do: {error.remedy}"
        await self._put(acreate_markdown_artifact(key="error", markdown=text, description="Why there is no clip"))

    async def serving(self, profile: Literal["preview", "final"], config: str | None) -> PipelineConfig | str | None:
        """The config to use: the one asked for, else, in production, the champion's. Raises Paused.

        A run is production when it is a deployment's. While a new champion is on trial only batches try it. Nobody was
        ever promoted: None, and the studio's default serves.
        """
        if not deployment.id:
            return config
        await asyncio.to_thread(switch.check, self._runtime.database)
        if config:
            return config
        from vpgen.lab import champions  # a second to import

        champion = await asyncio.to_thread(champions.current, self._runtime, profile)
        if champion.note:
            self._log.warning("%s", champion.note)
        if not champion.number and "by hand" not in champion.note:
            return None
        trial = champion.canary is not None and champion.previous is not None
        self._log.info(
            "champion %s of %s%s", champion.number, profile, ", still on trial: the one before serves" * trial
        )
        return champion.previous if trial else champion.config

    async def open(self) -> None:
        """Start the progress bar."""
        start = acreate_progress_artifact(progress=0.0, key="progress", description="Stages done")
        self._progress = await self._put(start)

    async def report(self) -> None:
        """Tell MLflow about the clip, or the log why that has to wait."""
        caught = await asyncio.to_thread(catch_up, self._runtime)
        if caught.summary:
            (self._log.warning if caught.waiting else self._log.info)("%s", caught.summary)

    def _name(self, stage: str) -> str:
        """The task run's name: with the stages that run inside it, and what moderation looks at."""
        if stage == "moderate" and self._begun[stage] <= len(_LOOKS):
            return f"moderate: {_LOOKS[self._begun[stage] - 1]}"
        name = " + ".join(dict.fromkeys([*self._fused, stage]))  # `enlarge` works on two pictures
        self._fused.clear()
        return name

    async def _show(self, percent: float) -> None:
        if self._progress is not None:
            await self._put(aupdate_progress_artifact(self._progress, progress=percent))

    async def _put(self, call: Coroutine[Any, Any, T]) -> T | None:
        """Ask the server, until it fails once: its client tries for a minute each time."""
        if self._lost:
            call.close()
            return None
        try:
            return await call
        except Exception as error:  # noqa: BLE001  # whatever the server does, it must not fail a clip
            self._lost = True
            self._log.warning("Prefect takes no more artifacts of this run: %s", error)
            return None


@asynccontextmanager
async def on_page(runtime: Runtime, total: int) -> AsyncIterator[Page]:
    """A clip's page while the block runs; its failure is shown there too, and MLflow told of either."""
    page = Page(runtime, total)
    await page.open()
    try:
        yield page
    except VpgenError as error:
        await page.refuse(error)
        await page.report()
        raise
    await page.report()


async def as_flow(work: Awaitable[Clip]) -> str | State[Any]:
    """The id of the clip, or how it ended without one."""
    clip_id: str | None = None

    async def made() -> State[Any]:
        nonlocal clip_id
        clip_id = (await work).id
        return Completed()

    state = await as_state(made())
    return state if clip_id is None else clip_id


async def as_state(work: Awaitable[State[Any]]) -> State[Any]:
    """Its state; errors and Ctrl-C as final states that say what happened, without Prefect's traceback."""
    try:
        return await work
    except Paused as error:
        return Cancelled(name="Paused", message=f"{error.message}. {error.remedy}")
    except VpgenError as error:
        return Failed(message=f"{type(error).__name__}: {error}", data=error)
    except asyncio.CancelledError:
        if (current := asyncio.current_task()) is not None:
            current.uncancel()  # or the next await would be cancelled again, and the run left Running
        return Cancelled(message="Stopped. Every finished stage is kept: the same run goes on from there")


def _end(event: Event | None) -> State[None]:
    """The final state of a stage's task run."""
    if event is None:
        return Completed()
    if event.kind == "cached":
        return Completed(name="Cached", message=f"{event.backend}: it was in the store")
    return Completed(
        message=f"{event.backend}: {event.seconds:.2f} s, {event.cpu_seconds:.2f} CPU s, {usd_text(event.usd)} USD"
    )


def _stages(clip: Clip) -> list[dict[str, Any]]:
    return [
        {
            "stage": entry.stage,
            "backend": entry.backend,
            "result": {"fused": "inside the next stage"}.get(entry.how, entry.how),
            "seconds": f"{entry.seconds:.2f}" if entry.how == "made" else "",
            "CPU seconds": f"{entry.cpu_seconds:.2f}" if entry.how == "made" else "",
            "USD": usd_text(entry.usd) if entry.how == "made" else "",
        }
        for entry in clip.trail
    ]


def _cost(clip: Clip) -> list[dict[str, Any]]:
    return [
        {
            "category": line.category,
            "USD": usd_text(line.usd),
            "estimated": usd_text(line.estimate_usd),
            "target": usd_text(line.target_usd),
        }
        for line in clip.cost.lines
    ]


def _scores(clip: Clip) -> list[dict[str, Any]]:
    return [
        {
            "metric": score.name,
            "value": "–" if score.value is None else f"{score.value:.4g} {score.unit}".strip(),
            "better": "higher" if score.higher_is_better else "lower",
            "meaning": f"skipped: {score.skipped}" if score.value is None else score.meaning,
        }
        for score in clip.scores.scores
    ]


def usd_text(usd: Decimal | None) -> str:
    """Without the exponent of a tiny sum; "unknown" is never 0."""
    return "unknown" if usd is None else f"{usd:.6f}".rstrip("0").rstrip(".")


def _thumbnail(clip: Clip) -> str:
    """The contact sheet as a small data URL: the page needs no file server."""
    sheet = cv2.imread(str(clip.sheet))
    if sheet is None:
        raise ValueError(f"{clip.sheet} cannot be read")
    width = 1200
    small = cv2.resize(sheet, (width, round(sheet.shape[0] * width / sheet.shape[1])), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not done:
        raise ValueError(f"{clip.sheet} cannot be written as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
