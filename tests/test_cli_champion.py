"""`vpgen promote`, `rollback` and `champion` as a user meets them: the gate in a table, exit codes, the record."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.contenders import contest, serve_toys
from typer.testing import CliRunner

from vpgen.cli.app import app
from vpgen.errors import ConfigError, Conflict, GateFailed, IllegalMove, InvalidInput, NotFound
from vpgen.lab import champions
from vpgen.lab.result import Result
from vpgen.runtime import Runtime
from vpgen.settings import Settings

Say = Callable[..., str]


@pytest.fixture(autouse=True)
def _toys_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_toys(tmp_path, monkeypatch)


@pytest.fixture
def won(tmp_path: Path) -> Iterator[Result]:
    """An experiment that `neural` has won."""
    with Runtime.open(Settings()) as runtime:
        yield contest(runtime, tmp_path)


@pytest.fixture
def say() -> Say:
    """Runs `vpgen …` in this process; returns what it printed."""

    def run(*arguments: str, raises: type[Exception] | None = None, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(arguments))
        if raises is not None:
            assert isinstance(done.exception, raises), (done.exception, done.output)
        else:
            assert done.exit_code == code, (done.exception, done.output)
        return done.output

    return run


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_gate_is_shown_before_anything_happens(say: Say, won: Result) -> None:
    """Every clause with its evidence; a dry run ends there, with 0 or 1, and nobody is promoted without a yes."""
    text = say("promote", won.id, "neural", "--dry-run")
    for word in ("quality", "cost", "latency", "pairs", "licences", "safety", "passed", "against lanczos over 8 pairs"):
        assert word in text
    assert "failed" not in text
    assert "failed" in say("promote", won.id, "lanczos", "--dry-run", code=1)
    say("promote", won.id, "neural", raises=InvalidInput)  # no terminal, nobody to ask
    assert "Nobody was promoted yet" in say("champion", "history")


def test_a_failed_gate_is_exit_code_1_and_an_override_is_on_record(say: Say, won: Result) -> None:
    """Nothing is changed without a reason, which must have words in it; with one it shows in the history."""
    text = say("promote", won.id, "lanczos", "--yes", raises=GateFailed)
    assert "it is the baseline" in text
    assert GateFailed.exit_code == 1
    say("promote", won.id, "lanczos", "--yes", "--override", " ", raises=InvalidInput)
    assert "the default" in say("champion")
    say("promote", won.id, "lanczos", "--yes", "--override", "a drill", "--by", "lee")
    text = say("champion", "history")
    assert "override: a drill" in text
    assert "lee" in text


def test_promote_look_roll_back(say: Say, won: Result) -> None:
    """The whole loop, with a canary that is confirmed by hand; the second rollback has nothing to go back to."""
    text = say("promote", "contest", "neural", "--yes", "--canary", "20%", "--reason", "sharper")
    assert "final:1  promote  shade-2, on trial for 20 % of the clips" in text
    assert "take it back: vpgen rollback final" in text
    text = say("champion")
    assert "shade-2  (canary: 20 % of the clips)" in text
    assert "sharper" in text
    assert "final:1 is the champion without reserve" in say("champion", "confirm", "final")
    say("champion", "confirm", "final", raises=InvalidInput)
    assert "canary" not in say("champion", "show", "final")
    assert "promote, confirmed" in say("champion", "history", "final")
    text = say("champion", "diff")
    assert "stages.animate.params.shade" in text
    assert "previous" in text
    assert "stages.animate.params.shade" in say("champion", "diff", "final:1", "animatic")
    assert "do not differ" in say("champion", "diff", "1")
    text = say("rollback", "final", "--reason", "flicker")
    assert "final:2  rollback: back to the config from before  animatic" in text
    assert "rollback to the config from before" in say("champion", "history")
    say("rollback", "final", raises=IllegalMove)
    say("rollback", "preview", raises=IllegalMove)


def test_machines_get_one_object_a_line(say: Say, won: Result) -> None:
    """The gate, then the promotion; champions; the record; the difference."""
    gate, promotion = lines(say("promote", won.id, "neural", "--yes", "--json"))
    assert (gate["kind"], gate["passed"], len(gate["clauses"])) == ("gate", True, 13)
    assert (promotion["kind"], promotion["number"], promotion["config"]) == ("promotion", 1, "shade-2")
    assert promotion["evidence"]["experiment"]["id"] == won.id
    preview, final = lines(say("champion", "--json"))
    assert (preview["number"], final["number"]) == (0, 1)
    assert final["config"]["stages"]["animate"]["params"]["shade"] == 2
    assert [row["action"] for row in lines(say("champion", "history", "--json"))] == ["promote"]
    changes = {change["path"]: change["after"] for change in lines(say("champion", "diff", "--json"))}
    assert changes["stages.animate.params.shade"] == 2


def test_what_does_not_exist_is_said(say: Say, won: Result) -> None:
    """Experiments, variants, profiles, numbers, canaries: each with its own words; a file that is no experiment too."""
    say("promote", "nothing", "neural", raises=NotFound)
    say("promote", "no/such.yaml", "neural", raises=NotFound)
    say("promote", __file__, "neural", raises=ConfigError)
    say("promote", won.id, "best", raises=NotFound)
    say("promote", won.id, "neural", "--canary", "lots", raises=InvalidInput)
    say("rollback", "finals", raises=InvalidInput)
    say("champion", "show", "finals", raises=InvalidInput)
    say("champion", "diff", "final:9", raises=NotFound)
    say("champion", "diff", "sharp:1", raises=InvalidInput)
    say("champion", "diff", raises=InvalidInput)


def test_a_note_is_shown(say: Say, won: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow that does not answer: who serves is said anyway, and that this is only the last known."""
    pytest.importorskip("mlflow")
    say("promote", won.id, "neural", "--yes")
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    monkeypatch.setenv("VPGEN_TRACKING_URI", "http://127.0.0.1:1")
    text = say("champion", "show", "final")
    assert "shade-2" in text
    assert "final: MLflow at http://127.0.0.1:1 does not answer" in text
    assert "MLflow did not take it yet" in say("rollback", "final")


def test_somebody_else_was_faster_between_the_gate_and_the_yes(won: Result) -> None:
    """What was shown must still be so when it is done."""
    with Runtime.open(Settings()) as runtime:
        shown = champions.candidate(runtime, won.id, "neural")
        champions.promote(runtime, won.id, "neural", actor="lee", reason="first")
        with pytest.raises(Conflict, match="lee was first: promote 1"):
            champions.appoint(runtime, shown, actor="kim", reason="second")
