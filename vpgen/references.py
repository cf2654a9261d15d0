"""Pictures that users bring: checked, stored by their hash, and handed to the stages like any other input."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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
    from vpgen.media.pictures import covering, read_picture, within

    document = store.get_document(KIND, digest)
    if document is None:
        raise NotFound(f"the picture {digest[:12]}… is not in the store", remedy="Give the picture file again")
    still = read_picture(store.get_bytes(Blob.model_validate(document)))
    return covering(still, cover) if cover else within(still, LONGEST_SIDE)
