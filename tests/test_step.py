"""One stage at a time: what is kept is not run again, what fails is booked as waste, what is killed is never believed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from toy_config import write_toy_config

from vpgen.clip import Prompt
from vpgen.config import load_config
from vpgen.errors import Conflict, OverBudget, StageFailed
from vpgen.events import Event
from vpgen.money.ledger import Ledger
from vpgen.runtime import Runtime
from vpgen.stages import BackgroundRequest, MattingRequest, PlanRequest, Ref
from vpgen.step import Steps, input_keys, step_key
from vpgen.store import clips
from vpgen.store.schema import Charge

PLAN = PlanRequest("a story")


def _steps(runtime: Runtime, config_file: Path, events: list[Event] | None = None, clip_id: str | None = None) -> Steps:
    config = load_config(config_file)
    ledger = Ledger(runtime.database, runtime.prices, clip_id, config.budget.clip)
    return Steps(runtime, config, ledger, (events if events is not None else []).append)


@pytest.fixture
def toy(tmp_path: Path, toy_log: Path) -> Path:
    return write_toy_config(tmp_path / "toy.yaml", toy_log)


def test_the_second_time_comes_from_the_store(runtime: Runtime, toy: Path, toy_log: Path) -> None:
    """The same request runs its backend once and says `cached` afterwards."""
    events: list[Event] = []
    steps = _steps(runtime, toy, events)
    first = asyncio.run(steps("plan", PLAN)).load()
    second = asyncio.run(_steps(runtime, toy, events)("plan", PLAN)).load()
    assert first == second == Prompt(character="a story", background="a story", motion="still")
    assert toy_log.read_text() == "plan\n"
    assert [event.kind for event in events] == ["started", "finished", "cached"]


def test_a_key_changes_with_everything_that_matters(tmp_path: Path, toy_log: Path) -> None:
    """Story, parameters, backend version and input keys each make another key; nothing else does."""
    config = load_config(write_toy_config(tmp_path / "a.yaml", toy_log))
    other = load_config(write_toy_config(tmp_path / "b.yaml", toy_log, plan="shade: 7"))
    choice = config.stages["plan"]
    keys = {
        step_key("plan", choice, PLAN),
        step_key("plan", choice, PlanRequest("another story")),
        step_key("plan", other.stages["plan"], PLAN),
        step_key("plan", choice.model_copy(update={"version": "2"}), PLAN),
        step_key("matting", choice, MattingRequest(Ref("k1", lambda: None))),
        step_key("matting", choice, MattingRequest(Ref("k2", lambda: None))),
    }
    assert len(keys) == 6
    assert step_key("plan", choice, PLAN) == step_key("plan", choice, PlanRequest("a story"))
    assert input_keys(MattingRequest(Ref("k1", lambda: None))) == {"picture": "k1"}


def test_a_failing_backend_is_named_and_its_cost_is_waste(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """The error says stage, backend and cost; the ledger has the attempt as waste; nothing is stored."""
    broken = write_toy_config(tmp_path / "x.yaml", toy_log, plan="fail: no ink, hang: 0.05")
    clips.begin(runtime.database, "c", kind="preview", parent=None, story="s", config_name="x", config_hash="h", seed=0)
    steps = _steps(runtime, broken, clip_id="c")
    with pytest.raises(StageFailed, match="plan/toy: RuntimeError: no ink") as caught:
        asyncio.run(steps("plan", PLAN))
    assert caught.value.cost_usd is not None
    with runtime.database.read() as session:
        charges = session.scalars(sa.select(Charge)).all()
    assert {(charge.sku, charge.waste, charge.category, charge.reason) for charge in charges} == {
        ("cpu_second", True, "overhead", "RuntimeError")
    }
    assert not runtime.store.list_documents("steps")
    assert list(runtime.scratch.iterdir()) == []


def test_who_waits_for_another_run_says_so_once(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """Not ten times a second: at once, then every ten seconds, with how long it has been."""
    slow = write_toy_config(tmp_path / "slow.yaml", toy_log, plan="hang: 0.01")
    events: list[Event] = []
    steps = _steps(runtime, slow, events)
    key = step_key("plan", steps.config.stages["plan"], PLAN)

    async def work() -> None:
        with runtime.store.lock(key):
            waiting = asyncio.ensure_future(steps("plan", PLAN))
            await asyncio.sleep(0.6)
        await waiting

    asyncio.run(work())
    said = [event.note for event in events if event.kind == "waiting"]
    assert said == ["for another run that makes the same thing (0 s)"]


def test_two_tasks_asking_for_one_key_do_the_work_once(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """Side by side in one process, one makes it and the other waits for it."""
    slow = write_toy_config(tmp_path / "slow.yaml", toy_log, plan="hang: 0.2")
    steps = _steps(runtime, slow)

    async def both() -> None:
        await asyncio.gather(*(steps("plan", PLAN) for _ in range(5)))

    asyncio.run(both())
    assert toy_log.read_text() == "plan\n"
    assert sorted(entry.how for entry in steps.trail) == ["cached"] * 4 + ["made"]


def test_an_estimate_over_budget_is_refused_before_the_backend_runs(
    runtime: Runtime, tmp_path: Path, toy_log: Path
) -> None:
    """Nothing runs when it does not fit."""
    dear = write_toy_config(tmp_path / "dear.yaml", toy_log, plan='usage: {gpu_second: "100000"}')
    with pytest.raises(OverBudget, match="of this clip's 2.00 USD"):
        asyncio.run(_steps(runtime, dear)("plan", PLAN))
    assert not toy_log.exists()


def test_cpu_time_and_storage_are_priced(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """A picture that was drawn costs its CPU-seconds and its bytes for a month."""
    steps = _steps(runtime, write_toy_config(tmp_path / "t.yaml", toy_log))
    prompt = Prompt(character="c", background="b", motion="m")
    asyncio.run(steps("background", BackgroundRequest(prompt, 1, (64, 64))))
    record = runtime.store.get_document("steps", steps.trail[0].key)
    assert record is not None
    assert set(record["usage"]) == {"cpu_second", "storage_gb_month"}
    assert Decimal(record["usage"]["storage_gb_month"]) > 0


def test_frames_of_an_older_backend_are_not_passed_off_as_approved(runtime: Runtime, toy: Path) -> None:
    """A manifest that names another version of a backend must find its results stored, or say so."""
    steps = _steps(runtime, toy)
    old = {stage: choice.model_copy(update={"version": "0"}) for stage, choice in steps.config.stages.items()}
    steps.config = steps.config.model_copy(update={"stages": old})
    with pytest.raises(Conflict, match="approved with version 0"):
        asyncio.run(steps("plan", PLAN))


RUN = """
import asyncio, sys
from pathlib import Path
from vpgen.config import load_config
from vpgen.money.ledger import Ledger
from vpgen.runtime import Runtime
from vpgen.stages import PlanRequest
from vpgen.step import Steps
with Runtime.open() as runtime:
    config = load_config(Path(sys.argv[1]))
    steps = Steps(runtime, config, Ledger(runtime.database, runtime.prices, None, config.budget.clip), lambda event: None)
    print(asyncio.run(steps("plan", PlanRequest("a story"))).load().character, steps.trail[0].how)
