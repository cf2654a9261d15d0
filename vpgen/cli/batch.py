"""`vpgen batch`: a table of requests becomes clips, with an outcome for every row."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.cli.common import Json, console
from vpgen.errors import InvalidInput

if TYPE_CHECKING:
    from rich.table import Table

    from vpgen.batch import Progress, Summary
    from vpgen.store.schema_lab import Batch


class Profile(StrEnum):
    """What is made of each row."""

    preview = "preview"
    final = "final"


def batch(
    table: Annotated[
        str | None, typer.Argument(help="CSV, JSONL or Parquet, a file or s3://…; columns: story, seed, character …")
    ] = None,
    profile: Annotated[Profile, typer.Option(help="What is made of each row")] = Profile.final,
    config: Annotated[
        str | None, typer.Option("--config", "-c", help="A config  [default: the champion of the profile]")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=500, help="Rows under way at a time")] = 4,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="A folder or s3://bucket/prefix  [default: ./clips]")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="USD that the whole batch may spend")] = None,
    webhook: Annotated[str | None, typer.Option(help="Where the summary is posted when it has ended")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try rows that failed again")] = False,
    show: Annotated[str | None, typer.Option("--show", help="Print how a batch stands, and run nothing")] = None,
    every: Annotated[bool, typer.Option("--list", help="List the batches, newest first")] = False,
    as_json: Json = False,
) -> None:
    """Make the clips of a table of requests. The same command again goes on where it was, and makes nothing twice.

    Exits with 1 when rows failed, with 4 when the budget is used up, with 8 when production is paused.
    """
    from vpgen import batch as batches
    from vpgen import studio
    from vpgen.runtime import Runtime

    if every or show:
        _look(show, as_json=as_json)
        return
    if table is None:
        raise InvalidInput("which table?", remedy="vpgen batch requests.csv, or --list to see the batches")
    with Runtime.open() as runtime:
        summary = studio.run(
            batches.run(
                table,
                profile=profile.value,
                config=config,
                parallel=parallel,
                out=out,
                budget=_usd(budget),
                hook=webhook,
                retry=retry,
                runtime=runtime,
                watch=_watcher(as_json=as_json),
            )
        )
    _print(summary, as_json=as_json)
    if code := exit_code(summary):
        raise typer.Exit(code)


def exit_code(summary: Summary) -> int:
    """0 when every row is made; 1 when some are not; the code of what stopped it when something did."""
    from vpgen import errors

    if summary.left:
        stopped_by = getattr(errors, summary.stopped_by, errors.VpgenError)
        return int(stopped_by.exit_code)
    return 1 if summary.failed or summary.refused else 0


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal(-1)
    if not usd.is_finite() or usd < 0:
        raise InvalidInput(f"{text[:40]!r} is no amount of USD", remedy="--budget 25.00")
    return usd


def _watcher(*, as_json: bool) -> Callable[[Progress], None]:
    screen = console()

    def watch(progress: Progress) -> None:
        if as_json:
            document = {
                "kind": "row", "batch": progress.id, "done": progress.done, "rows": progress.rows,
                "row": progress.number, "state": progress.state, "said": progress.said,
            }  # fmt: skip
            typer.echo(json.dumps(document, ensure_ascii=False))
        elif progress.state != "running":
            line = (
                f"{progress.done:>5} of {progress.rows}  row {progress.number:<5} {progress.state:<10} {progress.said}"
            )
            screen.print(line, markup=False, highlight=False, soft_wrap=True)

    return watch


def _look(name: str | None, *, as_json: bool) -> None:
    from vpgen.batch import books
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = [books.find(runtime.database, name)] if name else books.recent(runtime.database)
        for one in found:
            now = books.summarise(runtime.database, one.id)
            summary = now.model_copy(update=_standing(one, now))
            if as_json or name:
                _print(summary, as_json=as_json)
            else:
                typer.echo(f"{summary.id}  {one.created:%Y-%m-%d %H:%M} UTC  {summary.state:<10} {summary}")


def _standing(batch: Batch, now: Summary) -> dict[str, object]:
    """Whether it runs, and of one that does not, what only the run that ended knew."""
    from vpgen.store.jobs import is_gone

    if now.left and batch.state == "running":
        if not batch.worker or not is_gone(batch.worker):
            return {"state": "running"}
        said = f"its process ({batch.worker}) ended without a word"
        return {"state": "stopped", "stopped": said, "stopped_by": "a crash", "next": "The same command goes on"}
    names = ("canary", "stopped", "stopped_by", "next", "table", "webhook")
    kept = {name: batch.summary[name] for name in names if name in batch.summary} if batch.summary else {}
    return {"state": batch.state if now.left else now.state, **kept}


def _print(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"kind": "batch", **summary.model_dump(mode="json")}, ensure_ascii=False))
        return
    screen = console()
    screen.print()
    screen.print(_table(summary))
    for note in summary.notes:
        screen.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    if summary.stopped:
        screen.print(f"[bold yellow]stopped[/] by {summary.stopped_by}: ", end="")
        screen.print(summary.stopped, markup=False, highlight=False, soft_wrap=True)
        screen.print(f"  what to do: {summary.next}", markup=False, highlight=False, soft_wrap=True)


def _table(summary: Summary) -> Table:
    from rich.table import Table

    from vpgen.money.prices import dollars

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    unknown = f" and {summary.unknown_charges} charges of unknown price" if summary.unknown_charges else ""
    rows = {
        "batch": f"{summary.id}  {summary.state}",
        "rows": str(summary),
        "config": f"{summary.config} ({summary.profile})",
        "USD": f"{dollars(summary.usd)}{unknown}, of which waste {dollars(summary.waste)}",
        "USD per accepted clip": "none yet" if summary.per_accepted is None else dollars(summary.per_accepted),
        "seconds a row": ""
        if summary.seconds_p50 is None or summary.seconds_p95 is None
        else f"p50 {summary.seconds_p50:.1f}, p95 {summary.seconds_p95:.1f}",
        "not made because": ", ".join(f"{why} ({count})" for why, count in summary.reasons.items()),
        "canary": summary.canary,
        "webhook": summary.webhook,
        "row by row": summary.table,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table
