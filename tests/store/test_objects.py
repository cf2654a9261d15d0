"""The artifact store keeps bytes whole, by name, for any number of processes, or says why it cannot."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpgen.errors import Conflict, Corrupted, InvalidInput, NotFound, StoreError
from vpgen.store.objects import Blob, ObjectStore

DATA = b"six seconds of video" * 1000


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """A new store in a local folder."""
    return ObjectStore(str(tmp_path / "store"))


def files(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def mounted(folder: Path, options: str) -> None:
    """Mount a tmpfs, or skip the test where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")


def unmounted(folder: Path) -> None:
    """Undo `mounted`."""
    subprocess.run(["umount", "-l", str(folder)], check=True)


# --- objects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["{}", "file://{}", "memory://{}"])
def test_bytes_come_back(tmp_path: Path, address: str) -> None:
    """What was put is what is read, as bytes and as a file, in a folder and in memory."""
    store = ObjectStore(address.format(tmp_path / "한글 store"), cache_dir=tmp_path / "cache")
    blob = store.put_bytes(DATA, "video/mp4")
    assert blob == Blob(sha256=hashlib.sha256(DATA).hexdigest(), size=len(DATA), media_type="video/mp4")
    assert store.get_bytes(blob) == DATA
    assert store.get_path(blob).read_bytes() == DATA
    assert store.get_path(blob, ".mp4").suffix == ".mp4"
    assert store.get_path(blob, ".mp4").read_bytes() == DATA
    assert store.exists(blob)
    assert blob.sha256 in store.url(blob)
    store.delete(blob.sha256)
    assert not store.exists(blob)
    assert not list(tmp_path.rglob(f"{blob.sha256}*"))
    with pytest.raises(NotFound):
        store.get_bytes(blob)
    with pytest.raises(NotFound):
        store.get_path(blob)


def test_a_file_is_the_same_object_as_its_bytes(store: ObjectStore, tmp_path: Path) -> None:
    """put_file and put_bytes agree, and an empty file is an object like any other."""
    source = tmp_path / "clip.mp4"
    for data in (DATA, b""):
        source.write_bytes(data)
        assert store.put_file(source, "video/mp4") == store.put_bytes(data, "video/mp4")


def test_a_second_put_writes_nothing(store: ObjectStore) -> None:
    """An object that is there already is left alone; only its age, by which housekeeping goes, starts anew."""
    path = store.get_path(store.put_bytes(DATA))
    os.utime(path, (1, 1))
    before = path.stat()
    store.put_bytes(DATA)
    after = path.stat()
    assert before.st_ino == after.st_ino
    assert after.st_mtime > before.st_mtime == 1


def test_objects_are_read_only_files(store: ObjectStore) -> None:
    """A user who opens the path that get_path gave cannot write to it by accident."""
    blob = store.put_bytes(DATA)
    assert store.get_path(blob).stat().st_mode & 0o777 == 0o444
    assert store.get_path(blob, ".mp4").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("missing", ["nothing.mp4", "."])
def test_an_unreadable_source_is_invalid_input(store: ObjectStore, tmp_path: Path, missing: str) -> None:
    """A file to be stored that is not there, or is a folder, is the caller's fault, not the store's."""
    with pytest.raises(InvalidInput, match="cannot be read"):
        store.put_file(tmp_path / missing)


@pytest.mark.parametrize("how", ["flip", "truncate", "empty"])
@pytest.mark.parametrize("read", ["get_bytes", "get_path", "get_path_with_suffix"])
def test_a_damaged_object_is_found_put_aside_and_made_again(store: ObjectStore, how: str, read: str) -> None:
    """Whatever happened to the bytes, reading raises Corrupted once, and the same put heals it."""
    blob = store.put_bytes(DATA)

    def get() -> bytes:
        if read == "get_bytes":
            return store.get_bytes(blob)
        return store.get_path(blob, ".mp4" if "suffix" in read else "").read_bytes()

    assert get() == DATA
    damage(store.get_path(blob), how)
    with pytest.raises(Corrupted, match="quarantine") as caught:
        get()
    assert caught.value.retryable
    assert not store.exists(blob)
    store.put_bytes(DATA)
    assert get() == DATA


