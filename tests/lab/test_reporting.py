"""What was made and spent in a stretch of time, as the cost report shows it; executed notebooks and where they are kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from vpgen import studio
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import ConfigError, InvalidInput, NotFound, StageFailed, StoreError
from vpgen.lab import notebooks, prompt_lab, reporting
from vpgen.money.spending import figure, spending
from vpgen.runtime import Runtime


@pytest.fixture
def made(runtime: Runtime, toy_config: PipelineConfig) -> Runtime:
    """Three previews and a final; a fourth preview fails."""
    clips = [studio.run(studio.preview(f"story {n}", config=toy_config, seed=n, runtime=runtime)) for n in range(3)]
    studio.run(studio.final(clips[0].id, runtime=runtime))
    stages = {**toy_config.stages}
    stages["animate"] = stages["animate"].model_copy(update={"params": {**stages["animate"].params, "fail": "no luck"}})
    broken = toy_config.model_copy(update={"name": "broken", "stages": stages})
    with pytest.raises(StageFailed):
        studio.run(studio.preview("story 9", config=broken, runtime=runtime))
    return runtime


def test_every_clip_is_in_the_table_with_its_cost_and_scores(made: Runtime) -> None:
    """Failed ones too, with their reason; USD adds up to the ledger's sum."""
    clips = reporting.clip_table(made)
    assert sorted(clips["state"]) == ["completed"] * 4 + ["failed"]
    assert clips.loc[clips["state"] == "completed", "bytes"].gt(0).all()
    assert "no luck" in clips.loc[clips["state"] == "failed", "error"].item()
    total = spending(made.database).total
    assert clips["usd"].sum() == pytest.approx(float(total.usd))
    assert "bytes" not in reporting.clip_table(made, scores=False)


def test_only_what_lies_in_the_window(made: Runtime) -> None:
    """`since` is included, `until` is not."""
    now = datetime.now(UTC)
    assert len(reporting.clip_table(made, now - timedelta(hours=1), now)) == 5
    assert reporting.clip_table(made, now).empty
    assert reporting.money(made, "day", now).empty


def test_configs_are_summed_up_apart(made: Runtime) -> None:
    """Clips, completed, percentiles and USD for each accepted one; a config without one has none, not 0."""
    clips = reporting.clip_table(made)
    table = reporting.by_config(clips)
    assert table.loc[("toy", "preview"), "completed"] == 3
    assert table.loc[("broken", "preview"), "clips"] == 1
    assert np.isnan(table.loc[("broken", "preview"), "USD each accepted"])
    seconds = clips.loc[(clips["config"] == "toy") & (clips["kind"] == "preview"), "seconds"].astype(float)
    assert table.loc[("toy", "preview"), "seconds p95"] == pytest.approx(np.percentile(seconds, 95))


def test_money_adds_up_however_it_is_summed(made: Runtime) -> None:
    """By day, stage and category: the same sum."""
    total = float(spending(made.database).total.usd)
    for by in ("day", "stage", "category", "experiment", "clip"):
        assert reporting.money(made, by)["USD"].sum() == pytest.approx(total), by


def test_failures_and_headline_say_what_did_not_work(made: Runtime) -> None:
    """Counted, with the reason."""
    lost = reporting.failures(reporting.clip_table(made))
    assert lost[["config", "state", "clips"]].to_numpy().tolist() == [["broken", "failed", 1]]
    said = reporting.headline(made)
    assert (said["clips begun"], said["without a result"], said["accepted finals"]) == ("5", "1", "1")
    assert "target 2.00" in said["each accepted clip"]


def test_the_latency_picture_shows_every_clip(made: Runtime) -> None:
    """A dot a clip, p50 and p95 beside their config."""
    drawn = reporting.latency(reporting.clip_table(made))
    dots = list(drawn.findobj(lambda artist: str(artist.get_gid() or "").startswith("clips:")))
    assert sorted(len(line.get_xdata()) for line in dots) == [1, 3]
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == ["toy, final", "toy, preview"]


def test_an_empty_installation_has_a_report_too(runtime: Runtime) -> None:
    """Every table and picture is there, empty, and the headline says why."""
    clips = reporting.clip_table(runtime)
    assert clips.empty
    assert list(clips.columns) == reporting.COLUMNS
    assert reporting.headline(runtime).to_dict() == {"nothing": "was made or bought in this time"}
    assert reporting.by_config(clips).empty
    assert reporting.failures(clips).empty
    assert reporting.money(runtime, "day").empty
    for drawn in (reporting.latency(clips), figure(spending(runtime.database))):
        assert isinstance(drawn, Figure)
        drawn.canvas.draw()


