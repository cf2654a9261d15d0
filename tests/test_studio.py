"""From a story to a clip with toy backends: what is kept is not made again, what is damaged is, the books balance."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_config import write_toy_config

import vpgen
from vpgen import studio
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import InvalidInput, NotFound, Refused, StageFailed, StoreError
from vpgen.events import Event
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store import clips
from vpgen.store.records import blobs, read_record

STORY = "a woman by the sea"
PREVIEW_STAGES = ["plan", "background", "character", "matting", "composite", "animate", "encode", "score"]


def _stages(log: Path) -> list[str]:
    return sorted(log.read_text().split()) if log.exists() else []


def _make(runtime: Runtime, config: PipelineConfig, story: str = STORY, **more: object) -> vpgen.Clip:
    return studio.run(studio.make(story, config=config, runtime=runtime, **more))  # type: ignore[arg-type]


@pytest.fixture
def config(tmp_path: Path, toy_log: Path) -> PipelineConfig:
    path = write_toy_config(tmp_path / "toy.yaml", toy_log)
    return load_config(path)


def test_a_story_becomes_a_clip_and_the_same_again_runs_nothing(
    runtime: Runtime, config: PipelineConfig, toy_log: Path
) -> None:
    """The second time every stage answers from the store, the id is the same, and it costs nothing more."""
    first = _make(runtime, config)
    assert _stages(toy_log) == sorted([*PREVIEW_STAGES, "upscale", "interpolate", "encode", "score"])
    assert first.video.is_file()
    assert first.sheet.is_file()
    toy_log.unlink()
    again = _make(runtime, config)
    assert _stages(toy_log) == []
    assert again.cached
    assert again.id == first.id
    assert again.cost == first.cost


def test_a_changed_parameter_reruns_only_what_depends_on_it(
    runtime: Runtime, config: PipelineConfig, toy_log: Path
) -> None:
    """Another parameter of the encoder runs encode and score again, and nothing before them."""
    _make(runtime, config)
    toy_log.unlink()
    choice = config.stages["encode"]
    other = choice.model_copy(update={"params": {**choice.params, "shade": 7}})
    studio.run(
        studio.make(
            STORY, config=config.model_copy(update={"stages": {**config.stages, "encode": other}}), runtime=runtime
        )
    )
    assert _stages(toy_log) == ["encode", "encode", "score", "score"]


def test_a_final_starts_from_the_very_frames_that_were_approved(runtime: Runtime, config: PipelineConfig) -> None:
    """Preview and final share every key up to the animated clip."""
    preview = studio.run(studio.preview(STORY, config=config, runtime=runtime))
    final = studio.run(studio.final(preview.id, runtime=runtime))
    keys = [{entry.stage: entry.key for entry in clip.trail} for clip in (preview, final)]
    for stage in ("plan", "character", "background", "matting", "composite", "animate"):
        assert keys[0][stage] == keys[1][stage]
    assert final.manifest.parent == preview.id


@pytest.mark.parametrize("stage", ["composite", "animate", "encode", "score"])
def test_a_corrupted_object_is_noticed_and_made_again(
    runtime: Runtime, config: PipelineConfig, toy_log: Path, stage: str
) -> None:
    """Flipped bytes are never used: the step is run again and the clip comes out the same."""
    first = _make(runtime, config)
    key = next(entry.key for entry in reversed(first.manifest.trail) if entry.stage == stage)
    record = read_record(runtime.store, key)
    assert record is not None
    if not blobs(record.result):
        document = Path(runtime.settings.resolved_store) / "documents" / "steps" / f"{key}.json"
        document.chmod(0o644)
        document.write_text(document.read_text()[:-40])
    for blob in blobs(record.result):
        path = runtime.store.get_path(blob)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[::-1])
    toy_log.unlink()
    studio.run(studio.final(first.manifest.parent or "", runtime=runtime)) if stage != "score" else _make(
        runtime, config
    )
    again = studio.show(runtime, first.id)
    assert again.video.read_bytes()[:64] == first.video.read_bytes()[:64]
    if stage in {"encode", "score"}:
        assert stage in _stages(toy_log)


def test_a_failure_is_on_the_books_and_the_next_run_goes_on(runtime: Runtime, tmp_path: Path, toy_log: Path) -> None:
    """The clip is failed with its error; mended, the same story runs only what was not finished."""
    broken = load_config(write_toy_config(tmp_path / "a.yaml", toy_log, animate="fail: no ink"))
    with pytest.raises(StageFailed, match="animate/toy: RuntimeError: no ink"):
        studio.run(studio.preview(STORY, config=broken, runtime=runtime))
    row = clips.recent(runtime.database, 1)[0]
    assert row.state == "failed"
    assert "no ink" in (row.error or "")
    toy_log.unlink()
    mended = load_config(write_toy_config(tmp_path / "a.yaml", toy_log))
    studio.run(studio.preview(STORY, config=mended, runtime=runtime))
    assert _stages(toy_log) == ["animate", "encode", "score"]


def test_a_refused_story_spends_nothing(runtime: Runtime, config: PipelineConfig, toy_log: Path) -> None:
    """Moderation stands before the first stage that costs."""
    with pytest.raises(Refused, match="forbidden"):
        _make(runtime, config, "a forbidden thing")
    assert _stages(toy_log) == []


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ("", "no word"),
        ("   \n\t ", "no word"),
        ("🌊🌅💃", "no word"),
        ("\x00\x07\x1b", "no word"),
        ("x" * 10_000, "10000 characters; the limit is 2000"),
    ],
)
def test_stories_that_say_nothing_or_too_much_are_refused_at_once(
    runtime: Runtime, config: PipelineConfig, toy_log: Path, story: str, said: str
) -> None:
    """Empty, emoji-only, control characters and ten thousand characters end in a clear error, nothing run."""
    with pytest.raises(InvalidInput, match=said):
        _make(runtime, config, story)
    assert _stages(toy_log) == []
    assert clips.recent(runtime.database, 5) == []


def test_control_characters_inside_a_story_are_dropped(runtime: Runtime, config: PipelineConfig) -> None:
    """What is left is what is planned and shown."""
    clip = studio.run(studio.preview("a wo\u0000man\u001b by \n the sea", config=config, runtime=runtime))
    assert clip.manifest.request.story == "a wo man by the sea"


@pytest.mark.parametrize("name", ["../../etc/passwd", "preview-nope", "a" * 300, "..", "preview/x", ""])
def test_ids_from_outside_cannot_reach_outside(runtime: Runtime, name: str) -> None:
    """A path, a wrong id and a long one are errors, not files."""
    with pytest.raises((InvalidInput, NotFound)):
        studio.find(runtime, name)


def test_an_id_may_be_shortened_while_it_is_unique(runtime: Runtime, config: PipelineConfig) -> None:
    """The start is enough; an ambiguous one lists what it fits."""
    clip = _make(runtime, config)
    assert studio.find(runtime, clip.id[:9]).id == clip.id
    studio.run(studio.preview("another story", config=config, runtime=runtime))
    with pytest.raises(InvalidInput, match="fits 2 clips"):
        studio.find(runtime, "preview")


def test_a_final_of_a_final_is_explained(runtime: Runtime, config: PipelineConfig) -> None:
    """Finals are made from previews, and the error names the preview."""
    clip = _make(runtime, config)
    with pytest.raises(InvalidInput, match="is a final already") as caught:
        studio.run(studio.final(clip.id, runtime=runtime))
    assert str(clip.manifest.parent) in str(caught.value.remedy)


def test_the_users_pictures_replace_the_drawn_ones(
    runtime: Runtime, config: PipelineConfig, toy_log: Path, tmp_path: Path
) -> None:
    """Given pictures skip the drawing stages; the same bytes are the same input, whatever the file is called."""
    import cv2
    import numpy as np

    for name in ("me.png", "copy.png", "place.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((80, 120, 3), 90, np.uint8))
    one = _make(runtime, config, character=tmp_path / "me.png", background=tmp_path / "place.jpg")
    assert "character" not in _stages(toy_log)
    assert "background" not in _stages(toy_log)
    assert _make(runtime, config, character=tmp_path / "copy.png", background=tmp_path / "place.jpg").id == one.id


def test_what_cannot_be_written_out_is_said_and_the_clip_is_safe(
    runtime: Runtime, config: PipelineConfig, tmp_path: Path
) -> None:
    """A file where the output folder should be: an error that says the clip is kept; then it is."""
    blocked = tmp_path / "not-a-folder"
    blocked.write_text("")
    with pytest.raises(StoreError, match="cannot write") as caught:
        _make(runtime, config, out=blocked)
    assert "safe in the store" in str(caught.value.remedy)
    assert _make(runtime, config, out=tmp_path / "ok").cached is False


def test_events_tell_the_story_in_order(runtime: Runtime, config: PipelineConfig) -> None:
    """Each stage starts before it finishes, and says what it took and cost."""
    events: list[Event] = []
    studio.run(studio.preview(STORY, config=config, runtime=runtime, tell=events.append))
    for stage in PREVIEW_STAGES:
        kinds = [event.kind for event in events if event.stage == stage]
        assert kinds[0] == "started"
        assert kinds[-1] == "finished"
    finished = [event for event in events if event.kind == "finished"]
    assert all(event.usd is not None and event.seconds is not None for event in finished)


def test_the_cost_is_the_sum_of_its_charges(runtime: Runtime, config: PipelineConfig) -> None:
    """A final's cost holds its preview's, its storage and its delivery, and stays under the target."""
    clip = _make(runtime, config)
    lines = {line.category: line.usd for line in clip.cost.lines}
    assert clip.cost.total == sum(value for value in lines.values() if value is not None)
    assert lines["network"]
    assert lines["storage"]
    assert clip.cost.total is not None
    assert clip.cost.total < clip.cost.target


def test_in_a_running_loop_run_says_to_await() -> None:
    """A notebook already has a loop."""

    async def inside() -> None:
        with pytest.raises(RuntimeError, match="await"):
            vpgen.run(asyncio.sleep(0))

    asyncio.run(inside())


def test_a_read_only_home_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that cannot be made says which and what to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VPGEN_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StoreError, match="cannot write to") as caught:
        Runtime.open(Settings())
    assert "VPGEN_HOME" in str(caught.value.remedy)


SCRIPT = """
import sys
from pathlib import Path
from vpgen import studio
from vpgen.config import load_config
clip = studio.run(studio.preview("a woman by the sea", config=load_config(Path(sys.argv[1]))))
print(clip.id)
"""


@pytest.mark.parametrize("stage", ["plan", "character", "composite", "animate", "encode", "score"])
def test_killed_in_the_middle_of_a_stage_the_same_command_goes_on(tmp_path: Path, toy_log: Path, stage: str) -> None:
    """kill -9 at work in each stage: run again, it completes, and nothing that was finished is run twice."""
    path = tmp_path / "toy.yaml"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    write_toy_config(path, toy_log, **{stage: "hang: 0.31"})
    hanging = path.read_text()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], env=environment, stdout=subprocess.DEVNULL)
    while stage not in (toy_log.read_text().split() if toy_log.exists() else []):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = _stages(toy_log)
    assert path.read_text() == hanging
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("preview-"), done.stderr
    twice = [name for name in set(before) if _stages(toy_log).count(name) > 1]
    # Drawing the person and the place goes side by side, so the one beside the killed one may be run again too.
    assert set(twice) <= {stage} | ({"background"} if stage == "character" else set())
