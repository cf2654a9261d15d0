"""What a promotion keeps for those who ask later: the experiment's figures, votes, the gate, prices, code version."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

import vpgen
from vpgen.errors import ConfigError, NotFound
from vpgen.lab.definition import load_experiment
from vpgen.lab.gate import Candidacy, Clause
from vpgen.runtime import Runtime
from vpgen.store.schema import Charge
from vpgen.store.schema_lab import Promotion

if TYPE_CHECKING:
    from vpgen.lab.result import Result

_MOST_CLIPS = 500
"""Ids of clips that are kept for each of the two variants."""


def collect(runtime: Runtime, candidacy: Candidacy, clauses: Sequence[Clause]) -> dict[str, Any]:
    """Everything the promotion stands on, as JSON."""
    result, names = candidacy.result, dict.fromkeys((candidacy.variant, candidacy.opponent))
    clips = {name: _clips(result, name) for name in names}
    verdict = result.verdict
    said = verdict.model_dump(mode="json", include={"winner", "stopped_for", "why"}) if verdict else None
    kept: dict[str, Any] = _json(
        {
            "experiment": {
                "id": result.id, "name": result.name, "state": result.state, "question": result.experiment.question,
                "verdict": said, "spent_usd": str(result.spent_usd),
            },
            "opponent": candidacy.opponent,
            "differences": [d.model_dump() for d in result.differences if d.variant == candidacy.variant],
            "summary": {name: result.summary.loc[name].to_dict() for name in names if name in result.summary.index},
            "metrics": {name: m.model_dump(mode="json") for name, m in result.experiment.metrics.items()},
            "clips": {name: found[:_MOST_CLIPS] for name, found in clips.items()},
            "votes": _votes(runtime, candidacy),
            "gate": [clause.model_dump(mode="json") for clause in clauses],
            "prices": _prices(runtime, clips[candidacy.variant]),
            **about_now(runtime),
        }
    )  # fmt: skip
    return kept


def outcome(runtime: Runtime, reference: str) -> tuple[Result, str | None]:
    """An experiment's result by its id, its name (the newest run) or its file; and what its file says now.

    That is the id of the definition, or why there is none; None when no file is at hand. Raises NotFound, InvalidInput,
    ConfigError for a file that is named and wrong, MissingDependency without pandas.
    """
    from vpgen.lab.result import load

    if reference.endswith((".yaml", ".yml")) or "/" in reference:
        experiment = load_experiment(reference)
        try:
            return load(runtime, experiment.id), experiment.id
        except NotFound:
            return load(runtime, experiment.name), experiment.id
    result = load(runtime, reference)
    # In the current folder only: that one of the same name ships says nothing about what a user ran.
    beside = (Path(f"{result.name}.yaml"), Path("experiments") / f"{result.name}.yaml")
    try:
        return result, next((load_experiment(file).id for file in beside if file.is_file()), None)
    except ConfigError as error:
        return result, f"it is no experiment any more, {error.problems[0]}"


def about_now(runtime: Runtime) -> dict[str, Any]:
    """Which code and which price book."""
    dates = [price.date for price in runtime.prices.prices.values()]
    return {
        "code": {"vpgen": vpgen.__version__, "commit": commit()},
        "price_book": max(dates).isoformat() if dates else None,
    }


def code_version() -> str:
    """The version of vpgen, with the commit in a checkout: "0.1.0+g0123456789ab"."""
    found = commit()
    return f"{vpgen.__version__}+g{found}" if found else vpgen.__version__


@cache
def commit() -> str | None:
    """The commit of the checkout that runs, ".dirty" when it was changed since; None where there is none."""
    root = Path(vpgen.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    line = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=.dirty"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  # git, nobody's input
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def in_words(row: Promotion) -> str:
    """What MLflow's page shows of a promotion, in Markdown."""
    evidence = row.evidence
    lines = [f"**{row.action}** of {row.profile}, number {row.number}, by {row.actor}: {row.reason}"]
    if row.override:
        lines.append(f"\nThe gate had failed and was overridden: **{row.override}**")
    experiment = evidence.get("experiment")
    if experiment:
        why = (experiment["verdict"] or {}).get("why", "")
        lines.append(f"\nVariant `{row.variant}` of `{experiment['id']}`: {why}")
    if gate := evidence.get("gate"):
        lines += ["", "| clause | | evidence |", "|---|---|---|"]
        lines += [f"| {c['name']} | {'passed' if c['passed'] else '**failed**'} | {c['evidence']} |" for c in gate]
    lines.append(f"\nvpgen {row.vpgen_version}, prices of {evidence.get('price_book')}")
    return "\n".join(lines)


def _clips(result: Result, variant: str) -> list[str]:
    own = result.trials[(result.trials["variant"] == variant) & (result.trials["state"] == "completed")]
    return [str(clip) for clip in own["clip_id"].dropna()]


def _votes(runtime: Runtime, candidacy: Candidacy) -> dict[str, Any] | None:
    """How many people's votes compare the two, and the share that preferred the variant; None without one."""
    from vpgen.lab.votes import share_preferred, votes

    two = {candidacy.variant, candidacy.opponent}
    cast = [vote for vote in votes(runtime.database, candidacy.result.id) if {vote.first, vote.second} == two]
    if not cast:
        return None
    share = share_preferred(cast, candidacy.variant, candidacy.opponent)
    return {"cast": len(cast), "raters": len({vote.rater for vote in cast}), "share": share}


def _prices(runtime: Runtime, clips: Sequence[str]) -> dict[str, str]:
    """USD a unit of everything that the variant's clips used."""
    used = sa.select(Charge.sku).where(Charge.clip_id.in_(clips[:_MOST_CLIPS])).distinct()
    with runtime.database.read() as session:
        skus = sorted(session.scalars(used))
    book = runtime.prices.prices
    return {sku: str(book[sku].usd) for sku in skus if sku in book}


def _json(value: Any) -> Any:  # a tree of anything
    """Without NaN, infinity and NumPy's numbers, none of which JSON has."""
    if isinstance(value, Mapping):
        return {str(key): _json(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_json(below) for below in value]
    if isinstance(value, Decimal):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
