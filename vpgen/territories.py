"""Where something may be used: countries as ISO 3166 names them, and the EU for all its members."""

from __future__ import annotations

from collections.abc import Iterable

EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether any place is in both: Germany is in the EU, and the EU has Germany in it."""
    return not _countries(some).isdisjoint(_countries(others))


def _countries(names: Iterable[str]) -> set[str]:
    upper = {name.strip().upper() for name in names}
    found = {"GB" if name == "UK" else name for name in upper}
    return found | set(EU) if "EU" in found else found
