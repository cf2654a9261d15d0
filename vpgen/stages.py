"""What each stage promises: a frozen request in, a result out, one Protocol per stage.

A backend is a small class found through the entry-point group `vpgen.backends`. It has `name`,
`version` (bump it when its output changes), `Params` (a pydantic model: what a config may set),
`estimate`, and one public method per stage it serves, named after the stage:

    def matting(self, request: MattingRequest, work: Work) -> Still: ...

Local methods are plain functions and run in a bounded thread pool; a remote one may be `async`.
Inputs made by earlier stages arrive as `Ref`s: `request.picture.load()` reads them when needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from vpgen.clip import ClipSpec, Prompt, Still, Value, Video
from vpgen.media.frames import Frames

if TYPE_CHECKING:
    from vpgen.backends.http.network import Network
    from vpgen.store.journal import PaidCall

Stage = Literal[
    "plan",
    "moderate",
    "character",
    "background",
    "enlarge",
    "matting",
    "composite",
    "animate",
    "upscale",
    "interpolate",
    "encode",
    "score",
]
OPTIONAL: tuple[Stage, ...] = ("enlarge",)
"""Stages that run only when the config names them."""
LATER = {"later": True}
"""Metadata of a request's field that came later: at its default it is no part of the key, so that no key changes."""
T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Ref(Generic[T]):
    """A result of an earlier stage: its key, and how to get its value when somebody needs it."""

    key: str
    load: Callable[[], T]


Usage = dict[str, Decimal]
"""What a call consumes, by SKU of the price book, e.g. {"cpu_second": Decimal("1.5")}."""


@dataclass(frozen=True)
class Work:
    """What a backend is given beside its request; nothing here changes the result.

    `dir`: an empty scratch folder, removed afterwards. `progress(fraction, note)`: call it now and
    then, 0 to 1; it raises `Cancelled` when the clip was cancelled. `use(sku, quantity)`: report
    consumption beyond CPU time, which the step measures by itself; `bill(sku, usd)`: what a provider
    says it charged, which beats the price book. `paid` and `network` are for backends that buy;
    `in_thread` runs a plain function in the bounded pool, from an async method.
    """

    dir: Path
    progress: Callable[[float, str], None] = field(default=lambda fraction, note="": None)
    use: Callable[[str, Decimal], None] = field(default=lambda sku, quantity: None)
    bill: Callable[[str, Decimal], None] = field(default=lambda sku, usd: None)
    paid: PaidCall | None = None
    network: Network | None = None
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread


class Readiness(Value):
    """Can this backend run here? `missing` says what is not there and `remedy` how to get it."""

    ready: bool
    note: str = ""
    remedy: str = ""


class Verdict(Value):
    """Moderation's answer; `terms` is what it objected to, in the category it falls under."""

    allowed: bool
    terms: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()


class Score(Value):
    """One figure. `value` None means not measured, and `skipped` says why; a range without end has None there."""

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool = True
    range: tuple[float, float | None] | None = None
    meaning: str = ""
    skipped: str | None = None


class Scores(Value):
    """All figures of one clip."""

    scores: tuple[Score, ...]

    def __getitem__(self, name: str) -> Score:
        return next(score for score in self.scores if score.name == name)


# --- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlanRequest:
    """A story to be split into prompts."""

    story: str


@dataclass(frozen=True)
class ModerateRequest:
    """Text and, once they exist, pictures."""

    texts: tuple[str, ...]
    pictures: tuple[Ref[Still], ...] = ()


@dataclass(frozen=True)
class CharacterRequest:
    """A person, alone."""

    prompt: Prompt
    seed: int
    size: tuple[int, int]


@dataclass(frozen=True)
class BackgroundRequest:
    """A place with nobody in it, of exactly `size`; `as_made`: of the size the model makes, since `enlarge` follows."""

    prompt: Prompt
    seed: int
    size: tuple[int, int]
    as_made: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class EnlargeRequest:
    """A picture that may be too small for the still it becomes part of, whose (width, height) is `size`.

    A person must be as high as the still, and keeps their shape. A place must `cover` it, and is cropped to exactly
    `size`. What is large enough already is not enlarged, nor what comes in layers: that was drawn at its size.
    `prompt` says what is in the picture; it is empty for a picture of the user's own, which nobody described.
    """

    picture: Ref[Still]
    size: tuple[int, int]
    prompt: str = ""
    cover: bool = False


@dataclass(frozen=True)
class MattingRequest:
    """A picture with a person in it."""

    picture: Ref[Still]


