"""The figure illustrator: what it reads, that it draws what it read, and that the cut-out is sound."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.backends.animatic.backend import Animatic, AnimaticParams
from vpgen.backends.animatic.figure import draw_figure, read
from vpgen.clip import Prompt
from vpgen.stages import BackgroundRequest, CharacterRequest, Work

SIZE = (256, 256)

READINGS = [
    # text, who, pose, facing, garments, accessories, colours, hair
    ("빨간 코트를 입고 걷는 여자", "woman", "walk", None, {"coat"}, set(), {"coat": "red"}, None),
    ("하얀 원피스를 입은 긴 머리 소녀", "girl", None, None, {"dress"}, set(), {"dress": "white"}, "long"),
    ("노란 우산을 든 남자아이", "boy", None, None, set(), {"umbrella"}, {"umbrella": "yellow"}, None),
    ("산에서 우산 없이 서 있는 남자", "man", "stand", None, set(), set(), {}, None),
    ("바다를 바라보는 여자의 뒷모습", "woman", "gaze", "away", set(), set(), {}, None),
    ("뒤돌아보는 소년", "boy", "look_back", None, set(), set(), {}, None),
    ("배를 타고 온 어부", "man", None, None, set(), set(), {}, None),
    ("배낭을 멘 청년이 달린다", "man", "run", None, set(), {"backpack"}, {}, None),
    ("안개 속의 여인", "woman", None, None, set(), set(), {}, None),
    ("무지개 아래 춤추는 아이", "child", "dance", None, set(), set(), {}, None),
    ("강아지와 산책하는 할머니", "grandmother", "walk", None, set(), {"dog"}, {}, None),
    ("개와 노인", "elder", None, None, set(), {"dog"}, {}, None),
    ("책상에 앉아 책을 읽는 소녀", "girl", "sit", None, set(), {"book"}, {}, None),
    ("책상 옆에 선 채 왼쪽을 보는 신사", "man", "stand", "left", set(), set(), {}, None),
    ("테니스 코트에 서 있는 남자", "man", "stand", None, set(), set(), {}, None),
    ("머리띠를 한 단발머리 여학생", "girl", None, None, {"uniform"}, set(), {}, "bob"),
    ("긴 검은 머리의 여자", "woman", None, None, set(), set(), {"hair": "black"}, "long"),
    ("빨간 모자와 파란 목도리를 한 소년", "boy", None, None, set(), {"hat", "scarf"},
     {"hat": "red", "scarf": "blue"}, None),
    ("붉은 노을 아래 코트를 입은 여자", "woman", None, None, {"coat"}, set(), {}, None),
    ("검은 갓을 쓴 선비", None, None, None, set(), {"gat"}, {"gat": "black"}, None),
    ("파란 옷을 입은 아가씨", "woman", None, None, {"clothes"}, set(), {"clothes": "blue"}, None),
    ("손을 흔드는 로봇", "robot", "wave", None, set(), set(), {}, None),
    ("두 팔을 벌린 우주 비행사", "astronaut", "spread", None, set(), set(), {}, None),
    ("노란우비를 입은 꼬마", "boy", None, None, {"raincoat"}, set(), {"raincoat": "yellow"}, None),
    ("a woman in a yellow raincoat with a red umbrella", "woman", None, None, {"raincoat"}, {"umbrella"},
     {"raincoat": "yellow", "umbrella": "red"}, None),
    ("an old man with a cane, walking", "grandfather", "walk", None, set(), {"cane"}, {}, None),
    ("a girl in red shoes and a blue skirt", "girl", None, None, {"shoes", "skirt"}, set(),
     {"shoes": "red", "skirt": "blue"}, None),
    ("a man on a coastal road at the capital", "man", None, None, set(), set(), {}, None),
    ("a boy running on a tennis court without a hat", "boy", "run", None, set(), set(), {}, None),
    ("woman with long curly blond hair, facing the camera", "woman", None, "toward", set(), set(), {}, "long"),
    ("woman dressed in black", "woman", None, None, set(), set(), {"clothes": "black"}, None),
    ("a man looking at the dark blue sea in a coat", "man", "gaze", None, {"coat"}, set(), {}, None),
    ("a man in a grey suit carries a brown suitcase to the left", "man", None, "left", {"suit"}, {"suitcase"},
     {"suit": "grey", "suitcase": "brown"}, None),
    ("children wearing headphones", "child", None, None, set(), {"headphones"}, {}, None),
    ("a woman seen from behind with a cat", "woman", None, "away", set(), {"cat"}, {}, None),
    ("a hot dog stand in fog", None, "stand", None, set(), set(), {}, None),
    ("photographer with a film camera", None, None, None, set(), {"camera"}, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "who", "pose", "facing", "garments", "accessories", "colours", "hair"), READINGS)
def test_words_become_attributes(text, who, pose, facing, garments, accessories, colours, hair):
    """Korean and English descriptions are read, and look-alike words are not mistaken for them."""
    reading = read(text)
    assert (reading.who, reading.pose, reading.facing, reading.hair) == (who, pose, facing, hair)
    assert set(reading.garments) == garments
    assert set(reading.accessories) == accessories
    assert reading.colours == colours


def test_the_same_request_gives_the_same_pixels():
    """Text, seed and size decide every pixel."""
    first, second = draw_figure("걷는 여자", 3, SIZE), draw_figure("걷는 여자", 3, SIZE)
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.alpha, second.alpha)


def _over_grey(text: str, seed: int) -> np.ndarray:
    still = draw_figure(text, seed, SIZE)
    share = still.alpha[..., None] / 255
    return still.rgb * share + 128 * (1 - share)


def test_seeds_and_words_make_visibly_different_figures():
    """Another seed or another prompt changes a fifth of what the figures cover, by eye."""
    pictures = [_over_grey("a woman", seed) for seed in range(4)] + [_over_grey("달리는 소년", 0)]
    for n, one in enumerate(pictures):
        for other in pictures[n + 1 :]:
            covered = np.any((one != 128) | (other != 128), axis=2)
            changed = np.abs(one - other).max(axis=2) > 24
            assert np.count_nonzero(changed) > 0.2 * np.count_nonzero(covered)


HUES = {"red": (0, 8), "yellow": (20, 32), "green": (60, 85), "blue": (100, 118), "purple": (128, 150)}
NAMES = {"red": "빨간", "yellow": "노란", "green": "초록", "blue": "파란", "purple": "보라"}


def _share_of_hue(still, rows: tuple[float, float], hue: tuple[int, int]) -> float:
    """The share of the figure between two heights (fractions of the canvas) that is strongly of a hue (OpenCV, 0-180)."""
    band = slice(int(rows[0] * still.rgb.shape[0]), int(rows[1] * still.rgb.shape[0]))
    hsv = cv2.cvtColor(still.rgb[band], cv2.COLOR_RGB2HSV)
    figure = still.alpha[band] > 200
    low, high = hue
    near = (np.abs((hsv[..., 0].astype(int) - (low + high) // 2 + 90) % 180 - 90) <= (high - low) // 2 + 4) & (
        hsv[..., 1] > 70
    )
    return np.count_nonzero(near & figure) / np.count_nonzero(figure)


@pytest.mark.parametrize("colour", HUES)
@pytest.mark.parametrize(
    ("korean", "english", "rows", "share"),
    [
        ("코트를 입은 여자", "coat worn by a woman", (0.25, 0.55), 0.6),
        ("원피스를 입은 여자", "dress on a woman", (0.4, 0.65), 0.6),
        ("바지를 입은 남자", "trousers on a man, facing us", (0.6, 0.85), 0.6),
        ("치마를 입은 여자, 하얀 셔츠", "skirt on a woman, white shirt", (0.48, 0.6), 0.6),
        ("우산을 든 남자", "umbrella held by a man", (0.02, 0.12), 0.5),
    ],
)
def test_a_colour_lands_on_the_garment_it_names(colour, korean, english, rows, share):
    """The named garment, and not another, is mostly of the named colour, in both languages."""
    for text in (f"{NAMES[colour]} {korean}", f"{colour} {english}"):
        still = draw_figure(text, 5, SIZE)
        assert _share_of_hue(still, rows, HUES[colour]) > share, text


def test_two_colours_stay_apart():
    """A red sweater over a blue skirt is red above and blue below."""
    still = draw_figure("빨간 스웨터와 파란 치마를 입은 여자", 2, SIZE)
    assert _share_of_hue(still, (0.25, 0.4), HUES["red"]) > 0.5 > _share_of_hue(still, (0.25, 0.4), HUES["blue"])
    assert _share_of_hue(still, (0.5, 0.6), HUES["blue"]) > 0.5 > _share_of_hue(still, (0.5, 0.6), HUES["red"])


@pytest.mark.parametrize("size", [(64, 64), (101, 333), (640, 360), (97, 64), (360, 640), (1001, 77)])
@pytest.mark.parametrize(
    "text",
    [
        "서 있는 여자",
        "a man with an umbrella and a dog",
        "두 팔을 벌린 남자",
        "앉아 있는 소녀와 고양이",
        "춤추는 여자",
        "a running boy with a balloon",
    ],
)
def test_a_figure_stays_inside_the_canvas_with_its_feet_on_the_line(size, text):
    """At any size, nothing touches the border, and the soles are at 96 % of the height."""
    width, height = size
    still = draw_figure(text, 1, size)
    assert still.rgb.shape == (height, width, 3)
    assert still.alpha.shape == (height, width)
    x, y, w, h = cv2.boundingRect((still.alpha > 8).astype(np.uint8))
    assert x >= 1
    assert y >= 0.01 * height - 1
    assert x + w <= width - 1
    assert abs((y + h) - 0.96 * height) <= max(1.5, 0.01 * height)
    assert abs((x + w / 2) - width / 2) <= max(1.5, 0.01 * width)


def test_a_standing_head_is_near_the_top():
    """Without anything overhead a standing person fills the canvas from 5 % to 96 %."""
    still = draw_figure("정면을 보고 서 있는 짧은 머리 남자", 4, (400, 400))
    rows = np.flatnonzero(still.alpha.max(axis=1) > 128)
    assert 0.03 * 400 <= rows[0] <= 0.07 * 400


def test_colours_go_on_under_transparency():
    """Shrinking the colours alone, without alpha, shows no dark or pale seam round the figure."""
    still = draw_figure("하얀 원피스를 입은 여자", 6, (300, 300))
    edge = (still.alpha > 0) & (still.alpha < 250)
    inside = (still.alpha >= 250).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    solid = np.zeros((labels.max() + 1, 3), np.uint8)
    solid[labels[inside > 0]] = still.rgb[inside > 0]
    off = np.abs(still.rgb.astype(int) - solid[labels]).max(axis=2)
    outside = (still.alpha == 0) & (cv2.dilate(inside, np.ones((5, 5), np.uint8)) > 0)
    assert np.median(off[edge]) < 16
    assert np.median(off[outside]) < 16
    assert still.rgb[still.alpha == 0].max() > 0


@pytest.mark.parametrize(
    "text", ["", "🌊🌊🌊", "가" * 10_000, "red " * 2_500, "\ud800 broken", "{{ 7*7 }}\x00\n", "(((((", "...~~~"]
)
def test_hostile_text_still_draws_somebody(text):
    """No text breaks the illustrator: at worst it draws a person of the seed's choosing."""
    assert np.count_nonzero(draw_figure(text, 0, (96, 96)).alpha > 200) > 200


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80), st.integers(0, 2**63 - 1))
def test_any_text_and_seed_draw(text, seed):
    """Every text and every allowed seed give a picture."""
    assert draw_figure(text, seed, (64, 64)).alpha.max() == 255


