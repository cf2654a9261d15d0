"""Tables a person reads after a run: stages, scores, the five cost categories, files, the tree of keys."""

from __future__ import annotations

import json
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from vpgen.money.ledger import Cost
from vpgen.money.prices import dollars
from vpgen.projects import commands, standing
from vpgen.stages import Score
from vpgen.step import Trail
from vpgen.store.clips import standing as standing_of
from vpgen.store.schema import Clip as ClipRow
from vpgen.store.schema import Job, Project, ProjectEvent
from vpgen.studio import Clip, Manifest


def clip_report(clip: Clip) -> RenderableType:
    """Everything about a finished clip."""
    manifest = clip.manifest
    spec = manifest.config.preview_spec if manifest.kind == "preview" else manifest.config.final_spec
    head = Text.assemble(
        (f"{manifest.id}  ", "bold"),
        f"{spec.size[0]}x{spec.size[1]}  {spec.fps} fps  {spec.frames} frames  {spec.seconds:g} s  ",
        (f"config {manifest.config.name}  seed {manifest.request.seed}\n", "dim"),
        manifest.request.story,
    )
    then = (
        f"approve it and finish it: vpgen final {manifest.id}"
        if manifest.kind == "preview"
        else f"see it again: vpgen show {manifest.id}    where it came from: vpgen lineage {manifest.id}"
    )
    files = Table.grid(padding=(0, 2))
    files.add_row("clip", str(clip.video))
    files.add_row("contact sheet", str(clip.sheet))
    files.add_row("next", then)
    return Group(
        "", head, "", stage_table(clip.trail, clip.seconds), "", score_table(clip.scores.scores), "",
        cost_table(clip.cost), "", files,
    )  # fmt: skip


