"""What the sandbox does of its own: outcomes by a seed, bills, spoiled media, the control API, hostile requests."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from vpgen.backends import sandbox as package
from vpgen.backends.sandbox import Sandbox, SandboxSettings
from vpgen.backends.sandbox.app import build
from vpgen.catalogue import load_catalogue
from vpgen.cli.sandbox import sandbox as command

Ask = Callable[..., httpx.Response]
DRAW = {"model": "gen4_image", "ratio": "1280:720"}
RUNWAY = "/runway/v1/text_to_image"
CATALOGUE = Path(__file__).parent / "catalogue"


def drawn(ask: Ask, prompt: str, **more: Any) -> dict[str, Any]:
    """A Runway task once it is over."""
    made = ask("POST", RUNWAY, json={**DRAW, "promptText": prompt, **more}).json()
    while True:
        said: dict[str, Any] = ask("GET", f"/runway/v1/tasks/{made['id']}").json()
        if said["status"] not in {"PENDING", "THROTTLED", "RUNNING"}:
            return said
        time.sleep(0.005)


def outcomes(ask: Ask, order: Iterator[int]) -> dict[int, tuple[str, str | None]]:
    """What becomes of twenty requests, whichever order they come in."""
    said = {index: drawn(ask, f"a place, number {index}") for index in order}
    return {index: (task["status"], task.get("failureCode")) for index, task in said.items()}


def test_the_same_seed_decides_the_same(sandbox: Sandbox, ask: Ask) -> None:
    """Same seed and requests: same ids, outcomes and bill, in whatever order they arrive; another seed, others."""
    sandbox.settings(failures=0.3, refusals=0.2, seed=5)
    first, bill = outcomes(ask, iter(range(20))), sandbox.bill()
    sandbox.reset()
    again, second = outcomes(ask, reversed(range(20))), sandbox.bill()
    assert again == first
    assert {job["id"]: job["usd"] for job in second["jobs"]} == {job["id"]: job["usd"] for job in bill["jobs"]}
    assert second["total_usd"] == bill["total_usd"]
    assert {"SUCCEEDED", "FAILED"} == {status for status, _ in first.values()}
    sandbox.reset()
    sandbox.settings(seed=6)
    assert outcomes(ask, iter(range(20))) != first


def test_the_bill_sums_to_the_cent(sandbox: Sandbox, ask: Ask) -> None:
    """Jobs of several vendors, some failed or refused: the sums are those of the jobs, as decimals."""
    sandbox.settings(failures=0.3)
    for index in range(10):
        drawn(ask, f"number {index}", ratio="1920:1080" if index % 2 else "1280:720")
        ask("POST", "/replicate/v1/models/example/words-to-picture/predictions", json={"input": {"prompt": str(index)}})
    time.sleep(0.1)
    bill = sandbox.bill()
    assert len(bill["jobs"]) == 20
    for vendor, total in bill["by_vendor"].items():
        assert Decimal(total) == sum(Decimal(job["usd"]) for job in bill["jobs"] if job["vendor"] == vendor)
    assert Decimal(bill["total_usd"]) == sum(map(Decimal, bill["by_vendor"].values())) == sandbox.total()
    free = {job["usd"] for job in bill["jobs"] if job["state"] == "failed"}
    assert free == {"0.00"}


def test_spoiled_outputs(ask: Ask) -> None:
    """A web page, half a file, a redirect inside, a file without an end: each instead of a picture."""

    def output(marker: str) -> str:
        return str(drawn(ask, marker)["output"][0])

    page = ask("GET", output("sandbox:garbage-html"))
    assert page.headers["content-type"].startswith("text/html")
    whole, half = ask("GET", output("x")).content, ask("GET", output("sandbox:truncate")).content
    assert half == whole[: len(whole) // 2]
    inside = ask("GET", output("sandbox:redirect-internal"))
    assert (inside.status_code, inside.headers["location"][:23]) == (302, "http://169.254.169.254/")
    with httpx.stream("GET", output("sandbox:garbage-endless"), trust_env=False, timeout=60) as endless:
        assert "content-length" not in endless.headers
        size = 0
        for chunk in endless.iter_raw():
            size += len(chunk)
            if size > 3 * len(whole):
                break


def test_shares_are_drawn(sandbox: Sandbox, ask: Ask) -> None:
    """All of it at a share of one: transient errors, garbage, and only where `only` says."""
    sandbox.settings(transient_errors=1.0)
    assert ask("POST", RUNWAY, json={**DRAW, "promptText": "x"}).status_code in {500, 503}
    assert sandbox.bill()["jobs"] == []
    sandbox.settings(only=("replicate",))
    assert ask("POST", RUNWAY, json={**DRAW, "promptText": "x"}).status_code == 200
    path = "/replicate/v1/models/example/words-to-picture/predictions"
    assert ask("POST", path, json={"input": {"prompt": "x"}}).status_code in {500, 503}
    sandbox.settings(transient_errors=0.0, lost_answers=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        ask("POST", path, json={"input": {"prompt": "y"}})
    assert len(sandbox.bill()["jobs"]) == 2


@pytest.mark.parametrize("vendor", ["runway", "stability", "replicate", "luma", "fal"])
def test_outages_and_unknown_routes(sandbox: Sandbox, ask: Ask, vendor: str) -> None:
    """Down: 503, or no answer at all; an unknown endpoint: 404. Each in the vendor's own shape of errors."""
    shape = {
        "runway": {"error"},
        "stability": {"id", "name", "errors"},
        "replicate": {"title", "detail", "status"},
        "luma": {"detail"},
        "fal": {"detail"},
    }[vendor]
    unknown = ask("GET", f"/{vendor}/v9/nothing")
    assert (unknown.status_code, set(unknown.json())) == (404, shape)
    sandbox.settings(outage={vendor: "answer"})
    down = ask("GET", f"/{vendor}/v9/nothing")
    assert (down.status_code, set(down.json())) == (503, shape)
    sandbox.settings(outage={vendor: "cut"})
    with pytest.raises(httpx.RemoteProtocolError):
        ask("GET", f"/{vendor}/v9/nothing")


