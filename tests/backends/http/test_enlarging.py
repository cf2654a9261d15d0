"""Buying larger pictures from Stability's look-alike: what is sent, what it costs, and what is never sent."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest
from shop import Shop

from vpgen import studio
from vpgen.backends.http.remote import RemoteParams
from vpgen.backends.http.stability import Stability
from vpgen.backends.sandbox.serve import Sandbox
from vpgen.clip import Still
from vpgen.config import load_config
from vpgen.errors import InvalidInput, OverBudget, Refused, UnknownOutcome
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import EnlargeRequest, Ref

PRICE = {"fast": Decimal("0.02"), "conservative": Decimal("0.40"), "creative": Decimal("0.60")}


def small(width: int = 240, height: int = 120, *, alpha: bool = False) -> Still:
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return Still(rgb=rgb, alpha=np.full((height, width), 200, np.uint8) if alpha else None)


def larger(still: Still | None = None, *, prompt: str = "", cover: bool = False) -> EnlargeRequest:
    picture = still or small()
    return EnlargeRequest(Ref("small", lambda: picture), (640, 360), prompt, cover=cover)


@pytest.mark.parametrize("model", PRICE)
@pytest.mark.parametrize("cover", [True, False])
def test_it_is_bought_once_and_booked_to_the_cent(
    sandbox: Sandbox, tmp_path: Path, model: str, cover: bool  # noqa: FBT001
) -> None:  # fmt: skip
    """At once or later, as large as is needed and no larger; the second time nothing is paid."""
    shop = Shop(tmp_path, enlarge=f"stability/{model}")
    for _ in range(2):
        made: Still = shop.buy("enlarge", larger(prompt="a fox", cover=cover))
        assert made.size == ((640, 360) if cover else (720, 360))
    assert shop.books() == sandbox.total() == PRICE[model]
    assert shop.journal() == [("closed", "succeeded")]


@pytest.mark.parametrize(
    ("model", "prompt", "sent"),
    [
        ("conservative", "a fox in the snow", "a fox in the snow"),
        ("conservative", "", "a sharp and detailed photograph"),
        ("fast", "a fox in the snow", None),
    ],
)
def test_what_is_in_the_picture_is_said_where_the_model_asks(model: str, prompt: str, sent: str | None) -> None:
    """And neutral words where nobody described it; `fast` is told nothing. One picture has one seed."""
    backend = Stability(RemoteParams(model=model))
    call = backend.wire.create(backend._ask(larger(prompt=prompt)), None)
    fields = {name: part[1].decode() for name, part in (call.files or {}).items()}
    assert (fields.get("prompt"), fields.get("seed")) == (sent, "1" if sent else None)
    assert backend.estimate(larger(prompt=prompt)) == {f"stability/{model}": 1}


def test_another_vendor_does_it_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """Real-ESRGAN on Replicate, by its version; nobody quotes its price, so the config must allow that."""
    shop = Shop(tmp_path, enlarge="replicate/nightmareai/real-esrgan")
    shop.file.write_text("budget: {clip: 2.0, unknown_prices: allow}\n" + shop.file.read_text())
    assert shop.buy("enlarge", larger(cover=True)).size == (640, 360)
    assert shop.journal() == [("closed", "succeeded")]
    assert len(sandbox.bill()["jobs"]) == 1


def test_what_is_large_enough_is_not_bought(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is sent, nothing held; a place is still cropped to the size."""
    shop = Shop(tmp_path, enlarge="stability/fast")
    assert shop.buy("enlarge", larger(small(900, 400), cover=True)).size == (640, 360)
    assert shop.journal() == [("closed", "never")]
    assert shop.books() == sandbox.total() == 0
    assert sandbox.requests() == {}


def test_the_alpha_of_a_cut_out_is_not_sent_and_not_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    """The vendor gets colours; the edge is enlarged here."""
    made: Still = Shop(tmp_path, enlarge="stability/fast").buy("enlarge", larger(small(alpha=True)))
    assert made.size == (720, 360)
    assert made.alpha is not None
    assert set(np.unique(made.alpha)) == {200}


@pytest.mark.parametrize(
    ("model", "size", "said"),
    [
        (
            "fast",
            (3000, 350),
            "up to 1.0 megapixels, not 1.1; takes pictures with sides of up to 1536 pixels, not 3000",
        ),
        ("conservative", (700, 200), "up to 2.5 times as long as wide, not 3.5"),
    ],
)
def test_a_picture_that_the_vendor_does_not_take_is_not_sent(
    sandbox: Sandbox, tmp_path: Path, model: str, size: tuple[int, int], said: str
) -> None:
    """Said with the vendor's limit and what to do, before anything is spent."""
    shop = Shop(tmp_path, enlarge=f"stability/{model}")
    with pytest.raises(InvalidInput, match=said) as caught:
        shop.buy("enlarge", larger(small(*size)))
    assert "vpgen catalogue --stage enlarge" in str(caught.value.remedy)
    assert shop.journal() == [("closed", "never")]
    assert sandbox.requests() == {}


