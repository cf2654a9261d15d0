"""What the framework adds to a stage: steps of a no-op backend against the same calls in a plain loop.

    python -m benchmarks.overhead [--runs 5] [--steps 100] [--prefect]

A step computes its key, looks in the store, locks, reserves and settles in the ledger, stores the result with its
record, and tells. `--prefect` runs the same steps as task runs of a flow on a temporary server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "plugin"), str(ROOT / "tests")]


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--prefect", action="store_true", help="also as Prefect task runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(VPGEN_HOME=home, VPGEN_TRACKING="false")
        rows = [
            ("plain loop", _plain, options.steps),
            ("step, made", lambda n: _steps(n, fresh=True), options.steps),
            ("step, cached", lambda n: _steps(n, fresh=False), options.steps),
        ]
        if options.prefect:
            os.environ.update(
                PREFECT_HOME=f"{home}/prefect",
                PREFECT_LOGGING_LEVEL="ERROR",
                PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true",
            )
            rows.append(("step, made, as Prefect task run", _prefect, min(options.steps, 50)))
        print(f"{'per stage':<34}{'median ms':>10}{'min':>8}{'max':>8}")
        for name, measure, steps in rows:
            times = [measure(steps) * 1000 / steps for _ in range(options.runs)]
            print(f"{name:<34}{statistics.median(times):>10.3f}{min(times):>8.3f}{max(times):>8.3f}")
    print(f"\n{'process':<34}{'median s':>10}{'min':>8}{'max':>8}")
    bin_folder = Path(sys.executable).parent
    for name, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("import vpgen", [sys.executable, "-c", "import vpgen"]),
        ("vpgen --help", [str(bin_folder / "vpgen"), "--help"]),
    ):
        times = []
        for _ in range(options.runs):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - began)
        print(f"{name:<34}{statistics.median(times):>10.3f}{min(times):>8.3f}{max(times):>8.3f}")


_COUNT = 0


def _plain(steps: int) -> float:
    from vpgen_toy import Toy, ToyParams

    from vpgen.stages import PlanRequest, Work

    toy, work = Toy(ToyParams()), Work(dir=Path())
    began = time.perf_counter()
    for index in range(steps):
        toy.plan(PlanRequest(f"story {index}"), work)
    return time.perf_counter() - began


def _steps(count: int, *, fresh: bool) -> float:
    return asyncio.run(_run_steps(count, fresh=fresh))


async def _run_steps(count: int, *, fresh: bool, around=None) -> float:
    global _COUNT  # noqa: PLW0603  # each fresh measurement needs stories that were never told
    from toy_config import write_toy_config

    from vpgen.config import load_config
    from vpgen.events import silent
    from vpgen.money.ledger import Ledger
    from vpgen.runtime import Runtime
    from vpgen.stages import PlanRequest
    from vpgen.step import Steps, plain

    _COUNT += fresh
    with Runtime.open() as runtime:
        path = write_toy_config(runtime.settings.home / "toy.yaml", None)
        config = load_config(path)
        steps = Steps(
            runtime, config, Ledger(runtime.database, runtime.prices, None, config.budget.clip), silent, around or plain
        )
        began = time.perf_counter()
        for index in range(count):
            await steps("plan", PlanRequest(f"story {_COUNT} {index}"))
        return time.perf_counter() - began


def _prefect(count: int) -> float:
    from prefect import flow

    from flows.stages import stages_as_tasks

    seconds = 0.0

    @flow(name="overhead")
    async def measured() -> None:
        nonlocal seconds
        seconds = await _run_steps(count, fresh=True, around=await stages_as_tasks(count))

    asyncio.run(measured())
    return seconds


if __name__ == "__main__":
    main()
