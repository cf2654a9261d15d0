"""Stage results as files and back, and the record of each step that was run.

A result is saved as blobs plus a small JSON document that names them; the record that holds the
document is written after its blobs, so a record that can be read is a result that is complete.
"""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from vpgen.clip import Layer, Prompt, Scene, Still, Value, Video
from vpgen.errors import Corrupted, InvalidInput, StoreError
from vpgen.stages import Scores, Verdict
from vpgen.store.objects import Blob, ObjectStore

log = logging.getLogger("vpgen.store")
RECORDS = "steps"
"""The document kind under which step records are kept."""
_MEDIA_TYPES = {".mp4": "video/mp4", ".mkv": "video/x-matroska", ".webm": "video/webm", ".mov": "video/quicktime"}

Stored = Still | Video | Prompt | Verdict | Scores
"""What a stage can leave behind."""


class LayerFile(Value):
    """One layer: an RGBA PNG; `depth` None stands for infinity, which JSON does not have."""

    name: str
    rgba: Blob
    depth: float | None


class StillFiles(Value):
    """A `Still` as PNG blobs."""

    type: Literal["still"] = "still"
    rgb: Blob
    alpha: Blob | None = None
    layers: tuple[LayerFile, ...] = ()
    scene: Scene


class VideoFile(Value):
    """A `Video` as a blob; `fps` is a fraction such as "24" or "24000/1001"."""

    type: Literal["video"] = "video"
    file: Blob
    suffix: str
    size: tuple[int, int]
    fps: Annotated[str, Field(pattern=r"^\d{1,9}(/[1-9]\d{0,8})?$")]
    frames: int


class PromptText(Value):
    """A `Prompt`, inline."""

    type: Literal["prompt"] = "prompt"
    value: Prompt


class VerdictText(Value):
    """A `Verdict`, inline."""

    type: Literal["verdict"] = "verdict"
    value: Verdict


class ScoresText(Value):
    """`Scores`, inline."""

    type: Literal["scores"] = "scores"
    value: Scores


ResultDocument = Annotated[StillFiles | VideoFile | PromptText | VerdictText | ScoresText, Field(discriminator="type")]
_DOCUMENT: TypeAdapter[ResultDocument] = TypeAdapter(ResultDocument)


class StepRecord(Value):
    """One stage that was run: what made it, from what, what came out and what it consumed.

    `inputs` are the keys of earlier steps by name, `result` the document `save` returned, `usage`
    quantities by SKU, `billed` what a provider said it charged, `seconds` wall and `cpu_seconds` processor time.
    """

    key: str
    stage: str
    backend: str
    version: str
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    result: dict[str, Any]
    usage: dict[str, Decimal] = Field(default_factory=dict)
    billed: dict[str, Decimal] = Field(default_factory=dict)
    seconds: float
    cpu_seconds: float
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    vpgen_version: str = ""
    note: str = ""


def save(store: ObjectStore, value: Stored) -> dict[str, Any]:
    """Store a stage's result; returns the JSON document that `load` takes. Raises StoreError, InvalidInput."""
    document: ResultDocument
    match value:
        case Still():
            document = _save_still(store, value)
        case Video():
            suffix = value.path.suffix.lower() or ".mp4"
            blob = store.put_file(value.path, _MEDIA_TYPES.get(suffix, "application/octet-stream"))
            document = VideoFile(file=blob, suffix=suffix, size=value.size, fps=str(value.fps), frames=value.frames)
        case Prompt():
            document = PromptText(value=value)
        case Verdict():
            document = VerdictText(value=value)
        case Scores():
            document = ScoresText(value=value)
        case _:
            raise InvalidInput(f"a stage returned a {type(value).__name__}, which is not a result that can be stored")
    return document.model_dump(mode="json")


