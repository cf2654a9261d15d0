"""`vpgen promote`, `vpgen rollback`, `vpgen champion`: which config serves production, why, and how to take it back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpgen.cli.common import Json, console
from vpgen.errors import GateFailed, InvalidInput

if TYPE_CHECKING:
    from rich.table import Table

    from vpgen.lab.champions import Candidate, Champion, Profile
    from vpgen.lab.gate import Clause
    from vpgen.store.schema_lab import Promotion

app = typer.Typer(
    invoke_without_command=True,
    help="""Who serves production: `vpgen champion` shows it, for previews and for finals.

    [bold]vpgen champion history[/]              [dim]the record: who, when, why, on what evidence[/]
    [bold]vpgen champion diff final:1 final:2[/]  [dim]what changed between two of them[/]""",
)
Which = Annotated[str | None, typer.Argument(metavar="[PROFILE]", help="preview or final; both without it")]
Reason = Annotated[str, typer.Option(help="Why; kept in the record")]
By = Annotated[str | None, typer.Option("--by", help="Who decides  [default: user@machine]", show_default=False)]


@app.callback()
def _champion(context: typer.Context, as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        show(as_json=as_json)


def promote(
    experiment: Annotated[str, typer.Argument(help="An experiment's name (the newest run of it), id, or its file")],
    variant: Annotated[str, typer.Argument(help="The variant that shall serve production")],
    reason: Annotated[
        str | None, typer.Option(help="Why; kept in the record  [default: it won the experiment]", show_default=False)
    ] = None,
    override: Annotated[
        str | None, typer.Option(help='Promote although the gate failed: say why, e.g. --override "the old model ends"')
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option(help="Try it on the first clips (10) or a share (20%) of production before it is final"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the gate")] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Make a variant of an experiment the champion, if it passes the gate: every clause is shown with its evidence.

    The gate is configs/gate.yaml. When it fails, nothing is changed and the exit code is 1.

    [bold]vpgen promote[/] finishing neural --canary 10 --reason "sharper at the same price"
    """
    from vpgen.lab import champions
    from vpgen.lab.canary import parse
    from vpgen.projects import actor
    from vpgen.runtime import Runtime

    if override is not None and not override.strip():
        raise InvalidInput("an override needs its reason", remedy='--override "why the gate shall not count"')
    with Runtime.open() as runtime:
        found = champions.candidate(runtime, experiment, variant)
        trial = parse(canary, found.candidacy.gate.limits(found.champion.profile)) if canary else None
        _show_gate(found, as_json=as_json)
        if dry_run:
            raise typer.Exit(GateFailed.exit_code if found.failed else 0)
        if not found.failed or override:
            _ask(f"Make {variant} the champion of {found.champion.profile}?", yes=yes, as_json=as_json)
        reason = reason or ("the gate was overridden" if found.failed else "it won the experiment")
        row = champions.appoint(runtime, found, actor=by or actor(), reason=reason, override=override, canary=trial)
        _tell(row, tracking=runtime.settings.tracking, as_json=as_json)


