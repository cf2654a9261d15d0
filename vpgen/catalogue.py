"""The catalogue: what every provider offers, at which price, until when, as dated YAML.

One file a provider under `configs/catalogue/`; in the folder `VPGEN_CATALOGUE` a file of your own wins, model by model.
Facts nobody could verify say so (`verified: uncertain`), and an unknown price is `null`, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vpgen.errors import ConfigError
from vpgen.money.prices import Price
from vpgen.offers import Licence, Model, ModelPrice, Provider, Unit, Verified, Word, closest_ratio, nearest_seconds
from vpgen.resources import folder
from vpgen.yamls import load_yaml_with_lines

__all__ = [
    "Catalogue", "Licence", "Model", "ModelPrice", "Provider", "Unit", "Verified", "Word", "closest_ratio",
    "load_catalogue", "nearest_seconds", "prices", "sku",
]  # fmt: skip

Catalogue = Mapping[str, Provider]
KeyPath = tuple[str | int, ...]


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
        where: dict[KeyPath, str] = {}
        try:
            for path in (path for path in files if path.stem == name):
                more, lines = load_yaml_with_lines(path)
                data = _over(data, more)
                where = {at: line for at, line in where.items() if not _replaced(at, lines)}
                where |= {(): f"{path}:1"} | {at: f"{path}:{line}" for at, line in lines.items()}
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


def _replaced(at: KeyPath, lines: Mapping[KeyPath, int]) -> bool:
    """Whether an own file says this key itself: then the shipped file's lines below it say nothing any more."""
    return at[:2] in lines or (at[:1] != ("models",) and at[:1] in lines)


def _contradictions(provider: Provider) -> Iterator[tuple[KeyPath, str]]:
    """What a type cannot say: names that must exist, each with its place in the file."""
    for name, model in provider.models.items():
        if model.successor and model.successor not in provider.models:
            yield ("models", name, "successor"), f"there is no model {model.successor!r}"
        for ratio in sorted(set(model.price.by_ratio if model.price else ()) - set(model.ratios)):
            if ":" in ratio:
                yield ("models", name, "price", "by_ratio", ratio), "is not one of its ratios"


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
