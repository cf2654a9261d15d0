"""The pictures of an experiment, as Matplotlib figures: nothing here touches pyplot or draws on a screen.

    figure = differences(result)
    figure.savefig("differences.png")

Every variant keeps its colour (Okabe and Ito's, which colour-blind eyes tell apart) and its marker in all of them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from vpgen.lab.front import front
from vpgen.lab.style import COLOURS, GREY, MARKERS, blank, figure_of, plain, styled
from vpgen.lab.views import UNITS, by_category, by_stage, timeline, waits, why_not, with_unit
from vpgen.money.prices import CATEGORIES, Category
from vpgen.money.spending import COLOURS as OF_CATEGORY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from vpgen.lab.result import Difference, Result

OF_STATE = {"completed": "#d9dde3", "refused": "#e69f00", "failed": "#d55e00", "timeout": "#0072b2"}
HATCHES = {"refused": "//", "failed": "xx", "timeout": ".."}
FAR = 6.0
"""Standard deviations from which on the axis of differences is logarithmic."""


def looks_of(result: Result) -> dict[str, tuple[str, str]]:
    """Each variant's colour and marker; the baseline is a grey dot."""
    found = {result.experiment.baseline: (GREY, "o")}
    for place, name in enumerate(result.experiment.challengers):
        found[name] = (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
    return found


@styled
def differences(result: Result) -> Figure:
    """Each challenger less the baseline on every metric, in standard deviations of the baseline; right is better.

    The bar is the 95 % interval; filled markers are clear of 0. The figures on the right are in the metric's own unit.
    """
    baseline, looks = result.experiment.baseline, looks_of(result)
    rows = [(metric, d) for metric in result.metrics for d in result.differences if d.metric == metric]
    figure = figure_of(1.5 + 0.36 * max(1, len(rows)))
    axes = figure.subplots()
    if not rows:
        return blank(figure, axes, "No pair has two clips to compare yet")
    spread = {metric: _spread(result, metric) for metric in result.metrics}
    reach, ticks, labels, last = 1.0, [], [], None
    for place, (metric, d) in enumerate(rows):
        known = [value for value in (d.mean, d.low, d.high) if value is not None]
        ends = [_oriented(result, metric, value) / spread[metric] for value in known]
        reach = max(reach, *map(abs, ends))
        colour, marker = looks[d.variant]
        which = f"{metric}:{d.variant}"
        axes.plot(
            ends[1:], [place] * len(ends[1:]), color=colour, lw=2.2, solid_capstyle="butt", gid=f"interval:{which}"
        )
        axes.plot(
            ends[:1], [place], marker, color=colour, ms=7, mfc=colour if d.better is not None else "white",
            mew=1.6, gid=f"mean:{which}",
        )  # fmt: skip
        axes.text(1.02, place, _figures(d), transform=axes.get_yaxis_transform(), va="center", fontsize=9)
        if metric != last:
            ticks.append(place)
            labels.append(f"{metric}  {with_unit(_mean(result, metric, baseline), metric)}")
            if last is not None:
                axes.axhline(place - 0.5, color="#e3e6eb", lw=0.8)
            last = metric
    axes.axvline(0, color=GREY, lw=1)
    axes.axvspan(0, 2 * FAR * reach, color="#009e73", alpha=0.05, lw=0)
    if reach > FAR:
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.7)
        steps = [step for step in (1, 3, 10, 30, 100, 300, 1000) if step <= reach] or [1]
        ticked = [*(-step for step in reversed(steps)), 0, *steps]
        axes.set_xticks(ticked, [f"{tick:+d}" if tick else "0" for tick in ticked])
        axes.set_xticks([], minor=True)
    axes.set_xlim(-1.15 * reach, 1.15 * reach)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(ticks, labels)
    for label, metric in zip(axes.get_yticklabels(), dict.fromkeys(metric for metric, _ in rows), strict=True):
        label.set_fontweight("bold" if metric == result.experiment.decision.metric else "normal")
    axes.grid(axis="x")
    axes.set_xlabel(f"← worse      difference in standard deviations of {baseline}      better →")
    axes.set_title(f"Against {baseline}, whose mean is beside each metric")
    _legend(figure, result, result.experiment.challengers)
    return figure


