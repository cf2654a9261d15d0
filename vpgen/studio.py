"""What users call: `preview`, `final`, `make`. Each runs the recipe, keeps the books and hands over a `Clip`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from vpgen import pipeline, references
from vpgen.clip import ClipRequest, Prompt
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import Corrupted, InvalidInput, NotFound, StoreError, VpgenError
from vpgen.events import Event, Listener, silent
from vpgen.money.ledger import Purse
from vpgen.results import KIND, REQUESTS, Clip, Kind, Manifest, clip_of, find, ledger_of, sheet_of, show, whole
from vpgen.runtime import Runtime
from vpgen.stages import Usage
from vpgen.step import Around, Steps, plain
from vpgen.store import clips

__all__ = ["Clip", "Manifest", "final", "find", "make", "plan", "preview", "resume", "run", "show"]

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one of the async functions here to its end, from ordinary code. In a notebook, `await` it instead."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise RuntimeError("an event loop is running (a notebook?): write `await vpgen.make(...)` without vpgen.run")


async def plan(
    story: str,
    *,
    config: PipelineConfig | str | Path | None = None,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    around: Around = plain,
) -> Prompt:
    """Only the prompts of a story. A preview of the same story and config starts from them, free of charge."""
    async with _opened(runtime) as opened:
        resolved = _config(config, opened)
        request = _request(story, 0, None, None, opened)
        ledger = ledger_of(opened, None, resolved)
        return await pipeline.plan(request, Steps(opened, resolved, ledger, tell, around))


async def preview(
    story: str,
    *,
    config: PipelineConfig | str | Path | None = None,
    seed: int = 0,
    character: Path | None = None,
    background: Path | None = None,
    out: Path | None = None,
    purse: Purse | None = None,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    around: Around = plain,
) -> Clip:
    """A small moving preview of a story, with optional pictures of the person and the place.

    Raises InvalidInput, Refused, OverBudget, StageFailed or StoreError (all VpgenError).
    """
    async with _opened(runtime) as opened:
        resolved = _config(config, opened)
        request = _request(story, seed, character, background, opened)
        return await _render("preview", request, resolved, None, opened, out, purse, tell, around)


async def final(
    preview_id: str,
    *,
    config: PipelineConfig | str | Path | None = None,
    out: Path | None = None,
    purse: Purse | None = None,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    around: Around = plain,
) -> Clip:
    """The final of a preview: the same frames, upscaled, interpolated and encoded for delivery.

    `config` decides only how it is finished; without one, the preview's own is used. Raises NotFound and
    what `preview` raises.
    """
    async with _opened(runtime) as opened:
        manifest = find(opened, preview_id)
        if manifest.kind != "preview":
            raise InvalidInput(
                f"{manifest.id} is a final already",
                remedy=f"Finals are made from previews: vpgen final {manifest.parent}",
            )
        resolved = manifest.config
        if config is not None:
            resolved = resolved.finishing(_config(config, opened))
        return await _render("final", manifest.request, resolved, manifest.id, opened, out, purse, tell, around)


async def make(
    story: str,
    *,
    config: PipelineConfig | str | Path | None = None,
    seed: int = 0,
    character: Path | None = None,
    background: Path | None = None,
    out: Path | None = None,
    purse: Purse | None = None,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    around: Around = plain,
) -> Clip:
    """Preview and final in one go, for when nobody needs to approve in between."""
    async with _opened(runtime) as opened:
        resolved = _config(config, opened)
        first = await preview(
            story,
            config=resolved,
            seed=seed,
            character=character,
            background=background,
            out=out,
            purse=purse,
            runtime=opened,
            tell=tell,
            around=around,
        )
        return await final(first.id, config=resolved, out=out, purse=purse, runtime=opened, tell=tell, around=around)


async def resume(
    clip_id: str,
    *,
    out: Path | None = None,
    purse: Purse | None = None,
    runtime: Runtime | None = None,
    tell: Listener = silent,
    around: Around = plain,
) -> Clip:
    """Take up a clip that was stopped, killed or failed: what is finished is kept, jobs at providers are picked up.

    Raises NotFound for an id nobody began, and what `preview` raises.
    """
    async with _opened(runtime) as opened:
        asked = opened.store.get_document(REQUESTS, clip_id)
        if asked is None:
            raise NotFound(f"no clip {clip_id!r} was begun in {opened.store.address}", remedy="See `vpgen list`")
        request, config = ClipRequest.model_validate(asked["request"]), PipelineConfig.model_validate(asked["config"])
        return await _render(asked["kind"], request, config, asked["parent"], opened, out, purse, tell, around)


async def _render(
    kind: Kind,
    request: ClipRequest,
    config: PipelineConfig,
    parent: str | None,
    runtime: Runtime,
    out: Path | None,
    purse: Purse | None,
    tell: Listener,
    around: Around,
) -> Clip:
    """Run the recipe of a preview or a final, with its row in the database, its ledger and its manifest."""
    clip_id = identify(kind, request, config)
    ledger = ledger_of(runtime, clip_id, config, parent, purse)
    began = time.monotonic()
    runtime.store.put_document(
        REQUESTS,
        clip_id,
        {
            "kind": kind,
            "request": request.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
            "parent": parent,
        },
    )
    clips.begin(
        runtime.database,
        clip_id,
        kind=kind,
        parent=parent,
        story=request.story,
        config_name=config.name,
        config_hash=config.fingerprint(kind),
        seed=request.seed,
    )
    steps = Steps(runtime, config, ledger, tell, around)
    recipe = pipeline.preview if kind == "preview" else pipeline.final
    try:
        rendered = await _remaking(
            lambda: recipe(request, config, steps, partial(references.picture, runtime.store)), steps, tell
        )
        scores, video = rendered.scores.load(), rendered.video.load()
        cached = all(entry.how != "made" for entry in steps.trail)
        known = whole(runtime, clip_id) if cached else None
        if known is None:
            ledger.adopt(entry.key for entry in steps.trail)
            if kind == "final":
                delivered: Usage = {"egress_gb": Decimal(video.path.stat().st_size) / 10**9}
                ledger.settle(ledger.reserve("encode", "delivery", rendered.video.key, delivered), delivered)
            sheet = await runtime.in_thread(sheet_of, runtime, clip_id, request, config, video, scores, ledger)
            manifest = Manifest(
                id=clip_id,
                kind=kind,
                parent=parent,
                request=request,
                config=config,
                video=rendered.video.key,
                scores=rendered.scores.key,
                sheet=sheet,
                trail=tuple(steps.trail),
                seconds=time.monotonic() - began,
                created=datetime.now(UTC),
            )
            runtime.store.put_document(KIND, clip_id, manifest.model_dump(mode="json"))
        else:
            manifest = known
    except BaseException as error:
        steps.cancelled.set()
        if isinstance(error, VpgenError) and error.cost_usd is not None:
            error.cost_usd = ledger.cost().total
        if isinstance(error, VpgenError) and error.retryable:
            goes_on = f"`vpgen resume {clip_id}` goes on from what is finished"
            error.remedy = f"{error.remedy}. {goes_on}" if error.remedy else goes_on
        clips.fail(runtime.database, clip_id, f"{type(error).__name__}: {error}", time.monotonic() - began)
        raise
    seconds = time.monotonic() - began
    clips.complete(runtime.database, clip_id, seconds, track=not cached)
    return clip_of(runtime, manifest, out, trail=tuple(steps.trail), seconds=seconds, cached=cached)


async def _remaking(recipe: Any, steps: Steps, tell: Listener) -> pipeline.Rendered:
    """Start over when something in the store is damaged: the store has put it aside, so it is made again."""
    damaged: set[str] = set()
    while True:
        try:
            rendered: pipeline.Rendered = await recipe()
            # What is handed over is read (and so verified) here, while it can still be made again.
            await asyncio.to_thread(rendered.video.load)
            await asyncio.to_thread(rendered.scores.load)
        except Corrupted as error:
            # Each object is put aside once; the same one damaged again was just written, so the disk is at fault.
            if error.message in damaged:
                raise StoreError(
                    f"what is written to the store does not come back: {error.message}",
                    remedy="Check the disk and its free space; what is whole is kept, and the same command goes on",
                ) from error
            damaged.add(error.message)
            tell(Event(kind="note", note=f"{error.message}; making it again"))
            steps.trail.clear()
        else:
            return rendered


def identify(kind: Kind, request: ClipRequest, config: PipelineConfig) -> str:
    """The id that a clip of this request and config has, or will have."""
    decides = json.dumps([kind, request.model_dump(mode="json"), config.fingerprint(kind)], sort_keys=True)
    return f"{kind}-{hashlib.sha256(decides.encode()).hexdigest()[:10]}"


def _config(config: PipelineConfig | str | Path | None, runtime: Runtime) -> PipelineConfig:
    return config if isinstance(config, PipelineConfig) else load_config(config or runtime.settings.config)


def _request(story: str, seed: int, character: Path | None, background: Path | None, runtime: Runtime) -> ClipRequest:
    try:
        plain_request = ClipRequest(story=story, seed=seed)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise InvalidInput(
            f"{detail['loc'][0]}: {detail['msg'].removeprefix('Value error, ')}",
            stage="plan",
            remedy='Try: vpgen make "A woman walks along the beach at dusk, slow push in"',
        ) from None
    return plain_request.model_copy(
        update={
            "character_image": references.add(runtime.store, character) if character else None,
            "background_image": references.add(runtime.store, background) if background else None,
        }
    )


@asynccontextmanager
async def _opened(runtime: Runtime | None) -> AsyncIterator[Runtime]:
    """The given runtime, or one for this call; its connections to providers close when the last call ends."""
    if runtime is not None:
        async with runtime.connections():
            yield runtime
        return
    with Runtime.open() as opened:
        async with opened.connections():
            yield opened
