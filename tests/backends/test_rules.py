"""Stories split into prompts, and texts read into scenes, in Korean and English."""

import pytest

from vpgen.backends.rules import Rules, RulesParams, split
from vpgen.backends.text.scene import read
from vpgen.clip import Prompt
from vpgen.stages import PlanRequest, Work

CASES = [
    ("해질녘 바닷가를 걷는 여자, 카메라가 천천히 다가간다", "걷는 여자", "해질녘 바닷가", "카메라가 천천히 다가간다"),
    ("빨간 코트를 입은 남자가 비 오는 도시를 걷는다", "빨간 코트를 입은 남자가", "비 오는 도시", ""),
    ("노란 우산을 쓴 채 바닷가를 걷는 소녀", "노란 우산을 쓴", "바닷가", ""),
    ("눈 덮인 산을 바라보는 등산객. 카메라가 뒤로 물러난다", "등산객", "눈 덮인 산", "뒤로 물러난다"),
    ("벚꽃 핀 공원에서 책을 읽는 소년", "책을 읽는 소년", "벚꽃 핀 공원", ""),
    ("조용한 숲속의 오두막 앞에서 기타를 치는 할아버지", "기타를 치는 할아버지", "조용한 숲속의 오두막 앞", ""),
    ("우주비행사가 달 표면에 서 있다", "우주비행사가 서 있다", "달 표면", ""),
    ("여자는 바닷가를 걷는다", "여자는 걷는다", "바닷가", ""),
    ("가을 숲길을 달리는 강아지", "달리는 강아지", "가을 숲길", ""),
    ("비 내리는 네온 도시의 밤, 검은 우산을 든 여자, 패닝", "검은 우산을 든 여자", "네온 도시의 밤", "패닝"),
    ("안개 낀 호수에서 노를 젓는 노인", "노인", "안개 낀 호수", ""),
    ("교실 창가에 앉은 학생, 수채화 스타일", "앉은 학생", "교실 창가", ""),
    ("사막을 건너는 상인들", "상인들", "사막", ""),
    ("밤하늘 아래 손을 흔드는 아이", "손을 흔드는 아이", "밤하늘 아래", ""),
    ("A woman walks along the beach at dusk, slow push in", "A woman walks", "the beach at dusk", "slow push in"),
    ("A boy with a yellow umbrella waits at a neon bus stop at night, slow push in", "yellow umbrella", "neon bus stop at night", "push in"),
    ("An old man in a grey coat sits on a park bench in autumn", "old man in a grey coat", "park bench in autumn", ""),
    ("A girl looking at the sea", "girl looking", "sea", ""),
    ("snowy mountains, a lone hiker with a backpack, crane up", "lone hiker with a backpack", "snowy mountains", "crane up"),
    ("a robot holding a flower in a desert at sunrise, orbit", "robot holding a flower", "desert at sunrise", "orbit"),
    ("An astronaut stands on the moon surface, static shot", "astronaut stands", "moon surface", "static shot"),
    ("A chef in a white uniform cooks in a small kitchen", "chef in a white uniform", "small kitchen", ""),
    ("Two friends run through a golden wheat field. Camera pans left", "Two friends run", "wheat field", "Camera pans left"),
    ("A knight walks toward a castle in the fog", "knight walks", "fog", ""),
]  # fmt: skip


@pytest.mark.parametrize(("story", "character", "background", "motion"), CASES)
def test_words_go_where_they_belong(story: str, character: str, background: str, motion: str) -> None:
    """Who and what they wear, where and when, and how the camera moves land in their own prompts."""
    parts = split(story, use_encoder=False)
    assert character in parts["character"]
    assert background in parts["background"]
    assert motion in parts["motion"]
    assert character not in parts["background"]


SCENES = [
    ("해질녘 바닷가", "sea", "dusk", None), ("비 내리는 네온 도시의 밤", "city", "night", "rain"), ("눈 덮인 산", "mountain", None, "snow"),
    ("가을 숲길", "forest", None, None), ("달 표면", "space", None, None), ("벚꽃 핀 공원", "park", None, None),
    ("우산을 쓴 강아지", None, None, None), ("비행기를 탄 남자", None, None, None), ("눈을 감은 소녀", None, None, None),
    ("산책하는 여자", None, None, None), ("달리는 남자", None, None, None), ("긴 다리의 여자", None, None, None),
    ("바닷가 마을", "village", None, None), ("안개 낀 호수", "river", None, "fog"), ("사막의 한낮", "desert", "day", None),
    ("밤하늘의 은하수", "space", "night", None), ("새벽의 설원", "snowfield", "dawn", "clear"), ("황금빛 들판", "field", "golden", None),
    ("서울 거리의 저녁", "city", "dusk", None), ("폭풍우 치는 바다", "sea", None, "storm"), ("거실의 창가", "room", None, None),
    ("village by the sea at dawn", "village", "dawn", None), ("a rainy neon city street at night", "city", "night", "rain"),
    ("A cozy bedroom with a window", "room", None, None), ("surface of the moon", "space", None, None),
    ("snowy mountains with pine trees", "mountain", None, "snow"), ("a foggy lake at sunrise", "river", "dawn", "fog"),
    ("sunny meadow", "field", "day", "clear"), ("beaches", "sea", None, None), ("the arctic under northern lights", "snowfield", None, "clear"),
    ("a desert at golden hour", "desert", "golden", None), ("park in autumn", "park", None, None), ("", None, None, None),
    ("trainer", None, None, None), ("unicorn", None, None, None), ("a rose", None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "time", "weather"), SCENES)
def test_scenes_are_read(text: str, place: str | None, time: str | None, weather: str | None) -> None:
    """Place, time and weather are read, and look-alike words (우산, 비행기, 눈을 감은) are not taken for them."""
    reading = read(text)
    assert (reading.place, reading.time, reading.weather) == (place, time, weather)


def test_a_story_with_jinja_in_it_comes_out_as_it_went_in() -> None:
    """The story is data, never a template."""
    prompt = _plan('A woman named {{ 7 * 7 }} {% raw %} "quoted" walks along the beach')
    assert '{{ 7 * 7 }} {% raw %} "quoted" walks' in prompt.character


def test_what_the_story_leaves_open_gets_a_default_in_its_language() -> None:
    """Every prompt says something."""
    assert _plan("바닷가").character == "한 사람"
    assert _plan("dancer") == Prompt(
        character="dancer", background="a quiet open field", motion="slow push in", negative=_plan("x").negative
    )


def test_planning_twice_gives_the_same() -> None:
    """The encoder included."""
    story = "재즈가 흐르는 저녁, 누군가 미소 짓는다, 모든 것이 느려진다"
    assert _plan(story) == _plan(story)


def _plan(story: str) -> Prompt:
    from pathlib import Path

    return Rules(RulesParams()).plan(PlanRequest(story), Work(dir=Path()))
