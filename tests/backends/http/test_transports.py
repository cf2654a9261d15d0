"""What wraps a call: repeated only when that cannot cost twice, patient when throttled, silent when it is hopeless."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from conftest_http import Script, answer, hang_up

from vpgen.backends.http.transports import Breaker, CircuitOpen, Keyed, Recorder, Retry, retry_after

QUICK = 0.01


def _send(transport: httpx.AsyncBaseTransport, *requests: httpx.Request) -> list[httpx.Response]:
    async def work() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport) as client:
            return [await client.send(request) for request in requests]

    return asyncio.run(work())


def _post(script: Script, *, paid: bool) -> httpx.Request:
    return httpx.Request(
        "POST", f"{script.url}/create", json={"a": 1}, extensions={"paid": paid, "timeout": {"read": 2.0}}
    )


def _get(script: Script) -> httpx.Request:
    return httpx.Request("GET", f"{script.url}/poll")


def _retry(**options: float) -> Retry:
    return Retry(httpx.AsyncHTTPTransport(), first_wait=QUICK, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_free_request_is_tried_three_times(script: Script, status: int) -> None:
    """What may pass is repeated; the last answer is handed on for its message."""
    script.acts = [answer(status, b'{"error": "later"}')]
    [response] = _send(_retry(), _get(script))
    assert (response.status_code, response.json()) == (status, {"error": "later"})
    assert len(script.seen) == 3


def test_a_free_request_that_recovers_gives_its_answer(script: Script) -> None:
    """One failure, then the answer."""
    script.acts = [answer(503), hang_up, answer(200, b'{"ok": 1}')]
    [response] = _send(_retry(), _get(script))
    assert response.json() == {"ok": 1}


@pytest.mark.parametrize("act", [answer(500), answer(502), answer(504), hang_up])
def test_a_paid_request_that_may_have_happened_is_sent_once(script: Script, act: object) -> None:
    """A gateway's error or a lost connection proves nothing: it is not sent again."""
    script.acts = [act]  # type: ignore[list-item]
    with suppress(httpx.ReadError, httpx.RemoteProtocolError):
        _send(_retry(), _post(script, paid=True))
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [503, 429])
def test_a_paid_request_that_was_turned_away_is_sent_again(script: Script, status: int) -> None:
    """503 and 429 come before acceptance."""
    script.acts = [answer(status), answer(200, b'{"id": "j"}')]
    [response] = _send(_retry(), _post(script, paid=True))
    assert response.json() == {"id": "j"}
    assert len(script.seen) == 2


def test_no_connection_is_tried_three_times_even_when_paid(script: Script) -> None:
    """Where nobody listens nothing can have happened."""
    script.http.shutdown()
    script.http.server_close()
    began = time.monotonic()
    with pytest.raises(httpx.ConnectError):
        _send(_retry(), _post(script, paid=True))
    assert time.monotonic() - began >= QUICK + 2 * QUICK


def test_throttling_has_its_own_budget_and_obeys_retry_after(script: Script) -> None:
    """More 429s than attempts are waited out, each at least as long as was asked."""
    script.acts = [answer(429, Retry_After="0.05")] * 5 + [answer(200)]
    began = time.monotonic()
    [response] = _send(_retry(), _get(script))
    assert response.status_code == 200
    assert time.monotonic() - began >= 5 * 0.05


def test_a_retry_after_beyond_patience_is_handed_on_at_once(script: Script) -> None:
    """An hour is not waited for."""
    script.acts = [answer(429, Retry_After="3600")]
    [response] = _send(_retry(), _get(script))
    assert response.status_code == 429
    assert len(script.seen) == 1


def test_endless_throttling_ends(script: Script) -> None:
    """Its budget is finite."""
    script.acts = [answer(429)]
    [response] = _send(_retry(throttle_attempts=3), _get(script))
    assert response.status_code == 429
    assert len(script.seen) == 3


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, b"", 7.0),
        ({"retry-after": "soon"}, b"", None),
        ({}, b'{"detail":"Request was throttled. Your rate limit resets in ~30s."}', 30.0),
        ({}, b"", None),
    ],
)
def test_the_wait_is_read_from_header_or_words(headers: dict[str, str], body: bytes, seconds: float | None) -> None:
    """Seconds, nonsense, Replicate's sentence, nothing."""
    assert retry_after(httpx.Response(429, headers=headers, content=body)) == seconds


def test_a_date_as_retry_after_is_understood() -> None:
    """HTTP dates count from now."""
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))
    waited = retry_after(httpx.Response(429, headers={"retry-after": later}))
    assert waited is not None
    assert 15 < waited <= 20


def test_the_circuit_opens_and_closes_again(script: Script) -> None:
    """After so many failures nothing is sent; after the pause one request tries, and its success closes it."""
    breaker = Breaker(httpx.AsyncHTTPTransport(), failures=2, pause=0.1)

    async def work() -> None:
        async with httpx.AsyncClient(transport=breaker) as client:
            script.acts = [answer(500)]
            for _ in range(2):
                assert (await client.send(_get(script))).status_code == 500
            with pytest.raises(CircuitOpen, match="failed 2 times in a row"):
                await client.send(_get(script))
            assert len(script.seen) == 2
            script.acts = [answer(200)]
            await asyncio.sleep(0.12)
            for _ in range(3):
                assert (await client.send(_get(script))).status_code == 200

    asyncio.run(work())


def test_an_open_circuit_is_not_retried(script: Script) -> None:
    """The retry around it gives up at once."""
    breaker = Breaker(httpx.AsyncHTTPTransport(), failures=1, pause=60)
    script.acts = [answer(500)]
    with pytest.raises(CircuitOpen):
        _send(Retry(breaker, first_wait=QUICK), _get(script), _get(script))
    assert len(script.seen) == 1


def test_the_key_goes_to_the_providers_own_host_only(script: Script) -> None:
    """Another origin never sees it."""
    script.acts = [answer(200)]
    other = httpx.URL("http://127.0.0.1:9")
    headers = {"Authorization": "Bearer secret"}
    _send(Keyed(httpx.AsyncHTTPTransport(), headers, httpx.URL(script.url)), _get(script))
    _send(Keyed(httpx.AsyncHTTPTransport(), headers, other), _get(script))
    assert [headers.get("Authorization") for _, _, headers, _ in script.seen] == ["Bearer secret", None]


def test_recordings_hold_no_key_no_media_and_no_signature(script: Script, tmp_path: Path) -> None:
    """What was said is there; what must not be kept is a length."""
    said = {
        "id": "j",
        "output": ["https://cdn.example/x.mp4?signature=SIGNED"],
        "blob": "data:image/png;base64," + "A" * 5000,
    }
    script.acts = [answer(200, json.dumps(said).encode(), Content_Type="application/json")]
    keyed = Keyed(httpx.AsyncHTTPTransport(), {"Authorization": "Bearer SECRET"}, httpx.URL(script.url))
    request = httpx.Request(
        "POST", f"{script.url}/create?token=TOKEN", json={"prompt": "a fox", "image": "data:image/png;base64,AAAA"}
    )
    [response] = _send(Recorder(keyed, tmp_path / "said.jsonl"), request)
    assert response.json() == said
    text = (tmp_path / "said.jsonl").read_text()
    line = json.loads(text)
    assert line["request"]["prompt"] == "a fox"
    assert line["response"]["output"] == ["https://cdn.example/x.mp4"]
    assert not any(word in text for word in ("SECRET", "TOKEN", "SIGNED", "AAAA"))
