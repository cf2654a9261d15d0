"""The report of an experiment: one HTML file that needs nothing else, or Markdown with its pictures beside it.

Stories, questions and errors are other people's text: the HTML is escaped throughout, runs no script and loads nothing
from anywhere; Markdown's own signs are escaped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from vpgen import __version__
from vpgen.errors import MissingDependency, NotFound, StoreError
from vpgen.lab import plots
from vpgen.lab.design import order
from vpgen.lab.result import Result
from vpgen.lab.side_by_side import sheet
from vpgen.lab.style import png
from vpgen.lab.views import changed, comparison, means, why_not
from vpgen.lab.votes import find_experiment
from vpgen.money.prices import dollars

if TYPE_CHECKING:
    from vpgen.lab.definition import Experiment
    from vpgen.lab.ranking import Ranking
    from vpgen.runtime import Runtime

TEMPLATES = Path(__file__).with_name("templates")
SHEET_WIDTH = 1600
"""Pixels; wider sheets are made smaller, so that six variants do not make a report of ten megabytes."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")


@dataclass(frozen=True)
class Picture:
    """One picture: `reading` says how to read it; `uri` is where the page finds it."""

    name: str
    kind: Literal["chart", "sheet"]
    title: str
    reading: str
    data: bytes
    media_type: str = "image/png"
    uri: str = ""


def write_html(runtime: Runtime, result: Result, path: Path) -> Path:
    """Write the report as one self-contained HTML file; returns `path`. Raises StoreError."""
    inlined = [
        replace(picture, uri=f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}")
        for picture in pictures(runtime, result)
    ]
    return _write(path, _page("experiment.html.j2", runtime, result, inlined).encode())


def write_markdown(runtime: Runtime, result: Result, folder: Path) -> Path:
    """Write `<name>.md` and its pictures into the folder; returns the path of the page. Raises StoreError."""
    beside = []
    for picture in pictures(runtime, result):
        name = f"{result.name}-{picture.name}.{'png' if picture.kind == 'chart' else 'jpg'}"
        _write(folder / name, picture.data)
        beside.append(replace(picture, uri=name))
    text = _page("experiment.md.j2", runtime, result, beside)
    return _write(folder / f"{result.name}.md", (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode())


def pictures(runtime: Runtime, result: Result) -> Iterator[Picture]:
    """Every picture of an experiment: charts as PNG, the contact sheet as JPEG. Raises StoreError."""
    baseline = result.experiment.baseline
    yield Picture(
        "differences", "chart", "What differs, and how sure that is",
        f"Each challenger against {baseline} on the same cases: right of the line is better. The bar is the 95 % "
        "interval; a filled marker is clear of 0.", png(plots.differences(result)),
    )  # fmt: skip
    yield Picture(
        "quality-cost", "chart", "Quality against cost",
        "Crosses are 95 % intervals, the cloud is what other samples of the cases would have shown. The legend says in "
        "what share of them nothing else is both as good and as cheap.", png(plots.quality_cost(result)),
    )  # fmt: skip
    yield Picture(
        "sequential", "chart", "What was known after each pair",
        "The bars hold at every look at once: to stop as soon as one leaves 0 deceives nobody.",
        png(plots.sequential(result)),
    )  # fmt: skip
    with runtime.folder(f"sheet-{result.id}") as folder:
        seen = sheet(runtime, result, folder / "sheet.png")
        if seen is not None:
            yield Picture(
                "side-by-side", "sheet", "The same case, side by side",
                "From where the challengers lose most to where they win most; below each, the part in which they "
                "differ most, pixel for pixel.", _photo(seen), "image/jpeg",
            )  # fmt: skip
    yield Picture(
        "latency", "chart", "Where the time goes",
        "Each stage begins when what it waits for is done; every stage as long as it took when it was made.",
        png(plots.latency(result)),
    )  # fmt: skip
    yield Picture(
        "cost", "chart", "What a clip costs",
        "As if each clip had been made alone: what variants share is counted for each of them.",
        png(plots.cost(result, runtime.prices.target)),
    )  # fmt: skip
    yield Picture(
        "failures", "chart", "How the trials ended",
        "Refusals, failures and time-outs are outcomes: they count against the variant.",
        png(plots.failures(result)),
    )  # fmt: skip


def _page(template: str, runtime: Runtime, result: Result, drawn: list[Picture]) -> str:
    experiment, verdict = result.experiment, result.verdict
    pairs = order(experiment)
    winner, done = verdict.winner, int(result.trials["pair"].nunique())
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["md"] = escape_markdown
    return environment.from_string((TEMPLATES / template).read_text(encoding="utf-8")).render(
        result=result,
        version=__version__,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        question=" ".join(experiment.question.split()) or experiment.name,
        headline=headline(result),
        tone={"win": "win", "loss": "loss"}.get(verdict.stopped_for, ""),
        why=because(result),
        winner=winner,
        tiles=[
            ("winner", winner or ("none yet" if result.state == "running" else f"none: {experiment.baseline} stays")),
            ("pairs", f"{done} of at most {len(pairs)}"),
            ("spent", f"{dollars(result.spent_usd)} USD"),
            ("of it waste", f"{dollars(result.waste_usd)} USD"),
        ],
        design=_design(result, len(pairs)),
        variants=[(name, _difference(experiment, name)) for name in experiment.variants],
        summary=means(result),
        differences=comparison(result),
        pictures=drawn,
        lost=[
            {"variant": row.variant, "state": row.state, "times": row.times, "reason": row.reason}
            for row in why_not(result).rename(columns={"count": "times"}).itertuples(index=False)
        ],
        votes=_votes(runtime, result),
        percent=lambda share: "–" if share is None else f"{share:.0%}",
        next=_next(result),
        commands=_commands(result),
        definition=yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100),
    )


