"""Compositing: people stand, sit low or fill the frame where they should, in the scene's light and without a halo."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vpgen.backends.compositor import Compositor
from vpgen.clip import Layer, Prompt, Scene, Still
from vpgen.errors import InvalidInput
from vpgen.media.blend import flatten
from vpgen.media.matte import foreground_colours
from vpgen.media.scene import estimate_scene, to_linear, to_srgb
from vpgen.stages import CompositeRequest, Ref, Work

WIDTH, HEIGHT = 320, 180
DAY = Scene(horizon=0.5, ground=0.9, light=(0.6, 0.6), light_rgb=(255, 250, 238), ambient_rgb=(150, 172, 200))
NIGHT = DAY.model_copy(update={"light_rgb": (158, 182, 236), "ambient_rgb": (58, 74, 124), "light": (0.1, 0.2)})


def _person(*, cut: bool = False, colour: tuple[int, int, int] = (180, 120, 90)) -> Still:
    """A head on a body: whole, with room around it, or cut by the picture's lower edge."""
    alpha = np.zeros((200, 160), np.uint8)
    cv2.circle(alpha, (80, 40), 16, 255, -1, cv2.LINE_AA)
    cv2.rectangle(alpha, (62, 58), (98, 199 if cut else 180), 255, -1)
    return Still(rgb=np.full((200, 160, 3), colour, np.uint8), alpha=alpha)


def _place(scene: Scene = DAY, colour: int = 120) -> Still:
    """A plain place with a layer behind and one in front of the person."""
    rgb = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    front = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    front[-10:, :40] = (20, 90, 20, 255)
    layers = (
        Layer("sky", np.dstack([rgb, np.full((HEIGHT, WIDTH), 255, np.uint8)]), float("inf")),
        Layer("leaves", front, 0.7),
    )
    return Still(rgb=flatten(layers), layers=layers, scene=scene)


def _composite(person: Still, background: Still, work: Path, words: str = "a woman", **params: float) -> Still:
    request = CompositeRequest(
        Ref("person", lambda: person),
        Ref("background", lambda: background),
        Prompt(character=words, background="", motion=""),
    )
    return Compositor(Compositor.Params(**params)).composite(request, Work(dir=work))


def _layer(still: Still, name: str) -> NDArray[np.uint8]:
    return next(layer.rgba for layer in still.layers if layer.name == name)


def _box(still: Still) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the person."""
    x, y, w, h = cv2.boundingRect((_layer(still, "person")[..., 3] > 64).astype(np.uint8))
    return x, y, x + w, y + h


def test_the_layers_are_in_order_and_flatten_to_the_picture(tmp_path: Path) -> None:
    """What is behind, the shadow, the person, what is in front: and their flattening is the picture."""
    still = _composite(_person(), _place(), tmp_path)
    assert [layer.name for layer in still.layers] == ["sky", "shadow", "person", "leaves"]
    assert still.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(flatten(still.layers), still.rgb)


def test_a_flat_background_becomes_one_layer(tmp_path: Path) -> None:
    """A photo goes in as one plane behind the person, and its light is estimated."""
    photo = Still(rgb=np.full((HEIGHT, WIDTH, 3), (60, 90, 160), np.uint8))
    still = _composite(_person(), photo, tmp_path)
    assert [(layer.name, layer.depth) for layer in still.layers] == [
        ("background", 3.0),
        ("shadow", 1.0),
        ("person", 1.0),
    ]
    assert still.scene != Scene()


def test_a_whole_person_stands_on_the_ground(tmp_path: Path) -> None:
    """The soles are on the scene's ground line, and the height keeps the eyes near the horizon."""
    _, top, _, bottom = _box(_composite(_person(), _place(), tmp_path))
    assert abs(bottom - 0.9 * HEIGHT) <= 1
    assert 0.44 <= (bottom - top) / HEIGHT <= 0.73


def test_a_person_cut_at_the_waist_touches_the_lower_edge(tmp_path: Path) -> None:
    """A half-length photo fills the frame from below as a medium shot, with no shadow on a ground nobody sees."""
    still = _composite(_person(cut=True), _place(), tmp_path)
    _, top, _, bottom = _box(still)
    assert bottom == HEIGHT
    assert (bottom - top) / HEIGHT > 0.7
    assert not _layer(still, "shadow")[..., 3].any()


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("a wide shot of a hiker", 0.2, 0.4),
        ("전신 샷, 걷는 여자", 0.6, 0.73),
        ("close-up of a girl", 0.85, 1.0),
        ("소녀의 클로즈업", 0.85, 1.0),
    ],
)
def test_the_shot_decides_the_size(words: str, low: float, high: float, tmp_path: Path) -> None:
    """Wide, full and close shots, in Korean and English, make the person small, whole and large."""
    _, top, _, bottom = _box(_composite(_person(), _place(), tmp_path, words))
    assert low <= (bottom - top) / HEIGHT <= high


