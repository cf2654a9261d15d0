"""A forest: trunks fading into the light between them; broad-leaved, or of pine, birch or bamboo when named."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, down_to, ridge
from vpgen.backends.animatic.built import path
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import corners, grass, litter, pines, rock
from vpgen.backends.animatic.sky import moon
from vpgen.backends.animatic.stage import Stage

BARK: dict[str, Colour] = {
    "broad": (94, 68, 54),
    "pine": (104, 72, 56),
    "birch": (232, 228, 220),
    "bamboo": (118, 158, 84),
}


def forest(stage: Stage) -> float:
    """Three distances of trees, a canopy, a path, and leaves that frame the picture."""
    light, random = stage.light, stage.random
    kind = next((kind for kind in ("bamboo", "birch", "pine") if stage.has(kind)), None)
    kind = kind or (
        "pine" if stage.white else stage.pick("broad", "broad", "birch") if stage.season == "autumn" else "broad"
    )
    back = stage.sheet("sky", float("inf"))
    glade = mix(light.lit((214, 234, 180), 2), light.horizon, 0.5)
    if light.night:
        glade = mix(light.horizon, light.middle, 0.2)
    dark, bright = stage.leaves if kind != "bamboo" else ((86, 140, 74), (136, 188, 96))
    back.fill(mix(glade, light.lit(shade(dark, 0.8), 1), 0.55), glade, mix(glade, light.horizon, 0.4), 0.5)
    at = stage.aspect * (0.5 + stage.towards * random.uniform(0.02, 0.16))
    if light.time == "night":
        moon(back, (at, 0.20), light.top, crescent=stage.has("crescent"), big=True, dim=stage.overcast)
        back.glow((at, 0.5), 0.5, (150, 178, 226), 0.35)
    else:
        back.glow((at, 0.40), 0.42, mix(light.light, (255, 250, 220), 0.5), 0.6)
    for depth, count, width, foot in ((7, 16, 0.022, 0.70), (4, 10, 0.040, 0.77), (2.2, 6, 0.062, 0.84)):
        sheet = stage.sheet("trees", depth)
        lit = light.lit(stage.green, depth * 1.3)
        sheet.polygon(down_to(ridge(random, stage.aspect, foot, 0.03, 0.3)), mix(lit, glade, 0.35), lit)
        more = 2 if kind == "bamboo" else 1
        for index in range(count * more):
            x = (index + random.uniform(0.1, 0.9)) / (count * more) * stage.aspect
            if depth > 3 or abs(x - stage.aspect / 2) > 0.2:  # the path stays open
                _trunk(stage, sheet, kind, x, foot + 0.02, width * random.uniform(0.7, 1.25), glade, depth)
        tone = mix(light.lit(dark, 1), glade, min(0.6, depth * 0.09))
        if kind != "pine":
            _canopy(stage, sheet, depth, tone, mix(tone, light.lit(bright, 1), 0.55))
    ground = stage.sheet("ground", 1)
    lit = light.lit(stage.green, 1)
    ground.polygon(down_to(ridge(random, stage.aspect, 0.86, 0.03, 0.3)), mix(lit, light.light, 0.05), shade(lit, 0.72))
    path(ground, stage, 0.78, (200, 168, 126) if not stage.white else stage.earth, 0.75)
    litter(stage, ground, 0.86, 170)
    for x, y, w in random.uniform((0, 0.88, 0.06), (stage.aspect, 0.97, 0.15), (3, 3)):
        if abs(x - stage.aspect / 2) > 0.3:
            rock(ground, stage, float(x), float(y), float(w), float(w) * 0.55, (112, 116, 104))
    if not light.night and not stage.overcast:
        _shafts(stage, at)
    front = stage.sheet("leaves", 0.72)
    for edge in (-0.02, stage.aspect + 0.02):
        if kind == "pine":
            pines(front, stage, [(edge, 1.06, random.uniform(0.6, 0.95))], 1, (36, 78, 66))
            continue
        reach = random.uniform(0.1, 0.34)
        spots = np.stack([edge + random.normal(0, reach, 60), random.uniform(-0.04, 0.04, 60)], axis=1)
        spots[:, 1] += 0.16 * np.exp(-(((spots[:, 0] - edge) / reach) ** 2)) * random.uniform(0.2, 1, 60)
        front.ellipses(((x, y, 0.055, 0.045) for x, y in spots), light.lit(shade(dark, 0.62), 1))
        front.ellipses(((x, y - 0.01, 0.03, 0.022) for x, y in spots[::3]), light.lit(shade(dark, 0.85), 1))
    grass(front, stage, 1.03, 0.11, shade(stage.green, 0.8), 110, corners(stage))
    return 0.7


def _trunk(stage: Stage, sheet: Sheet, kind: str, x: float, foot: float, w: float, glade: Colour, depth: float) -> None:
    """One tree: a trunk that leaves the picture, lit on the side of the light; or a whole conifer."""
    light = stage.light
    far = min(0.78, depth * 0.1)
    if kind == "pine" and depth < 6:
        tall = w * 14
        pines(sheet, stage, [(x, foot, tall)], 1 + depth * 0.8, mix((40, 92, 74), glade, far * 0.4))
        return
    bark = mix(light.lit(BARK[kind], 1), glade, far)
    thin = 0.55 if kind in {"birch", "bamboo"} else 1.0
    w *= thin
    lean = stage.random.uniform(-0.3, 0.3) * w
    sheet.polygon(
        [(x - w * 0.75, foot), (x + w * 0.75, foot), (x + w * 0.4 + lean, -0.02), (x - w * 0.4 + lean, -0.02)],
        bark,
        mix(bark, glade, 0.15),
    )
    s = stage.towards * w * 0.5
    sheet.polygon(
        [(x + s * 0.4, foot), (x + s * 1.45, foot), (x + s * 0.75 + lean, -0.02), (x + s * 0.2 + lean, -0.02)],
        mix(bark, light.light, 0.3),
    )
    if kind == "birch":
        marks = stage.random.uniform((-0.5, 0.05), (0.3, foot), (9, 2))
        sheet.rectangles(
            ((x + a * w, y, x + (a + 0.35) * w, y + 0.16 * w) for a, y in marks), mix((64, 60, 62), glade, far)
        )
    if kind == "bamboo":
        sheet.rectangles(
            ((x - w * 0.8, y, x + w * 0.8, y + w * 0.16) for y in np.arange(0.02, foot, 0.09 + w)), shade(bark, 0.72)
        )


def _canopy(stage: Stage, sheet: Sheet, depth: float, tone: Colour, bright: Colour) -> None:
    tops = stage.random.uniform((-0.05, -0.08), (stage.aspect + 0.05, 0.13 + 0.02 * depth), (52, 2))
    sheet.ellipses(((x, y, 0.08, 0.062) for x, y in tops), tone)
    sheet.ellipses(((x + stage.towards * 0.018, y - 0.016, 0.05, 0.036) for x, y in tops[::2]), mix(tone, bright, 0.6))


def _shafts(stage: Stage, at: float) -> None:
    """Sunbeams that fan out from where the light stands."""
    beams = stage.sheet("beams", 1.6)
    for x in stage.random.uniform(-0.5, 0.5, 6):
        foot = at + x * 2.2
        beam = [(at + x * 0.5 - 0.012, -0.02), (at + x * 0.5 + 0.03, -0.02), (foot + 0.14, 0.92), (foot - 0.04, 0.92)]
        beams.polygon(beam, mix(stage.light.light, (255, 250, 220), 0.5), alpha=0.13)
