"""Finds the folders that travel beside the package: `configs/`, `flows/`, `notebooks/`."""

from __future__ import annotations

from pathlib import Path

from vpgen.errors import NotFound

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `name`: inside the installed wheel, or at the root of a checkout.

    Raises NotFound when the installation lacks it.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise NotFound(f"this installation of vpgen has no folder {name!r}", remedy="Reinstall: pip install --force vpgen")
