"""Every notebook runs from top to bottom as papermill runs it, and is kept in git without outputs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.rated import film_experiment, rate

from vpgen.runtime import Runtime

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SMALL = {
    "prompt_lab": {"seeds": "[0, 1]", "story": "A boy with a red scarf in a snowy forest, pan left"},
    "rate": {"experiment": "opening", "rater": "mina", "open_page": "false"},
}


def _rated(runtime: Runtime, folder: Path) -> None:
    """An experiment of which mina has rated half."""
    experiment = film_experiment(runtime, folder)
    rate(runtime.database, experiment, "mina")


PREPARE: dict[str, Callable[[Runtime, Path], None]] = {"rate": _rated}
"""What must be there before a notebook runs."""


def test_there_are_notebooks() -> None:
    """The parametrised tests below have something to hold to."""
    assert [path.stem for path in NOTEBOOKS] == sorted(SMALL)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    """Outputs are stripped, and one cell is tagged for papermill's parameters."""
    cells = json.loads(path.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in cells) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    """With small parameters, in a kernel of its own; pictures and a table come out."""
    if prepare := PREPARE.get(path.stem):
        with Runtime.open() as runtime:
            prepare(runtime, tmp_path)
    made = tmp_path / path.name
    parameters = [word for key, value in SMALL[path.stem].items() for word in ("-y", f"{key}: {value}")]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(path), str(made), *parameters, "--no-progress-bar"],
        cwd=tmp_path,
        env={**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter"), "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outputs = [output for cell in json.loads(made.read_text())["cells"] for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
