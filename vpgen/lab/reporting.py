"""What was made in a stretch of time: every clip with its cost and scores, summed up by config. For reports.

Reads the database and the store, not MLflow. Everything works on an installation in which nothing was made yet.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from vpgen.errors import Corrupted, InvalidInput, MissingDependency, NotFound, StoreError
from vpgen.money.prices import CATEGORIES
from vpgen.money.spending import By, spending
from vpgen.results import find
from vpgen.runtime import Runtime
from vpgen.stages import Scores
from vpgen.store.clips import standing
from vpgen.store.records import load, read_record
from vpgen.store.schema import Clip

try:
    import pandas as pd
except ImportError as error:
    raise MissingDependency("reports need pandas", remedy="pip install 'vpgen[lab]'") from error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ["clip", "kind", "state", "config", "seed", "created", "seconds", "usd", "waste", "error", "story"]
_DAYS = re.compile(r"(\d{1,4})d")


def window(since: str = "", until: str = "") -> tuple[datetime | None, datetime | None]:
    """Two moments in UTC from what people write: a date, a date with a time, `7d` for that long ago, "" for open.

    A date as `until` includes that day. Raises InvalidInput.
    """
    begin, end = _moment(since, end_of_day=False), _moment(until, end_of_day=True)
    if begin and end and begin >= end:
        raise InvalidInput(f"nothing lies between {since} and {until}", remedy="Give the earlier one as since")
    return begin, end


def clip_table(
    runtime: Runtime, since: datetime | None = None, until: datetime | None = None, *, scores: bool = True
) -> pd.DataFrame:
    """One row a clip begun in that time, oldest first, with its cost and (a column each) its scores.

    `usd` is NaN where a part of it is unknown. Raises StoreError.
    """
    wanted = sa.select(Clip).order_by(Clip.created, Clip.id)
    if since:
        wanted = wanted.where(Clip.created >= since)
    if until:
        wanted = wanted.where(Clip.created < until)
    with runtime.database.read() as session:
        clips = list(session.scalars(wanted))
    spent = {group.name: group for group in spending(runtime.database, "clip").groups}
    rows = []
    for clip in clips:
        cost = spent.get(clip.id)
        row = {
            "clip": clip.id, "kind": clip.kind, "state": standing(clip), "config": clip.config_name, "seed": clip.seed,
            "created": clip.created, "seconds": clip.seconds, "error": clip.error, "story": clip.story,
            "usd": np.nan if cost and cost.unknown else float(cost.usd) if cost else 0.0,
            "waste": float(cost.waste) if cost else 0.0,
        }  # fmt: skip
        rows.append(row | (_scores(runtime, clip.id) if scores and clip.state == "completed" else {}))
    frame = pd.DataFrame(rows, columns=None if rows else COLUMNS)
    return frame[[*COLUMNS, *(name for name in frame.columns if name not in COLUMNS)]]


def by_config(clips: pd.DataFrame) -> pd.DataFrame:
    """One row a config and kind: clips, how many completed, seconds p50 and p95, USD an accepted clip, mean scores.

    USD an accepted clip is everything its group has cost, waste and failures too, over those that completed.
    """
    rows = {}
    for (config, kind), own in clips.groupby(["config", "kind"]):
        made = own[own["state"] == "completed"]
        row: dict[str, float] = {"clips": len(own), "completed": len(made)}
        seconds = made["seconds"].dropna().astype(float)
        row |= {f"seconds p{q}": float(np.percentile(seconds, q)) if len(seconds) else np.nan for q in (50, 95)}
        row["USD each accepted"] = float(own["usd"].sum(skipna=False)) / len(made) if len(made) else np.nan
        row |= {name: float(made[name].mean()) for name in score_names(clips)}
        rows[config, kind] = row
    index = pd.MultiIndex.from_tuples(list(rows), names=["config", "kind"])
    return pd.DataFrame(list(rows.values()), index=index)


def score_names(clips: pd.DataFrame) -> list[str]:
    """The columns of the table that are scores."""
    return [name for name in clips.columns if name not in COLUMNS]


def failures(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips that did not complete, counted by config, state and the kind of error; the most frequent first."""
    lost = clips[~clips["state"].isin(["completed", "running"])]
    reasons = lost["error"].fillna("no reason was kept").astype(str).str.slice(0, 160)
    counts = lost.assign(reason=reasons).groupby(["config", "state", "reason"]).size().rename("clips").reset_index()
    return counts.sort_values("clips", ascending=False, kind="stable", ignore_index=True)


