"""The gate: what a variant must have proven before it becomes a champion, clause by clause, each with its evidence.

A clause passes only on evidence: what was not measured, or is not known, has failed. Nothing here changes anything.
"""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from pydantic import BaseModel, Field, ValidationError

from vpgen.backends.registry import find
from vpgen.catalogue import Catalogue, Model
from vpgen.clip import Value
from vpgen.config import Delivery, PipelineConfig, StageChoice
from vpgen.errors import ConfigError, MissingDependency, NotFound
from vpgen.lab.canary import Limits
from vpgen.money.prices import dollars
from vpgen.resources import folder
from vpgen.stages import Stage
from vpgen.territories import overlap
from vpgen.yamls import KeyPath, load_yaml_with_lines

if TYPE_CHECKING:
    from vpgen.lab.result import Result

Share = Annotated[float, Field(ge=0, le=1)]


class QualityRule(Value):
    """`margin`: how much worse than the champion the end of the interval may be, of 0..1."""

    margin: Annotated[float, Field(ge=0, le=1)] = 0.02


class SecondsRule(Value):
    """Seconds that 95 % of the clips must be done in."""

    preview: Annotated[float, Field(gt=0)] = 30.0
    final: Annotated[float, Field(gt=0)] = 300.0


class CanaryRule(Value):
    """What ends a canary; see `vpgen.lab.canary.Limits`."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    failures: Annotated[float, Field(gt=0, lt=1)] = 0.1
    usd_per_accepted: Annotated[Decimal, Field(gt=0)] = Decimal("2.00")
    slow: Annotated[float, Field(gt=0, lt=1)] = 0.05
    quality_margin: Annotated[float, Field(ge=0)] = 0.05
    min_clips: Annotated[int, Field(ge=1)] = 3


class Gate(Value):
    """configs/gate.yaml."""

    quality: QualityRule = QualityRule()
    pairs: Annotated[int, Field(ge=1)] = 6
    accepted: Share = 0.9
    usd_per_accepted: Annotated[Decimal, Field(gt=0)] = Decimal("2.00")
    seconds_p95: SecondsRule = SecondsRule()
    retirement_days: Annotated[int, Field(ge=0)] = 14
    moderation_threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    canary: CanaryRule = CanaryRule()

    def limits(self, profile: str) -> Limits:
        """What ends a canary of that profile."""
        return Limits(seconds=getattr(self.seconds_p95, profile), **self.canary.model_dump())


class Clause(Value):
    """One demand: whether it is met, the evidence in a sentence, and the figures in it (None: not known)."""

    name: str
    passed: bool
    evidence: str
    figures: dict[str, float | int | str | None] = Field(default_factory=dict)


def load_gate(path: Path | None = None) -> Gate:
    """Read a gate file, the shipped one by default. Raises ConfigError with every problem, each with its line."""
    path = path or folder("configs") / "gate.yaml"
    data, lines = load_yaml_with_lines(path)
    if data is not None and not isinstance(data, Mapping):
        raise ConfigError([f"{path}:1: a gate is a mapping of keys, not {type(data).__name__}"])
    try:
        return Gate.model_validate(data or {})
    except ValidationError as error:
        raise ConfigError(
            [_problem(path, lines, detail) for detail in error.errors(include_url=False)],
            remedy="Fix the lines above; configs/gate.yaml is a whole one",
        ) from None


def _problem(path: Path, lines: Mapping[KeyPath, int], detail: Any) -> str:  # pydantic's own dictionary
    at = tuple(detail["loc"])
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), 1)
    dotted = ".".join(map(str, at))
    if detail["type"] != "extra_forbidden":
        return f"{path}:{line}: {dotted}: {detail['msg']} (got {detail['input']!r:.80})"
    model: type[BaseModel] = Gate
    for part in at[:-1]:
        model = cast("type[BaseModel]", model.model_fields[str(part)].annotation)
    near = difflib.get_close_matches(str(at[-1]), model.model_fields, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(model.model_fields)
    return f"{path}:{line}: unknown key {dotted!r}; {hint}"


class Link(NamedTuple):
    """Who does a stage, or takes over in it."""

    stage: Stage
    choice: StageChoice


@dataclass(frozen=True)
class Candidacy:
    """Who wants through the gate, and what is held against them.

    `champion` is the config that serves now and `number` its promotion, 0 while nobody was ever promoted. `written` is
    the id of the experiment as its file has it now, or why it cannot be read; None when the file is not at hand.
    """

    gate: Gate
    result: Result
    variant: str
    champion: PipelineConfig
    number: int
    catalogue: Catalogue
    territory: str | None
    written: str | None = None
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())

    @property
    def config(self) -> PipelineConfig:
        """The variant's."""
        return self.result.experiment.variants[self.variant]

    @property
    def profile(self) -> str:
        """Which champion it would become."""
        return self.result.experiment.kind

    @cached_property
    def opponent(self) -> str:
        """The variant it is compared with: the champion where the experiment has it, else the baseline."""
        experiment = self.result.experiment
        serving = self.champion.fingerprint(experiment.kind)
        names = [experiment.baseline, *experiment.variants]
        same = [name for name in names if experiment.variants[name].fingerprint(experiment.kind) == serving]
        return same[0] if same else experiment.baseline

    @property
    def links(self) -> Iterator[Link]:
        """Every backend that the config may use, fallbacks included."""
        for stage, choice in self.config.stages.items():
            for link in choice.chain:
                yield Link(stage, link)

    @property
    def models(self) -> Iterator[tuple[str, Model | None]]:
        """What it buys, as provider/model; None for a model that the catalogue does not have."""
        for _, choice in self.links:
            if (provider := self.catalogue.get(choice.backend)) and (name := choice.params.get("model")):
                yield f"{choice.backend}/{name}", provider.models.get(str(name))

    def figure(self, column: str) -> float | None:
        """One of the variant's figures in the summary; None for what is not known."""
        summary = self.result.summary
        if self.variant not in summary.index or column not in summary.columns:
            return None
        value = float(summary.loc[self.variant, column])
        return value if math.isfinite(value) else None


