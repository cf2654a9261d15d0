"""What is different between two champions: keys of the config, backends, prices of what they use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vpgen.config import load_config
from vpgen.errors import InvalidInput
from vpgen.lab.champions import PROFILES, Profile, by_number, current
from vpgen.runtime import Runtime


@dataclass(frozen=True)
class Side:
    """One of the two that are compared. `prices` are those of its promotion, USD a unit by SKU."""

    name: str
    config: Mapping[str, Any]
    prices: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """A key path, and what it says on either side; None where it says nothing."""

    path: str
    before: Any
    after: Any


def side(runtime: Runtime, reference: str, profile: Profile) -> Side:
    """One side by its name: "3" or "final:3" a promotion, "final" who serves, anything else a config.

    Raises NotFound, InvalidInput, ConfigError.
    """
    named, _, number = reference.rpartition(":") if ":" in reference else (str(profile), "", reference)
    if reference in PROFILES:
        champion = current(runtime, reference)
        prices = champion.promotion.evidence.get("prices", {}) if champion.promotion else {}
        return Side(f"{reference}:{champion.number}", champion.config.model_dump(mode="json"), prices)
    if number.isdecimal():
        if named not in PROFILES:
            raise InvalidInput(f"{named!r} is no profile", remedy="Say preview:3 or final:3")
        row = by_number(runtime, named, int(number))
        return Side(f"{named}:{number}", row.config, row.evidence.get("prices", {}))
    return Side(reference, load_config(reference).model_dump(mode="json"), {})


def changes(before: Side, after: Side) -> list[Change]:
    """Every key that differs; prices only where both have them."""
    found = list(_compared(before.config, after.config, ""))
    if before.prices and after.prices:
        found += _compared(before.prices, after.prices, "prices")
    return [change for change in found if change.path != "description"]


def _compared(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _compared(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif _links(before) and _links(after):
        for index in range(max(len(before), len(after))):
            one, other = (part[index] if index < len(part) else None for part in (before, after))
            yield from _compared(one, other, f"{path}.{index}")
    else:
        yield Change(path, before, after)


def _links(value: Any) -> bool:
    """A chain of backends, which is compared link by link; other lists are values."""
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value)
