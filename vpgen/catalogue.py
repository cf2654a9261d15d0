"""What providers offer: models with their shapes, limits, prices, licences and retirement, as dated YAML.

One file a provider under `configs/catalogue/`; `VPGEN_CATALOGUE` names a folder of your own whose files win.
Facts nobody could verify say so (`verified: uncertain`), and an unknown price is `null`, never 0.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from vpgen.clip import Value
from vpgen.errors import ConfigError, NotFound
from vpgen.money.prices import Price
from vpgen.resources import folder
from vpgen.stages import Stage
from vpgen.yamls import load_yaml_with_lines

Unit = Literal["image", "second", "video", "megapixel", "run"]
Verified = Literal["sdk", "openapi", "documented", "third-party", "uncertain"]


class ModelPrice(Value):
    """USD for one `per`; `by_ratio` where a shape costs something else. `source` and `date`: who quoted it, when."""

    usd: Annotated[Decimal, Field(ge=0)]
    per: Unit
    by_ratio: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(default_factory=dict)
    source: str
    date: datetime.date


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
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """What is sent with every request unless the config says otherwise."""
    licence: Licence
    retires: datetime.date | None = None
    successor: str | None = None
    note: str = ""

    def check(self, stage: Stage, *, prompt: str = "", seconds: float | None = None, ratio: str | None = None,
              territory: str | None = None, today: datetime.date | None = None) -> Iterator[str]:  # fmt: skip
        """Everything that would make a request fail, before anything is spent. `ratio` and `seconds` as asked for."""
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
        if territory and territory.upper() in {place.upper() for place in self.licence.excludes}:
            yield f"may not be used in {territory.upper()} ({self.licence.name})"


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
    files = {path.stem: path for path in sorted((folder("configs") / "catalogue").glob("*.yaml"))}
    files |= {path.stem: path for path in sorted(own.glob("*.yaml"))} if own else {}
    found: dict[str, Provider] = {}
    problems: list[str] = []
    for name, path in files.items():
        data, lines = load_yaml_with_lines(path)
        try:
            found[name] = Provider.model_validate(data)
        except ValidationError as error:
            problems += [
                f"{path}:{_line(lines, tuple(detail['loc']))}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}"
                for detail in error.errors(include_url=False)
            ]
    if problems:
        raise ConfigError(problems)
    return found


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


def _line(lines: Mapping[tuple[str | int, ...], int], path: tuple[str | int, ...]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _spans(values: tuple[int, ...]) -> str:
    if len(values) > 2 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
