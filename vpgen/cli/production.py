"""`vpgen pause`, `vpgen resume`, `vpgen up`, `vpgen down`, `vpgen housekeeping`: production on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.cli.common import Json, console

if TYPE_CHECKING:
    from rich.table import Table

    from vpgen.store.retention import Report


def pause(
    reason: Annotated[str, typer.Option(help="Why; everybody who is stopped by it is told")] = "",
    as_json: Json = False,
) -> None:
    """Stop new production work at once: flows and batches begin no new clip; those under way end."""
    _throw(paused=True, reason=reason, as_json=as_json)


def go_on(*, as_json: bool) -> None:
    """Production is switched on again: `vpgen resume` without a clip."""
    _throw(paused=False, reason="", as_json=as_json)


def _throw(*, paused: bool, reason: str, as_json: bool) -> None:
    from vpgen import deploy, switch
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = (switch.pause if paused else switch.resume)(runtime.database, reason)
        pools = deploy.hold(runtime.settings, paused=paused)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    typer.echo(f"production: {found}")
    if pools:
        typer.echo(pools)


def up(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect page")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow page")] = 5000,
    work: Annotated[str, typer.Option(help="The pools that this machine works for")] = "preview,render,batch",
) -> None:
    """Start production on this machine: Prefect, MLflow, the work pools, the deployments, a worker a pool.

    Everything runs in the background, on loopback only, and in the current folder: relative paths and .env count here.
    """
    from vpgen import deploy
    from vpgen.settings import Settings

    pools = [pool.strip() for pool in work.split(",") if pool.strip()]
    deploy.up(Settings(), prefect_port=prefect_port, mlflow_port=mlflow_port, work=pools, say=typer.echo)


def down() -> None:
    """Stop what `vpgen up` started: the workers first, then the servers."""
    from vpgen import deploy
    from vpgen.settings import Settings

    deploy.down(Settings(), say=typer.echo)


def housekeeping(
    apply: Annotated[bool, typer.Option("--apply", help="Remove it; without this it is only shown")] = False,
    as_json: Json = False,
) -> None:
    """Show which clips and stage results are older than configs/retention.yaml keeps them, and remove them if told so.

    What an experiment, a champion, an unfinished batch, an open project or the journal refers to always stays.
    """
    from vpgen.runtime import Runtime
    from vpgen.store import retention
    from vpgen.tracking import catch_up

    with Runtime.open() as runtime:
        policy = retention.load_policy(runtime.settings.retention)
        report = retention.housekeeping(runtime, policy, apply=apply)
        catch_up(runtime)
    if as_json:
        typer.echo(report.model_dump_json())
        return
    screen = console()
    screen.print(_going(report))
    if not apply:
        screen.print("This is what would go; nothing was removed. Remove it with: vpgen housekeeping --apply")


def _going(report: Report) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("gone" if report.applied else "would go")
    for name in ("clips", "records", "objects", "MB"):
        table.add_column(name, justify="right")
    for name, going in report.classes.items():
        table.add_row(
            name, str(going.clips or ""), str(going.records or ""), str(going.objects or ""), f"{going.bytes / 1e6:.1f}"
        )
    table.add_row("together", "", "", "", f"{report.bytes / 1e6:.1f}")
    kept = [f"{count} needed by {why}" for why, count in sorted(report.kept.items())]
    if report.waiting:
        kept.append(f"{report.waiting} objects ({report.waiting_bytes / 1e6:.1f} MB) go later: a clip is under way")
    if kept:
        table.caption = "old, and kept: " + "; ".join(kept)
        table.caption_justify = "left"
    return table