def damage(path: Path, how: str) -> None:
    """Change a stored file as a bad disk or a careless user would."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes({"flip": bytes(data), "truncate": bytes(data[:-1]), "empty": b""}[how])
    path.chmod(0o444)


def test_a_put_replaces_an_object_of_the_wrong_size(store: ObjectStore) -> None:
    """A torn object is repaired by the next put even if nobody read it in between."""
    blob = store.put_bytes(DATA)
    damage(store.get_path(blob), "truncate")
    store.put_bytes(DATA)
    assert store.get_bytes(blob) == DATA


# --- documents ----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(data=st.dictionaries(st.text(), JSON, max_size=4))
def test_documents_come_back(data: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any JSON object is read as it was written."""
    store = ObjectStore(f"memory://{tmp_path_factory.getbasetemp()}")
    store.put_document("steps", "key", data)
    assert store.get_document("steps", "key") == data


def test_a_document_is_replaced_and_listed(store: ObjectStore) -> None:
    """The last write counts; keys are listed in order, by prefix, by kind."""
    assert store.get_document("clips", "a1") is None
    assert store.list_documents("clips") == []
    for key in ("b1", "a2", "a1"):
        store.put_document("clips", key, {"key": key})
    store.put_document("clips", "a1", {"key": "again"})
    assert store.get_document("clips", "a1") == {"key": "again"}
    assert store.list_documents("clips") == ["a1", "a2", "b1"]
    assert store.list_documents("clips", prefix="a") == ["a1", "a2"]
    assert store.list_documents("steps") == []
    store.delete_document("clips", "a1")
    assert store.get_document("clips", "a1") is None


