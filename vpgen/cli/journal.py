"""`vpgen journal`: the paid calls that are open and what can be done about them. `vpgen cost`: where the money went."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.cli.common import Json, console
from vpgen.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from vpgen.money.spending import Spending
    from vpgen.remote_jobs import Reconciled
    from vpgen.store.schema import RemoteJob

app = typer.Typer(
    invoke_without_command=True,
    help="""Paid calls to providers: written down before they are made, open until their result is stored and booked.

    Without a command it lists the open ones. After a crash the same [bold]vpgen make[/] (or `vpgen resume`) takes them
    up by itself; the commands here are for looking, for cancelling, and for what only a person can know.""",
)

Call = Annotated[int, typer.Argument(help="The call's number in `vpgen journal`")]


@app.callback()
def journal(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="The closed ones too")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
) -> None:
    """List open calls, newest first."""
    if context.invoked_subcommand:
        return
    from vpgen.runtime import Runtime
    from vpgen.store.journal import entries

    with Runtime.open() as runtime:
        rows = entries(runtime.database, every=every, limit=limit)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(_document(row), ensure_ascii=False))
    elif rows:
        console().print(_table(rows))
    else:
        console().print("No call is open: nothing is running at a provider, nothing is in doubt.")


@app.command()
def reconcile(as_json: Json = False) -> None:
    """Ask the providers what became of every open call; those that ended without a result are settled."""
    from vpgen import remote_jobs
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        tell(asyncio.run(remote_jobs.reconcile(runtime)), as_json=as_json)


@app.command()
def cancel(call: Call, as_json: Json = False) -> None:
    """Stop a job at its provider and settle what it charges for it."""
    from vpgen import remote_jobs
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        tell([asyncio.run(remote_jobs.cancel(runtime, call))], as_json=as_json)


@app.command()
def resolve(
    call: Call,
    never: Annotated[bool, typer.Option("--never", help="It never happened: release the reservation")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="It was charged, and its result is gone: book it")] = False,
    as_json: Json = False,
) -> None:
    """Say what became of a call whose answer was lost, when you have looked at the provider's own page."""
    from vpgen import remote_jobs
    from vpgen.runtime import Runtime

    if never == lost:
        raise InvalidInput("say which it was: --never or --lost")
    with Runtime.open() as runtime:
        tell([remote_jobs.resolve(runtime, call, "never" if never else "lost")], as_json=as_json)


class Grouping(StrEnum):
    """What charges are summed by."""

    day = "day"
    experiment = "experiment"
    provider = "provider"
    stage = "stage"
    category = "category"
    clip = "clip"


def cost(
    by: Annotated[Grouping, typer.Option(help="What to sum by")] = Grouping.day,
    days: Annotated[int | None, typer.Option(min=1, help="Only the last so many days")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only this experiment")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table here, amounts exact")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it here (PNG)")] = None,
    as_json: Json = False,
) -> None:
    """Say where the money went, waste apart, and what one accepted clip costs with everything in it."""
    from vpgen.money import spending
    from vpgen.runtime import Runtime

    since = datetime.now(UTC) - timedelta(days=days) if days else None
    with Runtime.open() as runtime:
        report = spending.spending(runtime.database, by.value, since=since, experiment=experiment)
    if csv:
        csv.write_text(spending.as_csv([*report.groups, report.total]), encoding="utf-8")
    if plot:
        spending.plot(report, plot)
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        console().print(_spending_table(report))


def tell(found: Iterable[Reconciled], *, as_json: bool) -> None:
    """Print what was found out about calls."""
    found = list(found)
    if not found and not as_json:
        console().print("No call is open: nothing is running at a provider, nothing is in doubt.")
    for one in found:
        if as_json:
            typer.echo(one.model_dump_json())
            continue
        usd = f", charged {one.usd:f} USD" if one.usd is not None else ""
        console().print(f"{one.id}  {one.provider}/{one.model}  {one.state}{usd}", markup=False, highlight=False)
        if one.next:
            console().print(f"    then: {one.next}", markup=False, highlight=False, soft_wrap=True)


def _document(row: RemoteJob) -> dict[str, object]:
    handle = row.handle or {}
    return {
        "id": row.id, "clip": row.clip_id, "stage": row.stage, "provider": row.provider, "model": row.model,
        "state": row.state, "outcome": row.outcome, "job": handle.get("job_id"), "created": row.created.isoformat(),
        "error": row.error,
    }  # fmt: skip


def _table(rows: list[RemoteJob]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("call", "since (UTC)", "clip", "stage", "model", "state", "job there", "what is known"):
        table.add_column(name)
    for row in rows:
        state = row.outcome or row.state if row.state == "closed" else row.state
        style = {"unknown": "bold yellow", "submitted": "cyan", "succeeded": "green"}.get(str(state), "")
        table.add_row(
            str(row.id), f"{row.created:%m-%d %H:%M:%S}", row.clip_id or "", row.stage, f"{row.provider}/{row.model}",
            f"[{style}]{state}[/]" if style else str(state), str((row.handle or {}).get("job_id", "")), row.error or "",
        )  # fmt: skip
    return table


def _spending_table(report: Spending) -> Table:
    from rich.table import Table

    from vpgen.money.prices import CATEGORIES, dollars

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(report.by)
    for name in ("USD", *CATEGORIES, "waste", "held", "unknown"):
        table.add_column(name, justify="right")
    for row in (*report.groups, report.total):
        if row is report.total:
            table.add_section()
        parts = [dollars(row.by_category[c]) if c in row.by_category else "" for c in CATEGORIES]
        held, unknown = dollars(row.held) if row.held else "", f"{row.unknown} charges" if row.unknown else ""
        table.add_row(row.name, dollars(row.usd), *parts, dollars(row.waste) if row.waste else "", held, unknown)
    accepted = "none yet" if not report.finals else dollars(report.per_accepted)
    table.caption = f"{report.finals} accepted clips; USD each, everything in it: {accepted}"
    table.caption_justify = "left"
    return table
