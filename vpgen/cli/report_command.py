"""`vpgen report`: the notebooks as pages, kept in the store and linked from MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vpgen.cli.common import Json, console

app = typer.Typer(
    no_args_is_help=True,
    help="""Run a notebook as a report: one HTML page, kept in the store and linked from MLflow.

    [bold]vpgen report cost[/] --since 7d           [dim]what was made, what it cost, how good and how fast it was[/]
    [bold]vpgen report experiment[/] finishing      [dim]notebooks/compare_models.ipynb, with every clip to play[/]""",
)
Page = Annotated[Path | None, typer.Option("--out", "-o", help="The HTML file  [default: in the output folder]")]
Code = Annotated[bool, typer.Option("--code", help="Show the notebook's code too")]


@app.command()
def cost(
    since: Annotated[
        str, typer.Option(help="A date, a date with a time, or 7d for seven days ago; '' for all")
    ] = "30d",
    until: Annotated[str, typer.Option(help="The same; a date includes that day")] = "",
    csv: Annotated[Path | None, typer.Option(help="Folder for the tables as CSV")] = None,
    out: Page = None,
    code: Code = False,
    as_json: Json = False,
) -> None:
    """Cost, waste, quality, seconds and failures in a stretch of time, all experiments and batches together."""
    from vpgen.lab import reporting

    reporting.window(since, until)  # what is wrong with it is said before a notebook starts
    parameters = {"since": since, "until": until, "out": str(csv.absolute()) if csv else ""}
    _run("cost_quality_report", parameters, out, code=code, as_json=as_json)


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="An experiment's name (the newest of it) or id")],
    pair: Annotated[int, typer.Option(help="The pair whose clips play in the page; -1: the one that tells most")] = -1,
    out: Page = None,
    code: Code = False,
    as_json: Json = False,
) -> None:
    """An experiment explored: tables, every picture, the clips of a pair side by side."""
    from vpgen.lab.votes import find_experiment
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = find_experiment(runtime.database, name).id
    _run("compare_models", {"experiment": found, "pair": pair}, out, code=code, as_json=as_json)


def _run(name: str, parameters: dict[str, Any], out: Path | None, *, code: bool, as_json: bool) -> None:
    from vpgen.lab import notebooks
    from vpgen.runtime import Runtime
    from vpgen.tracking import catch_up

    with Runtime.open() as runtime:
        page = notebooks.execute(name, parameters, out or runtime.settings.out / f"{name}.html", code=code)
        blob = notebooks.keep(runtime, page, name=name, parameters=parameters)
        told = catch_up(runtime)
        address = runtime.store.url(blob)
    if as_json:
        typer.echo(json.dumps({"kind": "report", "page": str(page.absolute()), "stored": address}, ensure_ascii=False))
        return
    screen = console()
    screen.print(f"{page.absolute()}\nin the store: {address}", markup=False, highlight=False, soft_wrap=True)
    if told.summary:
        screen.print(told.summary, markup=False, style="dim", soft_wrap=True)
