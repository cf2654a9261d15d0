"""Soft edges: an edge-aware filter for alpha, and the foreground's own colours without the old background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB
from vpgen.media.scene import to_linear, to_srgb

Float = NDArray[np.float32]


def guided(guide: Float, source: Float, radius: int, eps: float, working_side: int = 384) -> Float:
    """`source` (h, w) with its edges moved onto those of `guide` (h, w, 3), both 0 to 1.

    The colour guided filter of He, Sun and Tang, "Guided Image Filtering", TPAMI 2013, eq. 14-16, with the
    coefficients found on a picture of `working_side` pixels, as in He and Sun, "Fast Guided Filter", 2015.
    `radius` is in pixels of the full picture; `eps` is how much colour variance counts as flat.
    """
    height, width = source.shape
    ratio = min(1.0, working_side / max(height, width))
    small = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    i = np.asarray(cv2.resize(guide, small, interpolation=cv2.INTER_AREA), np.float32)
    p = np.asarray(cv2.resize(source, small, interpolation=cv2.INTER_AREA), np.float32)
    window = (2 * max(1, round(radius * ratio)) + 1,) * 2

    def mean(plane: Float) -> Float:
        return np.asarray(cv2.blur(plane, window), np.float32)

    mean_i, mean_p = mean(i), mean(p)
    cov_ip = mean(i * p[..., None]) - mean_i * mean_p[..., None]
    products = [mean(i[..., a] * i[..., b]) - mean_i[..., a] * mean_i[..., b] for a in range(3) for b in range(3)]
    sigma = np.stack(products, axis=-1).reshape(*p.shape, 3, 3) + eps * np.eye(3, dtype=np.float32)
    a = np.linalg.solve(sigma, cov_ip[..., None])[..., 0].astype(np.float32)
    b = mean_p - np.sum(a * mean_i, axis=-1)
    slope = cv2.resize(mean(a), (width, height), interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(mean(b), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(np.einsum("hwc,hwc->hw", slope, guide) + offset, 0, 1), np.float32)


def foreground_colours(rgb: RGB, alpha: Float) -> RGB:
    """The colours the foreground would have alone: no tint of the old background where alpha is partial.

    Blur-fusion, twice, with a wide and a narrow window: Forte, "Approximate Fast Foreground Colour
    Estimation", ICIP 2021, eq. 4-7, but weighted by the cube of alpha, because a pixel that is mostly background
    says little about the foreground. Where alpha is 0 the nearest foreground colour is spread, so that
    scaling a cut-out never pulls in the old background. In linear light, where a lens mixes the two.
    """
    image = to_linear(rgb)
    a = alpha[..., None].astype(np.float32)
    wide = max(9, round(min(alpha.shape) / 12) | 1)
    fore, back = image, image
    for window in (wide, 7):
        fore, back = _fuse(image, fore, back, a, window)
    return np.where(a >= 1, rgb, (to_srgb(fore) + 0.5).astype(np.uint8))


def _fuse(image: Float, fore: Float, back: Float, a: Float, window: int) -> tuple[Float, Float]:
    def blur(plane: Float) -> Float:
        return np.asarray(cv2.blur(plane, (window, window)), np.float32).reshape(plane.shape)

    eps = 1e-4
    sure_fore, sure_back = a**3, (1 - a) ** 3
    f = (blur(fore * sure_fore) + eps * fore) / (blur(sure_fore) + eps)
    b = (blur(back * sure_back) + eps * back) / (blur(sure_back) + eps)
    return np.clip(f + a * (image - a * f - (1 - a) * b), 0, 1), b
