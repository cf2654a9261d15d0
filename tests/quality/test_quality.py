"""The figures: they agree with their definitions, order known degradations, and a still cannot win."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity

from vpgen.backends.scorer import Scorer, ScorerParams
from vpgen.clip import Prompt, Still, Video
from vpgen.media.frames import Frames
from vpgen.media.video import write_mezzanine
from vpgen.quality import motion, picture
from vpgen.quality.niqe import niqe
from vpgen.quality.reference import psnr, squared_error, ssim
from vpgen.stages import Ref, ScoreRequest, Scores, Work


@pytest.fixture(scope="module")
def gray() -> np.ndarray:
    return cv2.cvtColor(data.coffee(), cv2.COLOR_RGB2GRAY)


def blur(g: np.ndarray, amount: float) -> np.ndarray:
    return cv2.GaussianBlur(g, (0, 0), amount)


def noise(g: np.ndarray, amount: float) -> np.ndarray:
    return np.clip(g + np.random.default_rng(0).normal(0, amount, g.shape), 0, 255).astype(np.uint8)


def jpeg(g: np.ndarray, quality: float) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", g, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1], 0)


@pytest.mark.parametrize(
    ("worsen", "steps"), [(blur, (2, 4, 8)), (noise, (10, 25, 50)), (jpeg, (30, 12, 4))], ids=["blur", "noise", "jpeg"]
)
def test_niqe_rises_with_each_degradation(gray: np.ndarray, worsen: Callable, steps: tuple[float, ...]) -> None:
    """More blur, noise or compression is further from natural."""
    values = [niqe(worsen(gray, step)) for step in steps]
    assert niqe(gray) < values[0] < values[1] < values[2]


def test_niqe_of_too_small_a_picture_is_unknown() -> None:
    """Below one patch there is no figure, not a zero."""
    assert niqe(np.zeros((90, 500), np.uint8)) is None


def test_ssim_agrees_with_skimage(gray: np.ndarray) -> None:
    """The Gaussian-window SSIM of Wang et al., to a thousandth."""
    worse = noise(blur(gray, 1.5), 8)
    theirs = structural_similarity(
        gray, worse, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(gray, worse) == pytest.approx(theirs, abs=1e-3)
    assert ssim(gray, gray) == pytest.approx(1.0)


def test_psnr_is_what_it_is() -> None:
    """A uniform error of 5 levels is 34.15 dB."""
    a = np.full((50, 50), 100, np.uint8)
    assert psnr(squared_error(a, a + 5)) == pytest.approx(34.15, abs=0.01)
    assert psnr(0.0) == float("inf")


def test_sharpness_falls_with_blur(gray: np.ndarray) -> None:
    """And does not depend on the size a picture happens to have more than it must."""
    values = [picture.sharpness(blur(gray, amount)) for amount in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)


def test_a_clean_cut_out_has_a_narrow_edge_and_no_crumbs() -> None:
    """A blurred one is wider, a scattered one has crumbs, an empty one has no figure."""
    alpha = np.zeros((300, 300), np.uint8)
    cv2.circle(alpha, (150, 150), 80, 255, -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(alpha, (0, 0), 6)
    crumbs = alpha.copy()
    crumbs[20:40, 20:40] = 255
    assert picture.edge_width(alpha) < picture.edge_width(soft)
    assert picture.crumbs(alpha) == 0
    assert picture.crumbs(crumbs) > 0.01
    assert picture.edge_width(np.zeros((9, 9), np.uint8)) is None
    assert picture.crumbs(np.zeros((9, 9), np.uint8)) is None


def _motion(frames: list[np.ndarray], fps: float = 24) -> motion.Motion:
    moved = motion.Motion(fps)
    for frame in frames:
        moved.add(np.dstack([frame] * 3), frame)
    return moved


def _slide(gray: np.ndarray, step: float, count: int = 24) -> list[np.ndarray]:
    return [
        cv2.warpAffine(gray, np.array([[1, 0, -step * i], [0, 1, 0]]), (320, 240), flags=cv2.INTER_CUBIC)
        for i in range(count)
    ]


def test_flickering_is_vbenchs_formula() -> None:
    """(255 - mean absolute difference of neighbours) / 255."""
    frames = [np.full((60, 80), level, np.uint8) for level in (100, 110, 90)]
    assert _motion(frames).flickering == pytest.approx((255 - 15) / 255)


def test_dynamic_degree_is_vbenchs_rule(gray: np.ndarray) -> None:
    """Below 6 min(H, W) / 256 pixels a pair at 8 fps nothing is `moving`, above it is."""
    assert motion.threshold((240, 320)) == pytest.approx(5.625)
    assert _motion(_slide(gray, 0.8)).moving is False
    assert _motion(_slide(gray, 3.0)).moving is True
    assert _motion(_slide(gray, 3.0)).speed == pytest.approx(9 / 5.625, rel=0.15)


def test_a_still_cannot_win(gray: np.ndarray) -> None:
    """VBench's flickering is best for a still; the gated figure gives it nothing and motion its due."""
    still, moving = _motion(_slide(gray, 0.0)), _motion(_slide(gray, 0.8))
    assert still.flickering > moving.flickering
    assert still.quality == 0
    assert moving.quality > 0.5


