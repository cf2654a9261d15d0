"""The price book: SKU → USD a unit, with category, source and date. An unknown price is an error, never 0."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError

from vpgen.clip import Value
from vpgen.errors import ConfigError, NotFound
from vpgen.stages import Usage
from vpgen.yamls import load_yaml_with_lines

Category = Literal["api", "compute", "storage", "network", "overhead"]
CATEGORIES: tuple[Category, ...] = get_args(Category)


class Price(Value):
    """What one unit costs. `source` and `date` say who quoted it and when."""

    usd: Annotated[Decimal, Field(ge=0)]
    unit: str
    category: Category
    source: str
    date: datetime.date


class PriceBook(Value):
    """All prices, and the target of one clip by category (design figure: 2.00 USD together)."""

    target: dict[Category, Annotated[Decimal, Field(ge=0)]]
    prices: dict[str, Price]

    def price(self, sku: str) -> Price:
        """The price of one SKU. Raises NotFound when the book does not have it."""
        try:
            return self.prices[sku]
        except KeyError:
            raise NotFound(
                f"the price book has no price for {sku!r}; what it costs is unknown, so it was not bought",
                remedy="Add it with its source and date to the price book (VPGEN_PRICES)",
            ) from None

    def cost(self, usage: Usage) -> Decimal:
        """USD of a usage. Raises NotFound on an unknown SKU."""
        return sum((self.price(sku).usd * quantity for sku, quantity in usage.items()), Decimal(0))

    def joined(self, more: Mapping[str, Price]) -> PriceBook:
        """This book with the prices of a catalogue; what this one says itself wins."""
        return self.model_copy(update={"prices": {**more, **self.prices}})

    @property
    def target_total(self) -> Decimal:
        """USD one clip may cost."""
        return sum(self.target.values(), Decimal(0))


def dollars(usd: Decimal | None) -> str:
    """USD with enough places to see a cheap stage; "unknown" is never 0."""
    if usd is None:
        return "unknown"
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.6f}".rstrip("0").rstrip(".") if usd else "0"


def load_prices(path: Path) -> PriceBook:
    """Read a price book. Raises ConfigError with every problem and its line."""
    data, lines = load_yaml_with_lines(path)
    if not isinstance(data, Mapping):
        raise ConfigError([f"{path}:1: a price book is a mapping with `target` and `prices`"])
    try:
        return PriceBook.model_validate(data)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{path}:{lines.get(tuple(detail['loc']), 1)}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}"
                for detail in error.errors(include_url=False)
            ]
        ) from error
