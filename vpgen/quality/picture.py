"""Single frames: sharpness, exposure, and how cleanly a person was cut out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Alpha

SHARPNESS_SIZE = (1280, 720)
"""Sharpness depends on size, so every frame is brought to this one first."""


def sharpness(gray: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian (Pech-Pacheco et al. 2000) of luma at SHARPNESS_SIZE, in grey levels."""
    how = cv2.INTER_AREA if gray.shape[1] > SHARPNESS_SIZE[0] else cv2.INTER_CUBIC
    at_size = gray if gray.shape[::-1] == SHARPNESS_SIZE else cv2.resize(gray, SHARPNESS_SIZE, interpolation=how)
    deviation = cv2.meanStdDev(cv2.Laplacian(at_size, cv2.CV_16S))[1]
    return float(deviation[0, 0])


def clipped(gray: NDArray[np.uint8]) -> float:
    """Share of pixels (0 to 1) so dark or so bright that nothing can be seen in them (luma ≤ 18 or ≥ 235, limited range)."""
    return float(np.count_nonzero((gray <= 18) | (gray >= 235)) / gray.size)


def edge_width(alpha: Alpha) -> float | None:
    """Mean width of the cut-out's edge, in thousandths of the picture's height; None without an edge.

    The area of what is half covered, weighted 4a(1 - a), over the length of the outline at a = 0.5. A wide edge is
    a blurred or undecided cut-out, smoke and hair included.
    """
    outlines, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(outline, closed=True) for outline in outlines)
    if not length:
        return None
    a = alpha.astype(np.float32) / 255
    return float((4 * a * (1 - a)).sum() / length / alpha.shape[0] * 1000)


def crumbs(alpha: Alpha) -> float | None:
    """Share (0 to 1) of the cut-out's area that is islands apart from its largest piece, or holes in it."""
    solid = (alpha > 127).astype(np.uint8)
    area = int(solid.sum())
    if not area:
        return None
    pieces = cv2.connectedComponentsWithStats(solid)[2][1:, cv2.CC_STAT_AREA]
    gaps = cv2.connectedComponentsWithStats(1 - solid)[2][1:, cv2.CC_STAT_AREA]
    small_gaps = gaps[gaps < 0.002 * solid.size].sum()
    return float((area - pieces.max() + small_gaps) / area)
