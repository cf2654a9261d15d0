"""Luma and fal, each one file of wire mapping: bought through the step, told apart by their answers, booked to the cent."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from shop import Shop

from vpgen.backends.http.fal import FalWire
from vpgen.backends.http.luma import LumaWire
from vpgen.backends.http.wire import Ask, Handle, Media
from vpgen.backends.sandbox import Sandbox
from vpgen.catalogue import load_catalogue
from vpgen.clip import ClipSpec, Prompt, Still
from vpgen.errors import InvalidInput, JobFailed, QuotaExceeded, Refused, Unauthorized, UnknownOutcome
from vpgen.remote_jobs import cancel
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import AnimateRequest, BackgroundRequest, MattingRequest, Ref
from vpgen.store import journal

STILL = Still(rgb=np.random.default_rng(0).integers(0, 255, (180, 320, 3), np.uint8))
RAY = "luma/ray-3.2"
KLING = "fal/fal-ai/kling-video/v2.5-turbo/pro/image-to-video"
JOB = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Shop]:
    """A shop whose clips have five seconds, which both vendors make."""

    def opened(**stages: str) -> Shop:
        made = Shop(tmp_path, **stages)
        made.file.write_text(made.file.read_text().replace("seconds: 6", "seconds: 5"))
        return made

    return opened


def motion(words: str = "slow push in") -> AnimateRequest:
    prompt = Prompt(character="c", background="b", motion=words)
    return AnimateRequest(Ref("still", lambda: STILL), prompt, 0, ClipSpec(size=(320, 180), fps=4, seconds=5))


@pytest.mark.parametrize(("choice", "usd"), [(RAY, "0.30"), (KLING, "0.35")])
def test_motion_is_bought_once_and_booked_to_the_cent(
    sandbox: Sandbox, shop: Callable[..., Shop], choice: str, usd: str
) -> None:
    """Five seconds arrive; the ledger is the bill; the journal is closed."""
    bought = shop(animate=choice)
    video = bought.buy("animate", motion())
    assert video.seconds == 5.0
    assert bought.books() == sandbox.total() == Decimal(usd)
    assert bought.journal() == [("closed", "succeeded")]


@pytest.mark.parametrize(("choice", "usd"), [("luma/uni-1", "0.0404"), ("fal/fal-ai/flux-pro/v1.1-ultra", "0.06")])
def test_a_place_is_bought(sandbox: Sandbox, shop: Callable[..., Shop], choice: str, usd: str) -> None:
    """A picture of the size that is wanted, at the price of the catalogue."""
    bought = shop(background=choice)
    prompt = Prompt(character="c", background="a beach", motion="m")
    still = bought.buy("background", BackgroundRequest(prompt, 3, (320, 180)))
    assert still.rgb.shape == (180, 320, 3)
    assert bought.books() == sandbox.total() == Decimal(usd)


def test_fal_cuts_out_at_an_unknown_price(sandbox: Sandbox, shop: Callable[..., Shop]) -> None:
    """What comes back is transparent where it should be; a price nobody knows is unknown, not nothing."""
    bought = shop(matting="fal/fal-ai/birefnet/v2")
    text = bought.file.read_text().replace("name: toy", "name: toy\nbudget: {unknown_prices: allow}")
    bought.file.write_text(text)
    still = bought.buy("matting", MattingRequest(Ref("still", lambda: STILL)))
    assert still.alpha is not None
    assert bought.journal() == [("closed", "succeeded")]


@pytest.mark.parametrize("choice", [RAY, KLING])
def test_a_refusal_is_final_and_free(sandbox: Sandbox, shop: Callable[..., Shop], choice: str) -> None:
    """Moderation's no comes as a failed generation from one and as a 422 from the other."""
    bought = shop(animate=choice)
    with pytest.raises(Refused, match="moderated|flagged"):
        bought.buy("animate", motion("sandbox:refuse"))
    assert len(sandbox.bill()["jobs"]) == 1
    assert bought.books() == sandbox.total() == 0
    assert bought.journal() == [("closed", "refused")]


