"""Downloads: whatever a provider gives as its output, it cannot fill the disk or send us into our own network."""

import asyncio
from pathlib import Path

import httpx
import pytest
from conftest_http import Act, Script, answer, cut_short, endless, hang_up

from vpgen.backends.http import fetch as fetching
from vpgen.backends.http.fetch import fetch
from vpgen.errors import BadOutput

MP4 = b"\0\0\0\x18ftypmp42" + bytes(64)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def _fetch(url: str, path: Path, kind: str = "video", *, trusted: str | None = None) -> bytes:
    async def work() -> None:
        async with httpx.AsyncClient() as client:
            await fetch(client, url, path, kind, trusted=httpx.URL(trusted) if trusted else None)  # type: ignore[arg-type]

    asyncio.run(work())
    return path.read_bytes()


def test_media_arrives_whole(script: Script, tmp_path: Path) -> None:
    """Bytes are as they were sent."""
    script.acts = [answer(200, MP4)]
    assert _fetch(script.url, tmp_path / "o", trusted=script.url) == MP4


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (answer(200, b"<!doctype html><html>login please</html>", Content_Type="text/html"), "video", "no video"),
        (answer(200, b""), "video", "no video: 0 bytes"),
        (answer(200, PNG), "video", "no video"),
        (answer(200, MP4), "image", "no image"),
        (answer(404), "video", "no longer there"),
        (answer(403), "video", "no longer there"),
        (answer(418), "video", "answered 418"),
        (answer(302, Location="http://169.254.169.254/latest/meta-data/"), "video", "not https"),
        (answer(302, Location="https://127.0.0.1:1/x"), "video", "private network"),
        (answer(302, Location="https://[::1]/x"), "video", "private network"),
        (answer(302, Location="https://localhost/x"), "video", "private network"),
        (answer(302, Location="https://user:pw@8.8.8.8/x"), "video", "user in it"),
        (answer(302, Location="file:///etc/passwd"), "video", "not https"),
        (answer(302, Location=""), "video", "more than 3 times"),
    ],
)
def test_what_is_no_output_is_refused(script: Script, tmp_path: Path, act: Act, kind: str, said: str) -> None:
    """HTML, nothing, another kind, gone, and redirects to where nobody may be sent."""
    script.acts = [act]
    with pytest.raises(BadOutput, match=said):
        _fetch(script.url, tmp_path / "o", kind, trusted=script.url)


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/x", "https://10.0.0.1/x", "https://[fd00::1]/x", "ftp://8.8.8.8/", "x", ""]
)
def test_an_address_that_is_not_public_https_is_not_called(tmp_path: Path, url: str) -> None:
    """Before any connection."""
    with pytest.raises(BadOutput):
        _fetch(url, tmp_path / "o")


def test_a_body_without_end_is_cut(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops at the limit; the limit is lowered here to keep the test small."""
    monkeypatch.setitem(fetching.LIMITS, "video", 3_000_000)
    script.acts = [endless]
    with pytest.raises(BadOutput, match="does not end: stopped after 3000000"):
        _fetch(script.url, tmp_path / "o", trusted=script.url)
    assert (tmp_path / "o").stat().st_size <= 3_000_000


def test_an_announced_size_beyond_reason_is_refused_unread(script: Script, tmp_path: Path) -> None:
    """Content-Length is believed when it condemns."""
    script.acts = [
        lambda handler: (
            handler.send_response(200),
            handler.send_header("Content-Length", "10000000000"),
            handler.end_headers(),
        )
    ]  # type: ignore[func-returns-value, list-item, return-value]
    with pytest.raises(BadOutput, match="10000000000 bytes"):
        _fetch(script.url, tmp_path / "o", trusted=script.url)


@pytest.mark.parametrize("act", [cut_short, hang_up, answer(502)])
def test_a_broken_connection_is_worth_another_try(script: Script, tmp_path: Path, act: Act) -> None:
    """It is a transport error, not a verdict on the output."""
    script.acts = [act]
    with pytest.raises(httpx.TransportError):
        _fetch(script.url, tmp_path / "o", trusted=script.url)
