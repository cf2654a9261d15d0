"""The language-model planner against a real HTTP server on loopback that behaves well, badly and worse."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vpgen.backends.llm import ChatParams, ChatPlanner
from vpgen.clip import Prompt
from vpgen.errors import InvalidInput, Refused, StageFailed, VpgenError
from vpgen.stages import PlanRequest, Work

PLAN = {"character": "a fox", "background": "a wood", "motion": "pan left", "style": "", "negative": ""}
Answer = tuple[int, Any]
SLEEP = b"later than anybody waits"


class Server:
    """Answers each request with the next of `answers` (the last one again and again) and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                outer.keys.append(self.headers.get("Authorization"))
                status, body = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if body == SLEEP:
                    time.sleep(0.5)
                    return
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def completion(content: object, **more: object) -> Answer:
    message = {"role": "assistant", "content": content if isinstance(content, str) else json.dumps(content), **more}
    return 200, {"choices": [{"message": message}], "usage": {"prompt_tokens": 120, "completion_tokens": 45}}


def ask(
    server: Server, use: Callable[[str, Decimal], None] = lambda sku, quantity: None, timeout: float = 2.0
) -> Prompt:
    planner = ChatPlanner(ChatParams(base_url=server.url, wait=0.0, timeout=timeout))
    return asyncio.run(planner.plan(PlanRequest("a fox in a wood"), Work(dir=Path(), use=use)))


def test_a_plan_comes_back_with_its_tokens_counted(server: Server) -> None:
    """The answer becomes prompts, the schema is asked for, and token usage is reported."""
    server.answers = [completion(PLAN)]
    used: dict[str, Decimal] = {}
    assert ask(server, used.__setitem__) == Prompt(character="a fox", background="a wood", motion="pan left")
    assert used == {"llm_input_token": 120, "llm_output_token": 45}
    assert server.seen[0]["response_format"]["json_schema"]["strict"] is True
    assert server.seen[0]["messages"][1]["content"] == "<story>\na fox in a wood\n</story>"


def test_a_server_without_schemas_is_asked_for_plain_json(server: Server) -> None:
    """A 400 about response_format falls back to json_object, and a fenced answer is read."""
    server.answers = [
        (400, {"error": "response_format json_schema unsupported"}),
        completion(f"```json\n{json.dumps(PLAN)}\n```"),
    ]
    assert ask(server).character == "a fox"
    assert server.seen[1]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_turned_away_is_tried_again(server: Server, status: int) -> None:
    """Throttling and an overload come before acceptance: asked again, and then it succeeds."""
    server.answers = [(status, {}), (status, {}), completion(PLAN)]
    assert ask(server).background == "a wood"
    assert len(server.seen) == 3


def test_three_attempts_are_all(server: Server) -> None:
    """A server that stays broken ends in an error that says so and that a retry may help."""
    server.answers = [(503, {})]
    with pytest.raises(StageFailed, match="answers 503, however often") as caught:
        ask(server)
    assert caught.value.retryable
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [500, 502, None])
def test_a_lost_answer_is_not_asked_for_again(server: Server, status: int | None) -> None:
    """A server's error or a time-out (None) may come after the tokens were spent: booked, told, and left to the user."""
    server.answers = [(status, {}) if status else (200, SLEEP)]
    used: dict[str, Decimal] = {}
    with pytest.raises(StageFailed, match="its tokens may be paid, and are on the books as waste") as caught:
        ask(server, used.__setitem__, timeout=0.2)
    assert caught.value.retryable
    assert "same command asks again" in str(caught.value.remedy)
    assert len(server.seen) == 1
    assert used == ChatPlanner(ChatParams()).estimate(PlanRequest("a fox in a wood"))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((200, b"<html>hello</html>"), StageFailed, "not JSON"),
        ((200, {"hello": 1}), StageFailed, "not a chat completion"),
        (completion("I would rather talk about cats"), StageFailed, "not what was asked for"),
        (completion({**PLAN, "motion": ""}), StageFailed, "not what was asked for"),
        (completion({**PLAN, "extra": "x"}), StageFailed, "not what was asked for"),
        ((200, b"[" + b"1," * 700_000 + b"1]"), StageFailed, "larger than"),
        ((302, b""), StageFailed, "redirects"),
        ((401, {"error": "bad key"}), InvalidInput, "401"),
        (completion("", refusal="I cannot help with that"), Refused, "refused"),
    ],
)
def test_bad_answers_are_clear_errors_and_not_retried(
    server: Server, answer: Answer, error: type[VpgenError], said: str
) -> None:
    """Garbage, HTML, wrong shapes, floods, redirects, rejections and refusals each say what happened, once."""
    server.answers = [answer]
    with pytest.raises(error, match=said):
        ask(server)
    assert len(server.seen) == 1


def test_the_key_is_sent_and_never_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes into the header and into nothing else."""
    monkeypatch.setenv("VPGEN_LLM_API_KEY", "sk-very-secret")
    server.answers = [(401, {"error": "no"})]
    with pytest.raises(InvalidInput) as caught:
        ask(server)
    assert server.keys == ["Bearer sk-very-secret"]
    assert "sk-very-secret" not in repr(caught.value) + str(caught.value) + repr(ChatParams())


def test_nobody_at_home_is_said_plainly() -> None:
    """No server at all: three tries, then the host and what to do."""
    planner = ChatPlanner(ChatParams(base_url="http://127.0.0.1:9/v1", wait=0.0, timeout=1.0))
    with pytest.raises(StageFailed, match="no answer from 127.0.0.1"):
        asyncio.run(planner.plan(PlanRequest("x"), Work(dir=Path())))
