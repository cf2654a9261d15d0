"""What production consists of: deployments that exist, pools that are known, and errors that say what stands in the way."""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from vpgen import deploy
from vpgen.errors import InvalidInput, VpgenError
from vpgen.settings import Settings

WRITTEN: list[dict[str, Any]] = yaml.safe_load(deploy.definition().read_text())["deployments"]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry["name"])
def test_every_deployment_is_a_flow_with_these_parameters_in_a_pool_that_is_limited(entry: dict[str, Any]) -> None:
    """By module path, so that checkout and wheel serve alike; nothing is pulled, and runs work where the worker is."""
    pytest.importorskip("prefect")
    module, _, name = entry["entrypoint"].rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    assert entry.get("parameters", {}).keys() <= inspect.signature(flow.fn).parameters.keys()
    assert entry["work_pool"]["name"] in deploy.POOLS
    assert entry["work_pool"]["job_variables"]["working_dir"] == "."
    for schedule in entry.get("schedules", []):
        assert schedule["timezone"]


def test_nothing_is_removed_by_a_schedule_until_somebody_says_so() -> None:
    """The housekeeping that ships only shows."""
    (entry,) = [entry for entry in WRITTEN if entry["name"] == "housekeeping"]
    assert entry["parameters"] == {"apply": False}


def test_the_limits_are_those_that_were_asked_for() -> None:
    """Five previews, two finals at a time."""
    assert (deploy.POOLS["preview"], deploy.POOLS["render"]) == (5, 2)


def test_a_pool_that_does_not_exist_is_refused_before_anything_is_started() -> None:
    """And the known ones are named."""
    with pytest.raises(InvalidInput, match="no pool 'nonesuch'") as caught:
        deploy.up(Settings(), work=["nonesuch"])
    assert "preview, render, batch" in str(caught.value.remedy)
    assert not Settings().home.exists()


def test_a_prefect_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that PREFECT_API_URL names is used, never replaced by another."""
    pytest.importorskip("prefect")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (Settings().home / "servers").mkdir(parents=True)
    with pytest.raises(VpgenError, match="Prefect at http://127.0.0.1:9/api does not take"):
        deploy.up(Settings(), say=lambda line: None)
    assert "as they were" in deploy.hold(Settings(), paused=True)


def test_without_a_prefect_there_is_nothing_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """`vpgen pause` works on a machine that has none."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert deploy.hold(Settings(), paused=True) == ""


def test_workers_that_are_up_are_named_with_the_folder_where_they_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not the one where `vpgen up` was said again."""
    monkeypatch.chdir(tmp_path)
    where = Settings().home / "servers"
    where.mkdir(parents=True)
    me = psutil.Process()
    noted = {"pid": me.pid, "created": me.create_time(), "runs_in": "/elsewhere"}
    (where / "worker-render.json").write_text(json.dumps(noted))
    assert deploy._by_folder(Settings(), ["preview", "render"]) == {
        str(tmp_path): ["preview"],
        "/elsewhere": ["render"],
    }


def test_stopping_what_was_not_started_says_so() -> None:
    lines: list[str] = []
    deploy.down(Settings(), say=lines.append)
    assert len(lines) == len(deploy.POOLS) + 2
    assert all("was not started here" in line for line in lines)


def test_workers_run_our_own_python_and_report_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a worker is given: the home as it is now, heartbeats that the watch relies on; the user's own word wins."""
    from vpgen import servers

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_WORKER_QUERY_SECONDS", "7")
    settings = Settings(home=Path("here"))
    given = deploy._environment(settings, servers.prefect(settings), own=True)
    assert given["VPGEN_HOME"] == str(tmp_path / "here")
    assert given["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert 3 * int(given["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) < deploy.SILENT_SECONDS
    assert given["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    assert "127.0.0.1" in given["NO_PROXY"]
