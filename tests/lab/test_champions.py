"""Champions: promoted, registered in a real MLflow, raced for, killed half-way, moved by hand, taken back."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from contenders import contest, serve_toys, shade
from lab_results import lab_trial

from vpgen import faults, servers
from vpgen.errors import Conflict, GateFailed, IllegalMove, NotFound, StoreError
from vpgen.lab import champions, registry
from vpgen.lab.canary import Canary
from vpgen.lab.changes import Side, changes, side
from vpgen.lab.result import Result
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.schema_lab import Promotion, Vote

pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
ME = {"actor": "kim@desk", "reason": "sharper"}


@pytest.fixture(autouse=True)
def _toys_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_toys(tmp_path, monkeypatch)


def promoted(runtime: Runtime, folder: Path, challenger: int = 2, *, name: str = "contest", **more: Any) -> Promotion:
    """A champion by an experiment against the one that serves."""
    serving = champions.current(runtime, "final")
    baseline = serving.config if serving.number else 1
    result = contest(runtime, folder, baseline=baseline, challenger=challenger, name=name)
    return champions.promote(runtime, result.id, "neural", **{**ME, **more})


def client_of(runtime: Runtime) -> Any:
    """MLflow's own client, as its page sees it."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=runtime.settings.resolved_tracking)


@contextmanager
def mlflow_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """The same installation, while its MLflow does not answer."""
    with monkeypatch.context() as away:
        away.setenv("VPGEN_TRACKING_URI", "http://127.0.0.1:1")
        with Runtime.open(Settings()) as opened:
            yield opened


