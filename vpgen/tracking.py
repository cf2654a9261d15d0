"""MLflow: one run a clip.

Reports wait in the database until MLflow has taken them, so that MLflow being down or slow never loses or
fails a clip. Parameters are the flattened config, metrics the scores, seconds per stage and USD per category;
the contact sheet and the clip are artifacts. A failed clip is a failed run with its error.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vpgen.errors import VpgenError
from vpgen.money.ledger import Ledger
from vpgen.runtime import Runtime
from vpgen.stages import Scores
from vpgen.store.clips import EXPERIMENT_REPORT, PAGE_REPORT, REMOVED, REPORT
from vpgen.store.records import blobs, load, read_record
from vpgen.store.schema import Clip, OutboxItem, now
from vpgen.studio import Manifest, find

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "vpgen"
"""MLflow's experiment of all clips."""
KINDS = (REPORT, EXPERIMENT_REPORT, PAGE_REPORT, REMOVED)
"""The outbox kinds that MLflow is owed."""

DEADLINE = 60.0
"""Seconds a command waits for MLflow at most; the rest is delivered by a later one."""
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""For MLflow's client, where the user has not said otherwise: give up soon, tell nobody outside, and stay out of what
commands print."""
_VIEW = "mlflow.experimentKind"
"""Without it MLflow opens the experiment on an empty page about language models, not on its runs."""
_VIEW_RUNS = "custom_model_development"
_REFUSALS = {"BAD_REQUEST", "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"}
"""MLflow's codes for what will be refused again, but says nothing about the next report."""
_CLIP, _SHEET = "clip", "contact_sheet"
"""Folders among a run's artifacts."""
_LONGEST_VALUE = 5_000
"""Characters; MLflow refuses longer parameters and tags (6000 and 8000)."""
_BACKOFF = timedelta(seconds=2)


@dataclass(frozen=True)
class Caught:
    """What `catch_up` did: runs delivered, reports still waiting, and a line for the user."""

    delivered: int
    waiting: int
    summary: str


def catch_up(runtime: Runtime, deadline: float = DEADLINE) -> Caught:
    """Deliver every waiting report, for at most `deadline` seconds. Never raises because of MLflow."""
    if not runtime.settings.tracking or not _waiting(runtime):
        return Caught(0, 0, "")
    delivered: list[int] = []
    problems: list[str] = []
    # A daemon thread, because an MLflow call that hangs cannot be interrupted and must not keep the process.
    worker = threading.Thread(target=_deliver_all, args=(runtime, delivered, problems), daemon=True)
    worker.start()
    worker.join(deadline)
    waiting = _waiting(runtime)
    if worker.is_alive():
        problems.append(f"no answer within {deadline:.0f} s")
    where = shown(runtime.settings.resolved_tracking)
    if not waiting:
        return Caught(len(delivered), 0, f"MLflow: {len(delivered)} run(s) recorded in {where}")
    reason = problems[-1] if problems else "another process is reporting"
    return Caught(
        len(delivered),
        waiting,
        f"MLflow at {where} did not take {waiting} report(s): {reason}. The clips are safe; "
        "the reports are delivered with the next clip or by `vpgen track`",
    )


def _waiting(runtime: Runtime) -> int:
    with runtime.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(OutboxItem.kind.in_(KINDS))) or 0


def _deliver_all(runtime: Runtime, delivered: list[int], problems: list[str]) -> None:
    from vpgen.lab import notebooks, recording  # the lab stands on this module

    deliver = {
        REPORT: _deliver,
        EXPERIMENT_REPORT: recording.deliver,
        PAGE_REPORT: notebooks.deliver,
        REMOVED: _mark_removed,
    }
    try:
        with runtime.store.lock("mlflow-reports", timeout=1.0):
            client = mlflow_client(runtime)
            with runtime.database.read() as session:
                items = list(
                    session.scalars(sa.select(OutboxItem).where(OutboxItem.kind.in_(KINDS)).order_by(OutboxItem.id))
                )
            for item in items:
                try:
                    deliver[item.kind](client, runtime, item)
                except Exception as error:  # decided by _only_this_one
                    if not _only_this_one(error):
                        raise
                    problems.append(one_line(error, runtime))
                    _postpone(runtime, problems[-1], item.id)
                    continue
                with runtime.database.write() as session:
                    session.execute(sa.delete(OutboxItem).where(OutboxItem.id == item.id))
                delivered.append(item.id)
    except Exception as error:  # noqa: BLE001  # whatever MLflow does, it must not fail a clip; it is told to the user
        problems.append(one_line(error, runtime))
        _postpone(runtime, problems[-1])


