"""The tables behind the pictures of an experiment, and figures as people read them. Pure functions of a result."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vpgen.lab.design import changes
from vpgen.money.prices import CATEGORIES

if TYPE_CHECKING:
    import pandas as pd

    from vpgen.config import PipelineConfig
    from vpgen.lab.definition import Experiment
    from vpgen.lab.result import Result

UNITS = {
    "seconds": "s", "usd": "USD", "psnr": "dB", "preview_psnr": "dB", "sharpness_720p": "levels",
    "matte_edge_width": "/1000",
}  # fmt: skip
"""Of metrics that have one; a trial's row keeps numbers only."""
AFTER: Mapping[str, tuple[str, ...]] = {
    "plan": (),
    "moderate": ("plan",),
    "character": ("moderate",),
    "background": ("moderate",),
    "enlarge": ("background",),
    "matting": ("character",),
    "composite": ("matting", "enlarge", "background"),
    "animate": ("composite",),
    "upscale": ("animate",),
    "interpolate": ("upscale",),
    "encode": ("interpolate",),
    "score": ("encode",),
}
"""What a stage waits for: character and background are made side by side. A config's `finish` may turn two around."""


def waits(config: PipelineConfig) -> dict[str, tuple[str, ...]]:
    """What each stage waits for in this config."""
    finish = {after: (before,) for before, after in pairwise(["animate", *config.finish, "encode"])}
    return {**AFTER, **finish}


def timeline(seconds: Mapping[str, float], after: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """When each stage begins and ends, in seconds, if it begins as soon as what it waits for is done.

    A stage that is not in `seconds` takes none. What waits for nothing that is known begins at once.
    """
    done: dict[str, float] = {}

    def begins(stage: str) -> float:
        return max((ends(before) for before in after.get(stage, ())), default=0.0)

    def ends(stage: str) -> float:
        if stage not in done:
            done[stage] = begins(stage) + seconds.get(stage, 0.0)
        return done[stage]

    return {stage: (begins(stage), ends(stage)) for stage in seconds}


def by_stage(result: Result) -> pd.DataFrame:
    """Mean seconds of completed clips: one row a stage in the order they run, one column a variant; no idle ones."""
    columns = {c.removeprefix("seconds."): c for c in result.trials.columns if c.startswith("seconds.")}
    order = [stage for stage in (*AFTER, *sorted(columns.keys() - AFTER.keys())) if stage in columns]
    made = result.trials[result.trials["state"] == "completed"]
    means = made.groupby("variant")[[columns[stage] for stage in order]].mean().T
    means.index = means.index.str.removeprefix("seconds.")
    means = means.reindex(columns=[name for name in result.experiment.variants if name in means.columns])
    return means[(means > 0).any(axis=1)]


def by_category(result: Result) -> pd.DataFrame:
    """Mean USD of completed clips: one row a variant, one column a category that any clip has a cost in."""
    columns = [f"usd.{category}" for category in CATEGORIES if f"usd.{category}" in result.trials.columns]
    made = result.trials[result.trials["state"] == "completed"]
    means = made.groupby("variant")[columns].mean().fillna(0.0)
    means.columns = means.columns.str.removeprefix("usd.")
    return means.reindex([name for name in result.experiment.variants if name in means.index])


def why_not(result: Result) -> pd.DataFrame:
    """Trials without a clip, counted: variant, state, reason, count; the most frequent first."""
    lost = result.trials[result.trials["state"] != "completed"]
    found = lost.assign(reason=lost["error"].fillna("no reason was kept")).groupby(["variant", "state", "reason"])
    counts = found.size().rename("count").reset_index()
    return counts.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def with_unit(value: float, metric: str) -> str:
    """A figure in its unit; money with as many digits as say something."""
    if not np.isfinite(value):
        return "–"
    if metric == "usd" or metric.startswith("usd"):
        digits = 2 if abs(value) >= 0.1 or value == 0 else min(8, 1 - int(np.floor(np.log10(abs(value)))))
        return f"{value:.{digits}f} USD"
    unit = UNITS.get(metric, "s" if metric.startswith("seconds") else "")
    return f"{plain(value)} {unit}".strip()


def plain(value: float, *, sign: str = "") -> str:
    """Three digits that say something, never as a power of ten; `sign` "+" shows it in any case."""
    if not value:
        return "0"
    places = max(0, min(10, 2 - int(np.floor(np.log10(abs(value))))))
    said = f"{value:{sign}.{places}f}"
    return said.rstrip("0").rstrip(".") if "." in said else said


def means(result: Result) -> list[list[str]]:
    """The summary as text, a column a variant: how many clips, and the means of the metrics in their units."""
    summary = result.summary
    more = {"seconds_p95": "seconds, 95th percentile", "usd_per_accepted": "USD an accepted clip"}
    clips = [f"{int(row['completed'])} of {int(row['n'])}" for _, row in summary.iterrows()]
    figures = [
        [more.get(name, name), *(with_unit(float(value), name) for value in summary[name])]
        for name in [*result.metrics, *(name for name in more if name in summary)]
    ]
    return [["", *map(str, summary.index)], ["clips", *clips], *figures]


def comparison(result: Result) -> list[dict[str, str]]:
    """The differences as text, one row each; `tone` is good, bad or empty."""
    rows = []
    for d in result.differences:
        unit = UNITS.get(d.metric, "")
        rows.append(
            {
                "variant": d.variant,
                "metric": d.metric,
                "difference": f"{plain(d.mean, sign='+')} {unit}".strip(),
                "interval": "too few pairs"
                if d.low is None or d.high is None
                else f"{plain(d.low, sign='+')} … {plain(d.high, sign='+')}",
                "p": "–" if d.p_adjusted is None else f"{d.p_adjusted:.2g}",
                "effect": "–" if d.effect is None else f"{d.effect:+.2f}",
                "pairs": str(d.n),
                "says": {True: "better", False: "worse", None: "open"}[d.better],
                "tone": {True: "good", False: "bad", None: ""}[d.better],
            }
        )
    return rows


def differences_table(result: Result) -> pd.DataFrame:
    """The differences as numbers, one row a variant and metric."""
    import pandas as pd

    rows = [d.model_dump() for d in result.differences]
    names = ["n", "mean", "low", "high", "p_value", "p_adjusted", "effect", "better"]
    return pd.DataFrame(rows, columns=["variant", "metric", *names]).set_index(["variant", "metric"])


def changed(experiment: Experiment, variant: str) -> list[str]:
    """How a variant differs from the baseline, in words: backends and parameters of stages, other keys by name."""
    base, other = experiment.variants[experiment.baseline], experiment.variants[variant]
    stages = [{str(key): choice for key, choice in config.stages.items()} for config in (base, other)]
    found = []
    for key in changes(base, other):
        before, after = (of.get(key) for of in stages)
        if before is None and after is None:
            found.append(f"{key}: {_words(getattr(base, key))} → {_words(getattr(other, key))}")
        elif before is None or after is None or before.backend != after.backend:
            found.append(f"{key}: {before.backend if before else 'none'} → {after.backend if after else 'none'}")
        else:
            old, new = before.params, after.params
            parts = [f"{k} {old.get(k)} → {new.get(k)}" for k in {**old, **new} if old.get(k) != new.get(k)]
            found.append(f"{key}: {', '.join(parts) or f'version {before.version} → {after.version}'}")
    return found


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
