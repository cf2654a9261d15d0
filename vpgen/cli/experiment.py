"""`vpgen experiment`: A/B tests that decide."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.cli.common import Json, console, settings_output

if TYPE_CHECKING:
    from rich.table import Table

    from vpgen.lab.definition import Experiment
    from vpgen.lab.design import Plan
    from vpgen.lab.result import Result
    from vpgen.lab.run import Progress

app = typer.Typer(
    no_args_is_help=True,
    help="""Compare configs on the same stories and seeds, and stop as soon as the answer is known.

    [bold]vpgen experiment run[/] experiments/finishing.yaml --dry-run   [dim]what it would make and cost[/]
    [bold]vpgen experiment run[/] experiments/finishing.yaml             [dim]again after a stop: it goes on[/]
    [bold]vpgen experiment show[/] finishing                             [dim]tables and the verdict[/]
    [bold]vpgen experiment report[/] finishing                           [dim]the same with pictures, as HTML[/]""",
)
File = Annotated[str, typer.Argument(help="A YAML file, or the name of one that ships: finishing, matting")]
Named = Annotated[str, typer.Argument(help="An experiment's name (the newest of it) or id")]


@app.command("run")
def run_experiment(
    file: File,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be run, in order, and its price")
    ] = False,
    budget: Annotated[float | None, typer.Option(help="USD it may spend; beats the file's", min=0)] = None,
    parallel: Annotated[
        int | None, typer.Option(help="Pairs under way at a time; beats the file's", min=1, max=100)
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Make trials again that did not complete")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run an experiment to its decision, or go on with one that was stopped; outcomes that are there are kept."""
    from vpgen import studio
    from vpgen.cli.progress import listener
    from vpgen.lab import design, run
    from vpgen.lab.definition import load_experiment
    from vpgen.runtime import Runtime
    from vpgen.tracking import catch_up

    experiment = load_experiment(file)
    changed = {"budget": None if budget is None else Decimal(str(budget)), "parallel": parallel}
    experiment = experiment.model_copy(update={key: value for key, value in changed.items() if value is not None})
    with Runtime.open() as runtime:
        plan = studio.run(design.plan(experiment, runtime.prices))
        if dry_run:
            _print_plan(experiment, plan, as_json=as_json)
            return
        if not as_json:
            _print_plan(experiment, plan, as_json=False, brief=True)
        with listener(settings_output(as_json=as_json), console()) as tell:
            watcher = _Watcher(tell, as_json=as_json)
            work = run.run(experiment, runtime=runtime, tell=watcher.quietly, watch=watcher, retry_failed=retry_failed)
            result = studio.run(work)
        _print(result, as_json=as_json)
        told = catch_up(runtime)
        if told.summary and not as_json:
            console().print(told.summary, markup=False, style="dim", soft_wrap=True)


@app.command()
def show(experiment: Named, as_json: Json = False) -> None:
    """Print an experiment's tables and what can be said so far."""
    from vpgen.lab.result import load
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        _print(load(runtime, experiment), as_json=as_json)


@app.command()
def report(
    experiment: Named,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An HTML file, or a folder for Markdown and its pictures")
    ] = None,
) -> None:
    """Write the verdict, tables and pictures as one HTML file that loads nothing, or as Markdown into a folder."""
    from vpgen.lab.report import write_html, write_markdown
    from vpgen.lab.result import load
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        result = load(runtime, experiment)
        target = out or Path(f"{result.name}.html")
        write = write_html if target.suffix.lower() in {".html", ".htm"} else write_markdown
        typer.echo(write(runtime, result, target).absolute())


@app.command("list")
def list_experiments(as_json: Json = False) -> None:
    """List the experiments that were run here, newest first, and those that ship."""
    import sqlalchemy as sa
    from rich.table import Table
    from rich.text import Text

    from vpgen.lab.definition import shipped
    from vpgen.lab.result import standing
    from vpgen.runtime import Runtime
    from vpgen.store.schema_lab import Experiment as Row

    with Runtime.open() as runtime, runtime.database.read() as session:
        rows = list(session.scalars(sa.select(Row).order_by(Row.created.desc())))
    if as_json:
        for row in rows:
            typer.echo(json.dumps({"id": row.id, "state": standing(row), "verdict": row.verdict}, ensure_ascii=False))
        return
    table = Table("experiment", "state", "begun", "what it says")
    for row in rows:
        table.add_row(row.id, standing(row), f"{row.created:%Y-%m-%d %H:%M}", Text((row.verdict or {}).get("why", "")))
    console().print(table)
    console().print(f"Ready to run: {', '.join(shipped())}", style="dim")


class _Watcher:
    """Says in one line what is being made, and after each pair what is known."""

    def __init__(self, tell: object, *, as_json: bool) -> None:
        self._tell, self._json, self._said = tell, as_json, -1

    def quietly(self, event: object) -> None:
        """Only what a person needs to know of the clips themselves."""
        if getattr(event, "kind", "") in {"note", "failed"}:
            self._tell(event)  # type: ignore[operator]

    def __call__(self, progress: Progress) -> None:
        from vpgen.money.prices import dollars

        if self._json:
            document = {"kind": "progress", "done": progress.done, "pairs": progress.pairs, "trial": progress.trial,
                        "spent_usd": str(progress.spent_usd)}  # fmt: skip
            typer.echo(json.dumps(document))
            return
        head = f"{progress.done}/{progress.pairs} pairs, {dollars(progress.spent_usd)} USD"
        if progress.trial:
            console().print(f"{head}   making {progress.trial}", markup=False, highlight=False, soft_wrap=True)
        elif progress.verdict and progress.done != self._said:
            self._said = progress.done
            console().print(
                f"{head}   {progress.verdict.why}", markup=False, highlight=False, style="cyan", soft_wrap=True
            )