def test_a_torn_document_is_absent_wherever_it_was_torn(
    store: ObjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A document cut at any byte, or with any one byte changed, is never believed, and is reported."""
    store.put_document("steps", "k", {"seed": 12, "name": "해질녘"})
    path = tmp_path / "store/documents/steps/k.json"
    whole = path.read_bytes()
    torn = [whole[:cut] for cut in range(len(whole) - 1)]
    torn += [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole) - 1)]
    path.chmod(0o644)
    for raw in [*torn, b"[]", b'{"sha256":1,"data":[]}', b"[" * 100_000, b"\xff\xfe"]:
        path.write_bytes(raw)
        assert store.get_document("steps", "k") is None, raw
    assert "is damaged" in caplog.text


def test_what_json_cannot_say_is_refused(store: ObjectStore) -> None:
    """NaN, infinity, bytes and half a character raise, and leave no document."""
    for bad in (float("nan"), float("inf"), b"bytes", object(), "\ud800"):
        with pytest.raises(InvalidInput, match="not JSON"):
            store.put_document("steps", "k", {"value": bad})
    assert store.list_documents("steps") == []


@given(
    name=st.text(max_size=100)
    | st.sampled_from(["../x", "..", "/etc/passwd", "a/../../b", "a\0b", "a\n", "A", "-" * 81])
)
def test_only_plain_names_are_names(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A kind, key, lock or digest that is not a plain name is refused before any file is touched."""
    if re.fullmatch(r"[a-z0-9-]{1,80}", name):
        return
    root = tmp_path_factory.getbasetemp() / "nothing-is-written-here"
    store = ObjectStore(str(root))
    refused = [
        lambda: store.put_document(name, "k", {}),
        lambda: store.put_document("k", name, {}),
        lambda: store.get_document("k", name),
        lambda: store.list_documents(name),
        lambda: store.delete(name),
        lambda: store.lock(name).__enter__(),
    ]
    suffix = name or "/"
    if not re.fullmatch(r"\.[a-z0-9]{1,8}", suffix):  # ".0" is no name, but a suffix as good as ".mp4"
        refused.append(lambda: store.get_path(Blob(sha256="0" * 64, size=1), suffix))
    for call in refused:
        with pytest.raises(InvalidInput):
            call()
    assert not root.exists()


def test_a_blob_cannot_name_a_path() -> None:
    """The digest of a blob read from a document is checked when the blob is built."""
    for bad in ("../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(ValueError, match="pattern"):
            Blob(sha256=bad, size=1)


# --- a store that cannot be used ----------------------------------------------------------------


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """On a tmpfs of 256 KiB a 1 MiB object raises StoreError, and a small one still fits afterwards."""
    disk = tmp_path / "disk"
    mounted(disk, "size=256k")
    try:
        store = ObjectStore(str(disk / "store"))
        with pytest.raises(StoreError, match="no space is left") as caught:
            store.put_bytes(os.urandom(1 << 20))
        assert "free some" in str(caught.value.remedy)
        assert files(disk) == []
        blob = store.put_bytes(DATA)
        assert store.get_bytes(blob) == DATA
    finally:
        unmounted(disk)


def test_a_file_size_limit_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Under `ulimit -f` (a quota anybody can set) a too large object raises StoreError and leaves no file."""
    script = """
        import resource, sys
        from vpgen.errors import StoreError
        from vpgen.store.objects import ObjectStore
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        store = ObjectStore(sys.argv[1])
        try:
            store.put_bytes(bytes(8192))
        except StoreError as error:
            print(error, error.remedy)
        store.put_bytes(b"small")
    """
    said = run(script, tmp_path / "store")
    assert "no space is left" in said
    assert [name.partition("/")[0] for name in files(tmp_path / "store")] == ["objects"]


def test_a_read_only_store_can_be_read_but_not_written(tmp_path: Path) -> None:
    """On a read-only mount (for root) or in a read-only folder (for others), reading works and writing says why."""
    disk = tmp_path / "disk"
    if os.geteuid():
        disk.mkdir()
    else:
        mounted(disk, "size=1m")
    try:
        store = ObjectStore(str(disk), cache_dir=tmp_path / "cache")
        blob = store.put_bytes(DATA)
        store.put_document("steps", "k", {"a": 1})
        if os.geteuid():
            for folder in [disk, *(path for path in disk.rglob("*") if path.is_dir())]:
                folder.chmod(0o555)
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        store = ObjectStore(str(disk), cache_dir=tmp_path / "cache")
        assert store.get_path(blob, ".mp4").read_bytes() == DATA
        assert store.get_document("steps", "k") == {"a": 1}
        assert store.put_bytes(DATA) == blob
        for write in (lambda: store.put_bytes(b"new"), lambda: store.put_document("steps", "k", {}), store.check):
            with pytest.raises(StoreError, match=r"read-only|permission denied"):
                write()
    finally:
        if os.geteuid() == 0:
            unmounted(disk)


def test_a_store_that_is_a_file_is_said(tmp_path: Path) -> None:
    """A store's address that names a file, or a path under one, is a StoreError with a remedy, also for locks."""
    (tmp_path / "file").write_text("x")
    for address in (tmp_path / "file", tmp_path / "file" / "below"):
        store = ObjectStore(str(address))
        for use in (lambda s=store: s.put_bytes(b"x"), lambda s=store: s.lock("k").__enter__()):
            with pytest.raises(StoreError, match="a file stands where a folder is needed"):
                use()
        assert store.get_document("steps", "k") is None


@pytest.mark.parametrize("address", ["", "  ", "a\0b", "nonsense://x"])
def test_a_nonsense_address_is_invalid_input(address: str) -> None:
    """An address that no file system understands is refused at once, with the forms that are."""
    with pytest.raises(InvalidInput):
        ObjectStore(address)


def test_check_passes_and_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    """A store that works passes its check, which leaves no file."""
    store.check()
    assert files(tmp_path / "store") == []


# --- several processes --------------------------------------------------------------------------


def run(script: str, *arguments: object) -> str:
    """The output of a Python script in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python script at work in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


COMPUTE = """
    import sys, time
    from vpgen.store.objects import ObjectStore
    store = ObjectStore(sys.argv[1])
    for key in range(5):
        with store.lock(f"key-{key}"):
            if store.get_document("steps", f"key-{key}") is None:
                print(key, flush=True)
                time.sleep(0.02)
                store.put_document("steps", f"key-{key}", {"result": key})
"""


def test_processes_that_compute_the_same_keys_do_the_work_once(tmp_path: Path) -> None:
    """Three processes go through five keys at once: each key is computed by exactly one of them."""
    workers = [started(COMPUTE, tmp_path / "store") for _ in range(3)]
    said = [line for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(said) == ["0", "1", "2", "3", "4"]
    assert not list((tmp_path / "store/locks").iterdir())


HOLD = """
    import sys, time
    from vpgen.store.objects import ObjectStore
    with ObjectStore(sys.argv[1]).lock("key"):
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of "key"."""
    process = started(HOLD, tmp_path / "store")
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_lock_of_a_killed_process_is_free(store: ObjectStore, holder: subprocess.Popen[str]) -> None:
    """After kill -9 of the holder the next process gets the lock at once."""
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with store.lock("key", timeout=5):
        assert time.monotonic() - began < 1


def test_waiting_for_a_lock_is_told_and_ends(store: ObjectStore, holder: subprocess.Popen[str]) -> None:
    """While another process holds a key, on_wait hears how long; at the time-out there is a Conflict."""
    waits: list[float] = []
    with (
        pytest.raises(Conflict, match="has been working on key") as caught,
        store.lock("key", timeout=0.2, on_wait=waits.append),
    ):
        pytest.fail("the lock is held by another process")
    assert caught.value.retryable
    assert waits == sorted(waits)
    assert len(waits) >= 2
    with store.lock("another-key", timeout=0):
        pass


def test_on_wait_may_give_up(store: ObjectStore, holder: subprocess.Popen[str]) -> None:
    """An exception of on_wait (a cancelled clip) ends the wait and reaches the caller."""

    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.lock("key", on_wait=cancel):
        pytest.fail("the lock is held by another process")


def test_an_error_under_the_lock_frees_it(store: ObjectStore) -> None:
    """Work that fails while it holds the lock does not keep the next attempt out."""
    with pytest.raises(RuntimeError), store.lock("key"):
        raise RuntimeError
    with store.lock("key", timeout=0):
        pass


KILLED_EVERYWHERE = """
    import os, signal, sys
    from pathlib import Path
    from vpgen.store.objects import Blob, ObjectStore

    WATCHED = {"open", "os.mkdir", "os.chmod", "os.rename", "os.remove", "os.listdir", "os.scandir"}
    OLD, NEW = {"value": "old"}, {"value": "new" * 5000}
    source = Path(sys.argv[1]) / "source.bin"
    source.write_bytes(bytes(range(256)) * 8192)

    def work(store, die_at):
        seen = 0
        def hook(event, arguments):
            nonlocal seen
            if event in WATCHED:
                seen += 1
                if seen == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        with store.lock("key"):
            store.put_file(source, "video/mp4")
            store.put_bytes(b"picture" * 10000, "image/png")
            store.put_document("steps", "key", NEW)
        os._exit(0)

    for die_at in range(1, 200):
        root = Path(sys.argv[1]) / str(die_at)
        store = ObjectStore(str(root))
        store.put_document("steps", "key", OLD)
        child = os.fork()
        if child == 0:
            work(store, die_at)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])

        found = store.get_document("steps", "key")
        assert found in (OLD, NEW), found
        objects = [path for path in (root / "objects").rglob("*") if path.is_file()]
        for path in objects:
            store.get_bytes(Blob(sha256=path.name, size=path.stat().st_size))
        assert found == OLD or len(objects) == 2
        with store.lock("key", timeout=0):
            assert store.get_path(store.put_file(source), ".mp4").stat().st_size == source.stat().st_size
        if not killed:
            assert found == NEW
            print(die_at - 1)
            break