"""


def _process(config: Path) -> "subprocess.Popen[str]":
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(config)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_two_processes_asking_for_one_key_do_the_work_once(tmp_path: Path, toy_log: Path) -> None:
    """The second process waits for the first and takes its result."""
    slow = write_toy_config(tmp_path / "slow.yaml", toy_log, plan="hang: 1.0")
    both = [_process(slow) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["a story cached", "a story made"]
    assert toy_log.read_text() == "plan\n"


def test_a_killed_step_leaves_nothing_and_is_done_again(tmp_path: Path, toy_log: Path) -> None:
    """kill -9 at work: its lock is free, no record is believed, its scratch folder goes, the next run makes it."""
    slow = write_toy_config(tmp_path / "slow.yaml", toy_log, plan="hang: 30")
    victim = _process(slow)
    while not toy_log.exists():
        assert victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.communicate()
    with Runtime.open() as runtime:
        assert not runtime.store.list_documents("steps")
        folders = [folder.name for folder in (runtime.settings.home / "work").iterdir()]
        assert all(name.startswith(f"{os.getpid()}-") for name in folders)
    quick = _process(write_toy_config(tmp_path / "slow.yaml", toy_log, plan="hang: 0.01"))
    assert quick.communicate(timeout=60)[0].strip() == "a story made"
