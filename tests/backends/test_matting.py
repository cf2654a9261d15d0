"""Matting: people are cut out at full resolution, and pictures with nobody in them are refused."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from vpgen.backends.onnx.matting import PersonMatting
from vpgen.clip import Still
from vpgen.errors import InvalidInput, MissingDependency, NoPersonFound
from vpgen.media.matte import foreground_colours, guided
from vpgen.media.scene import to_linear, to_srgb
from vpgen.stages import MattingRequest, Ref, Work

RGB = NDArray[np.uint8]


def _cut(rgb: RGB, work: Path, refine: str = "guided", alpha: RGB | None = None) -> Still:
    backend = PersonMatting(PersonMatting.Params(refine=refine))  # type: ignore[arg-type]  # pydantic checks it
    still = Still(rgb=np.ascontiguousarray(rgb), alpha=alpha)
    return backend.matting(MattingRequest(Ref("picture", lambda: still)), Work(dir=work))


def _padded(rgb: RGB, size: tuple[int, int], at: tuple[int, int]) -> RGB:
    """The picture on a grey wall of (width, height), its top left corner at (x, y)."""
    wall = np.full((size[1], size[0], 3), 200, np.uint8)
    wall[at[1] : at[1] + rgb.shape[0], at[0] : at[0] + rgb.shape[1]] = rgb
    return wall


ASTRONAUT: RGB = data.astronaut()
PEOPLE = {
    "as it is": ASTRONAUT,
    "mirrored": ASTRONAUT[:, ::-1],
    "head and shoulders": ASTRONAUT[:300, 100:380],
    "squeezed to 16:9": cv2.resize(ASTRONAUT, (910, 512)),
    "small": cv2.resize(ASTRONAUT, (128, 128), interpolation=cv2.INTER_AREA),
    "underexposed": (ASTRONAUT * 0.35).astype(np.uint8),
    "far away in a wide picture": _padded(ASTRONAUT, (1600, 900), (300, 388)),
    "at the foot of a tall picture": _padded(ASTRONAUT, (512, 1200), (0, 688)),
    "cameraman, grey": np.repeat(data.camera()[..., None], 3, axis=2),
}
NOBODY = {
    "coffee": data.coffee(),
    "cat": data.chelsea(),
    "cat, mirrored": data.chelsea()[:, ::-1],
    "rocket": data.rocket(),
    "stars": data.hubble_deep_field(),
    "retina": data.retina(),
    "coins": np.repeat(data.coins()[..., None], 3, axis=2),
    "brick": np.repeat(data.brick()[..., None], 3, axis=2),
    "noise": np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8),
    "black": np.zeros((200, 300, 3), np.uint8),
    "white": np.full((200, 300, 3), 255, np.uint8),
    "skin colour": np.full((200, 300, 3), (200, 150, 120), np.uint8),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_finds_a_person(name: str, tmp_path: Path) -> None:
    """A person is cut out however they are framed, lit and scaled."""
    rgb = PEOPLE[name]
    still = _cut(rgb, tmp_path)
    assert still.alpha is not None
    assert still.alpha.shape == rgb.shape[:2]
    assert np.mean(still.alpha == 255) > 0.02
    assert np.mean(still.alpha == 0) > 0.15


@pytest.mark.parametrize("name", NOBODY)
def test_refuses_a_picture_with_nobody(name: str, tmp_path: Path) -> None:
    """Things, animals, textures and plain colours are refused, with what to do instead."""
    with pytest.raises(NoPersonFound) as caught:
        _cut(NOBODY[name], tmp_path)
    assert caught.value.remedy


def test_the_cut_out_is_where_the_person_is(tmp_path: Path) -> None:
    """The astronaut's face and suit are opaque, the flag and the shuttle behind her are not."""
    alpha = _cut(ASTRONAUT, tmp_path).alpha
    assert alpha is not None
    assert alpha[60:150, 190:260].min() > 250
    assert alpha[250:400, 120:220].min() > 250
    assert alpha[:150, :100].max() < 5
    assert alpha[:250, 400:].max() < 5


