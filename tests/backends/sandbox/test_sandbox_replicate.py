"""Replicate's own SDK (replicate 1.0) against the look-alike, and its recorded exchanges in shape.

The shapes in RECORDED are those of answers in the cassettes of github.com/replicate/replicate-python (tests/cassettes,
Apache-2.0): which keys they have and of which types the values are.
"""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from vpgen.backends.sandbox import Sandbox

replicate = pytest.importorskip("replicate")
client_of = pytest.importorskip("replicate.client")
webhooks = pytest.importorskip("replicate.webhook")

UPSCALE = "nightmareai/real-esrgan"
VIDEO = "topazlabs/video-upscale"
WORDS = "example/words-to-picture"
Shape = dict[str, type | tuple[type, ...]]

_URLS: Shape = {"cancel": str, "get": str}
RECORDED: dict[str, Shape] = {
    # models-predictions-create.yaml: 201 of POST /v1/models/{owner}/{name}/predictions
    "created": {
        "id": str, "model": str, "version": str, "input": dict, "logs": str, "error": type(None), "status": str,
        "created_at": str, "urls": dict,
    },
    # test_predictions_create_blocking: 201 of the same with Prefer: wait=10
    "waited": {
        "id": str, "model": str, "version": str, "input": dict, "logs": str, "output": (list, str), "data_removed": bool,
        "error": type(None), "status": str, "created_at": str, "urls": dict,
    },
    # predictions-get.yaml: 200 of GET /v1/predictions/{id}
    "succeeded": {
        "id": str, "model": str, "version": str, "input": dict, "logs": str, "output": (list, str), "error": type(None),
        "status": str, "created_at": str, "started_at": str, "completed_at": str, "metrics": dict, "urls": dict,
    },
    # predictions-cancel.yaml: 200 of POST /v1/predictions/{id}/cancel
    "canceled": {
        "completed_at": str, "created_at": str, "error": type(None), "id": str, "input": dict, "metrics": dict,
        "output": type(None), "started_at": str, "status": str, "urls": dict, "model": str, "version": str,
    },
    # file-operations.yaml: 201 of POST /v1/files
    "file": {
        "id": str, "name": str, "content_type": str, "size": int, "etag": str, "checksums": dict, "metadata": dict,
        "created_at": str, "expires_at": str, "urls": dict,
    },
    # run__invalid-token.yaml: 401
    "unauthenticated": {"title": str, "detail": str, "status": int},
    # models-get.yaml: 200 of GET /v1/models/{owner}/{name}
    "model": {
        "url": str, "owner": str, "name": str, "description": (str, type(None)), "visibility": str,
        "github_url": (str, type(None)), "paper_url": (str, type(None)), "license_url": (str, type(None)),
        "run_count": int, "cover_image_url": (str, type(None)), "default_example": (dict, type(None)),
        "latest_version": (dict, type(None)),
    },
}  # fmt: skip


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[Any]:
    """The SDK, polling often."""
    client = client_of.Client(api_token="any", base_url=f"{sandbox.url}/replicate")  # noqa: S106  # no secret
    client.poll_interval = 0.01
    yield client
    client._client.close()


@pytest.fixture
def image(sdk: Any, picture: bytes) -> str:
    """The picture, uploaded."""
    return str(sdk.files.create(io.BytesIO(picture), filename="a.png", content_type="image/png").urls["get"])


def like(said: dict[str, Any], recorded: str) -> None:
    """The answer has every key of the recorded one, with the same type."""
    shape = RECORDED[recorded]
    assert {key: type(said.get(key)) for key in shape if not isinstance(said.get(key, ...), shape[key])} == {}
    if "urls" in shape and "cancel" in said["urls"]:
        assert set(_URLS) <= set(said["urls"])


def test_run_waits_for_an_enlarged_picture(sandbox: Sandbox, sdk: Any, image: str) -> None:
    """`replicate.run` blocks by `Prefer: wait` and gives the output, which really is larger."""
    sandbox.settings(media="drawn")
    output = sdk.run(UPSCALE, input={"image": image, "scale": 2})
    from PIL import Image

    assert Image.open(io.BytesIO(httpx.get(output, trust_env=False, timeout=60).content)).size == (256, 192)
    assert sandbox.bill()["by_vendor"]["replicate"] == "0.002"


