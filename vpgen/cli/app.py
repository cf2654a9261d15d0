"""The `vpgen` command: clips."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpgen import __version__
from vpgen.cli import (
    batch,
    catalogue,
    champion,
    doctor,
    experiment,
    journal,
    production,
    project,
    rate,
    report_command,
    sandbox,
)
from vpgen.cli.common import Json, Out, console, fail, report, settings_output
from vpgen.errors import VpgenError

if TYPE_CHECKING:
    from vpgen.studio import Clip

app = typer.Typer(
    name="vpgen",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""Turn a story into a scored, priced six-second clip.

    [bold]vpgen make[/] "A woman walks along the beach at dusk, slow push in"

    Everything runs on this machine by default: no key, no GPU, no server. A config (--config) decides which backend
    does each stage; `vpgen doctor` says what this machine can do.""",
)
CLIPS, EXPERIMENTS, PRODUCTION = "Clips", "Experiments: which config is better", "Production"
MONEY, INSTALLATION = "Money and providers", "This installation"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"vpgen {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version")]


@app.callback()
def root(version: Version = False) -> None:  # its callback does the work
    """Options of the program itself."""


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

Story = Annotated[str, typer.Argument(help="The story: who, where, and how the camera moves; Korean or English")]
Config = Annotated[
    str | None, typer.Option("--config", "-c", help="A YAML file, or the name of one that ships: animatic, neural-cpu")
]
Seed = Annotated[int, typer.Option(help="Another seed draws another person and place", min=0)]
Character = Annotated[
    Path | None, typer.Option(help="Your own picture of the person; it is cut out unless it has an alpha channel")
]
Background = Annotated[Path | None, typer.Option(help="Your own picture of the place")]
Flow = Annotated[bool, typer.Option("--flow", help="Run it as a Prefect flow, so that it shows in Prefect's UI")]
ClipId = Annotated[str, typer.Argument(help="A clip's id, or the start of it")]


@app.command(rich_help_panel=CLIPS)
def preview(
    story: Story,
    config: Config = None,
    seed: Seed = 0,
    character: Character = None,
    background: Background = None,
    out: Out = None,
    as_json: Json = False,
    flow: Flow = False,
) -> None:
    """Draw and animate a story small (640x360, 12 fps), to approve or reject it before the costly part."""
    arguments = {"config": config, "seed": seed, "character": character, "background": background, "out": out}
    _render("preview", story, arguments, as_json=as_json, flow=flow)


@app.command(rich_help_panel=CLIPS)
def final(clip: ClipId, config: Config = None, out: Out = None, as_json: Json = False, flow: Flow = False) -> None:
    """Bring an approved preview to 1920x1080 at 24 fps: the same frames, upscaled and interpolated."""
    _render("final", clip, {"config": config, "out": out}, as_json=as_json, flow=flow)


@app.command(rich_help_panel=CLIPS)
def make(
    story: Story,
    config: Config = None,
    seed: Seed = 0,
    character: Character = None,
    background: Background = None,
    out: Out = None,
    as_json: Json = False,
    flow: Flow = False,
) -> None:
    """Preview and final in one go."""
    arguments = {"config": config, "seed": seed, "character": character, "background": background, "out": out}
    _render("make", story, arguments, as_json=as_json, flow=flow)


