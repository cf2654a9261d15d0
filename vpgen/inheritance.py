"""YAML that extends other YAML: finding the file, laying one over the other, and where each key was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from vpgen.errors import ConfigError, NotFound
from vpgen.resources import folder
from vpgen.yamls import load_yaml_with_lines

KeyPath = tuple[str | int, ...]
"""A key path in a YAML file, e.g. ("stages", "encode", "crf")."""
NOT_PIPELINES = ("gate", "prices", "retention")
"""What else lies in configs/."""


@dataclass
class Source:
    """Merged YAML with the place each key was written."""

    data: dict[str, Any]
    lines: dict[KeyPath, tuple[Path, int]] = field(default_factory=dict)
    file: Path = Path()

    def beside(self, value: object, path: KeyPath) -> object:
        """A relative file name, taken from where the file that wrote it lies."""
        if not isinstance(value, str):
            return value
        return str(self.lines.get(path, (self.file, 1))[0].parent / Path(value).expanduser())

    def where(self, path: KeyPath) -> str:
        """file:line of the key, or of the nearest key above it."""
        while path and path not in self.lines:
            path = path[:-1]
        file, line = self.lines.get(path, (self.file, 1))
        return f"{file}:{line}"


def shipped() -> list[str]:
    """Names of the pipeline configs that come with vpgen."""
    return sorted(path.stem for path in folder("configs").glob("*.yaml") if path.stem not in NOT_PIPELINES)


def locate(name: str, base: Path) -> Path:
    """The file of a config: beside `base`, or one that ships. Raises NotFound."""
    given = base / name
    candidates = [given, given.with_name(given.name + ".yaml")]
    if "/" not in name and "\\" not in name:
        configs = folder("configs")
        candidates += [configs / name, configs / f"{name}.yaml"]
    for path in candidates:
        if path.is_file():
            return path
    raise NotFound(f"there is no config {name!r}", remedy="The ones that ship: " + ", ".join(shipped()))


def read(path: Path, seen: tuple[Path, ...]) -> Source:
    """A file with all that it inherits; `seen` are the files that led here. Raises ConfigError."""
    if path.resolve() in seen:
        raise ConfigError([f"{path}:1: extends itself, by way of {seen[-1]}"])
    data, lines = load_yaml_with_lines(path)
    if not isinstance(data, dict):
        raise ConfigError([f"{path}:1: a config is a mapping of keys, not {type(data).__name__}"])
    return inherit(Source(data, {key: (path, line) for key, line in lines.items()}, path), path, seen)


def inherit(own: Source, path: Path, seen: tuple[Path, ...]) -> Source:
    """With what the config that it extends says, where it says nothing itself."""
    parent = own.data.get("extends")
    if not isinstance(parent, str):
        return own
    base = read(locate(parent, path.parent), (*seen, path.resolve()))
    # Where this file replaces something whole, the parent's lines below it no longer say where it was written.
    leaves = {key for key in own.lines if not any(other[:-1] == key for other in own.lines)}
    kept = {key: at for key, at in base.lines.items() if not any(key[:n] in leaves for n in range(1, len(key)))}
    return Source(merge(base.data, own.data), kept | own.lines, path)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A config's keys with what another says laid over them."""
    merged = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if key == "stages" and isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = dict(below) | {
                stage: _merge_stage(below.get(stage), choice) for stage, choice in value.items()
            }
        elif isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _merge_stage(base: object, over: object) -> object:
    """Parameters are inherited only while the backend stays the same: another backend has other ones."""
    if not isinstance(over, Mapping) or isinstance(base, list):
        return over
    inherited: Mapping[str, Any] = {"backend": base} if isinstance(base, str) else cast("Mapping[str, Any]", base or {})
    if over.get("backend", inherited.get("backend")) != inherited.get("backend"):
        return over
    return merge(inherited, over)


def place(problem: str) -> tuple[str, int, str]:
    """Sorts problems by file and line, not by the digits of the line."""
    file, _, rest = problem.partition(":")
    line, _, words = rest.partition(":")
    return file, int(line) if line.isdigit() else 0, words