@pytest.mark.parametrize(
    "path",
    [
        "/runway/v1/image_to_video",
        "/stability/v2beta/stable-image/generate/core",
        "/_control/settings",
    ],
)
def test_a_body_of_a_hundred_megabytes(ask: Ask, path: str) -> None:
    """Read to its end, not kept, and refused with 413."""
    method = "PUT" if "_control" in path else "POST"
    response = ask(method, path, content=bytes(100_000_000), headers={"content-type": "application/json"})
    assert response.status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"model": 1e999}'])
def test_bodies_that_are_no_request(ask: Ask, body: bytes) -> None:
    """Broken JSON, other JSON, no JSON: a 4xx, never a 500."""
    for path in (
        RUNWAY,
        "/replicate/v1/predictions",
        "/luma/v1/generations",
        "/stability/v2beta/stable-image/generate/core",
    ):
        assert 400 <= ask("POST", path, content=body).status_code < 500


def test_what_would_be_too_large_to_draw(sandbox: Sandbox, ask: Ask, picture: bytes) -> None:
    """A ratio or a scale beyond all measure fails the job and draws nothing."""
    path = "/replicate/v1/models/example/words-to-picture/predictions"
    made = ask("POST", path, json={"input": {"prompt": "x", "aspect_ratio": "99999:1"}}).json()
    time.sleep(0.05)
    assert ask("GET", made["urls"]["get"]).json()["status"] == "failed"
    assert ask("POST", path, json={"input": {"prompt": "x", "aspect_ratio": "wide"}}).status_code == 422


