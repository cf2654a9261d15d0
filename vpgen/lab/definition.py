"""What an experiment asks: a YAML file with variants, cases, seeds, metrics, a budget and a rule that decides.

Checked like a config: every problem at once, with file and line. Its variants are configs, written as a name or file,
or as what they change of `base` (a name, or a config written out); all get the same cases and seeds.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator, model_validator

from vpgen.clip import Text, Value
from vpgen.config import PipelineConfig, config_from
from vpgen.errors import ConfigError, InvalidInput, NotFound, VpgenError
from vpgen.inheritance import KeyPath, merge, place
from vpgen.resources import folder
from vpgen.tables import read_table
from vpgen.yamls import load_yaml_with_lines

NAME = r"^[a-z0-9](?:[a-z0-9_.-]{0,38}[a-z0-9])?$"
"""Of experiments, variants and cases: they become parts of ids, file names and addresses."""
NO_METRICS = frozenset({"quality", "pair", "variant", "case", "seed", "state", "clip_id", "error"})
"""Columns of the table of trials: a metric of that name would not be told from them."""
Name = Annotated[str, Field(pattern=NAME)]


class Case(Value):
    """One thing to make: a story, with pictures of the person or the place if need be (absolute paths)."""

    name: Name
    story: Text
    character: Path | None = None
    background: Path | None = None


class Metric(Value):
    """What is measured, how much it counts, and what it may not become.

    `weight`: its share of `quality`, 0 for what is only reported. `range`: the values that mean 0 and 1 there; the
    score's own where it has one. `higher_is_better`: the score's own unless said. Guard rails: the variant's mean may
    not be worse than `limit`, nor worse than the baseline's by more than `margin`.
    """

    weight: Annotated[float, Field(ge=0)] = 0.0
    range: tuple[float, float] | None = None
    higher_is_better: bool | None = None
    limit: float | None = None
    margin: Annotated[float, Field(ge=0)] | None = None

    @field_validator("range")
    @classmethod
    def _spans(cls, span: tuple[float, float] | None) -> tuple[float, float] | None:
        if span and span[0] >= span[1]:
            raise ValueError(
                f"from {span[0]} to {span[1]} is no range; for what is better low, say higher_is_better: false"
            )
        return span


class Decision(Value):
    """When the question is settled.

    `sequential` looks after every pair and stops at a win, a loss, or when a difference of `margin` (of the metric)
    can no longer be expected; `fixed` runs every pair and then looks once. `alpha` is the chance of a false winner.
    """

    rule: Literal["sequential", "fixed"] = "sequential"
    metric: str = "quality"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    margin: Annotated[float, Field(ge=0)] = 0.0
    min_pairs: Annotated[int, Field(ge=2)] = 6
    max_pairs: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _room(self) -> Decision:
        if self.max_pairs is not None and self.max_pairs < self.min_pairs:
            raise ValueError(f"max_pairs {self.max_pairs} is less than min_pairs {self.min_pairs}")
        return self


class _Common(Value):
    """What the file says that needs no look at other files."""

    name: Name
    question: str = ""
    kind: Literal["preview", "final"] = "final"
    baseline: Name
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1)] = (0,)
    metrics: Annotated[dict[str, Metric], Field(min_length=1)]
    decision: Decision = Decision()
    budget: Annotated[Decimal, Field(ge=0)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 3600.0
    parallel: Annotated[int, Field(ge=1, le=100)] = 1


class Experiment(_Common):
    """A whole experiment, resolved. `reference` makes the truth that `ssim`, `psnr` and `vmaf` compare with.

    `budget`: USD for everything in it; `timeout`: seconds a clip may take; `parallel`: pairs under way at a time (1
    where seconds matter, more where a provider does the work).
    """

    variants: dict[str, PipelineConfig]
    cases: tuple[Case, ...]
    reference: PipelineConfig | None = None
    pictures: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the pictures that cases name: other pixels are another experiment."""

    @property
    def id(self) -> str:
        """The name and a hash of everything that decides the outcome: with more budget or patience it is the same."""
        matters = self.model_dump(mode="json", exclude={"name", "question", "budget", "timeout", "parallel"})
        for case in matters["cases"]:
            for picture in ("character", "background"):
                case[picture] = self.pictures.get(case[picture] or "")
        matters.pop("pictures")
        return f"{self.name}-{hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def most_pairs(self) -> int:
        """How many pairs are run if the question stays open to the end."""
        pairs = len(self.cases) * len(self.seeds)
        return min(pairs, self.decision.max_pairs or pairs)

    @property
    def alpha_each(self) -> float:
        """Each challenger's share of alpha, so that the chance of any false winner is at most alpha (Bonferroni)."""
        return self.decision.alpha / len(self.challengers)

    @property
    def challengers(self) -> tuple[str, ...]:
        """Every variant but the baseline."""
        return tuple(name for name in self.variants if name != self.baseline)


