"""The rating page over real HTTP: blind, for this machine only, and every vote is kept before the next is shown."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rated import EXPERIMENT, film_experiment, trial, write_experiment
from typer.testing import CliRunner

from vpgen.cli.app import app as program
from vpgen.errors import InvalidInput, NotFound
from vpgen.lab import votes
from vpgen.lab.rating import Page
from vpgen.results import show
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.store.schema import Clip

SECRETS = ("dark", "light", "opening-0a1b2c3d", "preview-")


class Rater:
    """Does what the page's script does."""

    def __init__(self, url: str, name: str = "mina") -> None:
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self.headers = {"origin": url.rstrip("/")}
        self.headers["x-visit"] = self.ask("enter", rater=name).json()["visit"]

    def ask(self, call: str, **body: Any) -> httpx.Response:
        return self.http.post(f"api/{call}", json=body, headers=self.headers)

    def show(self) -> dict[str, Any]:
        return dict(self.ask("show").raise_for_status().json())

    def vote(self, choice: str) -> dict[str, Any]:
        return dict(self.ask("vote", ticket=self.show()["ticket"], choice=choice).raise_for_status().json())


@pytest.fixture(scope="module")
def film_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with two pairs of real clips, made once."""
    folder = tmp_path_factory.mktemp("film")
    with Runtime.open(Settings(home=folder / "home", out=folder / "out", tracking=False)) as opened:
        film_experiment(opened, folder)
    return folder / "home"


@pytest.fixture
def runtime(film_archive: Path) -> Iterator[Runtime]:
    """A copy of it."""
    shutil.copytree(film_archive, Settings().home)
    with Runtime.open(Settings()) as opened:
        yield opened


@pytest.fixture
def filmed(runtime: Runtime) -> str:
    """The experiment's id."""
    return EXPERIMENT


@pytest.fixture
def page(filmed: str) -> Iterator[Page]:
    """Served on a free port; the same installation as `runtime`."""
    with Page(filmed) as served:
        yield served


@pytest.fixture
def mina(page: Page) -> Iterator[Rater]:
    """Somebody who has entered."""
    rater = Rater(page.url)
    yield rater
    rater.http.close()


def test_the_page_comes_whole_from_here(page: Page) -> None:
    """HTML, style and script are served with strict headers and name no other host."""
    for path, kind in (("", "text/html"), ("rate.css", "text/css"), ("rate.js", "text/javascript")):
        answer = httpx.get(page.url + path, trust_env=False)
        assert answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"https?://|//[a-z0-9.-]+\.[a-z]{2,}", answer.text)
    html = httpx.get(page.url, trust_env=False).text
    script = httpx.get(f"{page.url}rate.js", trust_env=False).text
    named = set(re.findall(r'\$\("([a-z-]+)"\)', script))
    assert named <= set(re.findall(r'id="([a-z-]+)"', html))


def test_from_the_first_pair_to_the_last(runtime: Runtime, filmed: str, mina: Rater) -> None:
    """Votes are in SQL before the next pair is shown; at the end there is thanks, and the ranking for who asks."""
    first = mina.show()
    assert (first["state"], first["done"], first["total"], first["undo"]) == ("show", 0, 2, False)
    assert mina.ask("ranking").status_code == 409
    second = mina.vote("left")
    assert len(votes.votes(runtime.database, filmed)) == 1
    assert (second["done"], second["undo"]) == (1, True)
    assert second["ticket"] != first["ticket"]
    assert mina.vote("both-bad")["state"] == "done"
    ranking = mina.ask("ranking").raise_for_status().json()
    assert {row["variant"] for row in ranking["standings"]} == {"dark", "light"}
    kept = votes.votes(runtime.database, filmed)
    assert [(vote.rater, vote.choice) for vote in kept] == [("mina", "left"), ("mina", "both-bad")]
    assert all(vote.seconds is not None and 0 <= vote.seconds < 60 for vote in kept)


def test_nothing_says_which_is_which(page: Page, mina: Rater) -> None:
    """No name, id, size or time of a clip is in what the page is told or in any header."""
    heard = []
    for _ in range(2):
        shown = mina.show()
        heard.append(json.dumps(shown))
        for side in ("left", "right"):
            answer = mina.http.get(shown[side]).raise_for_status()
            assert "last-modified" not in answer.headers
            heard.append(str(answer.headers))
        mina.vote("tie")
    for text in heard:
        assert not any(secret in text for secret in SECRETS)
    assert page.url.count("/") == 3


