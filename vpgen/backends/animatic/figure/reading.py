"""Read a Korean or English description of a person into attributes; silence stays silent (None)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_PARTICLE = "(?:에게서|에게|에서|으로|까지|부터|처럼|마저|조차|하고|이랑|과|와|이|가|은|는|을|를|의|에|로|도|만|랑|며|들이|들과|들은|들을|들)"
_READ = 2_000
"""Characters read; what a person looks like is said early, and a longer text is not a description."""
_WITHIN_PHRASE = 24
"""Characters between a colour and the noun it belongs to, at most."""


@dataclass(frozen=True)
class Reading:
    """What a text says about the person in it.

    `garments` and `accessories` are lexicon names in the order of the text. `colours` maps a garment,
    an accessory, "hair" or "clothes" to the colour word's name.
    """

    who: str | None = None
    pose: str | None = None
    facing: str | None = None
    hair: str | None = None
    hair_colour: str | None = None
    garments: tuple[str, ...] = ()
    accessories: tuple[str, ...] = ()
    colours: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Hit:
    name: str
    start: int
    end: int


@cache
def lexicon() -> dict[str, Any]:
    """The words, swatches and palettes of `figure.yaml`."""
    text = files("vpgen.backends.animatic").joinpath("figure.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def _expression(term: str) -> str:
    """A term as a regular expression that respects how its language joins words."""
    english = term.isascii()
    gap, space = (r"(?:[\w'-]+\s+){0,3}?", r"\s+") if english else (r"(?:[가-힣]+\s+){0,3}?", r"\s*")
    pieces = [re.escape(piece.strip()).replace(r"\ ", space) for piece in term.split(" ~ ")]
    words = (space + gap).join(pieces)
    if english:
        plural = "(?:s|es)?" if term[-1].isalpha() else ""
        return rf"(?<![a-z0-9]){words}{plural}(?![a-z0-9])"
    return words if len(term) > 1 else rf"(?<![가-힣]){words}(?={_PARTICLE}?(?![가-힣]))"


@cache
def _scanner(category: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """One expression for all words of a category, longest first, and the value each group stands for."""
    words: dict[str, list[str]] | list[str] = lexicon()[category]
    named = words if isinstance(words, dict) else {category: words}
    pairs = sorted(((str(t).lower(), name) for name, terms in named.items() for t in terms), key=lambda p: -len(p[0]))
    single = _stem if category in ("colour", "pose") else _expression
    return re.compile("|".join(f"({single(term)})" for term, _ in pairs)), tuple(name for _, name in pairs)


def _stem(term: str) -> str:
    """Adjectives and verbs are inflected or lean on a noun, so one syllable ("흰", "앉") needs a boundary in front only."""
    return rf"(?<![가-힣]){term}" if len(term) == 1 and not term.isascii() else _expression(term)


def _hits(category: str, text: str) -> list[_Hit]:
    pattern, names = _scanner(category)
    return [_Hit(names[(m.lastindex or 1) - 1], m.start(), m.end()) for m in pattern.finditer(text)]


def _first(category: str, text: str) -> str | None:
    hits = _hits(category, text)
    return hits[0].name if hits else None


def _denied(hit: _Hit, text: str) -> bool:
    """Does the text say that this thing is not there ("without a hat", "우산 없이")?"""
    before = re.compile(r"(?:" + "|".join(lexicon()["without"]["before"]) + r")\s+(?:\w+\s+)?$")
    after = re.compile(r"^[가-힣]?\s*(?:" + "|".join(lexicon()["without"]["after"]) + ")")
    return bool(before.search(text[max(0, hit.start - 24) : hit.start]) or after.search(text[hit.end : hit.end + 8]))


def _both(category: str, text: str) -> list[str]:
    """Every value of a category that the text does not deny, in its order."""
    seen: dict[str, int] = {}
    for hit in _hits(category, text):
        if not _denied(hit, text):
            seen.setdefault(hit.name, hit.start)
    return sorted(seen, key=lambda name: seen[name])


def _belongings(text: str) -> Iterator[tuple[_Hit, str]]:
    """Everything that can have a colour, with the key under which the colour is kept; "" swallows it."""
    for category in ("garment", "accessory", "scenery", "hair"):
        for hit in _hits(category, text):
            yield hit, {"scenery": "", "hair": "hair"}.get(category, hit.name)


def _colours(text: str) -> dict[str, str]:
    """Give each colour word to the noun it describes."""
    owners = sorted(_belongings(text), key=lambda pair: (pair[0].start, -pair[0].end))
    found: dict[str, str] = {}
    for colour in _hits("colour", text):
        around = [key for hit, key in owners if hit.start <= colour.start and hit.end >= colour.end and key]
        behind = [(hit, key) for hit, key in owners if hit.start >= colour.end]
        if around:
            found.setdefault(around[0], colour.name)
            continue
        if behind:
            gap = text[colour.end : behind[0][0].start]
            if len(gap) <= _WITHIN_PHRASE and len(gap.split()) <= 3 and not re.search(r"[,.;]", gap):
                if behind[0][1] and not re.search(r"\b(?:with|a|the|holding|on|of|at)\b", gap):
                    found.setdefault(behind[0][1], colour.name)
                    continue
                if not re.search(r"\b(?:with|a|the|holding|on|of|at)\b", gap):
                    continue
        if re.search(r"(?:\bin|wearing|dressed in|clad in)\s+(?:all\s+)?$", text[: colour.start]):
            found.setdefault("clothes", colour.name)
    return found


def read(text: str) -> Reading:
    """Read a description of a person, Korean or English or mixed.

    Unknown words are passed over; a text that names nothing gives an empty `Reading`.
    """
    text = text[:_READ].lower()
    text = _scanner("traps")[0].sub(lambda m: " " * len(m.group()), text)
    text = re.sub(r"(?<=[가-힣])\s+색\b", "색", text)
    pose, facing, hair = _first("pose", text), _first("facing", text), _both("hair", text)
    return Reading(
        who=_first("who", text),
        pose=pose,
        facing=facing,
        hair=next((style for style in hair if style != "any"), None),
        hair_colour=_first("hair_colour", text),
        garments=tuple(_both("garment", text)),
        accessories=tuple(_both("accessory", text)),
        colours=_colours(text),
    )
