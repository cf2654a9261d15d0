"""Buying through the step: whatever a provider does, the ledger is its bill to the cent and nothing is bought twice."""

import asyncio
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from shop import STILL, Shop, motion

from vpgen import studio
from vpgen.backends.sandbox.serve import Sandbox
from vpgen.clip import Prompt, Still, Video
from vpgen.config import load_config
from vpgen.errors import (
    BadOutput,
    ConfigError,
    InvalidInput,
    JobFailed,
    OverBudget,
    ProviderError,
    Refused,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from vpgen.money.spending import spending
from vpgen.remote_jobs import reconcile, resolve
from vpgen.results import ledger_of
from vpgen.runtime import Runtime
from vpgen.settings import Settings
from vpgen.stages import AnimateRequest, BackgroundRequest, MattingRequest, Ref, UpscaleRequest
from vpgen.step import Steps
from vpgen.store import clips, journal

RUNWAY = "runway/gen4_turbo"


def test_a_clip_is_bought_once_and_booked_to_the_cent(sandbox: Sandbox, tmp_path: Path) -> None:
    """Six seconds at five credits; the second time it comes from the store; the journal is closed."""
    shop = Shop(tmp_path, animate=RUNWAY)
    video: Video = shop.buy("animate", motion())
    again: Video = shop.buy("animate", motion())
    assert (video.size, video.seconds) == ((1280, 720), 6.0)
    assert again.frames == video.frames
    assert shop.books() == sandbox.total() == Decimal("0.30")
    assert shop.journal() == [("closed", "succeeded")]
    assert [event.kind for event in shop.events if event.kind != "progress"] == ["started", "finished", "cached"]
    assert any(event.fraction for event in shop.events if event.kind == "progress")


def test_a_refusal_is_not_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Moderation's no is final; what it cost is kept, as waste."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(Refused) as caught:
        shop.buy("animate", motion("sandbox:refuse"))
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total()
    assert caught.value.cost_usd is not None
    assert caught.value.cost_usd >= sandbox.total()  # with the seconds it took here
    assert shop.journal() == [("closed", "refused")]


def test_a_job_that_fails_there_is_tried_three_times(sandbox: Sandbox, tmp_path: Path) -> None:
    """An internal error may pass; each try has its own row."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(JobFailed) as caught:
        shop.buy("animate", motion("sandbox:fail"))
    assert caught.value.job_id
    assert shop.journal() == [("closed", "failed")] * 3
    assert shop.books() == sandbox.total() == 0


def test_a_job_that_fails_once_succeeds_the_second_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """And only the one that succeeded is paid."""
    shop = Shop(tmp_path, animate=RUNWAY)
    shop.buy("animate", motion("sandbox:fail-once"))
    assert shop.journal() == [("closed", "failed"), ("closed", "succeeded")]
    assert shop.books() == sandbox.total() == Decimal("0.30")


@pytest.mark.parametrize("words", ["sandbox:unavailable-once", "sandbox:throttle"])
def test_being_turned_away_is_waited_out(sandbox: Sandbox, tmp_path: Path, words: str) -> None:
    """503 before acceptance and a full queue cost time, not money."""
    shop = Shop(tmp_path, animate=RUNWAY)
    shop.buy("animate", motion(words))
    assert shop.books() == sandbox.total() == Decimal("0.30")


def test_an_outage_is_said_and_costs_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """After three attempts; nothing is left open."""
    sandbox.settings(outage={"runway": "answer"})
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(Unavailable, match="Runway cannot be used at the moment") as caught:
        shop.buy("animate", motion())
    sandbox.settings(outage={})
    assert caught.value.retryable
    assert shop.journal() == [("closed", "never")]
    assert shop.books() == sandbox.total() == 0


def test_a_clip_that_met_an_outage_is_resumed_for_nothing_more(sandbox: Sandbox, tmp_path: Path) -> None:
    """The error names the command; what was bought before is kept, and the whole clip costs what one clip costs."""
    shop = Shop(tmp_path, background="stability/core", animate=RUNWAY)
    sandbox.settings(outage={"runway": "answer"})
    with pytest.raises(Unavailable) as caught:
        asyncio.run(studio.preview("a woman by the sea", config=shop.file))
    remedy = str(caught.value.remedy)
    assert remedy.startswith("Try again later. `vpgen resume preview-")
    sandbox.settings(outage={})
    asyncio.run(studio.resume(remedy.split("`")[1].removeprefix("vpgen resume ")))
    assert [job["vendor"] for job in sandbox.bill()["jobs"]] == ["stability", "runway"]
    assert shop.books() == sandbox.total() == Decimal("0.33")


def test_the_next_in_the_chain_takes_over_in_an_outage(sandbox: Sandbox, tmp_path: Path) -> None:
    """And its result is what the same command finds afterwards, outage or not."""
    sandbox.settings(outage={"runway": "answer"})
    shop = Shop(tmp_path, animate=f"[{RUNWAY}, replicate/kwaivgi/kling-v2.1]")
    shop.buy("animate", motion())
    sandbox.settings(outage={})
    shop.buy("animate", motion())
    assert {job["vendor"] for job in sandbox.bill()["jobs"]} == {"replicate"}
    assert [event.kind for event in shop.events if event.kind in {"note", "cached"}] == ["note", "cached"]


def test_a_refusal_goes_down_the_chain_only_when_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """`next_on_refusal: true` is what tells."""
    plain = Shop(tmp_path, animate=f"[{RUNWAY}, replicate/kwaivgi/kling-v2.1]")
    with pytest.raises(Refused):
        plain.buy("animate", motion("sandbox:refuse-once"))
    told = "[{backend: runway, model: gen4_turbo, next_on_refusal: true}, replicate/kwaivgi/kling-v2.1]"
    sandbox.reset()
    with pytest.raises(Refused):  # the second refuses as well, and is the last
        Shop(tmp_path, animate=told).buy("animate", motion("sandbox:refuse, a second story"))
    assert {job["vendor"] for job in sandbox.bill()["jobs"]} == {"runway", "replicate"}


def test_a_lost_answer_is_looked_up_and_not_bought_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Runway counts one generation more than the journal: it happened, it is booked, and a person decides."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(JobFailed, match="its answer was lost on the way"):
        shop.buy("animate", motion("sandbox:lost-answer-once"))
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.journal() == [("closed", "lost")]
    assert shop.books() == sandbox.total() == Decimal("0.30")
    shop.buy("animate", motion("sandbox:lost-answer-once"))
    assert shop.books() == sandbox.total() == Decimal("0.60")


def test_a_lost_answer_is_bought_again_when_the_config_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    """`on_lost: buy-again`: both are on the books, the first as waste."""
    shop = Shop(tmp_path, animate="{backend: runway, model: gen4_turbo, on_lost: buy-again}")
    shop.buy("animate", motion("sandbox:lost-answer-once"))
    assert shop.journal() == [("closed", "lost"), ("closed", "succeeded")]
    assert shop.books() == sandbox.total() == Decimal("0.60")
    with Runtime.open(Settings()) as runtime:
        assert spending(runtime.database).total.waste >= Decimal("0.30")


def test_a_lost_answer_is_found_where_the_vendor_keeps_a_list(sandbox: Sandbox, tmp_path: Path) -> None:
    """Replicate lists predictions: the job is found by what was asked and taken up."""
    shop = Shop(tmp_path, animate="replicate/kwaivgi/kling-v2.1")
    shop.buy("animate", motion("sandbox:lost-answer"))
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.journal() == [("closed", "succeeded")]
    assert shop.books() == sandbox.total()


def test_a_lost_answer_that_nobody_can_explain_stays_open_until_a_person_says(sandbox: Sandbox, tmp_path: Path) -> None:
    """Stability keeps no record: the reservation stays, the same command does not buy, `resolve` closes it."""
    shop = Shop(tmp_path, background="stability/core")
    request = BackgroundRequest(Prompt(character="c", background="sandbox:lost-answer-once", motion="m"), 0, (320, 180))
    for _ in range(2):
        with pytest.raises(UnknownOutcome, match="cannot be told") as caught:
            shop.buy("background", request)
        assert caught.value.cost_usd is None
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.journal() == [("unknown", None)]
    with Runtime.open(Settings()) as runtime:
        [row] = journal.entries(runtime.database)
        assert spending(runtime.database).total.held.quantize(Decimal("0.001")) == Decimal("0.030")
        resolve(runtime, row.id, "lost")
        with pytest.raises(InvalidInput, match="closed already"):
            resolve(runtime, row.id, "never")
    assert shop.books() == sandbox.total() == Decimal("0.03")
    shop.buy("background", request)
    assert shop.books() == sandbox.total() == Decimal("0.06")


def test_a_state_that_nobody_knows_is_an_error_and_keeps_the_job(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not "queued" for ever: it says what it does not understand."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(UnknownOutcome, match="unknown status"):
        shop.buy("animate", motion("sandbox:unknown-state"))
    assert shop.journal() == [("submitted", None)]


def test_a_job_that_takes_too_long_is_waited_for_again_by_the_same_command(sandbox: Sandbox, tmp_path: Path) -> None:
    """The deadline ends the waiting, not the job: it is not bought a second time."""
    impatient = Shop(tmp_path, animate="{backend: runway, model: gen4_turbo, deadline: 0.001}")
    with pytest.raises(UnknownOutcome, match="the same command goes on waiting|still"):
        impatient.buy("animate", motion("sandbox:slow"))
    assert impatient.journal() == [("submitted", None)]
    with Runtime.open(Settings()) as runtime:
        [told] = asyncio.run(reconcile(runtime))
    assert told.state.split()[0] in {"waiting", "running", "succeeded"}
    for _ in range(60):
        try:
            impatient.buy("animate", motion("sandbox:slow"))
            break
        except UnknownOutcome:
            continue
    assert impatient.journal() == [("closed", "succeeded")]
    assert impatient.books() == sandbox.total() == Decimal("0.30")


@pytest.mark.parametrize("words", ["garbage-html", "truncate", "garbage-endless", "redirect-internal"])
def test_garbage_is_refused_and_its_price_is_on_the_books(
    sandbox: Sandbox, tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web page, half a file, a body without end, an address inside: paid for, booked as waste, never stored."""
    from vpgen.backends.http import fetch

    monkeypatch.setitem(fetch.LIMITS, "video", 20_000_000)
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(BadOutput):
        shop.buy("animate", motion(f"sandbox:{words}"))
    assert shop.journal() == [("closed", "bad-output")]
    assert shop.books() == sandbox.total() == Decimal("0.30")
    with Runtime.open(Settings()) as runtime:
        assert not runtime.store.list_documents("steps")


def test_over_budget_is_refused_before_anything_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """Not even an upload."""
    shop = Shop(tmp_path, animate=RUNWAY)
    shop.file.write_text("budget: {clip: 0.29}\n" + shop.file.read_text())
    with pytest.raises(OverBudget, match=r"cost about 0\.30"):
        shop.buy("animate", motion())
    assert sandbox.requests() == {}


def test_what_fails_before_it_is_sent_leaves_nothing_open(sandbox: Sandbox, tmp_path: Path) -> None:
    """An input that cannot be read: no job goes on, nothing is held, and no provider was asked."""

    def unreadable() -> Still:
        raise InvalidInput("the still is gone")

    shop = Shop(tmp_path, animate=RUNWAY)
    request = AnimateRequest(Ref("gone", unreadable), motion().prompt, 0, motion().spec)
    with pytest.raises(InvalidInput, match="the still is gone") as caught:
        shop.buy("animate", request)
    assert not caught.value.job_goes_on
    assert shop.journal() == [("closed", "never")]
    assert sandbox.requests() == {}
    with Runtime.open(Settings()) as runtime:
        assert spending(runtime.database).total.held == 0


def test_without_a_key_the_error_names_the_variable_and_the_way_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is reserved for good."""
    monkeypatch.delenv("RUNWAYML_API_SECRET", raising=False)
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(Unauthorized, match="RUNWAYML_API_SECRET is not set") as caught:
        shop.buy("animate", motion())
    assert "vpgen sandbox" in str(caught.value.remedy)
    assert shop.journal() == [("closed", "never")]


def test_a_prompt_too_long_is_refused_before_anything_is_reserved(sandbox: Sandbox, tmp_path: Path) -> None:
    """Counted as the provider counts: in UTF-16 units."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with pytest.raises(InvalidInput, match="takes prompts of 1000"):
        shop.buy("animate", motion("🌊" * 501))
    assert shop.journal() == []
    assert sandbox.requests() == {}


def test_a_config_with_a_model_that_cannot_do_it_does_not_load(tmp_path: Path) -> None:
    """Retired, unknown, the wrong ratio: each with its line."""
    for choice, said in (
        ("runway/gen3a_turbo", "retired"),
        ("runway/gen4_trubo", "did you mean 'gen4_turbo'"),
        ("{backend: runway, model: gen4_turbo, ratio: '7:1'}", "has no ratio 7:1"),
        ("stability/core", "does not do animate"),
    ):
        with pytest.raises(ConfigError, match=said):
            load_config(Shop(tmp_path, animate=choice).file)


def test_a_cut_out_is_bought_with_its_alpha(sandbox: Sandbox, tmp_path: Path) -> None:
    """And what comes cut out already is not bought at all."""
    shop = Shop(tmp_path, matting="stability/remove-background")
    cut: Still = shop.buy("matting", MattingRequest(Ref("p", lambda: STILL)))
    assert cut.alpha is not None
    own = Still(rgb=STILL.rgb, alpha=np.full((180, 320), 200, np.uint8))
    before = sandbox.total()
    kept: Still = shop.buy("matting", MattingRequest(Ref("own", lambda: own)))
    assert kept.alpha is not None
    assert sandbox.total() == before == shop.books()


def test_a_picture_has_the_size_that_was_asked_for(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever shape the provider has."""
    shop = Shop(tmp_path, background="runway/gen4_image")
    still: Still = shop.buy(
        "background", BackgroundRequest(Prompt(character="c", background="a beach", motion="m"), 0, (320, 180))
    )
    assert still.size == (320, 180)
    assert shop.books() == sandbox.total() > 0


@pytest.mark.parametrize("choice", ["replicate/topazlabs/video-upscale", "runway/magnific_video_upscaler_creative"])
def test_a_video_is_enlarged_there(
    sandbox: Sandbox, tmp_path: Path, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clip is uploaded, enlarged and fetched; the bill is the ledger."""
    monkeypatch.setattr("vpgen.backends.http.runway.INLINE", 1000)
    shop = Shop(tmp_path, animate=RUNWAY, upscale=choice)
    video: Video = shop.buy("animate", motion())
    large: Video = shop.buy("upscale", UpscaleRequest(Ref("v", lambda: video), (1920, 1080)))
    assert large.size[0] >= 1280
    assert shop.books() == sandbox.total()


def test_two_clips_asking_for_the_same_thing_at_once_buy_it_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """One buys, the other waits and takes it."""
    shop = Shop(tmp_path, animate=RUNWAY)
    with Runtime.open(Settings()) as runtime:
        config = load_config(shop.file)
        ways = []
        for clip in ("a", "b"):
            clips.begin(
                runtime.database, clip, kind="preview", parent=None, story="s", config_name="s", config_hash="h", seed=0
            )
            ways.append(Steps(runtime, config, ledger_of(runtime, clip, config), shop.events.append))

        async def both() -> None:
            async with runtime.connections():
                await asyncio.gather(*(steps("animate", motion()) for steps in ways))

        asyncio.run(both())
    assert len(sandbox.bill()["jobs"]) == 1
    assert shop.books() == sandbox.total() == Decimal("0.30")


def test_the_key_is_nowhere(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the database, the store, the recording, the events or an error; and a look-alike is never shown it."""
    secret = "key_0123456789abcdef"  # noqa: S105  # it opens nothing
    monkeypatch.setenv("RUNWAYML_API_SECRET", secret)
    monkeypatch.setenv("VPGEN_RECORD", str(tmp_path / "said.jsonl"))
    shop = Shop(tmp_path, animate=RUNWAY)
    shop.buy("animate", motion())
    with pytest.raises(ProviderError) as caught:
        shop.buy("animate", motion("sandbox:fail"))
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert (tmp_path / "said.jsonl").stat().st_size > 1000
    assert not any(secret.encode() in data for data in written)
    assert secret not in repr(shop.events) + repr(caught.value.__dict__) + repr(sandbox.bill())


def test_a_file_too_large_to_be_sent_along_is_uploaded_first(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runway: the purchase names the upload, and its digest (files by their content) is that of one sent along."""
    Shop(tmp_path, animate=RUNWAY).buy("animate", motion())
    [along] = sandbox.bill()["jobs"]
    assert "POST /runway/v1/uploads" not in sandbox.requests()
    sandbox.reset()
    monkeypatch.setattr("vpgen.backends.http.runway.INLINE", 1000)
    monkeypatch.setenv("VPGEN_HOME", str(tmp_path / "another"))
    shop = Shop(tmp_path, animate=RUNWAY)
    shop.buy("animate", motion())
    [uploaded] = sandbox.bill()["jobs"]
    assert sandbox.requests()["POST /runway/v1/uploads"] == 1
    assert uploaded["digest"] == along["digest"]
    assert shop.books() == sandbox.total() == Decimal("0.30")