def test_the_clips_shown_are_those_the_vote_is_about(runtime: Runtime, filmed: str, mina: Rater) -> None:
    """The bytes on the left are the clip of the variant that the vote says was on the left."""
    found = {pairing.pair: pairing for pairing in votes.pairings(runtime.database, filmed)}
    for _ in range(2):
        shown = mina.show()
        sizes = [len(mina.http.get(shown[side]).content) for side in ("left", "right")]
        mina.vote("left")
        vote = votes.votes(runtime.database, filmed)[-1]
        values = {
            variant: _bytes(runtime, clip_id)
            for variant, clip_id in zip(found[vote.pair].variants, found[vote.pair].clips, strict=True)
        }
        other = vote.second if vote.left == vote.first else vote.first
        assert sizes == [values[vote.left], values[other]]


def _bytes(runtime: Runtime, clip_id: str) -> int:
    return show(runtime, clip_id).video.stat().st_size


def test_a_clip_is_served_in_ranges_and_with_a_tag(mina: Rater) -> None:
    """Seeking asks for parts; what the browser has already is not sent again."""
    address = mina.show()["left"]
    whole = mina.http.get(address)
    assert (whole.status_code, whole.headers["content-type"], whole.headers["accept-ranges"]) == (
        200,
        "video/mp4",
        "bytes",
    )
    part = mina.http.get(address, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert mina.http.get(address, headers={"range": "bytes=99999999-"}).status_code == 416
    same = mina.http.get(address, headers={"if-none-match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["clip/../../etc/passwd", "clip/%2e%2e%2fvpgen.db", "clip/x", "static/app.py", "../app.py"]
)
def test_no_path_of_a_client_is_opened(mina: Rater, path: str) -> None:
    """Only addresses that were given to a page that shows the clip now."""
    answer = mina.http.get(path)
    assert answer.status_code == 404
    before = mina.show()["left"]
    mina.vote("tie")
    assert mina.http.get(before).status_code == 404


def test_a_reload_shows_the_same_and_a_restart_goes_on(filmed: str, mina: Rater) -> None:
    """The visit is unknown to a new server: the page enters again under the same name, and the count goes on."""
    assert mina.show() == mina.show()
    mina.vote("right")
    with Page(filmed) as another:
        word = mina.headers["x-visit"]
        later = Rater(another.url)
        assert later.show()["done"] == 1
        later.headers["x-visit"] = word
        assert later.ask("show").status_code == 401
        later.http.close()


def test_a_vote_sent_twice_counts_once(runtime: Runtime, filmed: str, mina: Rater) -> None:
    """When the answer got lost the page asks again; a vote on clips that are gone from the screen is refused."""
    ticket = mina.show()["ticket"]
    first = mina.ask("vote", ticket=ticket, choice="left").json()
    assert mina.ask("vote", ticket=ticket, choice="left").json() == first
    late = mina.ask("vote", ticket=ticket, choice="right")
    assert late.status_code == 409
    assert "no longer on the screen" in late.json()["error"]
    assert [vote.choice for vote in votes.votes(runtime.database, filmed)] == ["left"]


def test_two_pages_of_one_person_do_not_vote_twice(runtime: Runtime, filmed: str, page: Page, mina: Rater) -> None:
    """The second page is told, and shows what is next."""
    twin = Rater(page.url)
    ticket = twin.show()["ticket"]
    mina.vote("left")
    assert twin.ask("vote", ticket=ticket, choice="right").status_code == 409
    assert twin.show()["done"] == 1
    twin.vote("right")
    assert [vote.choice for vote in votes.votes(runtime.database, filmed)] == ["left", "right"]
    twin.http.close()


def test_undo_shows_the_same_clips_again_on_the_same_sides(runtime: Runtime, filmed: str, mina: Rater) -> None:
    """Also from the end; and when there is nothing to take back it says so."""
    assert mina.ask("undo").status_code == 404
    before = mina.show()
    left = mina.http.get(before["left"]).content
    mina.vote("left")
    again = mina.ask("undo").raise_for_status().json()
    assert (again["done"], again["story"]) == (0, before["story"])
    assert mina.http.get(again["left"]).content == left
    mina.vote("right")
    assert mina.vote("tie")["state"] == "done"
    assert mina.ask("undo").json()["state"] == "show"
    assert [vote.choice for vote in votes.votes(runtime.database, filmed)] == ["right"]


def test_several_people_rate_at_once(runtime: Runtime, filmed: str, page: Page, mina: Rater) -> None:
    """Each has their own count, and what fewer have rated comes first."""
    jun = Rater(page.url, "jun")
    shown = mina.show()["story"]
    mina.vote("left")
    assert jun.show()["story"] == mina.show()["story"] != shown
    assert jun.show()["done"] == 0
    jun.http.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:1"},
        {"origin": "null"},
    ],
)
def test_other_pages_and_other_names_are_refused(mina: Rater, headers: dict[str, str]) -> None:
    """Neither a page from elsewhere nor a name that was made to lead here (DNS rebinding) gets an answer."""
    answer = mina.http.post("api/show", json={}, headers={**mina.headers, **headers})
    assert answer.status_code == 403
    assert mina.http.get("/", headers=headers).status_code == 403