"""


def test_kill_9_at_every_file_operation_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A process killed at its n-th file operation, for every n, leaves whole objects and documents or none."""
    points = int(run(KILLED_EVERYWHERE, tmp_path))
    assert points > 15


BUSY = """
    import os, sys
    from vpgen.store.objects import ObjectStore
    store = ObjectStore(sys.argv[1])
    print("go", flush=True)
    while True:
        data = os.urandom(300_000)
        blob = store.put_bytes(data)
        store.put_document("steps", blob.sha256, {"blob": blob.model_dump(), "filler": data.hex()[:50_000]})
"""


def test_kill_9_at_random_moments_leaves_nothing_half_written(tmp_path: Path, store: ObjectStore) -> None:
    """Twelve writers are killed at arbitrary moments: every object has its hash, every document its object."""
    for attempt in range(12):
        writer = started(BUSY, tmp_path / "store")
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(0.003 * attempt)
        writer.kill()
        writer.communicate()
    for path in (tmp_path / "store/objects").rglob("*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    keys = store.list_documents("steps")
    assert keys
    for key in keys:
        document = store.get_document("steps", key)
        assert document is not None
        assert store.exists(Blob.model_validate(document["blob"]))


def test_leftovers_of_dead_processes_are_swept(store: ObjectStore, tmp_path: Path) -> None:
    """A temporary file of yesterday goes with the first write; one of a minute ago may still be in use."""
    folder = tmp_path / "store/tmp"
    folder.mkdir(parents=True)
    for name, age in (("old", 2 * 24 * 3600), ("young", 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    store.put_bytes(DATA)
    assert files(folder) == ["young"]
