"""What `vpgen up` asks of a real Prefect server: pools, the watch over runs, and runs that nobody is at work on."""

import pytest
from prefect_records import Recorded

from vpgen import deploy

pytest.importorskip("prefect")


def test_a_pool_is_made_once_and_its_limit_is_brought_back(recorded: Recorded) -> None:
    """Changed by hand on the page, the next `vpgen up` says what holds."""
    with deploy._Api(f"{recorded.url}/api") as api:
        for limit in (3, 5, 2):
            deploy._pool(api, "limited", limit)
            assert api.get("work_pools/limited")["concurrency_limit"] == limit
        deploy._pool(api, "limited", 2, paused=True)
        assert api.get("work_pools/limited")["is_paused"] is True
        assert api.get("work_pools/nonesuch") is None


def test_the_watch_over_runs_is_set_once(recorded: Recorded) -> None:
    """An automation that marks a run without heartbeats as crashed; a second `up` adds none."""
    with deploy._Api(f"{recorded.url}/api") as api:
        for _ in range(2):
            deploy._watch_for_zombies(api)
    (found,) = recorded.ask("automations", {"automations": {"name": {"any_": [deploy.ZOMBIES]}}})
    assert found["enabled"]
    assert found["trigger"]["within"] == deploy.SILENT_SECONDS
    assert found["actions"][0]["state"] == "CRASHED"


def test_runs_whose_worker_is_gone_are_crashed_and_give_their_slot_back(recorded: Recorded) -> None:
    """With no worker left in the pool, whatever is said to run there does not."""
    with deploy._Api(f"{recorded.url}/api") as api:
        deploy._pool(api, "orphaned", 2)
        flow = api.post("flows/", {"name": "orphan"})
        queue = api.get("work_pools/orphaned")["default_queue_id"]
        deployment = api.post(
            "deployments/", {"name": "orphan", "flow_id": flow["id"], "work_pool_name": "orphaned", "enforce_parameter_schema": False}
        )  # fmt: skip
        assert deployment["work_queue_id"] == queue
        run = api.post(f"deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
        for state in ("PENDING", "RUNNING"):
            api.post(f"flow_runs/{run}/set_state", {"state": {"type": state}, "force": True})
        deploy._bury(api, "orphaned")
        buried = api.get(f"flow_runs/{run}")["state"]
    assert buried["type"] == "CRASHED"
    assert "run it again to go on" in buried["message"]