def _difference(experiment: Experiment, variant: str) -> str:
    return "the baseline" if variant == experiment.baseline else "; ".join(changed(experiment, variant)) or "in nothing"


def headline(result: Result) -> str:
    """The verdict in a few words."""
    verdict, baseline = result.verdict, result.experiment.baseline
    if verdict.winner:
        return f"{verdict.winner} wins"
    return {
        "win": f"{baseline} stays: the winner breaks a guard rail",
        "loss": f"{baseline} stays: no challenger is as good",
        "futility": f"{baseline} stays: nothing is shown to be better",
        "budget": "Undecided: the budget is used up",
        "pairs": "Undecided: every pair was run",
        "interrupted": "Undecided: it was stopped before",
        "open": "Still open",
    }[verdict.stopped_for]


def because(result: Result) -> str:
    """Why, without what the headline says already."""
    return result.verdict.why.removeprefix(f"{result.verdict.winner} wins: ").rstrip(".")


def verdict_html(result: Result) -> str:
    """The question and its answer, for a notebook's cell."""
    question = " ".join(result.experiment.question.split()) or result.name
    spent = f"{result.id}: {result.state}, {dollars(result.spent_usd)} USD spent"
    return str(
        Markup("<h2>{}</h2><p style='font-size:1.2em'><b>{}</b></p><p>{}.</p><p>{}</p>").format(
            question, headline(result), because(result), spent
        )
    )


def _design(result: Result, pairs: int) -> str:
    experiment, rule = result.experiment, result.experiment.decision
    weights = ", ".join(f"{name} ({metric.weight:g})" for name, metric in experiment.metrics.items() if metric.weight)
    metric = f"quality, the weighted mean of {weights}" if rule.metric == "quality" else rule.metric
    when = f"after every pair from pair {rule.min_pairs} on" if rule.rule == "sequential" else "once, at the end"
    budget = "no budget of its own" if experiment.budget is None else f"a budget of {dollars(experiment.budget)} USD"
    return (
        f"{len(experiment.variants)} variants made a {experiment.kind} each of {len(experiment.cases)} case(s) with "
        f"{len(experiment.seeds)} seed(s): at most {pairs} pairs, in shuffled and balanced order, with {budget}. "
        f"Decided by {metric}, looked at {when}; the chance of a false winner is at most {rule.alpha:g}."
    )


def _next(result: Result) -> str:
    winner, baseline = result.verdict.winner, result.experiment.baseline
    if winner:
        return f"Put {winner} into production: the gate shows every condition with its evidence; one command goes back."
    return f"Nothing is promoted: {baseline} stays. Look at the clips before you ask the next question."


def _commands(result: Result) -> str:
    lines = [f"vpgen experiment show {result.id}", f"vpgen rate {result.id}"]
    if result.verdict.winner:
        forth = f"vpgen promote {result.id} {result.verdict.winner}"
        lines = [forth, f"vpgen rollback {result.experiment.kind}", *lines]
    return "\n".join(lines)


def _votes(runtime: Runtime, result: Result) -> Ranking | None:
    """What people said, None when nobody has."""
    with suppress(NotFound, MissingDependency):
        from vpgen.lab.ranking import ranking

        found = ranking(runtime, find_experiment(runtime.database, result.id))
        return found if found.votes else None
    return None


def _photo(path: Path) -> bytes:
    """A contact sheet as JPEG, not wider than a page needs."""
    out = BytesIO()
    with Image.open(path) as opened:
        width = min(opened.width, SHEET_WIDTH)
        small = opened.resize((width, round(opened.height * width / opened.width)), Image.Resampling.LANCZOS)
        small.convert("RGB").save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def escape_markdown(text: object) -> Markup:
    """One line of plain text in Markdown, whatever it holds."""
    return Markup(_MARKDOWN.sub(r"\\\1", " ".join(str(text).split())))  # noqa: S704  # escaped for Markdown, above


def _write(path: Path, data: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", remedy="Give another place with --out") from error
    return path
