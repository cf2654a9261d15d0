"""The pace of requests: the provider's limit, that of its purchases, and that of a model are kept side by side."""

import asyncio
import time

import httpx
import pytest

from vpgen.backends.http.pace import Bucket, Pace
from vpgen.catalogue import Provider, load_catalogue

VENDOR = load_catalogue()["replicate"]
SLOW, FAST = "kwaivgi/kling-v2.1", "topazlabs/video-upscale"


def _vendor(of_slow: int | None = None, **limits: int | None) -> Provider:
    slow = VENDOR.model(SLOW).model_copy(update={"creates_per_minute": of_slow})
    return VENDOR.model_copy(update={**limits, "models": {**VENDOR.models, SLOW: slow}})


def _seconds(provider: Provider, *requests: tuple[bool, str | None]) -> float:
    """How long the requests (paid or not, of which model) take when nothing but the pace does."""

    async def work() -> float:
        began = time.monotonic()
        async with httpx.AsyncClient(
            transport=Pace(httpx.MockTransport(lambda _: httpx.Response(200)), provider)
        ) as client:
            for paid, model in requests:
                await client.send(httpx.Request("POST", "http://x/", extensions={"paid": paid, "model": model}))
        return time.monotonic() - began

    return asyncio.run(work())


def test_the_first_ten_seconds_worth_may_come_at_once() -> None:
    """Then one comes when it is its turn, and time that goes by gives turns back."""
    bucket = Bucket(per_minute=600)
    assert [bucket.take() for _ in range(100)] == [0.0] * 100
    assert bucket.take() == pytest.approx(0.1, abs=0.05)
    time.sleep(0.25)
    assert bucket.take() == 0.0


def test_requests_are_paced() -> None:
    """Beyond the burst they are spread over the minute, whatever they are for; without a limit nothing waits."""
    polls = [(False, None)] * 103
    assert _seconds(_vendor(requests_per_minute=600, creates_per_minute=None), *polls) >= 0.25
    assert _seconds(_vendor(requests_per_minute=None, creates_per_minute=6), *polls) < 0.25


def test_a_models_own_limit_holds_its_purchases_only() -> None:
    """Another model of the vendor goes on, and so do polls; the vendor's own limit on purchases holds them all."""
    limited = _vendor(of_slow=600, requests_per_minute=None, creates_per_minute=None)
    assert _seconds(limited, *[(True, SLOW)] * 103) >= 0.25
    assert _seconds(limited, *[(True, SLOW), (True, FAST), (False, None)] * 60) < 0.25
    assert (
        _seconds(_vendor(requests_per_minute=None, creates_per_minute=600), *[(True, SLOW), (True, FAST)] * 52) >= 0.25
    )


def test_what_the_vendors_publish_is_kept() -> None:
    """Replicate: 600 purchases and 3000 requests a minute; Stability: 150 requests in ten seconds."""
    vendors = load_catalogue()
    assert (VENDOR.creates_per_minute, VENDOR.requests_per_minute) == (600, 3000)
    assert vendors["stability"].requests_per_minute == 900
