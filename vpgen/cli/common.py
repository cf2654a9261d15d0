"""What the commands share: options, the console, how a result and an error are printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.errors import ConfigError, VpgenError

if TYPE_CHECKING:
    from rich.console import Console

    from vpgen.cli.progress import Output
    from vpgen.studio import Clip

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder the finished files are copied to  [default: ./clips]")
]


def console(*, stderr: bool = False) -> Console:
    """A Rich console; wide enough not to fold tables when the output is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160)


def settings_output(*, as_json: bool) -> Output:
    """Live bars on a terminal, plain lines elsewhere."""
    from vpgen.cli.progress import Output

    if as_json:
        return Output.JSON
    return Output.RICH if sys.stdout.isatty() else Output.PLAIN


def report(clip: Clip, *, as_json: bool) -> None:
    """Print a finished clip."""
    from vpgen.cli.report import clip_json, clip_report

    if as_json:
        typer.echo(clip_json(clip))
    else:
        console().print(clip_report(clip))


def fail(error: VpgenError, *, as_json: bool) -> int:
    """Print what happened, where, what it cost and what to do; returns the exit code."""
    if as_json:
        document = {
            "kind": "error",
            "error": type(error).__name__,
            "message": error.message,
            "stage": error.stage,
            "backend": error.backend,
            "model": getattr(error, "model", None),
            "job_id": error.job_id,
            "job_goes_on": error.job_goes_on,
            "cost_usd": None if error.cost_usd is None else str(error.cost_usd),
            "retryable": error.retryable,
            "remedy": error.remedy,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return error.exit_code
    screen = console(stderr=True)
    if isinstance(error, ConfigError):
        screen.print(f"[bold red]{len(error.problems)} problem(s) in the configuration[/]")
        for problem in error.problems:
            screen.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)
    else:
        screen.print(f"[bold red]{type(error).__name__}[/]", end=" ")
        screen.print(str(error), markup=False, highlight=False, soft_wrap=True)
    if error.cost_usd:
        screen.print(f"  cost so far: {error.cost_usd:.6f} USD", highlight=False)
    elif error.cost_usd is None:
        screen.print("  cost so far: unknown", highlight=False)
    if error.job_goes_on:
        screen.print("  the job stays in the journal: the same command takes it up (`vpgen journal` shows it)")
    if error.remedy:
        screen.print(f"  what to do: {error.remedy}", markup=False, highlight=False, soft_wrap=True)
    return error.exit_code
