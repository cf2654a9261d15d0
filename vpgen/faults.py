"""Where a test may strike: named points in the code that changes state. They do nothing otherwise."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

hooks: dict[str, Callable[[], object]] = {}
"""What a test does at a point, in this process: cut the network, lock the database."""


def point(name: str) -> None:
    """Die here as by `kill -9` when the environment variable VPGEN_FAULT names this point; else run its hook."""
    if os.environ.get("VPGEN_FAULT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
    if name in hooks:
        hooks[name]()
