"""The flows of a batch and of housekeeping against a real Prefect server: how a run ends, and what its page shows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect_records import Recorded
from toy_config import write_toy_config

pytest.importorskip("prefect")

RunFlow = Callable[..., dict[str, Any]]


@pytest.fixture
def toy(tmp_path: Path, toy_log: Path) -> Path:
    return write_toy_config(tmp_path / "toy.yaml", toy_log)


def test_a_batch_says_what_became_of_every_row(
    recorded: Recorded, run_flow: RunFlow, toy: Path, tmp_path: Path
) -> None:
    """The run is Completed with its id although rows failed, and the outcomes list these first."""
    table = tmp_path / "some.csv"
    table.write_text("story\na fox\na forbidden fox\n")
    batch_id = run_flow("batch", table=table, config=toy, profile="preview")["result"]
    assert batch_id.startswith("batch-")
    run = recorded.run(f"batch: {str(table)[:80]}")
    assert "1 of 2 made, 1 refused" in run["state"]["message"]
    shown = recorded.artifacts(run)
    assert set(shown) == {"progress", "outcomes", "summary"}
    assert shown["outcomes"]["data"].index("forbidden") < shown["outcomes"]["data"].index('"a fox"')
    assert "row 2 refused" in recorded.log(run, "Finished in state")


def test_a_batch_without_one_clip_or_without_money_is_a_failed_run(
    recorded: Recorded, run_flow: RunFlow, tmp_path: Path, toy_log: Path
) -> None:
    """What stopped it, how many rows are left and how to go on are in the state."""
    table = tmp_path / "poor.csv"
    table.write_text("story\na fox\na cat\n")
    config = write_toy_config(tmp_path / "dear.yaml", toy_log, animate="usage: {cpu_second: 9000}")
    answer = run_flow("batch", table=table, config=config, profile="preview", budget=0.000001)
    assert "OverBudget" in str(answer)
    message = recorded.run(f"batch: {str(table)[:80]}")["state"]["message"]
    assert "2 left" in message
    assert "2 rows are left" in message


def test_a_night_without_a_table_is_no_failure(recorded: Recorded, run_flow: RunFlow, tmp_path: Path) -> None:
    """Unless it is asked to be one."""
    table = tmp_path / "none.csv"
    assert run_flow("batch", table=table, if_missing="skip") == {"result": None}
    assert recorded.run(f"batch: {str(table)[:80]}")["state_name"] == "Skipped"
    assert run_flow("batch", table=table)["error"] == "NotFound"


def test_housekeeping_shows_what_would_go(recorded: Recorded, run_flow: RunFlow) -> None:
    """Dry by default."""
    assert run_flow("housekeeping") == {"result": None}
    run = recorded.run("housekeeping")
    assert "would go" in run["state"]["message"]
    assert set(recorded.artifacts(run)) == {"retention"}
