"""The providers' look-alikes on loopback, for every test that buys."""

from collections.abc import Iterator

import pytest

from vpgen import faults
from vpgen.backends.sandbox import Sandbox

SPEED = 400
USUAL = {"outage": {}, "latency": {"image": (3.0, 8.0), "video": (20.0, 60.0)}, "media": "stock", "speed": SPEED}


@pytest.fixture(scope="session")
def look_alikes() -> Iterator[Sandbox]:
    """One server for all tests of a process."""
    with Sandbox(speed=SPEED, media="stock") as running:
        yield running


@pytest.fixture
def sandbox(look_alikes: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The look-alikes, empty, up and as they usually are; every provider's calls go there. No fault is left set."""
    look_alikes.settings(**USUAL)
    look_alikes.reset()
    monkeypatch.setenv("VPGEN_PROVIDERS_URL", look_alikes.url)
    monkeypatch.setenv("VPGEN_PROVIDERS_SPEED", str(SPEED))
    yield look_alikes
    faults.hooks.clear()
