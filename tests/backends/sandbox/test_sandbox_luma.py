"""Luma's own SDK for its Agents API (luma-agents, strict response validation) against the look-alike."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from vpgen.backends.sandbox import Sandbox
from vpgen.media.video import probe

luma_agents = pytest.importorskip("luma_agents")


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[Any]:
    """The SDK, strict, without its own retries."""
    with luma_agents.Luma(
        auth_token="any",  # noqa: S106  # no secret
        base_url=f"{sandbox.url}/luma/v1",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def done(sdk: Any, generation: Any) -> Any:
    """The generation once it is over."""
    deadline = time.monotonic() + 20
    while generation.state in {"queued", "processing"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        generation = sdk.generations.get(generation.id)
    return generation


def test_a_picture_becomes_a_video(sandbox: Sandbox, sdk: Any, picture: bytes, tmp_path: Path) -> None:
    """A still, then five seconds that begin with a submitted picture, in the shape that was asked for."""
    still = done(sdk, sdk.generations.create(prompt="a meadow", model="uni-1", aspect_ratio="16:9", type="image"))
    assert still.output[0].type == "image"
    data = httpx.get(still.output[0].url, trust_env=False, timeout=60).content
    assert Image.open(io.BytesIO(data)).size == (2048, 1152)
    moved = sdk.generations.create(
        prompt="slow push in",
        model="ray-3.2",
        type="video",
        aspect_ratio="1:1",
        video={
            "resolution": "540p",
            "duration": "5s",
            "start_frame": {"data": base64.b64encode(picture).decode(), "media_type": "image/png"},
        },
    )
    moved = done(sdk, moved)
    file = tmp_path / "clip.mp4"
    file.write_bytes(httpx.get(moved.output[0].url, trust_env=False, timeout=120).content)
    assert (probe(file).size, probe(file).frames) == ((540, 540), 120)
    assert sandbox.bill()["total_usd"] == "0.4404"


def test_failures_and_refusals(sandbox: Sandbox, sdk: Any) -> None:
    """Both are state failed with the vendor's code, and free; an input elsewhere is corrupt."""
    refused = done(sdk, sdk.generations.create(prompt="sandbox:refuse", model="uni-1"))
    failed = done(sdk, sdk.generations.create(prompt="sandbox:fail", model="uni-1"))
    elsewhere = done(
        sdk,
        sdk.generations.create(
            prompt="x", model="ray-3.2", type="video", video={"start_frame": {"url": "https://example.com/a.png"}}
        ),
    )
    codes = [generation.failure_code for generation in (refused, failed, elsewhere)]
    assert codes == ["content_moderated", "generation_failed", "corrupt_input"]
    assert sandbox.bill()["total_usd"] == "0.00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "ray-2"},
        {"video": {"duration": "6s"}},
        {"aspect_ratio": "16:10"},
        {"seed": 1},
        {"prompt": ""},
        {"video": {"loop": True, "duration": "10s"}},
        {"video": {"start_frame": {"url": "https://a", "data": "b"}}},
    ],
)
def test_what_the_vendor_refuses(sdk: Any, wrong: dict[str, Any]) -> None:
    """A wrong value is a 422 and costs nothing."""
    with pytest.raises(luma_agents.UnprocessableEntityError):
        sdk.generations.create(prompt="x", model="ray-3.2", type="video", extra_body=wrong)


def test_keys_and_credits(sandbox: Sandbox, sdk: Any) -> None:
    """401 for an expired key, 402 for an empty account, 404 for what is not there."""
    with pytest.raises(luma_agents.AuthenticationError):
        sdk.generations.create(prompt="x", extra_headers={"Authorization": "Bearer expired"})
    with pytest.raises(luma_agents.APIStatusError) as broke:
        sdk.generations.create(prompt="x", extra_headers={"Authorization": "Bearer broke"})
    assert broke.value.status_code == 402
    with pytest.raises(luma_agents.NotFoundError):
        sdk.generations.get("nothing")
