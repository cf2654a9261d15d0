"""Every notebook runs from top to bottom as papermill runs it, and is kept in git without outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SMALL = {"prompt_lab": {"seeds": "[0, 1]", "story": "A boy with a red scarf in a snowy forest, pan left"}}


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