@pytest.mark.parametrize(
    ("words", "middle"),
    [("a man on the left", 1 / 3), ("왼쪽에 선 남자", 1 / 3), ("a man on the right", 2 / 3),
     ("오른쪽에 선 남자", 2 / 3), ("a man in the centre", 0.5), ("중앙에 선 남자", 0.5)],
)  # fmt: skip
def test_words_decide_the_side(words: str, middle: float, tmp_path: Path) -> None:
    """Left, right and centre are obeyed in both languages."""
    left, _, right, _ = _box(_composite(_person(), _place(), tmp_path, words))
    assert abs((left + right) / 2 / WIDTH - middle) < 0.02


@pytest.mark.parametrize("busy", ["left", "right"])
def test_the_calmer_side_is_taken(busy: str, tmp_path: Path) -> None:
    """Without words the person stands in the third where less is going on."""
    rgb = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    noise = np.random.default_rng(2).integers(0, 255, (HEIGHT // 6, WIDTH // 12, 3), np.uint8)
    half = cv2.resize(noise, (WIDTH // 2, HEIGHT), interpolation=cv2.INTER_NEAREST)
    rgb[:, : WIDTH // 2] = half if busy == "left" else 128
    rgb[:, WIDTH // 2 :] = half if busy == "right" else 128
    left, _, right, _ = _box(_composite(_person(), Still(rgb=rgb), tmp_path))
    assert ((left + right) / 2 < WIDTH / 2) == (busy == "right")


def test_parameters_win_over_words(tmp_path: Path) -> None:
    """An explicit scale and x are taken as they are."""
    left, top, right, bottom = _box(
        _composite(_person(), _place(), tmp_path, "wide shot on the left", scale=0.5, x=0.75)
    )
    assert abs((bottom - top) / HEIGHT - 0.5) < 0.02
    assert abs((left + right) / 2 / WIDTH - 0.75) < 0.02


def test_night_makes_the_person_darker_and_bluer(tmp_path: Path) -> None:
    """The same person is darker and bluer at night than by day, and untouched with harmony 0."""

    def body(scene: Scene, **params: float) -> NDArray[np.float64]:
        still = _composite(_person(), _place(scene, 120 if scene is DAY else 30), tmp_path, x=0.5, **params)
        plane = _layer(still, "person")
        opaque = cv2.erode((plane[..., 3] == 255).astype(np.uint8), np.ones((9, 9))) > 0
        return np.asarray(plane[opaque][:, :3].mean(axis=0))

    day, night, plain = body(DAY), body(NIGHT), body(NIGHT, harmony=0)
    assert night.mean() < 0.75 * day.mean()
    assert night[2] / night[0] > 1.1 * day[2] / day[0]
    np.testing.assert_allclose(plain, (180, 120, 90), atol=1.5)


@pytest.mark.parametrize("x", [-0.7, 0.7])
def test_the_shadow_falls_away_from_the_light(x: float, tmp_path: Path) -> None:
    """Darkness on the ground lies on the far side of the feet, and is darkest at the feet."""
    scene = DAY.model_copy(update={"light": (x, 0.4), "ground": 0.8})
    still = _composite(_person(), _place(scene), tmp_path, x=0.5)
    cast = _layer(still, "shadow")[..., 3].astype(float)
    columns = cast[round(0.8 * HEIGHT) + 3 :].sum(axis=0)
    centre = float((columns * np.arange(WIDTH)).sum() / columns.sum())
    assert (centre - WIDTH / 2) * x < 0
    assert cast.max() == pytest.approx(cast[round(0.8 * HEIGHT) - 4 : round(0.8 * HEIGHT) + 5].max())


def test_no_halo(tmp_path: Path) -> None:
    """A dark, soft-edged person filmed before white and moved to black keeps an edge within two code values.

    The truth is the foreground blended in linear light over the new place; the naive way, pasting the photo's own
    pixels with the alpha, is far off.
    """
    rng = np.random.default_rng(5)
    alpha = np.zeros((120, 100), np.float32)
    cv2.ellipse(alpha, (50, 66), (30, 50), 0, 0, 360, 1.0, -1)
    for angle in rng.uniform(0, 2 * np.pi, 60):  # hair
        tip = (round(50 + 40 * np.cos(angle)), round(66 + 60 * np.sin(angle)))
        cv2.line(alpha, (50, 66), tip, 1.0, 1, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 2.0)
    coverage = np.round(alpha * 255).astype(np.uint8)
    a = (coverage / np.float32(255))[..., None].astype(np.float32)
    person = np.full((120, 100, 3), (70, 45, 30), np.uint8)
    photo = np.round(to_srgb(a * to_linear(person) + (1 - a))).astype(np.uint8)
    dark = Still(rgb=np.full((HEIGHT, WIDTH, 3), 12, np.uint8), scene=DAY)

    def edge_error(colours: NDArray[np.uint8], *, careful: bool) -> float:
        x, y, w, h = cv2.boundingRect((coverage > 8).astype(np.uint8))
        if careful:
            cut = Still(rgb=colours, alpha=coverage)
            still = _composite(cut, dark, tmp_path, scale=h / HEIGHT, x=0.5, harmony=0)
            top, left = round(0.9 * HEIGHT) - h, round(WIDTH / 2 - w / 2)
            got = flatten((Layer("place", still.layers[0].rgba, 3), still.layers[-1]))[top : top + h, left : left + w]
        else:
            got = (colours * a + 12 * (1 - a))[y : y + h, x : x + w]
        share = a[y : y + h, x : x + w]
        truth = to_srgb(share * to_linear(person[y : y + h, x : x + w]) + (1 - share) * to_linear(np.uint8(12)))
        ring = (share[..., 0] > 0.02) & (share[..., 0] < 0.98)
        return float(np.abs(got - truth)[ring].mean())

    ours, naive = edge_error(foreground_colours(photo, a[..., 0]), careful=True), edge_error(photo, careful=False)
    assert ours < 2, f"{ours:.1f} against {naive:.1f}"
    assert naive > 10 * ours


def test_refuses_a_person_without_alpha_or_with_an_empty_one(tmp_path: Path) -> None:
    """A picture that was never cut out, and one that is see-through everywhere, are refused with a remedy."""
    for alpha in (None, np.zeros((200, 160), np.uint8)):
        with pytest.raises(InvalidInput) as caught:
            _composite(Still(rgb=_person().rgb, alpha=alpha), _place(), tmp_path)
        assert caught.value.remedy


def test_refuses_a_person_outside_the_frame(tmp_path: Path) -> None:
    """A ground line above the frame with a huge person would show nothing: that is said."""
    with pytest.raises(InvalidInput, match="outside"):
        _composite(_person(), _place(DAY.model_copy(update={"ground": 0.0})), tmp_path, scale=0.5)


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.05, 3), x=st.floats(0, 1), light=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    ground=st.floats(0.3, 1), cut=st.booleans(),
)  # fmt: skip
def test_any_placement_and_light_make_a_picture(
    scale: float,
    x: float,
    light: tuple[float, float],
    ground: float,
    cut: bool,  # noqa: FBT001  # hypothesis passes by name
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever size, place and light: the person is in the picture and the layers flatten to it."""
    scene = DAY.model_copy(update={"light": light, "ground": ground})
    still = _composite(_person(cut=cut), _place(scene), tmp_path_factory.getbasetemp(), scale=scale, x=x)
    assert _layer(still, "person")[..., 3].any()
    np.testing.assert_array_equal(flatten(still.layers), still.rgb)


def test_the_same_request_gives_the_same_pixels(tmp_path: Path) -> None:
    """Compositing is deterministic."""
    first, second = (_composite(_person(), _place(), tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)


def test_the_estimate_reads_light_and_horizon_from_pixels() -> None:
    """A bright sky with the sun on the right over dark land: light from the upper right, horizon where they meet."""
    rgb = np.zeros((180, 320, 3), np.uint8)
    rgb[:80] = (120, 160, 210)
    rgb[80:] = (50, 60, 30)
    cv2.circle(rgb, (260, 40), 34, (255, 240, 200), -1)
    scene = estimate_scene(rgb)
    assert abs(scene.horizon - 80 / 180) < 0.03
    assert scene.light[0] > 0.1
    assert scene.light[1] > 0
    assert sum(scene.light_rgb) > sum(scene.ambient_rgb)
    assert scene.time is None
    assert estimate_scene((rgb * 0.12).astype(np.uint8)).time == "night"
