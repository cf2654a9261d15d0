"""Where a batch's pictures come from and its clips go to: folders of this machine, or wherever fsspec reaches."""

from __future__ import annotations

import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import fsspec

from vpgen.errors import InvalidInput
from vpgen.store.places import open_place, trouble

_TYPES = {".mp4": "video/mp4", ".png": "image/png", ".csv": "text/csv"}


class Delivery:
    """The folder or s3://bucket/prefix that clips are copied to; a name appears there only once it is whole."""

    def __init__(self, out: str, options: dict[str, object]) -> None:
        self.out = out.rstrip("/") or "/"
        self._far = open_place(out, options) if "://" in out else None
        self._folder = Path(out).expanduser().absolute()

    def put(self, source: Path, name: str) -> str:
        """Copy a file there under that name; returns its address. Raises StoreError when it cannot."""
        if self._far is not None:
            self._far.write(name, source, _TYPES.get(source.suffix, "application/octet-stream"))
            return f"{self.out}/{name}"
        target = self._folder / name
        part = target.with_name(f".{name}.{uuid.uuid4().hex[:8]}.part")  # two rows may have the same clip
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, part)
            part.replace(target)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise trouble(error, "write", target) from error
        return str(target)

    def address(self, name: str) -> str:
        """Where a file of that name is, or would be."""
        return f"{self.out}/{name}" if self._far is not None else str(self._folder / name)


def bring(address: str, folder: Path, options: dict[str, object]) -> Path:
    """A picture as a file of this machine: where it is, or a copy in `folder`. Raises InvalidInput."""
    if "://" not in address:
        return Path(address)
    url = urlsplit(address)
    target = folder / f"picture{Path(url.path).suffix.lower()[:8]}"
    try:
        fs, path = fsspec.core.url_to_fs(address, **(options if url.scheme.startswith("s3") else {}))
        fs.get_file(path, str(target))
    except Exception as error:
        raise InvalidInput(f"cannot fetch the picture {address}: {error}") from error
    return target