@dataclass(frozen=True)
class CompositeRequest:
    """A cut-out person (with alpha) and the place to put them in."""

    person: Ref[Still]
    background: Ref[Still]
    prompt: Prompt


@dataclass(frozen=True)
class AnimateRequest:
    """A composited still, how it shall move, and what the video must be."""

    still: Ref[Still]
    prompt: Prompt
    seed: int
    spec: ClipSpec


@dataclass(frozen=True)
class UpscaleRequest:
    """A video to be brought to `size` (width, height)."""

    video: Ref[Video | Frames]
    size: tuple[int, int]


@dataclass(frozen=True)
class InterpolateRequest:
    """A video to be brought to `fps`, keeping its duration."""

    video: Ref[Video | Frames]
    fps: int


@dataclass(frozen=True)
class EncodeRequest:
    """A video to be written for delivery; the result has exactly `spec`."""

    video: Ref[Video | Frames]
    spec: ClipSpec


@dataclass(frozen=True)
class ScoreRequest:
    """A finished clip, the approved preview it came from, and the cut-out in it."""

    clip: Ref[Video]
    prompt: Prompt
    preview: Ref[Video] | None = None
    person: Ref[Still] | None = None


Request = (
    PlanRequest
    | ModerateRequest
    | CharacterRequest
    | BackgroundRequest
    | EnlargeRequest
    | MattingRequest
    | CompositeRequest
    | AnimateRequest
    | UpscaleRequest
    | InterpolateRequest
    | EncodeRequest
    | ScoreRequest
)
Result = Prompt | Verdict | Still | Video | Frames | Scores


# --- protocols ----------------------------------------------------------------------------------


class Backend(Protocol):
    """What every backend has.

    `stored` False marks work so cheap that it is fused with the next stage instead of being
    written down (such a method returns lazy `Frames`).
    """

    name: ClassVar[str]
    version: ClassVar[str]
    stored: ClassVar[bool]
    Params: ClassVar[type[BaseModel]]

    def __init__(self, params: Any) -> None: ...

    def estimate(self, request: Any) -> Usage: ...

    @classmethod
    def readiness(cls) -> Readiness: ...


class Planner(Backend, Protocol):
    """story → prompts."""

    def plan(self, request: PlanRequest, work: Work) -> Prompt | Awaitable[Prompt]: ...


class Moderator(Backend, Protocol):
    """text and pictures → allowed or not."""

    def moderate(self, request: ModerateRequest, work: Work) -> Verdict | Awaitable[Verdict]: ...


class CharacterMaker(Backend, Protocol):
    """prompt → a person; with `alpha` when it comes already cut out."""

    def character(self, request: CharacterRequest, work: Work) -> Still | Awaitable[Still]: ...


class BackgroundMaker(Backend, Protocol):
    """prompt → a place, with `layers` when they are known."""

    def background(self, request: BackgroundRequest, work: Work) -> Still | Awaitable[Still]: ...


class Enlarger(Backend, Protocol):
    """picture → the same picture, large enough."""

    def enlarge(self, request: EnlargeRequest, work: Work) -> Still | Awaitable[Still]: ...


class Matter(Backend, Protocol):
    """picture → the same picture with `alpha` and decontaminated colours."""

    def matting(self, request: MattingRequest, work: Work) -> Still | Awaitable[Still]: ...


class Compositor(Backend, Protocol):
    """cut-out over background → one still whose layers include "shadow" and "person"."""

    def composite(self, request: CompositeRequest, work: Work) -> Still | Awaitable[Still]: ...


class Animator(Backend, Protocol):
    """still → moving picture."""

    def animate(self, request: AnimateRequest, work: Work) -> Video | Frames | Awaitable[Video]: ...


class Upscaler(Backend, Protocol):
    """video → larger video."""

    def upscale(self, request: UpscaleRequest, work: Work) -> Video | Frames | Awaitable[Video]: ...


class Interpolator(Backend, Protocol):
    """video → the same video at a higher frame rate."""

    def interpolate(self, request: InterpolateRequest, work: Work) -> Video | Frames | Awaitable[Video]: ...


class Encoder(Backend, Protocol):
    """video → the file to deliver."""

    def encode(self, request: EncodeRequest, work: Work) -> Video | Awaitable[Video]: ...


class Scorer(Backend, Protocol):
    """finished clip → figures."""

    def score(self, request: ScoreRequest, work: Work) -> Scores | Awaitable[Scores]: ...
