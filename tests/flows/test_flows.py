"""The flows against a real Prefect server: what its page shows of a clip, of a failure, and of a stopped run."""

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect_records import Recorded
from toy_config import write_toy_config

pytest.importorskip("prefect")

BIN = Path(sys.executable).parent
PREVIEW = {
    "moderate: story", "plan", "moderate: prompts", "character", "background", "moderate: pictures", "matting",
    "composite", "animate", "encode", "score",
}  # fmt: skip
RunFlow = Callable[..., dict[str, Any]]
SECRETS = {"VPGEN_LLM_API_KEY": "sk-secret-of-the-planner", "VPGEN_S3_SECRET": "secret-of-the-bucket"}


@pytest.fixture
def toy(tmp_path: Path, toy_log: Path) -> Path:
    return write_toy_config(tmp_path / "toy.yaml", toy_log)


def test_preview_and_final_show_every_stage_and_what_came_of_it(
    recorded: Recorded, run_flow: RunFlow, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task runs by name, tables, picture and progress; again, every stage is Cached; and no secret anywhere."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    clip_id = run_flow("preview", story="a fox on the hill", config=toy)["result"]
    assert clip_id.startswith("preview-")
    run = recorded.run("preview: a fox on the hill")
    assert (run["state_name"], run["parameters"]["story"]) == ("Completed", "a fox on the hill")
    assert recorded.tasks(run, 11) == dict.fromkeys(PREVIEW, "Completed")

    final_id = run_flow("final", preview_id=clip_id)["result"]
    run = recorded.run(f"final: {clip_id}")
    tasks = recorded.tasks(run, 13)
    made = {"upscale", "interpolate", "encode", "score"}
    assert set(tasks) == PREVIEW | made
    assert {name for name, state in tasks.items() if state == "Completed"} == made
    assert {name for name, state in tasks.items() if state == "Cached"} == PREVIEW - made
    shown = recorded.artifacts(run)
    assert {key: shown[key]["type"] for key in shown} == {
        "progress": "progress", "stages": "table", "cost": "table", "scores": "table", "contact-sheet": "image",
    }  # fmt: skip
    assert shown["progress"]["data"] == 100
    assert shown["contact-sheet"]["data"].startswith("data:image/jpeg;base64,")
    assert len(shown["contact-sheet"]["data"]) < 1_000_000
    assert f"vpgen show {final_id}" in shown["contact-sheet"]["description"]
    assert "interpolate" in shown["stages"]["data"]
    assert (tmp_path / "clips" / f"{final_id}.mp4").is_file()

    assert run_flow("final", preview_id=clip_id, out=tmp_path / "elsewhere") == {"result": final_id}
    again = recorded.run(f"final: {clip_id}")
    assert again["id"] != run["id"]
    assert set(recorded.tasks(again, 13).values()) == {"Cached"}
    assert "nothing was made, nothing was paid" in recorded.log(again, "Finished in state Completed")
    assert "nothing was made, nothing was paid" in recorded.artifacts(again)["stages"]["description"]
    assert (tmp_path / "elsewhere" / f"{final_id}.mp4").is_file()

    kept = {path: path.read_bytes() for path in recorded.home.rglob("*") if path.suffix in {".db", ".db-wal", ".log"}}
    assert any(b"a fox on the hill" in content for content in kept.values())
    for path, content in kept.items():
        assert not [name for name, value in SECRETS.items() if value.encode() in content], path


def test_a_refused_story_is_a_failed_run_with_the_reason(recorded: Recorded, run_flow: RunFlow, toy: Path) -> None:
    """The state says why, an artifact what to do, and the log has no traceback of what is no defect."""
    assert run_flow("preview", story="a forbidden fox", config=toy)["error"] == "Refused"
    run = recorded.run("preview: a forbidden fox")
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"] == "Refused: moderate: moderation refused this (test): forbidden"
    assert "Rephrase the story" in recorded.artifacts(run)["error"]["data"]
    assert "Traceback" not in recorded.log(run, "Finished in state Failed")


def test_a_broken_stage_is_a_failed_task_run_with_its_traceback(
    recorded: Recorded, run_flow: RunFlow, tmp_path: Path, toy_log: Path
) -> None:
    """Which stage, with which error, and where in the backend; what stands before it is Completed."""
    config = write_toy_config(tmp_path / "broken.yaml", toy_log, animate="fail: no ink")
    assert run_flow("preview", story="a broken fox", config=config)["error"] == "StageFailed"
    run = recorded.run("preview: a broken fox")
    assert run["state"]["message"] == "StageFailed: animate/toy: RuntimeError: no ink"
    tasks = recorded.tasks(run, 9)
    assert tasks["animate"] == "Failed"
    assert tasks["composite"] == "Completed"
    assert "Traceback" in recorded.log(run, "vpgen_toy.py")


def test_ctrl_c_leaves_the_run_cancelled(recorded: Recorded, tmp_path: Path, toy_log: Path) -> None:
    """`vpgen preview --flow`, interrupted at work, ends with 130 and a sentence; the run is not left Running."""
    config = write_toy_config(tmp_path / "slow.yaml", toy_log, animate="hang: 60")
    process = subprocess.Popen(
        [BIN / "vpgen", "preview", "a slow fox", "--flow", "--config", config],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PREFECT_API_URL": f"{recorded.url}/api"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  # as in a shell
    )  # fmt: skip
    while "animate" not in (toy_log.read_text() if toy_log.exists() else ""):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Every finished stage is kept" in said
    assert "Traceback" not in said
    run = recorded.run("preview: a slow fox")
    assert (run["state_type"], run["state"]["message"].split(".")[0]) == ("CANCELLED", "Stopped")


def test_a_dead_prefect_server_is_one_clear_sentence(toy: Path) -> None:
    """The command line says which server does not answer, and that nothing is lost."""
    done = subprocess.run(
        [BIN / "vpgen", "preview", "a fox", "--flow", "--config", toy],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Prefect at http://127.0.0.1:9/api does not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["preview", "final"])
def test_the_form_asks_for_typed_described_parameters(name: str) -> None:
    """Every parameter has a type and a description, and the flow takes what the studio's function takes."""
    import flows.final
    import flows.preview
    from vpgen import studio

    flow = getattr(getattr(flows, name), name)
    fields = flow.parameters.properties
    for field in fields.values():
        assert field["description"]
        assert "type" in field or all("type" in choice for choice in field["anyOf"])
    assert fields.get("seed", {"minimum": 0})["minimum"] == 0
    taken = set(inspect.signature(getattr(studio, name)).parameters) - {"runtime", "tell", "around", "purse"}
    assert set(fields) == taken
    assert flow.parameters.required == ["story" if name == "preview" else "preview_id"]
