"""Running an experiment: it stops when the answer is known, keeps every outcome, and goes on where it was killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from lab.toys import toys, write_experiment

from vpgen.errors import Conflict, InvalidInput
from vpgen.events import Event
from vpgen.lab import run as lab
from vpgen.lab import trials
from vpgen.lab.definition import Experiment
from vpgen.lab.report import headline
from vpgen.lab.result import Result, load
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store import schema_lab as tables
from vpgen.studio import run


def _run(runtime: Runtime, experiment: Experiment, **more: object) -> Result:
    return run(lab.run(experiment, runtime=runtime, **more))  # type: ignore[arg-type]


def test_it_stops_as_soon_as_the_winner_is_sure(runtime: Runtime, tmp_path: Path) -> None:
    """A clear difference is settled before the pairs run out, and the rest is not bought."""
    result = _run(runtime, toys(tmp_path))
    assert result.state == "decided"
    assert (result.verdict.winner, result.verdict.stopped_for) == ("light", "win")
    pairs = result.trials["pair"].nunique()
    assert 6 <= pairs < 12
    assert len(result.trials) == 2 * pairs
    difference = result.difference("light", "bright")
    assert difference is not None
    assert difference.better is True
    assert difference.mean == pytest.approx(52 / 300, abs=8 / 300)


def test_no_difference_stops_for_futility_or_runs_out_of_pairs(runtime: Runtime, tmp_path: Path) -> None:
    """Nobody wins, and the baseline stays."""
    result = _run(
        runtime, toys(tmp_path, variants="  dark:\n  same: {name: other}", decision="{min_pairs: 6, margin: 0.05}")
    )
    assert result.verdict.winner is None
    assert result.verdict.stopped_for in {"futility", "pairs"}


def test_variants_share_every_stage_they_do_not_change(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """A pair runs the common stages once, and the changed one twice."""
    result = _run(runtime, toys(tmp_path, log=toy_log, decision="{rule: fixed}"))
    done = Counter(toy_log.read_text().split())
    assert done["score"] == 24
    assert done["animate"] == 12
    assert len(result.trials) == 24


def test_cost_and_seconds_count_a_stage_whoever_made_it(runtime: Runtime, tmp_path: Path) -> None:
    """Both variants are charged the shared stage in the comparison; the ledger is charged once."""
    usage = "{backend: toy, usage: {cpu_second: 100}, log: null}"
    experiment = toys(tmp_path, decision="{rule: fixed}", more="seeds: [0]\n")
    shared = (
        experiment.variants["dark"]
        .stages["animate"]
        .model_copy(update={"params": {"log": None, "shade": 128, "fail": None, "hang": 0.05, "usage": {}}})
    )
    assert usage
    experiment = experiment.model_copy(
        update={
            "variants": {
                name: config.model_copy(update={"stages": {**config.stages, "animate": shared}})
                for name, config in experiment.variants.items()
            }
        }
    )
    result = _run(runtime, experiment)
    for _, pair in result.trials.groupby("pair"):
        dark, light = (pair[pair["variant"] == name].iloc[0] for name in ("dark", "light"))
        assert dark["seconds.animate"] == light["seconds.animate"] > 0.05
        assert dark["seconds"] > 0.05
        assert light["seconds"] > 0.05
    assert float(result.spent_usd) < result.trials["usd"].sum()


def test_failures_and_refusals_are_outcomes(runtime: Runtime, tmp_path: Path) -> None:
    """They are counted, have quality 0 and a reason, and never silently drop a pair."""
    stories = ("a forbidden woman", *(f"a woman {n}" for n in range(7)))
    broken = "  dark:\n  broken: {stages: {score: {backend: toy, fail: out of paint}}}"
    result = _run(runtime, toys(tmp_path, variants=broken, stories=stories, decision="{rule: fixed}"))
    states = {(row.variant, row.state): n for row, n in zip(*_counted(result), strict=True)}
    assert states == {
        ("dark", "completed"): 7,
        ("dark", "refused"): 1,
        ("broken", "failed"): 7,
        ("broken", "refused"): 1,
    }
    broken_rows = result.trials[result.trials["variant"] == "broken"]
    assert set(broken_rows["quality"]) == {0.0}
    assert broken_rows["error"].str.contains("out of paint|forbidden").all()
    assert result.summary.loc["broken", "failed"] == 7
    assert result.verdict.standing("broken").decision == "loss"


def test_a_failed_trial_has_cost_what_its_attempts_cost(runtime: Runtime, tmp_path: Path) -> None:
    """It bought nothing, and is in the price of every accepted clip."""
    usage = "usage: {cpu_second: 100}"
    broken = (
        f"  dark:\n  broken: {{stages: {{animate: {{backend: toy, {usage}}}, "
        "score: {backend: toy, fail: out of paint}}}"
    )
    experiment = toys(tmp_path, variants=broken, decision="{rule: fixed, min_pairs: 2, max_pairs: 2}")
    result = _run(runtime, experiment)
    lost = result.trials[result.trials["variant"] == "broken"]
    assert (lost["usd"] > 0).all()
    assert lost["clip_id"].str.startswith("preview-").all()
    assert result.summary.loc["dark", "usd_per_accepted"] == pytest.approx(result.summary.loc["dark", "usd"])


def _counted(result: Result) -> tuple[list, list]:
    sizes = result.trials.groupby(["variant", "state"]).size().reset_index(name="n")
    return list(sizes.itertuples()), list(sizes["n"])


def test_a_time_out_is_an_outcome(runtime: Runtime, tmp_path: Path) -> None:
    """A clip that takes longer than `timeout` is counted as such."""
    slow = "  dark:\n  slow: {stages: {score: {backend: toy, hang: 30}}}"
    result = _run(
        runtime,
        toys(tmp_path, variants=slow, decision="{rule: fixed, max_pairs: 2, min_pairs: 2}", more="timeout: 0.4\n"),
    )
    slow_rows = result.trials[result.trials["variant"] == "slow"]
    assert set(slow_rows["state"]) == {"timeout"}
    assert slow_rows["error"].str.contains("not done within 0.4 s").all()


def test_a_guard_rail_keeps_a_winner_from_winning(runtime: Runtime, tmp_path: Path) -> None:
    """Better on quality, and slower than it may be."""
    slow = "  dark:\n  light: {stages: {score: {backend: toy, shade: 180, hang: 0.1}}}"
    metrics = "  bright: {weight: 1}\n  seconds: {margin: 0.01}"
    result = _run(runtime, toys(tmp_path, variants=slow, metrics=metrics))
    assert result.verdict.winner is None
    standing = result.verdict.standing("light")
    assert standing.decision == "win"
    assert "seconds is worse than dark's" in standing.breaches[0]
    assert standing.breaches[0] in result.verdict.why


def test_the_budget_ends_it_and_more_budget_goes_on(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """What was bought is kept; the same experiment with a larger budget runs only what is missing."""
    usage = "usage: {cpu_second: 1000}"  # about 0.011 USD
    variants = f"  dark: {{stages: {{animate: {{backend: toy, log: {toy_log}, {usage}}}}}}}\n  light: {{stages: {{animate: {{backend: toy, log: {toy_log}, {usage}}}, score: {{backend: toy, shade: 180}}}}}}"
    poor = toys(tmp_path, variants=variants, more="budget: 0\n")
    told: list[Event] = []
    result = _run(runtime, poor, tell=told.append)
    assert result.state == "stopped"
    assert result.verdict.stopped_for == "budget"
    assert any("budget" in event.note for event in told)
    assert result.trials.empty
    rich = _run(runtime, poor.model_copy(update={"budget": Decimal(1)}))
    assert rich.state == "decided"
    assert rich.verdict.winner == "light"
    assert rich.id == poor.id


def test_the_spending_is_on_the_books_of_the_experiment(runtime: Runtime, tmp_path: Path) -> None:
    """Every charge of its clips names it."""
    from vpgen.money.spending import spending

    experiment = toys(tmp_path, decision="{rule: fixed, max_pairs: 2, min_pairs: 2}")
    result = _run(runtime, experiment)
    groups = {group.name: group for group in spending(runtime.database, "experiment").groups}
    assert set(groups) == {experiment.id}
    assert result.spent_usd == groups[experiment.id].usd > 0


def test_a_metric_nobody_measures_is_said_after_the_first_clip(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """With the reason, before the rest is paid for."""
    with pytest.raises(InvalidInput, match="has no sound: toys are silent"):
        _run(runtime, toys(tmp_path, log=toy_log, metrics="  sound: {weight: 1}"))
    with pytest.raises(InvalidInput, match="has no taste: measured are .*bright"):
        _run(runtime, toys(tmp_path, log=toy_log, metrics="  taste: {weight: 1}"))
    with pytest.raises(InvalidInput, match="bytes has no best or worst value") as caught:
        _run(runtime, toys(tmp_path, log=toy_log, metrics="  bytes: {weight: 1}"))
    assert "range: [LOW, HIGH]" in str(caught.value.remedy)
    assert Counter(toy_log.read_text().split())["animate"] <= 3


def test_run_again_it_makes_nothing(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """The second run finds every outcome, and says the same."""
    experiment = toys(tmp_path, log=toy_log)
    first = _run(runtime, experiment)
    toy_log.unlink()
    again = _run(runtime, experiment)
    assert not toy_log.exists()
    assert again.trials.equals(first.trials)
    assert again.verdict == first.verdict
    assert again.spent_usd == first.spent_usd


def test_failed_trials_are_made_again_when_asked(runtime: Runtime, tmp_path: Path) -> None:
    """A failure stays an outcome until somebody says otherwise."""
    broken = "  dark:\n  broken: {stages: {score: {backend: toy, fail: once}}}"
    experiment = toys(tmp_path, variants=broken, decision="{rule: fixed, max_pairs: 2, min_pairs: 2}")
    _run(runtime, experiment)
    kept = trials.known(runtime, experiment.id)[0, "broken"].ended
    _run(runtime, experiment)
    assert trials.known(runtime, experiment.id)[0, "broken"].ended == kept
    _run(runtime, experiment, retry_failed=True)
    assert trials.known(runtime, experiment.id)[0, "broken"].ended > kept


def test_several_pairs_at_a_time_come_to_the_same_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged in their planned order, whichever is done first."""
    verdicts = []
    for parallel in (1, 4):
        monkeypatch.setenv("VPGEN_HOME", str(tmp_path / f"home{parallel}"))
        with Runtime.open(Settings()) as runtime:
            verdicts.append(_run(runtime, toys(tmp_path, more=f"parallel: {parallel}\n")).verdict)
    assert verdicts[0] == verdicts[1]