def test_a_window_is_written_as_people_write_it() -> None:
    """Dates, dates with a time and a zone, days ago; a day as the end is included."""
    assert reporting.window() == (None, None)
    begin, end = reporting.window("2026-11-25", "2026-11-25")
    assert (begin, end) == (datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC))
    begin, _ = reporting.window("2026-11-25T18:00+09:00")
    assert begin == datetime(2026, 11, 25, 9, tzinfo=UTC)
    begin, _ = reporting.window("7d")
    assert begin is not None
    assert timedelta(days=7) - (datetime.now(UTC) - begin) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("since", "until"), [("soon", ""), ("", "2026-13-01"), ("2026-02-02", "2026-02-01"), ("-3d", "")]
)
def test_a_window_that_makes_no_sense_is_refused(since: str, until: str) -> None:
    """With an example of what is understood."""
    with pytest.raises(InvalidInput):
        reporting.window(since, until)


def test_tables_are_written_as_csv(made: Runtime, tmp_path: Path) -> None:
    """Into the folder, and nothing without one."""
    clips = reporting.clip_table(made)
    assert reporting.write_csv(str(tmp_path / "out"), clips=clips) == ["clips.csv"]
    assert len((tmp_path / "out" / "clips.csv").read_text().splitlines()) == 6
    assert reporting.write_csv("", clips=clips) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        reporting.write_csv(str(tmp_path / "file"), clips=clips)


# --- executed notebooks ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../secrets", "", "Prompt_Lab", "a/b", "x" * 99])
def test_a_notebook_is_named_not_a_path(name: str, tmp_path: Path) -> None:
    """Nothing outside the folder of notebooks can be run."""
    with pytest.raises(InvalidInput, match="cannot be a notebook's name"):
        notebooks.execute(name, {}, tmp_path / "x.html")


def test_unknown_notebooks_and_parameters_are_refused(tmp_path: Path) -> None:
    """Papermill would take a misspelt parameter in silence."""
    with pytest.raises(NotFound):
        notebooks.execute("no_such_notebook", {}, tmp_path / "x.html")
    with pytest.raises(InvalidInput, match="no parameter sinc") as caught:
        notebooks.execute("cost_quality_report", {"sinc": "7d"}, tmp_path / "x.html")
    assert caught.value.remedy == "It has since, until, out"


def test_a_page_is_kept_and_mlflow_is_owed_a_link(runtime: Runtime, tmp_path: Path) -> None:
    """The bytes and a document are in the store; the report waits in the outbox."""
    from vpgen.store.clips import PAGE_REPORT
    from vpgen.store.schema import OutboxItem

    page = tmp_path / "page.html"
    page.write_text("<p>Hello")
    blob = notebooks.keep(runtime, page, name="cost_quality_report", parameters={"since": "7d"})
    assert runtime.store.get_bytes(blob) == b"<p>Hello"
    (key,) = runtime.store.list_documents(notebooks.PAGES)
    assert runtime.store.get_document(notebooks.PAGES, key)["parameters"] == {"since": "7d"}
    with runtime.database.read() as session:
        item = session.query(OutboxItem).one()
    assert (item.kind, item.payload) == (PAGE_REPORT, {"report": key})


def test_mlflow_gets_the_page_once(runtime: Runtime, tmp_path: Path) -> None:
    """A run with the page among its artifacts and its address in the store; delivered twice it is one run."""
    pytest.importorskip("mlflow")
    from vpgen.store.schema import OutboxItem
    from vpgen.tracking import mlflow_client

    page = tmp_path / "page.html"
    page.write_text("<p>Hello")
    blob = notebooks.keep(runtime, page, name="cost_quality_report", parameters={"since": "7d"})
    with runtime.database.read() as session:
        item = session.query(OutboxItem).one()
    client = mlflow_client(runtime)
    notebooks.deliver(client, runtime, item)
    notebooks.deliver(client, runtime, item)
    board = client.get_experiment_by_name(notebooks.BOARD)
    (run,) = client.search_runs([board.experiment_id])
    assert run.data.params == {"since": "7d"}
    assert run.data.tags["vpgen.page"] == runtime.store.url(blob)
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["cost_quality_report.html"]


# --- the prompt lab -------------------------------------------------------------------------------


def test_dials_change_only_their_stage() -> None:
    """A dial that is None leaves the config as it is; a value that a backend does not take is a config error."""
    plain = load_config("animatic")
    assert prompt_lab.dialled("animatic", camera=None) == plain
    turned = prompt_lab.dialled("animatic", camera=0.5, scale=0.9)
    assert turned.stages["animate"].params["strength"] == 0.5
    assert turned.stages["composite"].params["scale"] == 0.9
    assert turned.stages["upscale"] == plain.stages["upscale"]
    with pytest.raises(ConfigError, match="strength"):
        prompt_lab.dialled("animatic", camera=9.0)


def test_stills_and_figures_have_a_place_for_every_seed(runtime: Runtime, toy_config: PipelineConfig) -> None:
    """A picture of all, and a column of figures each."""
    clips = [studio.run(studio.preview("a story", config=toy_config, seed=n, runtime=runtime)) for n in (3, 5)]
    assert prompt_lab.stills(runtime, clips).startswith(b"\x89PNG")
    table = prompt_lab.figures(clips)
    assert list(table.columns) == [3, 5]
    assert {"bytes", "seconds", "USD"} <= set(table.index)
    assert 'src="data:video/mp4;base64,' in prompt_lab.player(clips[0])
