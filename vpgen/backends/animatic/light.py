"""Light and air: what the sky, the sun and the haze do to the colours of things at each time of day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vpgen.backends.animatic.brush import Colour

_SKIES: dict[str, tuple[Colour, Colour, Colour, Colour, Colour, float]] = {
    # top, middle, horizon, light, fill, exposure
    "dawn": ((92, 118, 176), (214, 176, 196), (255, 214, 178), (255, 214, 186), (132, 130, 168), 0.92),
    "day": ((52, 128, 212), (118, 186, 236), (206, 232, 244), (255, 250, 238), (150, 172, 200), 1.08),
    "golden": ((98, 142, 190), (246, 200, 138), (255, 224, 150), (255, 206, 128), (150, 128, 124), 1.0),
    "dusk": ((46, 42, 104), (196, 84, 118), (255, 160, 92), (255, 152, 104), (104, 78, 128), 0.86),
    "night": ((8, 12, 36), (20, 32, 74), (52, 70, 118), (158, 182, 236), (58, 74, 124), 0.52),
}


@dataclass(frozen=True)
class Light:
    """The light of a scene. Colours are sRGB 0 to 255; `sun` is where sun or moon stands (x, y) or None."""

    time: str
    top: Colour
    middle: Colour
    horizon: Colour
    light: Colour
    fill: Colour
    exposure: float
    haze: float = 0.085
    saturation: float = 1.0
    snow: bool = False
    wet: bool = False

    @property
    def night(self) -> bool:
        """Are windows and lamps lit?"""
        return self.time in {"night", "dusk"}

    @property
    def air(self) -> Colour:
        """The colour that distance fades to."""
        return mix(self.middle, self.horizon, 0.65)

    def lit(self, colour: Colour, depth: float = 1.0) -> Colour:
        """A thing's own colour as it looks in this light, seen through the air at that depth."""
        tint = (0.46 * np.array(self.fill) + 0.62 * np.array(self.light)) / 255 * self.exposure
        seen = np.minimum(np.array(colour) * tint, 255)
        grey = seen @ (0.2126, 0.7152, 0.0722)
        seen = grey + (seen - grey) * self.saturation
        return mix(tuple(seen), self.air, 1 - float(np.exp(-self.haze * max(0.0, depth - 1))))


def light_of(time: str | None, weather: str | None, moods: tuple[str, ...]) -> Light:
    """The light at a time of day in a weather; moods push saturation and brightness."""
    top, middle, horizon, light, fill, exposure = _SKIES[time or "day"]
    found = Light(time or "day", top, middle, horizon, light, fill, exposure)
    grey = {"cloudy": 0.55, "rain": 0.68, "storm": 0.85, "snow": 0.55, "fog": 0.6}.get(weather or "", 0.0)
    if grey:
        dim = 0.62 if weather == "storm" else 0.8
        pale = float(np.array(horizon) @ (0.3, 0.5, 0.2)) * dim
        sky: Colour = (pale * 0.94, pale, pale * 1.07)
        found = replace(
            found,
            top=mix(mix(top, (60, 70, 84), 0.3), sky, grey),
            middle=mix(middle, sky, grey),
            horizon=mix(horizon, tuple(1.04 * s for s in sky), grey * 0.9),
            light=mix(light, tuple(0.86 * s + 30 for s in sky), grey),
            fill=mix(fill, sky, grey * 0.6),
            exposure=exposure * (0.82 if weather == "storm" else 0.92),
            haze=0.085 * {"fog": 4.5, "snow": 2.0, "rain": 1.8}.get(weather or "", 1.2),
            saturation=1 - 0.35 * grey,
        )
    found = replace(found, wet=weather in {"rain", "storm"}, snow=weather == "snow")
    for mood, (saturation, brightness) in {"lonely": (0.82, 0.95), "cheerful": (1.12, 1.05), "dark": (0.75, 0.72),
                                           "dreamy": (1.05, 1.04), "pastel": (0.8, 1.08), "neon": (1.2, 0.95)}.items():  # fmt: skip
        if mood in moods:
            found = replace(found, saturation=found.saturation * saturation, exposure=found.exposure * brightness)
    if "dreamy" in moods or "pastel" in moods:
        found = replace(found, top=mix(found.top, (206, 176, 232), 0.3), middle=mix(found.middle, (250, 200, 222), 0.3))
    return found


def mix(a: Colour | tuple[float, ...], b: Colour | tuple[float, ...], t: float) -> Colour:
    """Between two colours, in linear light: t 0 gives `a`, 1 gives `b`."""
    first, second = (np.asarray(c, np.float64).clip(0, 255) / 255 for c in (a, b))
    between = (first**2.2 * (1 - t) + second**2.2 * t) ** (1 / 2.2) * 255
    return float(between[0]), float(between[1]), float(between[2])


def shade(colour: Colour, by: float) -> Colour:
    """Darker (by < 1) or lighter (by > 1)."""
    r, g, b = (min(255.0, c * by) for c in colour)
    return r, g, b