def test_a_call_needs_the_pages_own_origin_and_json(page: Page, mina: Rater) -> None:
    """A form of another page can send neither; GET changes nothing."""
    assert mina.http.post("api/undo", json={}, headers={"x-visit": mina.headers["x-visit"]}).status_code == 403
    form = mina.http.post("api/undo", data={"a": "b"}, headers=mina.headers)
    assert form.status_code == 400
    assert mina.http.get("api/undo", headers=mina.headers).status_code == 405
    assert (
        mina.http.post(
            "api/show", content=b"[1]", headers={**mina.headers, "content-type": "application/json"}
        ).status_code
        == 400
    )
    assert mina.ask("show", filler="x" * 5000).status_code == 400
    port = page.url.split(":")[-1].strip("/")
    named = {"host": f"localhost:{port}", "origin": f"http://localhost:{port}", "x-visit": mina.headers["x-visit"]}
    assert mina.http.post("api/show", json={}, headers=named).status_code == 200


def test_names_and_choices_are_checked(mina: Rater) -> None:
    """With a message that says what would do."""
    assert "rater's name" in mina.ask("enter", rater="<script>").json()["error"]
    assert mina.ask("enter").status_code == 400
    wrong = mina.ask("vote", ticket=mina.show()["ticket"], choice="best")
    assert (wrong.status_code, "both-bad" in wrong.json()["remedy"]) == (400, True)


def test_clips_that_are_gone_are_passed_over(runtime: Runtime, filmed: str) -> None:
    """What retention removed cannot be shown; the page says how many there were."""
    with runtime.database.write() as session:
        for variant in ("dark", "light"):
            gone = f"preview-{variant}"
            session.add(
                Clip(id=gone, kind="preview", story="", config_name="x", config_hash="0", seed=0, state="completed")
            )
            session.flush()
            session.add(trial(filmed, 7, variant, gone))
    with Page(filmed, rater="mina") as page:
        rater = Rater(page.url)
        assert rater.ask("hello").json() == {"experiment": "opening", "rater": "mina"}
        while rater.show()["state"] == "show":
            rater.vote("tie")
        assert (rater.show()["done"], rater.show()["total"], rater.show()["lost"]) == (2, 2, 1)
        rater.http.close()


def test_an_experiment_without_clips_yet_waits(runtime: Runtime) -> None:
    """The page may be opened before the first pair is done; it goes on as soon as there is one."""
    experiment = write_experiment(runtime.database, pairs=0, name="ending")
    with Page("ending") as page:
        rater = Rater(page.url)
        assert rater.show()["state"] == "waiting"
        assert rater.ask("ranking").json()["votes"] == 0
        rater.http.close()
    assert votes.votes(runtime.database, experiment) == []


def test_what_cannot_be_served_says_why(page: Page) -> None:
    """An unknown experiment, a bad name, a port that is taken."""
    with pytest.raises(NotFound, match="no experiment 'closing'"):
        Page("closing")
    with pytest.raises(InvalidInput, match="rater's name"):
        Page("opening", rater="a/b")
    with pytest.raises(InvalidInput, match="is taken"):
        Page("opening", port=int(page.url.split(":")[-1].strip("/")))


def test_a_page_ends_and_frees_its_port(filmed: str) -> None:
    """Twice is as good as once."""
    page = Page(filmed)
    assert httpx.get(page.url, trust_env=False).status_code == 200
    page.stop()
    page.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(page.url, trust_env=False)


def test_the_command_serves_until_it_is_interrupted(runtime: Runtime, filmed: str) -> None:
    """It says the address; Ctrl-C ends it cleanly; `vpgen votes` then has the ranking, for people and for machines."""
    command = [sys.executable, "-m", "vpgen", "rate", "opening", "--rater", "mina", "--port", "0", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert address
        rater = Rater(address[0])
        rater.vote("left")
        rater.vote("tie")
        rater.http.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    said = CliRunner().invoke(program, ["votes", "opening", "--json"])
    found = json.loads(said.output)
    assert (found["votes"], found["rated"], len(found["standings"])) == (2, 2, 2)
    table = CliRunner().invoke(program, ["votes", filmed])
    assert "2 votes on 2 of 2 pairings" in table.output
    assert "Ranking" in table.output


def test_votes_before_anybody_has_rated(runtime: Runtime, filmed: str) -> None:
    """Says how to begin."""
    assert f"vpgen rate {filmed}" in CliRunner().invoke(program, ["votes", "opening"]).output
