"""What a place is drawn with: the reading, the light, the random numbers and the sheets so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge
from vpgen.backends.animatic.light import Light, mix, shade
from vpgen.backends.text.scene import Reading

T = TypeVar("T")
GREENS = {
    None: (92, 150, 84),
    "spring": (132, 190, 96),
    "summer": (72, 150, 80),
    "autumn": (206, 148, 70),
    "winter": (160, 152, 124),
}
LEAVES = {
    None: ((78, 146, 82), (112, 176, 94)),
    "spring": ((246, 172, 194), (255, 208, 222)),
    "summer": ((54, 132, 76), (90, 166, 86)),
    "autumn": ((212, 96, 44), (244, 164, 60)),
    "winter": ((142, 128, 122), (176, 166, 160)),
}
OVERCAST = frozenset({"rain", "storm", "cloudy", "snow", "fog"})
NIGHT_INK: Colour = (14, 18, 40)


@dataclass
class Stage:
    """Handed to every place; `sheet` adds a layer in front of the others."""

    reading: Reading
    light: Light
    random: np.random.Generator
    size: tuple[int, int]
    sheets: list[Sheet]
    sun: tuple[float, float]
    mirror: bool = False

    @property
    def aspect(self) -> float:
        """Width in units of the height."""
        return self.size[0] / self.size[1]

    def sheet(self, name: str, depth: float) -> Sheet:
        """A new layer in front of the others."""
        self.sheets.append(Sheet(name, depth, self.size, mirror=self.mirror))
        return self.sheets[-1]

    def has(self, *things: str) -> bool:
        """Does the prompt name one of them?"""
        return any(thing in self.reading.props for thing in things)

    def pick(self, *options: T) -> T:
        """One of them, by the seed."""
        return options[int(self.random.integers(len(options)))]

    def chance(self, share: float) -> bool:
        """True in that share of the seeds."""
        return bool(self.random.random() < share)

    @property
    def season(self) -> str | None:
        """Blossom is spring, whatever else is said."""
        return "spring" if self.has("blossom") else self.reading.season

    @property
    def leaves(self) -> tuple[Colour, Colour]:
        """Foliage in shade and in light, under snow when the ground is white."""
        return ((190, 202, 220), (236, 242, 250)) if self.white else LEAVES.get(self.season, LEAVES[None])

    @property
    def green(self) -> Colour:
        """Grass at this season, under snow when it snows."""
        return (232, 238, 247) if self.white else GREENS.get(self.season, GREENS[None])

    @property
    def earth(self) -> Colour:
        """A trodden path."""
        return (206, 216, 232) if self.white else (214, 188, 146)

    @property
    def white(self) -> bool:
        """Is the ground covered in snow?"""
        return self.light.snow or self.reading.place == "snowfield"

    @property
    def overcast(self) -> bool:
        """Is the sun behind clouds?"""
        return self.reading.weather in OVERCAST

    @property
    def low(self) -> bool:
        """Does the sun stand low?"""
        return self.light.time in {"dawn", "dusk", "golden"}

    @property
    def towards(self) -> int:
        """The side the light comes from: 1 right, -1 left."""
        return 1 if self.sun[0] > self.aspect / 2 else -1

    def cast(self, sheet: Sheet, x: float, y: float, width: float, length: float = 1.0) -> None:
        """The shadow on the ground of something that wide, which stands at (x, y), away from the light."""
        away = float(np.clip(1.6 * (x - self.sun[0]), -1, 1))
        reach = 0.0 if self.overcast else away * width * length * (1.7 if self.low else 0.6)
        oval = (x + reach * 0.5, y, width * 0.5 + abs(reach) * 0.5, width * 0.07 + 0.003)
        sheet.ellipses([oval], NIGHT_INK, alpha=0.14 if self.overcast else 0.26)

    def floor(
        self, name: str, depth: float, base: float, height: float, colour: Colour, rough: float = 0.3
    ) -> tuple[Sheet, NDArray[np.float64]]:
        """Ground of a colour on a sheet of its own, with its skyline."""
        sheet = self.sheet(name, depth)
        line = ridge(self.random, self.aspect, base, height, rough)
        lit = self.light.lit(colour, depth)
        sheet.polygon(down_to(line), mix(lit, self.light.light, 0.12), shade(mix(lit, self.light.fill, 0.1), 0.86))
        return sheet, line
