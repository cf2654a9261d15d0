"""Soft edges: an edge-aware filter for alpha, and the foreground's own colours without the old background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB
from vpgen.media.scene import to_linear, to_srgb

Float = NDArray[np.float32]

SMOOTHNESS = 0.1
"""How much foreground and background prefer their neighbours' colours to explaining the pixel."""


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

    Multi-level estimation after Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation",
    ICPR 2020: from one pixel up to the full size, foreground F and background B are pulled towards their
    neighbours' mean and then, by least squares, towards I = a F + (1 - a) B. Their gradient-dependent weight is a
    constant here, which makes each sweep a box blur and a few products. In linear light, where a lens mixes.
    Where alpha is 0 the nearest foreground colours spread, so that scaling a cut-out never pulls in the old
    background.
    """
    image = to_linear(rgb)
    height, width = alpha.shape
    levels = int(np.ceil(np.log2(max(height, width))))
    fore = back = image.mean(axis=(0, 1), keepdims=True)
    for level in range(levels + 1):
        scale = 2.0 ** (level - levels)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        i, a = (_resized(plane, size, cv2.INTER_AREA) for plane in (image, alpha))
        fore, back = (_resized(plane, size, cv2.INTER_LINEAR) for plane in (fore, back))
        weight = 1 / (a * a + (1 - a) ** 2 + SMOOTHNESS)
        fore_weight, back_weight = a * weight, (1 - a) * weight
        for _ in range(10 if max(size) <= 64 else 2 if level < levels else 1):
            fore, back = (np.asarray(cv2.blur(plane, (3, 3)), np.float32).reshape(i.shape) for plane in (fore, back))
            missing = i - back - a * (fore - back)
            fore = np.clip(fore + fore_weight * missing, 0, 1)
            back = np.clip(back + back_weight * missing, 0, 1)
    return np.where(alpha[..., None] >= 1, rgb, (to_srgb(fore) + 0.5).astype(np.uint8))


def _resized(plane: Float, size: tuple[int, int], how: int) -> Float:
    """The plane at (width, height), always with a channel axis, which OpenCV drops when it is one long."""
    resized = np.asarray(cv2.resize(plane, size, interpolation=how), np.float32)
    return resized.reshape(size[1], size[0], -1)
