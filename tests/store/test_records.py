"""Stage results are stored and come back bit for bit; a step's record is believed only when it is whole."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vpgen.clip import Layer, Prompt, Scene, Still, Video
from vpgen.errors import Corrupted, InvalidInput, NotFound, StoreError
from vpgen.stages import Score, Scores, Verdict
from vpgen.store.objects import ObjectStore
from vpgen.store.records import StepRecord, blobs, load, read_record, save, write_record

SCENE = Scene(place="sea", time="dusk", light=(-0.5, 0.25), light_rgb=(255, 180, 90))
SIDES = st.integers(1, 12)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A new store in a local folder."""
    return ObjectStore(str(tmp_path / "store"))


def random_still(*, height: int = 9, width: int = 7, layers: int = 3) -> Still:
    """A small still with alpha and layers, of noise, a third of it transparent."""
    noise = np.random.default_rng(1)
    rgba = noise.integers(0, 256, (layers, height, width, 4), np.uint8)
    rgba[:, : height // 3, :, 3] = 0
    planes = tuple(Layer(f"plane {n}", rgba[n], math.inf if n == 0 else 4.0 / n) for n in range(layers))
    alpha = noise.integers(0, 256, (height, width), np.uint8)
    return Still(rgb=rgba[0, :, :, :3].copy(), alpha=alpha, layers=planes, scene=SCENE)


def assert_same(found: object, still: Still) -> None:
    """Equal in every pixel, name, depth and fact."""
    assert isinstance(found, Still)
    assert np.array_equal(found.rgb, still.rgb)
    assert found.rgb.dtype == np.uint8
    assert (found.alpha is None) == (still.alpha is None)
    assert still.alpha is None or np.array_equal(found.alpha, still.alpha)
    assert [(layer.name, layer.depth) for layer in found.layers] == [
        (layer.name, layer.depth) for layer in still.layers
    ]
    assert all(np.array_equal(a.rgba, b.rgba) for a, b in zip(found.layers, still.layers, strict=True))
    assert found.scene == still.scene


def test_a_still_comes_back_bit_for_bit(store: ObjectStore) -> None:
    """Pixels, alpha, layers with their depth (infinity too), and the colours under transparent pixels."""
    still = random_still()
    document = save(store, still)
    assert_same(load(store, document), still)
    assert len(blobs(document)) == 5


@given(pixels=st.tuples(SIDES, SIDES).flatmap(lambda side: hnp.arrays(np.uint8, (*side, 4))))
def test_any_pixels_come_back(pixels: np.ndarray) -> None:
    """Every RGBA picture of every size survives, in and out of contiguous memory."""
    store = ObjectStore("memory://pixels")
    turned = pixels.transpose(1, 0, 2)
    still = Still(rgb=turned[..., :3], alpha=turned[..., 3], layers=(Layer("sky", turned, 1.0),))
    assert_same(load(store, save(store, still)), still)


def test_a_plain_still_has_no_alpha_and_no_layers(store: ObjectStore) -> None:
    """What was not there before is not there afterwards."""
    still = Still(rgb=np.zeros((4, 4, 3), np.uint8))
    assert_same(load(store, save(store, still)), still)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ""])
def test_a_video_comes_back(store: ObjectStore, tmp_path: Path, suffix: str) -> None:
    """The file's bytes, the format's name at its end, and its facts; the original may go."""
    source = tmp_path / f"clip{suffix}"
    source.write_bytes(b"not really a video" * 100)
    document = save(store, Video(path=source, size=(640, 360), fps=Fraction(24000, 1001), frames=72))
    source.unlink()
    found = load(store, document)
    assert isinstance(found, Video)
    assert found.path.read_bytes() == b"not really a video" * 100
    assert found.path.suffix == (suffix or ".mp4")
    assert (found.size, found.fps, found.frames) == ((640, 360), Fraction(24000, 1001), 72)


@pytest.mark.parametrize(
    "value",
    [
        Prompt(character="여자", background="a beach", motion="push in", style="flat"),
        Verdict(allowed=False, terms=("x",), categories=("violence",), checked=("words",)),
        Scores(scores=(Score(name="ssim", value=0.97, range=(0.0, 1.0)), Score(name="vmaf", value=None, skipped="no"))),
    ],
    ids=["prompt", "verdict", "scores"],
)
def test_text_results_come_back(store: ObjectStore, value: Prompt | Verdict | Scores) -> None:
    """What is small is kept inline, in the document itself."""
    document = save(store, value)
    assert load(store, document) == value
    assert blobs(document) == ()


