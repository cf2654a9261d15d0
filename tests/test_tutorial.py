"""The tutorial, word for word: its files, its commands in their order, in an empty folder with an empty home."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text()
FILES = {"sharpness.yaml": "yaml", "requests.csv": "csv"}
SAYS = {
    "vpgen experiment run sharpness.yaml --dry-run": "at most 9 pairs",
    "vpgen experiment run sharpness.yaml": "fine wins",
    "vpgen experiment show sharpness": "fine wins",
    "vpgen votes sharpness": "0 votes",
    "vpgen promote sharpness fine --dry-run": "passed",
    'vpgen promote sharpness fine --reason "sharper for nothing" --yes': "preview:1",
    "vpgen champion show": "sharper for nothing",
    "vpgen batch requests.csv --profile preview": "2 of 2 made",
    'vpgen pause --reason "a look at last night"': "paused",
    "vpgen resume": "on",
    'vpgen rollback preview --reason "the client liked it softer"': "preview:2",
    "vpgen champion history": "the client liked it softer",
    "vpgen cost --by experiment": "sharpness-",
}
"""What each command must say; a new command in the page needs its line here."""


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.timeout(900)
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    """From the question to the champion in production and back: every command succeeds and says what it should."""
    pytest.importorskip("mlflow")
    for name, language in FILES.items():
        assert f"`{name}`" in PAGE
        (tmp_path / name).write_text(_blocks(language)[0])
    assert len(_blocks("yaml")[0].splitlines()) == 12  # as the page says
    environment = {**os.environ, "VPGEN_TRACKING": "true", "PYTHONWARNINGS": "ignore"}
    environment.pop("VPGEN_OUT", None)
    commands = [line for block in _blocks("shell") for line in block.splitlines() if line.strip()]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "vpgen"
        done = subprocess.run(
            [Path(sys.executable).with_name("vpgen"), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert SAYS.get(command, ".html") in done.stdout, f"{command}\n{done.stdout}"
        if command.startswith("vpgen batch"):
            assert "fine (preview)" in done.stdout  # the new champion made them
    assert SAYS.keys() <= set(commands)
    report = (tmp_path / "report.html").read_text()
    assert "fine wins" in report or "fine" in report
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 2
