"""Changing what a backend makes means bumping its version: this reminds whoever forgets.

    python tests/backends/test_versions.py     writes the record anew, once the versions are right

The code of a backend is its module and every module of backends, media and quality that it reaches, as parsed (so
comments and layout do not count), with the data files beside them. A provider's backend is left out: what it makes
is made elsewhere.
"""

import ast
import hashlib
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RECORD = Path(__file__).with_name("versions.yaml")
ROOMS = ("vpgen.backends.", "vpgen.media.", "vpgen.quality.")
ELSEWHERE = ("vpgen.backends.http", "vpgen.backends.sandbox", "vpgen.backends.registry")


def _file(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _reached(module: str, seen: set[str]) -> set[str]:
    """The module and those of our rooms that it imports, anywhere in it."""
    file = _file(module)
    if file is None or module in seen or module.startswith(ELSEWHERE):
        return seen
    seen.add(module)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                if name.startswith(ROOMS):
                    _reached(name, seen)
    return seen


def _without_words(tree: ast.AST) -> str:
    """The code as parsed, without docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))] or [
                ast.Pass()
            ]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _digest(module: str) -> str:
    """Of everything that decides what the backend in the module makes."""
    digest = hashlib.sha256()
    modules = sorted(_reached(module, set()))
    folders = {file.parent for name in modules if (file := _file(name))}
    for name in modules:
        file = _file(name)
        assert file is not None
        digest.update(name.encode() + _without_words(ast.parse(file.read_text())).encode())
    data = {
        path
        for folder in folders
        for place in (folder, folder / "models", folder / "templates")
        if place.is_dir() and (place == folder or folder == ROOT / Path(*module.split(".")[:-1]))
        for path in place.iterdir()
        if path.suffix in {".yaml", ".onnx", ".npz", ".j2"}
    }
    for path in sorted(data):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _now() -> dict[str, dict[str, str]]:
    points = [p for p in entry_points(group="vpgen.backends") if p.value.startswith("vpgen.")]
    local = [p for p in sorted(points, key=lambda p: p.name) if not p.value.startswith(ELSEWHERE)]
    return {p.name: {"version": p.load().version, "code": _digest(p.module)} for p in local}


NAMES = sorted(_now())


@pytest.mark.parametrize("name", NAMES)
def test_a_backend_that_changed_has_another_version(name: str) -> None:
    """When this fails: does it make anything else now? Then bump its `version`. Then write the record anew."""
    record = yaml.safe_load(RECORD.read_text())
    if record["python"] != PYTHON:
        pytest.skip(f"the record is of Python {record['python']}, whose parser differs from that of {PYTHON}")
    recorded, now = record["backends"].get(name), _now()[name]
    again = "python tests/backends/test_versions.py"
    assert recorded, f"{name} is new: {again}"
    if recorded["code"] != now["code"]:
        assert recorded["version"] != now["version"], (
            f"the code behind {name!r} changed and its version is still {now['version']}: results in users' stores "
            f"would be taken for what it makes now. Bump `version` (or keep it when the output is the same bit for "
            f"bit), then: {again}"
        )
        pytest.fail(f"{name!r} has a new version: write the record anew: {again}")


def test_the_reminder_sees_what_it_must() -> None:
    """Code that a backend reaches counts, layout and docstrings do not."""
    reached = _reached("vpgen.backends.parallax", set())
    assert {"vpgen.backends.parallax", "vpgen.media.planes", "vpgen.media.camera", "vpgen.media.ambient"} <= reached
    one, same, other = ('"""Doc."""\nx = 1  # why\n', "x = (1)\n", "x = 2\n")
    assert _without_words(ast.parse(one)) == _without_words(ast.parse(same)) != _without_words(ast.parse(other))


if __name__ == "__main__":
    RECORD.write_text(
        "# What each backend's code was when its version was last looked at: see test_versions.py.\n"
        + yaml.safe_dump({"python": PYTHON, "backends": _now()}, sort_keys=True)
    )
    sys.stdout.write(f"{len(NAMES)} backends -> {RECORD}\n")
