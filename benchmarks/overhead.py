"""What the framework adds to a stage: steps of a no-op backend against the same calls in a plain loop.

    python -m benchmarks.overhead [--runs 5] [--steps 100] [--prefect]

A step computes its key, looks in the store, locks, reserves and settles in the ledger, stores the result with its
record, and tells. `--prefect` runs the same steps as task runs of a flow, on a server started for it.
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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
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
        with _prefect_server() if options.prefect else nullcontext():
            if options.prefect:
                rows.append(("step, made, as Prefect task run", _prefect, min(options.steps, 50)))
            print(f"{'per stage':<34}{'median ms':>10}{'min':>8}{'max':>8}")
            for name, measure, steps in rows:
                _print(name, [measure(steps) * 1000 / steps for _ in range(options.runs)])
            if options.prefect:
                print(f"\n{'per clip':<34}{'median s':>10}{'min':>8}{'max':>8}")
                _print("Prefect flow run without a stage", [_empty_flow() for _ in range(options.runs)])
        print(f"\n{'process':<34}{'median s':>10}{'min':>8}{'max':>8}")
        bin_folder = Path(sys.executable).parent
        for name, command in (
            ("python -c pass", [sys.executable, "-c", "pass"]),
            ("import vpgen", [sys.executable, "-c", "import vpgen"]),
            ("vpgen --help", [str(bin_folder / "vpgen"), "--help"]),
            *([("import flows.preview", [sys.executable, "-c", "import flows.preview"])] if options.prefect else []),
        ):
            times = []
            for _ in range(options.runs):
                began = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times.append(time.perf_counter() - began)
            _print(name, times)


def _print(name: str, times: list[float]) -> None:
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


async def _run_steps(count: int, *, fresh: bool, around=None, tell=None) -> float:
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
            runtime,
            config,
            Ledger(runtime.database, runtime.prices, None, config.budget.clip),
            tell or silent,
            around or plain,
        )
        began = time.perf_counter()
        for index in range(count):
            await steps("plan", PlanRequest(f"story {_COUNT} {index}"))
        return time.perf_counter() - began


@contextmanager
def _prefect_server() -> Iterator[None]:
    """A server of its own, on a port that is free."""
    import socket

    from vpgen import servers
    from vpgen.settings import Settings

    settings = Settings()
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = servers.prefect(settings, free.getsockname()[1])
    servers.start(server, settings)
    os.environ.update({"PREFECT_API_URL": f"{server.url}/api", "PREFECT_LOGGING_LEVEL": "ERROR", **server.environment})
    try:
        yield
    finally:
        servers.stop(server, settings)


def _prefect(count: int) -> float:
    """Only the stages of a flow run."""
    seconds = 0.0

    async def work() -> None:
        nonlocal seconds
        from flows.stages import on_page
        from vpgen.runtime import Runtime

        with Runtime.open() as runtime:
            async with on_page(runtime, count) as page:
                seconds = await _run_steps(count, fresh=True, around=page.around, tell=page.tell)

    _as_flow(work)
    return seconds


def _empty_flow() -> float:
    """What a run costs before and after its stages: its states, its page, its log."""
    from flows.stages import on_page
    from vpgen.runtime import Runtime

    async def work() -> None:
        with Runtime.open() as runtime:
            async with on_page(runtime, 1):
                pass

    began = time.perf_counter()
    _as_flow(work)
    return time.perf_counter() - began


def _as_flow(work: Callable[[], Awaitable[None]]) -> None:
    from prefect import flow

    @flow(name="overhead")
    async def measured() -> None:
        await work()

    asyncio.run(measured())


if __name__ == "__main__":
    main()