def _only_this_one(error: Exception) -> bool:
    """Is it about one report (a clip that is gone from the store, a value that MLflow refuses), not about MLflow?"""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in _REFUSALS
    # Our own mistakes are about what is reported: were they MLflow's, one report would keep all others from it.
    return isinstance(error, VpgenError | LookupError | TypeError | ValueError | AttributeError)


def one_line(error: Exception, runtime: Runtime) -> str:
    """The error in one line; MLflow's name the URI, which may hold a password."""
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    request, failed, why = text.partition(" failed with exception ")
    if failed and (cause := re.search(r"Caused by (\w+)", why)):  # the rest repeats the address three times
        text = f"{request} failed: {cause[1]}"
    user, at, _ = runtime.settings.resolved_tracking.partition("://")[2].rpartition("@")
    return (text.replace(user, "…") if at else text)[:300]


def _postpone(runtime: Runtime, reason: str, item_id: int | None = None) -> None:
    with runtime.database.write() as session:
        wanted = sa.select(OutboxItem).where(OutboxItem.kind.in_(KINDS))
        for item in session.scalars(wanted if item_id is None else wanted.where(OutboxItem.id == item_id)):
            item.attempts, item.error = item.attempts + 1, reason
            item.next_try = now() + _BACKOFF * 2 ** min(item.attempts, 10)


def mlflow_client(runtime: Runtime) -> MlflowClient:
    """MLflow's client for where the settings say. Raises VpgenError when MLflow is not installed."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient  # seconds to import, and not part of a plain install
    except ImportError:
        raise VpgenError("MLflow is not installed", remedy="pip install 'vpgen[track]'") from None
    for name in ("mlflow", "alembic"):  # after the import: it sets levels of its own
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=runtime.settings.resolved_tracking)


def experiment_id(client: MlflowClient, runtime: Runtime, name: str = EXPERIMENT) -> str:
    """The id of the MLflow experiment of that name, which opens on its runs; it is made when there is none."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if _VIEW not in found.tags:
            client.set_experiment_tag(found.experiment_id, _VIEW, _VIEW_RUNS)
        return str(found.experiment_id)
    local = runtime.settings.tracking_uri is None
    folder = (runtime.settings.home / "mlartifacts").absolute().as_uri() if local else None
    return str(client.create_experiment(name, artifact_location=folder, tags={_VIEW: _VIEW_RUNS}))


def _deliver(client: MlflowClient, runtime: Runtime, item: OutboxItem) -> None:
    """One run; a report that a killed process half delivered is finished, not doubled."""
    from mlflow.entities import Metric, Param, RunTag

    experiment = experiment_id(client, runtime)

    report, clip_id = f"{item.id}-{item.created.isoformat()}", str(item.payload["clip_id"])
    with runtime.database.read() as session:
        row = session.get(Clip, clip_id)
    if row is None:
        return
    # What this report is about; the row may have moved on since: failed, say, and made again.
    error = item.payload.get("error")
    manifest = find(runtime, clip_id) if error is None else None
    ended = milliseconds(item.created)
    known = client.search_runs([experiment], filter_string=f"tags.`vpgen.report` = '{report}'", max_results=1)
    if known:
        run = known[0]
    else:
        began = ended - round(1000 * (row.seconds or 0.0))
        run = client.create_run(experiment, start_time=began, run_name=clip_id, tags={"vpgen.report": report})
    run_id = run.info.run_id
    client.log_batch(
        run_id,
        params=[Param(key, value[:_LONGEST_VALUE]) for key, value in _params(row, manifest)],
        metrics=[Metric(key, value, ended, 0) for key, value in _metrics(runtime, row, manifest)],
        tags=[RunTag(key, value[:_LONGEST_VALUE]) for key, value in _tags(runtime, row, manifest, error, run_id)],
    )
    if manifest is not None:
        with runtime.folder(f"report-{item.id}") as folder:
            for source, path in _files(runtime, manifest):
                copy = shutil.copyfile(source, folder / PurePosixPath(path).name)  # MLflow takes the name from the file
                client.log_artifact(run_id, str(copy), str(PurePosixPath(path).parent))
    client.set_terminated(run_id, _status(error), end_time=ended)


