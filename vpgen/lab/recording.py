"""An experiment in MLflow: one parent run with the verdict, the tables and the report, and its trials under it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vpgen.lab.report import write_html
from vpgen.lab.result import Difference, Result, load
from vpgen.runtime import Runtime
from vpgen.store import schema_lab as tables
from vpgen.store.schema import OutboxItem
from vpgen.tracking import experiment_id, milliseconds

if TYPE_CHECKING:
    from mlflow import MlflowClient

BOARD = "vpgen-lab"
"""MLflow's experiment of all experiments: each of them is a parent run in it."""
_LONGEST = 5_000
"""Characters; MLflow refuses longer parameters and tags."""
_TEXT = ("pair", "variant", "case", "seed", "state", "clip_id", "error")
"""Columns of the trials that are no metrics."""


def deliver(client: MlflowClient, runtime: Runtime, item: OutboxItem) -> None:
    """Record an experiment as it stands; one that is recorded already is brought up to date, not doubled."""
    from mlflow.entities import Metric, Param, RunTag

    result = load(runtime, str(item.payload["experiment_id"]))
    times = _times(runtime, result.id)
    board = experiment_id(client, runtime, BOARD)
    known = {run.data.tags.get("vpgen.trial", ""): run.info.run_id for run in _runs(client, board, result.id)}
    began, ended = times[""][0], milliseconds(item.created)
    parent = known.get("") or _create(
        client, board, result.id, {"vpgen.experiment": result.id, "vpgen.role": "experiment"}, began
    )
    client.log_batch(
        parent,
        params=[Param(key, value[:_LONGEST]) for key, value in _params(result)],
        metrics=[Metric(key, value, ended, 0) for key, value in _metrics(result) if math.isfinite(value)],
        tags=[RunTag(key, value[:_LONGEST]) for key, value in _tags(result, parent)],
    )
    client.log_dict(parent, result.experiment.model_dump(mode="json"), "definition.json")
    client.log_text(parent, result.trials.to_csv(index=False), "trials.csv")
    client.log_text(parent, as_csv(result.differences), "differences.csv")
    with runtime.folder(f"report-{item.id}") as folder:
        client.log_artifact(parent, str(write_html(runtime, result, folder / "report.html")))
    for row in result.trials.to_dict("records"):
        name = f"{row['pair']}/{row['variant']}"
        tags = {"mlflow.parentRunId": parent, "vpgen.experiment": result.id, "vpgen.trial": name}
        title, (began, done) = f"{row['variant']} {row['case']} {row['seed']}", times[name]
        run = known.get(name) or _create(client, board, title, tags, began)
        client.log_batch(
            run,
            params=[Param(key, str(row[key])) for key in ("variant", "case", "seed")],
            metrics=[Metric(key, value, done, 0) for key, value in _numbers(row)],
            tags=[
                RunTag(f"vpgen.{key}", str(row[key])[:_LONGEST]) for key in ("clip_id", "state", "error") if row[key]
            ],
        )
        client.set_terminated(run, "FINISHED" if row["state"] == "completed" else "FAILED", end_time=done)
    client.set_terminated(parent, "KILLED" if result.state == "stopped" else "FINISHED", end_time=ended)


def as_csv(differences: tuple[Difference, ...]) -> str:
    """The differences for a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Difference.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(difference.model_dump() for difference in differences)
    return text.getvalue()


def _runs(client: MlflowClient, board: str, experiment: str) -> Iterator[Any]:  # MLflow's Run
    token = None
    while True:
        page = client.search_runs(
            [board], filter_string=f"tags.`vpgen.experiment` = '{experiment}'", max_results=1000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _create(client: MlflowClient, board: str, name: str, tags: dict[str, str], began: int) -> str:
    return str(client.create_run(board, start_time=began, run_name=name, tags=tags).info.run_id)


def _times(runtime: Runtime, experiment: str) -> dict[str, tuple[int, int]]:
    """When each trial began and ended, as MLflow counts; the experiment itself goes by an empty name."""
    with runtime.database.read() as session:
        row = session.get_one(tables.Experiment, experiment)
        trials = list(session.scalars(sa.select(tables.Trial).where(tables.Trial.experiment_id == experiment)))
    times = {f"{t.pair}/{t.variant}": (milliseconds(t.started), milliseconds(t.ended or t.started)) for t in trials}
    return {"": (milliseconds(row.created), milliseconds(row.ended or row.created)), **times}


def _params(result: Result) -> Iterator[tuple[str, str]]:
    experiment = result.experiment
    yield from (("kind", experiment.kind), ("baseline", experiment.baseline))
    yield "variants", ", ".join(experiment.variants)
    yield "cases", str(len(experiment.cases))
    yield "seeds", ", ".join(map(str, experiment.seeds))
    yield from ((f"decision.{key}", str(value)) for key, value in experiment.decision.model_dump().items())


def _metrics(result: Result) -> Iterator[tuple[str, float]]:
    for variant, row in result.summary.iterrows():
        yield from ((f"{variant}.{key}", float(value)) for key, value in row.items() if isinstance(value, int | float))
    for difference in result.differences:
        yield f"{difference.variant}.{difference.metric}.difference", difference.mean
    yield "spent_usd", float(result.spent_usd)
    yield "waste_usd", float(result.waste_usd)
    yield "pairs", float(result.trials["pair"].nunique())


def _tags(result: Result, run_id: str) -> Iterator[tuple[str, str]]:
    verdict = result.verdict
    yield from (("vpgen.winner", verdict.winner or "none"), ("vpgen.stopped_for", verdict.stopped_for))
    lines = (
        f"**{result.experiment.question or result.name}**",
        "",
        verdict.why,
        "",
        f"- spent {_usd(result.spent_usd)} USD, of which {_usd(result.waste_usd)} wasted",
        f"- [the report](get-artifact?path=report.html&run_uuid={run_id})",
        f"- again: `vpgen experiment report {result.id}`",
    )
    yield "mlflow.note.content", "\n".join(lines)


def _usd(usd: Decimal) -> str:
    return f"{usd:.4f}"


def _numbers(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if key not in _TEXT and isinstance(value, int | float) and math.isfinite(value):
            yield key, float(value)