def check(candidacy: Candidacy) -> tuple[Clause, ...]:
    """Every clause, in the order in which one reads them."""
    return tuple(clause(candidacy) for clause in CLAUSES)


def definition(c: Candidacy) -> Clause:
    """What the file says now is what was run."""
    if c.written is None:
        return _clause(
            "definition", f"what was run is {c.result.id}; no other definition of it is at hand", passed=True
        )
    if c.written == c.result.id:
        return _clause("definition", f"{c.result.id} is what the file says", passed=True)
    return _clause(
        "definition",
        f"what was run is {c.result.id}, and the file of that name says something else now: {c.written}",
        passed=False,
    )


def decision(c: Candidacy) -> Clause:
    """The experiment is over, and decided for the variant."""
    result, verdict = c.result, c.result.verdict
    why = verdict.why if verdict else "there is no verdict"
    if result.state == "running":
        return _clause("decision", f"{result.id} is still running: {why}", passed=False, state=result.state)
    if c.variant == result.experiment.baseline:
        stays = verdict is not None and verdict.winner is None and result.state == "decided"
        return _clause("decision", f"it is the baseline: {why}", passed=stays, state=result.state)
    won = result.state == "decided" and verdict is not None and verdict.winner == c.variant
    return _clause("decision", why, passed=won, state=result.state, winner=verdict.winner if verdict else None)


def opponent(c: Candidacy) -> Clause:
    """It was compared with the champion that it would replace."""
    kind = c.result.experiment.kind
    if c.result.experiment.variants[c.opponent].fingerprint(kind) == c.champion.fingerprint(kind):
        who = f"champion {c.number}" if c.number else "the default config"
        return _clause("champion", f"{c.opponent} is {who} of {kind} ({c.champion.name})", passed=True, number=c.number)
    if not c.number:
        said = f"nobody was promoted for {kind} yet; the measure is {c.opponent}, the baseline"
        return _clause("champion", said, passed=True, number=0)
    return _clause(
        "champion",
        f"champion {c.number} of {kind} ({c.champion.name}) was not among the variants: nobody knows how they compare",
        passed=False,
        number=c.number,
    )


