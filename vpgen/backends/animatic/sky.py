"""What hangs in the sky: sun, moon and stars, clouds for every weather, rainbow, northern lights, lightning."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, oval, pill
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.stage import Stage

STARS = ((0.0011, 190), (0.0019, 60), (0.0031, 14))
RAINBOW = ((226, 84, 84), (240, 160, 80), (246, 222, 110), (120, 196, 120), (96, 150, 220), (140, 110, 200))
AURORA = ((80, 236, 170), (90, 190, 230), (170, 110, 226))


def sky(stage: Stage, horizon: float = 0.6) -> None:
    """Gradient, stars, sun or moon, clouds, and what the prompt names up there."""
    light = stage.light
    back = stage.sheet("sky", float("inf"))
    back.fill(light.top, light.horizon, light.middle, 0.55)
    night = light.time == "night"
    if night and not stage.overcast:
        stars(stage, stage.sheet("stars", float("inf")), 0.62)
    if night or stage.has("moon", "crescent"):
        away = stage.sun if night else (stage.aspect - stage.sun[0], 0.17)
        moon(back, away, light.top, crescent=stage.has("crescent"), big=stage.has("moon"), dim=stage.overcast)
    if not night and not stage.overcast:
        _sun(stage, back)
    elif not night:
        back.glow(stage.sun, 0.4, mix(light.horizon, (255, 255, 255), 0.3), 0.35)
    if stage.has("aurora") or (night and stage.reading.place == "snowfield" and not stage.overcast):
        aurora(stage)
    clouds(stage)
    if stage.has("rainbow"):
        _rainbow(stage, horizon)
    if stage.reading.weather == "storm":
        _lightning(stage, horizon)
    if light.wet:
        _curtains(stage, horizon)


def _sun(stage: Stage, back: Sheet) -> None:
    light, at = stage.light, stage.sun
    warm = mix(light.light, (255, 244, 214), 0.35)
    size = {"day": 0.05, "golden": 0.066, "dawn": 0.07, "dusk": 0.085}.get(light.time, 0.06)
    back.glow(at, 0.45, warm, 0.42)
    back.glow(at, 0.16, warm, 0.5)
    core = {"dusk": (255, 214, 150), "dawn": (255, 238, 206), "golden": (255, 242, 198)}.get(
        light.time, (255, 250, 232)
    )
    back.ellipses([(*at, size * 1.45, size * 1.45)], warm, alpha=0.25)
    back.ellipses([(*at, size, size)], core)


def stars(stage: Stage, sheet: Sheet, down_to: float) -> None:
    """Three sizes of star, thinning out towards the horizon."""
    for size, count in STARS:
        spots = stage.random.uniform((0, 0), (stage.aspect, 1), (count, 2))
        spots[:, 1] = down_to * spots[:, 1] ** 1.3
        sheet.ellipses(((x, y, size, size) for x, y in spots), (238, 241, 255), alpha=0.92)


def moon(
    sheet: Sheet, at: tuple[float, float], sky_top: Colour, *, crescent: bool, big: bool, dim: bool = False
) -> None:
    """A full moon with its seas, or a crescent: a disc less a disc."""
    (x, y), r = at, 0.078 if big else 0.06 if crescent else 0.048
    sheet.glow(at, r * 3.4, (150, 170, 220), 0.2 if dim else 0.36)
    if crescent:
        turn = np.linspace(-1.95, 1.95, 40)
        outer = np.stack([x + r * np.cos(turn), y + r * np.sin(turn)], axis=1)
        inner = np.linspace(1, -1, 30)
        hollow = np.stack([outer[0, 0] + r * 0.98 * (1 - inner**2), y + inner * abs(outer[0, 1] - y)], axis=1)
        tilt = np.array([[0.9, 0.43], [-0.43, 0.9]])
        sheet.polygon((np.concatenate([outer, hollow]) - at) @ tilt + at, (250, 240, 206))
        return
    disc = mix((248, 242, 218), sky_top, 0.45) if dim else (248, 242, 218)
    sheet.ellipses([(x, y, r, r)], disc)
    seas = ((-0.3, -0.22, 0.24), (0.34, 0.22, 0.15), (0.1, -0.46, 0.12), (-0.22, 0.42, 0.16))
    sheet.ellipses(((x + a * r, y + b * r, c * r, c * r) for a, b, c in seas), shade(disc, 0.93))


def aurora(stage: Stage) -> None:
    """Curtains of light: rays that stand on a winding line and fade upwards."""
    sheet, random = stage.sheet("lights", float("inf")), stage.random
    x = np.linspace(-0.08, stage.aspect + 0.08, 400)
    for index, colour in enumerate(AURORA):
        phase, rays = (
            random.uniform(0, 6, 3),
            np.interp(x, np.linspace(-0.1, stage.aspect + 0.1, 90), random.uniform(0.6, 1.25, 90)),
        )
        foot = 0.42 - 0.10 * index + 0.06 * np.sin(x * 2.4 + phase[0]) + 0.02 * np.sin(x * 6.5 + phase[1])
        reach = (0.10 + 0.03 * np.sin(x * 4 + phase[2])) * rays
        sheet.veil(np.stack([x, foot], axis=1), reach, colour, 0.62)


def clouds(stage: Stage) -> None:
    """Heaps in a clear sky, long bars when the sun is low, a lid when it is overcast."""
    weather, random = stage.reading.weather, stage.random
    sheet = stage.sheet("clouds", 40)
    if weather in {"rain", "storm", "snow"}:
        _lid(stage, sheet)
        return
    if weather == "fog":
        return
    if weather == "cloudy":
        _lid(stage, sheet, rows=2)
        for y, size, step in ((0.43, 0.34, 0.8), (0.30, 0.55, 0.9)):
            for x in np.arange(random.uniform(-0.2, 0.3), stage.aspect + 0.3, step):
                heap(
                    stage,
                    sheet,
                    float(x + random.uniform(-0.1, 0.1)),
                    y + random.uniform(-0.03, 0.03),
                    size * random.uniform(0.8, 1.2),
                )
        return
    count = 2 if weather == "clear" or stage.light.time == "night" else int(random.integers(3, 6))
    spread = (np.arange(count) + random.uniform(0.05, 0.95, count)) / count * stage.aspect
    for x in random.permutation(spread):
        y, size = random.uniform(0.10, 0.36), random.uniform(0.2, 0.44)
        if stage.low:
            _bars(stage, sheet, float(x), y, size * 0.8)
        else:  # beside or below the light, not over it
            over = abs(x - stage.sun[0]) < 0.1 + size / 2
            heap(stage, sheet, float(x), max(y, stage.sun[1] + 0.13 + 0.3 * size) if over else y, size)


def heap(stage: Stage, sheet: Sheet, x: float, base: float, width: float, rise: float = 1.0) -> None:
    """A cumulus with a flat bottom: ovals that rise to a top off its middle, in shade and then in light."""
    light, random = stage.light, stage.random
    lean = random.uniform(-0.3, 0.3)
    along = np.linspace(-1, 1, 6) + random.uniform(-0.08, 0.08, 6)
    tall = np.clip(1 - (along - lean) ** 2 * 0.85, 0.12, 1) * random.uniform(0.85, 1.15, 6)
    puffs = [
        (x + t * width * 0.4, base, width * (0.10 + 0.09 * k), rise * width * (0.07 + 0.25 * k))
        for t, k in zip(along, tall, strict=True)
    ]
    white: Colour = (255, 255, 255)
    if stage.low and not stage.overcast:
        belly = mix(light.light, (255, 240, 214), 0.35)
        top, low, alpha = mix(mix(light.middle, light.top, 0.3), belly, 0.35), belly, 0.9
    elif light.time == "night":
        top, low, alpha = mix(light.middle, (150, 166, 210), 0.34), mix(light.middle, light.horizon, 0.3), 0.75
    elif stage.overcast:
        top, low, alpha = mix(light.horizon, white, 0.5), mix(light.middle, light.top, 0.3), 0.95
    else:
        top, low, alpha = mix(white, light.light, 0.2), mix(mix(light.middle, white, 0.55), light.horizon, 0.3), 0.96
    shapes = [oval(*puff, base) for puff in puffs] + [
        pill(x - width * 0.52, x + width * 0.52, base - 0.018 * width, 0.036 * width)
    ]
    sheet.polygons(shapes, mix(low, top, 0.35), low, alpha)
    shift = stage.towards * width * 0.025
    floor = base - 0.22 * max(ry for _, _, _, ry in puffs)
    bright = [
        oval(px + shift, py - ry * 0.14, rx * 0.8, ry * 0.8, floor)
        for px, py, rx, ry in puffs
        if py - ry * 0.94 < floor
    ]
    sheet.polygons(bright, top, mix(top, low, 0.55), alpha)


def _bars(stage: Stage, sheet: Sheet, x: float, y: float, length: float) -> None:
    """A long low bank with wisps beside it, the low sun on its belly."""
    random = stage.random
    wisps = []
    for low in (0.016, 0.036):
        at, reach = x + random.uniform(-0.9, 0.9) * length, length * random.uniform(0.25, 0.6)
        wisps.append(pill(at - reach, at + reach, y + low, random.uniform(0.008, 0.014)))
    sheet.polygons(wisps, stage.light.light, alpha=0.45)
    heap(stage, sheet, x, y, length * 2, 0.3)


def _lid(stage: Stage, sheet: Sheet, rows: int = 4) -> None:
    """Rows of billows from side to side, darker towards the top of the picture."""
    light, random = stage.light, stage.random
    storm = stage.reading.weather == "storm"
    dark: Colour = mix(light.top, (34, 38, 52), 0.55 if storm else 0.25)
    for index, y in list(enumerate((0.30, 0.21, 0.12, 0.03)))[4 - rows :]:
        tone = mix(
            mix(light.middle, light.horizon, 0.35),
            dark,
            (0.18, 0.4, 0.62, 0.85)[index] if storm else (0.08, 0.22, 0.38, 0.55)[index],
        )
        centres = np.arange(-0.15, stage.aspect + 0.3, 0.15)
        bumps = [
            oval(
                float(x + random.uniform(-0.05, 0.05)),
                y + random.uniform(-0.02, 0.02),
                random.uniform(0.09, 0.18),
                random.uniform(0.035, 0.07),
            )
            for x in centres
        ]
        roof = np.array([(-0.1, -0.1), (stage.aspect + 0.1, -0.1), (stage.aspect + 0.1, y), (-0.1, y)])
        sheet.polygons([roof, *bumps], shade(tone, 0.93), mix(tone, light.horizon, 0.16), 0.96)


def _rainbow(stage: Stage, horizon: float) -> None:
    sheet = stage.sheet("rainbow", 30)
    turn = np.linspace(np.pi, 0, 80)
    for index, colour in enumerate(RAINBOW):
        r = 0.60 - index * 0.021
        arc = np.stack([stage.aspect * 0.5 + r * 1.25 * np.cos(turn), horizon + 0.04 - r * 0.88 * np.sin(turn)], axis=1)
        sheet.stroke(arc, 0.0225, colour, alpha=0.62)


def _lightning(stage: Stage, horizon: float) -> None:
    """A bolt with a branch, away from where the light stands."""
    sheet, random = stage.sheet("lights", 20), stage.random
    x = stage.aspect * (0.5 - stage.towards * random.uniform(0.1, 0.28))
    y = np.linspace(0.18, horizon, 8)
    bolt = np.stack([x + np.cumsum(random.uniform(-0.05, 0.05, 8)), y], axis=1)
    fork = np.stack([bolt[3, 0] + np.cumsum(random.uniform(0.0, 0.05, 4)), y[3:7] + 0.01], axis=1)
    for r, strength in ((0.22, 0.35), (0.09, 0.5)):
        sheet.glow((float(bolt[2, 0]), 0.26), r, (214, 220, 255), strength)
    for line, width in ((bolt, 0.012), (fork, 0.007)):
        sheet.stroke(line, width * 2.4, (190, 200, 255), 0.3, 0.3)
        sheet.stroke(line, width, (252, 250, 255), 0.25)


def _curtains(stage: Stage, horizon: float) -> None:
    """Distant showers: slanting veils between cloud and ground."""
    sheet, random = stage.sheet("rain", 18), stage.random
    for x in random.uniform(-0.2, stage.aspect, 7):
        wide, lean = random.uniform(0.10, 0.26), 0.06
        veil = [
            (x + lean, 0.2),
            (x + wide + lean, 0.2),
            (x + wide * 1.1 - lean, horizon + 0.02),
            (x - lean, horizon + 0.02),
        ]
        sheet.polygon(veil, stage.light.middle, shade(stage.light.middle, 0.8), 0.2)
