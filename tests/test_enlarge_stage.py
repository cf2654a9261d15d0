"""The optional stage `enlarge`: absent it changes nothing, named it stands between the pictures and what uses them."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_config import write_toy_config

from vpgen import studio
from vpgen.cli.report import lineage_tree
from vpgen.clip import ClipRequest, Prompt
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import ConfigError
from vpgen.events import Event
from vpgen.runtime import Runtime
from vpgen.stages import BackgroundRequest
from vpgen.step import step_key
from vpgen.studio import identify

STORY = "a woman by the sea"
PROMPT = Prompt(character="a", background="b", motion="c", style="s", negative="n")


def _config(tmp_path: Path, log: Path | None, enlarge: str | None) -> PipelineConfig:
    path = write_toy_config(tmp_path / "toy.yaml", log)
    if enlarge is not None:
        path.write_text(f"{path.read_text()}\n  enlarge: {enlarge}\n")
    return load_config(path)


def test_keys_from_before_this_stage_stand(tmp_path: Path) -> None:
    """Clips, previews and pictures made before it existed are found again: their keys are what they were."""
    config = _config(tmp_path, None, None)
    choice = config.stages["background"]
    before = {
        "stage": "background",
        "backend": "toy",
        "version": "1",
        "params": choice.params,
        "files": {},
        "request": {"prompt": PROMPT.model_dump(mode="json"), "seed": 3, "size": [64, 64]},
    }
    key = hashlib.sha256(json.dumps(before, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    assert step_key("background", choice, BackgroundRequest(PROMPT, 3, (64, 64))) == key
    assert step_key("background", choice, BackgroundRequest(PROMPT, 3, (64, 64), as_made=True)) != key
    assert identify("preview", ClipRequest(story="x"), config) == "preview-60caef5097"
    assert identify("final", ClipRequest(story="x"), config) == "final-93d22c40b2"


def test_a_config_that_names_it_makes_other_clips(tmp_path: Path) -> None:
    """Also a final that follows the preview: it is no finishing stage."""
    without, other = _config(tmp_path, None, None), _config(tmp_path, None, "toy")
    assert without.fingerprint("preview") != other.fingerprint("preview")
    assert "enlarge" in other.finishing(without).stages
    assert "enlarge" not in without.finishing(other).stages


def test_a_child_can_switch_it_off(tmp_path: Path) -> None:
    """`enlarge: null` is as if it had never been named."""
    _config(tmp_path, None, "toy")
    child = tmp_path / "child.yaml"
    child.write_text("extends: toy\nstages:\n  enlarge: null\n")
    assert "enlarge" not in load_config(child).stages
    child.write_text("extends: toy\n")
    assert load_config(child).stages["enlarge"].backend == "toy"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("stability/core", "core does character and background, not enlarge"),
        ("stability/fats", "did you mean 'fast'"),
        ("runway/gen4_image", "the backend 'runway' does not do enlarge; these do: .*lanczos.*stability"),
        ("{backend: lanczos, sharpn: 1}", "did you mean 'sharpen'"),
        ("[]", "the chain of 'enlarge' is empty"),
    ],
)
def test_a_choice_that_cannot_work_fails_when_it_is_read(tmp_path: Path, choice: str, said: str) -> None:
    """With its line, like that of any other stage."""
    with pytest.raises(ConfigError, match=rf"toy.yaml:\d+: .*{said}"):
        _config(tmp_path, None, choice)


def test_it_runs_once_for_the_person_and_once_for_the_place(runtime: Runtime, tmp_path: Path) -> None:
    """Between moderation and what uses them; in the trail and the tree; the second time all is found."""
    log, events = tmp_path / "log", list[Event]()
    config = _config(tmp_path, log, f"{{backend: toy, log: {log}}}")
    clip = studio.run(studio.make(STORY, config=config, runtime=runtime, tell=events.append))
    assert log.read_text().split().count("enlarge") == 2
    trail = {entry.key: entry for entry in clip.trail}
    enlarged = [entry for entry in clip.trail if entry.stage == "enlarge"]
    assert {trail[entry.inputs["picture"]].stage for entry in enlarged} == {"character", "background"}
    for stage, name in (("matting", "picture"), ("composite", "background")):
        entry = next(entry for entry in clip.trail if entry.stage == stage)
        assert trail[entry.inputs[name]].stage == "enlarge"
    order = [event.stage for event in events if event.kind == "started"]
    assert order.index("enlarge") > order.index("moderate", order.index("background"))
    assert str(lineage_tree(clip.manifest).children[0].label).startswith("score")
    log.unlink()
    assert studio.run(studio.make(STORY, config=config, runtime=runtime)).cached
    assert not log.exists()


def test_the_embedded_default_enlarges_your_own_small_picture(runtime: Runtime, tmp_path: Path) -> None:
    """Offline: a place of 200x120 becomes part of a still of 640x360, through `lanczos`, which is not stored."""
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "place.png"), rng.integers(0, 255, (120, 200, 3), np.uint8))
    path = tmp_path / "own.yaml"
    path.write_text(
        "extends: animatic\nseconds: 0.5\nstills: [640, 360]\npreview: {size: [160, 90], fps: 4}\n"
        "final: {size: [320, 180], fps: 8}\nstages:\n  enlarge: lanczos\n"
    )
    clip = studio.run(
        studio.preview(STORY, config=load_config(path), background=tmp_path / "place.png", runtime=runtime)
    )
    assert [entry.how for entry in clip.trail if entry.stage == "enlarge"] == ["fused", "fused"]
