"""The command line as a user meets it: progress, report, JSON, exit codes, and a project's life."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_config import write_toy_config

VPGEN = str(Path(sys.executable).parent / "vpgen")


def run(*arguments: str, code: int = 0, **more: str) -> str:
    """Run `vpgen …`; returns what it printed (both streams)."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}
    done = subprocess.run(
        [VPGEN, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def toy(tmp_path: Path, toy_log: Path) -> str:
    path = write_toy_config(tmp_path / "toy.yaml", toy_log)
    return str(path)


def test_help_teaches() -> None:
    """Every command is listed with what it does, and the first example can be copied."""
    text = run("--help")
    for command in (
        "preview",
        "final",
        "make",
        "show",
        "lineage",
        "list",
        "doctor",
        "project",
        "config",
        "ui",
        "track",
    ):
        assert command in text
    assert "vpgen make" in text


def test_make_prints_progress_stages_scores_cost_and_files(toy: str, tmp_path: Path) -> None:
    """A person sees what was done, how good it is, what it cost by category and where it lies."""
    text = run("make", "a woman by the sea", "--config", toy)
    for word in (
        "plan toy",
        "finished",
        "Stages",
        "this run",
        "Scores",
        "compute",
        "overhead",
        "2.00",
        "contact sheet",
    ):
        assert word in text
    assert len(list((tmp_path / "clips").glob("final-*.mp4"))) == 1
    assert len(list((tmp_path / "clips").glob("final-*.png"))) == 1


def test_json_is_one_object_a_line(toy: str) -> None:
    """Events, then the clip; a second run is cached."""
    for cached in (False, True):
        lines = [json.loads(line) for line in run("make", "a woman by the sea", "--config", toy, "--json").splitlines()]
        assert lines[-1]["kind"] == "clip"
        assert lines[-1]["cached"] is cached
        assert Path(lines[-1]["video"]).is_file()


def test_show_lineage_and_list(toy: str) -> None:
    """A finished clip can be seen again, with its tree of keys."""
    clip = json.loads(run("make", "a woman by the sea", "--config", toy, "--json").splitlines()[-1])
    assert clip["id"] in run("show", clip["id"])
    tree = run("lineage", clip["id"][:10])
    for stage in (
        "score",
        "encode",
        "interpolate",
        "upscale",
        "animate",
        "composite",
        "matting",
        "character",
        "background",
    ):
        assert stage in tree
    assert clip["id"] in run("list")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["make", ""], 2, "no word in this text"),
        (["make", "🌊"], 2, "no word in this text"),
        (["make", "x" * 10_000], 2, "10000 characters"),
        (["make", "a naked man"], 3, "moderation refused"),
        (["make", "a woman", "--config", "nonesuch"], 2, "there is no config 'nonesuch'"),
        (["make", "a woman", "--character", "nowhere.jpg"], 2, "nowhere.jpg"),
        (["show", "../../etc/passwd"], 2, "not a valid id"),
        (["final", "preview-0"], 2, "there is no clip"),
        (["project", "status", "nobody"], 2, "nobody"),
        (["make"], 2, "Missing argument"),
        (["mke"], 2, "mke"),
    ],
)
def test_errors_say_what_happened_and_what_to_do(arguments: list[str], code: int, said: str) -> None:
    """One clear message, an exit code of its own, never a traceback."""
    text = run(*arguments, code=code)
    assert said in text
    assert "Traceback" not in text


def test_errors_in_json_are_json() -> None:
    """A machine gets the same facts."""
    error = json.loads(run("make", "a naked man", "--json", code=3).splitlines()[-1])
    assert error["kind"] == "error"
    assert error["error"] == "Refused"
    assert error["stage"] == "moderate"


def test_a_project_lives_its_life(toy: str) -> None:
    """new → plan → preview → reject (reason kept, next seed) → preview → approve → final; wrong moves name the right ones."""
    project = run("project", "new", "a woman by the sea", "--name", "sea", "--config", toy).split()[0]
    assert "vpgen project plan" in run("project", "approve", project, code=2)
    assert "background" in run("project", "plan", "sea")
    run("project", "preview", project)
    assert "`final` is not possible now" in run("project", "final", project, code=2)
    run("project", "reject", project, "--reason", "too dark")
    status = run("project", "status", project)
    assert "too dark" in status
    assert "seed 1" in status
    run("project", "preview", project)
    run("project", "approve", project)
    run("project", "final", project)
    status = json.loads(run("project", "status", project, "--json"))
    assert status["state"] == "completed"
    assert status["final"].startswith("final-")
    assert "completed" in run("project", "list")


def test_ctrl_c_exits_130_and_says_what_is_kept(tmp_path: Path, toy_log: Path) -> None:
    """Interrupted at work: the finished stages stay, the same command goes on."""
    path = write_toy_config(tmp_path / "toy.yaml", toy_log, animate="hang: 60")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [VPGEN, "preview", "a woman by the sea", "--config", str(path)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # A shell that runs tests in the background has its children ignore Ctrl-C; a person's does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # this test has no threads
    )  # fmt: skip
    while "animate" not in (toy_log.read_text() if toy_log.exists() else ""):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "kept" in said


def test_doctor_says_what_is_there() -> None:
    """Every backend and service is listed; the shipped default is ready."""
    findings = json.loads(run("doctor", "--json"))
    names = {finding["what"].split()[0] for finding in findings["Backends"]}
    assert {"animatic", "person", "parallax", "flow", "x264", "quality", "rife"} <= names
    assert all(finding["ready"] for finding in findings["Services"] if finding["what"] in {"home", "store", "database"})


def test_config_prints_it_resolved() -> None:
    """What is inherited and every default."""
    text = run("config", "neural-cpu")
    assert "backend: rife" in text
    assert "backend: animatic" in text


def test_what_is_tried_again_does_not_break_the_display() -> None:
    """A library's log lines about retries are no part of what the command prints."""
    code = """
import sys, stamina
from vpgen.cli import main
sys.argv = ["vpgen", "--version"]
try:
    main()
except SystemExit:
    pass
tries = []
@stamina.retry(on=OSError, attempts=2, wait_initial=0.001)
def again():
    tries.append(1)
    raise OSError
try:
    again()
except OSError:
    print(len(tries), "tries")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "2 tries" in done.stdout
    assert done.stderr == ""
