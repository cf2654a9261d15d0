"""`vpgen doctor`: what this machine can do, and how to get what is missing."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from vpgen import __version__
from vpgen.cli.common import Json, console
from vpgen.errors import VpgenError

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it works, a note and a remedy."""

    what: str
    ready: bool
    note: str = ""
    remedy: str = ""


def doctor(as_json: Json = False) -> None:
    """Say what this machine can do: every backend, the store, the database, MLflow, Prefect.

    Exits with 1 when something that the default config needs is not ready.
    """
    groups = {"Backends": list(_backends()), "Services": list(_services())}
    if as_json:
        typer.echo(json.dumps({name: [asdict(f) for f in found] for name, found in groups.items()}))
    else:
        screen = console()
        screen.print(f"vpgen {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}\n")
        for name, found in groups.items():
            screen.print(_table(name, found))
            screen.print()
    needed = _default_backends()
    broken = [f for f in groups["Services"] if not f.ready and not f.what.endswith("(optional)")]
    broken += [f for f in groups["Backends"] if not f.ready and f.what.split(" ")[0] in needed]
    if broken:
        raise typer.Exit(1)


def _default_backends() -> set[str]:
    from vpgen.config import load_config
    from vpgen.settings import Settings

    return {choice.backend for choice in load_config(Settings().config).stages.values()}


def _backends() -> Iterator[Finding]:
    from vpgen.backends.registry import STAGES, find, installed, serves

    for name in sorted(installed()):
        try:
            backend = find(name)
        except VpgenError as error:
            yield Finding(what=name, ready=False, note=error.message, remedy=error.remedy or "")
            continue
        stages = ", ".join(stage for stage in STAGES if serves(backend, stage))
        state = backend.readiness()
        yield Finding(
            what=f"{name} v{backend.version} ({stages})", ready=state.ready, note=state.note, remedy=state.remedy
        )


def _services() -> Iterator[Finding]:
    from vpgen.settings import Settings

    settings = Settings()
    yield _try("home", str(settings.home), lambda: settings.home.mkdir(parents=True, exist_ok=True))

    def store() -> None:
        from vpgen.store.objects import ObjectStore

        ObjectStore(settings.resolved_store, cache_dir=settings.home / "cache", options=settings.s3_options).check()

    yield _try("store", settings.resolved_store, store)

    def database() -> str:
        from vpgen.store.database import open_database

        opened = open_database(settings.resolved_database)
        opened.close()
        return opened.address

    yield _try("database", "", database)

    def production() -> str:
        from vpgen import switch
        from vpgen.store.database import open_database

        opened = open_database(settings.resolved_database)
        try:
            return str(switch.position(opened))
        finally:
            opened.close()

    yield _try("production", "", production)
    if not settings.tracking:
        yield Finding(what="MLflow (optional)", ready=True, note="switched off by VPGEN_TRACKING")
    else:
        yield _module(
            "mlflow",
            "MLflow (optional)",
            "clips are recorded in " + settings.resolved_tracking.rpartition("@")[2],
            "track",
        )
    yield _module("prefect", "Prefect (optional)", "flows run: vpgen make --flow", "flow")
    yield _module("imageio_ffmpeg", "ffmpeg binary (optional)", "VMAF is measured", "vmaf")
    yield _module("s3fs", "S3 (optional)", "s3:// stores work", "s3")
    yield _module("psycopg", "PostgreSQL (optional)", "postgresql+psycopg:// databases work", "postgres")


def _try(what: str, note: str, attempt: Callable[[], object]) -> Finding:
    try:
        said = attempt()
    except VpgenError as error:
        return Finding(what=what, ready=False, note=error.message, remedy=error.remedy or "")
    except OSError as error:
        return Finding(
            what=what, ready=False, note=f"{note}: {error.strerror}", remedy="Choose another folder: VPGEN_HOME"
        )
    return Finding(what=what, ready=True, note=said if isinstance(said, str) else note)


def _module(module: str, what: str, note: str, extra: str) -> Finding:
    if find_spec(module):
        return Finding(what=what, ready=True, note=note)
    return Finding(what=what, ready=False, note="not installed", remedy=f"pip install 'vpgen[{extra}]'")


def _table(title: str, findings: list[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("note")
    table.add_column("how to get it")
    for finding in findings:
        mark = Text("ready", style="green") if finding.ready else Text("missing", style="yellow")
        table.add_row(mark, Text(finding.what), Text(finding.note, style="dim"), Text(finding.remedy))
    return table