@pytest.mark.parametrize(("choice", "usd"), [(RAY, "0.30"), (KLING, "0.35")])
def test_a_failure_is_tried_again(sandbox: Sandbox, shop: Callable[..., Shop], choice: str, usd: str) -> None:
    """An error of the vendor's own passes; one that stays is told after three tries, and costs nothing."""
    bought = shop(animate=choice)
    bought.buy("animate", motion("sandbox:fail-once"))
    assert bought.journal() == [("closed", "failed"), ("closed", "succeeded")]
    with pytest.raises(JobFailed) as caught:
        bought.buy("animate", motion("sandbox:fail"), clip="d")
    assert caught.value.job_id
    assert bought.journal()[2:] == [("closed", "failed")] * 3
    assert bought.books() == sandbox.total() == Decimal(usd)


@pytest.mark.parametrize("choice", [RAY, KLING])
def test_a_lost_answer_stops_the_clip(sandbox: Sandbox, shop: Callable[..., Shop], choice: str) -> None:
    """Neither keeps a record that can be asked, so nothing is bought a second time by itself."""
    bought = shop(animate=choice)
    with pytest.raises(UnknownOutcome, match="no record"):
        bought.buy("animate", motion("sandbox:lost-answer"))
    assert len(sandbox.bill()["jobs"]) == 1
    assert bought.journal() == [("unknown", None)]


@pytest.mark.parametrize("choice", [RAY, KLING])
def test_a_state_nobody_knows_is_not_an_end(sandbox: Sandbox, shop: Callable[..., Shop], choice: str) -> None:
    """The job stays in the journal with its handle."""
    bought = shop(animate=choice)
    with pytest.raises(UnknownOutcome, match="unknown stat.*(?i:reviewing)"):
        bought.buy("animate", motion("sandbox:unknown-state"))
    assert bought.journal() == [("submitted", None)]


def _ask(vendor: str, name: str, **more: Any) -> Ask:
    model = load_catalogue()[vendor].model(name)
    media = Media("image", "image/png", b"\x89PNG")
    return Ask(
        **{"stage": "animate", "name": name, "model": model, "prompt": "push in", "ratio": "16:9", "seconds": 5,
           "media": media, "extra": dict(model.defaults)} | more
    )  # fmt: skip


FAL = "fal-ai/kling-video/v2.5-turbo/pro/image-to-video"


def _answer(status: int, body: Any, url: str = f"https://queue.fal.run/{FAL}", **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=headers, request=httpx.Request("POST", url))


def test_lumas_options_are_said_where_they_belong() -> None:
    """What is of the video inside `video`, what is of the request beside the prompt, seconds with their unit."""
    body = LumaWire().create(_ask("luma", "ray-3.2", extra={"resolution": "1080p", "user_id": "u"}), None).json
    assert {name: body[name] for name in ("model", "type", "prompt", "aspect_ratio", "user_id")} == {
        "model": "ray-3.2", "type": "video", "prompt": "push in", "aspect_ratio": "16:9", "user_id": "u",
    }  # fmt: skip
    assert {name: body["video"][name] for name in ("duration", "resolution")} == {
        "duration": "5s", "resolution": "1080p",
    }  # fmt: skip
    assert body["video"]["start_frame"] == {"data": "iVBORw==", "media_type": "image/png"}


def test_lumas_errors_name_the_field() -> None:
    """A list of issues reads as one line; anything else is shown as it is."""
    issue = {"loc": ["body", "prompt"], "msg": "too long", "type": "string_too_long"}
    assert LumaWire().said(_answer(422, {"detail": [issue]})) == "body.prompt: too long (string_too_long)"
    assert LumaWire().said(_answer(403, {"detail": "no"})) == "no"
    assert LumaWire().said(httpx.Response(502, text="<html>")) == "<html>"


def test_fal_gets_its_own_words_and_spelling() -> None:
    """Names and formats of the catalogue; a word the model lacks is not sent."""
    call = FalWire().create(_ask("fal", FAL), None)
    assert call.path == FAL
    assert call.json == {"prompt": "push in", "duration": "5", "image_url": "data:image/png;base64,iVBORw=="}


