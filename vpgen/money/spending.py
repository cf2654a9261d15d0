"""Where the money went: charges summed by day, experiment, provider, stage, category or clip, with waste apart."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from pydantic import Field

from vpgen.clip import Value
from vpgen.errors import MissingDependency
from vpgen.money.prices import CATEGORIES, Category
from vpgen.store.database import Database
from vpgen.store.schema import Charge, Clip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

By = Literal["day", "experiment", "provider", "stage", "category", "clip"]
ZERO = Decimal(0)
COLOURS: dict[Category, str] = dict(
    zip(CATEGORIES, ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#999999"), strict=True)
)
"""Of categories in every picture; Okabe and Ito's, which colour-blind eyes tell apart."""


class Spent(Value):
    """One group. `usd` leaves out what is unknown, which `unknown` counts; `held` is reserved for what still runs."""

    name: str
    usd: Decimal = ZERO
    by_category: dict[str, Decimal] = Field(default_factory=dict)
    waste: Decimal = ZERO
    held: Decimal = ZERO
    unknown: int = 0
    charges: int = 0


class Spending(Value):
    """All groups and their sum. `per_accepted` is USD for each finished final: everything, waste included."""

    by: By
    groups: tuple[Spent, ...]
    total: Spent
    finals: int
    per_accepted: Decimal | None


def spending(
    database: Database,
    by: By = "day",
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    experiment: str | None = None,
) -> Spending:
    """Sum the ledger. Times are aware; `since` is included, `until` is not."""
    limits = [
        limit
        for limit in (
            Charge.at >= since if since else None,
            Charge.at < until if until else None,
            Charge.experiment == experiment if experiment else None,
        )
        if limit is not None
    ]
    columns = (
        Charge.at, Charge.experiment, Charge.backend, Charge.stage, Charge.category, Charge.clip_id, Charge.usd,
        Charge.estimate_usd, Charge.waste, Charge.quantity, Charge.sku,
    )  # fmt: skip
    sums: dict[str, dict[str, Any]] = defaultdict(_empty)
    everything = _empty()
    with database.read() as session:
        query = sa.select(*columns).where(*limits)
        for row in session.execute(query).yield_per(1000):
            name = {
                "day": row.at.date().isoformat(),
                "experiment": row.experiment or "none",
                "provider": row.backend if "/" in row.sku else "this machine",
                "stage": row.stage,
                "category": row.category,
                "clip": row.clip_id or "none",
            }[by]
            for sums_of in (sums[name], everything):
                _add(sums_of, row)
        finals = sa.select(sa.func.count()).where(Clip.kind == "final", Clip.state == "completed")
        if since:
            finals = finals.where(Clip.completed >= since)
        if until:
            finals = finals.where(Clip.completed < until)
        count = session.scalar(finals) or 0
    total = Spent(name="total", **everything)
    return Spending(
        by=by,
        groups=tuple(Spent(name=name, **sums[name]) for name in sorted(sums)),
        total=total,
        finals=count,
        per_accepted=total.usd / count if count and not total.unknown else None,
    )


def as_csv(rows: Iterable[Spent]) -> str:
    """One line a group, for a spreadsheet; amounts are exact."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "usd", *CATEGORIES, "waste", "held", "unknown", "charges"])
    for row in rows:
        parts = [row.by_category.get(category, ZERO) for category in CATEGORIES]
        writer.writerow([row.name, row.usd, *parts, row.waste, row.held, row.unknown, row.charges])
    return text.getvalue()


def plot(report: Spending, path: Path) -> None:
    """Stacked bars by category into a PNG, waste marked. Raises MissingDependency without matplotlib."""
    figure(report).savefig(path, dpi=120)


def figure(report: Spending) -> Figure:
    """Stacked bars by category, waste marked. Raises MissingDependency without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency(
            "plots need matplotlib, which is not installed", remedy="pip install 'vpgen[lab]', or use --csv"
        ) from error
    drawn = Figure(figsize=(max(6.0, 1.2 + 0.5 * len(report.groups)), 4.5), layout="constrained")
    axes = drawn.subplots()
    names = [row.name for row in report.groups]
    base = [0.0] * len(names)
    for category, colour in COLOURS.items():
        heights = [float(row.by_category.get(category, ZERO)) for row in report.groups]
        axes.bar(names, heights, 0.6, bottom=base, label=category, color=colour)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    axes.plot(names, [float(row.waste) for row in report.groups], "kx", label="of which waste")
    axes.set_xlim(-0.6, max(3.0, len(names)) - 0.4)
    axes.set_ylabel("USD")
    axes.set_title(f"{report.total.usd:.4f} USD by {report.by}")
    axes.tick_params(axis="x", labelrotation=60 if len(names) > 6 else 0)
    drawn.legend(loc="outside upper right", ncols=6, fontsize=8, frameon=False)
    return drawn


def _empty() -> dict[str, Any]:
    return {"usd": ZERO, "by_category": {}, "waste": ZERO, "held": ZERO, "unknown": 0, "charges": 0}


def _add(sums: dict[str, Any], row: Any) -> None:
    sums["charges"] += 1
    if row.quantity is None and row.usd is None:
        sums["held"] += row.estimate_usd or ZERO
    elif row.usd is None:
        sums["unknown"] += 1
    else:
        sums["usd"] += row.usd
        sums["by_category"][row.category] = sums["by_category"].get(row.category, ZERO) + row.usd
        if row.waste:
            sums["waste"] += row.usd
