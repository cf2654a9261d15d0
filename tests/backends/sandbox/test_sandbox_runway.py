"""Runway's own SDK (runwayml, strict response validation) against the look-alike."""

import base64
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from vpgen.backends.sandbox import Sandbox
from vpgen.media.video import probe

runwayml = pytest.importorskip("runwayml")
polling = pytest.importorskip("runwayml.lib.polling")

MOVE = {"model": "gen4_turbo", "ratio": "1280:720", "duration": 6}


@pytest.fixture
def sdk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The SDK, strict, without its own retries, polling without its pauses."""
    monkeypatch.setattr(polling, "POLL_TIME", 0.02)
    monkeypatch.setattr(polling, "POLL_JITTER", 0.0)
    with runwayml.RunwayML(
        api_key="any", base_url=f"{sandbox.url}/runway", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def uri(picture: bytes) -> str:
    """The picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def test_text_becomes_a_picture_and_that_a_video(sandbox: Sandbox, sdk: Any, tmp_path: Path) -> None:
    """Create, wait and download: a drawn picture, then six seconds of it at the ratio that was asked for."""
    sandbox.settings(media="drawn")
    made = sdk.text_to_image.create(model="gen4_image", prompt_text="a beach at dusk", ratio="720:720", seed=3)
    assert made.estimated_cost.credits == 5
    task = made.wait_for_task_output(timeout=30)
    picture = httpx.get(task.output[0], trust_env=False, timeout=60)
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (720, 720)
    uploaded = sdk.uploads.create_ephemeral(file=("place.png", picture.content))
    moved = sdk.image_to_video.create(
        model="gen4_turbo", prompt_image=uploaded.uri, ratio="832:1104", duration=2, prompt_text="slow push in"
    ).wait_for_task_output(timeout=30)
    assert moved.cost.credits == 10
    file = tmp_path / "clip.mp4"
    file.write_bytes(httpx.get(moved.output[0], trust_env=False, timeout=120).content)
    video = probe(file)
    assert (video.size, video.fps, video.frames) == ((832, 1104), 24, 48)
    assert sandbox.bill()["total_usd"] == "0.15"


def test_an_output_of_one_task_is_an_input_of_the_next(sandbox: Sandbox, sdk: Any) -> None:
    """The address of an output is taken as a promptImage and as a videoUri."""
    still = sdk.text_to_image.create(model="gen4_image", prompt_text="a field", ratio="1280:720").wait_for_task_output()
    moved = sdk.image_to_video.create(**{**MOVE, "duration": 2}, prompt_image=still.output[0]).wait_for_task_output()
    larger = sdk.video_upscale.create(
        model="magnific_video_upscaler_creative", video_uri=moved.output[0], resolution="720p"
    ).wait_for_task_output()
    assert larger.cost.credits == 20
    assert httpx.get(larger.output[0], trust_env=False, timeout=120).headers["content-type"] == "video/mp4"


