"""The artifact store: bytes named by their SHA-256, and small self-verifying documents named by a key.

    objects/ab/abcdef…            bytes, read-only, verified each time they are read
    documents/<kind>/<key>.json   {"sha256": of the canonical JSON of data, "data": {…}}
    quarantine/                   objects whose bytes were not what was written
    tmp/, locks/                  work in progress, safe to delete when nothing runs

A name appears only once everything under it is written, so a killed process leaves nothing that is
half there. Puts are idempotent: any number of processes may store the same thing at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import filelock
from pydantic import Field

from vpgen.clip import Value
from vpgen.errors import Conflict, Corrupted, InvalidInput, NotFound
from vpgen.store.places import LocalFolder, open_place, trouble

log = logging.getLogger("vpgen.store")
_NAME = re.compile(r"[a-z0-9-]{1,80}")
_SUFFIX = re.compile(r"(\.[a-z0-9]{1,8})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_POLL_SECONDS = 0.05


class Blob(Value):
    """A stored byte string: its SHA-256 in hex, its size in bytes and what it is (a MIME type)."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    media_type: str = "application/octet-stream"


class ObjectStore:
    """Bytes by hash and documents by name, in a folder, in memory or on S3.

    `url`: a path, file:///…, memory://name or s3://bucket/prefix; `options` go to the fsspec file system
    (for S3: key, secret, endpoint_url, client_kwargs, …). `cache_dir` holds verified copies of remote
    objects (of a local store: links with a suffix), and the locks of a remote store: processes of one
    machine compute a key once, two machines may both compute it, which costs time but stores one result.
    """

    def __init__(self, url: str, *, cache_dir: Path | None = None, options: Mapping[str, Any] | None = None) -> None:
        self._place = open_place(url, options)
        self.address = url
        if isinstance(self._place, LocalFolder):
            self._near = self._place
            self._links = LocalFolder(cache_dir) if cache_dir else self._place
        else:
            if cache_dir is None:
                import platformdirs

                cache_dir = platformdirs.user_cache_path("vpgen") / "store"
            self._near = self._links = LocalFolder(cache_dir)

    # --- objects ------------------------------------------------------------------------------

    def put_bytes(self, data: bytes, media_type: str = "application/octet-stream") -> Blob:
        """Store bytes; cheap when they are already there. Raises StoreError."""
        blob = Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type)
        if self.exists(blob):
            self._place.touch(_object(blob.sha256))
        else:
            self._place.write(_object(blob.sha256), data, media_type)
        return blob

    def put_file(self, path: Path, media_type: str = "application/octet-stream") -> Blob:
        """Store a file's bytes without holding them in memory. Raises InvalidInput (unreadable), StoreError."""
        try:
            digest, size = _digest_file(path)
        except OSError as exc:
            raise InvalidInput(f"{path} cannot be read: {exc.strerror or exc}") from exc
        blob = Blob(sha256=digest, size=size, media_type=media_type)
        if self.exists(blob):
            self._place.touch(_object(digest))
        else:
            self._place.write(_object(digest), path, media_type)
        return blob

    def get_bytes(self, blob: Blob) -> bytes:
        """The bytes, verified. Raises NotFound, Corrupted (the object is moved to quarantine), StoreError."""
        data = self._place.read(_object(blob.sha256))
        if data is None:
            raise _missing(blob, self.address)
        if hashlib.sha256(data).hexdigest() != blob.sha256:
            raise self._quarantine(blob.sha256)
        return data

    def get_path(self, blob: Blob, suffix: str = "") -> Path:
        """A local, read-only file with these bytes, verified now; its name ends in `suffix` (".mp4").

        Raises NotFound, Corrupted (the object is moved to quarantine), InvalidInput, StoreError.
        """
        if not _SUFFIX.fullmatch(suffix):
            raise InvalidInput(f"{suffix!r} is not a file suffix such as .mp4")
        path = self._near.path(_object(blob.sha256))
        if self._near is self._place:
            digest = self._digest_near(path)
            if digest is None:
                raise _missing(blob, self.address)
            if digest != blob.sha256:
                raise self._quarantine(blob.sha256)
        elif self._digest_near(path) != blob.sha256:
            self._download(blob, path)
        return self._named(path, suffix) if suffix else path

    def exists(self, blob: Blob) -> bool:
        """Say whether an object of this hash and size is there; its bytes are verified when it is read."""
        return self._place.size(_object(blob.sha256)) == blob.size

    def delete(self, sha256: str) -> None:
        """Remove an object, its local copy and its links; one that is not there is fine."""
        self._place.delete(_object(sha256))
        self._near.delete(_object(sha256))
        for link in self._links.path("links").glob(f"{sha256}.*"):
            self._links.delete(f"links/{link.name}")

    def url(self, blob: Blob) -> str:
        """The object's full address."""
        return self._place.url(_object(blob.sha256))

    # --- documents ----------------------------------------------------------------------------

    def put_document(self, kind: str, key: str, data: Mapping[str, Any]) -> None:
        """Store a JSON object under a kind and a key, replacing what was there in one step.

        Raises InvalidInput for a kind or key that is not [a-z0-9-]{1,80}, or data that is not JSON.
        """
        name = _document(kind, key)
        try:
            text = canonical_json(data).encode()
        except (TypeError, ValueError) as exc:
            raise InvalidInput(f"the {kind} document {key} is not JSON: {exc}") from exc
        head = f'{{"sha256":"{hashlib.sha256(text).hexdigest()}","data":'
        self._place.write(name, b"%s%s}\n" % (head.encode(), text), "application/json")

    def get_document(self, kind: str, key: str) -> dict[str, Any] | None:
        """The JSON object, or None when there is none or (logged) when it is not what was written."""
        name = _document(kind, key)
        raw = self._place.read(name)
        if raw is None:
            return None
        try:
            document = json.loads(raw)
            data = document["data"]
            whole = hashlib.sha256(canonical_json(data).encode()).hexdigest() == document["sha256"]
        except (ValueError, KeyError, TypeError, RecursionError):
            whole = False
        if not whole or not isinstance(data, dict):
            log.warning("%s is damaged and is treated as absent", self._place.url(name))
            return None
        return data

    def list_documents(self, kind: str, prefix: str = "") -> list[str]:
        """The keys of a kind that start with `prefix`, sorted."""
        folder = _document(kind, "x").rpartition("/")[0]
        keys = (name.removesuffix(".json") for name in self._place.names(folder) if name.endswith(".json"))
        return sorted(key for key in keys if key.startswith(prefix) and _NAME.fullmatch(key))

    def delete_document(self, kind: str, key: str) -> None:
        """Remove a document; one that is not there is fine."""
        self._place.delete(_document(kind, key))

    # --- what there is, for housekeeping ------------------------------------------------------

    def objects(self) -> Iterator[tuple[str, int, datetime]]:
        """Every object: its SHA-256, its bytes, and when it was last stored."""
        for name, size, at in self._place.every("objects"):
            sha256 = name.rpartition("/")[2]
            if _DIGEST.fullmatch(sha256):
                yield sha256, size, at

    def stored_at(self, sha256: str) -> datetime | None:
        """When an object was last stored; None where it is not there, or nobody can tell."""
        return next((at for _, _, at in self._place.every(_object(sha256))), None)

    def documents(self) -> Iterator[tuple[str, str, int, datetime]]:
        """Every document: its kind, its key, its bytes, and when it was last written."""
        for name, size, at in self._place.every("documents"):
            parts = name.split("/")
            if len(parts) == 3 and parts[2].endswith(".json"):
                yield parts[1], parts[2].removesuffix(".json"), size, at

    # --- everything else ----------------------------------------------------------------------

    def check(self) -> None:
        """Write, read and delete a small object, so that a broken store is known before work is done for it."""
        probe = self.put_bytes(b"vpgen store check " + uuid.uuid4().bytes, "text/plain")
        self.get_bytes(probe)
        self.delete(probe.sha256)

    @contextmanager
    def lock(
        self, key: str, *, timeout: float | None = None, on_wait: Callable[[float], None] | None = None
    ) -> Iterator[None]:
        """Hold the lock of a key, so that one process computes it; the system frees it when the holder dies.

        `on_wait(seconds waited)` is called while another holds it, and may raise to give up. `timeout` in
        seconds, None waits as long as it takes. May be entered and left in different threads. Not
        re-entrant. Raises Conflict on time-out, StoreError.
        """
        path = self._near.path(f"locks/{_name(key)}.lock")
        handle = filelock.FileLock(path, thread_local=False)
        started = time.monotonic()
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle.acquire(blocking=False)
                break
            except filelock.Timeout:
                waited = time.monotonic() - started
                if timeout is not None and waited >= timeout:
                    raise Conflict(
                        f"another process has been working on {key} for {waited:.0f} s",
                        remedy="wait for it to end, or stop it; its lock is freed when it ends",
                        retryable=True,
                    ) from None
                if on_wait:
                    on_wait(waited)
                time.sleep(_POLL_SECONDS)
            except OSError as exc:
                raise trouble(exc, "lock", path) from exc
        try:
            yield
        finally:
            # Unlinked while held: a waiter that has it open sees a file without a name and starts over.
            with suppress(OSError):
                path.unlink(missing_ok=True)
            handle.release()

    def _quarantine(self, sha256: str) -> Corrupted:
        """Move a damaged object out of the way, so that it can be made again; returns the error to raise."""
        place = self._place
        kept = f"quarantine/{sha256}-{uuid.uuid4().hex[:8]}"
        place.move(_object(sha256), kept)
        return Corrupted(
            f"the stored object {sha256} is not what was written; it was moved to {place.url(kept)}",
            remedy="run the same command again: it is made anew. If this repeats, check the disk",
            retryable=True,
        )

    def _digest_near(self, path: Path) -> str | None:
        try:
            return _digest_file(path)[0]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise trouble(exc, "read", path) from exc

    def _download(self, blob: Blob, path: Path) -> None:
        """Bring a remote object into the cache, verified before it gets its name there."""
        temporary = self._near.path(f"tmp/{os.getpid()}-{uuid.uuid4().hex}")
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not self._place.fetch(_object(blob.sha256), temporary):
                raise _missing(blob, self.address)
            if _digest_file(temporary)[0] != blob.sha256:
                raise self._quarantine(blob.sha256)
            temporary.chmod(0o444)
            temporary.replace(path)
        except OSError as exc:
            raise trouble(exc, "cache", path) from exc
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _named(self, path: Path, suffix: str) -> Path:
        """The same file under a name with a suffix: a hard link, or a copy where links are not possible."""
        link = self._links.path(f"links/{path.name}{suffix}")
        try:
            if link.exists() and (link.samefile(path) or _digest_file(link)[0] == path.name):
                return link
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._links.path(f"tmp/{os.getpid()}-{uuid.uuid4().hex}")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.hardlink_to(path)
            except OSError:
                shutil.copy(path, temporary)
            temporary.replace(link)
        except OSError as exc:
            raise trouble(exc, "link", link) from exc
        return link


def canonical_json(data: object) -> str:
    """JSON with sorted keys and no white space, so that equal values are equal text. Refuses NaN and infinity."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest_file(path: Path) -> tuple[str, int]:
    """SHA-256 in hex and size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _object(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise InvalidInput(f"{sha256[:80]!r} is not a SHA-256 digest in hex")
    return f"objects/{sha256[:2]}/{sha256}"


def _document(kind: str, key: str) -> str:
    return f"documents/{_name(kind)}/{_name(key)}.json"


def _name(text: str) -> str:
    """Text that is safe as a file name anywhere."""
    if not _NAME.fullmatch(text):
        raise InvalidInput(
            f"{text[:100]!r} is not a valid id", remedy="ids are 1 to 80 lower-case letters, digits and hyphens"
        )
    return text


def _missing(blob: Blob, address: str) -> NotFound:
    return NotFound(
        f"the object {blob.sha256} is not in the store {address}",
        remedy="it was deleted, or the store's address is another one; run the clip again to make it anew",
    )
