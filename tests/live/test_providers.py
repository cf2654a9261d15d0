"""Real purchases with real keys, well under one USD together. They run only when told to.

    VPGEN_LIVE=1 STABILITY_API_KEY=… RUNWAYML_API_SECRET=… REPLICATE_API_TOKEN=… pytest tests/live -ra

Each buys the cheapest thing its provider has, through the same step, journal and ledger as everything else.
"""

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from shop import Shop

from vpgen.catalogue import load_catalogue
from vpgen.clip import ClipSpec, Prompt, Still, Video
from vpgen.stages import AnimateRequest, BackgroundRequest, EnlargeRequest, Ref

PROMPT = Prompt(character="a fox", background="a quiet beach at dusk, flat illustration", motion="slow push in")
STILL = Still(rgb=np.random.default_rng(0).integers(60, 200, (720, 1280, 3), np.uint8))
PICTURES = {
    "stability/core": Decimal("0.03"),
    "runway/gen4_image": Decimal("0.08"),
    "replicate/black-forest-labs/flux-schnell": Decimal("0.003"),
    "luma/uni-1": Decimal("0.0404"),
}


def _key_or_skip(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("VPGEN_LIVE") != "1":
        pytest.skip("spends money: set VPGEN_LIVE=1 and the provider's key")
    variable = load_catalogue()[provider].key
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set")
    monkeypatch.delenv("VPGEN_PROVIDERS_URL", raising=False)


@pytest.mark.live
@pytest.mark.parametrize("model", PICTURES)
def test_a_picture_is_bought(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It arrives, has the size that was asked for, and costs at most what the catalogue says."""
    _key_or_skip(model.partition("/")[0], monkeypatch)
    shop = Shop(tmp_path, background=model)
    still: Still = shop.buy("background", BackgroundRequest(PROMPT, 0, (320, 180)))
    assert still.size == (320, 180)
    assert 0 < shop.books() <= PICTURES[model]
    assert shop.journal() == [("closed", "succeeded")]


@pytest.mark.live
def test_a_picture_is_enlarged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stability fast, four times as wide and high: 0.02 USD."""
    _key_or_skip("stability", monkeypatch)
    shop = Shop(tmp_path, enlarge="stability/fast")
    still: Still = shop.buy("enlarge", EnlargeRequest(Ref("live", lambda: STILL), (2560, 1440), cover=True))
    assert still.size == (2560, 1440)
    assert 0 < shop.books() <= Decimal("0.02")


@pytest.mark.live
def test_two_seconds_of_motion_are_bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runway gen4_turbo, the shortest it makes: 0.10 USD."""
    _key_or_skip("runway", monkeypatch)
    shop = Shop(tmp_path, animate="runway/gen4_turbo")
    request = AnimateRequest(Ref("live", lambda: STILL), PROMPT, 0, ClipSpec(size=(320, 180), fps=4, seconds=2))
    video: Video = shop.buy("animate", request)
    assert video.size == (1280, 720)
    assert abs(video.seconds - 2) < 0.2
    assert 0 < shop.books() <= Decimal("0.10")
