"""Enlarging a picture: only what is too small, to the size that is needed, with its edge and without a halo."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.backends.anime4k import Anime4K, Anime4KParams
from vpgen.backends.lanczos import Lanczos, LanczosParams
from vpgen.clip import Layer, Scene, Still
from vpgen.errors import InvalidInput
from vpgen.media.enlarge import colours, enlarged, settled, wanted
from vpgen.stages import EnlargeRequest, Ref, Work

WORK = Work(dir=Path())
NEED = (320, 180)
SIDES = st.integers(64, 500)


def picture(width: int, height: int) -> Still:
    """Something smooth with an edge in it."""
    random = np.random.default_rng(width * height)
    rgb = cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.circle(rgb, (width // 2, height // 2), min(width, height) // 3, (250, 60, 20), -1, cv2.LINE_AA)
    return Still(rgb=rgb)


def ask(still: Still, *, cover: bool = False) -> EnlargeRequest:
    return EnlargeRequest(Ref("k", lambda: still), NEED, cover=cover)


@given(SIDES, SIDES, st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_comes_out_is_large_enough_and_no_larger(width: int, height: int, cover: bool) -> None:  # noqa: FBT001
    """A place has exactly the size; a person at least the height, their shape, and the pixels they had if these do."""
    still = picture(width, height)
    made = Lanczos(LanczosParams()).enlarge(ask(still, cover=cover), WORK)
    if cover:
        assert made.size == NEED
    elif height >= NEED[1]:
        assert made is still
    else:
        assert made.size == (round(width * NEED[1] / height), NEED[1])


@pytest.mark.parametrize("backend", [Lanczos(LanczosParams()), Anime4K(Anime4KParams())], ids=["lanczos", "anime4k"])
def test_the_local_ones_come_near_the_large_picture(backend) -> None:
    """A picture made small and enlarged again is the picture, but for what was lost."""
    if not backend.readiness().ready:
        pytest.skip(backend.readiness().note)
    large = picture(*NEED).rgb
    small = Still(rgb=cv2.resize(large, (160, 90), interpolation=cv2.INTER_AREA), scene=Scene(ground=0.7))
    made = backend.enlarge(ask(small, cover=True), WORK)
    assert made.size == NEED
    assert made.scene.ground == 0.7
    assert np.abs(made.rgb.astype(int) - large).mean() < 4
    assert backend.estimate(ask(small))["cpu_second"] < 0.1


def test_layers_pass_through() -> None:
    """A drawn still was drawn at its size, and its planes are worth more than its pixels."""
    flat = picture(100, 60)
    drawn = replace(flat, layers=(Layer("sky", np.dstack([flat.rgb, np.full((60, 100), 255, np.uint8)]), 3.0),))
    for cover in (False, True):
        assert Lanczos(LanczosParams()).enlarge(ask(drawn, cover=cover), WORK) is drawn


def test_a_cut_out_keeps_its_edge_and_gets_no_halo() -> None:
    """Its alpha is enlarged here; the colours sent go on where it is see-through, so the old black does not creep in."""
    alpha = np.zeros((90, 60), np.uint8)
    alpha[20:80, 15:45] = 255
    rgb = np.zeros((90, 60, 3), np.uint8)
    rgb[alpha > 0] = (200, 150, 100)
    cut = Still(rgb=rgb, alpha=alpha)
    assert colours(cut, ask(cut)).min() > 60
    made = Lanczos(LanczosParams()).enlarge(ask(cut), WORK)
    assert made.size == (120, 180)
    assert made.alpha is not None
    assert made.alpha[100, 60] == 255
    assert made.alpha[5, 5] == 0
    assert made.rgb[made.alpha > 0].min() > 80
    assert Lanczos(LanczosParams()).enlarge(ask(cut, cover=True), WORK).alpha is None


@pytest.mark.parametrize("made", [(80, 45), (640, 640)], ids=["smaller", "another shape"])
def test_what_is_not_the_picture_enlarged_is_refused(made: tuple[int, int]) -> None:
    """Whoever made it: it would be placed as if it were."""
    still = picture(160, 90)
    with pytest.raises(InvalidInput, match="not the same picture enlarged"):
        settled(still, picture(*made).rgb, ask(still))


def test_what_is_made_too_large_is_brought_down_and_too_small_is_kept() -> None:
    """A vendor has one factor: four times a small picture may be more than is needed, or still less."""
    assert settled(picture(160, 90), picture(640, 360).rgb, ask(picture(160, 90))).size == NEED
    tiny = picture(70, 64)
    assert wanted(tiny, replace(ask(tiny), size=(1920, 1080))) == (1181, 1080)
    assert settled(tiny, picture(280, 256).rgb, replace(ask(tiny), size=(1920, 1080))).size == (280, 256)
    assert settled(tiny, picture(280, 256).rgb, replace(ask(tiny, cover=True), size=(1920, 1080))).size == (1920, 1080)


def test_nothing_is_made_of_what_is_large_enough() -> None:
    """The function that makes it larger is not even asked."""

    def larger(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        raise AssertionError((rgb.shape, size))

    assert enlarged(ask(picture(640, 400), cover=True), larger).size == NEED
