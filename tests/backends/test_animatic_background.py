"""Backgrounds: what is promised of every place, light, weather, size and text."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpgen.backends.animatic.backend import Animatic
from vpgen.backends.animatic.background import draw_background
from vpgen.backends.animatic.places import PLACES
from vpgen.backends.text.scene import read
from vpgen.clip import Scene
from vpgen.media.blend import flatten

WORDS = {
    "sea": "바닷가", "mountain": "mountain", "city": "도시", "forest": "forest", "desert": "사막", "room": "room",
    "space": "우주", "field": "field", "river": "강가", "village": "village", "snowfield": "설원", "park": "park",
}  # fmt: skip
TIMES = {"dawn": "새벽", "day": "noon", "golden": "golden hour", "dusk": "해질녘", "night": "night"}
WEATHERS = {"clear": "cloudless", "cloudy": "흐린", "rain": "rain", "snow": "눈", "fog": "fog", "storm": "폭풍"}
SIZES = ((64, 64), (97, 64), (64, 113), (201, 65))
SMALL = (192, 108)
UNDER_THE_SKY = [place for place in WORDS if place not in {"room", "space"}]


def picture(text, seed=1, size=SMALL):
    return draw_background(text, seed, size).rgb.astype(float)


def apart(a, b):
    """Mean absolute difference of two pictures, in code values."""
    return float(np.abs(a - b).mean())


def cases():
    """Each place with every time and every weather, paired so that six pictures a place are enough for both."""
    for index, (place, word) in enumerate(WORDS.items()):
        for at, weather in enumerate(WEATHERS):
            time = list(TIMES)[(at + index) % len(TIMES)]
            yield pytest.param(
                place, time, weather, f"{word}, {TIMES[time]}, {WEATHERS[weather]}", id=f"{place}-{time}-{weather}"
            )


@pytest.mark.parametrize(("place", "time", "weather", "text"), list(cases()))
def test_every_place_is_drawn_at_every_time_in_every_weather_at_odd_sizes(place, time, weather, text):
    """The picture has the size asked for, its scene what was said, and its layers are ordered, whole and flat."""
    size = SIZES[len(text) % len(SIZES)]
    still = draw_background(text, 3, size)
    assert still.rgb.shape == (size[1], size[0], 3)
    assert (still.scene.place, still.scene.time) == (place, time)
    assert still.scene.weather == (None if place in {"room", "space"} else weather)
    assert 0.4 <= still.scene.horizon <= 0.8 < still.scene.ground <= 1
    depths = [layer.depth for layer in still.layers]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == float("inf")
    assert still.layers[0].rgba[..., 3].min() == 255
    assert all(layer.rgba.shape == (size[1], size[0], 4) for layer in still.layers)
    assert np.array_equal(flatten(still.layers), still.rgb)
    assert len({layer.depth for layer in still.layers}) >= 4


@pytest.mark.parametrize("text", WORDS.values())
def test_the_same_words_seed_and_size_give_the_same_bits(text):
    """Layers and scene too, not only the flattened picture."""
    one, two = (draw_background(text, 5, SMALL) for _ in range(2))
    assert one.scene == two.scene
    for a, b in zip(one.layers, two.layers, strict=True):
        assert (a.name, a.depth) == (b.name, b.depth)
        assert np.array_equal(a.rgba, b.rgba)


@pytest.mark.parametrize("text", WORDS.values())
def test_seeds_look_different(text):
    """Any two of three seeds differ by more than noise would."""
    pictures = [picture(text, seed) for seed in range(3)]
    assert min(apart(a, b) for a, b in itertools.combinations(pictures, 2)) > 8


def test_places_look_different():
    """No two places are as alike as two seeds of one may be, in the same light."""
    pictures = [picture(f"{word}, 낮", 2) for word in WORDS.values()]
    assert min(apart(a, b) for a, b in itertools.combinations(pictures, 2)) > 14


@pytest.mark.parametrize("place", UNDER_THE_SKY)
def test_the_light_follows_the_time_of_day(place):
    """Night is much darker than day and bluer; dusk is darker too, and warmer."""
    day, dusk, night = (np.mean([picture(f"{WORDS[place]}, {t}", s) for s in range(2)], axis=(0, 1, 2)) for t in ("낮", "노을", "밤"))  # fmt: skip
    assert night.mean() < 0.62 * day.mean()
    assert night.mean() < dusk.mean() < day.mean()
    assert dusk[0] / dusk[2] > 1.15 * day[0] / day[2]
    assert night[2] > night[0] or place == "city"  # whose windows are lit


@pytest.mark.parametrize("place", [place for place in UNDER_THE_SKY if place not in {"snowfield", "sea", "desert"}])
def test_snow_whitens_the_ground(place):
    """White is what is bright in every channel: the darkest one rises in the lower fifth, where the ground is."""
    bare, snow = (picture(f"{WORDS[place]}, 낮{more}", 4)[-22:] for more in ("", ", 눈"))
    assert snow.min(axis=2).mean() > bare.min(axis=2).mean() + 40


def test_weather_hides_the_sun():
    """A storm is darker than a clear day, and in fog what is far has less contrast."""
    clear, storm, fog = (
        draw_background(f"a mountain at noon, {weather}", 1, SMALL) for weather in ("clear sky", "storm", "fog")
    )
    assert storm.rgb.mean() < 0.85 * clear.rgb.mean()
    contrast = [
        flatten([layer for layer in still.layers if layer.depth > 5])[40:70].std(axis=(0, 1)).mean()
        for still in (clear, fog)
    ]
    assert contrast[1] < 0.6 * contrast[0]


@pytest.mark.parametrize("text", [f"{WORDS[place]}, 낮" for place in WORDS])
def test_size_does_not_change_the_composition(text):
    """The same picture, only finer: shrunk, the large one is near the small one."""
    small, large = picture(text, 6, (240, 135)), picture(text, 6, (960, 540))
    shrunk = large.reshape(135, 4, 240, 4, 3).mean(axis=(1, 3))
    assert apart(small, shrunk) < 6


THINGS = {
    "lighthouse": ("sea", "등대"), "boat": ("sea", "돛단배"), "pier": ("sea", "a pier"), "palm": ("sea", "야자수"),
    "bridge": ("river", "a bridge"), "waterfall": ("river", "폭포"), "skyline": ("river", "skyline"), "lake": ("river", "호수"),
    "tower": ("city", "남산타워"), "rooftop": ("city", "옥상"), "stop": ("city", "bus stop"), "moon": ("city", "보름달"),
    "crescent": ("desert", "crescent moon"), "aurora": ("mountain", "오로라"), "pyramid": ("desert", "pyramids"),
    "summit": ("mountain", "정상"), "bamboo": ("forest", "bamboo"), "birch": ("forest", "자작나무"), "pine": ("forest", "pine trees"),
    "hanok": ("village", "한옥"), "thatched": ("village", "초가집"), "fountain": ("park", "분수"),
    "igloo": ("snowfield", "igloo"), "ice": ("snowfield", "빙하"), "rocket": ("space", "로켓"), "earth": ("space", "the earth"),
    "mars": ("space", "화성"), "flag": ("space", "a flag"), "kitchen": ("room", "부엌"), "bedroom": ("room", "bedroom"),
    "cafe": ("room", "카페"), "classroom": ("room", "a classroom"), "office": ("room", "사무실"), "bookshelf": ("room", "책장"),
    "windmill": ("field", "풍차"), "wheat": ("field", "밀밭"), "lavender": ("field", "lavender"), "sunflower": ("field", "해바라기"),
    "rainbow": ("field", "rainbow"), "balloon": ("field", "열기구"), "birds": ("field", "갈매기"), "cabin": ("field", "오두막"),
    "lamp": ("field", "가로등"), "bench": ("field", "a bench"), "campfire": ("field", "모닥불"), "lantern": ("field", "연등"),
    "cactus": ("desert", "선인장"),
}  # fmt: skip


@pytest.mark.parametrize(("thing", "place", "word"), [(thing, *rest) for thing, rest in THINGS.items()])
def test_what_is_named_is_drawn(monkeypatch, thing, place, word):
    """The word is read, and drawing it changes the picture where nothing else differs."""
    from vpgen.backends.animatic.stage import Stage

    text = f"{word}, {WORDS[place]}" + ("" if place in {"space", "room"} else ", 낮, 맑은")
    assert thing in read(text).props
    assert read(text).place == place
    seeds = range(8 if thing == "cactus" else 1)  # most deserts have one anyway
    named = [picture(text, seed) for seed in seeds]
    has = Stage.has
    monkeypatch.setattr(Stage, "has", lambda stage, *things: has(stage, *(t for t in things if t != thing)))
    changed = [
        (np.abs(one - picture(text, seed)).max(axis=2) > 24).mean() for one, seed in zip(named, seeds, strict=True)
    ]
    assert max(changed) > 0.001


@pytest.mark.parametrize(
    "text",
    ["", "🌊🌊🌊", "가" * 2_000, "바다 " * 700, "\ud800 broken", "{{ 7*7 }}\x00\n", "((((", "...~~~", "달" * 2_000],
)
def test_hostile_text_still_draws_a_place(text):
    """No text breaks the illustrator: at worst it draws open country."""
    still = draw_background(text, 0, (96, 96))
    assert still.rgb.std() > 10
    assert isinstance(still.scene, Scene)


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=60), st.integers(0, 2**63 - 1))
def test_any_text_and_seed_draw(text, seed):
    """Every text and every allowed seed give a picture."""
    assert draw_background(f"바다 {text}", seed, (64, 64)).rgb.std() > 5


def test_the_side_of_the_light_is_where_the_sun_is():
    """The scene's light points at the brightest column of the sky, mirrored or not; consecutive seeds alternate."""
    sides = []
    for seed in range(4):
        still = draw_background("사막, 낮, 맑은", seed, SMALL)
        sky = still.layers[0].rgba[:40, :, :3].astype(float).sum(axis=2)
        column = np.unravel_index(sky.argmax(), sky.shape)[1] / SMALL[0]
        assert (column > 0.5) == (still.scene.light[0] > 0)
        sides.append(still.scene.light[0] > 0)
    assert sides in ([True, False, True, False], [False, True, False, True])


