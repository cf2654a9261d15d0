"""Production on this machine: servers, work pools with their limits, deployments and workers, up and down in one step.

Prefect is asked over its HTTP API; what only its own command can do runs as a process. Everything may be said twice:
what is there is left, or brought to what is wanted.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import filelock
import httpx
import stamina

from vpgen import background, servers, switch
from vpgen.errors import InvalidInput, MissingDependency, NotFound, VpgenError
from vpgen.resources import folder
from vpgen.settings import Settings
from vpgen.store.database import open_database
from vpgen.tracking import shown

POOLS = {"preview": 5, "render": 2, "batch": 2}
"""Work pools and how many runs of each go on at a time, on all workers together."""
SILENT_SECONDS = 240
"""A run that has not been heard of for so long is dead. Ours say something every 30 s; Prefect's default is 180 s."""
ZOMBIES = "vpgen: runs whose process died"
START_SECONDS = 90.0
_OVER = ("Completed", "Failed", "Cancelled", "Crashed", "Paused", "Suspended", "Scheduled", "AwaitingRetry")
_BUSY = ("RUNNING", "PENDING", "CANCELLING")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def up(
    settings: Settings,
    *,
    prefect_port: int = servers.PREFECT_PORT,
    mlflow_port: int = servers.MLFLOW_PORT,
    work: Sequence[str] = tuple(POOLS),
    say: Callable[[str], None] = _say,
) -> None:
    """Start what is not running, make the pools, apply the deployments, start workers in the current folder.

    `work`: the pools that this machine has a worker for. PREFECT_API_URL, when set, names the Prefect server to use.
    Raises InvalidInput, MissingDependency, or VpgenError that says what stands in the way.
    """
    if unknown := sorted(set(work) - POOLS.keys()):
        raise InvalidInput(f"there is no pool {unknown[0]!r}", remedy=f"The pools are {', '.join(POOLS)}")
    if find_spec("prefect") is None:
        raise MissingDependency("Prefect is not installed", remedy="pip install 'vpgen[flow]'")
    scheduler, tracker = servers.prefect(settings, prefect_port), servers.mlflow(settings, mlflow_port)
    own = not os.environ.get("PREFECT_API_URL")
    wanted = [server for server, needed in ((scheduler, own), (tracker, settings.tracking)) if needed]
    for server, began in zip(wanted, servers.start_all(wanted, settings), strict=True):
        if not isinstance(began, VpgenError):
            say(f"{server.name:<12} {servers.page(server)}  {'started' if began else 'is up already'}")
        elif server is scheduler:
            raise began
        else:
            say(f"{server.name:<12} has no page: {began}")
    environment = _environment(settings, scheduler, own=own)
    with _Api(environment["PREFECT_API_URL"]) as api, _alone(settings):
        paused = _paused(settings)
        for pool, limit in POOLS.items():
            _pool(api, pool, limit, paused=paused)
        say(f"{'Pools':<12} {', '.join(f'{pool} (at most {limit})' for pool, limit in POOLS.items())}")
        _watch_for_zombies(api)
        say(f"{'Deployments':<12} {_deploy(environment)}")
        started = [_worker(api, settings, environment, pool) for pool in work]
        _await_workers(api, settings, work)
        for folder, its in _by_folder(settings, work).items():
            said = ", ".join(f"{pool} {word}" for pool, word in zip(work, started, strict=True) if pool in its)
            there = "" if folder == str(Path.cwd()) else ", and stays there until `vpgen down`"
            say(f"{'Workers':<12} {said}, in {folder}{there}")
    say("Stop everything with: vpgen down")


def down(settings: Settings, *, say: Callable[[str], None] = _say) -> None:
    """Stop the workers that were started here, then the servers. Runs under way end as cancelled, and can go on."""
    where = servers.folder_of(settings)
    for pool in POOLS:
        ended = background.end(where, _note(pool), patience=20.0)
        say(f"{f'worker {pool}':<15} {'stopped' if ended else 'was not started here'}")
    for server in (servers.prefect(settings), servers.mlflow(settings)):
        say(f"{server.name:<15} {'stopped' if servers.stop(server, settings) else 'was not started here'}")