def _mark_removed(client: MlflowClient, runtime: Runtime, item: OutboxItem) -> None:
    """Every run of a clip that went from the store says so; its copy of the video goes, figures and sheet stay."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    clip_id = str(item.payload["clip_id"])
    wanted = f"tags.`vpgen.clip` = '{clip_id}'"
    at = item.created.isoformat(timespec="seconds")
    note = f"**Removed from the store** on {at} by `vpgen housekeeping`; made again by `vpgen resume {clip_id}`."
    for run in client.search_runs([experiment_id(client, runtime)], filter_string=wanted):
        if run.data.tags.get("vpgen.removed") or run.info.end_time > milliseconds(item.created):
            continue
        if client.list_artifacts(run.info.run_id, _CLIP):
            files: Any = get_artifact_repository(run.info.artifact_uri, runtime.settings.resolved_tracking)
            files.delete_artifacts(_CLIP)
        story = run.data.params.get("story", "")
        client.set_tag(run.info.run_id, "mlflow.note.content", f"**{story}**\n\n{note}")
        client.set_tag(run.info.run_id, "vpgen.video", "")
        client.set_tag(run.info.run_id, "vpgen.removed", at)


def _status(error: str | None) -> str:
    if error is None:
        return "FINISHED"
    return "KILLED" if error.startswith(("Cancelled", "KeyboardInterrupt")) else "FAILED"


def _files(runtime: Runtime, manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """What a browser shows on the run's page, each with its path among the run's artifacts."""
    yield runtime.store.get_path(manifest.sheet), f"{_SHEET}/{manifest.id}.png"
    record = read_record(runtime.store, manifest.video)
    if record is not None:
        yield runtime.store.get_path(blobs(record.result)[0]), f"{_CLIP}/{manifest.id}.mp4"


def _params(row: Clip, manifest: Manifest | None) -> Iterator[tuple[str, str]]:
    yield from (("story", row.story), ("seed", str(row.seed)), ("config", row.config_name), ("kind", row.kind))
    if manifest is not None:
        config = manifest.config.model_dump(mode="json", exclude={"name", "description"})
        yield from _flat(config, "")


def _flat(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{path}.{key}" if path else str(key))
    else:
        yield path, str(value)


def _metrics(runtime: Runtime, row: Clip, manifest: Manifest | None) -> Iterator[tuple[str, float]]:
    if manifest is not None:
        yield "seconds.total", manifest.seconds
    ledger = Ledger(runtime.database, runtime.prices, row.id, runtime.prices.target_total, row.parent)
    cost = ledger.cost()
    yield from ((f"cost.{line.category}", float(line.usd)) for line in cost.lines if line.usd is not None)
    yield "cost.waste", float(cost.waste)
    if cost.total is not None:
        yield "cost.total", float(cost.total)
    if manifest is None:
        return
    seconds: dict[str, float] = {}
    for entry in manifest.trail:
        if entry.how == "made":  # what was in the store took no time worth an average
            seconds[entry.stage] = seconds.get(entry.stage, 0.0) + entry.seconds
    yield from ((f"seconds.{stage}", value) for stage, value in seconds.items())
    record = read_record(runtime.store, manifest.scores)
    scores = load(runtime.store, record.result) if record else None
    if isinstance(scores, Scores):
        yield from ((f"score.{s.name}", s.value) for s in scores.scores if s.value is not None)


def _tags(
    runtime: Runtime, row: Clip, manifest: Manifest | None, error: str | None, run_id: str
) -> Iterator[tuple[str, str]]:
    yield from (("vpgen.clip", row.id), ("vpgen.kind", row.kind), ("vpgen.config", row.config_name))
    if row.parent:
        yield "vpgen.parent", row.parent
    if manifest is None:
        yield "vpgen.error", str(error)
        yield "mlflow.note.content", f"**{row.kind} failed**: `{error}`\n\n{row.story}"
        return
    cached = dict.fromkeys(entry.stage for entry in manifest.trail if entry.how == "cached")
    yield "vpgen.cached", ", ".join(cached)
    record = read_record(runtime.store, manifest.video)
    url = runtime.store.url(blobs(record.result)[0]) if record else ""
    yield "vpgen.video", url
    # Relative to the server that shows it; the files are among the run's artifacts whatever shows them.
    clip, sheet = (
        f"get-artifact?path={path}&run_uuid={run_id}" for path in (f"{_CLIP}/{row.id}.mp4", f"{_SHEET}/{row.id}.png")
    )
    lines = (
        f"**{row.story}**",
        "",
        f"- [watch the clip]({clip}), [contact sheet]({sheet})",
        f"- stored: `{url}`",
        f"- again: `vpgen show {row.id}`, its tree: `vpgen lineage {row.id}`",
    )
    yield "mlflow.note.content", "\n".join(lines)


def milliseconds(at: datetime) -> int:
    """As MLflow counts time."""
    return int(at.timestamp() * 1000)


def shown(uri: str) -> str:
    """The URI without a password."""
    if uri.startswith("sqlite:///"):
        return str(Path(uri.removeprefix("sqlite:///")))
    head, at, tail = uri.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else uri
