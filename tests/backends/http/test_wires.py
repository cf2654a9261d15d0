"""What every vendor's wire sends: the catalogue's defaults, the request over them, and the user's own options over all."""

import json
from typing import Any

import pytest

from vpgen.backends.http.remote import Remote
from vpgen.backends.http.wire import Ask, Media
from vpgen.backends.registry import find
from vpgen.catalogue import load_catalogue
from vpgen.stages import Stage

PICTURE, FILM = Media("image", "image/png", b"\x89PNG"), Media("video", "video/mp4", b"\0\0\0\x18ftyp")
MEDIA: dict[Stage, Media] = {
    "enlarge": PICTURE,
    "matting": PICTURE,
    "animate": PICTURE,
    "upscale": FILM,
    "interpolate": FILM,
}
CHOICES = [
    (provider, name, stage)
    for provider, facts in load_catalogue().items()
    for name, model in facts.models.items()
    for stage in model.stages
    if not model.retires and hasattr(find(provider), stage)
]


def _ask(provider: str, name: str, stage: Stage, **extra: Any) -> Ask:
    model = load_catalogue()[provider].model(name)
    moving = stage == "animate"
    return Ask(
        stage,
        name,
        model,
        prompt="" if stage in {"enlarge", "matting", "upscale", "interpolate"} else "a fox",
        seed=2**62 + 1,
        ratio=model.ratios[0] if model.ratios else None,
        size=None if stage in {"matting", "interpolate"} else (1920, 1080),
        seconds=model.seconds[0] if moving and model.seconds else None,
        fps={"animate": 12, "interpolate": 24}.get(stage),
        media=MEDIA.get(stage),
        extra=extra,
    )


def _sent(provider: str, ask: Ask) -> dict[str, Any]:
    """Everything a purchase says, whichever way the vendor nests it."""
    backend = find(provider)
    assert issubclass(backend, Remote)
    call = backend.wire.create(ask, "https://files.example/1" if ask.media is FILM else None)
    flat: dict[str, Any] = dict(call.json or {})
    for nested in ("input", "video"):
        if isinstance(flat.get(nested), dict):
            flat |= flat[nested]
    return flat | {name: part[1].decode(errors="replace") for name, part in (call.files or {}).items()}


@pytest.mark.parametrize(("provider", "name", "stage"), CHOICES, ids=lambda value: str(value).replace("/", "-"))
def test_what_the_catalogue_says_is_sent(provider: str, name: str, stage: Stage) -> None:
    """Its price may hang on it. The user's option wins over it, and the frame rate of a preview is nobody's order."""
    ask = _ask(provider, name, stage)
    sent = _sent(provider, ask)
    ours = {ask.model.inputs[word] for word in ("fps", "ratio", "seconds") if word in ask.model.inputs}
    for field, value in ask.model.defaults.items():
        assert field in sent
        if field not in ours:
            assert str(sent[field]) == str(value)
    if stage == "animate" and (field := ask.model.inputs.get("fps")):
        assert sent.get(field) != 12
    assert str(_sent(provider, _ask(provider, name, stage, resolution="mine"))["resolution"]) == "mine"
    assert "Infinity" not in json.dumps(sent, allow_nan=False)
