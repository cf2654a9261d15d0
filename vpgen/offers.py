"""What a provider offers: models with their shapes, limits, prices, licences and retirement, and what they forbid."""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from vpgen.clip import Size, Value
from vpgen.errors import InvalidInput, NotFound
from vpgen.stages import Stage
from vpgen.territories import overlap

Unit = Literal["image", "second", "frame", "video", "megapixel", "run"]
Verified = Literal["sdk", "openapi", "documented", "third-party", "uncertain"]
Word = Literal["prompt", "negative", "image", "video", "seed", "ratio", "seconds", "width", "height", "fps", "scale"]
_NUMBERS = re.compile(r"([1-9]\d*)[:x]([1-9]\d*)")
_SENT: Mapping[Stage, Word] = {"enlarge": "image", "matting": "image", "animate": "image", "upscale": "video",
                                "interpolate": "video"}  # fmt: skip


class ModelPrice(Value):
    """USD for one `per`; `by_ratio` where a shape ("1280:720") or resolution ("720p") costs something else.

    `source` and `date` say who quoted it and when.
    """

    usd: Annotated[Decimal, Field(ge=0)]
    per: Unit
    by_ratio: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(default_factory=dict)
    source: Annotated[str, Field(min_length=1)]
    date: datetime.date

    def quantity(self, seconds: float, size: Size, fps: int = 24) -> Decimal:
        """How many `per` one use takes: one picture, run or video; its seconds, frames or megapixels."""
        if self.per in {"second", "frame"}:
            return Decimal(str(seconds)) * (fps if self.per == "frame" else 1)
        return Decimal(size[0] * size[1]) / 10**6 if self.per == "megapixel" else Decimal(1)


class Licence(Value):
    """What may be done with a model's output. `excludes`: territories (ISO 3166, or EU) where it may not be used."""

    name: str
    url: str = ""
    excludes: tuple[str, ...] = ()


class Model(Value):
    """One model at one endpoint. What is None has no limit, or the limit is not known (`note` says which)."""

    stages: tuple[Stage, ...]
    endpoint: str
    price: ModelPrice | None
    verified: Verified
    ratios: tuple[str, ...] = ()
    """"16:9" or "1280:720", as the provider spells them; empty: any."""
    seconds: tuple[int, ...] = ()
    """The durations that can be asked for; empty: follows the input."""
    fps: int | None = None
    prompt_limit: int | None = None
    prompt_unit: Literal["characters", "utf16"] = "characters"
    prompt_required: bool = False
    creates_per_minute: Annotated[int, Field(gt=0)] | None = None
    """How often this model may be bought, where it has a limit of its own."""
    max_input_pixels: int | None = None
    max_input_side: int | None = None
    max_input_aspect: float | None = None
    """The longer side over the shorter one."""
    max_input_bytes: int | None = None
    inputs: dict[Word, str] = Field(default_factory=dict)
    """Our word → the model's own field, where models differ (Replicate, fal); a word it lacks is not sent."""
    formats: dict[Word, str] = Field(default_factory=dict)
    """How a value is written where it is not sent as it is: "{}" as text, "{}s" with a unit."""
    version: str | None = None
    """The version a request must name, where the provider serves this model no other way."""
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """What is sent with every request unless the config says otherwise."""
    licence: Licence
    retires: datetime.date | None = None
    successor: str | None = None
    note: str = ""

    def check(self, stage: Stage, *, prompt: str | None = None, seconds: float | None = None, ratio: str | None = None,
              picture: tuple[int, int] | None = None, territory: str | None = None,
              today: datetime.date | None = None) -> Iterator[str]:  # fmt: skip
        """Everything that would make a request fail, before anything is spent; what is None is not known yet."""
        if stage not in self.stages:
            yield f"does {' and '.join(self.stages)}, not {stage}"
        elif self.inputs and (sent := _SENT.get(stage)) and sent not in self.inputs:
            yield f"takes no {sent}, which {stage} sends"
        today = today or datetime.datetime.now(datetime.UTC).date()
        if self.retires and today >= self.retires:
            instead = f"; use {self.successor} instead" if self.successor else ""
            yield f"was retired on {self.retires}{instead}"
        if ratio and self.ratios and ratio not in self.ratios:
            yield f"has no ratio {ratio}; it has {', '.join(self.ratios)}"
        if seconds is not None and self.seconds and seconds not in self.seconds:
            yield f"cannot make {seconds:g} s; it makes {_spans(self.seconds)} s"
        words = self.inputs.get("prompt", "prompt")
        if self.prompt_required and prompt is not None and not (prompt.strip() or self.defaults.get(words)):
            yield "needs a prompt"
        length = self._length(prompt or "")
        if self.prompt_limit and length > self.prompt_limit:
            unit = "UTF-16 units" if self.prompt_unit == "utf16" else "characters"
            yield f"takes prompts of {self.prompt_limit} {unit}, and this one has {length}"
        if picture:
            yield from self._misfits(*picture)
        if territory and overlap([territory], self.licence.excludes):
            yield f"may not be used in {territory.upper()} ({self.licence.name})"

    def _misfits(self, width: int, height: int) -> Iterator[str]:
        """Why a picture of that size is not taken."""
        pixels, longer, aspect = width * height, max(width, height), max(width / height, height / width)
        if self.max_input_pixels and pixels > self.max_input_pixels:
            yield f"takes pictures of up to {self.max_input_pixels / 1e6:.1f} megapixels, not {pixels / 1e6:.1f}"
        if self.max_input_side and longer > self.max_input_side:
            yield f"takes pictures with sides of up to {self.max_input_side} pixels, not {longer}"
        if self.max_input_aspect and aspect > self.max_input_aspect:
            yield f"takes pictures up to {self.max_input_aspect:g} times as long as wide, not {aspect:.1f}"

    def _length(self, prompt: str) -> int:
        return len(prompt.encode("utf-16-le", "surrogatepass")) // 2 if self.prompt_unit == "utf16" else len(prompt)

    def variant(self, ratio: str | None = None, options: Mapping[str, object] | None = None) -> str | None:
        """Which of the prices `by_ratio` a request has: by its shape, or by a resolution among its options."""
        asked = (ratio, *{**self.defaults, **(options or {})}.values())
        return next((str(name) for name in asked if self.price and name in self.price.by_ratio), None)

    def clip_usd(self, seconds: float = 6.0, ratio: str | None = None, size: Size = (1920, 1080)) -> Decimal | None:
        """What one use of this model adds to the price of a clip. None when that is unknown or impossible."""
        if self.price is None or (self.seconds and max(self.seconds) < seconds):
            return None
        usd = self.price.by_ratio.get(self.variant(ratio) or "", self.price.usd)
        return usd * self.price.quantity(nearest_seconds(self, seconds) or seconds, size)