class _Draft(_Common):
    """The file's shape before variants and cases are looked at."""

    base: str | dict[str, Any] | None = None
    variants: Annotated[dict[Name, str | dict[str, Any] | None], Field(min_length=2)]
    cases: str | list[Any]
    reference: str | dict[str, Any] | None = None


def shipped() -> list[str]:
    """Names of the experiments that come with vpgen."""
    return sorted(path.stem for path in folder("experiments").glob("*.yaml"))


def load_experiment(name: str | Path) -> Experiment:
    """Load and check an experiment: a YAML file, or the name of one that ships with vpgen.

    Raises ConfigError with every problem at once, NotFound when there is no such file.
    """
    path = _locate(str(name))
    data, at = load_yaml_with_lines(path)
    if not isinstance(data, dict):
        raise ConfigError([f"{path}:1: an experiment is a mapping of keys, not {type(data).__name__}"])
    file = _File(path, at)
    try:
        draft = _Draft.model_validate(data)
    except ValidationError as error:
        raise ConfigError(list(file.explain(error, _Draft)), remedy=_REMEDY) from None
    problems: list[str] = []
    variants = {name: file.config(draft, ("variants", name), value, problems) for name, value in draft.variants.items()}
    reference = file.config(draft, ("reference",), draft.reference, problems) if draft.reference is not None else None
    cases = file.cases(draft.cases, problems)
    problems += file.together(draft, cases)
    if problems:
        raise ConfigError(sorted(set(problems), key=place), remedy=_REMEDY)
    experiment = Experiment(
        **{key: getattr(draft, key) for key in _Common.model_fields},
        variants={name: config for name, config in variants.items() if config},
        cases=tuple(cases),
        reference=reference,
        pictures={str(path): _digest(path) for case in cases for path in (case.character, case.background) if path},
    )
    if experiment.decision.rule == "sequential":
        from vpgen.lab.verdict import stopping_rule  # SciPy loads only when there is something to decide

        try:
            stopping_rule(experiment)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            key, message = ".".join(("decision", *map(str, detail["loc"]))), detail["msg"].removeprefix("Value error, ")
            got = f" (got {detail['input']!r:.80})" if detail["loc"] else ""
            raise ConfigError([f"{file.where(('decision',))}: {key}: {message}{got}"], remedy=_REMEDY) from None
    return experiment


_REMEDY = "Fix the lines above; experiments/finishing.yaml is a whole one"


