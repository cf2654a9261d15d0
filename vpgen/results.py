"""What a run hands over: a clip with its manifest, its files copied out of the store, its figures and its cost."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AwareDatetime

from vpgen.clip import ClipRequest, Value, Video
from vpgen.config import PipelineConfig
from vpgen.errors import Corrupted, InvalidInput, NotFound, StoreError
from vpgen.money.ledger import Cost, Ledger, Purse
from vpgen.money.prices import dollars
from vpgen.runtime import Runtime
from vpgen.stages import Scores
from vpgen.step import Trail
from vpgen.store.objects import Blob
from vpgen.store.records import load, read_record

T = TypeVar("T")
Kind = Literal["preview", "final"]
KIND = "clips"
"""The store's document kind of clip manifests."""
REQUESTS = "requests"
"""The store's document kind of what was asked for: there from the start, so that any run can be taken up again."""


class Manifest(Value):
    """What a clip was made from: enough to make it again, and the keys of everything in it."""

    id: str
    kind: Kind
    parent: str | None
    request: ClipRequest
    config: PipelineConfig
    video: str
    scores: str
    sheet: Blob
    trail: tuple[Trail, ...]
    seconds: float
    created: AwareDatetime


class Clip(Value):
    """A finished clip: its files, its figures, its cost. `cached` is true when nothing had to be made."""

    manifest: Manifest
    video: Path
    sheet: Path
    scores: Scores
    cost: Cost
    trail: tuple[Trail, ...]
    seconds: float
    cached: bool

    @property
    def id(self) -> str:
        """The name to call it by in every command."""
        return self.manifest.id


def find(runtime: Runtime, name: str) -> Manifest:
    """The manifest of a clip by its id, or by the start of it when that is unique.

    Raises NotFound, or InvalidInput for what cannot be an id.
    """
    document = runtime.store.get_document(KIND, name)
    if document is None:
        near = runtime.store.list_documents(KIND, prefix=name)
        if len(near) > 1:
            raise InvalidInput(f"{name!r} fits {len(near)} clips: {', '.join(near[:5])}", remedy="Give more of the id")
        document = runtime.store.get_document(KIND, near[0]) if near else None
    if document is None:
        raise NotFound(f"there is no clip {name!r} in {runtime.store.address}", remedy="See `vpgen list`")
    return Manifest.model_validate(document)


def show(runtime: Runtime, name: str, out: Path | None = None) -> Clip:
    """A finished clip again, from the store and the ledger. Raises NotFound, Corrupted, StoreError."""
    return clip_of(runtime, find(runtime, name), out)


def whole(runtime: Runtime, clip_id: str) -> Manifest | None:
    """The manifest of an earlier run, None when it or its contact sheet is not there any more."""
    document = runtime.store.get_document(KIND, clip_id)
    if document is None:
        return None
    manifest = Manifest.model_validate(document)
    try:
        runtime.store.get_path(manifest.sheet)
    except (Corrupted, NotFound):
        return None
    return manifest


def clip_of(
    runtime: Runtime,
    manifest: Manifest,
    out: Path | None,
    *,
    trail: tuple[Trail, ...] | None = None,
    seconds: float | None = None,
    cached: bool = True,
) -> Clip:
    """A finished clip from its manifest, its files copied out. Raises NotFound, Corrupted, StoreError."""
    scores = _stored(runtime, manifest.scores, Scores)
    video = _stored(runtime, manifest.video, Video)
    folder = out or runtime.settings.out
    return Clip(
        manifest=manifest,
        video=_export(video.path, folder / f"{manifest.id}.mp4"),
        sheet=_export(runtime.store.get_path(manifest.sheet), folder / f"{manifest.id}.png"),
        scores=scores,
        cost=ledger_of(runtime, manifest.id, manifest.config, manifest.parent).cost(),
        trail=manifest.trail if trail is None else trail,
        seconds=manifest.seconds if seconds is None else seconds,
        cached=cached,
    )


def _stored(runtime: Runtime, key: str, kind: type[T]) -> T:
    record = read_record(runtime.store, key)
    value = load(runtime.store, record.result) if record else None
    if not isinstance(value, kind):
        raise NotFound(
            f"a part of this clip ({key[:12]}…) is no longer in the store",
            remedy="Run the command that made it again: only what is missing is made",
        )
    return value


def _export(source: Path, target: Path) -> Path:
    """Copy out of the store, so that what a user does to the file cannot harm the stored one."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            target.with_name(f".{target.name}.part").unlink(missing_ok=True)
        raise StoreError(
            f"cannot write {target}: {error.strerror}",
            remedy="The clip itself is safe in the store: give a folder with room in it (--out), and run it again",
        ) from error
    return target.absolute()


def sheet_of(
    runtime: Runtime,
    clip_id: str,
    request: ClipRequest,
    config: PipelineConfig,
    video: Video,
    scores: Scores,
    ledger: Ledger,
) -> Blob:
    """The contact sheet with the clip's figures, stored."""
    from vpgen.media.contact_sheet import contact_sheet  # cv2 and PIL load only when a clip is made

    figures = [f"{s.name}={s.value:.3g}{s.unit}" for s in scores.scores if s.value is not None]
    facts = f"{video.size[0]}x{video.size[1]}  {float(video.fps):g} fps  {video.seconds:.3f} s"
    lines = [
        f"{clip_id}   {config.name}   seed {request.seed}   {facts}   {dollars(ledger.cost().total)} USD",
        "   ".join(figures),
    ]
    path = contact_sheet(video, runtime.scratch / f"{clip_id}.png", title=request.story, lines=lines)
    return runtime.store.put_file(path, "image/png")


def ledger_of(
    runtime: Runtime,
    clip_id: str | None,
    config: PipelineConfig,
    parent: str | None = None,
    purse: Purse | None = None,
) -> Ledger:
    """The books of a clip, with the budgets of its config, of what it is made for and of the day."""
    return Ledger(
        runtime.database,
        runtime.prices,
        clip_id,
        config.budget.clip,
        parent,
        purse,
        day_budget=runtime.settings.day_budget,
    )