def test_nobody_promoted_means_the_default_config(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Number 0, for both profiles, and MLflow is not even asked for a database."""
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    with Runtime.open(Settings()) as tracking:
        for profile in champions.PROFILES:
            champion = champions.current(tracking, profile)
            assert (champion.number, champion.config.name, champion.promotion) == (0, "animatic", None)
        assert not (tracking.settings.home / "mlflow.db").exists()
    assert champions.history(runtime) == []


def test_a_promotion_is_a_version_with_its_evidence(tracked: Runtime, tmp_path: Path) -> None:
    """The alias is on a version that has config, experiment, who, why, code and prices; the record has the same."""
    result = contest(tracked, tmp_path)
    with tracked.database.write() as session:
        for pair, choice in enumerate(["left", "left", "right", "tie"]):
            session.add(
                Vote(
                    experiment_id=result.id, pair=pair, first="lanczos", second="neural", left="neural", rater="lee",
                    choice=choice,
                )
            )  # fmt: skip
    row = champions.promote(tracked, result.id, "neural", **ME)
    assert (row.number, row.profile, row.variant, row.registry_version) == (1, "final", "neural", "1")
    version = client_of(tracked).get_model_version_by_alias("vpgen-final", "champion")
    assert json.loads(version.tags["vpgen.config"]) == row.config == shade(tmp_path, 2).model_dump(mode="json")
    assert version.tags["vpgen.experiment"] == result.id
    assert (version.tags["vpgen.actor"], version.tags["vpgen.reason"]) == ("kim@desk", "sharper")
    assert version.tags["vpgen.version"] == row.vpgen_version
    assert version.tags["vpgen.version"].startswith("0.1.0")
    assert "| quality | passed |" in version.description
    evidence = row.evidence
    assert evidence["experiment"]["verdict"]["winner"] == "neural"
    assert evidence["votes"] == {"cast": 4, "raters": 1, "share": 0.625}
    quality = next(found for found in evidence["differences"] if found["metric"] == "quality")
    assert quality["low"] > 0
    assert all(clause["passed"] for clause in evidence["gate"])
    assert evidence["price_book"] == max(price.date for price in tracked.prices.prices.values()).isoformat()
    files = {file.path for file in client_of(tracked).list_artifacts(version.run_id, "champion")}
    assert files == {"champion/config.yaml", "champion/evidence.json"}
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.note, champion.canary) == (1, "", None)
    assert champion.config == shade(tmp_path, 2)
    assert champion.previous is not None
    assert champion.previous.name == "animatic"
    assert champions.current(tracked, "preview").number == 0


def test_a_server_is_told_over_http(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Version, alias and files are there as in a file of one's own, and MLflow prints nothing between our lines."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = servers.mlflow(Settings(), port)
    servers.start(server, Settings())
    try:
        monkeypatch.setenv("VPGEN_TRACKING_URI", server.url)
        with Runtime.open(Settings()) as runtime:
            row = promoted(runtime, tmp_path, 2)
            assert row.registry_version == "1"
            assert (champions.current(runtime, "final").number, champions.current(runtime, "final").note) == (1, "")
            assert champions.roll_back(runtime, "final", actor="lee", reason="r").registry_version == "2"
            version = client_of(runtime).get_model_version_by_alias("vpgen-final", "champion")
            assert len(client_of(runtime).list_artifacts(version.run_id, "champion")) == 2
    finally:
        monkeypatch.delenv("VPGEN_TRACKING_URI")
        servers.stop(server, Settings())
    assert capfd.readouterr().out == ""


def test_a_failed_gate_changes_nothing_unless_it_is_overridden(tracked: Runtime, tmp_path: Path) -> None:
    """The error carries every clause; with a reason it goes through, and the reason is in record and registry."""
    result = contest(tracked, tmp_path, state="running")
    with pytest.raises(GateFailed, match="does not pass the gate: decision") as caught:
        champions.promote(tracked, result.id, "neural", **ME)
    assert [clause.name for clause in caught.value.clauses if not clause.passed] == ["decision"]
    assert champions.history(tracked) == []
    assert client_of(tracked).search_registered_models() == []
    row = champions.promote(tracked, result.id, "neural", **ME, override="the old model ends tomorrow")
    assert row.override == "the old model ends tomorrow"
    version = client_of(tracked).get_model_version("vpgen-final", "1")
    assert version.tags["vpgen.override"] == "the old model ends tomorrow"
    with pytest.raises(NotFound, match="no variant 'best'"):
        champions.promote(tracked, result.id, "best", **ME)


def test_an_override_of_a_gate_that_passed_is_no_override(tracked: Runtime, tmp_path: Path) -> None:
    """What was not needed is not recorded as if it had been."""
    assert promoted(tracked, tmp_path, override="to be safe").override is None


def test_the_file_of_an_experiment_must_still_say_what_was_run(
    tracked: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the user or named by its path: changed since, or no experiment any more, is a failed clause."""
    result = contest(tracked, tmp_path)
    monkeypatch.chdir(tmp_path)
    configs = "{lanczos: shade-1.yaml, neural: shade-2.yaml}"
    text = f"name: contest\nbaseline: lanczos\nvariants: {configs}\ncases: [a fox, a bear]\nmetrics: {{sharpness: {{weight: 1, range: [0, 1]}}}}\ndecision: {{rule: fixed, min_pairs: 2}}\n"
    Path("contest.yaml").write_text(text)
    for reference in (result.id, "contest", "contest.yaml", "./contest.yaml"):
        (definition, *_) = champions.candidate(tracked, reference, "neural").clauses
        assert (definition.name, definition.passed) == ("definition", False)
        assert "says something else now: contest-" in definition.evidence
    Path("contest.yaml").write_text("name: contest\n")
    (definition, *_) = champions.candidate(tracked, result.id, "neural").clauses
    assert "no experiment any more" in definition.evidence


def test_the_next_champion_must_have_beaten_this_one(tracked: Runtime, tmp_path: Path) -> None:
    """Who won over the old default is no proof; who won over the champion is. The same again is refused."""
    promoted(tracked, tmp_path, 2)
    stale = contest(tracked, tmp_path, baseline=1, challenger=3, name="stale")
    with pytest.raises(GateFailed, match="gate: champion"):
        champions.promote(tracked, stale.id, "neural", **ME)
    assert promoted(tracked, tmp_path, 3, name="second").number == 2
    again = contest(tracked, tmp_path, baseline=2, challenger=3, name="again")
    with pytest.raises(IllegalMove, match="is the champion of final already"):
        champions.promote(tracked, again.id, "neural", **ME)


def test_a_rollback_restores_what_served_and_again_goes_further_back(tracked: Runtime, tmp_path: Path) -> None:
    """3 → 2 → 1 → the default of before; then there is nothing left. What was taken back does not come back."""
    for number in (2, 3, 4):
        promoted(tracked, tmp_path, number, name=f"contest-{number}")
    served = []
    for _ in range(3):
        row = champions.roll_back(tracked, "final", actor="lee", reason="flicker")
        champion = champions.current(tracked, "final")
        assert (champion.number, champion.promotion and champion.promotion.id) == (row.number, row.id)
        served.append((champion.config.name, row.evidence["restores"], row.evidence["takes_back"]))
    assert served == [("shade-3", 2, 3), ("shade-2", 1, 2), ("animatic", 0, 1)]
    with pytest.raises(IllegalMove, match="no previous champion: it is the config from before them all"):
        champions.roll_back(tracked, "final", actor="lee", reason="again")
    with pytest.raises(IllegalMove, match="nobody was ever promoted"):
        champions.roll_back(tracked, "preview", actor="lee", reason="again")
    assert [row.action for row in champions.history(tracked, "final")] == ["rollback"] * 3 + ["promote"] * 3
    version = client_of(tracked).get_model_version_by_alias("vpgen-final", "champion")
    assert (version.tags["vpgen.action"], version.tags["vpgen.reason"]) == ("rollback", "flicker")
    assert promoted(tracked, tmp_path, 5, name="afterwards").number == 7


RACE = """
import sys
import mlflow.store.tracking.sqlalchemy_store  # here, or each process takes its seconds
import pandas, scipy.stats
from vpgen import faults, servers
from vpgen.errors import VpgenError
from vpgen.lab import champions
from vpgen.runtime import Runtime

def work(number, wait):
    faults.hooks["promotion-checked"] = wait     # both have passed the gate and found their number free
    with Runtime.open() as runtime:
        try:
            row = champions.promote(runtime, sys.argv[1], "neural", actor=f"p{number}", reason="mine")
            return f"won {row.number} {row.actor} {row.registry_version}"
        except VpgenError as error:
            return f"{type(error).__name__}: {error.message}"
"""


def test_of_two_promotions_at_once_one_wins(
    tracked: Runtime, tmp_path: Path, at_once: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, both through the gate: one is the champion, the other is told who, and changed nothing."""
    result = contest(tracked, tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    lines = sorted(at_once(RACE, 2, result.id))
    (row,) = champions.history(tracked)
    loser, winner = lines
    assert winner == f"won 1 {row.actor} 1"
    assert loser.startswith(
        f"Conflict: the champion of final was changed meanwhile; {row.actor} was first: promote 1 at "
    )
    assert loser.endswith(f"({result.id}, neural): mine. You changed nothing")
    assert len(client_of(tracked).search_model_versions("name = 'vpgen-final'")) == 1


DIE = """
import sys
from vpgen.lab import champions
from vpgen.runtime import Runtime
with Runtime.open() as runtime:
    champions.promote(runtime, sys.argv[1], "neural", actor="kim", reason="r")
"""


class Killed(BaseException):
    """As far as anything that is stored is concerned, the end of the process."""


def kill_at(point: str, runtime: Runtime, result: Result) -> None:
    def die() -> None:
        raise Killed

    faults.hooks[point] = die
    try:
        with pytest.raises(Killed):
            champions.promote(runtime, result.id, "neural", **ME)
    finally:
        faults.hooks.clear()


def kill_process_at(point: str, runtime: Runtime, result: Result) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "VPGEN_FAULT": point}
    line = [sys.executable, "-c", DIE, result.id]
    done = subprocess.run(line, env=environment, check=False, capture_output=True, timeout=120)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize(
    ("kill", "point"),
    [
        (kill_at, "promotion-recorded"),
        (kill_at, "promotion-registered"),
        (kill_at, "promotion-appointed"),
        (kill_process_at, "promotion-registered"),
    ],
)
def test_a_promotion_killed_half_way_is_finished_by_the_next_call(
    tracked: Runtime, tmp_path: Path, kill: Callable[..., None], point: str
) -> None:
    """In the record, and not or only half in MLflow: whoever asks next finishes it, once."""
    kill(point, tracked, contest(tracked, tmp_path))
    assert [row.registry_version for row in champions.history(tracked)] == [None]
    for _ in range(2):
        champion = champions.current(tracked, "final")
        assert (champion.number, champion.note) == (1, "")
    assert [row.registry_version for row in champions.history(tracked)] == ["1"]
    client = client_of(tracked)
    assert len(client.search_model_versions("name = 'vpgen-final'")) == 1
    board = client.get_experiment_by_name(registry.RUNS)
    assert len(client.search_runs([board.experiment_id])) == 1
    assert str(client.get_model_version_by_alias("vpgen-final", "champion").version) == "1"


def test_a_broken_database_of_mlflow_is_an_mlflow_that_does_not_answer(
    tracked: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Production goes on with the last known champion, and a rollback works: no trace of SQL."""
    promoted(tracked, tmp_path)
    (tmp_path / "broken.db").write_bytes(b"this was a database once " * 100)
    monkeypatch.setenv("VPGEN_TRACKING_URI", f"sqlite:///{tmp_path / 'broken.db'}")
    with Runtime.open(Settings()) as broken:
        champion = champions.current(broken, "final")
        assert champion.number == 1
        assert "does not answer" in champion.note
        assert champions.roll_back(broken, "final", actor="lee", reason="flicker").number == 2


def test_without_mlflow_the_last_known_champion_serves_and_nobody_is_promoted(
    tracked: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note says so; a promotion is refused before anything changed; a rollback works, and MLflow is told later."""
    promoted(tracked, tmp_path, 2)
    result = contest(tracked, tmp_path, baseline=2, challenger=3, name="second")
    with mlflow_down(monkeypatch) as down:
        champion = champions.current(down, "final")
        assert (champion.number, champion.config.name) == (1, "shade-2")
        assert "MLflow at http://127.0.0.1:1 does not answer" in champion.note
        assert champion.note.endswith("the last known champion serves")
        with pytest.raises(StoreError, match="does not answer") as caught:
            champions.promote(down, result.id, "neural", **ME)
        assert caught.value.retryable
        assert len(champions.history(down)) == 1
        row = champions.roll_back(down, "final", actor="lee", reason="flicker")
        assert (row.number, row.registry_version) == (2, None)
        assert champions.current(down, "final").config.name == "animatic"
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.config.name, champion.note) == (2, "animatic", "")
    assert str(client_of(tracked).get_model_version_by_alias("vpgen-final", "champion").version) == "2"


def test_an_alias_moved_by_hand_is_honoured(tracked: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To an earlier version or one made elsewhere: it serves, a note says so, also when MLflow is away afterwards."""
    promoted(tracked, tmp_path, 2)
    promoted(tracked, tmp_path, 3, name="second")
    client = client_of(tracked)
    client.set_registered_model_alias("vpgen-final", "champion", "1")  # as MLflow's page does it
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.config.name) == (1, "shade-2")
    assert champion.note == "the alias `champion` was moved by hand in MLflow to version 1 (promotion 1)"
    with mlflow_down(monkeypatch) as down:
        assert champions.current(down, "final").config.name == "shade-2"
    foreign = client.create_model_version(
        "vpgen-final", "file:///elsewhere", tags={"vpgen.config": shade(tmp_path, 9).model_dump_json()}
    )
    client.set_registered_model_alias("vpgen-final", "champion", foreign.version)
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.config.name, champion.promotion) == (0, "shade-9", None)
    assert "version 3 (which was not promoted here)" in champion.note
    row = champions.roll_back(tracked, "final", actor="lee", reason="whose is that?")
    assert (row.number, row.config["name"], row.evidence["restores"]) == (3, "shade-3", 2)
    assert champions.current(tracked, "final").note == ""
    empty = client.create_model_version("vpgen-final", "file:///elsewhere")
    client.set_registered_model_alias("vpgen-final", "champion", empty.version)
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.config.name) == (3, "shade-3")
    assert "has no config" in champion.note


