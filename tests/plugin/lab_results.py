"""Small hand-made results of experiments, built as the real ones are: from the rows of their trials."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from vpgen.config import PipelineConfig, load_config
from vpgen.lab.definition import Case, Decision, Experiment, Metric
from vpgen.lab.result import Result, frame_of
from vpgen.runtime import Runtime
from vpgen.store import schema_lab as tables

STAGES = [
    "plan",
    "moderate",
    "character",
    "background",
    "matting",
    "composite",
    "animate",
    "upscale",
    "encode",
    "score",
]
QUALITY = {"lanczos": 0.60, "neural": 0.68}
SECONDS = {"lanczos": 6.0, "neural": 21.0}
HOSTILE = '<script>alert(1)</script> & "quoted" $\\frac{1}{0$ 바다'
"""A story that breaks what does not escape it."""


def lab_experiment(
    *,
    variants: Sequence[str] = ("lanczos", "neural"),
    pairs: int = 8,
    story: str = "A woman walks along the beach at dusk",
    config: PipelineConfig | None = None,
    **more: Any,
) -> Experiment:
    """An experiment on `ssim` whose baseline is the first variant: `pairs` cases with one seed."""
    config = config or load_config("animatic")
    fields: dict[str, Any] = {
        "name": "finishing",
        "question": "Is neural finishing worth its time?",
        "baseline": variants[0],
        "variants": {name: _named(config, name, finished=name != variants[0]) for name in variants},
        "cases": tuple(Case(name=f"case-{number}", story=story) for number in range(pairs)),
        "metrics": {
            "ssim": Metric(weight=1, range=(0, 1), higher_is_better=True),
            "clipped": Metric(higher_is_better=False, margin=0.01),
        },
        "decision": Decision(min_pairs=2),
        "budget": Decimal("0.50"),
    }
    return Experiment(**{**fields, **more})


def _named(config: PipelineConfig, name: str, *, finished: bool) -> PipelineConfig:
    """The config under a variant's name; a challenger of the shipped one has the neural finish."""
    finish = load_config("neural-cpu").stages if finished and config.name == "animatic" else {}
    stages = {**config.stages, **{stage: finish[stage] for stage in ("upscale", "interpolate") if stage in finish}}
    return config.model_copy(update={"name": name, "stages": stages})


def lab_trial(pair: int, variant: str, *, usd: float = 0.01, seed: int = 0, **more: Any) -> tables.Trial:
    """A completed trial with plausible figures; better quality takes longer. Reproducible."""
    place = sum(map(ord, variant))
    rng = np.random.default_rng([pair, place])
    ease = 0.1 * np.random.default_rng(pair).standard_normal()  # of the case, shared by its variants
    quality = QUALITY.get(variant, 0.55 + place % 20 / 100) + ease + 0.01 * rng.standard_normal()
    seconds = SECONDS.get(variant, 8.0 + place % 9) * (1 + 0.03 * rng.standard_normal())
    usd *= seconds / 6
    numbers = {
        "ssim": float(np.clip(quality, 0, 1)),
        "clipped": 0.02 + 0.002 * float(rng.standard_normal()),
        "accepted": 1.0,
        "seconds": seconds,
        "usd": usd,
        **{f"seconds.{stage}": (seconds - 3.6 if stage == "upscale" else 0.4) for stage in STAGES},
        "usd.compute": usd * 0.8,
        "usd.storage": usd * 0.15,
        "usd.network": usd * 0.05,
    }
    fields = {
        "experiment_id": "finishing-00000000", "pair": pair, "variant": variant, "case": f"case-{pair}", "seed": seed,
        "state": "completed", "clip_id": None, "error": None,
        "values": {
            "numbers": numbers,
            "scales": {"ssim": [True, -1.0, 1.0], "clipped": [False, 0.0, 1.0]},
            "skipped": {},
        },
    }  # fmt: skip
    return tables.Trial(**{**fields, **more})


def failed_trial(pair: int, variant: str, state: str, error: str) -> tables.Trial:
    """A trial without a clip."""
    values = {"numbers": {"accepted": 0.0, "usd": 0.004}, "scales": {}, "skipped": {}}
    return lab_trial(pair, variant, state=state, error=error, values=values)


def lab_result(
    experiment: Experiment | None = None,
    *,
    pairs: int = 8,
    failures: Mapping[tuple[int, str], tuple[str, str]] | None = None,
    clips: Mapping[tuple[int, str], str] | None = None,
    state: str = "decided",
    trials: Sequence[tables.Trial] | None = None,
    **more: Any,
) -> Result:
    """A result; `failures` gives (state, error) and `clips` the clip's id by pair and variant."""
    experiment = experiment or lab_experiment(pairs=pairs, **more)
    failures, clips = failures or {}, clips or {}
    if trials is None:
        trials = [
            failed_trial(pair, variant, *failures[pair, variant])
            if (pair, variant) in failures
            else lab_trial(pair, variant, clip_id=clips.get((pair, variant)))
            for pair in range(len(experiment.cases))
            for variant in experiment.variants
        ]
    frame, scales = frame_of(experiment, list(trials), {})
    return Result(experiment.id, state, experiment, frame, scales, Decimal("0.231"), Decimal("0.004"))


def store_result(runtime: Runtime, result: Result, trials: Sequence[tables.Trial] = ()) -> str:
    """Write an experiment's row (and trials, else those of `result`) into the database; returns its id."""
    experiment = result.experiment
    rows = list(trials)
    if not rows:
        plain = ("pair", "variant", "case", "seed", "state", "clip_id", "error", "quality")
        for record in result.trials.to_dict("records"):
            numbers = {key: value for key, value in record.items() if key not in plain and np.isfinite(value)}
            kept = {
                key: value if isinstance(value, str | int) else None
                for key, value in record.items()
                if key in plain[:-1]
            }
            scales = {name: [scale.higher_is_better, scale.low, scale.high] for name, scale in result.scales.items()}
            values = {"numbers": numbers, "scales": scales if record["state"] == "completed" else {}, "skipped": {}}
            rows.append(tables.Trial(**kept, values=values))
    with runtime.database.write() as session:
        session.add(
            tables.Experiment(
                id=experiment.id,
                name=experiment.name,
                definition=experiment.model_dump(mode="json"),
                state=result.state,
            )
        )
        session.flush()
        for row in rows:
            row.experiment_id = experiment.id
            session.add(row)
    return experiment.id