def test_the_key_is_never_told(sandbox: Sandbox, ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """It is in no answer of the control API, no error, no output."""
    key = {"authorization": "Bearer my-very-secret-key"}
    said = ask("POST", RUNWAY, json={**DRAW, "promptText": "x"}, headers=key).text
    said += ask("POST", RUNWAY, json={"nonsense": 1}, headers=key).text
    said += json.dumps([sandbox.bill(), sandbox.requests(), sandbox.settings()])
    assert "secret" not in said + "".join(capfd.readouterr())


def test_the_control_api(sandbox: Sandbox, ask: Ask) -> None:
    """Settings are checked and changed one by one, requests counted by endpoint, a reset forgets."""
    wrong = ask("PUT", "/_control/settings", json={"failures": 2, "nonsense": 1})
    assert wrong.status_code == 400
    assert {issue["field"] for issue in wrong.json()["issues"]} == {"failures", "nonsense"}
    sandbox.settings(failures=0.25)
    assert sandbox.settings(seed=9)["failures"] == 0.25
    sandbox.settings(failures=0.0)
    task = drawn(ask, "x")
    assert task["status"] == "SUCCEEDED"
    asked = sandbox.requests()
    assert asked["POST /runway/v1/text_to_image"] == 1
    assert asked["GET /runway/v1/tasks/{id}"] >= 1
    sandbox.reset()
    assert (sandbox.bill()["jobs"], sandbox.requests()) == ([], {})
    assert ask("GET", f"/runway/v1/tasks/{task['id']}").status_code == 404


def test_the_catalogue_that_ships_can_be_asked_for() -> None:
    """Every model on sale that the look-alikes of Replicate and fal serve is found, and has a price."""
    with Sandbox(speed=1000, media="stock") as sandbox, httpx.Client(base_url=sandbox.url, timeout=60) as client:
        for vendor, key in (("replicate", "Bearer any"), ("fal", "Key any")):
            for name, model in load_catalogue()[vendor].models.items():
                body: dict[str, Any] = {"prompt": "x", "video_url": "x", "image_url": "x", "image": "x", "video": "x"}
                body |= dict.fromkeys(model.inputs.values(), "5") | dict(model.defaults)
                if vendor == "replicate":
                    body = {"input": body} | ({"version": model.version} if model.version else {})
                path = f"/replicate/v1/{model.endpoint}" if vendor == "replicate" else f"/fal/{model.endpoint}"
                made = client.post(path, json=body, headers={"authorization": key})
                assert made.is_success, (name, made.text)
        assert len(sandbox.bill()["jobs"]) == sum(len(load_catalogue()[v].models) for v in ("replicate", "fal"))


def test_a_poll_is_cheap() -> None:
    """Half a millisecond of CPU at most in the application: a hundred clips poll through one process."""
    app = build(SandboxSettings(), catalogue=CATALOGUE)
    headers = [(b"authorization", b"Bearer k"), (b"x-runway-version", b"2024-11-06"), (b"host", b"127.0.0.1")]

    async def call(method: str, path: str, body: bytes = b"") -> bytes:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "scheme": "http",
            "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2), "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)
        return bytes(sent[1]["body"])

    async def polls(count: int) -> float:
        made = json.loads(await call("POST", RUNWAY, json.dumps({**DRAW, "promptText": "x"}).encode()))
        path = f"/runway/v1/tasks/{made['id']}"
        began = time.process_time()
        for _ in range(count):
            await call("GET", path)
        return (time.process_time() - began) / count

    assert min(asyncio.run(polls(200)) for _ in range(3)) < 0.0005


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to use what it serves, passes on what it was told, and refuses what makes no sense."""
    served: list[SandboxSettings] = []
    monkeypatch.setattr(package, "serve", lambda settings, at, _catalogue: (served.append(settings), at.close()))
    app = typer.Typer()
    app.command()(command)
    runner = CliRunner()
    fine = runner.invoke(app, ["--port", "0", "--speed", "20", "--throttle", "runway=3", "--outage", "luma"])
    assert fine.exit_code == 0, fine.output
    assert "export VPGEN_PROVIDERS_URL=http://127.0.0.1:" in fine.output
    assert "export VPGEN_PROVIDERS_SPEED=20" in fine.output
    assert (served[0].throttle, served[0].outage, served[0].speed) == ({"runway": 3}, {"luma": "answer"}, 20)
    for wrong in (["--throttle", "runway"], ["--outage", "nobody"], ["--failures", "2"]):
        assert runner.invoke(app, ["--port", "0", *wrong]).exit_code == 2
    assert "sandbox:fail-once" in runner.invoke(app, ["--help"]).output
