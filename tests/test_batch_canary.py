"""A canary in a batch: a known share of the rows tries the new champion, and is taken back or confirmed by itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from toy_config import write_toy_config

from vpgen import batch
from vpgen.batch import books
from vpgen.batch.trial import canary_rows
from vpgen.config import PipelineConfig, load_config
from vpgen.lab import champions
from vpgen.lab.canary import Canary
from vpgen.runtime import Runtime
from vpgen.store.schema_lab import Promotion


def table(folder: Path, count: int, name: str = "requests.csv") -> str:
    path = folder / name
    path.write_text("story,seed\n" + "".join(f"a fox on hill {name} {number},{number}\n" for number in range(count)))
    return str(path)


def old_and_new(folder: Path, log: Path, **new: str) -> tuple[PipelineConfig, PipelineConfig]:
    old = load_config(write_toy_config(folder / "old.yaml", log))
    return old, load_config(write_toy_config(folder / "new.yaml", log, **{"character": "shade: 9", **new}))


def promote(runtime: Runtime, old: PipelineConfig, new: PipelineConfig, canary: Canary | None) -> Promotion:
    """Straight into the record: the gate is not what is tested here."""
    row = Promotion(
        profile="preview", number=1, config=new.model_dump(mode="json"), actor="kim", reason="better", vpgen_version="1",
        evidence={"replaces": {"number": 0, "config": old.model_dump(mode="json")}},
        canary=canary.model_dump(mode="json") if canary else None,
    )  # fmt: skip
    with runtime.database.write() as session:
        session.add(row)
    return row


def run(source: str, runtime: Runtime, **more: Any) -> batch.Summary:
    return asyncio.run(batch.run(source, profile="preview", runtime=runtime, **more))


def arms(runtime: Runtime, summary: batch.Summary) -> list[str]:
    return [row.arm for row in books.rows_of(runtime.database, summary.id)]


def shades(runtime: Runtime, summary: batch.Summary) -> list[int]:
    """With which config each row was really made."""
    from vpgen.results import find

    clips = [row.clip_id for row in books.rows_of(runtime.database, summary.id) if row.clip_id]
    return [find(runtime, clip).config.stages["character"].params["shade"] for clip in clips]


@pytest.mark.parametrize(
    ("canary", "tried", "expected"),
    [
        (Canary(clips=3), 0, {1, 2, 3}),
        (Canary(clips=3), 2, {1}),
        (Canary(clips=3), 9, set()),
        (Canary(percent=20), 0, {5, 10}),
        (Canary(percent=50), 0, {2, 4, 6, 8, 10}),
        (Canary(percent=7), 0, set()),
    ],
)
def test_which_rows_try_it(canary: Canary, tried: int, expected: set[int]) -> None:
    """The first N of all batches together, or an even share; the same every time."""
    assert canary_rows(canary, list(range(1, 11)), tried) == expected


def test_the_champion_makes_it_and_the_next_batch_has_the_next_champion(
    runtime: Runtime, tmp_path: Path, toy_log: Path
) -> None:
    """Without a config: the default, then whoever was promoted; the same table again is a new batch then."""
    old, new = old_and_new(tmp_path, toy_log)
    source = table(tmp_path, 2)
    promote(runtime, old, new, None)
    first = run(source, runtime)
    assert shades(runtime, first) == [9, 9]
    champions.roll_back(runtime, "preview", actor="kim", reason="a test")
    second = run(source, runtime)
    assert second.id != first.id
    assert shades(runtime, second) == [128, 128]


def test_held_to_the_end_it_is_confirmed(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """The first three rows are made by the new one, the rest by the old one, and the canary is over."""
    old, new = old_and_new(tmp_path, toy_log)
    promote(runtime, old, new, Canary(clips=3))
    summary = run(table(tmp_path, 5), runtime)
    assert shades(runtime, summary) == [9, 9, 9, 128, 128]
    assert "held over 3 clips and is confirmed" in summary.canary
    champion = champions.current(runtime, "preview")
    assert (champion.number, champion.canary) == (1, None)
    assert shades(runtime, run(table(tmp_path, 2, "next.csv"), runtime)) == [9, 9]


def test_too_few_rows_leave_it_on_trial_for_the_next_batch(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """Four clips: two of this batch, two of the next, which confirms it."""
    old, new = old_and_new(tmp_path, toy_log)
    promote(runtime, old, new, Canary(clips=4))
    first = run(table(tmp_path, 2), runtime)
    assert "still on trial: 2 of at least 4" in first.canary
    second = run(table(tmp_path, 3, "next.csv"), runtime)
    assert shades(runtime, second) == [9, 9, 128]
    assert "is confirmed" in second.canary


def test_a_breach_takes_it_back_and_the_rest_runs_the_old_champion(
    runtime: Runtime, tmp_path: Path, toy_log: Path
) -> None:
    """A new champion that cannot animate: a few rows fail, it is taken back in the record, the others are made."""
    old, new = old_and_new(tmp_path, toy_log, animate="fail: no ink")
    promote(runtime, old, new, Canary(clips=8))
    summary = run(table(tmp_path, 10), runtime, parallel=1)
    assert "was taken back" in summary.canary
    assert 1 < summary.failed < 8
    assert summary.completed == 10 - summary.failed
    assert arms(runtime, summary) == ["canary"] * summary.failed + ["champion"] * summary.completed
    newest = champions.history(runtime, "preview")[0]
    assert (newest.action, newest.number) == ("canary-rollback", 2)
    assert champions.current(runtime, "preview").config.stages["character"].params["shade"] == 128


def test_one_whose_clips_fail_is_never_confirmed_however_few_they_are(
    runtime: Runtime, tmp_path: Path, toy_log: Path
) -> None:
    """Two of two prove nothing, and are no success: the old champion goes on, and every batch says who must decide."""
    old, new = old_and_new(tmp_path, toy_log, animate="fail: no ink")
    promote(runtime, old, new, Canary(clips=2))
    summary = run(table(tmp_path, 5), runtime, parallel=1)
    assert (summary.completed, summary.failed) == (3, 2)
    assert "2 of its 2 clips failed" in summary.canary
    assert "vpgen rollback preview" in summary.canary
    with runtime.database.read() as session:
        assert "confirmed" not in (session.get_one(Promotion, 1).canary or {})
    later = run(table(tmp_path, 3, "later.csv"), runtime)
    assert (later.completed, set(shades(runtime, later))) == (3, {128})
    assert "vpgen champion confirm preview" in later.notes[-1]


def test_taken_back_by_hand_meanwhile_the_rest_runs_the_old_champion(
    runtime: Runtime, tmp_path: Path, toy_log: Path
) -> None:
    """Nobody takes it back twice."""
    old, new = old_and_new(tmp_path, toy_log)
    promote(runtime, old, new, Canary(clips=5))

    def watch(progress: batch.Progress) -> None:
        if progress.state == "completed" and progress.number == 1:
            champions.roll_back(runtime, "preview", actor="kim", reason="second thoughts")

    summary = run(table(tmp_path, 4), runtime, parallel=1, watch=watch)
    assert shades(runtime, summary) == [9, 128, 128, 128]
    assert "by hand" in summary.canary
    assert len(champions.history(runtime, "preview")) == 2


def test_a_row_with_a_config_of_its_own_is_no_canary(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """It says nothing about either champion."""
    old, new = old_and_new(tmp_path, toy_log)
    promote(runtime, old, new, Canary(clips=1))
    path = tmp_path / "own.csv"
    path.write_text("story,config\na fox,old.yaml\na cat,\n")
    summary = run(str(path), runtime)
    assert shades(runtime, summary) == [128, 9]
    assert arms(runtime, summary) == ["champion", "canary"]


def test_killed_after_its_last_row_the_canary_is_still_settled(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """Every row has its outcome and nobody has drawn the conclusion: the same command does."""
    from vpgen.store.schema_lab import Batch

    old, new = old_and_new(tmp_path, toy_log)
    row = promote(runtime, old, new, Canary(clips=2))
    summary = run(table(tmp_path, 3), runtime)
    with runtime.database.write() as session:  # as a kill between the last row and the summary leaves it
        batch_row = session.get_one(Batch, summary.id)
        batch_row.state, batch_row.summary = "running", None
        session.get_one(Promotion, row.id).canary = Canary(clips=2).model_dump(mode="json")
    again = run(table(tmp_path, 3), runtime)
    assert again.id == summary.id
    assert "is confirmed" in again.canary
    assert champions.current(runtime, "preview").canary is None