class Provider(Value):
    """A vendor: where its API is, which variable holds the key, its limits, and what it offers."""

    name: str
    url: str
    key: str
    """The environment variable that holds the key."""
    docs: str
    checked: datetime.date
    poll_seconds: Annotated[float, Field(gt=0)] = 5.0
    """The vendor's floor between two polls of one job."""
    outputs_expire_hours: float | None = None
    concurrency: int | None = None
    """Jobs of one model at once on the lowest tier; the vendor queues what is more, so nobody waits for it here."""
    requests_per_minute: Annotated[int, Field(gt=0)] | None = None
    """Of every kind."""
    creates_per_minute: Annotated[int, Field(gt=0)] | None = None
    """Of those, requests that buy."""
    models: dict[str, Model]

    def model(self, name: str) -> Model:
        """One model. Raises NotFound with the nearest name."""
        if name in self.models:
            return self.models[name]
        near = difflib.get_close_matches(name, self.models, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "it has " + ", ".join(self.models)
        raise NotFound(f"{self.name} has no model {name!r}; {hint}", remedy="`vpgen catalogue` lists them")


def closest_ratio(model: Model, size: Size) -> str | None:
    """The model's own spelling of the shape nearest to (width, height); None when it takes any.

    Of equal shapes in pixels ("1280:720", "1920:1080") the smallest that is large enough, else the largest.
    """
    shapes = {ratio: (int(found[1]), int(found[2])) for ratio in model.ratios if (found := _NUMBERS.fullmatch(ratio))}

    def distance(ratio: str) -> tuple[float, bool, int]:
        width, height = shapes[ratio]
        covers = width * height >= size[0] * size[1]
        apart = abs(math.log(width / height) - math.log(size[0] / size[1]))
        return round(apart, 9), not covers, width * height if covers else -width * height

    return min(shapes, key=distance, default=None)


def nearest_seconds(model: Model, seconds: float) -> int | None:
    """The shortest duration that is long enough; None when the model is not asked for one.

    Raises InvalidInput when it can make none so long.
    """
    if not model.seconds:
        return None
    if long_enough := [duration for duration in model.seconds if duration >= seconds]:
        return min(long_enough)
    raise InvalidInput(
        f"cannot make {seconds:g} s; it makes {_spans(model.seconds)} s",
        remedy="Choose another model (`vpgen catalogue --stage animate`), or a shorter clip",
    )


def _spans(values: tuple[int, ...]) -> str:
    if len(values) > 2 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