def pairs(c: Candidacy) -> Clause:
    """Enough pairs in which both have a quality."""
    if c.variant == c.opponent:
        count = int(c.figure("n") or 0)
        return _clause("pairs", f"{count} trials, {c.gate.pairs} are needed", passed=count >= c.gate.pairs, pairs=count)
    count = (_difference(c) or {}).get("n", 0)
    said = f"{count} pairs with {c.opponent}, {c.gate.pairs} are needed"
    return _clause("pairs", said, passed=count >= c.gate.pairs, pairs=count)


def quality(c: Candidacy) -> Clause:
    """Not worse than the champion by more than the margin: the lower end of the interval, not the mean."""
    if c.variant == c.opponent:
        return _clause("quality", "it is the champion itself that the others were measured against", passed=True)
    found = _difference(c)
    if found is None:
        return _clause("quality", f"no pair has the quality of {c.variant} and of {c.opponent}", passed=False)
    margin = c.gate.quality.margin
    if found["low"] is None:
        said = f"{found['mean']:+.4f} against {c.opponent}: {found['n']} pairs give no interval"
        return _clause("quality", said, passed=False, margin=margin, **found)
    passed = found["low"] >= -margin
    said = (
        f"{found['mean']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}] against {c.opponent} over {found['n']} pairs"
        f"; the interval must end above {-margin:+.4f}"
    )
    return _clause("quality", said, passed=passed, margin=margin, **found)


def accepted(c: Candidacy) -> Clause:
    """Most trials ended with a clip."""
    tried, made = c.figure("n"), c.figure("completed")
    if not tried or made is None:
        return _clause("accepted", f"{c.variant} has no trial", passed=False)
    share = made / tried
    said = f"{made:.0f} of {tried:.0f} trials ended with a clip ({share:.0%}), {c.gate.accepted:.0%} must"
    return _clause("accepted", said, passed=share >= c.gate.accepted, share=share)


def cost(c: Candidacy) -> Clause:
    """USD per accepted clip within the budget."""
    usd, limit = c.figure("usd_per_accepted"), c.gate.usd_per_accepted
    if usd is None:
        return _clause("cost", "what an accepted clip costs is unknown", passed=False, usd=None, limit=str(limit))
    each = Decimal(str(usd))
    said = f"{dollars(round(each, 6))} USD per accepted clip, {limit:.2f} may be"
    return _clause("cost", said, passed=each <= limit, usd=usd, limit=str(limit))


def latency(c: Candidacy) -> Clause:
    """p95 of the seconds a clip takes within what was promised."""
    seconds, limit = c.figure("seconds_p95"), getattr(c.gate.seconds_p95, c.profile)
    if seconds is None:
        return _clause("latency", "how long a clip takes was not measured", passed=False, limit=limit)
    said = f"95 % of the clips took {seconds:.1f} s or less, a {c.profile} may take {limit:g} s"
    return _clause("latency", said, passed=seconds <= limit, seconds=seconds, limit=limit)


def delivery(c: Candidacy) -> Clause:
    """It makes what production delivers: an experiment on shorter or smaller clips has tested something else."""
    keys = ("seconds", "preview") if c.profile == "preview" else ("seconds", "preview", "final")
    tested, served = ({key: getattr(config, key) for key in keys} for config in (c.config, c.champion))
    other = [
        f"{key} {_short(tested[key])} instead of {_short(served[key])}" for key in keys if tested[key] != served[key]
    ]
    said = f"not what {c.champion.name} delivers: {', '.join(other)}" if other else f"clips like {c.champion.name}'s"
    return _clause("delivery", said, passed=not other)


def models(c: Candidacy) -> Clause:
    """Nothing that its provider has withdrawn, or soon will."""
    last = c.today + datetime.timedelta(days=c.gate.retirement_days)
    wrong, count = [], 0
    for name, model in c.models:
        count += 1
        if model is None:
            wrong.append(f"{name} is not in the catalogue")
        elif model.retires and model.retires <= last:
            instead = f" (use {model.successor})" if model.successor else ""
            wrong.append(f"{name} {'was' if model.retires <= c.today else 'is'} retired on {model.retires}{instead}")
    said = f"{count} bought model(s), none retired before {last}" if count else "nothing is bought from a provider"
    return _clause("models", "; ".join(dict.fromkeys(wrong)) or said, passed=not wrong, models=count)


