"""Quality against cost: each variant's means with intervals, and how often it is on the Pareto front.

On the front is a variant that no other beats: none is at least as good for at most the money, and better in one of
the two. How sure that is comes from drawing the pairs anew, all variants of a pair together, as they share its case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from vpgen.lab.result import Result

Floats = NDArray[np.float64]
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Front:
    """A row of `table` is a variant: `quality` and `usd` with their intervals, `on_front` and in what `share` of draws.

    `quality_drawn` and `usd_drawn` are the resampled means, (resamples, variants). `metric` is what quality is here.
    """

    metric: str
    table: pd.DataFrame
    quality_drawn: Floats
    usd_drawn: Floats


def front(result: Result, *, resamples: int = RESAMPLES, seed: int = 0) -> Front:
    """Where the variants with any measured trial stand. Quality is `quality`, else the metric that decides."""
    import pandas as pd

    trials, metric = result.trials, "quality"
    if not trials["quality"].notna().any():
        metric = result.experiment.decision.metric
    higher = result.scales[metric].higher_is_better
    variants = [
        name
        for name in result.experiment.variants
        if trials.loc[trials["variant"] == name, [metric, "usd"]].notna().any().all()
    ]
    pairs = sorted(trials["pair"].unique())
    wide = {
        column: trials.pivot_table(index="pair", columns="variant", values=column, aggfunc="first", dropna=False)
        .reindex(index=pairs, columns=variants)
        .to_numpy(float)
        for column in (metric, "usd")
    }
    rng = np.random.default_rng(seed)
    count = len(pairs)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples) if pairs else np.empty((0, 0))
    now = {column: means(np.ones((1, count)), values) for column, values in wide.items()}
    drawn = {column: means(weights, values) for column, values in wide.items()}
    tail = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    table = pd.DataFrame(index=pd.Index(variants, name="variant"))
    for column, name in ((metric, "quality"), ("usd", "usd")):
        table[name] = now[column][0] if variants else []
        if variants:
            table[f"{name}_low"], table[f"{name}_high"] = np.nanquantile(drawn[column], tail, axis=0)
    if variants:
        table["on_front"] = undominated(now[metric], now["usd"], higher_is_better=higher)[0]
        table["share"] = undominated(drawn[metric], drawn["usd"], higher_is_better=higher).mean(axis=0)
    return Front(metric, table, drawn[metric], drawn["usd"])


def means(weights: NDArray[np.float64] | NDArray[np.int64], values: Floats) -> Floats:
    """Weighted means of each column over the rows that have a value; NaN where none has. (draws, columns)."""
    measured = ~np.isnan(values)
    count = weights @ measured
    total = weights @ np.where(measured, values, 0.0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0), np.float64)


def undominated(quality: Floats, usd: Floats, *, higher_is_better: bool = True) -> NDArray[np.bool_]:
    """In each row (a draw), which columns (variants) are on the front. One without a value is not."""
    good = quality if higher_is_better else -quality
    # [draw, i, j]: j is at least as good as i on both counts, and better on one.
    as_good = (good[:, None, :] >= good[:, :, None]) & (usd[:, None, :] <= usd[:, :, None])
    better = (good[:, None, :] > good[:, :, None]) | (usd[:, None, :] < usd[:, :, None])
    return np.asarray(~(as_good & better).any(axis=2) & ~np.isnan(good) & ~np.isnan(usd))