@styled
def quality_cost(result: Result) -> Figure:
    """Mean quality against mean USD a clip with 95 % crosses, the resampled means behind, and the Pareto front."""
    found, looks = front(result), looks_of(result)
    figure = figure_of(4.2 + 0.2 * len(found.table))
    axes = figure.subplots()
    if found.table.empty:
        return blank(figure, axes, "No clip has a quality and a cost yet")
    for place, (variant, row) in enumerate(found.table.iterrows()):
        colour, marker = looks[str(variant)]
        drawn = slice(None, None, max(1, len(found.usd_drawn) // 400))
        axes.plot(
            found.usd_drawn[drawn, place], found.quality_drawn[drawn, place], ".", color=colour, alpha=0.10, ms=4,
            mew=0, zorder=1, gid=f"drawn:{variant}",
        )  # fmt: skip
        axes.plot([row.usd_low, row.usd_high], [row.quality] * 2, color=colour, lw=1.8, zorder=3)
        axes.plot([row.usd] * 2, [row.quality_low, row.quality_high], color=colour, lw=1.8, zorder=3)
        stands = f"{row.quality:.3g} for {with_unit(row.usd, 'usd')}; on the front in {row.share:.0%} of resamples"
        axes.plot(
            [row.usd], [row.quality], marker, color=colour, ms=9, mec="white", mew=1, zorder=4,
            label=f"{variant}: {stands}", gid=f"variant:{variant}",
        )  # fmt: skip
    best = found.table[found.table["on_front"]].sort_values(["usd", "quality"])
    axes.plot(best["usd"], best["quality"], color=GREY, lw=1.2, ls=(0, (5, 3)), drawstyle="steps-post", zorder=2,
              label="Pareto front of the means", gid="front")  # fmt: skip
    axes.margins(0.12)
    axes.grid()
    axes.set_xlabel("USD a clip (left is cheaper)")
    better = "up is better" if result.scales[found.metric].higher_is_better else "down is better"
    axes.set_ylabel(f"{found.metric} ({better})")
    axes.set_title("Quality against cost")
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.tick_params(axis="x", labelrotation=20)
    figure.legend(loc="outside lower left")
    return figure


@styled
def latency(result: Result) -> Figure:
    """A waterfall: mean seconds of each stage by variant, each beginning when what it waits for is done."""
    seconds = by_stage(result)
    looks, variants = looks_of(result), list(seconds.columns)
    figure = figure_of(1.6 + (0.1 + 0.15 * len(variants)) * max(3, len(seconds)))
    axes = figure.subplots()
    if seconds.empty or not variants:
        return blank(figure, axes, "No stage has been timed yet")
    height, whole = 0.8 / len(variants), max(_mean(result, "seconds", variant) for variant in variants)
    for place, variant in enumerate(variants):
        took = {str(stage): float(value) for stage, value in seconds[variant].dropna().items()}
        times = timeline(took, waits(result.experiment.variants[variant]))
        for row, stage in enumerate(seconds.index):
            if stage not in times:
                continue
            begin, end = times[str(stage)]
            at = row - 0.4 + height * (place + 0.5)
            axes.barh(
                at, end - begin, height * 0.92, left=begin, color=looks[variant][0], gid=f"stage:{stage}:{variant}"
            )
            if took[str(stage)] > whole / 50:  # shorter ones can be seen to be short
                axes.text(end, at, f" {took[str(stage)]:.2g}", va="center", fontsize=8)
        total = _mean(result, "seconds", variant)
        axes.axvline(total, color=looks[variant][0], lw=1.4, ls=(0, (2, 2)), gid=f"total:{variant}")
    axes.set_yticks(range(len(seconds)), [str(stage) for stage in seconds.index])
    axes.set_ylim(len(seconds) - 0.5, -0.5)
    axes.set_xlim(0, None)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    axes.set_xlabel("seconds since the request (mean of completed clips; dotted: the whole clip)")
    axes.set_title("Where the time goes")
    totals = {name: f"{name}  {with_unit(_mean(result, 'seconds', name), 'seconds')} in all" for name in variants}
    _legend(figure, result, variants, totals)
    return figure


@styled
def cost(result: Result, target: Mapping[Category, Decimal]) -> Figure:
    """USD a clip stacked by category: on the left in their own scale, on the right against the target of one clip."""
    usd, whole = by_category(result), float(sum(target.values()))
    figure = figure_of(1.9 + 0.5 * (len(usd) + 1))
    near, far = figure.subplots(1, 2, width_ratios=(1.6, 1))
    if usd.empty:
        far.set_axis_off()
        return blank(figure, near, "No clip has a cost yet")
    _stack(near, usd)
    for place, total in enumerate(usd.sum(axis=1)):
        near.text(total, place, f" {with_unit(total, 'usd')}", va="center", fontsize=9)
    near.set_yticks(range(len(usd)), [str(name) for name in usd.index])
    near.set_xlabel("USD a clip")
    near.set_title("What a clip costs")
    near.margins(x=0.32)
    near.ticklabel_format(axis="x", useOffset=False, style="plain")
    near.tick_params(axis="x", labelrotation=30)
    _stack(far, usd)
    begins = np.cumsum([0.0, *(float(target.get(category, 0)) for category in CATEGORIES[:-1])])
    for category, left in zip(CATEGORIES, begins, strict=True):
        far.barh(len(usd), float(target.get(category, 0)), 0.62, left=left, color=OF_CATEGORY[category],
                 edgecolor="white", lw=0.5, label=category, gid=f"target:{category}")  # fmt: skip
    far.axvline(whole, color=GREY, lw=1.4, ls=(0, (4, 2)), gid="target")
    far.set_yticks(range(len(usd) + 1), [""] * len(usd) + ["target"])
    far.set_xlim(0, 1.1 * max(whole, float(usd.sum(axis=1).max())))
    far.set_xlabel("USD a clip")
    far.set_title(f"Against {whole:.2f} USD")
    for axes in (near, far):
        axes.set_ylim(len(usd) + 0.5, -0.5)
        axes.set_xlim(0, None)
        axes.grid(axis="x")
    handles, labels = far.get_legend_handles_labels()
    figure.legend(handles[-len(CATEGORIES) :], labels[-len(CATEGORIES) :], loc="outside lower left", ncols=5)
    return figure


@styled
def sequential(result: Result) -> Figure:
    """The looks of each challenger: its mean difference with the always-valid interval, as pairs came in."""
    standings = result.verdict.standings
    count = max(1, len(standings))
    figure = figure_of(1.4 + (2.2 if count < 3 else 1.7) * count)
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    metric, looks, margin = result.experiment.decision.metric, looks_of(result), result.experiment.decision.margin
    for axes, standing in zip(panels, standings, strict=False):
        colour, marker = looks[standing.variant]
        axes.set_title(f"{standing.variant}: {_DECISIONS[standing.decision]}")
        axes.axhline(0, color=GREY, lw=1)
        if margin:
            axes.axhspan(-margin, margin, color=GREY, alpha=0.08, lw=0, gid="margin")
        n, mean = [look.n for look in standing.looks], [look.mean for look in standing.looks]
        bounded = [look for look in standing.looks if look.low is not None or look.high is not None]
        if bounded:
            seen = [0.0, *mean, *(value for look in bounded for value in (look.low, look.high) if value is not None)]
            pad = 0.1 * (max(seen) - min(seen)) or 1.0
            bottom, top = min(seen) - pad, max(seen) + pad
            lows = [bottom if look.low is None else look.low for look in bounded]
            highs = [top if look.high is None else look.high for look in bounded]
            axes.vlines([look.n for look in bounded], lows, highs, color=colour, alpha=0.35, lw=5,
                        gid=f"interval:{standing.variant}")  # fmt: skip
            axes.set_ylim(bottom, top)
        axes.plot(n, mean, marker=marker, color=colour, lw=1.6, ms=4, gid=f"mean:{standing.variant}")
        if n and standing.decision != "open":
            axes.axvline(n[-1], color=colour, lw=1, ls=(0, (2, 2)), gid=f"stop:{standing.variant}")
        if not n:
            axes.text(0.5, 0.5, "no pair to look at yet", transform=axes.transAxes, ha="center", color=GREY)
        axes.grid(axis="y")
        axes.set_ylabel(f"difference in\n{metric}")
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[-1].set_xlabel("pairs looked at (bars: always-valid interval; above 0 the challenger is better)")
    return figure


_DECISIONS = {"win": "better", "loss": "worse", "futile": "not shown to differ", "open": "still open"}


@styled
def failures(result: Result) -> Figure:
    """How the trials of each variant ended: completed, refused, failed or timed out, and for what reason."""
    states = ["completed", "refused", "failed", "timeout"]
    variants = list(result.experiment.variants)
    counts = {state: [_ended(result, name, state) for name in variants] for state in states}
    reasons = why_not(result).head(8)
    bars_high, text_high = 1.2 + 0.42 * len(variants), 0.2 * len(reasons)
    figure = figure_of(bars_high + text_high + 0.4)
    axes, below = figure.subplots(2, 1, height_ratios=(bars_high, max(0.01, text_high)))
    below.set_axis_off()
    left = np.zeros(len(variants))
    for state in states:
        if state != "completed" and not any(counts[state]):
            continue
        bars = axes.barh(variants, counts[state], left=left, color=OF_STATE[state], hatch=HATCHES.get(state),
                         edgecolor="white", label=state, gid=f"state:{state}")  # fmt: skip
        paper = {"fc": "white", "ec": "none", "pad": 1} if state in HATCHES else None
        numbers = [str(count) if count else "" for count in counts[state]]
        for number in axes.bar_label(bars, numbers, label_type="center", fontsize=9):
            number.set_bbox(paper if number.get_text() else None)
        left += counts[state]
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.0, float(left.max())))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trials")
    lost = int((result.trials["state"] != "completed").sum())
    ended = f"{lost} of {len(result.trials)} trials ended without a clip"
    axes.set_title(ended if lost else "Every trial has its clip")
    said = [
        plain(f"{row.variant}: {row.times} × {row.state}: {textwrap.shorten(row.reason, 88)}")
        for row in reasons.rename(columns={"count": "times"}).itertuples(index=False)
    ]
    below.text(0, 1, "\n".join(said), transform=below.transAxes, va="top", fontsize=8, gid="reasons")
    figure.legend(loc="outside upper right", ncols=len(states))
    return figure


