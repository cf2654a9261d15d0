"""Pipeline configs: YAML files that say which backend does each stage, with which parameters.

A config may extend another (`extends: animatic`, a file beside it or one that ships with vpgen); what it
says wins. Every problem in the result is reported at once, with file and line, and an unknown key is an
error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from vpgen.backends.registry import STAGES, find, serves, serving
from vpgen.clip import ClipSpec, Size, Value
from vpgen.errors import ConfigError, Conflict, MissingDependency, NotFound
from vpgen.inheritance import KeyPath, Source, inherit, locate, place, read
from vpgen.stages import OPTIONAL, Backend, Stage

PREVIEW_STAGES: tuple[Stage, ...] = (
    "plan",
    "moderate",
    "character",
    "background",
    "enlarge",
    "matting",
    "composite",
    "animate",
    "encode",
    "score",
)
ASPECT_TOLERANCE = 0.02
FINISHING_STAGES: tuple[Stage, ...] = ("upscale", "interpolate", "encode", "score")


class Delivery(Value):
    """Size (width, height) and rate of a video."""

    size: Size
    fps: Annotated[int, Field(ge=1, le=120)]

    @field_validator("size")
    @classmethod
    def _even(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size[0] % 2 or size[1] % 2:
            raise ValueError(f"4:2:0 video needs an even width and height, not {size[0]}x{size[1]}")
        return size


class Budget(Value):
    """Spending limits in USD; a stage whose estimate does not fit is refused before it runs."""

    clip: Annotated[Decimal, Field(ge=0)] = Decimal("2.00")
    unknown_prices: Literal["refuse", "allow"] = "refuse"
    """A model whose price nobody knows: refused before it is asked, or bought and booked as unknown."""


class StageChoice(Value):
    """Which backend does a stage, with its validated parameters."""

    backend: str
    version: str
    params: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the files and folders that parameters name: another content is another result."""
    fallbacks: tuple[StageChoice, ...] = ()
    """Who takes over, in this order, when the one before cannot be used."""
    next_on_refusal: bool = False
    """Whether a refusal by moderation passes the request on as well."""

    @property
    def chain(self) -> tuple[StageChoice, ...]:
        """This one, then those that take over."""
        return (self, *self.fallbacks)

    def build(self) -> Backend:
        """A ready-to-use backend. Raises Conflict when it is not the one this choice was made for any more."""
        cls = find(self.backend)
        try:
            if cls.version == self.version:
                return cls(cls.Params.model_validate(self.params))
        except ValidationError:
            pass
        raise Conflict(
            f"this was approved with version {self.version} of it and its frames are no longer stored; "
            f"the installed one (version {cls.version}) would make other ones",
            backend=self.backend,
            remedy="Make the preview again and look at it",
        )


class _Common(Value):
    """What a config says apart from its stages."""

    name: str = "unnamed"
    description: str = ""
    seconds: Annotated[float, Field(gt=0, le=60)] = 6.0
    stills: Size = (1920, 1080)
    preview: Delivery = Delivery(size=(640, 360), fps=12)
    final: Delivery = Delivery(size=(1920, 1080), fps=24)
    finish: tuple[Literal["upscale", "interpolate"], ...] = ("upscale", "interpolate")
    budget: Budget = Budget()

    @field_validator("finish")
    @classmethod
    def _once(cls, finish: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(finish)) != len(finish):
            raise ValueError("each finishing stage may be named once")
        return finish


