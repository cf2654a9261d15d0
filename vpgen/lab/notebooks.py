"""The notebooks as reports: run with parameters by papermill, kept as HTML, linked from MLflow; and their helpers.

Each run has a kernel of its own in a process of its own: papermill neither resumes nor bears company in one process.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vpgen.errors import InvalidInput, MissingDependency, NotFound, StageFailed, StoreError
from vpgen.resources import folder
from vpgen.runtime import Runtime
from vpgen.store.clips import PAGE_REPORT
from vpgen.store.objects import Blob
from vpgen.store.schema import OutboxItem, now

if TYPE_CHECKING:
    from IPython.display import HTML
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

BOARD = "vpgen-reports"
"""MLflow's experiment of all executed notebooks: one run each, with the page among its artifacts."""
PAGES = "reports"
"""The store's document kind of executed notebooks."""
DEADLINE = 1800.0
"""Seconds a notebook may take."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def names() -> list[str]:
    """The notebooks that ship with vpgen."""
    return sorted(path.stem for path in folder("notebooks").glob("*.ipynb"))


def execute(
    name: str, parameters: Mapping[str, Any], out: Path, *, code: bool = False, deadline: float = DEADLINE
) -> Path:
    """Run a notebook that ships with vpgen and write it as HTML, with or without its code; returns `out`.

    Raises NotFound and InvalidInput for an unknown notebook or parameter, MissingDependency, StageFailed when a cell
    fails or the deadline passes, StoreError when `out` cannot be written.
    """
    source = _located(name)
    _check(source, name, parameters)
    with tempfile.TemporaryDirectory(prefix="vpgen-notebook-") as scratch:
        given, made = Path(scratch) / "parameters.yaml", Path(scratch) / f"{name}.ipynb"
        given.write_text(yaml.safe_dump(dict(parameters), allow_unicode=True), encoding="utf-8")
        command = [sys.executable, "-m", "papermill", str(source), str(made), "-f", str(given), "-k", "python3"]
        try:
            done = subprocess.run(  # noqa: S603  # our own interpreter and files of our own
                [*command, "--no-progress-bar"], capture_output=True, text=True, check=False, timeout=deadline
            )
        except subprocess.TimeoutExpired:
            raise StageFailed(f"the notebook {name} was not done within {deadline:g} s", retryable=True) from None
        if done.returncode:
            raise StageFailed(
                f"the notebook {name} failed: {_why(made) or (done.stderr.strip().splitlines() or ['no word'])[-1]}",
                remedy=f"Open it and run it by hand: jupyter lab {source}",
            )
        page = as_html(made, code=code)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror}", remedy="Give another place") from error
    return out


def keep(runtime: Runtime, page: Path, *, name: str, parameters: Mapping[str, Any]) -> Blob:
    """Put an executed notebook into the store and owe MLflow a run that links to it. Raises StoreError."""
    blob, at = runtime.store.put_file(page, "text/html"), now()
    report = {
        "name": name,
        "parameters": {key: str(value) for key, value in parameters.items()},
        "made": at.isoformat(),
        "page": blob.model_dump(mode="json"),
    }
    key = f"{name.replace('_', '-')}-{at:%Y%m%d-%H%M%S}-{blob.sha256[:8]}"
    runtime.store.put_document(PAGES, key, report)
    with runtime.database.write() as session:
        session.add(OutboxItem(kind=PAGE_REPORT, payload={"report": key}))
    return blob


def deliver(client: MlflowClient, runtime: Runtime, item: OutboxItem) -> None:
    """One run in MLflow for an executed notebook: the page, its address in the store, what it was asked."""
    from vpgen.tracking import experiment_id, milliseconds

    key = str(item.payload["report"])
    report = runtime.store.get_document(PAGES, key)
    if report is None:
        return
    blob, board = Blob.model_validate(report["page"]), experiment_id(client, runtime, BOARD)
    known = client.search_runs([board], filter_string=f"tags.`vpgen.report` = '{key}'", max_results=1)
    run = known[0] if known else client.create_run(board, run_name=key, tags={"vpgen.report": key})
    run_id, address = run.info.run_id, runtime.store.url(blob)
    for parameter, value in report["parameters"].items():
        client.log_param(run_id, parameter, value[:500])
    client.set_tag(run_id, "vpgen.page", address)
    client.set_tag(
        run_id, "mlflow.note.content", f"The page is `{report['name']}.html` below; in the store: `{address}`"
    )
    client.log_text(run_id, runtime.store.get_bytes(blob).decode(), f"{report['name']}.html")
    client.set_terminated(run_id, "FINISHED", end_time=milliseconds(item.created))


def as_html(notebook: Path, *, code: bool = True) -> str:
    """An executed notebook as one page that loads nothing from elsewhere. Raises MissingDependency."""
    if find_spec("nbconvert") is None:
        raise MissingDependency("reports need nbconvert", remedy="pip install 'vpgen[notebooks]'")
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        mathjax_url="", require_js_url="", mermaid_js_url="", widget_renderer_url="", jupyter_widgets_base_url="",
        exclude_input=not code, exclude_input_prompt=True, exclude_output_prompt=True, embed_images=True,
    )  # fmt: skip
    page, _ = exporter.from_filename(str(notebook))
    return str(page)


def shown(figure: Figure, *, width: int = 900) -> HTML:
    """A figure for a notebook's cell, sharp on any screen and named for who cannot see it; `width` in pixels."""
    from IPython.display import HTML
    from markupsafe import Markup

    from vpgen.lab.style import png

    said = "; ".join(axes.get_title("left") or axes.get_title() for axes in figure.axes).strip("; ") or "figure"
    source = f"data:image/png;base64,{base64.b64encode(png(figure, dpi=192)).decode()}"
    tag = Markup('<img alt="{}" src="{}" style="width:{}px;max-width:100%">').format(said, source, width)
    return HTML(str(tag))  # type: ignore[no-untyped-call]


def _located(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} cannot be a notebook's name", remedy=f"The ones that ship: {', '.join(names())}")
    path = folder("notebooks") / f"{name}.ipynb"
    if not path.is_file():
        raise NotFound(f"there is no notebook {name!r}", remedy=f"The ones that ship: {', '.join(names())}")
    if find_spec("papermill") is None or find_spec("ipykernel") is None:
        raise MissingDependency("running notebooks needs papermill", remedy="pip install 'vpgen[notebooks]'")
    return path


def _check(source: Path, name: str, parameters: Mapping[str, Any]) -> None:
    """Papermill takes an unknown parameter in silence; we do not."""
    import json

    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) + "\n" for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    known = re.findall(r"^(\w+)\s*(?::[^=]+)?=", text, re.MULTILINE)
    if unknown := sorted(set(parameters) - set(known)):
        raise InvalidInput(
            f"the notebook {name} has no parameter {', '.join(unknown)}", remedy=f"It has {', '.join(known)}"
        )


def _why(made: Path) -> str:
    """What the failed cell of an executed notebook says, in one line."""
    import json

    if not made.is_file():
        return ""
    outputs = [o for cell in json.loads(made.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", [])]
    return next((f"{o['ename']}: {o['evalue']}"[:300] for o in outputs if o.get("output_type") == "error"), "")
