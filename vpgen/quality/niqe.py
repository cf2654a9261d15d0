"""NIQE, written from its paper: how far a picture's local statistics are from those of natural pictures.

Mittal, Soundararajan, Bovik: "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 20(3), 2013. The authors'
model of pristine pictures may not be shipped, so `fit` made our own (`pristine.npz`, see `benchmarks/fit_niqe.py`):
the figures order degradations of a picture, and do not compare with published NIQE.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PATCH = 96
SHARP = 0.75
"""For fitting, patches below this share of the sharpest patch's sharpness are left out (the paper's T)."""
MODEL = Path(__file__).with_name("pristine.npz")
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))

Floats = NDArray[np.float64]


def niqe(gray: NDArray[np.uint8]) -> float | None:
    """The distance of a luma frame from natural pictures (lower is better); None below one patch of 96 pixels."""
    if min(gray.shape) < PATCH:
        return None
    rows = features(gray)[0]
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < 2:
        return None
    mean, covariance = _model()
    difference = rows.mean(axis=0) - mean
    pooled = (np.cov(rows, rowvar=False) + covariance) / 2
    return float(np.sqrt(max(0.0, difference @ np.linalg.pinv(pooled) @ difference)))


def fit(pictures: list[NDArray[np.uint8]]) -> tuple[Floats, Floats]:
    """Mean (36) and covariance (36, 36) of the features of the sharp patches of natural luma pictures."""
    kept = []
    for gray in pictures:
        rows, sharpness = features(gray)
        kept.append(rows[(sharpness > SHARP * sharpness.max()) & np.isfinite(rows).all(axis=1)])
    every = np.concatenate(kept)
    return every.mean(axis=0), np.cov(every, rowvar=False)


def features(gray: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Per patch: the 18 features at two scales (patches, 36), and its sharpness (patches,)."""
    height, width = (side // PATCH * PATCH for side in gray.shape)
    picture = gray[:height, :width].astype(np.float32)
    parts = []
    sharpness = np.zeros(0)
    for scale in (1, 2):
        size = PATCH // scale
        at_scale = (
            picture if scale == 1 else cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_CUBIC)
        )
        mean = cv2.GaussianBlur(at_scale, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)
        square = cv2.GaussianBlur(at_scale * at_scale, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE)
        deviation = np.sqrt(np.abs(square - mean * mean))
        coefficients = (at_scale - mean) / (deviation + 1)
        tiles = _tiles(coefficients, size)
        if scale == 1:
            sharpness = _tiles(deviation, size).mean(axis=(1, 2))
        parts.append(np.array([_statistics(tile) for tile in tiles]))
    return np.hstack(parts), np.asarray(sharpness, np.float64)


def _tiles(picture: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    rows, columns = picture.shape[0] // size, picture.shape[1] // size
    return picture.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)


def _statistics(tile: NDArray[np.floating]) -> list[float]:
    """Shape and spread of the coefficients, and of the products of neighbours in four directions."""
    shape, left, right = _asymmetric(tile)
    values = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _asymmetric(tile * np.roll(tile, shift, axis=(0, 1)))
        gammas = _gamma_ratio()
        mean = (right - left) * gammas[1][np.argmin(np.abs(gammas[0] - shape))]
        values += [shape, float(mean), left, right]
    return values


def _asymmetric(values: NDArray[np.floating]) -> tuple[float, float, float]:
    """Shape, left and right scale of an asymmetric generalised Gaussian, by moment matching (Lasmar et al. 2009)."""
    shapes, _, ratios, scales = _tables()
    below, above = values[values < 0], values[values > 0]
    left = float(np.sqrt((below * below).mean())) if below.size else 0.0
    right = float(np.sqrt((above * above).mean())) if above.size else 0.0
    if not left or not right:
        return float("nan"), float("nan"), float("nan")
    gamma = left / right
    spread = float((values * values).mean())
    ratio = float(np.abs(values).mean()) ** 2 / spread
    normal = ratio * (gamma**3 + 1) * (gamma + 1) / (gamma**2 + 1) ** 2
    at = int(np.argmin((ratios - normal) ** 2))
    return float(shapes[at]), left * float(scales[at]), right * float(scales[at])


@cache
def _tables() -> tuple[Floats, Floats, Floats, Floats]:
    """Over a grid of shapes: Γ(2/a)/Γ(1/a), Γ(2/a)² / (Γ(1/a) Γ(3/a)), and √(Γ(1/a)/Γ(3/a))."""
    from scipy.special import gamma

    shapes = np.arange(0.2, 10.001, 0.001)
    one, two, three = gamma(1 / shapes), gamma(2 / shapes), gamma(3 / shapes)
    return shapes, two / one, two**2 / (one * three), np.sqrt(one / three)


def _gamma_ratio() -> tuple[Floats, Floats]:
    return _tables()[0], _tables()[1]


@cache
def _model() -> tuple[Floats, Floats]:
    with np.load(MODEL) as stored:
        return stored["mean"], stored["covariance"]
