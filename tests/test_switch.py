"""The switch of production: thrown once, seen by everybody, and no obstacle to a person's own command."""

import json
from pathlib import Path

import pytest
from test_cli import run
from toy_config import write_toy_config

from vpgen import switch
from vpgen.errors import Paused
from vpgen.runtime import Runtime
from vpgen.store.database import Database


def test_nobody_ever_paused_it(database: Database) -> None:
    """Production is on from the beginning, on every kind of database."""
    assert switch.position(database) == switch.Position()
    assert str(switch.position(database)) == "on"
    switch.check(database)


def test_paused_it_says_by_whom_since_when_and_why(database: Database) -> None:
    """And the error tells how to go on."""
    switch.pause(database, "the vendor bills twice", actor="kim@desk")
    with pytest.raises(Paused, match="paused, since .* by kim@desk: the vendor bills twice") as caught:
        switch.check(database)
    assert "vpgen resume" in str(caught.value.remedy)


def test_the_first_who_paused_it_stays_on_record_until_it_goes_on(database: Database) -> None:
    """A second pause does not hide the first one's reason; after a resume it counts again."""
    first = switch.pause(database, "first", actor="kim@desk")
    assert switch.pause(database, "second", actor="lee@desk") == first
    assert switch.resume(database, actor="lee@desk").paused is False
    assert switch.pause(database, "third", actor="lee@desk").reason == "third"


def test_the_commands_throw_it_and_make_goes_on(tmp_path: Path, runtime: Runtime) -> None:
    """pause → doctor says so → a person's clip is made all the same → resume without a clip."""
    assert "paused" in run("pause", "--reason", "moving house")
    assert "moving house" in run("doctor", code=0)
    clip = run("make", "a fox", "--config", str(write_toy_config(tmp_path / "toy.yaml", None)), "--json")
    assert json.loads(clip.splitlines()[-1])["kind"] == "clip"
    assert json.loads(run("resume", "--json"))["paused"] is False
    assert switch.position(runtime.database).paused is False