def test_a_rollback_undoes_a_move_by_hand(tracked: Runtime, tmp_path: Path) -> None:
    """What served before the alias was moved is the last promotion; once more, and it is the one before that."""
    promoted(tracked, tmp_path, 2)
    promoted(tracked, tmp_path, 3, name="second")
    client_of(tracked).set_registered_model_alias("vpgen-final", "champion", "1")
    for served, restored in (("shade-3", 2), ("shade-2", 1), ("animatic", 0)):
        row = champions.roll_back(tracked, "final", actor="lee", reason="who did that?")
        assert (row.config["name"], row.evidence["restores"]) == (served, restored)
        assert champions.current(tracked, "final").note == ""


def test_an_alias_or_registry_that_is_gone_does_not_stop_production(
    tracked: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the alias the record serves, and says so; a new, empty MLflow is told everything again."""
    promoted(tracked, tmp_path, 2)
    promoted(tracked, tmp_path, 3, name="second")
    client_of(tracked).delete_registered_model_alias("vpgen-final", "champion")
    champion = champions.current(tracked, "final")
    assert champion.number == 2
    assert "was taken away" in champion.note
    client_of(tracked).delete_registered_model("vpgen-final")
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.note) == (2, "")
    versions = client_of(tracked).search_model_versions("name = 'vpgen-final'")
    assert {version.tags["vpgen.number"] for version in versions} == {"1", "2"}


def test_a_canary_is_on_trial_until_it_is_confirmed(tracked: Runtime, tmp_path: Path) -> None:
    """Both configs are there; nobody is promoted over it; confirmed once or twice, it is the champion."""
    row = promoted(tracked, tmp_path, 2, canary=Canary(clips=10))
    champion = champions.current(tracked, "final")
    assert champion.canary == Canary(clips=10)
    assert champion.previous is not None
    assert (champion.config.name, champion.previous.name) == ("shade-2", "animatic")
    with pytest.raises(IllegalMove, match="is still a canary"):
        promoted(tracked, tmp_path, 3, name="hasty")
    champions.confirm(tracked, row)
    champions.confirm(tracked, row)
    champion = champions.current(tracked, "final")
    assert (champion.number, champion.canary) == (1, None)
    assert champion.promotion is not None
    assert champion.promotion.canary is not None
    assert champion.promotion.canary["clips"] == 10
    with pytest.raises(Conflict):  # over: a late guard rail takes nothing back
        champions.roll_back(tracked, "final", actor="batch", reason="late", action="canary-rollback")


def test_a_canary_is_taken_back_once(tracked: Runtime, tmp_path: Path) -> None:
    """Of two batches that find the breach, the second changes nothing; nor does one that tried an earlier canary."""
    row = promoted(tracked, tmp_path, 2, canary=Canary(percent=20))
    back = champions.roll_back(
        tracked, "final", actor="batch", reason="3 of 3 failed", action="canary-rollback", promotion=row
    )
    assert (back.action, back.config["name"]) == ("canary-rollback", "animatic")
    with pytest.raises(Conflict, match="batch was first: canary-rollback 2"):
        champions.roll_back(tracked, "final", actor="other", reason="x", action="canary-rollback")
    with pytest.raises(Conflict):
        champions.confirm(tracked, row)
    later = promoted(tracked, tmp_path, 3, name="later", canary=Canary(clips=5))
    with pytest.raises(Conflict):
        champions.roll_back(tracked, "final", actor="batch", reason="x", action="canary-rollback", promotion=row)
    assert champions.current(tracked, "final").number == later.number


def test_with_tracking_off_the_record_is_all(
    runtime: Runtime, tmp_path: Path, tracked_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promoted, rolled back, looked up without MLflow; once it is switched on, it is told."""
    row = promoted(runtime, tmp_path, 2)
    assert row.registry_version is None
    champion = champions.current(runtime, "final")
    assert (champion.number, champion.note) == (1, "")
    with Runtime.open(Settings()) as on:
        assert on.settings.tracking
        assert champions.current(on, "final").number == 1
        assert [row.registry_version for row in champions.history(on)] == ["1"]


def test_a_champion_outlives_an_upgrade_and_says_so(runtime: Runtime, tmp_path: Path) -> None:
    """A backend of a newer version makes other clips than those it won with: it serves on, with a note."""
    promoted(runtime, tmp_path, 2)
    with runtime.database.write() as session:
        row = session.scalars(sa.select(Promotion)).one()
        config = json.loads(json.dumps(row.config))
        config["stages"]["encode"]["version"] = "0"
        row.config = config
    champion = champions.current(runtime, "final")
    assert champion.config.stages["encode"].version == "1"
    assert champion.note == "newer backends than it was promoted with (encode: toy 0 → 1)"


def test_a_diff_names_keys_versions_and_prices(runtime: Runtime, tmp_path: Path) -> None:
    """What changed between two promotions, between one and who serves, or and a config."""
    promoted(runtime, tmp_path, 2)
    promoted(runtime, tmp_path, 3, name="second")
    one, two = side(runtime, "1", "final"), side(runtime, "final:2", "preview")
    assert [(c.path, c.before, c.after) for c in changes(one, two)] == [
        ("name", "shade-2", "shade-3"),
        ("stages.animate.params.shade", 2, 3),
    ]
    assert changes(two, side(runtime, "final", "final")) == []
    paths = {change.path for change in changes(two, side(runtime, "animatic", "final"))}
    assert {"seconds", "stages.encode.backend", "preview.size"} <= paths
    with pytest.raises(NotFound, match="final has no promotion 7"):
        side(runtime, "7", "final")
    priced = [Side(name, {}, {"a/b": usd, "same": "1"}) for name, usd in (("x", "0.05"), ("y", "0.07"))]
    (change,) = changes(*priced)
    assert (change.path, change.before, change.after) == ("prices.a/b", "0.05", "0.07")


def test_evidence_holds_only_what_json_has(runtime: Runtime, tmp_path: Path) -> None:
    """What was not measured is null, not NaN, which PostgreSQL would refuse."""
    result = contest(runtime, tmp_path)
    trials = [lab_trial(pair, variant) for pair in range(8) for variant in ("lanczos", "neural")]
    trials[0].values = {**trials[0].values, "numbers": {**trials[0].values["numbers"], "usd": float("nan")}}
    from lab_results import lab_result

    holes: Result = lab_result(result.experiment, trials=trials)
    row = champions.promote(runtime, holes, "neural", **ME)
    text = json.dumps(row.evidence, allow_nan=False)
    assert Decimal(json.loads(text)["experiment"]["spent_usd"]) == Decimal("0.231")
    assert json.loads(text)["summary"]["lanczos"]["usd_per_accepted"] is None
    assert faults.hooks == {}
