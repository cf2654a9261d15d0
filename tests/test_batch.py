"""Batches: an outcome for every row, nothing made twice, and whatever is no row's own fault stops the whole cleanly."""

import asyncio
import csv
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image
from toy_config import write_toy_config

from vpgen import batch, switch
from vpgen.batch import books, webhook
from vpgen.batch.requests import read
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import Conflict, InvalidInput, NotFound, Paused
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.jobs import recent as recent_jobs
from vpgen.store.jobs import worker_name
from vpgen.store.schema_lab import Batch

STORIES = ["a fox on the hill", "a woman by the sea", "a man at the bus stop"]


def table(folder: Path, *lines: str, head: str = "story,seed", name: str = "requests.csv") -> str:
    path = folder / name
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return str(path)


def three(folder: Path) -> str:
    return table(folder, *(f"{story},{seed}" for seed, story in enumerate(STORIES)))


def run(source: str, runtime: Runtime, config: PipelineConfig | None, **more: Any) -> batch.Summary:
    return asyncio.run(batch.run(source, config=config, runtime=runtime, **{"profile": "preview", **more}))


def rows(summary: batch.Summary) -> list[dict[str, str]]:
    with Path(summary.table).open() as file:
        return list(csv.DictReader(file))


def work(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def same(one: batch.Summary, other: batch.Summary) -> bool:
    """Alike in everything but how long it took."""
    figures = {"seconds_p50", "seconds_p95"}
    return one.model_dump(exclude=figures) == other.model_dump(exclude=figures)


def test_every_row_has_an_outcome_and_a_bad_one_never_sinks_the_rest(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path
) -> None:
    """No story, a seed that is none, a picture that is not there, a name twice, a refusal: each says so in its row."""
    source = table(
        tmp_path,
        "a fox,1,the-fox,,red",
        ",2,,,",
        "a cat,minus,,,",
        "a dog,-4,,,",
        "a hen,1,,nowhere.jpg,",
        "an owl,1,twice,,",
        "a crow,1,twice,,",
        "a bee,1,../up,,",
        "a forbidden fox,1,,,",
        "a man,3,,,",
        head="story,seed,name,character,colour",
    )
    summary = run(source, runtime, toy_config)
    states = {int(row["row"]): (row["state"], row["error"]) for row in rows(summary)}
    said = {
        2: "story",
        3: "valid integer",
        4: "greater than or equal",
        5: "nowhere.jpg",
        6: "twice",
        7: "twice",
        8: "name",
    }
    for number, words in said.items():
        assert states[number][0] == "failed"
        assert words in states[number][1]
    assert states[9][0] == "refused"
    assert {number for number, (state, _) in states.items() if state == "completed"} == {1, 10}
    assert (summary.completed, summary.failed, summary.refused, summary.left) == (2, 7, 1, 0)
    assert summary.reasons == {"InvalidInput": 7, "Refused": 1}
    assert "'colour'" in summary.notes[0]
    assert (tmp_path / "clips" / "the-fox.mp4").is_file()


def test_rows_of_the_same_clip_are_all_delivered(runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """Twenty that end at the same moment put the same file in the same place; none is in the other's way."""
    summary = run(table(tmp_path, *["a fox,7"] * 20), runtime, toy_config, parallel=20)
    assert (summary.completed, summary.stopped) == (20, "")
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 1
    assert not list((tmp_path / "clips").glob(".*"))


def test_files_clash_where_the_disk_takes_capitals_for_small_letters(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path
) -> None:
    """As those of macOS and Windows do; a row that is no request is said on the screen, once."""
    said: list[batch.Progress] = []
    source = table(tmp_path, "a fox,Fox", "a cat,fox", "a dog,dog", head="story,name")
    summary = run(source, runtime, toy_config, watch=said.append)
    assert (summary.completed, summary.failed) == (1, 2)
    assert [one.number for one in said if "would clash" in one.said] == [1, 2]
    run(source, runtime, toy_config, watch=said.append)
    assert len([one for one in said if "would clash" in one.said]) == 2


def test_a_picture_that_is_a_device_is_one_failed_row(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path
) -> None:
    """It is not read: /dev/zero has no end."""
    source = table(tmp_path, "a fox,/dev/zero", "a cat,", head="story,character")
    summary = run(source, runtime, toy_config)
    assert (summary.completed, summary.failed) == (1, 1)
    assert "there is no file /dev/zero" in rows(summary)[0]["error"]


def test_a_bucket_that_nobody_may_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library's own kind of error (no credentials, say) is no traceback."""

    def deny(*_: object, **__: object) -> None:
        raise RuntimeError("Unable to locate credentials")

    monkeypatch.setattr(fsspec, "open", deny)
    with pytest.raises(InvalidInput, match="Unable to locate credentials"):
        read("s3://bucket/requests.csv", {})


def test_a_line_that_is_no_json_is_one_failed_row(runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """The others are made; the error names the line."""
    path = tmp_path / "requests.jsonl"
    path.write_text('{"story": "a fox"}\n{"story": \n["a", "list"]\n{"story": 7}\n')
    summary = run(str(path), runtime, toy_config)
    errors = [row["error"] for row in rows(summary)]
    assert summary.completed == 1
    assert "requests.jsonl:2: not JSON" in errors[1]
    assert "a row is an object" in errors[2]
    assert "valid string" in errors[3]


def test_the_same_command_again_makes_nothing_and_says_the_same(
    runtime: Runtime, toy_config: PipelineConfig, toy_log: Path, tmp_path: Path
) -> None:
    """A batch is its table, its profile and its config; another seed in the table is another batch."""
    first = run(three(tmp_path), runtime, toy_config)
    toy_log.unlink()
    assert run(three(tmp_path), runtime, toy_config) == first
    assert work(toy_log) == []
    assert run(table(tmp_path, f"{STORIES[0]},77"), runtime, toy_config).id != first.id


def test_what_it_cost_is_what_the_ledger_says(runtime: Runtime, toy_log: Path, tmp_path: Path) -> None:
    """Total, per accepted clip, waste, and each row's own share."""
    config = load_config(write_toy_config(tmp_path / "paid.yaml", toy_log, animate="usage: {cpu_second: 9000}"))
    summary = run(three(tmp_path), runtime, config, profile="final", parallel=1)
    assert summary.usd > 0
    assert summary.per_accepted == summary.usd / 3
    assert summary.usd == sum(Decimal(row["usd"]) for row in rows(summary))
    assert summary.seconds_p50 is not None
    assert summary.seconds_p95 is not None
    assert summary.seconds_p50 <= summary.seconds_p95


def test_an_empty_purse_stops_it_and_more_money_goes_on(runtime: Runtime, toy_log: Path, tmp_path: Path) -> None:
    """The rows that are left are counted, wait as they were, and the same command with a larger budget makes them."""
    # About 0.3 USD of processor time is reserved for each clip; what is used in the end is next to nothing.
    config = load_config(write_toy_config(tmp_path / "dear.yaml", toy_log, animate="usage: {cpu_second: 9000}"))
    stopped = run(three(tmp_path), runtime, config, budget=Decimal("0.000001"), parallel=1)
    assert (stopped.state, stopped.completed, stopped.left) == ("stopped", 0, 3)
    assert stopped.stopped_by == "OverBudget"
    assert "3 rows are left" in stopped.next
    assert stopped.id in stopped.stopped
    done = run(three(tmp_path), runtime, config, budget=Decimal(10))
    assert (done.id, done.state, done.completed) == (stopped.id, "completed", 3)


def test_the_days_budget_stops_it_too_and_the_clips_own_is_the_rows_affair(toy_log: Path, tmp_path: Path) -> None:
    """What the next row would meet as well stops the batch; what only this row costs too much is its failure."""
    config = load_config(write_toy_config(tmp_path / "dear.yaml", toy_log, animate="usage: {cpu_second: 9000}"))
    with Runtime.open(Settings(day_budget=Decimal("0.000001"))) as runtime:
        assert run(three(tmp_path), runtime, config).stopped_by == "OverBudget"
    poor = config.model_copy(update={"budget": config.budget.model_copy(update={"clip": Decimal("0.000001")})})
    with Runtime.open(Settings()) as runtime:
        summary = run(three(tmp_path), runtime, poor)
    assert (summary.state, summary.reasons) == ("completed", {"OverBudget": 3})


def test_paused_it_ends_what_runs_and_begins_nothing(runtime: Runtime, toy_log: Path, tmp_path: Path) -> None:
    """The switch is looked at before each row; resumed, the same command makes the rest."""
    config = load_config(write_toy_config(tmp_path / "slow.yaml", toy_log, animate="hang: 0.1"))

    def watch(progress: batch.Progress) -> None:
        if progress.state == "running":
            switch.pause(runtime.database, "a test")

    stopped = run(three(tmp_path), runtime, config, parallel=1, watch=watch)
    assert (stopped.state, stopped.completed, stopped.left, stopped.stopped_by) == ("stopped", 1, 2, "Paused")
    assert "vpgen resume" in stopped.next
    with pytest.raises(Paused):
        run(three(tmp_path), runtime, config)
    switch.resume(runtime.database)
    assert run(three(tmp_path), runtime, config).completed == 3
    assert work(toy_log).count("animate") == 3


def test_a_store_that_cannot_be_written_stops_it(runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """A folder that is none would fail every row alike: they wait until it is one."""
    (tmp_path / "file").write_text("")
    stopped = run(three(tmp_path), runtime, toy_config, out=str(tmp_path / "file" / "out"))
    assert (stopped.stopped_by, stopped.completed, stopped.left) == ("StoreError", 0, 3)
    assert "not written" in stopped.table
    assert run(three(tmp_path), runtime, toy_config).completed == 3


def test_failed_rows_are_tried_again_when_asked(runtime: Runtime, toy_log: Path, tmp_path: Path) -> None:
    """Only those that failed at work: what was refused, and what is no request, stays as it is."""
    rich = load_config(write_toy_config(tmp_path / "dear.yaml", toy_log, animate="usage: {cpu_second: 9000}"))
    poor = rich.model_copy(update={"budget": rich.budget.model_copy(update={"clip": Decimal("0.000001")})})
    source = table(tmp_path, "a fox,1", "a forbidden fox,1", ",1")
    assert run(source, runtime, poor).reasons == {"InvalidInput": 1, "OverBudget": 1, "Refused": 1}
    assert run(source, runtime, rich).completed == 0
    again = run(source, runtime, rich, retry=True)
    assert (again.completed, again.reasons) == (1, {"InvalidInput": 1, "Refused": 1})


def test_two_at_once_are_a_conflict(runtime: Runtime, toy_log: Path, tmp_path: Path) -> None:
    """The second is told, and changes nothing."""
    config = load_config(write_toy_config(tmp_path / "slow.yaml", toy_log, animate="hang: 0.3"))

    async def both() -> list[Any]:
        runs = (batch.run(three(tmp_path), profile="preview", config=config, runtime=runtime) for _ in range(2))
        return await asyncio.gather(*runs, return_exceptions=True)

    outcomes = asyncio.run(both())
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Summary"]
    conflict = next(outcome for outcome in outcomes if isinstance(outcome, Conflict))
    assert "vpgen batch --show" in str(conflict.remedy)


def test_one_that_runs_on_another_machine_is_a_conflict(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path
) -> None:
    """Its worker's heartbeat says that it is alive; once that is silent, the batch is taken over."""
    from vpgen.store import jobs
    from vpgen.store.schema import Job, now
    from vpgen.store.schema_lab import Batch

    summary = run(three(tmp_path), runtime, toy_config, out=None)
    job = jobs.start(runtime.database, jobs.queue(runtime.database, "batch").id, worker="elsewhere:1:2")
    with runtime.database.write() as session:
        found = session.get_one(Batch, summary.id)
        found.state, found.worker = "running", "elsewhere:1:2"
    with pytest.raises(Conflict, match="another machine"):
        run(three(tmp_path), runtime, toy_config)
    with runtime.database.write() as session:
        session.get_one(Job, job.id).heartbeat_at = now() - 2 * jobs.STALE
    assert run(three(tmp_path), runtime, toy_config).completed == 3


SCRIPT = """
import asyncio, sys
from vpgen import batch
from vpgen.config import load_config
from vpgen.runtime import Runtime
with Runtime.open() as runtime:
    config = load_config(sys.argv[2])
    print(asyncio.run(batch.run(sys.argv[1], profile="preview", config=config, parallel=2, runtime=runtime)).model_dump_json())
"""


def test_killed_it_goes_on_makes_nothing_twice_and_ends_with_the_same_summary(tmp_path: Path, toy_log: Path) -> None:
    """kill -9 at work on the second pair of rows; the summary is that of a batch that nobody killed."""
    source = table(tmp_path, *(f"a fox on hill {number},{number}" for number in range(6)), ",1")
    config = write_toy_config(tmp_path / "toy.yaml", toy_log, animate="hang: 0.4")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", SCRIPT, source, str(config)]
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL)
    while work(toy_log).count("animate") < 3:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Runtime.open(Settings()) as runtime:
        (found,) = books.recent(runtime.database)
        assert found.state == "running"
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    killed = batch.Summary.model_validate_json(done.stdout)
    assert (killed.state, killed.completed, killed.failed) == ("completed", 6, 1)
    log = work(toy_log)
    # Two rows were at work when it died: only what they were doing is done again.
    assert log.count("score") == 6
    assert log.count("animate") <= 8
    assert log.count("plan") == 6

    other = Settings(home=tmp_path / "other", out=tmp_path / "clips")
    with Runtime.open(other) as runtime:
        unharmed = run(source, runtime, load_config(config), parallel=2)
        assert {job.status for job in recent_jobs(runtime.database)} == {"completed"}
    exact = {"usd", "waste", "per_accepted", "seconds_p50", "seconds_p95"}
    assert killed.model_dump(exclude=exact) == unharmed.model_dump(exclude=exact)


def test_pictures_lie_beside_the_table(runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """By a relative path; other pixels under the same name are another batch."""
    (tmp_path / "in" / "pictures").mkdir(parents=True)
    me = tmp_path / "in" / "pictures" / "me.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(me)
    source = table(tmp_path / "in", "a fox,1,pictures/me.png", head="story,seed,character")
    first = run(source, runtime, toy_config)
    assert first.completed == 1
    Image.fromarray(np.full((64, 64, 3), 91, np.uint8)).save(me)
    assert run(source, runtime, toy_config).id != first.id


def test_table_pictures_and_clips_may_be_elsewhere(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path
) -> None:
    """Through fsspec (here in memory; S3 is the same code): pictures beside the table, clips and summary where told."""
    memory = fsspec.filesystem("memory")
    picture = tmp_path / "me.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(picture)
    memory.pipe_file("/bucket/in/me.png", picture.read_bytes())
    memory.pipe_file(
        "/bucket/in/requests.csv", b"story,character,name\na fox,me.png,fox\na cat,/etc/passwd,cat\na dog,no.png,dog\n"
    )
    summary = run("memory://bucket/in/requests.csv", runtime, toy_config, out="memory://bucket/out")
    assert (summary.completed, summary.failed) == (1, 2)
    assert memory.cat_file("/bucket/out/fox.mp4")
    text = memory.cat_file(f"/bucket/out/{summary.id}.csv").decode()
    assert "memory://bucket/out/fox.mp4" in text
    assert "there is no picture memory://bucket/in/no.png" in text
    memory.rm("/bucket", recursive=True)


def test_parquet_with_pandas_empty_cells(runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path) -> None:
    """NaN is an empty cell, 2.0 a whole seed."""
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "requests.parquet"
    pandas.DataFrame({"story": ["a fox", "a cat"], "seed": [2.0, float("nan")]}).to_parquet(path)
    assert run(str(path), runtime, toy_config).completed == 2


def test_rows_may_name_a_config_of_their_own(
    runtime: Runtime, toy_config: PipelineConfig, toy_log: Path, tmp_path: Path
) -> None:
    """Beside the table or shipped; one that is no good is that row's error."""
    write_toy_config(tmp_path / "darker.yaml", toy_log, character="shade: 9")
    source = table(tmp_path, "a fox,", "a fox,darker.yaml", "a fox,nonesuch", head="story,config")
    summary = run(source, runtime, toy_config)
    assert (summary.completed, summary.failed) == (2, 1)
    found = rows(summary)
    assert found[0]["clip"] != found[1]["clip"]
    assert "there is no config 'nonesuch'" in found[2]["error"]


@pytest.mark.parametrize(
    ("source", "error"), [("nowhere.csv", NotFound), ("requests.txt", InvalidInput), ("empty.csv", InvalidInput)]
)
def test_no_table_is_an_error_before_anything_begins(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path, source: str, error: type[Exception]
) -> None:
    """And leaves no batch behind."""
    (tmp_path / "empty.csv").write_text("story\n")
    with pytest.raises(error):
        run(str(tmp_path / source), runtime, toy_config)
    assert books.recent(runtime.database) == []


class Listening(HTTPServer):
    """Takes posts; the first `refusing` of them are answered 503."""

    def __init__(self, refusing: int = 0, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.refusing, self.status = refusing, status
        self.posts: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Listening)
        server.posts.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(503 if len(server.posts) <= server.refusing else server.status)
        self.send_header("Content-Length", "0")
        if server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listening(request: pytest.FixtureRequest) -> Iterator[Listening]:
    with Listening(**getattr(request, "param", {})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("listening", [{"refusing": 1}], indirect=True)
def test_the_webhook_gets_the_signed_summary_once(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again after a 503; the signature is over the body; the same command again posts nothing."""
    monkeypatch.setenv("VPGEN_WEBHOOK_SECRET", "shared")
    summary = run(three(tmp_path), runtime, toy_config, hook=listening.url)
    assert summary.webhook == "delivered"
    assert len(listening.posts) == 2
    headers, body = listening.posts[-1]
    expected = hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert headers["X-Vpgen-Signature"] == f"sha256={expected}"
    document = json.loads(body)
    assert (document["event"], document["batch"]["completed"]) == ("batch.completed", 3)
    run(three(tmp_path), runtime, toy_config, hook=listening.url)
    assert len(listening.posts) == 2


@pytest.mark.parametrize("listening", [{"status": 404}], indirect=True)
def test_a_webhook_that_fails_is_said_and_fails_nothing(
    runtime: Runtime, toy_config: PipelineConfig, tmp_path: Path, listening: Listening
) -> None:
    """A 404 is not asked again, and without a secret there is no signature."""
    summary = run(three(tmp_path), runtime, toy_config, hook=listening.url)
    assert (summary.state, summary.completed, summary.webhook) == ("completed", 3, "not delivered: answered 404")
    assert "X-Vpgen-Signature" not in listening.posts[0][0]


def test_a_webhook_may_neither_hold_the_batch_up_nor_send_it_elsewhere(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that drips for ever is not waited for, one that never comes is said, a redirect is not followed."""
    monkeypatch.setattr(webhook, "ANSWER", 0.3)
    monkeypatch.setattr(webhook, "ATTEMPTS", 2)
    seen: list[str] = []

    class Odd(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            if self.path == "/silent":
                time.sleep(1.0)
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/inside")
            self.end_headers()
            with suppress(OSError):
                while self.path == "/drip":
                    self.wfile.write(b"x")
                    time.sleep(0.05)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        said = {
            path: asyncio.run(
                webhook.send(
                    f"http://127.0.0.1:{server.server_port}{path}", "batch.completed", {}, runtime.settings, wait=0.01
                )
            )
            for path in ("/drip", "/silent", "/moved")
        }
        server.shutdown()
    assert said == {
        "/drip": "delivered",
        "/silent": "not delivered: no answer within 0.3 s",
        "/moved": "not delivered: answered 302, which is not followed",
    }
    assert seen == ["/drip", "/silent", "/silent", "/moved"]


@pytest.mark.parametrize("listening", [{"status": 302}], indirect=True)
def test_a_webhook_that_leads_elsewhere_is_not_followed(runtime: Runtime, listening: Listening) -> None:
    """A redirect may lead to an address inside, and is said instead."""
    said = asyncio.run(webhook.send(listening.url, "batch.completed", {}, runtime.settings, wait=0.001))
    assert said == "not delivered: answered 302, which is not followed"
    assert len(listening.posts) == 1


def test_names_that_are_one_file_on_some_disks_clash(tmp_path: Path) -> None:
    """Fox and fox are the same file on macOS and Windows; a pipe is no picture."""
    os.mkfifo(tmp_path / "pipe.png")
    source = tmp_path / "t.csv"
    source.write_text("story,name,character\na fox,Fox,\na hare,fox,\na hen,hen,pipe.png\n")
    found = read(str(source), {}).rows
    assert [("is there 2 times" in (row.error or "")) for row in found] == [True, True, False]
    assert "there is no file pipe.png" in (found[2].error or "")


def test_a_webhook_that_nobody_answers(runtime: Runtime) -> None:
    """Every attempt is made, then it is said."""
    said = asyncio.run(webhook.send("http://127.0.0.1:9/hook", "batch.completed", {}, runtime.settings, wait=0.001))
    assert said.startswith("not delivered: ")


@pytest.mark.parametrize("url", ["ftp://host/x", "nowhere", "https://"])
def test_an_address_that_is_none_is_refused_before_anything_begins(runtime: Runtime, tmp_path: Path, url: str) -> None:
    """Nothing is made that nobody could be told of."""
    with pytest.raises(InvalidInput, match="no address for a webhook"):
        run(three(tmp_path), runtime, None, hook=url)


def test_a_table_is_read_the_same_whatever_it_is_called(tmp_path: Path) -> None:
    """The digest is of rows, pixels and configs, not of the name."""
    one, other = table(tmp_path, "a fox,1"), table(tmp_path, "a fox,1", name="other.csv")
    assert read(one, {}).digest == read(other, {}).digest


def test_the_command_prints_rows_and_summary_and_exits_with_what_happened(
    tmp_path: Path, toy_log: Path, runtime: Runtime
) -> None:
    """0 when all are made, 1 when some are not, 4 without money, 8 when paused; --json, --list and --show."""
    from test_cli import run as vpgen

    config = str(write_toy_config(tmp_path / "toy.yaml", toy_log))
    good = ["batch", three(tmp_path), "--profile", "preview", "--config", config]
    text = vpgen(*good)
    assert "3 of 3 made" in text
    assert "USD per accepted clip" in text
    lines = [json.loads(line) for line in vpgen(*good, "--json").splitlines()]
    assert lines[-1]["kind"] == "batch"
    bad = table(tmp_path, "a fox,1", ",2", name="bad.csv")
    assert "InvalidInput (1)" in vpgen("batch", bad, "--profile", "preview", "--config", config, code=1)
    assert vpgen("batch", "--list").count("batch-") == 2
    assert "3 of 3 made" in vpgen("batch", "--show", lines[-1]["id"][:14])
    dear = str(write_toy_config(tmp_path / "dear.yaml", toy_log, animate="usage: {cpu_second: 9000}"))
    poor = ["batch", table(tmp_path, "a cat,1", name="dear.csv"), "--profile", "preview", "--config", dear]
    assert "1 row is left" in vpgen(*poor, "--budget", "0.000001", code=4)
    assert "no amount of USD" in vpgen(*poor, "--budget", "much", code=2)
    switch.pause(runtime.database, "a test")
    assert "a test" in vpgen(*poor, code=8)


def test_one_that_runs_is_not_said_to_be_stopped_nor_one_whose_process_died_to_run(
    runtime: Runtime, toy_log: Path, tmp_path: Path
) -> None:
    """`--show` forgets why it stopped before once it goes on, and looks whether anybody is at work."""
    from test_cli import run as vpgen

    config = load_config(write_toy_config(tmp_path / "toy.yaml", toy_log))

    def pause(_: batch.Progress) -> None:
        switch.pause(runtime.database, "before")

    stopped = run(three(tmp_path), runtime, config, parallel=1, watch=pause)
    assert "before" in vpgen("batch", "--show", stopped.id)
    with runtime.database.write() as session:
        row = session.get_one(Batch, stopped.id)
        row.state, row.worker = "running", worker_name()
    text = vpgen("batch", "--show", stopped.id)
    assert "running" in text
    assert "before" not in text
    with runtime.database.write() as session:
        session.get_one(Batch, stopped.id).worker = f"{socket.gethostname()}:{2**22 + 1}:0"
    text = vpgen("batch", "--show", stopped.id)
    assert "running" not in text
    assert "ended without a word" in text
    assert "The same command goes on" in text


def test_interrupted_it_is_stopped_and_goes_on(tmp_path: Path, toy_log: Path, runtime: Runtime) -> None:
    """Ctrl-C: nothing is left running in the record, and the same command makes the rest."""
    config = write_toy_config(tmp_path / "slow.yaml", toy_log, animate="hang: 0.5")
    vpgen = Path(sys.executable).parent / "vpgen"
    line = [str(vpgen), "batch", three(tmp_path), "--profile", "preview", "--config", str(config), "--parallel", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while work(toy_log).count("animate") < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 130
    (found,) = books.recent(runtime.database)
    assert found.state == "stopped"
    assert {row.state for row in books.rows_of(runtime.database, found.id)} == {"completed", "queued"}
    assert run(three(tmp_path), runtime, load_config(config)).completed == 3
