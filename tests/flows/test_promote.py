"""A promotion in Prefect: the run waits, a person answers on its page, and only then something changes."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab.contenders import contest, serve_toys
from prefect_records import Recorded

from vpgen.lab import champions
from vpgen.lab.result import Result
from vpgen.runtime import Runtime
from vpgen.settings import Settings

pytest.importorskip("prefect")
RunFlow = Callable[..., dict[str, Any]]


@pytest.fixture
def won(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """An experiment that `neural` has won, on clips like those that are served."""
    serve_toys(tmp_path, monkeypatch)
    with Runtime.open(Settings()) as runtime:
        return contest(runtime, tmp_path, name=f"flow-{os.getpid()}-{time.monotonic_ns() % 10**9}")


def record() -> list[tuple[str, int, str, str, str | None]]:
    with Runtime.open(Settings()) as runtime:
        rows = champions.history(runtime)
    return [(row.profile, row.number, row.actor, row.reason, row.override) for row in rows]


def answered(recorded: Recorded, run_flow: RunFlow, won: Result, answer: dict[str, Any], **parameters: Any) -> Any:
    """Run the flow, and answer as Prefect's page does; returns what came of it and the form that was shown."""
    came: list[dict[str, Any]] = []
    run = threading.Thread(
        target=lambda: came.append(run_flow("promote", experiment=won.id, variant="neural", **parameters))
    )
    run.start()
    name = f"promote: neural of {won.id}"
    deadline = time.monotonic() + 90
    while True:
        found = recorded.ask("flow_runs", {"flow_runs": {"name": {"any_": [name]}}})
        if found and found[0]["state_type"] == "PAUSED":
            break
        assert run.is_alive(), came
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    assert record() == []  # nothing happens before somebody said so
    place = f"{recorded.url}/api/flow_runs/{found[0]['id']}"
    keys = found[0]["state"]["state_details"]["run_input_keyset"]
    shown = {
        what: httpx.get(f"{place}/input/{key}", trust_env=False).json()
        for what, key in keys.items()
        if what != "response"
    }
    wrong = httpx.post(f"{place}/resume", json={"run_input": {"decision": "perhaps", "by": "lee"}}, trust_env=False)
    assert wrong.json()["status"] == "REJECT"
    taken = httpx.post(f"{place}/resume", json={"run_input": answer}, trust_env=False)
    assert taken.json()["status"] == "ACCEPT", taken.text
    run.join(60)
    return came[0], shown, recorded.run(name)


def test_an_approved_promotion_is_made_in_the_approvers_name(
    recorded: Recorded, run_flow: RunFlow, won: Result
) -> None:
    """The run waits, Paused, with the gate on its page and in the form; then there is a champion."""
    answer = {"decision": "approve", "by": "lee", "reason": "I looked at forty of them"}
    came, shown, run = answered(recorded, run_flow, won, answer, canary="10")
    assert came == {"result": "final:1"}
    assert record() == [("final", 1, "lee", "I looked at forty of them", None)]
    assert run["state_name"] == "Completed"
    assert "passed, quality: +0.07" in json.dumps(shown["description"])
    assert {"decision", "by", "reason"} <= set(json.loads(json.dumps(shown["schema"]))["properties"])
    table = json.loads(recorded.artifacts(run)["gate"]["data"])
    assert {row["clause"] for row in table} >= {"quality", "cost", "latency", "safety"}
    with Runtime.open(Settings()) as runtime:
        assert str(champions.current(runtime, "final").canary) == "the first 10 clip(s)"


def execute(recorded: Recorded, run_id: str) -> None:
    """What a worker does with a run: a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PREFECT_API_URL": f"{recorded.url}/api",
        "PREFECT_HOME": str(recorded.home / "prefect"),
        "DO_NOT_TRACK": "true",
    }
    environment["PREFECT__FLOW_RUN_ID"] = run_id
    line = [sys.executable, "-m", "prefect.engine"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_deployed_run_waits_in_no_workers_slot(recorded: Recorded, won: Result) -> None:
    """It is suspended, its process ends, and once it is approved another process goes on where it was."""

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        reply = httpx.post(f"{recorded.url}/api/{path}", json=body, trust_env=False)
        return dict(reply.raise_for_status().json())

    flow = post("flows/", {"name": "promote"})
    deployed = post(
        "deployments/",
        {"name": won.id, "flow_id": flow["id"], "entrypoint": "flows.promote.promote", "pull_steps": []},
    )
    parameters = {"experiment": won.id, "variant": "neural"}
    run_id = post(f"deployments/{deployed['id']}/create_flow_run", {"parameters": parameters})["id"]

    def state() -> str:
        return str(httpx.get(f"{recorded.url}/api/flow_runs/{run_id}", trust_env=False).json()["state"]["name"])

    execute(recorded, run_id)
    assert state() == "Suspended"
    assert record() == []
    assert post(f"flow_runs/{run_id}/resume", {"run_input": {"decision": "approve", "by": "lee"}})["status"] == "ACCEPT"
    execute(recorded, run_id)
    assert state() == "Completed"
    assert record() == [("final", 1, "lee", "it won the experiment", None)]


def test_a_rejected_promotion_changes_nothing(recorded: Recorded, run_flow: RunFlow, won: Result) -> None:
    """The run ends, and its state says who rejected it and why."""
    answer = {"decision": "reject", "by": "lee", "reason": "the hands"}
    _, _, run = answered(recorded, run_flow, won, answer)
    assert record() == []
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Rejected")
    assert run["state"]["message"] == "lee rejected it: the hands. Nothing was changed"


def test_nobody_answers_and_nothing_is_changed(recorded: Recorded, run_flow: RunFlow, won: Result) -> None:
    """After the hours that were given the run ends."""
    came = run_flow("promote", experiment=won.id, variant="neural", wait_hours=0.0006)
    # Prefect's server ends an expired pause too; whoever is first, the run has failed.
    assert came["message"] in {
        "nobody answered within 0.0006 h; nothing was changed", "The flow was failed and never resumed.",
    }  # fmt: skip
    assert recorded.run(f"promote: neural of {won.id}")["state_type"] == "FAILED"
    assert record() == []


def test_a_failed_gate_asks_nobody(recorded: Recorded, run_flow: RunFlow, won: Result) -> None:
    """It ends with the clauses that failed; an override goes through, without a person where none is wanted."""
    assert run_flow("promote", experiment=won.id, variant="lanczos")["error"] == "GateFailed"
    run = recorded.run(f"promote: lanczos of {won.id}")
    assert run["state"]["message"].startswith("GateFailed: lanczos does not pass the gate: decision")
    assert record() == []
    came = run_flow("promote", experiment=won.id, variant="lanczos", approval=False, override="a drill", reason="r")
    assert came == {"result": "final:1"}
    ((*_, reason, override),) = record()
    assert (reason, override) == ("r", "a drill")