def test_run_goes_on_polling_when_the_wait_was_too_short(sandbox: Sandbox, sdk: Any, image: str) -> None:
    """An answer that came too early says "starting", so that the SDK polls on."""
    sandbox.settings(speed=2, latency={"image": (3.0, 3.0), "video": (1, 1)}, queue=(0, 0))
    assert sdk.run(UPSCALE, input={"image": image}, wait=1).startswith("http")


def test_cancel(sandbox: Sandbox, sdk: Any, image: str) -> None:
    """A prediction that runs is canceled, and paid for; it stays canceled."""
    sandbox.settings(speed=1, queue=(0, 0))
    prediction = sdk.models.predictions.create(model=UPSCALE, input={"image": image})
    assert prediction.status == "processing"
    prediction.cancel()
    prediction.reload()
    assert prediction.status == "canceled"
    assert sandbox.bill()["total_usd"] == "0.002"


def test_failures_and_refusals_are_errors_of_the_model(sandbox: Sandbox, sdk: Any) -> None:
    """Both are status failed, without a charge; the text tells them apart."""
    with pytest.raises(replicate.exceptions.ModelError) as failed:
        sdk.run(WORDS, input={"prompt": "sandbox:fail"})
    with pytest.raises(replicate.exceptions.ModelError) as refused:
        sdk.run(WORDS, input={"prompt": "sandbox:refuse"})
    assert "flagged as sensitive" in refused.value.prediction.error
    assert "sensitive" not in failed.value.prediction.error
    assert sandbox.bill()["total_usd"] == "0.00"


def test_a_lost_prediction_is_found_in_the_list(sandbox: Sandbox, sdk: Any) -> None:
    """The newest prediction with this input is the one whose answer was lost."""
    sdk.models.predictions.create(model=WORDS, input={"prompt": "another"})
    with pytest.raises(httpx.TransportError):
        sdk.models.predictions.create(model=WORDS, input={"prompt": "sandbox:lost-answer"})
    newest = sdk.predictions.list()[0]
    assert newest.input == {"prompt": "sandbox:lost-answer"}
    assert len(sandbox.bill()["jobs"]) == 2


def test_the_list_has_pages(sdk: Any) -> None:
    """A hundred a page, newest first, nothing twice."""
    for index in range(103):
        sdk.models.predictions.create(model=WORDS, input={"prompt": "x", "seed": index})
    pages = list(client_pages(sdk))
    assert [len(page.results) for page in pages] == [100, 3]
    assert [p.input["seed"] for page in pages for p in page] == list(range(103))[::-1]


def client_pages(sdk: Any) -> Iterator[Any]:
    """Every page, by the SDK's own iteration."""
    from replicate.pagination import paginate

    return paginate(sdk.predictions.list)


def test_a_deadline_cancels_or_aborts(sandbox: Sandbox, ask: Callable[..., httpx.Response]) -> None:
    """Cancel-After: past it a running prediction is canceled and charged, one in the queue aborted and free."""
    path, headers = f"/replicate/v1/models/{WORDS}/predictions", {"cancel-after": "1s"}
    sandbox.settings(speed=20, queue=(0, 0), latency={"image": (100, 100), "video": (1, 1)})
    running = ask("POST", path, json={"input": {"prompt": "x"}}, headers=headers).json()
    sandbox.settings(queue=(100, 100))
    waiting = ask("POST", path, json={"input": {"prompt": "y"}}, headers=headers).json()
    time.sleep(0.1)
    assert ask("GET", f"/replicate/v1/predictions/{running['id']}").json()["status"] == "canceled"
    assert ask("GET", f"/replicate/v1/predictions/{waiting['id']}").json()["status"] == "aborted"
    assert sandbox.bill()["total_usd"] == "0.003"


def test_the_recorded_answers_in_shape(sandbox: Sandbox, ask: Callable[..., httpx.Response], picture: bytes) -> None:
    """Each kind of answer has the keys and types that the vendor's had."""
    file = ask("POST", "/replicate/v1/files", files={"content": ("a.png", picture, "image/png")})
    assert file.status_code == 201
    like(file.json(), "file")
    like(ask("GET", f"/replicate/v1/files/{file.json()['id']}").json(), "file")
    like(ask("GET", "/replicate/v1/files").json()["results"][0], "file")
    path = f"/replicate/v1/models/{UPSCALE}/predictions"
    body = {"input": {"image": file.json()["urls"]["get"]}}
    created = ask("POST", path, json=body)
    assert (created.status_code, created.json()["status"]) == (201, "starting")
    like(created.json(), "created")
    waited = ask("POST", path, json=body, headers={"prefer": "wait=10"})
    assert (waited.headers["preference-applied"], waited.json()["status"]) == ("wait=10", "processing")
    like(waited.json(), "waited")
    got = ask("GET", waited.json()["urls"]["get"])
    assert got.json()["status"] == "succeeded"
    like(got.json(), "succeeded")
    sandbox.settings(speed=1, queue=(0, 0))
    like(ask("POST", ask("POST", path, json=body).json()["urls"]["cancel"]).json(), "canceled")
    refused = ask("POST", path, json=body, headers={"authorization": ""})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    like(refused.json(), "unauthenticated")
    like(ask("GET", f"/replicate/v1/models/{UPSCALE}").json(), "model")