def hold(settings: Settings, *, paused: bool) -> str:
    """Pause or resume the work pools too, so that runs wait instead of being turned away; says what came of it.

    The switch in the database is what counts: a Prefect that is not there, or does not answer, changes nothing.
    """
    if not os.environ.get("PREFECT_API_URL") and background.note(servers.folder_of(settings), "prefect") is None:
        return ""
    scheduler = servers.prefect(settings)
    url = os.environ.get("PREFECT_API_URL") or f"{scheduler.url}/api"
    try:
        with _Api(url, timeout=5.0) as api:
            held = [pool for pool in POOLS if api.patch(f"work_pools/{pool}", {"is_paused": paused})]
    except VpgenError as error:
        return f"Prefect's work pools are as they were: {error.message}"
    if not held:
        return ""
    return f"work pools {', '.join(held)} {'hold their runs back' if paused else 'go on'}"


class _Api:
    """Prefect's HTTP API. Raises VpgenError for what it does not take."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        headers = {}
        if key := os.environ.get("PREFECT_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        elif secret := os.environ.get("PREFECT_API_AUTH_STRING"):
            headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
        self._url = url
        local = httpx.URL(url).host in {"127.0.0.1", "localhost"}
        self._client = httpx.Client(base_url=f"{url}/", timeout=timeout, headers=headers, trust_env=not local)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, document)

    def patch(self, path: str, document: Mapping[str, Any]) -> bool:
        """Whether there was something to change."""
        return self._ask("PATCH", path, document, absent=False) is not False

    def get(self, path: str) -> Any:
        """None when there is no such thing."""
        return self._ask("GET", path, None, absent=None)

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None, absent: Any = ...) -> Any:
        try:
            for attempt in stamina.retry_context(on=_busy, attempts=8, wait_initial=0.5, wait_max=8.0, timeout=60.0):
                with attempt:
                    reply = self._client.request(method, path, json=document)
                    if reply.status_code == 503:
                        reply.raise_for_status()
            if reply.status_code == 404 and absent is not ...:
                return absent
            reply.raise_for_status()
            return reply.json() if reply.content else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            said = error.response.text[:300] if isinstance(error, httpx.HTTPStatusError) else str(error)
            raise VpgenError(f"Prefect at {shown(self._url)} does not take {path}: {said}", retryable=True) from error


def _busy(error: Exception) -> bool:
    """Its database is locked for a moment, as SQLite's is when many ask at once."""
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 503


def _environment(settings: Settings, scheduler: servers.Server, *, own: bool) -> dict[str, str]:
    """What workers and Prefect's command run with; what the user has set himself wins."""
    defaults = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        # A folder `flows` of the user's own, where the worker runs, is not taken for ours.
        "PYTHONSAFEPATH": "1",
    }
    servers_own = {"PREFECT_API_URL": f"{scheduler.url}/api", **scheduler.environment} if own else {}
    exceptions = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost")))
    always = {
        "VPGEN_HOME": str(settings.home.absolute()),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),  # `python` is ours
        "NO_PROXY": exceptions,
        "no_proxy": exceptions,
    }
    return {**defaults, **os.environ, **servers.OFF, **servers_own, **always}


def _paused(settings: Settings) -> bool:
    database = open_database(settings.resolved_database)
    try:
        return switch.position(database).paused
    finally:
        database.close()


def _pool(api: _Api, name: str, limit: int, *, paused: bool = False) -> None:
    """The pool, with its limit, held back while production is paused; a limit changed by hand is brought back."""
    wanted = {"concurrency_limit": limit, **({"is_paused": True} if paused else {})}
    if api.get(f"work_pools/{name}") is None:
        api.post("work_pools/", {"name": name, "type": "process", **wanted})
    else:
        api.patch(f"work_pools/{name}", wanted)