def test_a_pair_is_done_when_all_its_variants_are(runtime: Runtime, tmp_path: Path) -> None:
    """While the second variant is made, the pair is not counted."""
    told: list[lab.Progress] = []
    _run(runtime, toys(tmp_path, decision="{rule: fixed, min_pairs: 2, max_pairs: 2}"), watch=told.append)
    assert [progress.done for progress in told if progress.trial] == [0, 0, 1, 1]
    assert told[-1].done == 2


def test_one_whose_process_is_gone_is_not_said_to_run(runtime: Runtime, tmp_path: Path) -> None:
    """Killed: it is stopped, whatever its row says, and open."""
    experiment = toys(tmp_path, decision="{rule: fixed}")
    _run(runtime, experiment)
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    with runtime.database.write() as session:
        row = session.get_one(tables.Experiment, experiment.id)
        row.state, row.verdict = "running", None
        row.worker = f"{socket.gethostname()}:{gone.pid}:0"
        session.execute(sa.delete(tables.Trial).where(tables.Trial.pair > 2))
    result = load(runtime, experiment.id)
    assert (result.state, result.verdict.stopped_for) == ("stopped", "interrupted")
    assert headline(result) == "Undecided: it was stopped before"


def test_one_process_runs_it(runtime: Runtime, tmp_path: Path) -> None:
    """The second is told where to watch."""
    experiment = toys(tmp_path)
    with (
        runtime.store.lock(f"experiment-{experiment.id}", timeout=0),
        Runtime.open(Settings()) as other,
        pytest.raises(Conflict) as caught,
    ):
        _run(other, experiment)
    assert "vpgen experiment show" in str(caught.value.remedy)


