"""`vpgen pause`, `vpgen resume`, `vpgen up`, `vpgen down`, `vpgen housekeeping`: production on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from vpgen.cli.common import Json


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
    from vpgen import switch
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = (switch.pause if paused else switch.resume)(runtime.database, reason)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        typer.echo(f"production: {found}")