def test_a_refusal_is_not_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Stability moderates what it is told as well as what it makes."""
    shop = Shop(tmp_path, enlarge="stability/conservative")
    with pytest.raises(Refused):
        shop.buy("enlarge", larger(prompt="sandbox:refuse"))
    assert shop.journal() == [("closed", "never")]
    assert shop.books() == sandbox.total() == 0


def test_this_machine_takes_over_in_an_outage(sandbox: Sandbox, tmp_path: Path) -> None:
    """`enlarge: [stability/fast, lanczos]`; and over budget nothing is sent."""
    sandbox.settings(outage={"stability": "answer"})
    shop = Shop(tmp_path, enlarge="[stability/fast, lanczos]")
    assert shop.buy("enlarge", larger()).size == (720, 360)
    assert [event.kind for event in shop.events if event.kind == "note"] == ["note"]
    sandbox.settings(outage={})
    dear = Shop(tmp_path, enlarge="stability/conservative")
    dear.file.write_text("budget: {clip: 0.39}\n" + dear.file.read_text())
    with pytest.raises(OverBudget, match=r"cost about 0\.40?"):
        dear.buy("enlarge", larger())
    assert sandbox.total() == 0


BUY = """
import sys
from pathlib import Path
from shop import Shop
from test_enlarging import larger
Shop(Path(sys.argv[1]), enlarge=sys.argv[2]).buy("enlarge", larger())
"""


def _die(folder: Path, choice: str, point: str) -> int:
    """Buy in a process that is killed at the point; returns how it ended."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", BUY, str(folder), choice],
        env={**os.environ, "PYTHONPATH": path, "VPGEN_FAULT": point},
        check=False,
        capture_output=True,
        timeout=120,
    ).returncode


@pytest.mark.parametrize("point", ["submitted", "ended", "recorded"])
def test_a_job_is_taken_up_by_the_next_run(sandbox: Sandbox, tmp_path: Path, point: str) -> None:
    """`creative` gives a job that is in the journal: killed there, it is fetched and not bought again."""
    assert _die(tmp_path, "stability/creative", point) == -signal.SIGKILL
    shop = Shop(tmp_path, enlarge="stability/creative")
    assert shop.buy("enlarge", larger()).size == (720, 360)
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() == Decimal("0.60")
    assert shop.journal() == [("closed", "succeeded")]


def test_an_answer_that_died_with_the_process_is_not_bought_again_unasked(sandbox: Sandbox, tmp_path: Path) -> None:
    """`fast` answers with the picture: killed before it is recorded it is lost, and only `buy-again` pays twice."""
    assert _die(tmp_path, "stability/fast", "accepted") == -signal.SIGKILL
    shop = Shop(tmp_path, enlarge="stability/fast")
    with pytest.raises(UnknownOutcome):
        shop.buy("enlarge", larger())
    assert len(sandbox.bill()["jobs"]) == 1
    shop = Shop(tmp_path, enlarge="{backend: stability, model: fast, on_lost: buy-again}")
    assert _die(tmp_path, "{backend: stability, model: fast, on_lost: buy-again}", "accepted") == -signal.SIGKILL
    shop.buy("enlarge", larger())
    assert shop.journal()[-2:] == [("closed", "lost"), ("closed", "succeeded")]
    assert len(sandbox.bill()["jobs"]) == 3


def test_a_whole_clip_with_bought_pictures_enlarged(sandbox: Sandbox, tmp_path: Path) -> None:
    """The place as its model makes it, the person as the user brings them; each enlarged once; again for nothing."""
    face = cv2.resize(np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8), (160, 200))
    cv2.imwrite(str(tmp_path / "face.png"), np.dstack([face, np.full((200, 160), 255, np.uint8)]))
    shop = Shop(tmp_path, background="stability/core", enlarge="stability/fast")
    shop.file.write_text(shop.file.read_text().replace("stills: [320, 180]", "stills: [1920, 1080]"))
    for cached in (False, True):
        with Runtime.open(Settings()) as runtime:
            config = load_config(shop.file)
            clip = studio.run(studio.preview("a fox", config=config, character=tmp_path / "face.png", runtime=runtime))
        assert clip.cached is cached
        assert shop.books() == sandbox.total() == Decimal("0.03") + 2 * Decimal("0.02")
    assert sum(line.usd or 0 for line in clip.cost.lines if line.category == "api") == sandbox.total()
