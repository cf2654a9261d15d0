"""Story → prompts by a language model behind any OpenAI-compatible chat endpoint, with structured output.

Three attempts, two seconds and more apart, for what may pass (no connection, 429, 5xx); a refusal or an answer
that is not what was asked for is an error at once. The key comes from an environment variable and appears nowhere.
"""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
import stamina
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vpgen.clip import Prompt, Value
from vpgen.errors import InvalidInput, Refused, StageFailed
from vpgen.stages import PlanRequest, Readiness, Usage, Work

TEMPLATE = Path(__file__).with_name("templates") / "plan.j2"
MAX_ANSWER = 1_000_000
"""Bytes; no plan is near that."""
LONGEST_WAIT = 60.0
"""Seconds; a Retry-After beyond it is not waited for."""
PATIENT = {429, 500, 502, 503, 504}


class ChatParams(Value):
    """`base_url` ends before /chat/completions; `api_key_env` names the variable that holds the key, if any is needed.

    `wait` is the first pause in seconds between attempts, doubled each time.
    """

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] = "http://127.0.0.1:11434/v1"
    model: str = "qwen3:8b"
    api_key_env: str = "VPGEN_LLM_API_KEY"
    timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    wait: Annotated[float, Field(ge=0, le=60)] = 2.0


class _Plan(BaseModel):
    """What the model must answer."""

    model_config = ConfigDict(extra="forbid")

    character: Annotated[str, Field(min_length=1, max_length=600)]
    background: Annotated[str, Field(min_length=1, max_length=600)]
    motion: Annotated[str, Field(min_length=1, max_length=300)]
    style: Annotated[str, Field(max_length=300)]
    negative: Annotated[str, Field(max_length=300)]


class _Later(Exception):
    """May pass: try again."""


class ChatPlanner:
    """A language model as the planner."""

    name: ClassVar[str] = "llm"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = ChatParams

    def __init__(self, params: ChatParams) -> None:
        self.params = params

    def estimate(self, request: PlanRequest) -> Usage:
        tokens = Decimal(len(request.story) + 300)
        return {"llm_input_token": tokens, "llm_output_token": Decimal(300)}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True, note="needs an OpenAI-compatible server: set base_url and model in the config")

    async def plan(self, request: PlanRequest, work: Work) -> Prompt:
        """Raises Refused, InvalidInput (the server rejects the request), StageFailed."""
        try:
            async for attempt in stamina.retry_context(
                on=_Later,
                attempts=self.params.attempts,
                wait_initial=self.params.wait,
                wait_max=LONGEST_WAIT,
                wait_jitter=self.params.wait / 2,
                timeout=None,
            ):
                with attempt:
                    return await self._ask(request.story, work)
        except _Later as error:
            raise StageFailed(
                f"{error}, {self.params.attempts} times",
                retryable=True,
                remedy="Is the server up? Try again later, or use `plan: rules`",
            ) from error
        raise AssertionError("unreachable")  # pragma: no cover

    async def _ask(self, story: str, work: Work) -> Prompt:
        body: dict[str, Any] = {
            "model": self.params.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": _system()},
                {"role": "user", "content": f"<story>\n{story.replace('<', '‹').replace('>', '›')}\n</story>"},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "strict": True, "schema": _Plan.model_json_schema()},
            },
        }
        status, answer = await self._post(body)
        if status == 400 and "response_format" in str(answer):
            status, answer = await self._post({**body, "response_format": {"type": "json_object"}})
        if status != 200:
            raise InvalidInput(
                f"the server rejected the request ({status}): {_short(answer)}",
                remedy="Check base_url, model and the key",
            )
        try:
            message = answer["choices"][0]["message"]
            usage = answer.get("usage") or {}
        except (KeyError, IndexError, TypeError) as error:
            raise StageFailed(f"the server's answer is not a chat completion: {_short(answer)}") from error
        for sku, field in (("llm_input_token", "prompt_tokens"), ("llm_output_token", "completion_tokens")):
            if isinstance(usage.get(field), int):
                work.use(sku, Decimal(usage[field]))
        if message.get("refusal"):
            raise Refused(f"the language model refused: {_short(message['refusal'])}", remedy="Rephrase the story")
        try:
            return Prompt(**_Plan.model_validate_json(_bare(str(message.get("content")))).model_dump())
        except ValidationError as error:
            raise StageFailed(
                f"the language model's plan is not what was asked for: {_short(message.get('content'))}",
                retryable=True,
                remedy="Try again, take a larger model, or use `plan: rules`",
            ) from error

    async def _post(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and decoded answer. Raises _Later for what may pass, StageFailed for what is no JSON."""
        key = os.environ.get(self.params.api_key_env)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = self.params.base_url.rstrip("/") + "/chat/completions"
        try:
            async with (
                httpx.AsyncClient(timeout=self.params.timeout, follow_redirects=False) as client,
                client.stream("POST", url, json=body, headers=headers) as response,
            ):
                if response.status_code in PATIENT:
                    raise _Later(f"the server answered {response.status_code}")
                if response.is_redirect:
                    raise StageFailed(
                        f"the server redirects elsewhere ({response.status_code})", remedy="Set its real base_url"
                    )
                content = b""
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise StageFailed(f"the server's answer is larger than {MAX_ANSWER} bytes")
        except httpx.TransportError as error:
            raise _Later(f"no answer from {httpx.URL(url).host}: {type(error).__name__}") from error
        try:
            return response.status_code, json.loads(content)
        except ValueError as error:
            raise StageFailed(f"the server's answer is not JSON: {_short(content.decode(errors='replace'))}") from error


def _system() -> str:
    return SandboxedEnvironment().from_string(TEMPLATE.read_text(encoding="utf-8")).render()


def _bare(text: str) -> str:
    """JSON out of a Markdown fence, which models like to add."""
    fenced = re.search(r"```(?:json)?\s*(\{.*\})\s*```", text, re.DOTALL)
    return fenced.group(1) if fenced else text


def _short(answer: object) -> str:
    return " ".join(str(answer).split())[:200]