def licences(c: Candidacy) -> Clause:
    """Every model may be used where the clips are."""
    wrong, named = [], {}
    for name, model in c.models:
        if model is None:
            wrong.append(f"the licence of {name} is not known")
            continue
        named[name] = model.licence.name
        places = ", ".join(model.licence.excludes)
        if places and c.territory is None:
            wrong.append(f"{name} may not be used in {places}, and VPGEN_TERRITORY does not say where clips are used")
        elif c.territory and overlap([c.territory], model.licence.excludes):
            wrong.append(f"{name} may not be used in {c.territory.upper()} ({model.licence.name})")
    held = ", ".join(f"{name}: {licence}" for name, licence in named.items())
    where = f" in {c.territory.upper()}" if c.territory else ""
    said = f"no objection{where}: {held}" if held else "everything is made by this installation's own backends"
    return _clause("licences", "; ".join(dict.fromkeys(wrong)) or said, passed=not wrong, territory=c.territory)


def safety(c: Candidacy) -> Clause:
    """Moderation is there and neither switched off nor gone round."""
    chain = c.config.stages["moderate"].chain if "moderate" in c.config.stages else ()
    wrong = [] if chain else ["there is no moderation"]
    for choice in chain:
        threshold = choice.params.get("threshold")
        if isinstance(threshold, int | float) and threshold > c.gate.moderation_threshold:
            wrong.append(
                f"{choice.backend} refuses a picture only when it is {threshold:.0%} sure, "
                f"{c.gate.moderation_threshold:.0%} must do"
            )
    if any(choice.next_on_refusal for choice in chain[:-1]):
        wrong.append("what one moderator refuses is asked of the next (next_on_refusal)")
    said = f"{', then '.join(choice.backend for choice in chain)} looks at the story, the prompts and the pictures"
    return _clause("safety", "; ".join(wrong) or said, passed=not wrong)


def backends(c: Candidacy) -> Clause:
    """What was tested is what is installed: another version of a backend makes other clips."""
    wrong = []
    for stage, choice in c.links:
        try:
            installed = find(choice.backend).version
        except (NotFound, MissingDependency) as error:
            wrong.append(f"{stage}: {error.message}")
            continue
        if installed != choice.version:
            wrong.append(f"{stage}: version {choice.version} of {choice.backend} was tested, {installed} is installed")
    return _clause("backends", "; ".join(wrong) or "every backend is the version that was tested", passed=not wrong)


CLAUSES: tuple[Callable[[Candidacy], Clause], ...] = (
    definition, decision, opponent, pairs, quality, accepted, cost, latency, delivery, models, licences, safety,
    backends,
)  # fmt: skip


def _short(value: object) -> str:
    if isinstance(value, Delivery):
        return f"{value.size[0]}x{value.size[1]} at {value.fps} fps"
    return f"{value:g} s" if isinstance(value, float) else str(value)


def _clause(name: str, evidence: str, *, passed: bool, **figures: float | str | None) -> Clause:
    return Clause(name=name, passed=bool(passed), evidence=evidence, figures=figures)


def _difference(c: Candidacy) -> dict[str, Any] | None:
    """Of the variant's quality to its opponent's; None when no pair has both."""
    keys = ("n", "mean", "low", "high")
    if c.opponent == c.result.experiment.baseline:
        found = next((d for d in c.result.differences if (d.variant, d.metric) == (c.variant, "quality")), None)
        return None if found is None else {key: getattr(found, key) for key in keys}
    from vpgen.lab.statistics import paired
    from vpgen.lab.verdict import both

    ours, theirs = both(c.result.trials, "quality", c.variant, c.opponent)
    if not len(ours):
        return None
    comparison = paired(ours.tolist(), theirs.tolist())
    return {key: getattr(comparison, key) for key in keys}