def test_rain_does_not_fall_indoors_or_in_space():
    """The animator draws the weather that the scene names over everything."""
    assert draw_background("비 오는 저녁 창가의 방", 0, (96, 54)).scene.weather is None
    assert draw_background("비 내리는 거리", 0, (96, 54)).scene.weather == "rain"


VERSION_3 = {
    "sea": [169.3, 190.5, 214.6],
    "mountain": [138.1, 173.8, 187.5],
    "city": [134.9, 142.5, 151.9],
    "forest": [153.2, 175.5, 151.0],
    "desert": [177.0, 182.0, 190.2],
    "room": [181.0, 182.3, 166.4],
    "space": [89.8, 85.3, 102.9],
    "field": [136.6, 177.6, 191.1],
    "river": [131.4, 169.3, 187.8],
    "village": [136.8, 176.0, 175.7],
    "snowfield": [155.7, 193.0, 224.8],
    "park": [123.8, 162.9, 156.1],
}


def test_changed_pictures_come_with_a_new_version():
    """What is stored is found by the backend's version. When this fails: bump it, and write down the new means here."""
    assert Animatic.version == "3"
    assert set(PLACES) == set(WORDS)
    means = {
        place: picture(f"{word}, 낮", 0, (96, 54)).mean(axis=(0, 1)).round(1).tolist() for place, word in WORDS.items()
    }
    for place, mean in VERSION_3.items():
        assert means[place] == pytest.approx(mean, abs=0.3), f"{place}: {means}"
