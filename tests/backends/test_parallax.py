"""The animator: every moment a function of time alone, parallax by depth, weather that falls."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from vpgen.backends.parallax import Parallax, ParallaxParams
from vpgen.clip import ClipSpec, Layer, Prompt, Scene, Still
from vpgen.media.ambient import Weather
from vpgen.media.color import as_pixels, convert
from vpgen.stages import AnimateRequest, Ref, Work

SIZE = (320, 180)


def still(weather: str | None = None, *, person: bool = True) -> Still:
    """A textured sky, water below, a red person."""
    random = np.random.default_rng(1)
    sky = np.dstack(
        [cv2.resize(random.integers(60, 200, (18, 32, 3), np.uint8), SIZE), np.full(SIZE[::-1], 255, np.uint8)]
    )
    water = np.zeros((180, 320, 4), np.uint8)
    water[100:] = (30, 90, 160, 255)
    body = np.zeros((180, 320, 4), np.uint8)
    cv2.ellipse(body, (160, 120), (16, 46), 0, 0, 360, (220, 40, 40, 255), -1, cv2.LINE_AA)
    layers = (Layer("sky", sky, math.inf), Layer("sea", water, 6.0)) + ((Layer("person", body, 1.0),) if person else ())
    return Still(rgb=sky[..., :3], layers=layers, scene=Scene.model_validate({"weather": weather}))


def frames(
    motion: str, spec: ClipSpec | None = None, picture: Still | None = None, seed: int = 3, **params: object
) -> list[np.ndarray]:
    spec = spec or ClipSpec(size=SIZE, fps=6, seconds=1)
    prompt = Prompt(character="", background="", motion=motion)
    request = AnimateRequest(Ref("k", lambda: picture or still()), prompt, seed, spec)
    animated = Parallax(ParallaxParams.model_validate(params)).animate(request, Work(dir=Path()))
    return list(as_pixels(animated, "rgb24").open())


def centre(frame: np.ndarray) -> tuple[float, float, float]:
    """Where the red person is (x, y) and how large."""
    red = ((frame[..., 0] > 150) & (frame[..., 1] < 90)).astype(np.float64)
    ys, xs = np.mgrid[: red.shape[0], : red.shape[1]]
    return float((xs * red).sum() / red.sum()), float((ys * red).sum() / red.sum()), float(red.sum())


def test_the_same_request_gives_the_same_pixels() -> None:
    """Twice, bit for bit, weather and all; another seed rains elsewhere."""
    rain = still("rain")
    one, two, other = (frames("push in", picture=rain, seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[2], other[2])


def test_a_moment_looks_the_same_at_any_rate() -> None:
    """Frame 3 at 6 fps and frame 6 at 12 fps are the same half second."""
    slow = frames("orbit", ClipSpec(size=SIZE, fps=6, seconds=1))
    fast = frames("orbit", ClipSpec(size=SIZE, fps=12, seconds=1))
    assert np.array_equal(slow[3], fast[6])


def test_a_moment_looks_the_same_at_any_size() -> None:
    """Half the size is the same picture, resampled."""
    large = frames("push in", ClipSpec(size=SIZE, fps=6, seconds=1))[3]
    small = frames("push in", ClipSpec(size=(160, 90), fps=6, seconds=1))[3]
    reduced = cv2.resize(large, (160, 90), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(int) - small).mean() < 3.0


@pytest.mark.parametrize(
    ("motion", "check"),
    [
        ("push in", lambda a, b: b[2] > 1.1 * a[2]),
        ("pull out", lambda a, b: b[2] < 0.9 * a[2]),
        ("pan left", lambda a, b: b[0] > a[0] + 8),
        ("pan right", lambda a, b: b[0] < a[0] - 8),
        ("tilt up", lambda a, b: b[1] > a[1] + 3),
        ("crane down", lambda a, b: b[1] < a[1] - 3),
        ("static", lambda a, b: abs(b[0] - a[0]) < 0.5 and abs(b[1] - a[1]) < 0.5),
    ],
)
def test_the_move_is_seen(motion: str, check) -> None:
    """Pushing in makes the person larger, panning left moves them right, and so on."""
    seen = frames(motion, ambient=False)
    assert check(centre(seen[0]), centre(seen[-1]))


def test_no_black_edge_comes_into_the_picture() -> None:
    """Whatever the move, the border is never empty."""
    for motion in ("pan left fast", "pull out", "orbit", "handheld", "crane up", "tilt down"):
        for frame in frames(motion, picture=still(person=False)):
            border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
            assert border.max(axis=1).min() > 20


def test_motion_is_smooth() -> None:
    """The path has no jump: its second difference (the ease itself needs 0.06) stays below a tenth of a pixel."""
    lone = still()
    dark = Layer("sky", np.dstack([np.zeros((180, 320, 3), np.uint8), np.full((180, 320), 255, np.uint8)]), math.inf)
    picture = Still(rgb=dark.rgba[..., :3], layers=(dark, lone.layers[-1]))
    spec = ClipSpec(size=SIZE, fps=24, seconds=2)
    columns = np.arange(320)
    path = [
        float((frame[..., 0].sum(axis=0) * columns).sum() / frame[..., 0].sum())
        for frame in frames("pan left", spec, picture, ambient=False)
    ]
    assert np.abs(np.diff(path, 2)).max() < 0.1


@pytest.mark.parametrize("weather", ["rain", "snow", "storm"])
def test_weather_falls(weather: str) -> None:
    """With the camera still, rain and snow change every frame; in clear weather the sky stands."""
    falling = frames("static", picture=still(weather))
    clear = frames("static", picture=still())
    assert np.abs(falling[0][:90].astype(int) - falling[1][:90]).mean() > 0.3
    assert np.abs(clear[0][:90].astype(int) - clear[1][:90]).mean() < 0.05


def test_strength_zero_and_no_ambience_is_a_still() -> None:
    """Nothing moves when nothing may."""
    held = frames("push in", strength=0, ambient=False)
    assert all(np.array_equal(held[0], frame) for frame in held)


def test_a_flat_photo_moves_too() -> None:
    """A picture without layers is one plane."""
    photo = Still(rgb=still().rgb)
    seen = frames("push in", picture=photo)
    assert not np.array_equal(seen[0], seen[-1])


@pytest.mark.parametrize("weather", ["rain", "snow", "storm"])
@pytest.mark.parametrize("level", [0, 120, 255])
def test_rain_and_snow_lie_between_their_colour_and_what_is_behind(weather: str, level: int) -> None:
    """Over bright and dark alike: no drop has a colour of its own making."""
    falling = Weather.of(Scene.model_validate({"weather": weather}), (320, 180), 0)
    assert falling is not None
    planes = tuple(np.full(shape, level, np.uint8) for shape in ((180, 320), (90, 160), (90, 160)))
    falling.over(planes, 1.0)
    tint = convert(np.full((2, 2, 3), falling.tint, np.uint8), "rgb24", "yuv444p")[:, 0, 0].tolist()
    assert any((plane != level).any() for plane in planes)
    for plane, value in zip(planes, tint, strict=True):
        assert min(level, value) - 1 <= plane.min()
        assert plane.max() <= max(level, value) + 1
