"""Prompt → layered picture of a place: reads the words, sets the light, lets the place draw itself."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import cast

import numpy as np

from vpgen.backends.animatic.brush import pill
from vpgen.backends.animatic.light import Light, light_of, mix
from vpgen.backends.animatic.named import named
from vpgen.backends.animatic.places import PLACES
from vpgen.backends.animatic.stage import OVERCAST, Stage
from vpgen.backends.text import encoder
from vpgen.backends.text.scene import Reading, read
from vpgen.clip import MAX_STORY, Place, Scene, Still, TimeOfDay
from vpgen.media.blend import flatten

_BELONGS: dict[str, Place] = {
    "lighthouse": "sea", "pier": "sea", "boat": "sea", "palm": "sea", "cactus": "desert", "pyramid": "desert", "rocket": "space",
    "earth": "space", "mars": "space", "bookshelf": "room", "window": "room", "kitchen": "room", "lamp": "city", "stop": "city",
    "bench": "park", "fountain": "park", "blossom": "park", "hanok": "village", "igloo": "snowfield", "ice": "snowfield",
    "pine": "forest", "cabin": "forest", "campfire": "forest", "waterfall": "river", "bridge": "river", "tower": "city",
    "aurora": "snowfield", "windmill": "field", "balloon": "field", "rainbow": "field",
}  # fmt: skip
_MEANINGS: dict[str, str] = {
    "sea": "the sea, a beach, the coast, ships",
    "mountain": "mountains, peaks, hiking, cliffs",
    "city": "a city street with buildings, traffic, shops",
    "forest": "a forest with trees",
    "desert": "a hot desert with sand",
    "room": "inside a room of a house, furniture, indoors",
    "space": "outer space, planets, stars, science fiction",
    "field": "an open field, a meadow, farmland",
    "river": "a river or a lake, fishing, water",
    "village": "a small village with houses",
    "snowfield": "a frozen land of ice and snow",
    "park": "a park or garden, picnic, flowers",
}
_ON_THE_MOON = re.compile(r"(?:on |of )?the moon\b|(?:.*\s)?달(?:에|\s?위|\s?표면)", re.IGNORECASE)
GROUND = 0.93
INDOORS = frozenset({"room", "space"})
"""Where there is no weather: none falls, and nothing stands about that belongs under the sky."""
_SUN = {"dawn": 0.46, "dusk": 0.46, "golden": 0.33, "day": 0.16, "night": 0.18}
_NOCTURNAL = {"moon", "crescent", "aurora", "campfire", "lantern"}


def draw_background(text: str, seed: int, size: tuple[int, int]) -> Still:
    """A layered picture of what the text says, in Korean or English; the same for the same text, seed and size.

    `size` is (width, height). What the text leaves open the seed decides.
    """
    text = text[:MAX_STORY].encode("utf-8", "replace").decode()  # no half of a surrogate pair reaches the encoder
    reading, words = read(text), zlib.crc32(text.encode())
    random = np.random.default_rng([seed, words])
    place = cast("Place", reading.place) if reading.place else _guess(text, reading)
    time = reading.time or _time(place, reading, random)
    light = light_of(time, reading.weather if place != "space" else None, reading.moods, seed + words // 4)
    if place == "space":  # the sun shines there, whatever the sky looks like
        light = replace(light, light=(255, 248, 236), fill=(96, 96, 140), exposure=0.95)
    reading = replace(reading, place=place, time=time)
    aspect = size[0] / size[1]
    # Consecutive seeds show the sun on other sides, and every other pair what else there is.
    turn = (seed + words) % 4
    side = 1 if turn in {1, 2} else -1
    sun = (aspect * (0.5 + side * random.uniform(0.14, 0.32)), _SUN[time] + random.uniform(-0.025, 0.025))
    stage = Stage(reading, light, random, size, [], sun, mirror=turn >= 2)
    horizon = PLACES[place](stage)
    if place not in INDOORS:
        named(stage, horizon)
        _air(stage, horizon)
    layers = tuple(sheet.layer() for sheet in sorted(stage.sheets, key=lambda sheet: -sheet.depth))
    shown = (aspect - sun[0], sun[1]) if stage.mirror else sun
    return Still(rgb=flatten(layers), layers=layers, scene=_scene(reading, light, shown, aspect, horizon))


def _time(place: str, reading: Reading, random: np.random.Generator) -> TimeOfDay:
    """The time of day of a text that names none: what it holds decides, then the seed, for day more often than not."""
    chosen: TimeOfDay = ("day", "day", "day", "golden", "dawn")[int(random.integers(5))]
    if place == "space" or _NOCTURNAL & set(reading.props):
        return "night"
    if "neon" in reading.moods:
        return "night"
    if (
        "rainbow" in reading.props
        or reading.weather in {"storm", "clear", "snow"}
        or reading.season in {"spring", "summer"}
    ):
        return "day"
    return chosen


def _guess(text: str, reading: Reading) -> Place:
    """The place of a text that names none: what it holds decides, then its meaning, then open country."""
    for prop, place in _BELONGS.items():
        if prop in reading.props:
            return place
    if "neon" in reading.moods:
        return "city"
    if _ON_THE_MOON.match(text):
        return "space"
    if any(c.isalpha() for c in text) and not (reading.time or reading.weather) and encoder.available():
        return cast("Place", encoder.nearest(text[:300], _MEANINGS))
    return "field" if reading.weather != "snow" else "snowfield"


def _air(stage: Stage, horizon: float) -> None:
    """Banks of mist in fog, between what is far and what is near."""
    if stage.reading.weather != "fog":
        return
    light = stage.light
    pale = mix(light.air, (255, 255, 255), 0.25 if light.time != "night" else 0.04)
    for depth, y, count in ((10.0, horizon - 0.03, 6), (4.5, horizon + 0.05, 6), (1.2, 0.80, 4)):
        sheet = stage.sheet("fog", depth)
        for x in (np.arange(count) + stage.random.uniform(0, 1, count)) / count * stage.aspect:
            long, thick = stage.random.uniform(0.25, 0.6), stage.random.uniform(0.018, 0.04)
            at = y + stage.random.uniform(-0.05, 0.05)
            for share in (1.0, 0.72, 0.4):
                sheet.polygon(pill(x - long * share, x + long * share, at, 2 * thick * share), pale, alpha=0.27)


def _scene(reading: Reading, light: Light, sun: tuple[float, float], aspect: float, horizon: float) -> Scene:
    soft = 0.35 if reading.weather in OVERCAST else 1.0
    towards = ((sun[0] / aspect - 0.5) * 2 * soft, max(0.1, 0.75 - sun[1]) * soft)
    # By moonlight a person is shown brighter than the ground, as films do, or nobody would see them.
    level = min(1.0, 0.35 + 0.65 * light.exposure)
    tint, fill = (tuple(round(min(255.0, c * level)) for c in colour) for colour in (light.light, light.fill))
    return Scene.model_validate(
        {
            "place": reading.place,
            "time": reading.time,
            "weather": None if reading.place in INDOORS else reading.weather,
            "season": reading.season,
            "horizon": horizon,
            "ground": GROUND,
            "light": towards,
            "light_rgb": tint,
            "ambient_rgb": fill,
        }
    )