def test_stutter_and_flicker_are_seen(gray: np.ndarray) -> None:
    """Frozen frames make motion less predictable, flashing makes it flicker."""
    smooth = _slide(gray, 2.0)
    stutter = [smooth[i - i % 4] for i in range(24)]
    flash = [np.clip(f.astype(int) + (20 if i % 2 else 0), 0, 255).astype(np.uint8) for i, f in enumerate(smooth)]
    assert _motion(stutter).smoothness < _motion(smooth).smoothness
    assert _motion(flash).flickering < _motion(smooth).flickering


def _video(path: Path, fps: int, size: tuple[int, int], gray: np.ndarray) -> Video:
    rgb = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)

    def frames():
        for i in range(fps):
            at = np.array([[0.5, 0, -20.0 * i / fps], [0, 0.5, 0]])
            yield cv2.resize(
                cv2.warpAffine(rgb, at, (256, 144), flags=cv2.INTER_AREA), size, interpolation=cv2.INTER_CUBIC
            )

    return write_mezzanine(Frames(size, Fraction(fps), fps, "rgb24", frames), path)


def _score(clip: Video, folder: Path, preview: Video | None = None, person: Still | None = None) -> Scores:
    request = ScoreRequest(
        Ref("a", lambda: clip),
        Prompt(character="", background="", motion=""),
        Ref("b", lambda: preview) if preview else None,
        Ref("c", lambda: person) if person else None,
    )
    return Scorer(ScorerParams()).score(request, Work(dir=folder))


def test_a_clip_gets_every_figure_with_its_meaning(tmp_path: Path, gray: np.ndarray) -> None:
    """Each has a meaning and a range, lies in it, or says why it was skipped; the final is like its preview."""
    preview = _video(tmp_path / "p.mkv", 12, (256, 144), gray)
    final = _video(tmp_path / "f.mkv", 24, (512, 288), gray)
    alpha = np.zeros((144, 256), np.uint8)
    alpha[40:100, 60:120] = 255
    scores = _score(final, tmp_path, preview, Still(rgb=np.zeros((144, 256, 3), np.uint8), alpha=alpha))
    for score in scores.scores:
        if score.value is None:
            assert score.skipped
        else:
            assert score.meaning
            assert score.range is not None
            assert score.range[0] <= score.value
            assert score.range[1] is None or score.value <= score.range[1]
    assert scores["preview_ssim"].value > 0.95
    assert scores["prompt_agreement"].skipped
    pytest.importorskip("imageio_ffmpeg")
    assert scores["preview_vmaf"].value > 60


def test_a_preview_has_no_preview_to_be_like(tmp_path: Path, gray: np.ndarray) -> None:
    """What needs a reference is skipped with the reason, never 0."""
    scores = _score(_video(tmp_path / "p.mkv", 12, (256, 144), gray), tmp_path)
    assert scores["preview_ssim"].value is None
    assert scores["preview_ssim"].skipped == "this is a preview"
    assert scores["matte_edge_width"].skipped == "no cut-out is known for this clip"