class _File:
    """Where each key of the file was written, and what is beside it."""

    def __init__(self, path: Path, lines: Mapping[KeyPath, int]) -> None:
        self.path, self.lines = path, lines

    def where(self, path: KeyPath) -> str:
        """file:line of the key, or of the nearest key above it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines.get(path, 1)}"

    def below(self, at: KeyPath) -> dict[KeyPath, int]:
        """The lines of what is written under a key."""
        return {path[len(at) :]: line for path, line in self.lines.items() if path[: len(at)] == at and path != at}

    def explain(self, error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
        """One line a problem, with the nearest known key for an unknown one."""
        for detail in error.errors(include_url=False):
            path = tuple(part for part in detail["loc"] if part != "[key]")
            dotted = ".".join(map(str, path))
            if detail["type"] == "extra_forbidden":
                known = list(model.model_fields) if len(path) == 1 else []
                near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
                yield f"{self.where(path)}: unknown key {dotted!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            else:
                message = detail["msg"].removeprefix("Value error, ")
                yield f"{self.where(path)}: {dotted}: {message} (got {detail['input']!r:.80})"

    def config(
        self, draft: _Draft, at: KeyPath, value: str | dict[str, Any] | None, problems: list[str]
    ) -> PipelineConfig | None:
        """A variant's config: one that is named, or the base with what the variant changes."""
        own: dict[str, Any] = {"extends": value} if isinstance(value, str) else dict(value or {})
        base = {"extends": draft.base} if isinstance(draft.base, str) else draft.base or {}
        own = merge(base, own)
        if "extends" not in own:
            problems.append(f"{self.where(at)}: {'.'.join(map(str, at))}: name a config, or give the file a `base`")
            return None
        own.setdefault("name", str(at[-1]))
        lines = self.below(("base",)) | self.below(at)
        try:
            return config_from(own, lines, self.path)
        except ConfigError as error:
            problems += error.problems
        except VpgenError as error:
            problems.append(f"{self.where(at)}: {error}")
        return None

    def cases(self, given: str | list[Any], problems: list[str]) -> list[Case]:
        """Cases as they are written here, or the rows of a table beside the file."""
        source = self.path.parent / given if isinstance(given, str) else self.path
        try:
            rows = read_table(str(source)) if isinstance(given, str) else given
        except (InvalidInput, NotFound) as error:
            problems.append(f"{self.where(('cases',))}: cases: {error}")
            return []
        cases: list[Case] = []
        for number, written in enumerate(rows):
            row = {"story": written} if isinstance(written, str) else written
            where = self.where(("cases", number))
            if not isinstance(row, Mapping):
                problems.append(f"{where}: cases.{number}: a case is a story, or a mapping with one (got {row!r:.80})")
                continue
            document: dict[str, Any] = {"name": f"{number:03d}", **row}
            for key in {"character", "background"} & document.keys():
                document[key] = (source.parent / str(document[key])).expanduser().absolute()
                if not document[key].is_file():
                    problems.append(f"{where}: cases.{number}.{key}: there is no file {row[key]}")
            try:
                cases.append(TypeAdapter(Case).validate_python(document))
            except ValidationError as error:
                for detail in error.errors(include_url=False):
                    key = ".".join(map(str, (number, *detail["loc"])))
                    problems.append(f"{where}: cases.{key}: {detail['msg'].removeprefix('Value error, ')}")
        if not rows:
            problems.append(f"{self.where(('cases',))}: cases: there is none")
        return cases

    def together(self, draft: _Draft, cases: list[Case]) -> Iterator[str]:
        """What each key allows and all together do not."""
        if draft.baseline not in draft.variants:
            yield f"{self.where(('baseline',))}: baseline: {draft.baseline!r} is none of {', '.join(draft.variants)}"
        for what, names in (("case", [case.name for case in cases]), ("seed", [str(seed) for seed in draft.seeds])):
            for twice in sorted({name for name in names if names.count(name) > 1}):
                yield f"{self.where((what + 's',))}: {what}s: {twice!r} is there twice"
        weighed = any(metric.weight for metric in draft.metrics.values())
        if draft.decision.metric == "quality" and not weighed:
            yield f"{self.where(('metrics',))}: metrics: none has a weight, and the decision is about quality"
        yield from self.names(draft)
        if draft.decision.metric not in {"quality", "votes", *draft.metrics}:
            yield (
                f"{self.where(('decision', 'metric'))}: decision.metric: {draft.decision.metric!r} is not measured; "
                f"known: {', '.join(dict.fromkeys(('quality', 'votes', *draft.metrics)))}"
            )
        for name in {"ssim", "psnr", "vmaf"} & draft.metrics.keys():
            if draft.reference is None:
                yield f"{self.where(('metrics', name))}: metrics.{name}: compares with a `reference`, and there is none"
        pairs = len(cases) * len(draft.seeds)
        if cases and pairs < draft.decision.min_pairs:
            yield (
                f"{self.where(('decision', 'min_pairs'))}: decision.min_pairs: {draft.decision.min_pairs} pairs are "
                f"wanted, and {len(cases)} case(s) with {len(draft.seeds)} seed(s) make {pairs}"
            )

    def names(self, draft: _Draft) -> Iterator[str]:
        """Names that mean something else already."""
        for name in sorted(NO_METRICS & draft.metrics.keys()):
            yield f"{self.where(('metrics', name))}: metrics.{name}: that is a column of the trials, not a metric"
        if (votes := draft.metrics.get("votes")) and votes.weight:
            yield (
                f"{self.where(('metrics', 'votes'))}: metrics.votes: people vote when the clips are made, so votes "
                "have no weight in `quality`; let them decide (decision: {metric: votes}), or give them a limit"
            )
        if "reference" in draft.variants:
            yield f"{self.where(('variants', 'reference'))}: variants.reference: the truth has that name"


def _locate(name: str) -> Path:
    given = Path(name).expanduser()
    candidates = [given, given.with_name(given.name + ".yaml")]
    if re.match(NAME, name):
        candidates.append(folder("experiments") / f"{name}.yaml")
    for path in candidates:
        if path.is_file():
            return path
    raise NotFound(f"there is no experiment {name!r}", remedy=f"The ones that ship: {', '.join(shipped()) or 'none'}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
