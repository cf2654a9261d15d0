"""Where a test may kill this process: named points in the code that changes state. Does nothing otherwise."""

from __future__ import annotations

import os
import signal


def point(name: str) -> None:
    """Die here as by `kill -9` when the environment variable VPGEN_FAULT names this point (chaos tests set it)."""
    if os.environ.get("VPGEN_FAULT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