POSES = ("stand", "walking", "running", "sitting", "dancing", "waving", "arms wide", "gazing", "looking back")
CLOTHES = ("dress", "coat", "hoodie", "suit", "hanbok", "spacesuit", "kimono", "uniform", "raincoat", "skirt", "shorts")
THINGS = ("umbrella", "balloon", "lantern", "book", "guitar", "film camera", "suitcase", "bouquet", "phone", "sword", "cane", "cup of tea", "backpack", "scarf", "dog")  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(("woman", "man", "girl", "boy", "old woman", "robot", "astronaut")),
    st.sampled_from(POSES),
    st.sampled_from(("facing left", "facing us", "from behind", "facing right")),
    st.sampled_from(CLOTHES),
    st.sampled_from(THINGS),
)
def test_every_combination_can_be_drawn(who, pose, facing, clothes, thing):
    """Who, pose, facing, clothes and things combine freely."""
    still = draw_figure(f"a {who} {pose}, {facing}, {clothes}, {thing}", 1, (96, 96))
    assert np.count_nonzero(still.alpha > 200) > 150


def test_the_backend_draws_character_and_background(tmp_path):
    """The backend draws both stages at the size asked for, only the person with alpha, and estimates their cost."""
    backend = Animatic(AnimaticParams())
    prompt = Prompt(character="빨간 코트를 입은 여자", background="밤바다", motion="")
    work = Work(dir=tmp_path)
    person = backend.character(CharacterRequest(prompt, 1, (160, 90)), work)
    place = backend.background(BackgroundRequest(prompt, 1, (160, 90)), work)
    assert person.size == place.size == (160, 90)
    assert person.alpha is not None
    assert place.alpha is None
    assert backend.estimate(CharacterRequest(prompt, 1, (1920, 1080)))["cpu_second"] > 0
    assert Animatic.readiness().ready