def stage_table(trail: tuple[Trail, ...], seconds: float) -> Table:
    """Stage, backend, where the result came from, wall and CPU seconds, cost of this run."""
    table = Table(title="Stages", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("stage", "backend", "result"):
        table.add_column(name)
    for name in ("seconds", "CPU s", "USD"):
        table.add_column(name, justify="right")
    for entry in trail:
        made = entry.how == "made"
        table.add_row(
            entry.stage,
            entry.backend,
            {"made": "made", "cached": "[green]cached[/]", "fused": "[dim]inside the next[/]"}[entry.how],
            f"{entry.seconds:.2f}" if made else "",
            f"{entry.cpu_seconds:.2f}" if made else "",
            dollars(entry.usd) if made else "",
        )
    table.add_section()
    known = [entry.usd for entry in trail if entry.usd is not None]
    total = sum(known, Decimal(0)) if len(known) == len(trail) else None
    cpu = sum(entry.cpu_seconds for entry in trail)
    table.add_row("[bold]this run", "", "", f"[bold]{seconds:.2f}", f"[bold]{cpu:.2f}", f"[bold]{dollars(total)}")
    return table


def score_table(scores: tuple[Score, ...]) -> Table:
    """Each figure with its direction, range and meaning; what was skipped with its reason."""
    table = Table(title="Scores", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("better", no_wrap=True)
    table.add_column("range", no_wrap=True)
    table.add_column("meaning")
    for score in scores:
        if score.value is None:
            table.add_row(f"[dim]{score.name}", "[dim]–", "", "", f"[dim]skipped: {score.skipped}")
            continue
        span = f"{_end(score.range[0])} – {_end(score.range[1])}" if score.range else ""
        better = "higher" if score.higher_is_better else "lower"
        table.add_row(score.name, f"{score.value:.4g} {score.unit}".strip(), better, span, f"[dim]{score.meaning}")
    return table


def _end(bound: float | None) -> str:
    return "∞" if bound is None else f"{bound:g}"


def cost_table(cost: Cost) -> Table:
    """What the clip has cost by category, beside its estimate and the target."""
    table = Table(title="Cost of the clip", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("category")
    for name in ("USD", "estimated", "target"):
        table.add_column(name, justify="right")
    for line in cost.lines:
        table.add_row(line.category, dollars(line.usd), dollars(line.estimate_usd), f"{line.target_usd:.2f}")
    table.add_section()
    style = "green" if cost.total is not None and cost.total <= cost.target else "red"
    table.add_row(
        "[bold]total", f"[bold {style}]{dollars(cost.total)}", dollars(cost.estimate), f"[bold]{cost.target:.2f}"
    )
    if cost.waste:
        table.add_row("[yellow]of it waste", f"[yellow]{dollars(cost.waste)}", "", "")
    return table


def clip_json(clip: Clip) -> str:
    """One JSON object on one line."""
    document = {
        "kind": "clip",
        "id": clip.id,
        "parent": clip.manifest.parent,
        "story": clip.manifest.request.story,
        "seed": clip.manifest.request.seed,
        "config": clip.manifest.config.name,
        "video": str(clip.video),
        "sheet": str(clip.sheet),
        "seconds": round(clip.seconds, 3),
        "cached": clip.cached,
        "scores": [score.model_dump(mode="json") for score in clip.scores.scores],
        "cost": clip.cost.model_dump(mode="json"),
        "stages": [
            {
                "stage": entry.stage,
                "backend": entry.backend,
                "key": entry.key,
                "result": entry.how,
                "seconds": round(entry.seconds, 3),
                "cpu_seconds": round(entry.cpu_seconds, 3),
                "usd": str(entry.usd),
            }
            for entry in clip.trail
        ],
    }
    return json.dumps(document, ensure_ascii=False)


def lineage_tree(manifest: Manifest) -> Tree:
    """The tree of keys a clip grew from: each stage above the ones whose results it used."""
    entries = {entry.key: entry for entry in manifest.trail}
    root = Tree(f"[bold]{manifest.id}[/]")

    def grow(tree: Tree, key: str) -> None:
        entry = entries.get(key)
        if entry is None:
            tree.add(f"given by the user  [dim]{key.removeprefix('picture-')[:12]}")
            return
        choice = manifest.config.stages[entry.stage]
        branch = tree.add(f"{entry.stage:<11} {entry.key[:12]}  [dim]{entry.backend} v{choice.version}")
        for below in dict.fromkeys(entry.inputs.values()):
            grow(branch, below)

    grow(root, manifest.scores)
    return root


def clip_list(rows: list[ClipRow]) -> Table:
    """Clips, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("id", "state", "config", "seconds", "made (UTC)", "story"):
        table.add_column(name, no_wrap=name != "story")
    for row in rows:
        state = standing_of(row)
        style = {"completed": "green", "failed": "red"}.get(state, "yellow" if state != "running" else "")
        table.add_row(
            row.id,
            Text(state, style=style),
            row.config_name,
            f"{row.seconds:.1f}" if row.seconds is not None else "",
            f"{row.created:%Y-%m-%d %H:%M}",
            Text(row.story if row.error is None else f"{row.story}  ({row.error})", overflow="ellipsis"),
        )
    if any(standing_of(row) == "interrupted" for row in rows):
        table.caption = "interrupted: its process ended without a word; `vpgen resume ID` goes on where it was"
        table.caption_justify = "left"
    return table


def project_list(projects: list[Project]) -> Table:
    """Projects, newest first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("id", "name", "state", "seed", "preview", "final", "story"):
        table.add_column(name, no_wrap=name != "story")
    for row in projects:
        table.add_row(
            row.id,
            Text(row.name or ""),
            standing(row),
            str(row.seed),
            row.preview_clip or "",
            row.final_clip or "",
            Text(row.story, overflow="ellipsis"),
        )
    return table


def project_report(
    project: Project, events: list[ProjectEvent], jobs: list[Job], spent: tuple[Decimal, Decimal]
) -> RenderableType:
    """Where a project stands, what happened to it and who worked on it."""
    head = Text.assemble(
        (f"{project.id}  ", "bold"),
        (standing(project), "bold"),
        f"  {project.name or ''}  config {project.config}  seed {project.seed}\n",
        project.story,
    )
    history = Table(title="History", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("at (UTC)", "move", "from → to", "by", "clip", "note"):
        history.add_column(name)
    for event in events:
        history.add_row(
            f"{event.at:%Y-%m-%d %H:%M:%S}",
            event.move,
            f"{event.from_state or ''} → {event.to_state}",
            event.actor,
            event.clip_id or "",
            Text(event.note or ""),
        )
    work = Table(title="Jobs", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("type", "status", "worker", "started", "ended", "retries", "error"):
        work.add_column(name)
    for job in jobs:
        work.add_row(
            job.type,
            job.status,
            job.worker or "",
            f"{job.started_at:%H:%M:%S}" if job.started_at else "",
            f"{job.ended_at:%H:%M:%S}" if job.ended_at else "",
            str(job.retry_count),
            Text(job.error or ""),
        )
    return Group(
        head,
        "",
        history,
        "",
        work,
        "",
        f"cost {dollars(spent[0])} USD, of it waste {dollars(spent[1])}",
        "next: " + (", or ".join(commands(project)) or "nothing; it is complete"),
    )