def _figures(d: Difference) -> str:
    unit = UNITS.get(d.metric, "")
    chance = "" if d.p_adjusted is None else f"p {d.p_adjusted:.2g}"
    span = "(too few pairs for an interval)" if d.low is None or d.high is None else f"[{d.low:+.3g}, {d.high:+.3g}]"
    return " ".join(f"{d.mean:+.3g} {unit} {span} {chance}".split())


def _oriented(result: Result, metric: str, value: float) -> float:
    return value if result.scales[metric].higher_is_better else -value


def _spread(result: Result, metric: str) -> float:
    """Standard deviation of the baseline's trials; of all trials where its own do not differ; else 1."""
    trials = result.trials
    for values in (trials.loc[trials["variant"] == result.experiment.baseline, metric], trials[metric]):
        deviation = float(values.std())
        if np.isfinite(deviation) and deviation > 1e-12 * max(1e-9, float(values.abs().max())):
            return deviation
    return 1.0


def _mean(result: Result, metric: str, variant: str) -> float:
    return float(result.trials.loc[result.trials["variant"] == variant, metric].mean())


def _ended(result: Result, variant: str, state: str) -> int:
    return int(((result.trials["variant"] == variant) & (result.trials["state"] == state)).sum())


def _stack(axes: Axes, usd: pd.DataFrame, first: int = 0) -> None:
    left = np.zeros(len(usd))
    for category in usd.columns:
        values = usd[category].to_numpy(float)
        axes.barh(np.arange(len(usd)) + first, values, 0.62, left=left, color=OF_CATEGORY[category], label=category,
                  edgecolor="white", lw=0.5, gid=f"category:{category}")  # fmt: skip
        left += values


def _legend(figure: Figure, result: Result, variants: Any, labels: Mapping[str, str] | None = None) -> None:
    from matplotlib.lines import Line2D

    looks = looks_of(result)
    names = {name: name for name in variants} | dict(labels or {})
    handles = [
        Line2D([], [], color=looks[name][0], marker=looks[name][1], lw=2, label=names[name]) for name in variants
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
