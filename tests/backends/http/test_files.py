"""What is sent to a provider: the same picture, whoever reads it, and as small as it has to be."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vpgen.backends.http.files import as_media
from vpgen.clip import Still
from vpgen.media.pictures import read_picture

RNG = np.random.default_rng(0)
SIZE = (72, 128)


def _colours() -> np.ndarray:
    """Red, green, blue and a grey that is none of them, side by side: no order of channels but one shows them so."""
    patches = np.array([[250, 10, 20], [15, 240, 30], [25, 5, 230], [90, 120, 60]], np.uint8)
    return np.repeat(np.repeat(patches[None], SIZE[0], 0), SIZE[1] // 4, 1)


@pytest.mark.parametrize("cut_out", [False, True])
def test_a_picture_arrives_as_it_was(tmp_path: Path, *, cut_out: bool) -> None:
    """Pillow reads from the PNG what we had, to the bit, out of a file: nothing waits in memory."""
    alpha = RNG.integers(1, 255, SIZE, np.uint8) if cut_out else None
    media = as_media(Still(rgb=_colours(), alpha=alpha), tmp_path / "sent")
    assert (media.kind, media.mime, media.data) == ("image", "image/png", tmp_path / "sent")
    read = read_picture(media.read())
    assert np.array_equal(read.rgb, _colours())
    assert (read.alpha is None) if alpha is None else np.array_equal(read.alpha, alpha)


def test_a_picture_too_large_to_be_sent_along_becomes_a_jpeg(tmp_path: Path) -> None:
    """Of the best quality that fits; red is still red."""
    noise = RNG.integers(0, 12, (*SIZE, 3), np.uint8)
    still = Still(rgb=_colours() - np.minimum(noise, _colours()))
    whole = as_media(still, tmp_path / "whole")
    media = as_media(still, tmp_path / "sent", limit=whole.size)
    assert (whole.mime, media.mime) == ("image/png", "image/jpeg")
    assert media.size < whole.size
    assert np.abs(read_picture(media.read()).rgb.astype(int) - still.rgb).mean() < 8


def test_a_cut_out_stays_one_whatever_its_size(tmp_path: Path) -> None:
    """A JPEG has no alpha: the provider says itself when a PNG is too large."""
    still = Still(rgb=_colours(), alpha=np.full(SIZE, 100, np.uint8))
    assert as_media(still, tmp_path / "sent", limit=10).mime == "image/png"


def test_opencv_reads_the_same(tmp_path: Path) -> None:
    """A second decoder, whose order of channels is the other one."""
    raw = np.frombuffer(as_media(Still(rgb=_colours()), tmp_path / "sent").read(), np.uint8)
    assert np.array_equal(cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1], _colours())
