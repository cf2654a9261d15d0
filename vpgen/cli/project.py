"""`vpgen project`: a story's life from draft to completed."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpgen.cli.common import Json, Out, console, report, settings_output

if TYPE_CHECKING:
    from vpgen.runtime import Runtime
    from vpgen.store.schema import Project

app = typer.Typer(
    no_args_is_help=True,
    help="Story projects: draft → planning → planned → previewing → completed. "
    "A rejected preview keeps its reason and goes back to planned, with the next seed.",
)
Ref = Annotated[str, typer.Argument(metavar="PROJECT", help="A project's id, the start of it, or its name")]


@app.command()
def new(
    story: Annotated[str, typer.Argument(help="The story")],
    name: Annotated[str | None, typer.Option(help="A name to call it by")] = None,
    config: Annotated[str | None, typer.Option("--config", "-c", help="Pipeline config")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Begin a project as a draft."""
    from vpgen import projects
    from vpgen.config import load_config
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        chosen = config or runtime.settings.config
        load_config(chosen)
        if Path(chosen).is_file():
            chosen = str(Path(chosen).absolute())  # the project outlives the current folder
        project = projects.new(runtime.database, story, config=chosen, name=name, seed=seed)
        typer.echo(f"{project.id}  {project.state}    next: {', or '.join(projects.commands(project))}")


@app.command()
def plan(project: Ref, as_json: Json = False) -> None:
    """Split the story into prompts for the person, the place, the motion and the style."""
    from vpgen import story

    prompt = _work(project, story.plan, as_json=as_json)
    if as_json:
        typer.echo(prompt.model_dump_json())
    else:
        for name, text in prompt.model_dump().items():
            console().print(f"[bold]{name:<11}[/] {text}", highlight=False)
        _say_next(project)


@app.command()
def preview(project: Ref, out: Out = None, as_json: Json = False) -> None:
    """Make the preview that is then approved or rejected."""
    from vpgen import story

    report(_work(project, story.preview, as_json=as_json, out=out), as_json=as_json)
    if not as_json:
        _say_next(project)


@app.command()
def approve(project: Ref, note: Annotated[str | None, typer.Option(help="Kept in the history")] = None) -> None:
    """Approve the preview; the final may then be made."""
    from vpgen import projects

    _move(project, lambda runtime, found: projects.approve(runtime.database, found, note))


@app.command()
def reject(
    project: Ref, reason: Annotated[str, typer.Option(help="What is wrong with it; kept in the history")]
) -> None:
    """Reject the preview: back to planned; the next preview takes the next seed."""
    from vpgen import projects

    _move(project, lambda runtime, found: projects.reject(runtime.database, found, reason))


@app.command()
def final(project: Ref, out: Out = None, as_json: Json = False) -> None:
    """Make the final of an approved preview."""
    from vpgen import story

    report(_work(project, story.final, as_json=as_json, out=out), as_json=as_json)


@app.command()
def status(project: Ref, as_json: Json = False) -> None:
    """Where a project stands, its history and its jobs."""
    from vpgen import projects
    from vpgen.cli.report import project_report
    from vpgen.runtime import Runtime
    from vpgen.store import jobs

    with Runtime.open() as runtime:
        found = projects.recover(runtime.database, projects.find(runtime.database, project))
        events = projects.history(runtime.database, found)
        work = jobs.recent(runtime.database, project_id=found.id)
        if as_json:
            typer.echo(json.dumps(_plain(found), ensure_ascii=False))
        else:
            spent = projects.cost(runtime.database, found)
            console().print(project_report(found, events, work, spent))


@app.command("list")
def list_projects(as_json: Json = False) -> None:
    """List the projects, newest first."""
    from vpgen import projects
    from vpgen.cli.report import project_list
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        found = projects.recent(runtime.database)
    if as_json:
        for project in found:
            typer.echo(json.dumps(_plain(project), ensure_ascii=False))
    else:
        console().print(project_list(found))


def _plain(project: Project) -> dict[str, Any]:
    from vpgen import projects

    return {
        "id": project.id,
        "name": project.name,
        "state": project.state,
        "standing": projects.standing(project),
        "story": project.story,
        "config": project.config,
        "seed": project.seed,
        "preview": project.preview_clip,
        "final": project.final_clip,
        "next": list(projects.commands(project)),
    }


def _work(ref: str, work: Callable[..., Coroutine[Any, Any, Any]], *, as_json: bool, **arguments: Any) -> Any:
    """Run the work of a move with live progress, then tell MLflow."""
    from vpgen import projects
    from vpgen.cli.progress import listener
    from vpgen.runtime import Runtime
    from vpgen.studio import run
    from vpgen.tracking import catch_up

    with Runtime.open() as runtime:
        found = projects.find(runtime.database, ref)
        with listener(settings_output(as_json=as_json), console()) as tell:
            result = run(work(runtime, found, tell=tell, **arguments))
        catch_up(runtime)
        return result


def _say_next(ref: str) -> None:
    from vpgen import projects
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        commands = projects.commands(projects.find(runtime.database, ref))
    console().print(f"the project's next: {', or '.join(commands)}", highlight=False, soft_wrap=True, markup=False)


def _move(ref: str, move: Callable[[Runtime, Project], Project]) -> None:
    from vpgen import projects
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        moved = move(runtime, projects.find(runtime.database, ref))
        typer.echo(f"{moved.id}  {projects.standing(moved)}    next: {', or '.join(projects.commands(moved))}")
