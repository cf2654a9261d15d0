"""Guesses the light and the lie of the land from a photo's pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB, Scene

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of linear RGB with BT.709 primaries."""
NIGHT = 0.03
"""Median linear luminance below which a picture is taken for a night scene."""


def to_linear(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Code values of sRGB, 0 to 255 → linear light 0 to 1 (IEC 61966-2-1)."""
    return _TO_LINEAR[rgb]


def to_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light → sRGB 0 to 255, not rounded. Values outside 0 to 1 are clipped."""
    index = np.clip(np.sqrt(np.clip(linear, 0, 1)) * (len(_TO_SRGB) - 1) + 0.5, 0, len(_TO_SRGB) - 1)
    return _TO_SRGB[index.astype(np.uint16)]


def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    light = (np.arange(4096) / 4095) ** 2  # sampled by its square root: as fine in the shadows as in the lights
    back = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    return linear.astype(np.float32), back.astype(np.float32)


_TO_LINEAR, _TO_SRGB = _tables()


def estimate_scene(rgb: RGB) -> Scene:
    """A scene whose light fits the picture: a guess from brightness, good enough to match a cut-out to it.

    `light_rgb` is the mean of the lights (nearer to the 97th percentile of luminance than to the 60th),
    `ambient_rgb` of what lies between the 10th and the 60th, both averaged in linear light; the light comes
    from where the lights lie, and is as hard as they are brighter than the rest.
    The horizon is the row that best parts the picture into two colours
    (least squares over the rows' means), or the middle when no row parts it well.
    """
    small = cv2.resize(rgb, (96, 64), interpolation=cv2.INTER_AREA)
    linear = to_linear(np.asarray(small, np.uint8))
    luminance = linear @ LUMINANCE
    low, middle, high = np.percentile(luminance, [10, 60, 97])
    bright = luminance >= (middle + high) / 2
    x, y = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(1, -1, 64))
    hardness = float(np.clip((high - middle) / (high + 0.05), 0, 1))
    direction = np.array([x[bright].mean() * 1.5, max(0.25, y[bright].mean() + 0.3)])
    direction *= hardness / max(1e-6, float(np.hypot(*direction)))
    return Scene(
        time="night" if float(np.median(luminance)) < NIGHT else None,
        horizon=_horizon(np.asarray(small, np.uint8)),
        light=(round(float(direction[0]), 3), round(float(direction[1]), 3)),
        light_rgb=_colour(linear[bright]),
        ambient_rgb=_colour(linear[(luminance >= low) & (luminance <= middle)]),
    )


def _colour(linear: NDArray[np.float32]) -> tuple[int, int, int]:
    r, g, b = (round(float(v)) for v in to_srgb(linear.mean(axis=0)))
    return r, g, b


def _horizon(small: RGB) -> float:
    rows = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float64).mean(axis=1)
    total = ((rows - rows.mean(axis=0)) ** 2).sum()
    candidates = range(round(0.3 * len(rows)), round(0.7 * len(rows)))
    rest = [
        sum(((part - part.mean(axis=0)) ** 2).sum() for part in (rows[:row], rows[row:])) / max(total, 1e-9)
        for row in candidates
    ]
    best = int(np.argmin(rest))
    return candidates[best] / len(rows) if rest[best] < 0.35 else 0.5
