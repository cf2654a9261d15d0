"""The frozen values that travel through vpgen: request, prompt, clip spec, pictures, scenes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

RGB = NDArray[np.uint8]
"""A picture or frame: uint8, (height, width, 3), sRGB."""
Alpha = NDArray[np.uint8]
"""Coverage: uint8, (height, width), 255 is opaque."""

MAX_STORY = 2_000
"""Characters. A six-second clip has no use for more, and text encoders cut far earlier."""


class Value(BaseModel):
    """A frozen pydantic model that refuses unknown fields, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def clean_text(text: str) -> str:
    """Normalise to NFC, drop control and private characters, fold white space.

    Raises ValueError when no letter or digit is left or the text is longer than MAX_STORY.
    """
    text = unicodedata.normalize("NFC", text)
    kept = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    text = " ".join("".join(c for c in kept if unicodedata.category(c) not in {"Cs", "Co", "Cn"}).split())
    if not any(c.isalnum() for c in text):
        raise ValueError("there is no word in this text; describe a person, a place and a movement")
    if len(text) > MAX_STORY:
        raise ValueError(f"this text has {len(text)} characters; the limit is {MAX_STORY}")
    return text


Text = Annotated[str, AfterValidator(clean_text)]
Size = tuple[Annotated[int, Field(ge=64, le=7680)], Annotated[int, Field(ge=64, le=4320)]]
"""(width, height) in pixels."""


class ClipSpec(Value):
    """What a video file must be: size (width, height; even), frames per second, seconds."""

    size: Size = (1920, 1080)
    fps: Annotated[int, Field(ge=1, le=120)] = 24
    seconds: Annotated[float, Field(gt=0, le=60)] = 6.0

    @model_validator(mode="after")
    def _even(self) -> ClipSpec:
        if self.size[0] % 2 or self.size[1] % 2:
            raise ValueError(f"4:2:0 video needs an even width and height, not {self.size[0]}x{self.size[1]}")
        if self.frames < 1:
            raise ValueError(f"{self.seconds} s at {self.fps} fps is less than one frame")
        return self

    @property
    def frames(self) -> int:
        """Whole frames in the clip."""
        return round(Fraction(str(self.seconds)) * self.fps)


class Prompt(Value):
    """What the generating stages are told; made from the story by the plan stage."""

    character: str
    background: str
    motion: str
    style: str = ""
    negative: str = ""


class ClipRequest(Value):
    """One clip, as asked for. The pictures are SHA-256 digests of objects in the store."""

    story: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    prompt: Prompt | None = None
    character_image: str | None = None
    background_image: str | None = None


Place = Literal[
    "sea", "mountain", "city", "forest", "desert", "room", "space", "field", "river", "village", "snowfield", "park"
]
TimeOfDay = Literal["dawn", "day", "golden", "dusk", "night"]
Weather = Literal["clear", "cloudy", "rain", "snow", "fog", "storm"]
Season = Literal["spring", "summer", "autumn", "winter"]


class Scene(Value):
    """What is known of a picture beyond its pixels; a photo gets an estimate.

    `horizon` and `ground` are fractions of the height from the top: where sky meets land, and the
    line on which a person's feet stand. `light` is the direction *towards* the light as
    (x right, y up), its length 0 (diffuse) to 1 (hard); `light_rgb` its colour, `ambient_rgb` the fill.
    """

    place: Place | None = None
    time: TimeOfDay | None = None
    weather: Weather | None = None
    season: Season | None = None
    horizon: Annotated[float, Field(ge=0, le=1)] = 0.5
    ground: Annotated[float, Field(ge=0, le=1)] = 0.92
    light: tuple[float, float] = (0.0, 0.5)
    light_rgb: tuple[int, int, int] = (255, 255, 255)
    ambient_rgb: tuple[int, int, int] = (128, 128, 128)


@dataclass(frozen=True)
class Layer:
    """One plane of a layered picture, the size of the whole picture.

    `rgba`: uint8 (height, width, 4), straight (not premultiplied) alpha. `depth`: distance from the
    camera, 1 for the plane the person stands on, larger is farther, `inf` allowed for the sky,
    below 1 is in front of the person. `name` says what it is; the animator gives some names
    ambient motion: "sky", "stars", "clouds", "sea", "leaves", "person", "shadow", "reflection", "lights".
    """

    name: str
    rgba: NDArray[np.uint8]
    depth: float


@dataclass(frozen=True)
class Still:
    """A picture on its way through the stages.

    `rgb` is always the flattened picture. `alpha` is set when the picture is a cut-out (a person
    over nothing). `layers`, back to front, is set when the parts are known; flattening them gives
    `rgb`. `scene` is what the backend knows of place and light.
    """

    rgb: RGB
    alpha: Alpha | None = None
    layers: tuple[Layer, ...] = ()
    scene: Scene = field(default_factory=Scene)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


@dataclass(frozen=True)
class Video:
    """A video file on disk and what is in it."""

    path: Path
    size: tuple[int, int]
    fps: Fraction
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.frames / self.fps)
