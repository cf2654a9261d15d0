"""`vpgen rate` and `vpgen votes`: people compare clips, and what comes of it."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from vpgen.cli.common import Json, console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from vpgen.lab.ranking import Ranking

PORT = 8779
Reference = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="An experiment's name, its id, or the start of it")
]


def rate(
    experiment: Reference,
    rater: Annotated[str | None, typer.Option(help="Who is rating; the page asks otherwise")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one")] = PORT,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only say the address, open no browser")] = False,
) -> None:
    """Compare an experiment's clips two by two, blind, in the browser. Every vote is kept at once: stop at any time."""
    from vpgen.lab.rating import serve
    from vpgen.runtime import Runtime

    def tell(url: str) -> None:
        console().print(f"Rate at [bold]{url}[/], until Ctrl-C. What it comes to: vpgen votes {experiment}")
        if not no_open and _has_screen():
            webbrowser.open(url)

    with Runtime.open() as runtime:
        serve(runtime, experiment, rater=rater, port=port, tell=tell)


def votes(experiment: Reference, as_json: Json = False) -> None:
    """What people's votes come to: the ranking, how far raters agree, and which metrics agree with them."""
    from vpgen.lab.ranking import ranking
    from vpgen.lab.votes import find_experiment
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = ranking(runtime, find_experiment(runtime.database, experiment))
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        console().print(_report(found))


def _has_screen() -> bool:
    """Would a browser have a screen to open on? One in a terminal would take the terminal."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _report(found: Ranking) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    def table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
        made = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in words:
            made.add_column(name)
        for name in numbers:
            made.add_column(name, justify="right")
        return made

    head = f"{found.experiment}   {found.votes} votes on {found.rated} of {found.pairings} pairings"
    if not found.votes:
        return Group(head, f"Nobody has rated yet: vpgen rate {found.experiment}")
    places = table(
        "Ranking", ("variant",), ("preferred", "95 % interval", "strength", "wins", "losses", "ties", "both bad")
    )
    for row in found.standings:
        places.add_row(
            row.variant,
            _percent(row.share),
            _interval(row.low, row.high),
            "–" if row.strength is None else f"{row.strength:+.2f}",
            *map(str, (row.wins, row.losses, row.ties, row.both_bad)),
        )
    parts: list[RenderableType] = [head, "", places, "", _agreement(found)]
    if found.metrics:
        metrics = table(
            "Metrics: on how many pairings better for the clip that people prefer",
            ("metric",),
            ("agrees", "95 % interval", "pairings", "metric equal"),
        )
        for metric in found.metrics:
            interval = _interval(metric.low, metric.high)
            metrics.add_row(metric.metric, _percent(metric.share), interval, str(metric.n), str(metric.equal))
        parts += ["", metrics]
    return Group(*parts)


def _agreement(found: Ranking) -> str:
    people = found.agreement
    if not people.shared:
        return f"Raters: {people.raters}; no two have rated the same clips, so that they agree cannot be said."
    said = f"Raters: {people.raters}; on {people.shared} shared pairings {_percent(people.same)} of answers are equal"
    if people.alpha is None:
        return f"{said}; all answers are the same, so chance cannot be taken off."
    return f"{said}; Krippendorff's alpha {people.alpha:.2f} ({people.low:.2f} to {people.high:.2f})."


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{100 * low:.0f} to {100 * high:.0f} %"
