"""Light and air: what the sky, the sun and the haze do to the colours of things at each time of day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vpgen.backends.animatic.brush import Colour

_Sky = tuple[Colour, Colour, Colour, Colour, Colour, float]
_SKIES: dict[str, tuple[_Sky, ...]] = {
    # top, middle, horizon, light, fill, exposure; a seed picks one of its time's
    "dawn": (
        ((96, 122, 186), (226, 174, 198), (255, 216, 176), (255, 216, 190), (134, 136, 180), 0.96),
        ((112, 148, 196), (196, 206, 222), (255, 222, 190), (255, 224, 200), (140, 150, 178), 0.97),
        ((108, 104, 170), (206, 158, 200), (255, 196, 180), (255, 206, 196), (134, 126, 178), 0.95),
    ),
    "day": (
        ((52, 128, 212), (118, 186, 236), (206, 232, 244), (255, 250, 238), (150, 172, 200), 1.08),
        ((40, 142, 204), (112, 200, 224), (214, 240, 236), (255, 252, 236), (146, 180, 194), 1.08),
        ((82, 140, 214), (152, 196, 240), (226, 236, 248), (255, 248, 240), (156, 170, 204), 1.06),
    ),
    "golden": (
        ((98, 142, 190), (246, 200, 138), (255, 224, 150), (255, 212, 144), (142, 136, 162), 1.03),
        ((124, 150, 186), (250, 192, 150), (255, 218, 172), (255, 208, 158), (146, 134, 166), 1.02),
        ((86, 152, 178), (236, 208, 142), (255, 230, 166), (255, 220, 148), (138, 142, 152), 1.03),
    ),
    "dusk": (
        ((46, 42, 104), (196, 84, 118), (255, 160, 92), (255, 170, 128), (108, 92, 156), 0.88),
        ((38, 52, 112), (140, 96, 156), (255, 168, 130), (255, 178, 146), (98, 96, 160), 0.88),
        ((58, 48, 98), (222, 96, 88), (255, 186, 96), (255, 180, 120), (116, 90, 140), 0.9),
    ),
    "night": (
        ((10, 15, 46), (24, 40, 92), (62, 86, 142), (158, 182, 236), (62, 78, 128), 0.66),
        ((8, 22, 44), (20, 56, 88), (62, 112, 138), (160, 196, 228), (58, 88, 122), 0.66),
        ((18, 14, 50), (44, 38, 96), (92, 84, 150), (172, 176, 238), (74, 74, 132), 0.66),
    ),
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
    haze: float = 0.06
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


def light_of(time: str, weather: str | None, moods: tuple[str, ...], variant: int = 0) -> Light:
    """The light at a time of day in a weather; moods push saturation and brightness."""
    skies = _SKIES[time]
    top, middle, horizon, light, fill, exposure = skies[variant % len(skies)]
    found = Light(time, top, middle, horizon, light, fill, exposure)
    grey = {"cloudy": 0.55, "rain": 0.68, "storm": 0.85, "snow": 0.68, "fog": 0.5}.get(weather or "", 0.0)
    if grey:
        dim = {"storm": 0.62, "snow": 0.92}.get(weather or "", 0.8)
        pale = float(np.array(horizon) @ (0.3, 0.5, 0.2)) * dim
        cool = 0.03 if weather == "snow" else 0.065
        sky = mix((pale * (1 - cool), pale, pale * (1 + cool)), horizon, 0.3 if weather == "fog" else 0.12)
        found = replace(
            found,
            top=mix(mix(top, (60, 70, 84), 0.3), sky, grey),
            middle=mix(middle, sky, grey),
            horizon=mix(horizon, tuple(1.04 * s for s in sky), grey * 0.9),
            light=mix(light, tuple(0.86 * s + 30 for s in sky), grey),
            fill=mix(fill, sky, grey * 0.6),
            exposure=exposure * {"storm": 0.74, "snow": 1.06}.get(weather or "", 0.94),
            haze=0.075 * {"fog": 3.6, "snow": 2.0, "rain": 1.8}.get(weather or "", 1.2),
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
