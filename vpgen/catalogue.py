"""What providers offer: models with their shapes, limits, prices, licences and retirement, as dated YAML.

One file a provider under `configs/catalogue/`; in the folder `VPGEN_CATALOGUE` a file of your own wins, model by model.
Facts nobody could verify say so (`verified: uncertain`), and an unknown price is `null`, never 0.
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from vpgen.clip import Size, Value
from vpgen.errors import ConfigError, InvalidInput, NotFound
from vpgen.money.prices import Price
from vpgen.resources import folder
from vpgen.stages import Stage
from vpgen.yamls import load_yaml_with_lines

Unit = Literal["image", "second", "video", "megapixel", "run"]
Verified = Literal["sdk", "openapi", "documented", "third-party", "uncertain"]
Word = Literal["prompt", "negative", "image", "video", "seed", "ratio", "seconds", "width", "height", "fps", "scale"]
_NUMBERS = re.compile(r"([1-9]\d*)[:x]([1-9]\d*)")


class ModelPrice(Value):
    """USD for one `per`; `by_ratio` where a shape costs something else. `source` and `date`: who quoted it, when."""

    usd: Annotated[Decimal, Field(ge=0)]
    per: Unit
    by_ratio: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(default_factory=dict)
    source: Annotated[str, Field(min_length=1)]
    date: datetime.date

    def quantity(self, seconds: float, size: Size) -> Decimal:
        """How many `per` one use takes: one picture, run or video; its seconds; its megapixels."""
        if self.per == "second":
            return Decimal(str(seconds))
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
    max_input_pixels: int | None = None
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

    def check(self, stage: Stage, *, prompt: str = "", seconds: float | None = None, ratio: str | None = None,
              pixels: int | None = None, territory: str | None = None,
              today: datetime.date | None = None) -> Iterator[str]:  # fmt: skip
        """Everything that would make a request fail, before anything is spent. `pixels`: of the picture it is given."""
        if stage not in self.stages:
            yield f"does {' and '.join(self.stages)}, not {stage}"
        today = today or datetime.datetime.now(datetime.UTC).date()
        if self.retires and today >= self.retires:
            instead = f"; use {self.successor} instead" if self.successor else ""
            yield f"was retired on {self.retires}{instead}"
        if ratio and self.ratios and ratio not in self.ratios:
            yield f"has no ratio {ratio}; it has {', '.join(self.ratios)}"
        if seconds is not None and self.seconds and seconds not in self.seconds:
            yield f"cannot make {seconds:g} s; it makes {_spans(self.seconds)} s"
        length = len(prompt.encode("utf-16-le")) // 2 if self.prompt_unit == "utf16" else len(prompt)
        if self.prompt_limit and length > self.prompt_limit:
            yield f"takes prompts of {self.prompt_limit} {self.prompt_unit}, and this one has {length}"
        if self.prompt_required and not prompt.strip():
            yield "needs a prompt"
        if self.max_input_pixels and (pixels or 0) > self.max_input_pixels:
            yield f"takes pictures of up to {self.max_input_pixels / 1e6:.1f} megapixels, not {(pixels or 0) / 1e6:.1f}"
        if territory and territory.upper() in {place.upper() for place in self.licence.excludes}:
            yield f"may not be used in {territory.upper()} ({self.licence.name})"

    def usd(self, ratio: str | None = None) -> Decimal | None:
        """The price of one unit, in this shape; None when nobody knows it."""
        return self.price.by_ratio.get(ratio or "", self.price.usd) if self.price else None

    def clip_usd(self, seconds: float = 6.0, ratio: str | None = None, size: Size = (1920, 1080)) -> Decimal | None:
        """What this model adds to the price of one clip: one use of it. None when that is unknown or impossible."""
        try:
            made = nearest_seconds(self, seconds)
        except InvalidInput:
            return None
        usd = self.usd(ratio)
        return None if usd is None or self.price is None else usd * self.price.quantity(made or seconds, size)


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
    """Jobs at once; more are queued or refused. Depends on the tier: this is the lowest."""
    requests_per_minute: int | None = None
    models: dict[str, Model]

    def model(self, name: str) -> Model:
        """One model. Raises NotFound with the nearest name."""
        if name in self.models:
            return self.models[name]
        near = difflib.get_close_matches(name, self.models, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "it has " + ", ".join(self.models)
        raise NotFound(f"{self.name} has no model {name!r}; {hint}", remedy="`vpgen catalogue` lists them")


Catalogue = Mapping[str, Provider]


@cache
def load_catalogue(own: Path | None = None) -> Catalogue:
    """Every provider by its id (the file's name). Raises ConfigError with every problem and its line."""
    if own and not own.is_dir():
        raise ConfigError([f"VPGEN_CATALOGUE: there is no folder {own}"])
    found: dict[str, Provider] = {}
    problems: list[str] = []
    folders = [folder("configs") / "catalogue", *([own] if own else [])]
    files = [path for place in folders for path in sorted(place.glob("*.yaml"))]
    for name in dict.fromkeys(path.stem for path in files):
        data: Any = {}
        where: dict[tuple[str | int, ...], str] = {}
        try:
            for path in (path for path in files if path.stem == name):
                more, lines = load_yaml_with_lines(path)
                data = _over(data, more)
                where |= {(): f"{path}:1"} | {key: f"{path}:{line}" for key, line in lines.items()}
            found[name] = Provider.model_validate(data)
            wrong = list(_contradictions(found[name]))
        except ConfigError as error:
            problems += error.problems
            continue
        except ValidationError as error:
            wrong = [(tuple(detail["loc"]), detail["msg"]) for detail in error.errors(include_url=False)]
        for at, what in wrong:
            near = next(where[at[:n]] for n in range(len(at), -1, -1) if at[:n] in where)
            problems.append(f"{near}: {'.'.join(map(str, at))}: {what}")
    if problems:
        raise ConfigError(problems)
    return found


def _over(base: Any, more: Any) -> Any:  # YAML from anyone: pydantic says what is wrong with its shape
    """An own file over the shipped one: its keys win, and its models, each whole."""
    if not isinstance(base, dict) or not isinstance(more, dict):
        return more
    models, others = base.get("models"), more.get("models")
    both = {"models": models | others} if isinstance(models, dict) and isinstance(others, dict) else {}
    return base | more | both


def _contradictions(provider: Provider) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a type cannot say: names that must exist, each with its place in the file."""
    for name, model in provider.models.items():
        if model.successor and model.successor not in provider.models:
            yield ("models", name, "successor"), f"there is no model {model.successor!r}"
        for ratio in sorted(set(model.price.by_ratio if model.price else ()) - set(model.ratios)):
            yield ("models", name, "price", "by_ratio", ratio), "is not one of its ratios"


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


def sku(provider: str, model: str, ratio: str | None = None) -> str:
    """The price book's name of a model: "runway/gen4_turbo", or with the shape where that changes the price."""
    return f"{provider}/{model}@{ratio}" if ratio else f"{provider}/{model}"


def prices(catalogue: Catalogue) -> dict[str, Price]:
    """The catalogue's prices as entries of the price book. A model of unknown price has none."""
    book: dict[str, Price] = {}
    for provider_id, provider in catalogue.items():
        for model_id, model in provider.models.items():
            if (price := model.price) is None:
                continue
            shapes: list[tuple[str | None, Decimal]] = [(None, price.usd), *price.by_ratio.items()]
            book |= {
                sku(provider_id, model_id, ratio): Price(
                    usd=usd, unit=price.per, category="api", source=price.source, date=price.date
                )
                for ratio, usd in shapes
            }
    return book


def _spans(values: tuple[int, ...]) -> str:
    if len(values) > 2 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
