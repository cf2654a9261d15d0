"""One Prefect server on loopback for all tests of the flows, what it recorded, and a process that runs flows."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from prefect_records import Recorded

from vpgen import servers
from vpgen.settings import Settings

pytest.importorskip("prefect")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A server with a database of its own, shared by the processes of this test run; the last one stops it."""
    root, worker = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_WORKER")
    home = (root.parent if worker else root) / "shared-prefect"
    settings = Settings(home=home)
    me = home / "users" / (worker or "only")
    me.parent.mkdir(parents=True, exist_ok=True)
    turn = filelock.FileLock(home / "users.lock")
    try:
        with turn:
            me.touch()
            server = servers.prefect(settings)
            servers.start(server, settings)
        yield Recorded(server.url, home)
    finally:
        with turn:
            me.unlink()
            if not any(me.parent.iterdir()):
                servers.stop(servers.prefect(settings), settings)


@pytest.fixture(scope="session")
def _flow_process(recorded: Recorded) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PREFECT_API_URL": f"{recorded.url}/api",
        "PREFECT_HOME": str(recorded.home / "prefect"),
        "DO_NOT_TRACK": "true",
    }
    with (
        (recorded.home / f"flows-{os.getpid()}.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("flow_process.py")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        ) as process,
    ):  # fmt: skip
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.fixture
def run_flow(_flow_process: subprocess.Popen[str]) -> Callable[..., dict[str, Any]]:
    """Runs a flow with the test's own installation; returns {"result": clip id} or {"error": type, "message": …}."""

    def run(flow: str, **parameters: object) -> dict[str, Any]:
        environment = {name: value for name, value in os.environ.items() if name.startswith("VPGEN_")}
        order = {"flow": flow, "parameters": parameters, "environment": environment}
        assert _flow_process.stdin
        assert _flow_process.stdout
        _flow_process.stdin.write(json.dumps(order, default=str) + "\n")
        _flow_process.stdin.flush()
        return dict(json.loads(_flow_process.stdout.readline()))

    return run
