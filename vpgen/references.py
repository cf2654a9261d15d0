"""Pictures that users bring: checked, stored by their hash, and handed to the stages like any other input."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from vpgen.clip import Still
from vpgen.errors import NotFound
from vpgen.stages import Ref
from vpgen.store.objects import Blob, ObjectStore

KIND = "pictures"
LONGEST_SIDE = 2560
"""Pixels. More than any stage uses; a 50-megapixel photo is brought down to this first."""


def add(store: ObjectStore, path: Path) -> str:
    """Check a picture and store it; returns its SHA-256 digest. Raises InvalidInput, StoreError."""
    from vpgen.media.pictures import read_picture  # cv2 and PIL load only when there is a picture

    read_picture(path)
    blob = store.put_file(path)
    store.put_document(KIND, blob.sha256, blob.model_dump(mode="json"))
    return blob.sha256


def picture(store: ObjectStore, digest: str, *, cover: tuple[int, int] | None = None) -> Ref[Still]:
    """The stored picture, cropped and scaled to cover (width, height) when asked for."""
    shape = f"-{cover[0]}x{cover[1]}" if cover else ""
    return Ref(f"picture-{digest}{shape}", partial(_load, store, digest, cover))


def _load(store: ObjectStore, digest: str, cover: tuple[int, int] | None) -> Still:
    from vpgen.media.pictures import read_picture

    document = store.get_document(KIND, digest)
    if document is None:
        raise NotFound(f"the picture {digest[:12]}… is not in the store", remedy="Give the picture file again")
    still = read_picture(store.get_bytes(Blob.model_validate(document)))
    return _cover(still, cover) if cover else _shrink(still)


def _shrink(still: Still) -> Still:
    width, height = still.size
    scale = LONGEST_SIDE / max(width, height)
    return still if scale >= 1 else _resized(still, (round(width * scale), round(height * scale)))


def _cover(still: Still, size: tuple[int, int]) -> Still:
    width, height = still.size
    scale = max(size[0] / width, size[1] / height)
    still = _resized(still, (max(size[0], round(width * scale)), max(size[1], round(height * scale))))
    left, top = (still.size[0] - size[0]) // 2, (still.size[1] - size[1]) // 2
    return Still(rgb=still.rgb[top : top + size[1], left : left + size[0]].copy())


def _resized(still: Still, size: tuple[int, int]) -> Still:
    import cv2

    how = cv2.INTER_AREA if size[0] < still.size[0] else cv2.INTER_CUBIC
    alpha = None if still.alpha is None else np.asarray(cv2.resize(still.alpha, size, interpolation=how), np.uint8)
    return Still(rgb=np.asarray(cv2.resize(still.rgb, size, interpolation=how), np.uint8), alpha=alpha)
