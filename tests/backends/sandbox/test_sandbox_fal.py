"""fal's own SDK (fal-client) against the look-alike; its addresses are constants, which the tests replace."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from vpgen.backends.sandbox import Sandbox

fal_client = pytest.importorskip("fal_client")
module = pytest.importorskip("fal_client.client")

MOVE = "fal-ai/example/image-to-video"
WORDS = "fal-ai/words"


@pytest.fixture
def sdk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The SDK, with its https address of the queue replaced by the look-alike's."""
    monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{sandbox.url}/fal/")
    client = fal_client.SyncClient(key="any")
    yield client
    client._client.close()


def test_submit_follow_and_get(sandbox: Sandbox, sdk: Any, picture: bytes) -> None:
    """The handle's own addresses lead from the queue to a video."""
    uri = "data:image/png;base64," + base64.b64encode(picture).decode()
    handle = sdk.submit(MOVE, {"prompt": "x", "image_url": uri, "duration": "1"})
    states = {type(status).__name__ for status in handle.iter_events(interval=0.002)}
    assert states <= {"Queued", "InProgress", "Completed"}
    result = handle.get(interval=0.01)
    assert result["video"]["content_type"] == "video/mp4"
    assert httpx.get(result["video"]["url"], trust_env=False, timeout=120).content[4:8] == b"ftyp"
    assert sandbox.bill()["total_usd"] == "0.07"


def test_errors_show_at_the_result(sandbox: Sandbox, sdk: Any) -> None:
    """COMPLETED may still be a refusal (422), a failure (500), or a missing input (422)."""
    with pytest.raises(fal_client.FalClientHTTPError) as refused:
        sdk.submit(WORDS, {"prompt": "sandbox:refuse"}).get(interval=0.01)
    assert refused.value.status_code == 422
    assert refused.value.response.json()["detail"][0]["type"] == "content_policy_violation"
    with pytest.raises(fal_client.FalClientHTTPError) as failed:
        sdk.submit(WORDS, {"prompt": "sandbox:fail"}).get(interval=0.01)
    assert (failed.value.status_code, failed.value.error_type) == (500, "internal_error")
    with pytest.raises(fal_client.FalClientHTTPError) as missing:
        sdk.submit(MOVE, {}).get(interval=0.01)
    assert missing.value.status_code == 422
    assert sandbox.bill()["total_usd"] == "0.00"


def test_cancel(sandbox: Sandbox, sdk: Any, ask: Callable[..., httpx.Response]) -> None:
    """One in the queue is cancelled for nothing; one that is done cannot be."""
    sandbox.settings(speed=1, queue=(30, 30))
    handle = sdk.submit(WORDS, {"prompt": "x"})
    assert handle.status() == fal_client.Queued(position=0)
    handle.cancel()
    assert ask("GET", f"/fal/{WORDS}/requests/{handle.request_id}").json()["error_type"] == "request_cancelled"
    again = ask("PUT", f"/fal/{WORDS}/requests/{handle.request_id}/cancel")
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})
    assert sandbox.bill()["total_usd"] == "0.00"


def test_a_start_timeout(sandbox: Sandbox, sdk: Any, ask: Callable[..., httpx.Response]) -> None:
    """A request that did not start in time is a 504 at the result."""
    sandbox.settings(speed=1000, queue=(3000, 3000))
    handle = sdk.submit(WORDS, {"prompt": "x"}, start_timeout=2)
    with pytest.raises(fal_client.FalClientHTTPError) as late:
        handle.get(interval=0.01)
    assert late.value.status_code == 504


def test_unknown_apps_keys_and_credits(ask: Callable[..., httpx.Response]) -> None:
    """404, 401 for another scheme, 403 when the balance is used up."""
    assert ask("POST", "/fal/fal-ai/nothing", json={}).status_code == 404
    assert ask("POST", f"/fal/{WORDS}", json={}, headers={"authorization": "Bearer any"}).status_code == 401
    broke = ask("POST", f"/fal/{WORDS}", json={"prompt": "x"}, headers={"authorization": "Key broke"})
    assert (broke.status_code, "Exhausted balance" in broke.json()["detail"]) == (403, True)
