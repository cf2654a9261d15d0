"""The Prefect and MLflow servers of this machine: start what is not running, say where to look, stop it again.

They run on loopback in the background and keep their state under the home, with a note of the process and its
address; `stop` ends only what was started here.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import filelock
import httpx
import psutil

from vpgen import background
from vpgen.errors import MissingDependency, StoreError, VpgenError
from vpgen.settings import Settings
from vpgen.tracking import EXPERIMENT, shown

START_SECONDS = 120.0
"""A Prefect server takes about half a minute on two busy cores."""
PREFECT_PORT = 4200
MLFLOW_PORT = 5000
OFF = {"DO_NOT_TRACK": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Nothing is told to anybody outside."""


def folder_of(settings: Settings) -> Path:
    """Where the notes and logs of what runs in the background are."""
    return settings.home.absolute() / "servers"


@dataclass(frozen=True)
class Server:
    """How to start one server and how to know that it answers. Without a command it is somebody else's."""

    name: str
    module: str
    extra: str
    url: str
    health: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def port(self) -> int:
        """Where it listens."""
        return httpx.URL(self.url).port or 80


def prefect(settings: Settings, port: int = PREFECT_PORT) -> Server:
    """The Prefect server, with its own database under the home."""
    port = _port(settings, "prefect", port, PREFECT_PORT)
    url = f"http://127.0.0.1:{port}"
    return Server(
        name="Prefect",
        module="prefect",
        extra="flow",
        url=url,
        health="/api/health",
        command=("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)),
        environment={
            "PREFECT_HOME": str(settings.home.absolute() / "prefect"),
            "PREFECT_SERVER_UI_API_URL": f"{url}/api",  # its page asks port 4200 otherwise, wherever it is
        },
    )


def mlflow(settings: Settings, port: int = MLFLOW_PORT) -> Server:
    """The MLflow server over the database that clips are recorded in, or the one that the settings name."""
    home = settings.home.absolute()
    named = settings.resolved_tracking
    remote = named.startswith(("http://", "https://"))
    port = _port(settings, "mlflow", port, MLFLOW_PORT)
    return Server(
        name="MLflow",
        module="mlflow",
        extra="track",
        url=named.rstrip("/") if remote else f"http://127.0.0.1:{port}",
        health="/health",
        command=()
        if remote
        else (
            "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--artifacts-destination", str(home / "mlartifacts"),
        ),
        # By the environment, which other users cannot read, because a database's URI may hold a password. The job
        # runner is for what MLflow does with language models.
        environment={"MLFLOW_BACKEND_STORE_URI": named, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
    )  # fmt: skip


def start(server: Server, settings: Settings) -> bool:
    """Start it unless it answers already; returns whether it was started here.

    Raises MissingDependency, or VpgenError that says what stands in the way.
    """
    (outcome,) = start_all([server], settings)
    if isinstance(outcome, VpgenError):
        raise outcome
    return outcome


def start_all(servers: Sequence[Server], settings: Settings) -> list[bool | VpgenError]:
    """Start those that do not answer, side by side; returns for each whether it was started here, or why it is not up.

    Raises StoreError when the home cannot be written.
    """
    folder = folder_of(settings)
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for server in servers:  # two commands at once start one server, not two
                lock = filelock.FileLock(folder / f"{server.module}.lock", timeout=START_SECONDS)
                held.enter_context(lock)
        except filelock.Timeout as error:
            raise VpgenError("another command is still starting the servers", retryable=True) from error
        except OSError as error:
            raise StoreError(
                f"cannot write to {folder}: {error.strerror or error}",
                remedy="Free some space or choose another folder with VPGEN_HOME",
            ) from error
        begun = [_begin(server, folder) for server in servers]
        return [_await(server, began, folder) for server, began in zip(servers, begun, strict=True)]


def _begin(server: Server, folder: Path) -> bool | VpgenError:
    """Start the process; False when there is one already, or what stands in the way."""
    if not server.command:
        return False
    note = background.note(folder, server.module)
    if note is not None and note["url"] != server.url:
        return VpgenError(
            f"{server.name} runs already, at {note['url']}",
            remedy="Look there, or stop it first: vpgen ui --stop",
        )
    if note is not None:
        return False
    background.end(folder, server.module)  # what a killed server may have left
    if (obstacle := _obstacle(server)) is not None:
        return obstacle
    background.begin(folder, server.module, server.command, {**os.environ, **OFF, **server.environment}, url=server.url)
    return True


def _obstacle(server: Server) -> VpgenError | None:
    """What keeps it from starting, with the way around it."""
    if find_spec(server.module) is None:
        return MissingDependency(f"{server.name} is not installed", remedy=f"pip install 'vpgen[{server.extra}]'")
    if _taken(server.port):
        return VpgenError(
            f"{server.name} cannot start: port {server.port} is taken, and not by what was started here",
            remedy=f"Choose another: vpgen ui --{server.module}-port {server.port + 1}",
        )
    return None


def _await(server: Server, began: bool | VpgenError, folder: Path) -> bool | VpgenError:  # noqa: FBT001  # an outcome
    """Wait until it answers; returns whether it was started here, or why it does not answer."""
    if isinstance(began, VpgenError):
        return began
    if not server.command:
        return False if answers(server) else VpgenError(f"the {server.name} at {shown(server.url)} does not answer")
    log = folder / f"{server.module}.log"
    deadline = time.monotonic() + START_SECONDS
    while not (answers(server) and _listens(background.family(folder, server.module), server.port)):
        if not background.family(folder, server.module):
            background.end(folder, server.module)
            return VpgenError(f"{server.name} ended as it started: {background.tail(log)}", remedy=f"Its log is {log}")
        if time.monotonic() > deadline:
            return VpgenError(
                f"{server.name} is running but does not answer at {server.url}",
                remedy=f"Its log is {log}; end it with: vpgen ui --stop",
            )
        time.sleep(0.25)
    return began


def stop(server: Server, settings: Settings) -> bool:
    """Stop the server that was started here, with its children; returns whether there was one."""
    return background.end(folder_of(settings), server.module)


def _listens(family: Iterable[psutil.Process], port: int) -> bool:
    """Does one of them hold the port, or does something else answer there?"""
    for member in family:
        with suppress(psutil.Error):
            for connection in member.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False


def _port(settings: Settings, module: str, port: int, default: int) -> int:
    """The port asked for; when that is only the default: where it runs already, else the first that is free."""
    if port != default:
        return port
    note = background.note(folder_of(settings), module)
    if note is not None:
        return httpx.URL(note["url"]).port or default
    return next((near for near in range(default, default + 20) if not _taken(near)), default)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(server: Server) -> bool:
    """Does it say, in its own words, that it is healthy?"""
    try:
        reply = httpx.get(server.url + server.health, timeout=2.0, trust_env=not server.command)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return reply.is_success and reply.text.strip() in {"OK", "true"}


def page(server: Server) -> str:
    """Where to look: for MLflow the list of the clips' runs, once there are any."""
    if server.module != "mlflow":
        return shown(server.url)
    try:
        reply = httpx.get(
            f"{server.url}/api/2.0/mlflow/experiments/get-by-name",
            params={"experiment_name": EXPERIMENT},
            timeout=5.0,
            trust_env=not server.command,
        )
        number = reply.raise_for_status().json()["experiment"]["experiment_id"]
    except (httpx.HTTPError, ValueError, KeyError):
        return shown(server.url)
    return f"{shown(server.url)}/#/experiments/{number}/runs?workflowType=machine_learning"


def _say(line: str) -> None:
    """To stderr, where Prefect's log goes: stdout is the report's."""
    sys.stderr.write(f"{line}\n")


def run_flow(
    what: str,
    subject: str,
    arguments: Mapping[str, Any],
    settings: Settings,
    say: Callable[[str], None] = _say,
) -> str:
    """Run preview, final or make as Prefect flows, on servers that are started when none answer.

    Returns the id of the last clip. PREFECT_API_URL, when set, names the Prefect server to use. Raises what the
    studio raises, KeyboardInterrupt for Ctrl-C, and VpgenError when Prefect does not answer.
    """
    if find_spec("prefect") is None:
        raise MissingDependency("Prefect is not installed", remedy="pip install 'vpgen[flow]'")
    tracker = _serve(settings, say)
    from prefect.exceptions import CancelledRun

    flows = {name: getattr(importlib.import_module(f"flows.{name}"), name) for name in ("preview", "final")}
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        if what == "final":
            clip_id = str(asyncio.run(flows["final"](preview_id=subject, **given)))
        else:
            clip_id = str(asyncio.run(flows["preview"](story=subject, **{"config": settings.config, **given})))
        if what == "make":
            out = {"out": given["out"]} if "out" in given else {}
            clip_id = str(asyncio.run(flows["final"](preview_id=clip_id, **out)))
    except CancelledRun:
        raise KeyboardInterrupt from None
    except (httpx.HTTPError, RuntimeError) as error:  # from Prefect's client: a stage's errors are VpgenErrors
        if isinstance(error, RuntimeError) and "API" not in str(error):
            raise
        raise VpgenError(
            f"Prefect at {os.environ['PREFECT_API_URL']} does not answer: {error}",
            remedy="What was finished is kept: the same command goes on from there, without --flow too",
            retryable=True,
        ) from error
    finally:
        if tracker is not None:
            say(f"{tracker.name:<8} {page(tracker)}")
    return clip_id


def _serve(settings: Settings, say: Callable[[str], None]) -> Server | None:
    """Start what is needed and say where to look; returns MLflow's server if it has a page.

    Only Prefect is needed for a clip: what keeps MLflow's page from coming up is said, not raised.
    """
    scheduler, tracker = prefect(settings), mlflow(settings)
    own = not os.environ.get("PREFECT_API_URL")
    wanted = [server for server, needed in ((scheduler, own), (tracker, settings.tracking)) if needed]
    up: list[Server] = []
    for server, outcome in zip(wanted, start_all(wanted, settings), strict=True):
        if not isinstance(outcome, VpgenError):
            up.append(server)
            say(f"{server.name:<8} {shown(server.url)}  {'started' if outcome else 'is up already'}")
        elif server is scheduler:
            raise outcome
        else:
            say(f"{server.name:<8} has no page: {outcome}. The clip is made all the same")
    # Where `vpgen up` watches over runs, those that say nothing for long are taken for dead.
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
    if own:
        os.environ.update({"PREFECT_API_URL": f"{scheduler.url}/api", **scheduler.environment})
    os.environ.update(OFF)
    # Prefect's and MLflow's clients would ask a company's proxy for what is on this machine.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
    return tracker if tracker in up else None
