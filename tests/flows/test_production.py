"""Production for real, on loopback: deployed, triggered through Prefect's API, run by a worker, by whoever is champion."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_records import Recorded
from toy_config import write_toy_config

from vpgen import background, deploy, servers, switch
from vpgen.batch import books
from vpgen.config import PipelineConfig, load_config
from vpgen.results import find
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.schema_lab import Promotion

pytest.importorskip("prefect")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def production(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """`vpgen up` in a folder of its own, against the tests' Prefect server, with a worker for batches."""
    monkeypatch.setenv("PREFECT_API_URL", f"{recorded.url}/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("PREFECT_WORKER_QUERY_SECONDS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    settings = Settings()
    try:
        deploy.up(settings, work=("batch",), say=lines.append)
        assert any("batch started" in line for line in lines)
        yield recorded
    finally:
        deploy.down(settings, say=lines.append)
        deploy.hold(settings, paused=False)
    assert any("worker batch" in line and "stopped" in line for line in lines)


def trigger(prefect: Recorded, deployment: str, **parameters: Any) -> str:
    """As anybody would through the API; returns the run's id."""
    (found,) = prefect.ask("deployments", {"deployments": {"name": {"any_": [deployment]}}})
    wanted = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
    return str(prefect.call("POST", f"deployments/{found['id']}/create_flow_run", wanted)["id"])


def state(prefect: Recorded, run: str) -> dict[str, Any]:
    return dict(prefect.call("GET", f"flow_runs/{run}")["state"])


def ended(prefect: Recorded, run: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    while (found := state(prefect, run))["type"] in {"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def promote(runtime: Runtime, number: int, old: PipelineConfig, new: PipelineConfig) -> None:
    """Straight into the record; the gate has tests of its own."""
    row = Promotion(
        profile="preview", number=number, config=new.model_dump(mode="json"), actor="kim", reason="better",
        evidence={"replaces": {"number": number - 1, "config": old.model_dump(mode="json")}}, vpgen_version="1",
    )  # fmt: skip
    with runtime.database.write() as session:
        session.add(row)


def test_the_nightly_batch_runs_whoever_is_champion_and_a_pause_stops_it(
    production: Recorded, tmp_path: Path, toy_log: Path, runtime: Runtime
) -> None:
    """Deployed and triggered, made by the first champion, then by the next one; paused it waits, or is turned away."""
    written = {entry["name"]: entry for entry in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    deployed = {entry["name"]: entry for entry in production.ask("deployments", {})}
    assert deployed.keys() >= written.keys()
    for name in written:
        entry = deployed[name]
        assert entry["entrypoint"] == written[name]["entrypoint"]
        assert entry["work_pool_name"] == written[name]["work_pool"]["name"]
        assert all("description" in field for field in entry["parameter_openapi_schema"]["properties"].values())
    assert deployed["nightly"]["schedules"][0]["schedule"] == {
        "cron": "0 2 * * *",
        "timezone": "Asia/Seoul",
        "day_or": True,
    }
    pools = {pool["name"]: pool["concurrency_limit"] for pool in production.ask("work_pools", {})}
    assert pools.items() >= deploy.POOLS.items()

    (tmp_path / "requests.csv").write_text("story,seed\na fox on the hill,1\na woman by the sea,2\n,3\n")
    first = load_config(write_toy_config(tmp_path / "first.yaml", toy_log, character="shade: 11"))
    second = load_config(write_toy_config(tmp_path / "second.yaml", toy_log, character="shade: 22"))
    for number, (old, new, shade) in enumerate([(first, first, 11), (first, second, 22)], start=1):
        promote(runtime, number, old, new)
        run = trigger(production, "nightly", profile="preview")
        assert ended(production, run)["name"] == "Completed"
        assert "2 of 3 made, 1 failed" in state(production, run)["message"]
        newest = books.recent(runtime.database)[0]
        made = [row for row in books.rows_of(runtime.database, newest.id) if row.state == "completed"]
        shades = [find(runtime, str(row.clip_id)).config.stages["character"].params["shade"] for row in made]
        assert shades == [shade, shade]
        assert len(list((tmp_path / "clips").glob("preview-*.mp4"))) == 2 * number
    shown = {
        artifact["key"]: artifact for artifact in production.ask("artifacts", {"flow_runs": {"id": {"any_": [run]}}})
    }
    assert {key: artifact["type"] for key, artifact in shown.items()} == {
        "progress": "progress", "outcomes": "table", "summary": "markdown",
    }  # fmt: skip
    assert shown["progress"]["data"] == 100
    assert "story" in shown["outcomes"]["data"]
    assert "USD per accepted clip" in shown["summary"]["data"]

    # Paused: the pool holds its runs back; one that got through all the same is turned away by the switch.
    before = len(toy_log.read_text().split())
    switch.pause(runtime.database, "the vendor bills twice")
    assert "hold their runs back" in deploy.hold(Settings(), paused=True)
    run = trigger(production, "batch", table="requests.csv", profile="preview", config="second.yaml")
    time.sleep(3)
    assert state(production, run)["type"] == "SCHEDULED"
    deploy.hold(Settings(), paused=False)
    turned_away = ended(production, run)
    assert (turned_away["type"], turned_away["name"]) == ("CANCELLED", "Paused")
    assert "the vendor bills twice" in turned_away["message"]
    assert len(toy_log.read_text().split()) == before
    assert background.note(servers.folder_of(Settings()), "worker-batch") is not None
