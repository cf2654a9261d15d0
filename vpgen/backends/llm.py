"""Story → prompts by a language model behind any OpenAI-compatible chat endpoint, with structured output.

It is asked again as any provider is: where nothing was accepted (no connection, 503; 429 with a patience of its own).
When an answer is lost its tokens may be paid: they are on the books as waste, and nobody asks again by itself. So it is
with an answer that is not what was asked for. The key comes from an environment variable and appears nowhere.
"""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vpgen.backends.http.transports import Retry
from vpgen.clip import Prompt, Value
from vpgen.errors import InvalidInput, Refused, StageFailed
from vpgen.stages import PlanRequest, Readiness, Usage, Work

TEMPLATE = Path(__file__).with_name("templates") / "plan.j2"
MAX_ANSWER = 1_000_000
"""Bytes; no plan is near that."""
TURNED_AWAY = {429, 503}
"""Statuses that come before anything is accepted."""


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
        story = request.story
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
        status, answer = await self._post(body, request, work)
        if status == 400 and "response_format" in str(answer):
            status, answer = await self._post({**body, "response_format": {"type": "json_object"}}, request, work)
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

    async def _post(self, body: dict[str, Any], request: PlanRequest, work: Work) -> tuple[int, Any]:
        """Status and decoded answer. Raises StageFailed when there is none, or one that is no JSON."""
        host = httpx.URL(self.params.base_url).host
        key = os.environ.get(self.params.api_key_env)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = self.params.base_url.rstrip("/") + "/chat/completions"
        patient = Retry(httpx.AsyncHTTPTransport(), attempts=self.params.attempts, first_wait=self.params.wait)
        try:
            async with (
                httpx.AsyncClient(transport=patient, timeout=self.params.timeout, follow_redirects=False) as client,
                client.stream("POST", url, json=body, headers=headers, extensions={"paid": True}) as response,
            ):
                if response.status_code in TURNED_AWAY:
                    raise self._later(f"{host} answers {response.status_code}, however often it is asked")
                if response.status_code >= 500:
                    raise self._lost(f"{host} answered {response.status_code}", request, work)
                if response.is_redirect:
                    raise StageFailed(
                        f"the server redirects elsewhere ({response.status_code})", remedy="Set its real base_url"
                    )
                content = b""
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise StageFailed(f"the server's answer is larger than {MAX_ANSWER} bytes")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._later(f"no answer from {host}: {type(error).__name__}, however often it is asked") from error
        except httpx.TransportError as error:
            raise self._lost(f"the answer from {host} was lost ({type(error).__name__})", request, work) from error
        try:
            return response.status_code, json.loads(content)
        except ValueError as error:
            raise StageFailed(f"the server's answer is not JSON: {_short(content.decode(errors='replace'))}") from error

    def _later(self, why: str) -> StageFailed:
        """The error of a server that took nothing."""
        return StageFailed(why, retryable=True, remedy="Is the server up? Try again later, or use `plan: rules`")

    def _lost(self, why: str, request: PlanRequest, work: Work) -> StageFailed:
        """The error of a request that may have been answered and paid: the estimate is booked, for nobody knows."""
        for sku, tokens in self.estimate(request).items():
            work.use(sku, tokens)
        return StageFailed(
            f"{why}; its tokens may be paid, and are on the books as waste",
            retryable=True,
            remedy="The same command asks again; a slow model needs a longer `timeout` in the config",
        )


def _system() -> str:
    return SandboxedEnvironment().from_string(TEMPLATE.read_text(encoding="utf-8")).render()


def _bare(text: str) -> str:
    """JSON out of a Markdown fence, which models like to add."""
    fenced = re.search(r"```(?:json)?\s*(\{.*\})\s*```", text, re.DOTALL)
    return fenced.group(1) if fenced else text


def _short(answer: object) -> str:
    return " ".join(str(answer).split())[:200]
