"""The order of an experiment, and what it will cost: decided before anything runs, and the same at every run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from vpgen import pipeline
from vpgen.clip import ClipRequest, Prompt, Still
from vpgen.config import PipelineConfig
from vpgen.errors import NotFound
from vpgen.lab.definition import Case, Experiment
from vpgen.money.prices import PriceBook
from vpgen.stages import Ref, Request, Stage, Verdict
from vpgen.step import step_key

ZERO = Decimal(0)


@dataclass(frozen=True)
class Pair:
    """One case with one seed, which every variant is given. `number` is its place in the order."""

    number: int
    case: Case
    seed: int
    turns: tuple[str, ...]
    """The variants in the order in which they take their turn."""


def order(experiment: Experiment) -> tuple[Pair, ...]:
    """Every pair, shuffled: each seed's block holds every case once, and each variant goes first equally often.

    The shuffle is drawn from what decides the experiment, so that a run taken up again finds the same order.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(experiment.id.encode()).digest()[:8]))
    names = list(experiment.variants)
    rng.shuffle(names)
    pairs: list[Pair] = []
    for seed in experiment.seeds:
        for index in rng.permutation(len(experiment.cases)):
            turn = len(pairs) % len(names)
            pairs.append(Pair(len(pairs), experiment.cases[index], seed, tuple(names[turn:] + names[:turn])))
    return tuple(pairs[: experiment.decision.max_pairs])


@dataclass(frozen=True)
class Estimate:
    """What a clip of a variant is expected to take; `usd` None where a price is not known."""

    variant: str
    changed: tuple[str, ...]
    """What differs from the baseline: stages, or keys of the config."""
    usd: Decimal | None
    cpu_seconds: Decimal


@dataclass(frozen=True)
class Plan:
    """What will be run: pairs in order, and estimates with what the variants share counted once."""

    pairs: tuple[Pair, ...]
    estimates: tuple[Estimate, ...]
    usd: Decimal | None
    """For all pairs at most; the decision may come earlier."""
    cpu_seconds: Decimal
    usd_apart: Decimal | None
    """The same if nothing were shared."""


async def plan(experiment: Experiment, prices: PriceBook) -> Plan:
    """Price an experiment without running it: every backend says what it would use."""
    pairs = order(experiment)
    case = experiment.cases[0]
    configs = {**experiment.variants, **({"reference": experiment.reference} if experiment.reference else {})}
    costs = {name: await _stages(case, config, "preview" if name == "reference" else experiment.kind, prices)
             for name, config in configs.items()}  # fmt: skip
    once: dict[str, _Stage] = {}
    for stages in costs.values():
        once |= stages
    each = [stage for stages in costs.values() for stage in stages.values()]
    return Plan(
        pairs=pairs,
        estimates=tuple(
            Estimate(
                name,
                changes(experiment.variants[experiment.baseline], config) if name != "reference" else (),
                _sum(costs[name].values()),
                sum((stage.cpu_seconds for stage in costs[name].values()), ZERO),
            )
            for name, config in configs.items()
        ),
        usd=_times(_sum(once.values()), len(pairs)),
        cpu_seconds=sum((stage.cpu_seconds for stage in once.values()), ZERO) * len(pairs),
        usd_apart=_times(_sum(each), len(pairs)),
    )


def changes(baseline: PipelineConfig, other: PipelineConfig) -> tuple[str, ...]:
    """The stages and keys in which two configs differ, apart from name, description and budget."""
    keys = [
        key
        for key in ("seconds", "stills", "preview", "final", "finish")
        if getattr(baseline, key) != getattr(other, key)
    ]
    stages = {**baseline.stages, **other.stages}
    return (*(stage for stage in stages if baseline.stages.get(stage) != other.stages.get(stage)), *keys)


@dataclass(frozen=True)
class _Stage:
    usd: Decimal | None
    cpu_seconds: Decimal


class _Estimating:
    """Runs a recipe in which every stage only says what it would use."""

    def __init__(self, config: PipelineConfig, prices: PriceBook, story: str) -> None:
        self.config, self.prices = config, prices
        # What a planner would say is not known yet; models that need a prompt are given the story's beginning.
        self.prompt = Prompt(character=story[:200], background=story[:200], motion=story[:200])
        self.stages: dict[str, _Stage] = {}

    async def __call__(self, stage: Stage, request: Request) -> Ref[Any]:
        choice = self.config.stages[stage]
        key = step_key(stage, choice, request)
        usage = choice.build().estimate(request)
        usd: Decimal | None = ZERO
        for sku, quantity in usage.items():
            try:
                price = self.prices.price(sku).usd
            except NotFound:
                usd = None
            else:
                usd = None if usd is None else usd + price * quantity
        self.stages[key] = _Stage(usd, usage.get("cpu_second", ZERO))
        stand_ins: dict[str, object] = {
            "plan": self.prompt,
            "moderate": Verdict(allowed=True),
        }
        return Ref(key, lambda: stand_ins.get(stage))


async def _stages(case: Case, config: PipelineConfig, kind: str, prices: PriceBook) -> dict[str, _Stage]:
    def picture(digest: str, *, cover: tuple[int, int] | None = None) -> Ref[Still]:  # noqa: ARG001  # never looked at
        return Ref(f"picture-{digest}", _unseen)

    estimating = _Estimating(config, prices, case.story)
    request = ClipRequest(
        story=case.story, character_image=_named(case.character), background_image=_named(case.background)
    )
    recipe = pipeline.preview if kind == "preview" else pipeline.final
    await recipe(request, config, estimating, picture)
    return estimating.stages


def _unseen() -> Still:
    raise AssertionError("an estimate looks at no pixels")


def _named(path: Path | None) -> str | None:
    return str(path) if path else None


def _sum(stages: Any) -> Decimal | None:
    parts: Sequence[Decimal | None] = [stage.usd for stage in stages]
    return None if any(part is None for part in parts) else sum((part for part in parts if part is not None), ZERO)


def _times(usd: Decimal | None, count: int) -> Decimal | None:
    return None if usd is None else usd * count