def test_what_is_no_result_is_refused(store: ObjectStore) -> None:
    """A backend that returns something else hears so."""
    with pytest.raises(InvalidInput, match="returned a int"):
        save(store, 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "song"},
        {"type": "prompt"},
        {"type": "video", "file": "/etc/passwd"},
        {"type": "still", "rgb": None},
    ],
)
def test_a_document_of_another_kind_is_corrupted(store: ObjectStore, document: dict[str, object]) -> None:
    """What another version or a hand has written is not guessed at."""
    with pytest.raises(Corrupted, match="not understood"):
        load(store, document)


def test_a_picture_that_is_no_picture_is_corrupted(store: ObjectStore) -> None:
    """A blob that has its hash but is not a PNG says so instead of failing in the decoder."""
    document = save(store, Still(rgb=np.zeros((4, 4, 3), np.uint8)))
    document["rgb"] = store.put_bytes(b"not a png").model_dump()
    with pytest.raises(Corrupted, match="not a PNG"):
        load(store, document)


# --- records ------------------------------------------------------------------------------------


def record(store: ObjectStore, still: Still, key: str = "a" * 64) -> StepRecord:
    """A record of a step that made this still."""
    return StepRecord(
        key=key,
        stage="character",
        backend="animatic",
        version="1",
        params={"style": "flat", "nested": {"list": [1, None]}},
        inputs={"prompt": "b" * 64},
        result=save(store, still),
        usage={"cpu_second": Decimal("1.2345678901234567890")},
        seconds=1.5,
        cpu_seconds=2.5,
        vpgen_version="0.1.0",
    )


def test_a_record_comes_back(store: ObjectStore) -> None:
    """Every field, its usage to the last digit, its time in UTC."""
    written = record(store, random_still())
    write_record(store, written)
    found = read_record(store, written.key)
    assert found == written
    assert found.created.utcoffset() is not None
    assert str(found.usage["cpu_second"]) == "1.2345678901234567890"


def test_no_record_no_result(store: ObjectStore) -> None:
    """A step that was never run has no record."""
    assert read_record(store, "c" * 64) is None


def test_a_record_is_not_written_before_its_objects(store: ObjectStore) -> None:
    """A record that names an object that is not stored is refused, so it can never be believed."""
    written = record(store, random_still())
    store.delete(blobs(written.result)[1].sha256)
    with pytest.raises(StoreError, match="not stored"):
        write_record(store, written)
    assert read_record(store, written.key) is None


@pytest.mark.parametrize("which", range(5))
def test_a_record_whose_object_is_gone_is_no_record(
    store: ObjectStore, which: int, caplog: pytest.LogCaptureFixture
) -> None:
    """When any object of a result was removed, the step counts as not run, and the log says so."""
    still = random_still()
    written = record(store, still)
    write_record(store, written)
    store.delete(blobs(written.result)[which].sha256)
    assert read_record(store, written.key) is None
    assert "run again" in caplog.text
    with pytest.raises(NotFound):
        load(store, written.result)
    write_record(store, record(store, still))
    again = read_record(store, written.key)
    assert again
    assert_same(load(store, again.result), still)


def test_a_damaged_object_is_found_and_made_again(store: ObjectStore) -> None:
    """The way a corrupted result heals: loading raises, the record is then void, the same step writes it anew."""
    still = random_still()
    written = record(store, still)
    write_record(store, written)
    path = store.get_path(blobs(written.result)[-1])
    path.chmod(0o644)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert read_record(store, written.key)
    with pytest.raises(Corrupted):
        load(store, written.result)
    assert read_record(store, written.key) is None
    write_record(store, record(store, still))
    again = read_record(store, written.key)
    assert again
    assert_same(load(store, again.result), still)


@pytest.mark.parametrize("data", [{}, {"key": "x"}, {"key": "x", "future": 1}])
def test_a_record_of_another_version_is_no_record(
    store: ObjectStore, data: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """A whole document that is not a record this version knows means run it again, and is logged."""
    store.put_document("steps", "x", data)
    assert read_record(store, "x") is None
    assert "not understood" in caplog.text
