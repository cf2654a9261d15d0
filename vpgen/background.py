"""Processes that outlive the command that started them: begun with a note of who they are, found again, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


def begin(folder: Path, name: str, command: Sequence[str], environment: Mapping[str, str], **noted: str) -> None:
    """Start Python with these arguments in the background; its output goes to NAME.log, its note to NAME.json."""
    with (folder / f"{name}.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own arguments
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    created = psutil.Process(process.pid).create_time()
    (folder / f"{name}.json").write_text(json.dumps({"pid": process.pid, "created": created, **noted}))
    process.returncode = 0  # it is meant to outlive this process: nobody waits for it


def end(folder: Path, name: str, *, patience: float = 10.0) -> bool:
    """Stop the noted process with its children, killed when they take too long; returns whether there was one."""
    members = family(folder, name)
    (folder / f"{name}.json").unlink(missing_ok=True)
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    for member in psutil.wait_procs(members, timeout=patience)[1]:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(members, timeout=5)
    return bool(members)


def note(folder: Path, name: str) -> dict[str, Any] | None:
    """What was noted when the server was started here; None when it was not, or has ended since."""
    try:
        noted: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        process = psutil.Process(noted["pid"])
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return noted if _alive(process, noted["created"]) else None


def _alive(process: psutil.Process, created: float) -> bool:
    """Is it still the noted process? The system's idea of when that began moves with its clock."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - created) < 2.0
    return False


def family(folder: Path, name: str) -> list[psutil.Process]:
    """Every process of the noted server: its children outlive it when it is killed, and hold its port."""
    try:
        noted = json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError):
        return []
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(noted["pid"])
        if _alive(leader, noted["created"]):
            return [leader, *leader.children(recursive=True)]
        if leader.status() != psutil.STATUS_ZOMBIE:  # the number went to another process: the whole session is gone
            return []
    return [member for member in psutil.process_iter() if _session(member) == noted["pid"] and member.is_running()]


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid) if process.status() != psutil.STATUS_ZOMBIE else None
    except (AttributeError, OSError, psutil.Error):  # Windows has no sessions
        return None


def tail(log: Path) -> str:
    """The end of a log, in one line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-400:]
