"""The tutorial on vendors is true: its files, taken from the page and installed, buy a picture from a server that talks like it."""

import asyncio
import io
import json
import re
import threading
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toy_config import write_toy_config

from vpgen.backends import registry
from vpgen.backends.http.wire import Wire
from vpgen.catalogue import load_catalogue
from vpgen.clip import Prompt
from vpgen.config import load_config
from vpgen.errors import BadOutput, Refused, RequestRejected, UnknownOutcome
from vpgen.money.spending import spending
from vpgen.results import ledger_of
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import BackgroundRequest
from vpgen.step import Steps
from vpgen.store import clips, journal

PAGE = Path(__file__).parent.parent / "docs" / "vendors.md"
BLOCKS = dict(re.findall(r"```(python|toml|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL))
FOR_TEXT = {
    "blocked": [{"state": "blocked", "why": "not here"}],
    "strange": [{"state": "musing"}],
    "empty": [{"state": "done"}],
}
"""What Pix says of a picture of this, when it is asked."""


class Pix(ThreadingHTTPServer):
    """The vendor of the page: paints everything blue on the third look."""

    daemon_threads = True

    def __init__(self) -> None:
        self.ordered: list[dict[str, Any]] = []
        self.looks = 0
        super().__init__(("127.0.0.1", 0), _Talk)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Talk(BaseHTTPRequestHandler):
    server: Pix

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/pix/v2/pictures"
        assert self.headers["X-Pix-Key"]
        if body["text"] == "Atlantis":
            return self._say(400, {"why": "cannot paint Atlantis"})
        self.server.ordered.append(body)
        return self._say(201, {"id": len(self.server.ordered)})

    def do_GET(self) -> None:
        if self.path.endswith(".png"):
            buffer = io.BytesIO()
            Image.new("RGB", (160, 90), "blue").save(buffer, "PNG")
            return self._send(200, buffer.getvalue(), "image/png")
        self.server.looks += 1
        states = [{"state": "queued"}, {"state": "painting"}, {"state": "done", "url": f"{self.server.url}/1.png"}]
        states = FOR_TEXT.get(self.server.ordered[-1]["text"], states)
        return self._say(200, states[min(self.server.looks, len(states)) - 1])

    def _say(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def pix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pix]:
    """The page's files as an installed package and a catalogue, and the vendor they are for."""
    site = tmp_path / "site"
    for language, name in (("python", "my_vendors/pix.py"), ("yaml", "my-catalogue/pix.yaml")):
        text = BLOCKS[language]
        assert text.startswith(f"# {name}\n")
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text(text)
    groups = tomllib.loads(BLOCKS["toml"])["project"]["entry-points"]
    info = site / "my_vendors-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-vendors\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in points.items())
            for group, points in groups.items()
        )
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("VPGEN_CATALOGUE", str(site / "my-catalogue"))
    server = Pix()
    monkeypatch.setenv("VPGEN_PROVIDERS_URL", server.url)
    monkeypatch.setenv("VPGEN_PROVIDERS_SPEED", "500")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    _forget()
    yield server
    server.shutdown()
    server.server_close()
    _forget()


def _forget() -> None:
    registry.installed.cache_clear()
    registry.find.cache_clear()


def buy(folder: Path, text: str) -> tuple[Any, Decimal, list[tuple[str, str | None]]]:
    """What came, what it cost, and the journal; or the error instead of what came."""
    file = write_toy_config(folder / "pix.yaml", None)
    file.write_text(re.sub(r"(?m)^  background: .*$", "  background: pix/pix-1", file.read_text()))
    with Runtime.open(Settings()) as runtime:
        config = load_config(file)
        clips.begin(
            runtime.database, "c", kind="preview", parent=None, story="", config_name="", config_hash="", seed=0
        )
        ledger = ledger_of(runtime, "c", config)
        steps = Steps(runtime, config, ledger, lambda event: None)
        request = BackgroundRequest(Prompt(character="", background=text, motion=""), 7, (64, 36))

        async def work() -> Any:
            async with runtime.connections():
                return (await steps("background", request)).load()

        try:
            came: Any = asyncio.run(work())
        except Exception as error:  # noqa: BLE001  # what it is, the test looks at
            came = error
        usd = sum(row.usd for row in spending(runtime.database, "provider").groups if row.name == "pix")
        return came, usd, [(row.state, row.outcome) for row in journal.entries(runtime.database, every=True)]


def test_the_example_is_short() -> None:
    """All three files together, without what is empty, are under sixty lines."""
    assert sum(bool(line.strip()) for text in BLOCKS.values() for line in text.splitlines()) < 60


def test_a_picture_is_bought(pix: Pix, tmp_path: Path) -> None:
    """Ordered once in the vendor's own words, waited for, downloaded, booked at the catalogue's price."""
    still, usd, rows = buy(tmp_path, "beach")
    assert still.rgb.shape == (36, 64, 3)
    assert np.all(still.rgb == (0, 0, 255))
    assert pix.ordered == [{"model": "pix-1", "text": "beach", "shape": "16:9", "seed": 7}]
    assert pix.looks == 3
    assert usd == Decimal("0.02")
    assert rows == [("closed", "succeeded")]


@pytest.mark.parametrize(
    ("text", "error", "said", "usd", "row"),
    [
        ("blocked", Refused, "not here", 0, ("closed", "refused")),
        ("strange", UnknownOutcome, "musing", 0, ("submitted", None)),
        ("empty", BadOutput, "no output", Decimal("0.02"), ("closed", "bad-output")),
        ("Atlantis", RequestRejected, "cannot paint Atlantis", 0, ("closed", "never")),
    ],
)
def test_the_other_ends(
    pix: Pix, tmp_path: Path, text: str, error: type[Exception], said: str, usd: Decimal, row: tuple[str, str | None]
) -> None:
    """The forty lines make of each answer what a user needs to know."""
    came, spent, rows = buy(tmp_path, text)
    assert isinstance(came, error), came
    assert said in str(came)
    assert spent == usd
    assert rows == [row]


def test_without_its_key_it_is_not_ready(pix: Pix, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vpgen doctor` names the variable of the catalogue."""
    monkeypatch.delenv("VPGEN_PROVIDERS_URL")
    readiness = registry.find("pix").readiness()
    assert not readiness.ready
    assert "PIX_KEY" in readiness.note
    monkeypatch.setenv("PIX_KEY", "k")
    assert registry.find("pix").readiness().ready


def test_the_page_names_what_there_is(pix: Pix) -> None:
    """Each method, field and file of the table exists."""
    from vpgen.backends.http.wire import Report

    table = PAGE.read_text().partition("## What else")[2]
    for name in ("result", "upload", "uploaded", "cancel", "evidence", "weigh", "refusals"):
        assert f"`{name}`" in table
        assert hasattr(Wire, name)
    for name in re.findall(r"`Report\.(\w+)", table):
        assert name in Report.__dataclass_fields__
    assert "pix" in load_catalogue(Settings().catalogue)