class PipelineConfig(_Common):
    """A whole pipeline, resolved: nothing in it refers to another file."""

    stages: dict[Stage, StageChoice]

    @property
    def preview_spec(self) -> ClipSpec:
        """What the preview must be."""
        return ClipSpec(size=self.preview.size, fps=self.preview.fps, seconds=self.seconds)

    @property
    def final_spec(self) -> ClipSpec:
        """What the final must be."""
        return ClipSpec(size=self.final.size, fps=self.final.fps, seconds=self.seconds)

    def finishing(self, other: PipelineConfig) -> PipelineConfig:
        """This config up to the animated clip, `other` from there on: how a final follows its preview."""
        return self.model_copy(
            update={
                "name": other.name,
                "final": other.final,
                "finish": other.finish,
                "budget": other.budget,
                "stages": self.stages | {stage: other.stages[stage] for stage in FINISHING_STAGES},
            }
        )

    def fingerprint(self, kind: Literal["preview", "final"]) -> str:
        """A hash of everything in here that decides the pixels and figures of a preview or a final."""
        stages = PREVIEW_STAGES if kind == "preview" else STAGES
        matters: dict[str, Any] = {
            "seconds": self.seconds,
            "stills": self.stills,
            "preview": self.preview.model_dump(),
            "stages": {stage: self.stages[stage].model_dump(mode="json") for stage in stages if stage in self.stages},
        }
        if kind == "final":
            matters |= {"final": self.final.model_dump(), "finish": self.finish}
        return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()


class _Draft(_Common):
    """The file's shape before the stages' own parameters are looked at."""

    extends: str | None = None
    stages: dict[str, Any] = Field(default_factory=dict)


def load_config(name: str | Path) -> PipelineConfig:
    """Load, inherit and validate a config: a YAML file, or the name of one that ships with vpgen.

    Raises ConfigError with every problem at once, NotFound when there is no such file.
    """
    return _resolved(read(locate(str(name), Path()), seen=()))


def config_from(data: Mapping[str, Any], lines: Mapping[KeyPath, int], file: Path) -> PipelineConfig:
    """A config that is written inside another file: its keys, the line of each there, and that file.

    Raises what `load_config` raises, with places in `file`.
    """
    own = Source(dict(data), {key: (file, line) for key, line in lines.items()}, file)
    return _resolved(inherit(own, file, seen=()))


def _resolved(source: Source) -> PipelineConfig:
    """Validate merged YAML; every problem at once."""
    problems: list[str] = []
    draft: _Draft | None = None
    try:
        draft = _Draft.model_validate(source.data)
    except ValidationError as error:
        problems += _explain(error, _Draft, source, ())
    stages = source.data.get("stages")
    choices = _stages(stages if isinstance(stages, Mapping) else {}, source, problems)
    config: PipelineConfig | None = None
    if draft is not None and not problems:
        fields = {key: getattr(draft, key) for key in _Common.model_fields}
        try:
            config = PipelineConfig(**fields, stages=choices)
            problems += _impossible(config, source)
        except ValidationError as error:
            problems += _explain(error, PipelineConfig, source, ())
    if problems or config is None:
        raise ConfigError(
            sorted(set(problems), key=place), remedy="Fix the lines above; `vpgen config` prints a valid one"
        )
    return config


def _impossible(config: PipelineConfig, source: Source) -> list[str]:
    """What each key allows and all together do not: a final that its preview cannot become."""
    problems = []
    small, large = config.preview, config.final
    for kind, delivery in (("preview", small), ("final", large)):
        if round(config.seconds * delivery.fps) < 1:
            problems.append(
                f"{source.where(('seconds',))}: seconds: {config.seconds} s at {delivery.fps} fps ({kind}) are no frame"
            )
    if abs(small.size[0] / small.size[1] - large.size[0] / large.size[1]) > ASPECT_TOLERANCE:
        problems.append(
            f"{source.where(('final', 'size'))}: final.size: {large.size[0]}x{large.size[1]} has another shape than "
            f"the preview's {small.size[0]}x{small.size[1]}: it would be stretched"
        )
    elif large.size[0] < small.size[0]:
        problems.append(f"{source.where(('final', 'size'))}: final.size: the final is smaller than its preview")
    for stage, needed in (("upscale", small.size != large.size), ("interpolate", small.fps != large.fps)):
        if needed and stage not in config.finish:
            problems.append(f"{source.where(('finish',))}: finish: {stage} is missing, and preview and final differ")
    return problems


