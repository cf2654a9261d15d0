"""Webhooks: signed ones shorten the waiting, and nothing that comes in changes anything else."""

import asyncio
import base64
import hmac
import json
import socket
import time
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from shop import Shop, motion

from vpgen.backends.http.replicate import OLDEST, ReplicateWire
from vpgen.backends.http.webhooks import Receiver
from vpgen.backends.sandbox.serve import Sandbox
from vpgen.errors import InvalidInput

SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, or so").decode()
BODY = json.dumps({"id": "ufawqhfynnddngldkgtslldrkq", "status": "succeeded"}).encode()


def _signed(body: bytes = BODY, *, age: float = 0.0, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(time.time() - age))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"msg_1.{stamp}.".encode() + body, "sha256")
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,AAAA v1,{base64.b64encode(digest).decode()}",
    }


def test_a_signed_webhook_names_its_job() -> None:
    """One of several signatures is enough."""
    assert ReplicateWire().notified(_signed(), BODY, SECRET) == "ufawqhfynnddngldkgtslldrkq"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (_signed(), BODY + b" "),
        (_signed(secret="whsec_" + base64.b64encode(b"another").decode()), BODY),
        (_signed(age=OLDEST + 600), BODY),
        (_signed(age=-OLDEST - 600), BODY),
        ({}, BODY),
        ({**_signed(), "webhook-signature": ""}, BODY),
        ({**_signed(), "webhook-timestamp": "yesterday"}, BODY),
    ],
)
def test_what_is_not_signed_now_with_the_key_is_refused(headers: dict[str, str], body: bytes) -> None:
    """Another body, another key, too old, from the future, nothing at all."""
    with pytest.raises(ValueError, match="signed|old"):
        ReplicateWire().notified(headers, body, SECRET)


def test_the_receiver_rings_for_what_is_signed_and_for_nothing_else() -> None:
    """Forged, misdirected, malformed and huge requests are turned away, and it goes on listening."""

    async def work() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        receiver = Receiver("https://hooks.example/vpgen/", f"127.0.0.1:{port}")
        await receiver.start()
        wire = ReplicateWire()
        address = receiver.trust("replicate", lambda headers, body: wire.notified(headers, body, SECRET))
        assert address == "https://hooks.example/vpgen/replicate"
        bell = receiver.bell("ufawqhfynnddngldkgtslldrkq")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.post("/replicate", content=BODY)).status_code == 401
            assert (await client.post("/nobody", content=BODY, headers=_signed())).status_code == 404
            assert (await client.get("/replicate")).status_code == 404
            assert (await client.post("/replicate", content=bytes(2_000_000))).status_code == 400
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert b"400" in await reader.read()
            writer.close()
            await writer.wait_closed()
            assert not bell.is_set()
            for _ in range(3):  # providers deliver at least once
                assert (await client.post("/replicate", content=BODY, headers=_signed())).status_code == 204
        assert bell.is_set()
        await receiver.aclose()

    asyncio.run(work())


def test_an_address_that_is_none_is_said() -> None:
    """With the setting's name."""
    with pytest.raises(InvalidInput, match="VPGEN_WEBHOOK_LISTEN"):
        Receiver("https://x", "8778")


def test_a_job_announced_by_a_webhook_is_hardly_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-alike posts here when it is done: asked once when accepted and once after the bell, and paid once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    # Slow enough that polling every five seconds would show; as fast in all else.
    with Sandbox(speed=1, media="stock", latency={"image": (1, 1), "video": (3, 3.5)}) as sandbox:
        monkeypatch.setenv("VPGEN_PROVIDERS_URL", sandbox.url)
        monkeypatch.setenv("VPGEN_WEBHOOK_URL", f"http://{listen}")
        monkeypatch.setenv("VPGEN_WEBHOOK_LISTEN", listen)
        began = time.monotonic()
        shop = Shop(tmp_path, animate="replicate/kwaivgi/kling-v2.1")
        shop.buy("animate", motion())
        polls = sandbox.requests()["GET /replicate/v1/predictions/{id}"]
        assert shop.books() == sandbox.total() == Decimal("0.50")
    assert polls == 2
    assert time.monotonic() - began < 30
