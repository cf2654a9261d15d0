"""Upscaling and interpolating: sizes, rates and lengths exact, and better than the plain way on motion that is known."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.backends import flow
from vpgen.backends.anime4k import Anime4K, Anime4KParams
from vpgen.backends.flow import Flow, FlowParams
from vpgen.backends.lanczos import Lanczos, LanczosParams
from vpgen.backends.onnx import rife
from vpgen.backends.onnx.rife import Rife, RifeParams
from vpgen.errors import InvalidInput
from vpgen.media.color import convert
from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map
from vpgen.media.retime import resample
from vpgen.stages import InterpolateRequest, Ref, UpscaleRequest, Work

SIZE = (256, 144)
WORK = Work(dir=Path())


def texture(size: tuple[int, int]) -> np.ndarray:
    """Something with edges and detail to follow."""
    random = np.random.default_rng(2)
    coarse = cv2.resize(random.integers(0, 255, (12, 20, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    for _ in range(14):
        x, y = (int(v) for v in random.integers((0, 0), size))
        cv2.circle(
            coarse, (x, y), int(random.integers(5, 18)), [int(c) for c in random.integers(0, 255, 3)], -1, cv2.LINE_AA
        )
    return coarse


def moved(at: float) -> np.ndarray:
    """A disc of texture that turns over another texture that slides: RGB at time `at` (frames)."""
    wide = texture((SIZE[0] + 80, SIZE[1] + 40))
    back = cv2.warpAffine(wide, np.array([[1, 0, -20 - 3.0 * at], [0, 1, -10 - 1.0 * at]]), SIZE, flags=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((128, 72), 4.0 * at, 1.0)
    turn[0, 2] += 5.0 * at
    front = cv2.warpAffine(255 - texture(SIZE), turn, SIZE, flags=cv2.INTER_CUBIC)
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.circle(mask, (128, 72), 40, 255, -1, cv2.LINE_AA)
    mask = cv2.warpAffine(mask, turn, SIZE)[..., None].astype(np.float32) / 255
    return (front * mask + back * (1 - mask)).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def yuv(rgb: np.ndarray) -> np.ndarray:
    return convert(rgb, "rgb24", "yuv420p")


def test_flow_finds_the_frame_between() -> None:
    """Clearly nearer to the true middle frame than the average of its neighbours."""
    first, true, second = (yuv(moved(t)) for t in (0.0, 0.5, 1.0))
    made = flow.between(first, second, 0.5, SIZE, divide=1)
    blend = cv2.addWeighted(first, 0.5, second, 0.5, 0)
    luma = slice(0, SIZE[1])
    assert psnr(made[luma], true[luma]) > psnr(blend[luma], true[luma]) + 2.0


def test_rife_finds_the_frame_between() -> None:
    """The neural network beats the average too."""
    first, true, second = (moved(t) for t in (0.0, 0.5, 1.0))
    made = rife.between(first, second, 0.5)
    assert psnr(made, true) > psnr(cv2.addWeighted(first, 0.5, second, 0.5, 0), true) + 2.0


@pytest.mark.parametrize("between", [lambda a, b, t: flow.between(yuv(a), yuv(b), t, SIZE), rife.between])
def test_at_a_cut_nothing_is_mixed(between) -> None:
    """Black to white: each side keeps its own picture, none is grey."""
    black, white = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    assert between(black, white, 0.4).mean() < 70
    assert between(black, white, 0.6).mean() > 185


def test_still_frames_are_copied() -> None:
    """Nothing moves, so nothing is computed."""
    frame = yuv(moved(0))
    assert flow.between(frame, frame.copy(), 0.5, SIZE) is frame


def numbered(count: int, fps: int) -> Frames:
    """Frame i is filled with i."""
    return Frames(
        (64, 64), Fraction(fps), count, "rgb24", lambda: (np.full((64, 64, 3), i, np.uint8) for i in range(count))
    )


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_rate_gives_exactly_the_length(source: int, target: int, count: int) -> None:
    """round(seconds x rate) frames, whatever the ratio, up or down; coinciding frames are the originals."""
    frames = resample(numbered(count, source), target, lambda a, b, t: np.asarray(a * (1 - t) + b * t, np.uint8))
    made = list(frames.open())
    assert len(made) == frames.count == round(Fraction(count, source) * target)
    for index, frame in enumerate(made):
        at = Fraction(index * source, target)
        if at.denominator == 1 and at < count:
            assert (frame == int(at)).all()


def test_six_seconds_at_twelve_become_six_seconds_at_twenty_four() -> None:
    """72 frames to 144; the last original is held for the half interval after it."""
    frames = Flow(FlowParams()).interpolate(InterpolateRequest(Ref("k", lambda: numbered(72, 12)), 24), WORK)
    assert (frames.count, frames.fps, frames.seconds) == (144, 24, 6.0)


def test_one_frame_is_held() -> None:
    """A video of one frame becomes a still."""
    made = list(Rife(RifeParams()).interpolate(InterpolateRequest(Ref("k", lambda: numbered(1, 1)), 3), WORK).open())
    assert len(made) == 3


def big(rgb: np.ndarray) -> Frames:
    return Frames(SIZE, Fraction(12), 1, "rgb24", lambda: iter([rgb]))


@pytest.mark.parametrize("backend", [Lanczos(LanczosParams()), Anime4K(Anime4KParams())], ids=["lanczos", "anime4k"])
def test_upscaling_is_exact_in_size_and_near_the_truth(backend) -> None:
    """Three times larger, within reach of the picture drawn large."""
    if not backend.readiness().ready:
        pytest.skip(backend.readiness().note)
    large = texture((SIZE[0] * 3, SIZE[1] * 3))
    small = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA)
    frames = backend.upscale(UpscaleRequest(Ref("k", lambda: big(small)), (768, 432)), WORK)
    made = convert(next(frames.open()), frames.pixels, "rgb24")
    assert frames.size == (768, 432)
    assert psnr(made, large) > 26
    assert psnr(made, large) > psnr(cv2.resize(small, (768, 432), interpolation=cv2.INTER_NEAREST), large)


def test_another_shape_or_a_smaller_size_is_an_error() -> None:
    """Nothing is stretched or shrunk by an upscaler."""
    for size in ((768, 768), (128, 72)):
        with pytest.raises(InvalidInput):
            Lanczos(LanczosParams()).upscale(UpscaleRequest(Ref("k", lambda: big(moved(0))), size), WORK)


def test_the_same_size_passes_through() -> None:
    """No work, no change."""
    frames = Lanczos(LanczosParams()).upscale(UpscaleRequest(Ref("k", lambda: big(moved(0))), SIZE), WORK)
    assert frames.size == SIZE


def test_an_unknown_network_is_refused() -> None:
    """The library would silently take another."""
    with pytest.raises(ValueError, match="Input should be"):
        Anime4KParams.model_validate({"model": "arnet-xxl"})


def test_work_in_flight_is_bounded_and_errors_come_in_order() -> None:
    """However long the stream, only a few items are taken in advance; the third item's error comes third."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(1000):
            taken.append(i)
            yield i

    results = ordered_map(lambda i: 1 // (i - 3) if i == 3 else i, items(), workers=2, depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 8
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_stream_closed_early_leaves_no_thread() -> None:
    """Closing the generator ends its workers."""
    import threading

    before = threading.active_count()
    results = ordered_map(lambda i: i, range(10**6))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