def load(store: ObjectStore, document: dict[str, Any]) -> Stored:
    """The value `save` was given, its bytes verified. Raises NotFound, Corrupted, StoreError."""
    parsed = _parse(document)
    match parsed:
        case StillFiles():
            return _load_still(store, parsed)
        case VideoFile():
            path = store.get_path(parsed.file, parsed.suffix)
            return Video(path=path, size=parsed.size, fps=Fraction(parsed.fps), frames=parsed.frames)
        case PromptText() | VerdictText() | ScoresText():
            return parsed.value


def blobs(document: dict[str, Any]) -> tuple[Blob, ...]:
    """Every blob a result document names."""
    parsed = _parse(document)
    match parsed:
        case StillFiles():
            alpha = (parsed.alpha,) if parsed.alpha else ()
            return (parsed.rgb, *alpha, *(layer.rgba for layer in parsed.layers))
        case VideoFile():
            return (parsed.file,)
        case _:
            return ()


def write_record(store: ObjectStore, record: StepRecord) -> None:
    """Write a step's record, last of all: its blobs must be in the store. Raises StoreError when one is not."""
    absent = [blob.sha256 for blob in blobs(record.result) if not store.exists(blob)]
    if absent:
        raise StoreError(
            f"the record of step {record.key} names objects that are not stored: {', '.join(absent)}",
            remedy="something removed them meanwhile; run the same command again",
            retryable=True,
        )
    store.put_document(RECORDS, record.key, record.model_dump(mode="json"))


def read_record(store: ObjectStore, key: str) -> StepRecord | None:
    """The record of a step that is complete, or None: never run, damaged, or one of its objects is gone."""
    data = store.get_document(RECORDS, key)
    if data is None:
        return None
    try:
        record = StepRecord.model_validate(data)
        named = blobs(record.result)
    except (ValidationError, Corrupted) as exc:
        log.warning("the record of step %s is not understood and is treated as absent: %s", key, exc)
        return None
    if not all(store.exists(blob) for blob in named):
        log.warning("the record of step %s names an object that is gone; the step will be run again", key)
        return None
    return record


def _parse(document: dict[str, Any]) -> ResultDocument:
    try:
        return _DOCUMENT.validate_python(document, strict=False)
    except ValidationError as exc:
        raise Corrupted(
            f"a stored result is not understood: {exc.error_count()} problems, first: {exc.errors()[0]['msg']}",
            remedy="it was written by another version of vpgen; run the clip again to make it anew",
        ) from exc


def _save_still(store: ObjectStore, still: Still) -> StillFiles:
    from vpgen.media.pictures import as_png  # loads Pillow, which reading a record does not need

    pictures = [still.rgb, *([] if still.alpha is None else [still.alpha]), *(layer.rgba for layer in still.layers)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        written = list(pool.map(lambda picture: store.put_bytes(as_png(picture), "image/png"), pictures))
    rest = iter(written[1:])
    alpha = None if still.alpha is None else next(rest)
    layers = tuple(
        LayerFile(name=layer.name, rgba=next(rest), depth=None if math.isinf(layer.depth) else layer.depth)
        for layer in still.layers
    )
    return StillFiles(rgb=written[0], alpha=alpha, layers=layers, scene=still.scene)


def _load_still(store: ObjectStore, files: StillFiles) -> Still:
    named = [files.rgb, *([files.alpha] if files.alpha else []), *(layer.rgba for layer in files.layers)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        pictures = list(pool.map(lambda blob: _decode_png(store, blob), named))
    rest = iter(pictures[1:])
    alpha = next(rest) if files.alpha else None
    layers = tuple(
        Layer(layer.name, next(rest), math.inf if layer.depth is None else layer.depth) for layer in files.layers
    )
    return Still(rgb=pictures[0], alpha=alpha, layers=layers, scene=files.scene)


def _decode_png(store: ObjectStore, blob: Blob) -> NDArray[np.uint8]:
    import cv2  # 0.1 s that reading a record does not need

    raw = np.frombuffer(store.get_bytes(blob), np.uint8)
    picture = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise Corrupted(f"the stored picture {blob.sha256} is not a PNG that can be read", remedy="delete it")
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[picture.shape[2]])
    return np.asarray(picture, np.uint8)
