"""What a text in Korean or English says of place, time, weather, season, mood and things in the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vpgen.yamls import load_yaml

_PARTICLES = "에서부터|으로부터|에서는|에서도|에서의|에서|에는|에도|에게|으로|까지|부터|처럼|같은|이나|이랑|하고|에|을|를|이|가|은|는|의|로|와|과|도|만|들|속|위|안|앞|옆|뒤|밑|가|쪽|풍경|배경|길|빛"
_HANGUL = re.compile(r"[가-힣]")
_LONGEST = 10
"""Syllables of a Korean word in scene.yaml, at most."""
_EYES = re.compile(r"감|뜨|뜬|깜|맞추|마주|부시|부신|동자|물|웃|빛나|반짝")
"""After 눈 these mean an eye, not snow."""
_TURNS = re.compile(r"건너|놓인|아래|밑|앞|너머|난간")
"""After 다리 these mean a bridge, not a leg."""
_CREW = re.compile(r"우주 (비행사|인|복)")
"""Somebody, or what they wear, and no place."""


@dataclass(frozen=True)
class Word:
    """One word of the text and what it says: (group, value) pairs such as ("place", "sea")."""

    text: str
    says: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Reading:
    """What was read; None where the text says nothing."""

    place: str | None
    time: str | None
    weather: str | None
    season: str | None
    moods: tuple[str, ...]
    props: tuple[str, ...]


def is_korean(text: str) -> bool:
    """Whether there is Hangul in it."""
    return bool(_HANGUL.search(text))


def read(text: str) -> Reading:
    """Read a background prompt. In Korean the last place named is the head of the phrase, in English the first."""
    found: dict[str, list[str]] = {}
    for word in words(text):
        for group, value in sorted(word.says):
            found.setdefault(group, []).append(value)
    places = found.get("place", [])
    place = None
    if places:
        place = places[-1] if is_korean(text) else places[0]
    one = {group: found[group][0] if group in found else None for group in ("time", "weather", "season")}
    if one["weather"] is None and "snowfield" in places:
        one["weather"] = "clear"
    return Reading(
        place=place,
        time=one["time"],
        weather=one["weather"],
        season=one["season"],
        moods=tuple(dict.fromkeys(found.get("mood", []))),
        props=tuple(dict.fromkeys(found.get("props", []))),
    )


def words(text: str) -> list[Word]:
    """The text word by word with what each says; English phrases of several words count as one."""
    phrases, korean, english = _lexicon()
    tokens = re.findall(r"[^\s,.;:!?\"“”()…·]+", text.lower())
    result: list[Word] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if _HANGUL.search(token):
            result.append(Word(token, _korean(token, following, korean)))
            index += 1
            continue
        for length in (4, 3, 2):
            phrase = " ".join(tokens[index : index + length])
            if length <= len(tokens) - index and _singular(phrase) in phrases:
                result.append(Word(phrase, phrases[_singular(phrase)]))
                index += length
                break
        else:
            bare = token.removesuffix("'s").strip("'’-")
            says = english.get(bare) or english.get(_singular(bare)) or frozenset()
            result.append(Word(token, says))
            index += 1
    return result


def _korean(token: str, following: str, lexicon: dict[str, frozenset[tuple[str, str]]]) -> frozenset[tuple[str, str]]:
    match = _compound().fullmatch(token)
    if not match:
        return frozenset()
    if token.startswith("눈") and token[1:] in {"", "을", "이", "은"} and _EYES.match(following):
        return frozenset()
    if _CREW.match(f"{token} {following}"):
        return frozenset()
    body, says, at = match.group(1), set[tuple[str, str]](), 0
    while at < len(body):
        for end in range(min(len(body), at + _LONGEST), at, -1):
            if body[at:end] in lexicon:
                says |= lexicon[body[at:end]]
                at = end
                break
        else:
            at += 1
    if token.startswith("다리") and not _TURNS.match(following):
        says.discard(("props", "bridge"))
    return frozenset(says)


@cache
def _lexicon() -> tuple[dict[str, frozenset[tuple[str, str]]], ...]:
    """Phrases of several English words, Korean words, single English words."""
    data = load_yaml(Path(__file__).with_name("scene.yaml"))
    says: dict[str, set[tuple[str, str]]] = {}
    for group, values in data.items():
        for value, named in values.items():
            for word in named:
                says.setdefault(str(word), set()).add((group, value))
    frozen = {word: frozenset(pairs) for word, pairs in says.items()}
    korean = {word: pairs for word, pairs in frozen.items() if _HANGUL.search(word)}
    phrases = {word: pairs for word, pairs in frozen.items() if " " in word}
    english = {word: pairs for word, pairs in frozen.items() if word not in korean and word not in phrases}
    return phrases, korean, english


@cache
def _compound() -> re.Pattern[str]:
    korean = _lexicon()[1]
    either = "|".join(sorted(map(re.escape, korean), key=len, reverse=True))
    return re.compile(f"((?:{either})+)(?:{_PARTICLES})*")


def _singular(word: str) -> str:
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("ss"):
            return word.removesuffix(ending) + instead
    return word
