"""Where bytes lie: a local folder (atomic, fsynced) or any remote file system fsspec knows.

Both places promise the same: what `write` names is either whole or absent, whatever dies meanwhile, and
every failure is a `StoreError` that says what was tried, where, and what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from vpgen.errors import InvalidInput, MissingDependency, StoreError

LEFTOVER_SECONDS = 24 * 3600
"""A temporary file older than this belongs to a process that died."""
_CHUNK = 1 << 20
_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs"}
_S3_DEFAULTS = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 3, "mode": "standard"}}


class Place(Protocol):
    """A flat space of named byte strings. Names are relative, with forward slashes."""

    def read(self, name: str) -> bytes | None:
        """The bytes, or None when nothing goes by that name."""

    def write(self, name: str, source: bytes | Path, media_type: str) -> None:
        """Store bytes, or the bytes of a file, under a name, replacing what was there in one step."""

    def size(self, name: str) -> int | None:
        """Bytes stored under a name; None when there is nothing."""

    def fetch(self, name: str, target: Path) -> bool:
        """Copy to a new local file; False when nothing goes by that name."""

    def delete(self, name: str) -> None:
        """Remove; a missing name is fine."""

    def move(self, name: str, new: str) -> None:
        """Rename; a missing name is fine."""

    def names(self, folder: str) -> Iterator[str]:
        """The file names directly in a folder, in no particular order."""

    def every(self, folder: str) -> Iterator[tuple[str, int, datetime]]:
        """Every name below a folder (or itself, a file) with its bytes and when it was written, in any order."""

    def touch(self, name: str) -> None:
        """It was written again, with what it holds: its age starts anew where a place can do that."""

    def url(self, name: str) -> str:
        """The full address of a name."""


class LocalFolder:
    """A directory on this machine. Nothing is created before the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self._swept = False

    def path(self, name: str) -> Path:
        """Where a name lies, or would lie."""
        return self.root / name

    def read(self, name: str) -> bytes | None:
        try:
            return self.path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise trouble(exc, "read", self.path(name)) from exc

    def write(self, name: str, source: bytes | Path, media_type: str) -> None:  # noqa: ARG002 - a file has no type
        target = self.path(name)
        temporary = self.root / "tmp" / f"{os.getpid()}-{uuid.uuid4().hex}"
        try:
            self._sweep()
            for folder in (temporary.parent, target.parent):
                folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as out:
                if isinstance(source, Path):
                    with source.open("rb") as file:
                        shutil.copyfileobj(file, out, _CHUNK)
                else:
                    out.write(source)
                out.flush()
                os.fsync(out.fileno())
            # Read-only, so that a tool opening the object in place cannot change it by accident.
            temporary.chmod(0o444)
            temporary.replace(target)
            _sync_folder(target.parent)
        except OSError as exc:
            raise trouble(exc, "write", target) from exc
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        try:
            return self.path(name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise trouble(exc, "look at", self.path(name)) from exc

    def fetch(self, name: str, target: Path) -> bool:
        try:
            shutil.copyfile(self.path(name), target)
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise trouble(exc, "copy", self.path(name)) from exc
        return True

    def delete(self, name: str) -> None:
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as exc:
            raise trouble(exc, "delete", self.path(name)) from exc

    def move(self, name: str, new: str) -> None:
        try:
            self.path(new).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).replace(self.path(new))
        except FileNotFoundError:
            return
        except OSError as exc:
            raise trouble(exc, "move", self.path(name)) from exc

    def names(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(self.path(folder)) as entries:
                yield from (entry.name for entry in entries if entry.is_file())
        except FileNotFoundError:
            return
        except OSError as exc:
            raise trouble(exc, "list", self.path(folder)) from exc

    def every(self, folder: str) -> Iterator[tuple[str, int, datetime]]:
        root = self.path(folder)
        files = (
            [root] if root.is_file() else (Path(above) / name for above, _, names in os.walk(root) for name in names)
        )
        for path in files:
            with suppress(FileNotFoundError):
                found = path.stat()
                at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield path.relative_to(self.root).as_posix(), found.st_size, at

    def touch(self, name: str) -> None:
        with suppress(OSError):  # another user's file, or gone: then it is written, or found missing, by what follows
            os.utime(self.path(name))

    def url(self, name: str) -> str:
        return self.path(name).as_uri()

    def _sweep(self) -> None:
        """Remove, once per process, what killed processes left in tmp/."""
        if self._swept:
            return
        self._swept = True
        now = time.time()
        with suppress(OSError), os.scandir(self.root / "tmp") as entries:
            for entry in entries:
                if now - entry.stat().st_mtime > LEFTOVER_SECONDS:
                    Path(entry.path).unlink(missing_ok=True)


class Remote:
    """A folder on any fsspec file system; one object is written with one request, which such stores make atomic."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        import fsspec  # 0.1 s that a local store does not need

        self._protocol = url.partition("://")[0]
        options = dict(options)
        if self._protocol in {"s3", "s3a"}:
            options["config_kwargs"] = {**_S3_DEFAULTS, **options.get("config_kwargs", {})}
            options.setdefault("use_listings_cache", False)
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **options)
        except ImportError as exc:
            extra = "vpgen[s3]" if self._protocol in {"s3", "s3a"} else str(exc)
            raise MissingDependency(
                f"the store {url} needs a library that is not installed: {exc}", remedy=f"pip install '{extra}'"
            ) from exc
        except ValueError as exc:
            raise InvalidInput(
                f"the store address {url} is not understood: {exc}",
                remedy="use a folder, file:///…, s3://bucket/prefix or memory://name",
            ) from exc
        self._root = root.rstrip("/")
        self._url = url.rstrip("/")
        self._bucket_seen = self._protocol not in _BUCKETS

    def read(self, name: str) -> bytes | None:
        try:
            data = self._fs.cat_file(self._path(name))
        except FileNotFoundError:
            self._absent()
            return None
        except Exception as exc:
            raise trouble(exc, "read", self.url(name)) from exc
        return bytes(data)

    def write(self, name: str, source: bytes | Path, media_type: str) -> None:
        extra = {"ContentType": media_type} if self._protocol in {"s3", "s3a"} else {}
        try:
            if isinstance(source, Path):
                self._fs.put_file(str(source), self._path(name), **extra)
            else:
                self._fs.pipe_file(self._path(name), source, **extra)
        except Exception as exc:
            raise trouble(exc, "write", self.url(name)) from exc

    def size(self, name: str) -> int | None:
        try:
            return int(self._fs.info(self._path(name))["size"])
        except FileNotFoundError:
            self._absent()
            return None
        except Exception as exc:
            raise trouble(exc, "look at", self.url(name)) from exc

    def fetch(self, name: str, target: Path) -> bool:
        try:
            self._fs.get_file(self._path(name), str(target))
        except FileNotFoundError:
            self._absent()
            return False
        except Exception as exc:
            raise trouble(exc, "download", self.url(name)) from exc
        return True

    def delete(self, name: str) -> None:
        try:
            self._fs.rm_file(self._path(name))
        except FileNotFoundError:
            self._absent()
        except Exception as exc:
            raise trouble(exc, "delete", self.url(name)) from exc

    def move(self, name: str, new: str) -> None:
        try:
            self._fs.cp_file(self._path(name), self._path(new))
            self._fs.rm_file(self._path(name))
        except FileNotFoundError:
            self._absent()
        except Exception as exc:
            raise trouble(exc, "move", self.url(name)) from exc

    def names(self, folder: str) -> Iterator[str]:
        try:
            entries = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            self._absent()
            return
        except Exception as exc:
            raise trouble(exc, "list", self.url(folder)) from exc
        yield from (entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file")

    def every(self, folder: str) -> Iterator[tuple[str, int, datetime]]:
        try:
            found = self._fs.find(self._path(folder), detail=True)
        except FileNotFoundError:
            self._absent()
            return
        except Exception as exc:
            raise trouble(exc, "list", self.url(folder)) from exc
        root = self._fs._strip_protocol(self._root).rstrip("/")  # noqa: SLF001  # how its own names are written
        for name, entry in found.items():
            at = entry.get("LastModified") or entry.get("created") or entry.get("mtime")
            if isinstance(at, int | float):
                at = datetime.fromtimestamp(at, UTC)
            if isinstance(at, datetime):  # of what has no time nobody can say that it is old
                yield (
                    name.removeprefix(root).lstrip("/"),
                    int(entry["size"]),
                    at if at.tzinfo else at.replace(tzinfo=UTC),
                )

    def touch(self, name: str) -> None:
        """Object stores cannot; their objects wait unused for a while instead (`vpgen.store.retention`)."""

    def url(self, name: str) -> str:
        return f"{self._url}/{name}"

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _absent(self) -> None:
        """Tell a missing object from a missing bucket, which would otherwise look like an empty store."""
        if self._bucket_seen:
            return
        bucket = self._root.split("/")[0]
        try:
            self._fs.ls(bucket)
        except FileNotFoundError as exc:
            raise StoreError(
                f"the bucket {bucket!r} of the store {self._url} does not exist",
                remedy="create the bucket, or correct the store's address",
            ) from exc
        except Exception as exc:
            raise trouble(exc, "list", f"{self._protocol}://{bucket}") from exc
        self._bucket_seen = True


def open_place(url: str, options: Mapping[str, Any] | None = None) -> Place:
    """A `LocalFolder` for a path or file:// address, else a `Remote`."""
    if "\0" in url or not url.strip():
        raise InvalidInput("the store's address is empty or holds a NUL character")
    protocol, separator, rest = url.partition("://")
    if not separator:
        return LocalFolder(Path(url))
    if protocol == "file":
        from urllib.parse import unquote

        return LocalFolder(Path(unquote(rest)))
    return Remote(url, options or {})


def trouble(exc: BaseException, action: str, where: Path | str) -> StoreError:
    """The StoreError for a failed operation, with the remedy its cause suggests."""
    number = exc.errno if isinstance(exc, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        what, remedy = (
            "no space is left",
            "free some space, or move the store to a larger disk; nothing was half-written",
        )
    elif number == errno.EROFS:
        what, remedy = "the file system is read-only", "mount it writable, or point the store somewhere else"
    elif number in {errno.EACCES, errno.EPERM} or isinstance(exc, PermissionError):
        what, remedy = f"permission denied ({exc})", "give this user the right, or correct the store's credentials"
    elif number in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}:
        what, remedy = "a file stands where a folder is needed", "point the store at a folder"
    elif isinstance(exc, FileNotFoundError):
        what, remedy = str(exc) or "it does not exist", "create the bucket or folder, or correct the store's address"
    else:
        what = f"{type(exc).__name__}: {exc}"
        remedy = "check the store's address and that its server can be reached, then run the same command again"
    return StoreError(f"cannot {action} {where}: {what}", remedy=remedy, retryable=number != errno.ENOTDIR)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
