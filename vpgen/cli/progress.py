"""Live progress of a run: Rich bars on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from vpgen.events import Event, Listener


class Output(StrEnum):
    """How a command speaks."""

    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"


@contextmanager
def listener(output: Output, console: Console) -> Iterator[Listener]:
    """A listener for `Event`s that shows them as they come."""
    if output is Output.JSON:
        yield lambda event: print(event.model_dump_json(exclude_defaults=True), flush=True)  # noqa: T201  # the output
    elif output is Output.PLAIN:
        yield lambda event: _plain(event, console)
    else:
        bars = _Bars(console)
        with bars.progress:
            yield bars


def _plain(event: Event, console: Console) -> None:
    if event.kind == "progress":
        return
    figures = f" {event.seconds:.1f} s" if event.seconds is not None else ""
    note = f" {event.note}" if event.note else ""
    name = f"{event.stage} {event.backend}".strip()
    console.print(f"{name:<24} {event.kind}{figures}{note}", markup=False, highlight=False, soft_wrap=True)


class _Bars:
    """One bar a stage, made when the stage starts."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.fields[stage]:<12}"),
            TextColumn("[dim]{task.fields[backend]:<12}"),
            BarColumn(bar_width=28),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        if not event.stage:
            self.progress.console.print(event.note, markup=False, style="dim")
            return
        slot = event.key or event.stage
        if event.kind == "started":
            self._tasks[event.stage] = self._tasks[slot] = self._add(event, total=1.0)
        task = self._tasks.get(slot, self._tasks.get(event.stage))
        if task is None:
            task = self._tasks[slot] = self._add(event, total=1.0)
        if event.kind == "progress":
            self.progress.update(task, completed=event.fraction, note=event.note)
        elif event.kind == "finished":
            self.progress.update(task, completed=1.0, note=f"[dim]{event.cpu_seconds or 0:.1f} CPU s")
            self.progress.stop_task(task)
        elif event.kind in {"cached", "fused"}:
            self.progress.update(task, completed=1.0, note=f"[dim]{event.kind}")
            self.progress.stop_task(task)
        elif event.kind in {"failed", "waiting", "note"}:
            style = "red" if event.kind == "failed" else "yellow"
            self.progress.update(task, note=f"[{style}]{escape(event.note or event.kind)}")
            if event.kind == "failed":
                self.progress.stop_task(task)

    def _add(self, event: Event, total: float) -> TaskID:
        return self.progress.add_task("", total=total, stage=event.stage, backend=event.backend, note="")
