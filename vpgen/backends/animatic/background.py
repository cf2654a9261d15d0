"""Prompt → layered picture of a place: reads the words, sets the light, lets the place draw itself."""

from __future__ import annotations

import zlib

import numpy as np

from vpgen.backends.animatic import outdoors, settled
from vpgen.backends.animatic.elements import Stage, props
from vpgen.backends.animatic.light import Light, light_of
from vpgen.backends.text import encoder
from vpgen.backends.text.scene import Reading, read
from vpgen.clip import Scene, Still
from vpgen.media.blend import flatten

PLACES = {
    "sea": outdoors.sea,
    "mountain": outdoors.mountain,
    "forest": outdoors.forest,
    "desert": outdoors.desert,
    "field": outdoors.field,
    "river": outdoors.river,
    "snowfield": outdoors.snowfield,
    "city": settled.city,
    "village": settled.village,
    "park": settled.park,
    "room": settled.room,
    "space": settled.space,
}
_MEANINGS = {
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
GROUND = 0.93


def draw_background(text: str, seed: int, size: tuple[int, int]) -> Still:
    """A layered picture of what the text says, in Korean or English; the same for the same text, seed and size.

    `size` is (width, height). What the text leaves open the seed decides.
    """
    reading = read(text)
    random = np.random.default_rng([seed, zlib.crc32(text.encode())])
    place = reading.place or _guess(text, reading)
    time = reading.time or ("night" if place == "space" else str(random.choice(["day", "day", "golden", "dawn"])))
    light = light_of(time, reading.weather if place != "space" else None, reading.moods)
    reading = Reading(place, time, reading.weather, reading.season, reading.moods, reading.props)
    aspect = size[0] / size[1]
    side = 1 if random.random() < 0.5 else -1
    height = {"dawn": 0.46, "dusk": 0.47, "golden": 0.33, "day": 0.17, "night": 0.18}[time]
    sun = (aspect * (0.5 + side * random.uniform(0.16, 0.30)), height + random.uniform(-0.02, 0.02))
    stage = Stage(
        reading, light, random, size, [], sun, korean="한옥" in text or "초가" in text or "hanok" in text.lower()
    )
    horizon = PLACES[place](stage)
    if place not in {"room", "space"}:
        props(stage, horizon, side)
        _air(stage, horizon)
    layers = tuple(sheet.layer() for sheet in sorted(stage.sheets, key=lambda sheet: -sheet.depth))
    return Still(rgb=flatten(layers), layers=layers, scene=_scene(reading, light, sun, aspect, horizon))


def _guess(text: str, reading: Reading) -> str:
    """The place of a text that names none: what it holds decides, then its meaning, then open country."""
    for prop, place in (("lighthouse", "sea"), ("boat", "sea"), ("palm", "sea"), ("cactus", "desert"), ("rocket", "space"),
                        ("planet", "space"), ("bookshelf", "room"), ("window", "room"), ("lamp", "city"), ("bench", "park"),
                        ("blossom", "park"), ("pine", "forest"), ("cabin", "forest"), ("campfire", "forest"),
                        ("bridge", "river"), ("tower", "city"), ("windmill", "field")):  # fmt: skip
        if prop in reading.props:
            return place
    if "neon" in reading.moods:
        return "city"
    if any(c.isalpha() for c in text) and not (reading.time or reading.weather) and encoder.available():
        return encoder.nearest(text[:300], _MEANINGS)
    return "field" if reading.weather != "snow" else "snowfield"


def _air(stage: Stage, horizon: float) -> None:
    """Bands of mist in fog."""
    if stage.reading.weather != "fog":
        return
    for depth, y in ((5.0, horizon + 0.02), (1.2, 0.80)):
        sheet = stage.sheet("fog", depth)
        for _ in range(9):
            x = stage.random.uniform(0, stage.aspect)
            sheet.ellipses(
                [(x, y + stage.random.uniform(-0.05, 0.05), stage.random.uniform(0.3, 0.6), 0.035)],
                stage.light.air,
                alpha=0.35,
            )


def _scene(reading: Reading, light: Light, sun: tuple[float, float], aspect: float, horizon: float) -> Scene:
    soft = 0.35 if reading.weather in {"rain", "storm", "cloudy", "snow", "fog"} else 1.0
    towards = ((sun[0] / aspect - 0.5) * 2 * soft, max(0.1, 0.75 - sun[1]) * soft)
    tint = tuple(round(min(255.0, c * min(1.0, light.exposure))) for c in light.light)
    fill = tuple(round(min(255.0, c * min(1.0, light.exposure))) for c in light.fill)
    return Scene.model_validate(
        {
            "place": reading.place,
            "time": reading.time,
            "weather": reading.weather,
            "season": reading.season,
            "horizon": horizon,
            "ground": GROUND,
            "light": towards,
            "light_rgb": tint,
            "ambient_rgb": fill,
        }
    )
