"""Every notebook runs from top to bottom as papermill runs it, and is kept in git without outputs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.rated import film_experiment, rate
from lab_results import lab_result, store_result
from toy_config import write_toy_config

from vpgen import studio
from vpgen.config import load_config
from vpgen.errors import StageFailed
from vpgen.lab import notebooks
from vpgen.lab.definition import Decision
from vpgen.runtime import Runtime

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SMALL = {
    "compare_models": {"experiment": "finishing"},
    "cost_quality_report": {"since": "", "until": "", "out": "tables"},
    "prompt_lab": {"seeds": [0, 1], "story": "A boy with a red scarf in a snowy forest, pan left"},
    "rate": {"experiment": "opening", "rater": "mina", "open_page": False},
}


def _rated(runtime: Runtime, folder: Path) -> None:
    """An experiment of which mina has rated half."""
    experiment = film_experiment(runtime, folder)
    rate(runtime.database, experiment, "mina")


def _compared(runtime: Runtime, folder: Path) -> None:
    """A decided experiment with the clips of one pair; one trial failed."""
    toy = load_config(write_toy_config(folder / "toy.yaml", None))
    clips = {
        (0, name): studio.run(studio.preview("a story", config=toy, seed=seed, runtime=runtime)).id
        for seed, name in enumerate(("lanczos", "neural"))
    }
    decision = Decision(metric="ssim", min_pairs=2)
    store_result(
        runtime, lab_result(pairs=8, decision=decision, clips=clips, failures={(3, "neural"): ("failed", "x")})
    )


PREPARE: dict[str, Callable[[Runtime, Path], None]] = {"rate": _rated, "compare_models": _compared}
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


SAYS = {
    "compare_models": ["neural wins", "p_adjusted", 'alt="Against lanczos', "Play / pause"],
    "cost_quality_report": ["was made or bought in this time"],
    "prompt_lab": ["red scarf", "motion_quality", "data:video/mp4"],
    "rate": [],
}
"""What must be on the page. The cost report is run on an empty installation: it says so."""


@pytest.fixture
def _own_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels keep their files here, and start here."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("_own_kernels")
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    """With small parameters, by papermill, into a page with pictures and a table that loads nothing from elsewhere."""
    if prepare := PREPARE.get(path.stem):
        with Runtime.open() as runtime:
            prepare(runtime, tmp_path)
    page = notebooks.execute(path.stem, SMALL[path.stem], tmp_path / "pages" / "page.html").read_text()
    assert "data:image/png;base64," in page
    assert "<table" in page
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    for said in SAYS[path.stem]:
        assert said in page, said


@pytest.mark.usefixtures("_own_kernels")
def test_a_notebook_that_fails_says_why(tmp_path: Path) -> None:
    """The error of the cell is the error of the report, and no page is left that looks like one."""
    with pytest.raises(StageFailed, match=r"compare_models failed: NotFound: .*nothing-like-it"):
        notebooks.execute("compare_models", {"experiment": "nothing-like-it"}, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