def test_a_task_that_waits_is_cancelled_for_nothing(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """PENDING, then deleted: CANCELLED at no cost."""
    sandbox.settings(speed=1, queue=(30, 30))
    task = sdk.image_to_video.create(**MOVE, prompt_image=uri)
    assert sdk.tasks.retrieve(task.id).status == "PENDING"
    sdk.tasks.delete(task.id)
    said = sdk.tasks.retrieve(task.id)
    assert (said.status, said.cost.credits) == ("CANCELLED", 0)
    assert sandbox.bill()["total_usd"] == "0.00"


def test_a_task_that_runs_is_cancelled_at_full_price(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """RUNNING with a fractional progress that grows; deleted, it is paid for."""
    sandbox.settings(speed=10, queue=(0, 0))
    task = sdk.image_to_video.create(**MOVE, prompt_image=uri)
    first = sdk.tasks.retrieve(task.id)
    time.sleep(0.05)
    second = sdk.tasks.retrieve(task.id)
    assert first.status == second.status == "RUNNING"
    assert 0 < first.progress < second.progress < 1
    sdk.tasks.delete(task.id)
    assert sdk.tasks.retrieve(task.id).cost.credits == 30
    assert sandbox.bill()["total_usd"] == "0.30"


def test_a_deleted_result_is_gone(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """Deleting a finished task forgets it and its output, and refunds nothing."""
    task = sdk.image_to_video.create(**MOVE, prompt_image=uri).wait_for_task_output()
    sdk.tasks.delete(task.id)
    with pytest.raises(runwayml.NotFoundError):
        sdk.tasks.retrieve(task.id)
    assert httpx.get(task.output[0], trust_env=False).status_code == 404
    assert sandbox.bill()["total_usd"] == "0.30"


def test_a_failure_costs_nothing(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """FAILED with an internal code and no cost; the same request again succeeds after "fail-once"."""
    with pytest.raises(polling.TaskFailedError) as caught:
        sdk.image_to_video.create(**MOVE, prompt_image=uri, prompt_text="sandbox:fail-once").wait_for_task_output()
    assert caught.value.task_details.failure_code.startswith("INTERNAL")
    assert caught.value.task_details.cost.credits == 0
    sdk.image_to_video.create(**MOVE, prompt_image=uri, prompt_text="sandbox:fail-once").wait_for_task_output()
    assert sandbox.bill()["total_usd"] == "0.30"


def test_a_refusal_is_charged(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """FAILED with SAFETY.INPUT.TEXT; the input's moderation is not refunded."""
    with pytest.raises(polling.TaskFailedError) as caught:
        sdk.image_to_video.create(**MOVE, prompt_image=uri, prompt_text="sandbox:refuse").wait_for_task_output()
    assert caught.value.task_details.failure_code == "SAFETY.INPUT.TEXT"
    assert caught.value.task_details.cost.credits == 30


def test_an_input_that_cannot_be_loaded(sdk: Any) -> None:
    """An address elsewhere is never fetched: ASSET.INVALID."""
    with pytest.raises(polling.TaskFailedError) as caught:
        sdk.image_to_video.create(**MOVE, prompt_image="https://example.com/a.png").wait_for_task_output()
    assert caught.value.task_details.failure_code == "ASSET.INVALID"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ratio": "1:1"}, "ratio"),
        ({"duration": 1}, "duration"),
        ({"duration": 11}, "duration"),
        ({"duration": "6"}, "duration"),
        ({"promptText": ""}, "promptText"),
        ({"promptText": "😀" * 501}, "promptText"),
        ({"promptImage": "http://example.com/a.png"}, "promptImage"),
        ({"promptImage": "https://example.com/" + "a" * 2048}, "promptImage"),
        ({"promptImage": "data:image/png;base64," + "A" * (5 * 2**20)}, "promptImage"),
        ({"promptImage": None}, "promptImage"),
        ({"seed": 2**32}, "seed"),
        ({"model": "gen3a_turbo"}, "model"),
    ],
)
def test_what_the_vendor_refuses(sdk: Any, sandbox: Sandbox, uri: str, wrong: dict[str, Any], field: str) -> None:
    """Each wrong value is a 400 that names its field, and costs nothing."""
    body = {**MOVE, "prompt_image": uri}
    with pytest.raises(runwayml.BadRequestError) as caught:
        sdk.image_to_video.create(**body, extra_body=wrong)
    said = caught.value.body
    assert said["error"] == "Validation of body failed"
    assert [issue["path"][0] for issue in said["issues"]] == [field]
    assert sandbox.bill()["jobs"] == []


def test_unknown_and_missing_fields(sdk: Any, uri: str) -> None:
    """Unknown fields are listed by name; a missing one is Required."""
    with pytest.raises(runwayml.BadRequestError) as caught:
        sdk.image_to_video.create(**MOVE, prompt_image=uri, extra_body={"width": 1, "promptimage": "x"})
    assert caught.value.body["issues"][0]["keys"] == ["width", "promptimage"]
    with pytest.raises(runwayml.BadRequestError) as caught:
        sdk.post("/v1/image_to_video", cast_to=object, body={"model": "gen4_turbo", "ratio": "1280:720"})
    assert caught.value.body["issues"] == [
        {"code": "invalid_type", "received": "undefined", "path": ["promptImage"], "message": "Required"}
    ]


def test_too_many_at_once_wait_as_throttled(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """Above the tier's concurrency a task is THROTTLED; it begins when one before it is cancelled."""
    sandbox.settings(speed=1, queue=(0, 0), throttle={"runway": 1})
    first = sdk.image_to_video.create(**MOVE, prompt_image=uri, seed=1)
    second = sdk.image_to_video.create(**MOVE, prompt_image=uri, seed=2)
    assert sdk.tasks.retrieve(first.id).status == "RUNNING"
    assert sdk.tasks.retrieve(second.id).status == "THROTTLED"
    sdk.tasks.delete(first.id)
    assert sdk.tasks.retrieve(second.id).status == "RUNNING"


def test_a_lost_answer_shows_in_the_days_count(sandbox: Sandbox, sdk: Any, uri: str) -> None:
    """The connection is cut after the task was accepted: the count of generations is the only evidence."""
    assert sdk.organization.retrieve().usage.models["gen4_turbo"].daily_generations == 0
    with pytest.raises(runwayml.APIConnectionError):
        sdk.image_to_video.create(**MOVE, prompt_image=uri, prompt_text="sandbox:lost-answer")
    organization = sdk.organization.retrieve()
    assert organization.usage.models["gen4_turbo"].daily_generations == 1
    assert organization.credit_balance == 100_000 - 30
    assert sandbox.bill()["total_usd"] == "0.30"


def test_the_cap_of_a_day(sandbox: Sandbox, sdk: Any) -> None:
    """Above the rolling cap a request is a 429."""
    sandbox.settings(daily_generations=1)
    sdk.text_to_image.create(model="gen4_image", prompt_text="x", ratio="1280:720")
    with pytest.raises(runwayml.RateLimitError):
        sdk.text_to_image.create(model="gen4_image", prompt_text="y", ratio="1280:720")


def test_a_state_nobody_knows(sdk: Any) -> None:
    """The strict SDK refuses it: so should everybody."""
    task = sdk.text_to_image.create(model="gen4_image", prompt_text="sandbox:unknown-state", ratio="1280:720")
    time.sleep(0.05)
    with pytest.raises(runwayml.APIResponseValidationError):
        sdk.tasks.retrieve(task.id)


def test_keys(sandbox: Sandbox, ask: Callable[..., httpx.Response]) -> None:
    """No key, an expired one, an account without credits, a version too old: each in the vendor's words."""
    body = {"model": "gen4_image", "promptText": "x", "ratio": "1280:720"}
    path = "/runway/v1/text_to_image"
    assert ask("POST", path, json=body, headers={"authorization": ""}).status_code == 401
    assert ask("POST", path, json=body, headers={"authorization": "Bearer expired"}).status_code == 401
    broke = ask("POST", path, json=body, headers={"authorization": "Bearer broke"})
    assert (broke.status_code, "credits" in broke.json()["error"]) == (400, True)
    assert ask("POST", path, json=body, headers={"x-runway-version": "2023-01-01"}).status_code == 400
    assert ask("PATCH", path).status_code == 405
    sandbox.settings(balance_usd="0.08")
    assert ask("POST", path, json=body).status_code == 200
    assert ask("POST", path, json=body).status_code == 400


def test_addresses_expire(sandbox: Sandbox, sdk: Any) -> None:
    """After its time an output's address is refused, as is one with another signature."""
    sandbox.settings(expire_hours=1e-9)
    task = sdk.text_to_image.create(model="gen4_image", prompt_text="x", ratio="1280:720").wait_for_task_output()
    assert httpx.get(task.output[0].replace("signature=", "signature=0"), trust_env=False).status_code == 403
    deadline = time.monotonic() + 10
    while httpx.get(task.output[0], trust_env=False, timeout=60).status_code != 403:
        assert time.monotonic() < deadline
        time.sleep(0.2)