@pytest.mark.parametrize("name", ["status_url", "response_url", "cancel_url"])
@pytest.mark.parametrize(
    "url",
    ["https://queue.fal.run.evil.example/x", "http://queue.fal.run/x", "https://queue.fal.run:8443/x", "//x",
     "https://user@queue.fal.run/x"],
)  # fmt: skip
def test_fals_addresses_must_be_its_own(name: str, url: str) -> None:
    """An answer that leads elsewhere is not believed."""
    at = f"https://queue.fal.run/fal-ai/kling-video/requests/{JOB}"
    said = {"request_id": JOB, "status_url": f"{at}/status", "response_url": at, "cancel_url": f"{at}/cancel"}
    handle = FalWire().created(_answer(200, said), _ask("fal", FAL))
    assert isinstance(handle, Handle)
    assert (handle.job_id, handle.poll, handle.result, handle.cancel) == (JOB, f"{at}/status", at, f"{at}/cancel")
    with pytest.raises(ValueError, match=name):
        FalWire().created(_answer(200, said | {name: url}), _ask("fal", FAL))


@pytest.mark.parametrize(
    ("status", "body", "headers", "state", "retryable"),
    [
        (422, {"detail": [{"loc": ["body"], "msg": "no", "type": "content_policy_violation"}]}, {}, "refused", False),
        (422, {"detail": [{"loc": ["body", "image_url"], "msg": "no", "type": "file_download_error"}]}, {}, "failed", False),
        (500, {"detail": "oops"}, {"x_fal_error_type": "internal_error"}, "failed", True),
        (504, {"detail": "late", "error_type": "request_timeout"}, {}, "failed", True),
        (400, {"detail": "Request was cancelled", "error_type": "request_cancelled"}, {}, "cancelled", False),
        (502, ["a gateway's"], {}, "running", False),
    ],
)  # fmt: skip
def test_what_fals_result_means(
    status: int, body: Any, headers: dict[str, str], state: str, *, retryable: bool
) -> None:
    """COMPLETED says only that it is over; how it ended is in the answer at the other address."""
    report = FalWire().report(
        _answer(status, body, "https://queue.fal.run/a/b/requests/1", **headers), _ask("fal", FAL)
    )
    assert (report.state, report.retryable) == (state, retryable)


def test_fals_result_is_asked_for_when_it_is_there() -> None:
    """Not before."""
    handle = Handle(provider="fal", model=FAL, job_id=JOB, poll="p", result="https://r", created=datetime.now(UTC))
    assert FalWire().result(_answer(202, {"status": "IN_PROGRESS"}), handle) is None
    call = FalWire().result(_answer(200, {"status": "COMPLETED"}), handle)
    assert call is not None
    assert (call.method, call.path) == ("GET", "https://r")
    assert FalWire().result(_answer(200, {"status": "COMPLETED"}), handle.model_copy(update={"result": None})) is None


@pytest.mark.parametrize(("choice", "outcome"), [(KLING, "cancelled"), (RAY, None)])
def test_a_job_is_given_up_where_that_can_be_done(
    sandbox: Sandbox, shop: Callable[..., Shop], choice: str, outcome: str | None
) -> None:
    """fal stops it at the address it gave, and charges it all the same; Luma has no way to."""
    vendor, _, model = choice.partition("/")
    bought = shop(animate=f"{{backend: {vendor}, model: {model}, deadline: 0.01}}")
    with pytest.raises(UnknownOutcome, match="still"):
        bought.buy("animate", motion("sandbox:slow"))
    with Runtime.open(Settings()) as runtime:
        [row] = journal.entries(runtime.database)
        if outcome is None:
            with pytest.raises(InvalidInput, match="no way to cancel"):
                asyncio.run(cancel(runtime, row.id))
        else:
            asyncio.run(cancel(runtime, row.id))
            assert bought.books() == sandbox.total() == Decimal("0.35")
    assert bought.journal() == [("closed", outcome) if outcome else ("submitted", None)]


@pytest.mark.parametrize("choice", [RAY, KLING])
@pytest.mark.parametrize(("key", "error"), [("broke", QuotaExceeded), ("expired", Unauthorized)])
def test_an_account_in_trouble_is_told_as_such(
    sandbox: Sandbox, shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, choice: str, key: str, error: Any
) -> None:
    """No credit, or a key that is not accepted; nothing is booked."""
    monkeypatch.setattr(LumaWire, "headers", lambda self, _: {"Authorization": f"Bearer {key}"})
    monkeypatch.setattr(FalWire, "headers", lambda self, _: {"Authorization": f"Key {key}"})
    bought = shop(animate=choice)
    with pytest.raises(error):
        bought.buy("animate", motion())
    assert bought.journal() == [("closed", "never")]
    assert bought.books() == sandbox.total() == 0