def rollback(
    profile: Annotated[str, typer.Argument(help="preview or final")],
    reason: Reason = "it is worse than the one before",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Restore the previous champion, in one step. Once more, and it goes one further back."""
    from vpgen.lab import champions
    from vpgen.projects import actor
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        row = champions.roll_back(runtime, _profile(profile), actor=by or actor(), reason=reason)
        _tell(row, tracking=runtime.settings.tracking, as_json=as_json)


@app.command("show")
def show(profile: Which = None, as_json: Json = False) -> None:
    """Who serves now, since when, by whose decision, and whether it is still a canary."""
    from rich.table import Table

    from vpgen.lab import champions
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        named = [_profile(profile)] if profile else champions.PROFILES
        found = [champions.current(runtime, each) for each in named]
    if as_json:
        for champion in found:
            typer.echo(json.dumps(_document(champion), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("profile", "champion", "config", "since (UTC)", "by", "why"):
        table.add_column(title, overflow="fold")
    for champion in found:
        row = champion.promotion
        table.add_row(
            champion.profile,
            str(champion.number) if champion.number else "the default",
            champion.config.name + (f"  (canary: {champion.canary})" if champion.canary else ""),
            f"{row.at:%Y-%m-%d %H:%M}" if row else "",
            row.actor if row else "",
            row.reason if row else "nobody was promoted yet: VPGEN_CONFIG serves",
        )
    screen = console()
    screen.print(table)
    for note in dict.fromkeys(f"{champion.profile}: {champion.note}" for champion in found if champion.note):
        screen.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)


@app.command("history")
def show_history(profile: Which = None, as_json: Json = False) -> None:
    """The record of promotions and rollbacks, newest first."""
    from rich.table import Table
    from rich.text import Text

    from vpgen.lab import champions
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        rows = champions.history(runtime, _profile(profile) if profile else None)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(_record(row), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("champion", "at (UTC)", "what", "config", "on the evidence of", "by", "why"):
        table.add_column(title, overflow="fold")
    for row in rows:
        what = row.action if row.action == "promote" else f"{row.action} to {_former(row)}"
        if row.canary:
            what += ", confirmed" if row.canary.get("confirmed") else ", canary"
        over = f"\noverride: {row.override}" if row.override else ""
        table.add_row(
            f"{row.profile}:{row.number}",
            f"{row.at:%Y-%m-%d %H:%M:%S}",
            what,
            Text(str(row.config["name"])),
            Text(f"{row.experiment_id}, {row.variant}" if row.experiment_id else ""),
            Text(row.actor),
            Text(row.reason + over),
        )
    console().print(table if rows else "Nobody was promoted yet.")


@app.command("diff")
def show_diff(
    before: Annotated[
        str | None, typer.Argument(metavar="[A]", help="final:1, a number, a profile (who serves), or a config")
    ] = None,
    after: Annotated[str | None, typer.Argument(metavar="[B]", help="The same; without it, who serves now")] = None,
    profile: Annotated[str, typer.Option(help="Whose numbers they are, where they do not say")] = "final",
    as_json: Json = False,
) -> None:
    """What changed between two champions: keys of the config, versions of backends, prices of what they use."""
    from rich.table import Table
    from rich.text import Text

    from vpgen.lab import champions
    from vpgen.lab.changes import Side, changes, side
    from vpgen.runtime import Runtime

    whose = _profile(before.partition(":")[0] if before and before.partition(":")[0] in champions.PROFILES else profile)
    with Runtime.open() as runtime:
        new = side(runtime, after or whose, whose)
        if before is None:
            champion = champions.current(runtime, whose)
            if champion.previous is None:
                raise InvalidInput(
                    f"{whose} has had one champion only", remedy="Name two: vpgen champion diff animatic final"
                )
            old = Side("the previous", champion.previous.model_dump(mode="json"), {})
        else:
            old = side(runtime, before, whose)
    found = changes(old, new)
    if as_json:
        for change in found:
            typer.echo(json.dumps({"path": change.path, "before": change.before, "after": change.after}))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("key", old.name, new.name):
        table.add_column(title, overflow="fold")
    for change in found:
        table.add_row(change.path, *(Text(_plain(value)) for value in (change.before, change.after)))
    console().print(table if found else f"{old.name} and {new.name} do not differ.")


@app.command("confirm")
def confirm(profile: Annotated[str, typer.Argument(help="preview or final")]) -> None:
    """End a canary before its time: from now on every clip is made by the new champion."""
    from vpgen.lab import champions
    from vpgen.runtime import Runtime

    with Runtime.open() as runtime:
        champion = champions.current(runtime, _profile(profile))
        if champion.canary is None or champion.promotion is None:
            raise InvalidInput(f"the champion of {profile} is no canary")
        champions.confirm(runtime, champion.promotion)
    typer.echo(f"{profile}:{champion.number} is the champion without reserve.")


def gate_table(clauses: Sequence[Clause]) -> Table:
    """Every clause with its evidence."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("gate", "", "evidence"):
        table.add_column(title, no_wrap=title != "evidence", overflow="fold")
    for clause in clauses:
        mark = Text("passed", style="green") if clause.passed else Text("failed", style="bold red")
        table.add_row(clause.name, mark, Text(clause.evidence))
    return table


def _show_gate(found: Candidate, *, as_json: bool) -> None:
    champion = found.champion
    if as_json:
        document = {
            "kind": "gate",
            "experiment": found.result.id,
            "variant": found.variant,
            "profile": champion.profile,
            "champion": champion.number,
            "passed": not found.failed,
            "clauses": [clause.model_dump(mode="json") for clause in found.clauses],
            "note": champion.note,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    screen = console()
    whom = f"champion {champion.number} ({champion.config.name})" if champion.number else "the default config"
    screen.print(
        f"{found.variant} of {found.result.id}, to replace {whom} as {champion.profile}\n",
        markup=False,
        highlight=False,
    )
    screen.print(gate_table(found.clauses))
    if champion.note:
        screen.print(champion.note, style="yellow", markup=False, highlight=False, soft_wrap=True)
    screen.print()


def _ask(question: str, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise InvalidInput(
            "there is nobody to ask here; nothing was changed", remedy="Say --yes to go on without asking"
        )
    typer.confirm(question, abort=True)


def _tell(row: Promotion, *, tracking: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"kind": "promotion", **_record(row)}, ensure_ascii=False))
        return
    screen = console()
    trial = f", on trial for {_canary(row)}" if row.canary else ""
    back = "" if row.action == "promote" else f": back to {_former(row)}"
    screen.print(
        f"{row.profile}:{row.number}  {row.action}{back}  {row.config['name']}{trial}",
        style="bold", markup=False, highlight=False,
    )  # fmt: skip
    if tracking and row.registry_version is None:
        said = "MLflow did not take it yet; it is told with the next command"
        screen.print(said, style="yellow", highlight=False)
    if row.action == "promote":
        screen.print(f"take it back: vpgen rollback {row.profile}", markup=False, highlight=False)


def _canary(row: Promotion) -> str:
    from vpgen.lab.canary import Canary

    return str(Canary.model_validate(row.canary))


def _former(row: Promotion) -> str:
    number = row.evidence.get("restores")
    return f"{row.profile}:{number}" if number else "the config from before"


def _document(champion: Champion) -> dict[str, Any]:
    return {
        "kind": "champion",
        "profile": champion.profile,
        "number": champion.number,
        "config": champion.config.model_dump(mode="json"),
        "canary": champion.canary.model_dump(mode="json") if champion.canary else None,
        "promotion": _record(champion.promotion) if champion.promotion else None,
        "note": champion.note,
    }


def _record(row: Promotion) -> dict[str, Any]:
    plain = (
        "profile", "number", "action", "experiment_id", "variant", "actor", "reason", "override", "canary",
        "vpgen_version", "registry_version",
    )  # fmt: skip
    return {
        **{key: getattr(row, key) for key in plain},
        "config": row.config["name"],
        "at": row.at.isoformat(),
        "evidence": {key: value for key, value in row.evidence.items() if key != "replaces"},
    }


def _profile(name: str) -> Profile:
    if name == "preview":
        return "preview"
    if name == "final":
        return "final"
    raise InvalidInput(f"{name!r} is no profile", remedy="There are two: preview and final")


def _plain(value: object) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
