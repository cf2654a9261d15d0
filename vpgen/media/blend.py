"""Flattening layers: back to front, straight alpha, in the gamma-encoded values the animator blends too."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vpgen.clip import RGB, Layer


def flatten(layers: Sequence[Layer]) -> RGB:
    """One picture from layers of one size, the first at the back: uint8 (height, width, 3); black where nothing is."""
    height, width = layers[0].rgba.shape[:2]
    picture = np.zeros((height, width, 3), np.uint8)
    for layer in layers:
        alpha = layer.rgba[..., 3]
        if alpha.min() == 255:
            picture = layer.rgba[..., :3].copy()
            continue
        box = cv2.boundingRect(alpha)
        if not box[2]:
            continue
        rows, columns = slice(box[1], box[1] + box[3]), slice(box[0], box[0] + box[2])
        share = layer.rgba[rows, columns, 3:].astype(np.uint16)
        under, over = picture[rows, columns], layer.rgba[rows, columns, :3]
        picture[rows, columns] = ((over * share + under * (255 - share) + 127) // 255).astype(np.uint8)
    return picture
