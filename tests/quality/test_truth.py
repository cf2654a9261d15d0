"""How close a clip comes to a reference: exact where it is the same, less where it is not, refused where it cannot be."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vpgen.clip import Video
from vpgen.errors import InvalidInput
from vpgen.quality.truth import against


def _video(
    path: Path, *, size: tuple[int, int] = (160, 96), frames: int = 6, fps: int = 12, noise: float = 0.0
) -> Video:
    rng = np.random.default_rng(7)
    x, y = np.meshgrid(np.linspace(0, 9, size[0]), np.linspace(0, 5, size[1]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, width=size[0], height=size[1], pix_fmt="yuv420p")
        stream.options = {"crf": "1"}
        for index in range(frames):
            wave = 128 + 90 * np.sin(x + 0.3 * index) * np.cos(y)
            picture = np.clip(wave + noise * rng.standard_normal(wave.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Video(path, size, Fraction(fps), frames)


def _scores(clip: Video, truth: Video, folder: Path, *, vmaf: bool = False) -> dict[str, float | None]:
    return {score.name: score.value for score in against(clip, truth, folder, vmaf=vmaf)}


def test_the_same_clip_is_the_truth(tmp_path: Path) -> None:
    """SSIM 1, the highest PSNR that is given, and VMAF near 100 where ffmpeg is there."""
    truth = _video(tmp_path / "a.mp4")
    scores = _scores(truth, truth, tmp_path, vmaf=True)
    assert scores["ssim"] == pytest.approx(1.0)
    assert scores["psnr"] == 100.0
    assert scores["vmaf"] is None or scores["vmaf"] > 90


def test_more_noise_is_farther_away(tmp_path: Path) -> None:
    """Both figures fall with it."""
    truth = _video(tmp_path / "truth.mp4")
    some, much = (_scores(_video(tmp_path / f"{n}.mp4", noise=n), truth, tmp_path) for n in (5, 25))
    assert 1 > some["ssim"] > much["ssim"] > 0  # type: ignore[operator]
    assert 100 > some["psnr"] > much["psnr"] > 10  # type: ignore[operator]


def test_a_larger_clip_is_compared_at_the_truths_size(tmp_path: Path) -> None:
    """Made small, it shows the same."""
    truth = _video(tmp_path / "truth.mp4")
    large = _video(tmp_path / "large.mp4", size=(320, 192))
    assert _scores(large, truth, tmp_path)["ssim"] > 0.99  # type: ignore[operator]


def test_other_moments_are_refused(tmp_path: Path) -> None:
    """Another rate or length cannot be compared frame by frame; what to do is said."""
    truth = _video(tmp_path / "truth.mp4")
    for other in (_video(tmp_path / "rate.mp4", fps=24), _video(tmp_path / "short.mp4", frames=5)):
        with pytest.raises(InvalidInput, match="do not show the same moments") as caught:
            _scores(other, truth, tmp_path)
        assert "reference" in str(caught.value.remedy)
