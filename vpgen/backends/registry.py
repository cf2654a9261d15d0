"""Finds backends by name through the entry-point group `vpgen.backends`; the built-in ones are there too."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from vpgen.errors import MissingDependency, NotFound
from vpgen.stages import Backend, Stage

GROUP = "vpgen.backends"
STAGES: tuple[Stage, ...] = get_args(Stage)


@cache
def installed() -> dict[str, EntryPoint]:
    """Every backend's entry point by name. On a clash the built-in one wins, so that none can be shadowed."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        if point.name not in found or point.value.startswith("vpgen."):
            found[point.name] = point
    return found


@cache
def find(name: str) -> type[Backend]:
    """The backend class `name`.

    Raises NotFound (with the nearest name) or MissingDependency when its module cannot be imported.
    """
    points = installed()
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "the installed ones are: " + ", ".join(sorted(points))
        raise NotFound(f"no backend is called {name!r}; {hint}", remedy="See `vpgen doctor` for all backends")
    try:
        backend: Any = points[name].load()
    except ImportError as error:
        raise MissingDependency(
            f"the backend {name!r} cannot be imported: {error}", remedy="Install the extra that brings it"
        ) from error
    return backend  # type: ignore[no-any-return]  # an entry point may be anything; serves() checks what it can do


def serves(backend: type[Backend], stage: str) -> bool:
    """Whether the backend has a method for the stage."""
    return callable(getattr(backend, stage, None))


def serving(stage: str) -> list[str]:
    """Names of the importable backends that serve the stage."""
    names = []
    for name in sorted(installed()):
        try:
            if serves(find(name), stage):
                names.append(name)
        except MissingDependency:
            continue
    return names
