"""The store over real HTTP: an S3 server on loopback, reached through s3fs as a user's bucket is."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpgen.clip import Prompt
from vpgen.errors import Corrupted, InvalidInput, MissingDependency, NotFound, StoreError
from vpgen.store import records
from vpgen.store.objects import Blob, ObjectStore
from vpgen.store.records import StepRecord

pytest.importorskip("s3fs", reason="needs vpgen[s3]")
moto = pytest.importorskip("moto.server", reason="needs moto[server]")
DATA = b"six seconds of video" * 1000
KEYS = {"key": "test", "secret": "test"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server with nothing in it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def options(endpoint: str) -> dict[str, object]:
    """What a user sets to reach the server, with a bucket created in it."""
    import s3fs

    options = {**KEYS, "endpoint_url": endpoint}
    s3fs.S3FileSystem(**options).mkdir("bucket")
    return options


@pytest.fixture
def store(options: dict[str, object], tmp_path: Path) -> ObjectStore:
    """A new store in the bucket."""
    return ObjectStore(f"s3://bucket/{tmp_path.name}", cache_dir=tmp_path / "cache", options=options)


def damage(store: ObjectStore, options: dict[str, object], blob: Blob, data: bytes) -> None:
    """Overwrite an object behind the store's back."""
    import s3fs

    s3fs.S3FileSystem(**options).pipe_file(store.url(blob), data)


def test_objects_and_documents_come_back(store: ObjectStore, tmp_path: Path) -> None:
    """Bytes, files and documents are read from the bucket as they were written, and listed, and deleted."""
    source = tmp_path / "clip.mp4"
    source.write_bytes(DATA)
    blob = store.put_file(source, "video/mp4")
    assert store.put_bytes(DATA, "video/mp4") == blob
    assert store.exists(blob)
    assert store.get_bytes(blob) == DATA
    assert store.get_path(blob, ".mp4").read_bytes() == DATA
    assert store.list_documents("steps") == []
    assert store.get_document("steps", "a1") is None
    for key in ("b1", "a1"):
        store.put_document("steps", key, {"key": key})
    store.put_document("steps", "a1", {"key": "again"})
    assert store.get_document("steps", "a1") == {"key": "again"}
    assert store.list_documents("steps") == ["a1", "b1"]
    store.delete_document("steps", "a1")
    store.delete(blob.sha256)
    assert store.list_documents("steps") == ["b1"]
    assert not store.exists(blob)
    with pytest.raises(NotFound):
        store.get_path(blob)


def test_an_object_knows_what_it_is(store: ObjectStore, options: dict[str, object]) -> None:
    """The media type is the object's Content-Type, so a link to it plays in a browser."""
    import s3fs

    info = s3fs.S3FileSystem(**options).info(store.url(store.put_bytes(DATA, "video/mp4")))
    assert info["ContentType"] == "video/mp4"


def test_a_large_file_goes_up_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    """60 MB, above the size of a single upload, comes back whole."""
    source = tmp_path / "long.mp4"
    with source.open("wb") as file:
        for part in range(60):
            file.write(part.to_bytes(1, "big") * 1_000_000)
    path = store.get_path(store.put_file(source))
    assert path.stat().st_size == 60_000_000


def test_a_damaged_object_is_found_put_aside_and_made_again(store: ObjectStore, options: dict[str, object]) -> None:
    """Bytes changed in the bucket are never handed out, by value or as a file; the same put heals it."""
    for get in (store.get_bytes, lambda blob: store.get_path(blob).read_bytes()):
        blob = store.put_bytes(DATA)
        damage(store, options, blob, DATA[:-1])
        with pytest.raises(Corrupted, match="quarantine"):
            get(blob)
        assert not store.exists(blob)
        assert store.put_bytes(DATA) == blob
        assert get(blob) == DATA


def test_a_damaged_copy_in_the_cache_is_fetched_again(store: ObjectStore) -> None:
    """The local copy is verified each time, and replaced from the bucket when it is bad."""
    blob = store.put_bytes(DATA)
    copy = store.get_path(blob)
    copy.chmod(0o644)
    copy.write_bytes(b"x")
    assert store.get_path(blob).read_bytes() == DATA
    assert store.get_path(blob, ".mp4").read_bytes() == DATA


def test_a_damaged_document_is_absent(store: ObjectStore, options: dict[str, object]) -> None:
    """A document cut short in the bucket counts as never written."""
    import s3fs

    store.put_document("steps", "k", {"a": 1})
    bucket = s3fs.S3FileSystem(**options)
    path = f"{store.address}/documents/steps/k.json"
    bucket.pipe_file(path, bucket.cat_file(path)[:-5])
    assert store.get_document("steps", "k") is None


def test_another_machine_reads_what_this_one_wrote(
    store: ObjectStore, options: dict[str, object], tmp_path: Path
) -> None:
    """A step recorded through one store object is complete for another with an empty cache."""
    result = records.save(store, Prompt(character="a woman", background="a beach", motion="push in"))
    record = StepRecord(
        key="k", stage="plan", backend="rules", version="1", result=result, seconds=1.5, cpu_seconds=1.0
    )
    records.write_record(store, record)
    other = ObjectStore(store.address, cache_dir=tmp_path / "other", options=options)
    assert records.read_record(other, "k") == record


def test_the_lock_of_a_remote_store_is_this_machines(store: ObjectStore) -> None:
    """Processes of one machine compute a key of a remote store once: the lock is a local file."""
    with store.lock("key"), pytest.raises(Exception, match="has been working on"), store.lock("key", timeout=0.1):
        pytest.fail("held already")


def test_check_passes(store: ObjectStore) -> None:
    """A bucket that works passes the check that doctor makes."""
    store.check()


def test_a_missing_bucket_is_not_an_empty_store(options: dict[str, object], tmp_path: Path) -> None:
    """Reading and writing both say that the bucket is missing, so nothing is computed for nothing."""
    store = ObjectStore("s3://no-such-bucket/x", cache_dir=tmp_path, options=options)
    blob = Blob(sha256="0" * 64, size=1)
    uses = [
        lambda: store.get_document("steps", "k"),
        lambda: store.list_documents("steps"),
        lambda: store.exists(blob),
        lambda: store.get_path(blob),
        lambda: store.put_bytes(b"x"),
        store.check,
    ]
    for use in uses:
        with pytest.raises(StoreError, match=r"bucket|does not exist") as caught:
            use()
        assert "create the bucket" in str(caught.value.remedy)


def test_an_unreachable_server_is_said(tmp_path: Path) -> None:
    """With nothing listening, every use ends in a StoreError that may be tried again, within seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ObjectStore(
        "s3://bucket/x", cache_dir=tmp_path, options={**KEYS, "endpoint_url": f"http://127.0.0.1:{port}"}
    )
    for use in (store.check, lambda: store.get_document("steps", "k")):
        with pytest.raises(StoreError, match="cannot") as caught:
            use()
        assert caught.value.retryable
        assert "can be reached" in str(caught.value.remedy)


def test_a_missing_s3fs_names_its_extra() -> None:
    """Where s3fs is not installed, an s3:// address says which extra brings it."""
    script = """
import sys
sys.modules["s3fs"] = None
from vpgen.errors import MissingDependency
from vpgen.store.objects import ObjectStore
try:
    ObjectStore("s3://bucket/x")
except MissingDependency as error:
    print(error.remedy)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "pip install 'vpgen[s3]'"
    assert issubclass(MissingDependency, ImportError)
    with pytest.raises(InvalidInput):
        ObjectStore("s4://bucket")
