"""`vpgen experiment` as a person and as a machine see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab.toys import write_experiment


def _vpgen(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    plugin = str(Path(__file__).parent / "plugin")
    done = subprocess.run(
        [Path(sys.executable).with_name("vpgen"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": plugin}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_dry_run_shows_order_and_price_and_runs_nothing(tmp_path: Path, toy_log: Path) -> None:
    """What would be made, and how it decides."""
    path = write_experiment(tmp_path, log=toy_log, more="question: Is light better?\nbudget: 0.5\n")
    said = _vpgen("experiment", "run", path, "--dry-run").stdout
    for words in (
        "Is light better?",
        "at most 12 pairs",
        "Budget: 0.5",
        "baseline",
        "score",
        "after every pair from the 6th",
    ):
        assert words in said
    assert said.count("a woman by the sea, number") == 12
    assert not toy_log.exists()
    plan = json.loads(_vpgen("experiment", "run", path, "--dry-run", "--json").stdout)
    assert len(plan["pairs"]) == 12
    assert plan["estimates"][1]["changed"] == ["score"]


def test_run_show_list_and_report(tmp_path: Path) -> None:
    """The verdict is printed, shown again, listed, and written as a page and as Markdown."""
    path = write_experiment(tmp_path)
    said = _vpgen("experiment", "run", path).stdout
    assert "light wins" in said
    assert "vpgen promote toys light" in said
    shown = json.loads(_vpgen("experiment", "show", "toys", "--json").stdout)
    assert shown["verdict"]["winner"] == "light"
    assert shown["summary"]["light"]["quality"] > shown["summary"]["dark"]["quality"]
    assert shown["id"] in _vpgen("experiment", "list").stdout
    assert _vpgen("experiment", "report", "toys", "--out", tmp_path / "r.html").stdout.strip() == str(
        tmp_path / "r.html"
    )
    assert "light" in (tmp_path / "r.html").read_text()
    page = Path(_vpgen("experiment", "report", "toys", "--out", tmp_path / "md").stdout.strip())
    assert page == tmp_path / "md" / "toys.md"
    assert list(page.parent.glob("*.png"))


def test_as_json_every_line_is_an_object(tmp_path: Path) -> None:
    """Progress, then the result."""
    path = write_experiment(tmp_path, decision="{rule: fixed, min_pairs: 2, max_pairs: 2}")
    lines = [json.loads(line) for line in _vpgen("experiment", "run", path, "--json").stdout.splitlines()]
    assert lines[0]["kind"] == "progress"
    assert {"id", "verdict", "summary", "differences"} <= lines[-1].keys()


@pytest.mark.parametrize("command", ["show", "report"])
def test_an_unknown_experiment_is_said(command: str) -> None:
    """With what to do, and never a path."""
    said = _vpgen("experiment", command, "nothing", code=2).stderr
    assert "no experiment" in said
    assert "Traceback" not in said
    assert "Traceback" not in _vpgen("experiment", command, "../../etc/passwd", code=2).stderr