def test_versions_name_their_model(sdk: Any, image: str) -> None:
    """A model's latest version can be run by its id alone, and by owner/name:id."""
    version = sdk.models.get(UPSCALE).latest_version
    assert sdk.predictions.create(version=version.id, input={"image": image}).model == UPSCALE
    assert sdk.run(f"{UPSCALE}:{version.id}", input={"image": image}).startswith("http")


def test_what_the_vendor_refuses(ask: Callable[..., httpx.Response]) -> None:
    """Unknown fields, missing inputs, unknown models and versions, large data URIs: the vendor's problems."""
    path = f"/replicate/v1/models/{VIDEO}/predictions"
    unknown = ask("POST", path, json={"input": {"video": "x"}, "wait": 3})
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "- Additional property wait is not allowed\n")
    assert "video is required" in ask("POST", path, json={"input": {}}).json()["detail"]
    assert "256 kB" in ask("POST", path, json={"input": {"video": "data:video/mp4;base64," + "A" * 300_000}}).text
    assert ask("POST", "/replicate/v1/models/no/body/predictions", json={"input": {}}).status_code == 404
    assert ask("POST", "/replicate/v1/predictions", json={"version": "f" * 64, "input": {}}).status_code == 422
    broke = ask("POST", path, json={"input": {"video": "x"}}, headers={"authorization": "Bearer broke"})
    assert (broke.status_code, broke.json()["title"]) == (402, "Insufficient credit")


def test_too_many_requests(sandbox: Sandbox, ask: Callable[..., httpx.Response]) -> None:
    """Above 600 creates a minute: the vendor's text; a marker brings it about at once."""
    path = f"/replicate/v1/models/{WORDS}/predictions"
    throttled = ask("POST", path, json={"input": {"prompt": "sandbox:throttle-once"}})
    assert throttled.status_code == 429
    assert throttled.json()["detail"].startswith("Request was throttled. Your rate limit resets in ~")
    assert ask("POST", path, json={"input": {"prompt": "sandbox:throttle-once"}}).status_code == 201


def test_outputs_are_gone_after_their_time(sandbox: Sandbox, ask: Callable[..., httpx.Response]) -> None:
    """Inputs and outputs are removed; the prediction itself is still known."""
    sandbox.settings(expire_hours=1e-9)
    made = ask("POST", f"/replicate/v1/models/{WORDS}/predictions", json={"input": {"prompt": "x"}}).json()
    time.sleep(0.1)
    said = ask("GET", f"/replicate/v1/predictions/{made['id']}").json()
    assert (said["status"], said["output"], said["input"], said["data_removed"]) == ("succeeded", None, {}, True)


class _Listener(BaseHTTPRequestHandler):
    heard: list[tuple[dict[str, str], str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.heard.append(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[tuple[str, list[tuple[dict[str, str], str]]]]:
    """An address that keeps what is posted to it."""
    handler = type("Listener", (_Listener,), {"heard": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", handler.heard  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_webhooks_are_signed_and_sent_again(sdk: Any, listener: tuple[str, list[Any]]) -> None:
    """The SDK's validator accepts each delivery of one message and refuses a changed body."""
    address, heard = listener
    sdk.models.predictions.create(
        model=WORDS, input={"prompt": "x"}, webhook=address, webhook_events_filter=["completed"]
    )
    deadline = time.monotonic() + 10
    while len(heard) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    secret = sdk.webhooks.default.secret()
    assert len({headers["webhook-id"] for headers, _ in heard}) == 1
    for headers, body in heard:
        webhooks.Webhooks.validate(headers=headers, body=body, secret=secret, tolerance=60)
        assert json.loads(body)["status"] == "succeeded"
    headers, body = heard[0]
    with pytest.raises(webhooks.InvalidSignatureError):
        webhooks.Webhooks.validate(headers=headers, body=body.replace("succeeded", "failed"), secret=secret)