@app.command(rich_help_panel=CLIPS)
def resume(
    clip: Annotated[str | None, typer.Argument(help="A clip's id; without one, production goes on (`pause`)")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Take up a clip that was stopped, killed or failed: what is finished is kept, jobs at providers are picked up.

    Without a clip: switch production on again after `vpgen pause`.
    """
    if clip is None:
        production.go_on(as_json=as_json)
    else:
        _render("resume", clip, {"out": out}, as_json=as_json, flow=False)


@app.command(rich_help_panel=CLIPS)
def cancel(clip: ClipId, as_json: Json = False) -> None:
    """Stop a clip's jobs at their providers, and release what they do not charge."""
    from vpgen import remote_jobs, studio
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        journal.tell(studio.run(remote_jobs.cancel_clip(runtime, clip)), as_json=as_json)


@app.command(rich_help_panel=CLIPS)
def show(clip: ClipId, out: Out = None, as_json: Json = False) -> None:
    """Print everything about a finished clip again, and copy its files out again."""
    from vpgen.runtime import Runtime
    from vpgen.studio import show as show_clip

    with Runtime.open() as runtime:
        report(show_clip(runtime, clip, out), as_json=as_json)


@app.command(rich_help_panel=CLIPS)
def lineage(clip: ClipId) -> None:
    """Print the tree of keys a clip grew from: which result was made from which."""
    from vpgen.cli.report import lineage_tree
    from vpgen.runtime import Runtime
    from vpgen.studio import find

    with Runtime.open() as runtime:
        console().print(lineage_tree(find(runtime, clip)))


@app.command("list", rich_help_panel=CLIPS)
def list_clips(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first")] = 20, as_json: Json = False
) -> None:
    """List the clips of this installation, newest first."""
    from vpgen.cli.report import clip_list
    from vpgen.runtime import Runtime
    from vpgen.store import clips

    with Runtime.open() as runtime:
        rows = clips.recent(runtime.database, limit)
    if as_json:
        for row in rows:
            typer.echo(
                json.dumps(
                    {"id": row.id, "state": clips.standing(row), "story": row.story, "seconds": row.seconds},
                    ensure_ascii=False,
                )
            )
    else:
        console().print(clip_list(rows))


@app.command("config", rich_help_panel=INSTALLATION)
def show_config(
    name: Annotated[str, typer.Argument(help="A YAML file, or the name of one that ships")] = "animatic",
) -> None:
    """Check a config and print it resolved: what it inherits, every default, every backend's version."""
    import yaml

    from vpgen.config import load_config

    document = load_config(name).model_dump(mode="json")
    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


@app.command(rich_help_panel=INSTALLATION)
def track() -> None:
    """Report to MLflow what could not be reported when it happened (MLflow was down, or slow)."""
    from vpgen.runtime import Runtime
    from vpgen.tracking import catch_up

    with Runtime.open() as runtime:
        typer.echo(catch_up(runtime).summary or "Nothing is waiting: MLflow has every report.")


@app.command(rich_help_panel=INSTALLATION)
def ui(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect page")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow page")] = 5000,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what was started here")] = False,
) -> None:
    """Start the Prefect and MLflow pages in the background, on this machine only, and say where to look."""
    from vpgen import servers
    from vpgen.settings import Settings

    settings = Settings()
    both = [servers.prefect(settings, prefect_port), servers.mlflow(settings, mlflow_port)]
    if stop:
        for server in both:
            typer.echo(f"{server.name:<8} {'stopped' if servers.stop(server, settings) else 'was not started here'}")
        return
    failed: list[VpgenError] = []
    for server, began in zip(both, servers.start_all(both, settings), strict=True):
        if isinstance(began, VpgenError):
            failed.append(began)
        else:
            typer.echo(f"{server.name:<8} {servers.page(server)}  {'started' if began else 'is up already'}")
    if len(failed) < len(both):
        typer.echo("Stop them with: vpgen ui --stop")
    if failed:
        raise failed[0]


def _render(what: str, subject: str, arguments: dict[str, Any], *, as_json: bool, flow: bool) -> None:
    """Run preview, final or make with live progress, print the report, then tell MLflow."""
    from vpgen import studio
    from vpgen.cli.progress import listener
    from vpgen.runtime import Runtime
    from vpgen.tracking import catch_up

    work: Callable[..., Coroutine[Any, Any, Clip]] = getattr(studio, what)
    with Runtime.open() as runtime:
        try:
            with listener(settings_output(as_json=as_json), console()) as tell:
                if flow:
                    from vpgen.servers import run_flow

                    clip_id = run_flow(what, subject, arguments, runtime.settings)
                    clip = studio.show(runtime, clip_id, arguments["out"])
                else:
                    clip = studio.run(work(subject, runtime=runtime, tell=tell, **arguments))
        except VpgenError:
            catch_up(runtime)  # a failed clip is a failed run
            raise
        report(clip, as_json=as_json)
        told = catch_up(runtime)
        if told.summary and not as_json:
            console().print(told.summary, markup=False, style="dim", soft_wrap=True)


app.add_typer(project.app, name="project", rich_help_panel=CLIPS)
app.add_typer(experiment.app, name="experiment", rich_help_panel=EXPERIMENTS)
app.add_typer(report_command.app, name="report", rich_help_panel=EXPERIMENTS)
app.add_typer(champion.app, name="champion", rich_help_panel=EXPERIMENTS)
app.add_typer(journal.app, name="journal", rich_help_panel=MONEY)
_PANELS: tuple[tuple[str, tuple[Callable[..., None], ...]], ...] = (
    (EXPERIMENTS, (rate.rate, rate.votes, champion.promote, champion.rollback)),
    (PRODUCTION, (batch.batch, production.up, production.down, production.pause, production.housekeeping)),
    (MONEY, (journal.cost, catalogue.catalogue, sandbox.sandbox)),
    (INSTALLATION, (doctor.doctor,)),
)
for _panel, _commands in _PANELS:
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line: errors become one clear message and an exit code of their own."""
    as_json = "--json" in sys.argv
    signal.signal(signal.SIGTERM, _interrupt)
    # What is tried again is told as an event when it matters; the library's own lines would break the progress display.
    logging.getLogger("stamina").addHandler(logging.NullHandler())
    try:
        code = app(standalone_mode=False)  # the code of an Exit, 130 for Ctrl-C, else None
    except VpgenError as error:
        sys.exit(fail(error, as_json=as_json))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except _usage_error() as error:
        error.show()
        sys.exit(error.exit_code)
    if code == INTERRUPTED:
        said = "Stopped. Every finished stage is kept: the same command goes on from there."
        if as_json:
            typer.echo(json.dumps({"kind": "error", "error": "Interrupted", "message": said, "retryable": True}))
        else:
            typer.echo(f"\n{said}", err=True)
    sys.exit(code or 0)


def _interrupt(*_: object) -> None:
    """Being asked to end (by a service manager, say) is Ctrl-C."""
    raise KeyboardInterrupt


def _usage_error() -> type[Any]:
    """Typer brings its own Click in newer versions; its usage error is the base of BadParameter."""
    return typer.BadParameter.__mro__[2]
