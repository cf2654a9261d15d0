"""Servers in the background: one of each, found again, told apart from strangers, and gone when stopped."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
from toy_config import write_toy_config

from vpgen import background, servers, studio
from vpgen.config import load_config
from vpgen.errors import MissingDependency, VpgenError
from vpgen.runtime import Runtime
from vpgen.servers import Server
from vpgen.settings import Settings
from vpgen.tracking import catch_up

CHILD = """
import http.server, sys
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"OK")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, sys.argv[1]])"
"""Like Prefect and MLflow: the process that is started is not the one that listens."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def stand_in(port: int, script: str = PARENT) -> Server:
    """A server that is up in an instant."""
    return Server(
        name="Toy", module="http", extra="toy", url=f"http://127.0.0.1:{port}", health="/health",
        command=("-c", script, str(port)), environment={},
    )  # fmt: skip


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A home whose servers end with the test."""
    found = Settings()
    yield found
    for module in ("http", "mlflow"):
        background.end(servers.folder_of(found), module)


def leader(settings: Settings, module: str = "http") -> psutil.Process:
    return background.family(servers.folder_of(settings), module)[0]


def refusing(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_started_once_found_again_and_stopped_with_its_children(settings: Settings) -> None:
    """The second start finds the first; stop ends every process of it; stopping nothing says so."""
    toy = stand_in(free_port())
    assert servers.start(toy, settings) is True
    family = [leader(settings), *leader(settings).children(recursive=True)]
    assert len(family) == 2
    assert servers.start(toy, settings) is False
    assert servers.stop(toy, settings) is True
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert refusing(toy.port)
    assert servers.stop(toy, settings) is False


def test_two_commands_at_once_start_one_server(settings: Settings) -> None:
    """Whoever comes second waits for the first."""
    toy = stand_in(free_port())
    with ThreadPoolExecutor(2) as pool:
        began = list(pool.map(lambda _: servers.start(toy, settings), range(2)))
    assert sorted(began) == [False, True]


def test_a_killed_server_is_started_again_where_its_orphan_listened(settings: Settings) -> None:
    """The child that a killed server leaves behind holds the port: it is ended first."""
    toy = stand_in(free_port())
    servers.start(toy, settings)
    os.kill(leader(settings).pid, signal.SIGKILL)
    time.sleep(0.1)
    assert not refusing(toy.port)
    assert servers.start(toy, settings) is True
    assert servers.answers(toy)


def test_another_port_than_it_runs_at_is_refused(settings: Settings) -> None:
    """One of a kind a home: the message says where it is."""
    toy = stand_in(free_port())
    servers.start(toy, settings)
    with pytest.raises(VpgenError, match=f"runs already, at {toy.url}"):
        servers.start(stand_in(free_port()), settings)


def test_a_server_that_ends_as_it_starts_says_why(settings: Settings) -> None:
    """The end of its own log is in the message, and nothing is left to stop."""
    toy = stand_in(free_port(), "raise SystemExit('no such database')")
    with pytest.raises(VpgenError, match="ended as it started: no such database"):
        servers.start(toy, settings)
    assert servers.stop(toy, settings) is False


def test_what_is_not_installed_is_named_with_the_command(settings: Settings) -> None:
    missing = Server("Toy", "nonesuch", "toy", f"http://127.0.0.1:{free_port()}", "/", ("-c", ""), {})
    with pytest.raises(MissingDependency) as caught:
        servers.start(missing, settings)
    assert caught.value.remedy == "pip install 'vpgen[toy]'"


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a program that says it is healthy and is not ours."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_port_asked_for_and_taken_is_refused_with_a_way_out(settings: Settings, stranger: int) -> None:
    """A stranger's server is not taken for ours, however healthy."""
    with pytest.raises(VpgenError, match=f"port {stranger} is taken") as caught:
        servers.start(stand_in(stranger), settings)
    assert f"vpgen ui --http-port {stranger + 1}" in str(caught.value.remedy)


@pytest.mark.parametrize(("make", "default"), [(servers.prefect, "PREFECT_PORT"), (servers.mlflow, "MLFLOW_PORT")])
def test_a_default_port_that_is_taken_gives_way_to_the_next(
    settings: Settings, stranger: int, monkeypatch: pytest.MonkeyPatch, make, default: str
) -> None:
    """And the server's page is told its own address."""
    monkeypatch.setattr(servers, default, stranger)
    server = make(settings, stranger)
    assert stranger < server.port < stranger + 20
    assert str(server.port) in server.command
    if make is servers.prefect:
        assert server.environment["PREFECT_SERVER_UI_API_URL"] == f"{server.url}/api"


def test_an_mlflow_named_by_the_settings_is_used_never_started(settings: Settings, stranger: int) -> None:
    """It is up, or it is said not to answer; a password in its address is not shown."""
    named = Settings(tracking_uri=f"http://127.0.0.1:{stranger}/")
    assert servers.start(servers.mlflow(named), named) is False
    assert servers.stop(servers.mlflow(named), named) is False
    away = Settings(tracking_uri=f"http://me:hunter2@127.0.0.1:{free_port()}")
    with pytest.raises(VpgenError, match="does not answer") as caught:
        servers.start(servers.mlflow(away), away)
    assert "hunter2" not in str(caught.value)


def test_a_databases_password_is_not_on_the_command_line() -> None:
    """Every user of the machine may read those."""
    server = servers.mlflow(Settings(tracking_uri="postgresql://me:hunter2@db/mlflow"))
    assert "hunter2" not in " ".join(server.command)
    assert "hunter2" in server.environment["MLFLOW_BACKEND_STORE_URI"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflows_page_has_the_clip_and_its_contact_sheet(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real MLflow server over the default SQLite file: a browser gets both from the run's description."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as runtime:
        config = load_config(write_toy_config(tmp_path / "toy.yaml", None))
        clip = studio.run(studio.preview("a fox at dusk", config=config, runtime=runtime))
        assert catch_up(runtime).delivered == 1
    server = servers.mlflow(settings, free_port())
    assert servers.start(server, settings) is True
    page = servers.page(server)
    assert page.startswith(f"{server.url}/#/experiments/")
    experiment = page.split("/experiments/")[1].split("/")[0]
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        found = browser.post("/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment]}).json()
        (run,) = found["runs"]
        tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
        links = [part.split(")")[0] for part in tags["mlflow.note.content"].split("](")[1:]]
        shown = [browser.get(f"/{link}") for link in links]
    assert [reply.headers["content-type"] for reply in shown] == ["video/mp4", "image/png"]
    assert [reply.content for reply in shown] == [clip.video.read_bytes(), clip.sheet.read_bytes()]