def test_killed_at_any_pair_it_ends_with_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` three times in a row: nothing that had an outcome is run twice, the table is the uninterrupted one."""
    log = tmp_path / "log"
    path = write_experiment(
        tmp_path,
        log=log,
        decision="{rule: fixed}",
        variants="  dark: {stages: {score: {backend: toy, log: LOG}}}\n  light: {stages: {score: {backend: toy, shade: 180, hang: 0.05, log: LOG}}}".replace(
            "LOG", str(log)
        ),
    )
    program = f"from vpgen.lab import run, definition\nfrom vpgen import studio\nstudio.run(run.run(definition.load_experiment({str(path)!r})))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "plugin")}
    for wanted in (3, 8, 15):
        process = subprocess.Popen([sys.executable, "-c", program], env=environment, start_new_session=True)
        deadline = time.monotonic() + 60
        while (
            (log.read_text().count("score") if log.exists() else 0) < wanted
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    with Runtime.open(Settings()) as runtime:
        killed = load(runtime, "toys")
    # What was under way when the process died may be made again, once a kill; what had an outcome is not.
    assert log.read_text().count("score") <= 24 + 3
    monkeypatch.setenv("VPGEN_HOME", str(tmp_path / "other"))
    with Runtime.open(Settings()) as runtime:
        whole = _run(runtime, killed.experiment)
    same = ["pair", "variant", "case", "seed", "state", "bright", "quality", "clip_id", "accepted"]
    assert killed.trials[same].equals(whole.trials[same])
    assert killed.verdict == whole.verdict
    assert killed.state == "decided"


def test_in_a_notebook_it_is_awaited_without_a_runtime(tmp_path: Path) -> None:
    """It opens one for itself."""
    result = run(lab.run(toys(tmp_path, decision="{rule: fixed, max_pairs: 2, min_pairs: 2}")))
    assert len(result.trials) == 4