def _watch_for_zombies(api: _Api) -> None:
    """Prefect never finds out by itself that a run's process died: without this it holds its slot for ever."""
    wanted = {
        "name": ZOMBIES,
        "description": f"No heartbeat for {SILENT_SECONDS} s: the run is marked Crashed and its slot is free again.",
        "enabled": True,
        "trigger": {
            "type": "event",
            "posture": "Proactive",
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            "after": ["prefect.flow-run.heartbeat"],
            "expect": ["prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in _OVER)],
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": SILENT_SECONDS,
        },
        "actions": [
            {
                "type": "change-flow-run-state",
                "state": "CRASHED",
                "name": "Crashed",
                "message": "Its process is gone: no heartbeat. What was finished is kept; run it again to go on",
            }
        ],
    }
    if not api.post("automations/filter", {"automations": {"name": {"any_": [ZOMBIES]}}}):
        api.post("automations/", wanted)


def definition() -> Path:
    """prefect.yaml: at the root of a checkout, or inside the installed wheel. Raises NotFound."""
    path = folder("configs").parent / "prefect.yaml"
    if not path.is_file():
        raise NotFound("this installation of vpgen has no prefect.yaml", remedy="Reinstall: pip install --force vpgen")
    return path


def _deploy(environment: Mapping[str, str]) -> str:
    """Apply every deployment of prefect.yaml, without a question. Says how many."""
    path = definition()
    done = subprocess.run(  # noqa: S603  # our own interpreter and arguments
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)],
        env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        said = " / ".join(line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip())
        raise VpgenError(f"the deployments were not applied: {said[-600:]}")
    import yaml

    names = [entry["name"] for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]]
    return ", ".join(names)


def _note(pool: str) -> str:
    return f"worker-{pool}"


def _worker_name(pool: str) -> str:
    return f"vpgen-{socket.gethostname()}-{pool}"


def _worker(api: _Api, settings: Settings, environment: Mapping[str, str], pool: str) -> str:
    """A worker in the background, in the current folder, unless one was started here before."""
    where = servers.folder_of(settings)
    if background.note(where, _note(pool)) is not None:
        return "is up already"
    background.end(where, _note(pool))  # what a killed worker may have left at work
    _bury(api, pool)
    command = ("-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", _worker_name(pool))
    background.begin(where, _note(pool), command, environment, runs_in=str(Path.cwd()))
    return "started"


def _by_folder(settings: Settings, work: Sequence[str]) -> dict[str, list[str]]:
    """Where the workers run: one that was up already, in the folder where it was started."""
    found = defaultdict[str, list[str]](list)
    for pool in work:
        noted = background.note(servers.folder_of(settings), _note(pool)) or {}
        found[noted.get("runs_in", str(Path.cwd()))].append(pool)
    return found


def _bury(api: _Api, pool: str) -> None:
    """Runs that nobody can be at work on: no worker of the pool lives, on this machine or another."""
    alive = [
        worker
        for worker in api.post(f"work_pools/{pool}/workers/filter", {})
        if worker.get("status") == "ONLINE" and worker["name"] != _worker_name(pool)
    ]
    if alive:
        return  # theirs are told apart by their heartbeats
    runs = {"work_pools": {"name": {"any_": [pool]}}, "flow_runs": {"state": {"type": {"any_": list(_BUSY)}}}}
    for run in api.post("flow_runs/filter", {**runs, "limit": 200}):
        message = "Its worker was not running any more. What was finished is kept; run it again to go on"
        state = {"type": "CRASHED", "name": "Crashed", "message": message}
        api.post(f"flow_runs/{run['id']}/set_state", {"state": state, "force": True})


def _await_workers(api: _Api, settings: Settings, work: Sequence[str]) -> None:
    """Until every worker says that it is there. Raises VpgenError with the end of a log."""
    where, deadline = servers.folder_of(settings), time.monotonic() + START_SECONDS
    waiting = set(work)
    while waiting:
        for pool in sorted(waiting):
            found = api.post(f"work_pools/{pool}/workers/filter", {})
            log = where / f"{_note(pool)}.log"
            if background.note(where, _note(pool)) is None:
                background.end(where, _note(pool))
                raise VpgenError(
                    f"the worker of {pool} ended as it started: {background.tail(log)}", remedy=f"Its log is {log}"
                )
            if any(one["name"] == _worker_name(pool) and one.get("status") == "ONLINE" for one in found):
                waiting.discard(pool)
            elif time.monotonic() > deadline:
                raise VpgenError(f"the worker of {pool} does not report to Prefect", remedy=f"Its log is {log}")
        if waiting:
            time.sleep(0.5)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two commands at once start one worker a pool, not two."""
    lock = filelock.FileLock(servers.folder_of(settings) / "workers.lock", timeout=servers.START_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise VpgenError("another command is still starting the workers", retryable=True) from error
    try:
        yield
    finally:
        lock.release()
