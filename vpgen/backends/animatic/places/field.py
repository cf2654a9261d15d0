"""Open country: rolling hills with a lone tree, or a field of wheat, lavender or sunflowers in rows."""

from __future__ import annotations

import numpy as np

from vpgen.backends.animatic.brush import Colour, Sheet, between
from vpgen.backends.animatic.built import house, path
from vpgen.backends.animatic.light import mix, shade
from vpgen.backends.animatic.nature import corners, flowers, grass, hills, peaks, tree
from vpgen.backends.animatic.sky import sky
from vpgen.backends.animatic.stage import Stage

CROPS: dict[str, tuple[Colour, Colour, Colour, Colour]] = {
    "wheat": ((226, 184, 92), (206, 158, 70), (244, 206, 112), (0, 0, 0)),
    "lavender": ((134, 122, 150), (110, 140, 100), (152, 108, 206), (0, 0, 0)),
    "sunflower": ((128, 158, 72), (92, 138, 66), (250, 200, 56), (108, 66, 38)),
}
"""What grows in rows: the field's colour from afar, stem, head, and the middle of a blossom."""


def field(stage: Stage) -> float:
    """Hills, a meadow with a tree or a farm, rows that run to the horizon, a path."""
    light, random = stage.light, stage.random
    sky(stage)
    if stage.chance(0.35):
        peaks(stage, 0.62, (0.06, random.uniform(0.14, 0.22)), (132, 150, 176), 16, 5, 0.3)
    hills(stage, 0.62, random.uniform(0.05, 0.12), (126, 160, 152), 14)
    hills(stage, 0.66, random.uniform(0.05, 0.11), (116, 168, 104) if not stage.white else (214, 224, 238), 8)
    crop = next((name for name in CROPS if stage.has(name) and not stage.white), None)
    tone = CROPS[crop][0] if crop else stage.green
    middle, line = stage.floor("meadow", 4, 0.72, random.uniform(0.04, 0.08), tone)
    at = stage.aspect * (0.5 - stage.towards * random.uniform(0.24, 0.36))
    if stage.chance(0.7):
        tree(middle, stage, at, between(line, at) + 0.012, random.uniform(0.24, 0.42), 2.4)
    else:
        house(middle, stage, at - 0.1, between(line, at) + 0.03, 0.2, 2.4)
        tree(middle, stage, at + 0.16, between(line, at) + 0.02, 0.22, 2.4)
    ground, _ = stage.floor("field", 1, 0.775, 0.02, tone)
    near = light.lit(tone, 1)
    far = stage.aspect * random.uniform(0.4, 0.6)
    for x in np.linspace(-1.2, stage.aspect + 1.2, 22):
        top = far + (x - stage.aspect / 2) * 0.22
        ground.polygon(
            [(top - 0.002, 0.78), (top + 0.002, 0.78), (x + 0.03, 1.05), (x - 0.03, 1.05)], shade(near, 0.9), alpha=0.55
        )
    path(ground, stage, 0.765, stage.earth, 0.7)
    front = stage.sheet("leaves", 0.75)
    if crop:
        _crop(stage, ground, front, crop)
    else:
        flowers(stage, ground, 0.80, 220)
        grass(front, stage, 1.03, 0.16, stage.green, 190, corners(stage))
    if stage.light.time == "golden":
        ground.rectangles([(0, 0.77, stage.aspect, 0.80)], mix(near, light.light, 0.6), alpha=0.25)
    return 0.64


def _crop(stage: Stage, ground: Sheet, front: Sheet, crop: str) -> None:
    """Stems with ears or blossoms to both sides of the path, larger towards the viewer."""
    _, stem, head, eye = CROPS[crop]
    for sheet, low, count in ((ground, 0.79, 420), (front, 1.0, 90)):
        spots = stage.random.uniform((-0.05, low), (stage.aspect + 0.05, 1.05), (count, 2))
        spots = spots[np.abs(spots[:, 0] - stage.aspect / 2) > (0.16 + (spots[:, 1] - 0.78) * 0.9 if low < 1 else 0.5)]
        for x, y in sorted(spots.tolist(), key=lambda spot: float(spot[1])):
            size = 0.05 + 0.42 * (y - 0.78)
            lean = stage.random.uniform(-0.08, 0.08) * size
            top, tint = y - size, stage.random.uniform(0.86, 1.1)
            sheet.stroke(
                [(x, y), (x + lean * 0.3, y - size / 2), (x + lean, top)],
                0.025 * size,
                stage.light.lit(shade(stem, tint), 1),
            )
            colour = stage.light.lit(shade(head, tint), 1)
            if crop == "sunflower":
                sheet.ellipses([(x + lean, top, 0.20 * size, 0.18 * size)], colour)
                sheet.ellipses([(x + lean, top, 0.09 * size, 0.08 * size)], stage.light.lit(eye, 1))
            else:
                sheet.ellipses([(x + lean, top + 0.05 * size, 0.045 * size, 0.20 * size)], colour)