@pytest.mark.parametrize("refine", ["guided", "closed-form"])
def test_refinement_follows_the_edge_in_the_picture(refine: str, tmp_path: Path) -> None:
    """Refined alpha has its steepest changes where the picture has: more so than the model's own soft edge."""
    if refine == "closed-form":
        pytest.importorskip("pymatting")
    rgb = np.asarray(cv2.resize(ASTRONAUT, (1024, 1024), interpolation=cv2.INTER_CUBIC), np.uint8)

    def agreement(how: str) -> float:
        alpha = _cut(rgb, tmp_path, how).alpha
        assert alpha is not None
        grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1).astype(np.float32)
        edges = [
            np.hypot(cv2.Sobel(p, cv2.CV_32F, 1, 0), cv2.Sobel(p, cv2.CV_32F, 0, 1))
            for p in (grey, alpha.astype(np.float32))
        ]
        head = (slice(0, 140), slice(None))
        return float((edges[0][head] * edges[1][head]).sum() / edges[1][head].sum())

    refined, coarse = agreement(refine), agreement("none")
    assert refined > 1.1 * coarse, f"{refined:.1f} against {coarse:.1f}"


def test_an_own_cut_out_keeps_its_alpha(tmp_path: Path) -> None:
    """A bring-your-own RGBA skips the model; only colours nobody sees are filled from their neighbours."""
    alpha = np.zeros((100, 80), np.uint8)
    alpha[20:80, 20:60] = 255
    alpha[20, 20:60] = 120
    rgb = np.where((alpha > 0)[..., None], np.uint8([200, 30, 30]), np.uint8([0, 255, 0])).astype(np.uint8)
    still = _cut(rgb, tmp_path, alpha=alpha)
    assert still.alpha is not None
    np.testing.assert_array_equal(still.alpha, alpha)
    np.testing.assert_array_equal(still.rgb[alpha > 0], rgb[alpha > 0])
    assert np.abs(still.rgb[18, 40].astype(int) - (200, 30, 30)).max() < 8


def test_an_own_cut_out_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    """An alpha that is 0 everywhere is an error that says so."""
    with pytest.raises(InvalidInput, match="see-through everywhere"):
        _cut(np.zeros((100, 80, 3), np.uint8), tmp_path, alpha=np.zeros((100, 80), np.uint8))


def test_foreground_colours_lose_the_old_background() -> None:
    """Known colours blended over white are recovered to a few code values in the soft edge."""
    a = np.clip(np.linspace(-0.5, 1.5, 200), 0, 1).astype(np.float32)[None, :].repeat(80, 0)
    colour = np.full((80, 200, 3), (60, 40, 120), np.uint8)
    photo = np.round(to_srgb(a[..., None] * to_linear(colour) + (1 - a[..., None]))).astype(np.uint8)
    soft = (a > 0.1) & (a < 0.9)
    found = foreground_colours(photo, a)
    assert np.abs(found.astype(int) - colour)[soft].mean() < 0.15 * np.abs(photo.astype(int) - colour)[soft].mean()


def test_the_guided_filter_moves_a_soft_edge_onto_a_hard_one() -> None:
    """A blurred and shifted step comes back as a step where the guide has its own."""
    guide = np.zeros((64, 96, 3), np.float32)
    guide[:, 50:] = (0.8, 0.4, 0.2)
    source = cv2.GaussianBlur((np.arange(96)[None, :].repeat(64, 0) >= 48).astype(np.float32), (0, 0), 3)
    result = guided(guide, source, 10, 1e-4)
    assert result[:, 50].mean() - result[:, 49].mean() > 0.6
    assert source[:, 50].mean() - source[:, 49].mean() < 0.2


def test_the_same_picture_gives_the_same_pixels(tmp_path: Path) -> None:
    """Matting is deterministic."""
    first, second = (_cut(ASTRONAUT[:300, 100:380], tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.alpha, second.alpha)


def test_closed_form_without_pymatting_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing optional library is an error with the command that brings it."""
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingDependency) as caught:
        _cut(ASTRONAUT, tmp_path, "closed-form")
    assert "vpgen[neural]" in str(caught.value.remedy)
