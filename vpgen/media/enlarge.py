"""When a picture is too small for the still it becomes part of, what is sent to be enlarged, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from vpgen.clip import RGB, Still
from vpgen.errors import InvalidInput
from vpgen.media.matte import foreground_colours
from vpgen.stages import EnlargeRequest

STRETCHED = 0.02
"""How much the shape of an enlarged picture may differ from what it was made of: vendors round to their own grid."""


def enlarged(request: EnlargeRequest, larger: Callable[[RGB, tuple[int, int]], RGB]) -> Still:
    """The picture, by `larger` (colours, wanted size → colours) if it is too small. Raises what loading it raises."""
    still = request.picture.load()
    size = wanted(still, request)
    return settled(still, larger(colours(still, request), size) if size else still.rgb, request)


def wanted(still: Still, request: EnlargeRequest) -> tuple[int, int] | None:
    """The (width, height) that would be large enough; None when it is already, or comes in layers."""
    width, height = still.size
    scale = request.size[1] / height
    if request.cover:
        scale = max(scale, request.size[0] / width)
    return None if still.layers or scale <= 1 else (round(width * scale), round(height * scale))


def colours(still: Still, request: EnlargeRequest) -> RGB:
    """What is enlarged: opaque colours, those of a cut-out going on where it is see-through, so that no halo grows."""
    if still.alpha is None or request.cover:
        return still.rgb
    hidden = (still.alpha == 0)[..., None]
    return np.where(hidden, foreground_colours(still.rgb, (still.alpha > 0).astype(np.float32)), still.rgb)


def settled(still: Still, rgb: RGB, request: EnlargeRequest) -> Still:
    """The still with the colours that were made of it, no larger than needed; its alpha is enlarged by interpolation.

    Raises InvalidInput when the colours are a picture of another shape, or a smaller one.
    """
    from vpgen.media.pictures import covering  # Pillow loads only when there is a picture

    size = wanted(still, request)
    if size is None:
        return still if still.layers or not request.cover else covering(still, request.size)
    (width, height), (had, high) = (rgb.shape[1], rgb.shape[0]), still.size
    if width < had or height < high or abs((width / height) / (had / high) - 1) > STRETCHED:
        raise InvalidInput(f"of {had}x{high} pixels it made {width}x{height}, which is not the same picture enlarged")
    if request.cover:
        return replace(covering(Still(rgb=rgb), request.size), scene=still.scene)
    if height > size[1]:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    if still.alpha is None:
        return replace(still, rgb=rgb)
    alpha = cv2.resize(still.alpha, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_CUBIC)
    return replace(still, rgb=rgb, alpha=np.asarray(alpha, np.uint8))