def _stages(stages: Mapping[str, Any], source: Source, problems: list[str]) -> dict[Stage, StageChoice]:
    choices: dict[Stage, StageChoice] = {}
    problems += [
        f"{source.where(('stages', stage))}: {_unknown(stage, STAGES, 'stage')}"
        for stage in stages
        if stage not in STAGES
    ]
    for stage in STAGES:
        if stage in OPTIONAL and stages.get(stage) is None:
            continue
        if stage not in stages:
            problems.append(f"{source.where(('stages',))}: no backend is chosen for the stage {stage!r}")
            continue
        chain = stages[stage] if isinstance(stages[stage], list) else [stages[stage]]
        links: list[StageChoice] = []
        for index, value in enumerate(chain):
            at: KeyPath = ("stages", stage, index) if isinstance(stages[stage], list) else ("stages", stage)
            given = _named(value)
            if given is None:
                problems.append(f"{source.where(at)}: say which backend: `{stage}: NAME` or `backend: NAME`")
                continue
            try:
                links.append(_choice(stage, given, source, problems, at))
            except (NotFound, MissingDependency) as error:
                problems.append(f"{source.where((*at, 'backend'))}: {error}")
        if links:
            choices[stage] = links[0].model_copy(update={"fallbacks": tuple(links[1:])})
        elif not chain:
            problems.append(f"{source.where(('stages', stage))}: the chain of {stage!r} is empty")
    return choices


def _named(value: object) -> Mapping[str, Any] | None:
    """A choice as a mapping with its backend: written as such, as NAME, or as PROVIDER/MODEL; None for neither."""
    if isinstance(value, str):
        name, slash, model = value.partition("/")
        return {"backend": name, "model": model} if slash else {"backend": name}
    if isinstance(value, Mapping) and isinstance(value.get("backend"), str):
        return value
    return None


def _choice(stage: Stage, given: Mapping[str, Any], source: Source, problems: list[str], at: KeyPath) -> StageChoice:
    name = given["backend"]
    backend = find(name)
    if not serves(backend, stage):
        raise NotFound(f"the backend {name!r} does not do {stage}; these do: {', '.join(serving(stage))}")
    raw = {
        key: source.beside(value, (*at, key)) if key in _paths(backend.Params) else value
        for key, value in given.items()
        if key not in {"backend", "next_on_refusal"}
    }
    try:
        params = backend.Params.model_validate(raw)
    except ValidationError as error:
        problems += _explain(error, backend.Params, source, at)
        return StageChoice(backend=name, version=backend.version, params={})
    files = {key: _digest(value) for key, value in params if isinstance(value, Path)}
    for key in (key for key, digest in files.items() if not digest):
        problems.append(f"{source.where((*at, key))}: {key}: there is no readable file {raw[key]}")
    if check := getattr(backend, "problems", None):
        problems += [f"{source.where((*at, 'model'))}: {found}" for found in check(stage, params, source.data)]
    return StageChoice(
        backend=name,
        version=backend.version,
        params=params.model_dump(mode="json"),
        files=files,
        next_on_refusal=given.get("next_on_refusal") is True,
    )


def _paths(params: type[BaseModel]) -> set[str]:
    """The parameters that name a file or folder."""
    return {name for name, field_ in params.model_fields.items() if "Path" in str(field_.annotation)}


def _digest(path: Path) -> str:
    """Of a file, or of a folder's files with their names; "" when there is nothing to read."""
    digest = hashlib.sha256()
    if not path.exists():
        return ""
    try:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()


def _unknown(key: str, known: Iterable[str], what: str) -> str:
    near = difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
    return f"unknown {what} {str(key)!r}; {hint}"


def _explain(error: ValidationError, model: type[BaseModel], source: Source, prefix: KeyPath) -> list[str]:
    """One line a problem: where it was written, which key, what is wrong, and the nearest known key."""
    lines = []
    for detail in error.errors(include_url=False):
        path = (*prefix, *detail["loc"])
        where = source.where(path)
        dotted = ".".join(str(part) for part in path)
        if detail["type"] == "extra_forbidden":
            inner: type[BaseModel] | None = model
            for part in detail["loc"][:-1]:
                annotation = inner.model_fields[str(part)].annotation if inner and part in inner.model_fields else None
                inner = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
            known = list(inner.model_fields) if inner else []
            above = ".".join(map(str, path[:-1])) or "the file"
            lines.append(f"{where}: {_unknown(str(detail['loc'][-1]), known, 'key')} (in {above})")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {dotted}: {message} (got {detail['input']!r:.80})")
    return lines
