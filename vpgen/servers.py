"""The Prefect and MLflow servers of this machine: start what is not running, say where to look, stop it again.

They run on loopback in the background and keep their state under the home; `stop` ends only what was
started here.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psutil

from vpgen.errors import MissingDependency, VpgenError
from vpgen.settings import Settings

START_SECONDS = 120.0
"""A Prefect server takes about half a minute on two busy cores."""


@dataclass(frozen=True)
class Server:
    """How to start one server and how to know that it answers."""

    name: str
    module: str
    extra: str
    url: str
    health: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def prefect(settings: Settings, port: int = 4200) -> Server:
    """The Prefect server, with its own database under the home."""
    return Server(
        name="Prefect",
        module="prefect",
        extra="flow",
        url=f"http://127.0.0.1:{port}",
        health="/api/health",
        command=("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)),
        environment={
            "PREFECT_HOME": str(settings.home.absolute() / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        },
    )


def mlflow(settings: Settings, port: int = 5000) -> Server:
    """The MLflow server over the database that clips are recorded in."""
    return Server(
        name="MLflow",
        module="mlflow",
        extra="track",
        url=f"http://127.0.0.1:{port}",
        health="/health",
        command=(
            "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", settings.resolved_tracking,
        ),
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip


def start(server: Server, settings: Settings) -> bool:
    """Start it unless it answers already; returns whether it was started here.

    Raises MissingDependency, or VpgenError with the end of the server's own log when it does not come up.
    """
    if answers(server):
        return False
    if find_spec(server.module) is None:
        raise MissingDependency(f"{server.name} is not installed", remedy=f"pip install 'vpgen[{server.extra}]'")
    folder = settings.home.absolute() / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{server.module}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own arguments
            [sys.executable, *server.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **server.environment},
            start_new_session=True,
        )
    (folder / f"{server.module}.pid").write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if answers(server):
            return True
        if process.poll() is not None:
            break
        time.sleep(0.25)
    stop(server, settings)
    raise VpgenError(
        f"{server.name} did not come up at {server.url}: {_tail(log)}",
        remedy=f"Is the port taken? Its log is {log}",
    )


def stop(server: Server, settings: Settings) -> bool:
    """Stop the server that was started here, with its children; returns whether there was one."""
    pid_file = settings.home.absolute() / "servers" / f"{server.module}.pid"
    try:
        process = psutil.Process(int(pid_file.read_text()))
        ours = server.module in " ".join(process.cmdline())
    except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        pid_file.unlink(missing_ok=True)
        return False
    pid_file.unlink(missing_ok=True)
    if not ours:
        return False
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.terminate()
    for member in psutil.wait_procs(family, timeout=10)[1]:
        member.kill()
    return True


def answers(server: Server) -> bool:
    """Does it say that it is healthy?"""
    try:
        return httpx.get(server.url + server.health, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def run_flow(what: str, subject: str, arguments: Mapping[str, Any], settings: Settings) -> str:
    """Run preview, final or make as Prefect flows on a server that is started when none answers.

    Returns the id of the last clip. PREFECT_API_URL, when set, names the server to use.
    """
    if find_spec("prefect") is None:
        raise MissingDependency("Prefect is not installed", remedy="pip install 'vpgen[flow]'")
    if not os.environ.get("PREFECT_API_URL"):
        server = prefect(settings)
        start(server, settings)
        os.environ.update({"PREFECT_API_URL": f"{server.url}/api", **server.environment})
    flows = {name: getattr(importlib.import_module(f"flows.{name}"), name) for name in ("preview", "final")}
    given = {key: value for key, value in arguments.items() if value is not None and key != "out"}
    if what == "final":
        return str(asyncio.run(flows["final"](preview_id=subject, **given)))
    clip_id = asyncio.run(flows["preview"](story=subject, **given))
    return str(asyncio.run(flows["final"](preview_id=clip_id)) if what == "make" else clip_id)


def _tail(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-400:]