def _cut(text: str, most: int = 70) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _print_plan(experiment: Experiment, plan: Plan, *, as_json: bool, brief: bool = False) -> None:
    from rich.table import Table
    from rich.text import Text

    from vpgen.money.prices import dollars

    if as_json:
        document = {
            "id": experiment.id,
            "pairs": [{"case": pair.case.name, "seed": pair.seed, "turns": pair.turns} for pair in plan.pairs],
            "estimates": [
                {
                    "variant": e.variant,
                    "changed": e.changed,
                    "usd": None if e.usd is None else str(e.usd),
                    "cpu_seconds": str(e.cpu_seconds),
                }
                for e in plan.estimates
            ],
            "usd": None if plan.usd is None else str(plan.usd),
            "cpu_seconds": str(plan.cpu_seconds),
        }  # fmt: skip
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    screen, decision = console(), experiment.decision
    budget = "none" if experiment.budget is None else f"{dollars(experiment.budget)} USD"
    if experiment.question:
        screen.print(experiment.question, style="bold", markup=False)
    table = Table("variant", "differs in", "USD a clip", "CPU s a clip")
    for e in plan.estimates:
        what = "baseline" if e.variant == experiment.baseline else ", ".join(e.changed)
        what = "the truth to compare with" if e.variant == "reference" else what or "nothing"
        table.add_row(e.variant, what, dollars(e.usd), f"{e.cpu_seconds:.1f}")
    screen.print(table)
    screen.print(
        f"{len(experiment.cases)} case(s) x {len(experiment.seeds)} seed(s): at most {len(plan.pairs)} pairs, about "
        f"{dollars(plan.usd)} USD and {plan.cpu_seconds:.0f} CPU s "
        f"({dollars(plan.usd_apart)} USD if nothing were shared). Budget: {budget}.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    until = (
        f"after every pair from the {decision.min_pairs}th on, and stops when it is sure"
        if decision.rule == "sequential"
        else "once, after the last pair"
    )
    screen.print(
        f"Decides by {decision.metric}, {until}; the chance of a false winner is at most {decision.alpha:g}.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not brief:
        listed = Table("#", "case", "seed", "in this order", "story")
        for pair in plan.pairs:
            listed.add_row(
                str(pair.number), pair.case.name, str(pair.seed), ", ".join(pair.turns), Text(_cut(pair.case.story))
            )
        screen.print(listed)


def _print(result: Result, *, as_json: bool) -> None:
    from vpgen.money.prices import dollars

    if as_json:
        document = {
            "id": result.id,
            "state": result.state,
            "spent_usd": str(result.spent_usd),
            "verdict": result.verdict.model_dump(mode="json"),
            "summary": json.loads(result.summary.to_json(orient="index")),
            "differences": [difference.model_dump(mode="json") for difference in result.differences],
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    screen = console()
    screen.print(_summary(result))
    screen.print(_differences(result))
    style = "bold green" if result.verdict.winner else "bold"
    screen.print(result.verdict.why, style=style, markup=False, highlight=False, soft_wrap=True)
    screen.print(
        f"{result.id}: {result.state}, {dollars(result.spent_usd)} USD spent (waste {dollars(result.waste_usd)}). "
        f"Pictures: vpgen experiment report {result.name}"
        + (f"   Into production: vpgen promote {result.name} {result.verdict.winner}" if result.verdict.winner else ""),
        style="dim", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _summary(result: Result) -> Table:
    from rich.table import Table

    summary = result.summary
    columns = [c for c in summary.columns if c not in {"failed", "refused", "timeout"} or summary[c].any()]
    table = Table("variant", *columns, title="Means")
    for variant, row in summary.iterrows():
        table.add_row(str(variant), *(_figure(row[column]) for column in columns))
    return table


def _differences(result: Result) -> Table:
    from rich.table import Table

    table = Table("variant", "metric", "difference", "95 % interval", "p (Holm)", "d_z", "pairs", "",
                  title=f"Against {result.experiment.baseline}")  # fmt: skip
    from vpgen.lab.views import plain

    for d in result.differences:
        mark = {True: "[green]better", False: "[red]worse", None: "[dim]open"}[d.better]
        table.add_row(d.variant, d.metric, plain(d.mean, sign="+"), f"{_signed(d.low)} … {_signed(d.high)}",
                      _figure(d.p_adjusted), _figure(d.effect), str(d.n), mark)  # fmt: skip
    return table


def _signed(value: float | None) -> str:
    from vpgen.lab.views import plain

    return "?" if value is None else plain(value, sign="+")


def _figure(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124  # NaN
        return "–"
    from vpgen.lab.views import plain

    return plain(value) if isinstance(value, float) else str(value)
