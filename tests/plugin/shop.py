"""An installation that buys one stage from a look-alike provider, for the tests of everything around that."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from toy_config import write_toy_config

from vpgen.clip import ClipSpec, Prompt, Still
from vpgen.config import load_config
from vpgen.events import Event
from vpgen.money.spending import spending
from vpgen.results import ledger_of
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import AnimateRequest, Ref
from vpgen.step import Steps
from vpgen.store import clips, journal

STILL = Still(rgb=np.random.default_rng(0).integers(0, 255, (180, 320, 3), np.uint8))


class Shop:
    """An installation with a clip, and one way to buy for it."""

    def __init__(self, folder: Path, **overrides: str) -> None:
        self.file = write_toy_config(folder / "shop.yaml", None)
        text = self.file.read_text().replace("stills: [64, 64]", "stills: [320, 180]").replace("[64, 64]", "[320, 180]")
        text = text.replace("seconds: 1\n", "seconds: 6\n")
        for stage, choice in overrides.items():
            lines = [line for line in text.splitlines() if not line.startswith(f"  {stage}:")]
            text = "\n".join([*lines, f"  {stage}: {choice}"])
        self.file.write_text(text)
        self.events: list[Event] = []

    def buy(self, stage: Any, request: Any, clip: str = "c") -> Any:
        with Runtime.open(Settings()) as runtime:
            clips.begin(
                runtime.database, clip, kind="preview", parent=None, story="s", config_name="s", config_hash="h", seed=0
            )
            config = load_config(self.file)
            steps = Steps(runtime, config, ledger_of(runtime, clip, config), self.events.append)

            async def work() -> Any:
                async with runtime.connections():
                    return (await steps(stage, request)).load()

            return asyncio.run(work())

    def books(self) -> Decimal:
        """What the ledger says providers charged."""
        with Runtime.open(Settings()) as runtime:
            report = spending(runtime.database, "provider")
        return sum((row.usd for row in report.groups if row.name != "this machine"), Decimal(0))

    def journal(self) -> list[tuple[str, str | None]]:
        with Runtime.open(Settings()) as runtime:
            return [(row.state, row.outcome) for row in reversed(journal.entries(runtime.database, every=True))]


def motion(words: str = "slow push in") -> AnimateRequest:
    prompt = Prompt(character="c", background="b", motion=words)
    return AnimateRequest(Ref("still", lambda: STILL), prompt, 0, ClipSpec(size=(320, 180), fps=4, seconds=6))


BUY = """
import sys
from pathlib import Path
from shop import Shop, motion
Shop(Path(sys.argv[1]), animate=sys.argv[2]).buy("animate", motion())
"""


def buy_and_die(folder: Path, choice: str, point: str) -> int:
    """Buy in a process that is killed at the point; returns how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", BUY, str(folder), choice],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "VPGEN_FAULT": point},
        check=False,
        capture_output=True,
        timeout=120,
    )
    return done.returncode
