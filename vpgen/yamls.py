"""YAML from anyone: no Python tags, no alias bombs, no duplicate keys; every error with its file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from vpgen.errors import ConfigError, InvalidInput

KeyPath = tuple[str | int, ...]
MAX_BYTES = 1_000_000
MAX_NODES = 100_000
"""Nodes after every alias is written out; a billion-laughs file has that many by its fifth line."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_yaml(path: Path) -> Any:  # a document may be anything
    """The document in a file. Raises ConfigError with file:line, InvalidInput when it cannot be read."""
    return load_yaml_with_lines(path)[0]


def load_yaml_with_lines(path: Path) -> tuple[Any, dict[KeyPath, int]]:
    """The document, and the 1-based line of every key path in it, e.g. ("stages", "encode", "crf")."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([f"{path}:1: larger than {MAX_BYTES} bytes, which no config is"])
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}:1: not UTF-8 text: {error.reason}"]) from error
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        _refuse_bombs(node, path)
        lines = dict(_lines(node, (), path))
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{path}:{line}: {error.problem}"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([f"{path}:1: not YAML: {error}"]) from error
    finally:
        loader.dispose()


def _refuse_bombs(node: yaml.Node, path: Path) -> None:
    """Count the nodes as if every alias were written out, without writing them out."""
    sizes: dict[int, int] = {}

    def size(at: yaml.Node, above: frozenset[int]) -> int:
        if id(at) in above:
            raise ConfigError([f"{path}:{at.start_mark.line + 1}: an alias refers to itself"])
        if id(at) not in sizes:
            below = [child for pair in at.value for child in (pair if isinstance(pair, tuple) else (pair,))]
            inner = above | {id(at)}
            sizes[id(at)] = 1 + (sum(size(child, inner) for child in below) if isinstance(at.value, list) else 0)
        if sizes[id(at)] > MAX_NODES:
            raise ConfigError([f"{path}:{at.start_mark.line + 1}: its aliases grow beyond {MAX_NODES} nodes"])
        return sizes[id(at)]

    if isinstance(node.value, list):
        size(node, frozenset())


def _lines(node: yaml.Node, path: KeyPath, file: Path) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ConfigError([f"{file}:{key.start_mark.line + 1}: the key {name!r} is there twice"])
            seen.add(name)
            yield (*path, name), key.start_mark.line + 1
            yield from _lines(value, (*path, name), file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from _lines(value, (*path, index), file)