def money(runtime: Runtime, by: By, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """USD by day, stage, category, experiment or clip: one row a group, a column a category, then waste and sum."""
    groups = spending(runtime.database, by, since=since, until=until).groups
    rows = {
        group.name: {
            **{category: float(group.by_category.get(category, Decimal(0))) for category in CATEGORIES},
            "waste": float(group.waste),
            "USD": float(group.usd),
            "unknown": group.unknown,
        }
        for group in groups
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*CATEGORIES, "waste", "USD", "unknown"])


def headline(runtime: Runtime, since: datetime | None = None, until: datetime | None = None) -> pd.Series:
    """The figures that matter most, in words: clips, failures, USD, waste, USD an accepted clip against its target."""
    clips = clip_table(runtime, since, until, scores=False)
    total = spending(runtime.database, "day", since=since, until=until)
    if clips.empty and not total.total.charges:
        return pd.Series({"nothing": "was made or bought in this time"}, name="")
    lost = int((~clips["state"].isin(["completed", "running"])).sum())
    each = "unknown" if total.total.unknown else "no final yet"
    more = f" and {total.total.unknown} unknown" if total.total.unknown else ""
    if total.per_accepted is not None:
        each = f"{total.per_accepted:.4f} USD, target {runtime.prices.target_total:.2f}"
    return pd.Series(
        {
            "clips begun": str(len(clips)),
            "without a result": str(lost),
            "accepted finals": str(total.finals),
            "spent": f"{total.total.usd:.4f} USD" + more,
            "of it waste": f"{total.total.waste:.4f} USD",
            "each accepted clip": each,
        },
        name="",
    )


def latency(clips: pd.DataFrame) -> Figure:
    """Seconds of every completed clip by config and kind, with their p50 and p95."""
    from vpgen.lab.style import COLOURS, GREY, blank, styled_figure

    made = clips[(clips["state"] == "completed") & clips["seconds"].notna()]
    groups = list(made.groupby(["config", "kind"]))
    figure, axes = styled_figure(height=1.3 + 0.55 * max(1, len(groups)))
    if not groups:
        return blank(figure, axes, "No clip was completed in this time")
    rng = np.random.default_rng(0)
    for place, (_, own) in enumerate(groups):
        seconds = own["seconds"].to_numpy(float)
        scatter = place + 0.18 * (rng.random(len(seconds)) - 0.5)
        axes.plot(seconds, scatter, ".", color=COLOURS[0], alpha=0.4, ms=6, mew=0, gid=f"clips:{place}")
        for quantile, marker in ((50, "|"), (95, "^")):
            at = float(np.percentile(seconds, quantile))
            label = f"p{quantile}" if place == 0 else None
            axes.plot([at], [place], marker, color=GREY, ms=14 if marker == "|" else 7, mew=2, label=label)
            axes.annotate(f"{at:.3g} s", (at, place), (0, -14), textcoords="offset points", ha="center", fontsize=8)
    axes.set_yticks(range(len(groups)), [f"{config}, {kind}" for (config, kind), _ in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.grid(axis="x")
    axes.set_xlabel("seconds a clip took")
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def write_csv(folder: str, **tables: pd.DataFrame) -> list[str]:
    """Write each table as CSV into the folder; an empty name writes nothing. Raises StoreError."""
    if not folder:
        return []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            table.to_csv(Path(folder) / f"{name}.csv")
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}", remedy="Give another folder as out") from error
    return [f"{name}.csv" for name in tables]


def _scores(runtime: Runtime, clip_id: str) -> dict[str, float]:
    """The scores of a clip; none when it was cleared away."""
    try:
        record = read_record(runtime.store, find(runtime, clip_id).scores)
        found = load(runtime.store, record.result) if record else None
    except (NotFound, Corrupted):
        return {}
    return {s.name: s.value for s in found.scores if s.value is not None} if isinstance(found, Scores) else {}


def _moment(text: str, *, end_of_day: bool) -> datetime | None:
    text = text.strip()
    if not text:
        return None
    if days := _DAYS.fullmatch(text):
        return datetime.now(UTC) - timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time", remedy="Write 2026-11-25, 2026-11-25T18:00+09:00, or 7d for seven days ago"
        ) from None
    if end_of_day and len(text) <= len("2026-11-25"):
        moment += timedelta(days=1)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
