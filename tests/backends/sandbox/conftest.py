"""A sandbox a test module, with prices of its own and a fresh start for every test."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from vpgen.backends.sandbox import Sandbox, SandboxSettings

CATALOGUE = Path(__file__).parent / "catalogue"
FAST: dict[str, Any] = {"speed": 1000, "media": "stock"}


@pytest.fixture(scope="module")
def _running() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(**FAST), catalogue=CATALOGUE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    """Fast, with stock media; nothing asked for yet."""
    _running.settings(**SandboxSettings(**FAST).model_dump())
    _running.reset()
    return _running


@pytest.fixture
def ask(sandbox: Sandbox) -> Iterator[Callable[..., httpx.Response]]:
    """One request to a vendor, with a key and whatever else it always wants."""
    headers = {"authorization": "Bearer any", "x-runway-version": "2024-11-06"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=60, trust_env=False) as client:

        def asked(method: str, path: str, **rest: Any) -> httpx.Response:
            if path.startswith("/fal"):
                rest["headers"] = {"authorization": "Key any", **rest.get("headers", {})}
            return client.request(method, path, **rest)

        yield asked


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small PNG."""
    buffer = io.BytesIO()
    Image.effect_mandelbrot((128, 96), (-2, -1, 1, 1), 60).convert("RGB").save(buffer, "png")
    return buffer.getvalue()
