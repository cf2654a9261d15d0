"""The shared client: submit → wait → fetch, cancel, and finding out what became of a submit whose answer was lost."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import httpx

from vpgen.backends.http.fetch import fetch
from vpgen.backends.http.gate import Gate
from vpgen.backends.http.transports import CircuitOpen, retry_after
from vpgen.backends.http.webhooks import Receiver
from vpgen.backends.http.wire import Ask, Call, Handle, Media, Report, Wire
from vpgen.catalogue import Provider
from vpgen.errors import (
    BadOutput,
    JobFailed,
    QuotaExceeded,
    Refused,
    RequestRejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    VpgenError,
)

MAX_ANSWER = 96_000_000
"""Bytes of an answer; images come inside it, base64 included."""
FETCHES = 3
RARER = 6
"""How much rarer a job is polled whose end a webhook announces."""
DOUBTFUL = {500, 502, 504}
"""Statuses after which a paid request may have happened all the same."""
UNANSWERED = 5
"""Looks at a job in a row, each of several attempts, that find nobody there."""
OF_THE_CALLER = {401, 402, 403, 404, 429}
"""Statuses that say something about who asks, not about the job that is asked for."""
TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=600.0)

Progress = Callable[[float, str], None]


class Doubt(Exception):
    """The answer to a paid request was lost: it may or may not have happened."""


@dataclass
class Client:
    """One provider. Made by `Network.client`; all clips of a process share it."""

    wire: Wire
    provider: Provider
    http: httpx.AsyncClient
    downloads: httpx.AsyncClient
    base: httpx.URL
    trusted: httpx.URL | None
    poll_seconds: float
    pause: float
    """Seconds before something is tried again."""
    receiver: Receiver | None = None
    _gates: dict[str, Gate] = field(default_factory=dict)
    _webhook: str | None = None

    async def upload(self, media: Media) -> str | None:
        """The address of a file that is too large to be sent along; None when it is not. Costs nothing."""
        call = self.wire.upload(media)
        if call is None:
            return None
        address, more = self.wire.uploaded(await self._free(call, "upload"), media)
        if more:
            await self._free(more, "upload")
        return address

    def submitting(self, ask: Ask) -> AbstractAsyncContextManager[None]:
        """Held from before a purchase until its answer is in the journal: nobody compares records meanwhile."""
        return self._gates.setdefault(ask.name, Gate()).submitting()

    async def written(self, ask: Ask, address: str | None) -> Call:
        """The call that costs money, not sent yet."""
        return self.wire.create(replace(ask, webhook=await self._announced()), address)

    async def submit(self, call: Call, ask: Ask) -> Handle | Report:
        """Send it once. Raises Doubt when its answer was lost, and typed errors when it certainly was not accepted."""
        try:
            response = await self._send(call, buys=ask.name)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, CircuitOpen) as error:
            raise self.unavailable(error, ask.name) from error
        except httpx.TransportError as error:
            raise Doubt(f"{type(error).__name__} while waiting for the answer") from error
        except BadOutput as error:
            raise Doubt(error.message) from error
        if response.status_code in DOUBTFUL:
            raise Doubt(f"the provider answered {response.status_code}")
        if response.status_code == 503:
            raise self.unavailable(response, ask.name)
        if response.status_code >= 400:
            raise self._error(response, ask.name)
        try:
            return self.wire.created(response, ask)
        except (ValueError, KeyError, TypeError) as error:
            raise Doubt(f"the answer is not what was expected: {_short(response)}") from error

    async def wait(self, handle: Handle, ask: Ask, progress: Progress, deadline: float) -> Report:
        """Poll until the job has ended, not oftener than the vendor allows.

        A provider that does not answer is asked again as long as a job that goes on is worth it. Raises Unavailable,
        and UnknownOutcome at the deadline.
        """
        ends, unanswered = time.monotonic() + deadline, 0
        bell = self.receiver.bell(handle.job_id) if self.receiver and self._webhook else None
        while True:
            try:
                report = await self.look(handle, ask)
            except Unavailable as error:
                unanswered += 1
                if unanswered == UNANSWERED:
                    raise
                report = Report("running", message=error.message)
            else:
                unanswered = 0
            if report.state not in {"waiting", "running"}:
                if self.receiver:
                    self.receiver.forget(handle.job_id)
                return report
            progress(report.progress or 0.0, report.message or report.state)
            if time.monotonic() > ends:
                raise UnknownOutcome(
                    f"the job is still {report.state} after {deadline:.0f} s",
                    provider=self.wire.provider_id,
                    model=ask.name,
                    job_id=handle.job_id,
                    cost_usd=None,
                    retryable=True,
                    remedy="The same command goes on waiting for it; `vpgen journal cancel` gives it up",
                )
            pause = self.poll_seconds * random.uniform(1.0, 1.25)  # noqa: S311  # jitter is no secret
            if bell is None:
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), pause * RARER)
            bell.clear()

    async def _announced(self) -> str | None:
        """The address for webhooks, once the key they are signed with is known; None: by polling alone."""
        call = self.wire.webhook_secret()
        if self._webhook is None and self.receiver and call:
            secret = str((await self._free(call, "webhooks")).json()["key"])
            check = partial(self.wire.notified, secret=secret)
            self._webhook = self.receiver.trust(self.wire.provider_id, check)
        return self._webhook

    async def look(self, handle: Handle, ask: Ask) -> Report:
        """Ask once. Raises UnknownOutcome for an answer that nobody understands: the job may still be running."""
        response = await self._free(self.wire.poll(handle), ask.name, handle.job_id)
        try:
            if more := self.wire.result(response, handle):
                response = await self._free(more, ask.name, handle.job_id, judged=True)
            return self.wire.report(response, ask)
        except (ValueError, KeyError, TypeError) as error:
            raise UnknownOutcome(
                f"what it says of the job is not understood: {error}",
                provider=self.wire.provider_id,
                model=ask.name,
                job_id=handle.job_id,
                cost_usd=None,
                remedy="Report it with the answer (VPGEN_RECORD=file writes it down); `vpgen journal` keeps the job",
            ) from error

    async def fetch(self, report: Report, ask: Ask, path: Path, job_id: str | None) -> None:
        """Bring the first output into `path`. Raises BadOutput, Unavailable when it cannot be reached."""
        try:
            if not report.outputs:
                raise BadOutput("it is said to have succeeded, and no output is named")  # noqa: TRY301  # told as below
            output = report.outputs[0]
            if isinstance(output, bytes):
                await asyncio.to_thread(path.write_bytes, output)
                return
            for tried in range(FETCHES):
                try:
                    await fetch(self.downloads, output, path, ask.makes, trusted=self.trusted)
                except httpx.TransportError as error:
                    if tried == FETCHES - 1:
                        raise self.unavailable(error, ask.name, job_id) from error
                    await asyncio.sleep(self.pause * 2**tried * random.uniform(1.0, 1.5))  # noqa: S311
                else:
                    return
        except BadOutput as error:
            error.backend = error.provider = self.wire.provider_id
            error.model, error.job_id = ask.name, job_id
            raise

    async def cancel(self, handle: Handle) -> bool:
        """Ask the provider to stop a job; whether it took the request. What it still charges, a last look tells.

        Raises Unavailable.
        """
        call = self.wire.cancel(handle)
        if call is None:
            return False
        try:
            response = await self._send(call)
        except httpx.TransportError as error:
            raise self.unavailable(error, handle.model, handle.job_id) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise self.unavailable(response, handle.model, handle.job_id)
        return response.status_code < 400 or response.status_code == 404

    async def find(self, ask: Ask, since: datetime, known: Callable[[], tuple[set[str], int, int]]) -> Handle | bool:
        """What became of a lost submit: its handle, False when it did not happen, True when it did but cannot be had.

        `known` gives the job ids the journal has of this model, how many of its calls are in doubt, and how many it
        knows to be lost. No new submit is sent meanwhile. Raises UnknownOutcome when nobody can say.
        """
        call = self.wire.evidence(ask)
        why = f"{self.provider.name} keeps no record that can be asked"
        if call is not None:
            async with self._gates.setdefault(ask.name, Gate()).alone():
                response = await self._free(call, ask.name)
                ids, doubtful, lost = await asyncio.to_thread(known)
                try:
                    evidence = self.wire.weigh(response, ask, since)
                except (ValueError, KeyError, TypeError):
                    evidence, why = -1, f"its record is not understood: {_short(response)}"
            if isinstance(evidence, list):
                fresh = [handle for handle in evidence if handle.job_id not in ids]
                if len(fresh) <= 1:
                    return fresh[0] if fresh else False
                why = f"{len(fresh)} jobs there look like it"
            elif evidence >= 0:
                unclaimed = evidence - len(ids) - lost
                if unclaimed == 0:
                    return False
                if unclaimed == doubtful:
                    return True
                why = f"it counts {evidence} jobs in 24 h, the journal {len(ids) + lost} and {doubtful} in doubt"
        raise UnknownOutcome(
            f"the answer was lost, and whether it was accepted cannot be told: {why}",
            provider=self.wire.provider_id,
            model=ask.name,
            cost_usd=None,
            remedy="Look at the provider's own page, then `vpgen journal resolve` says which it was",
        )

    async def _free(self, call: Call, model: str, job_id: str | None = None, *, judged: bool = False) -> httpx.Response:
        """A call that costs nothing and may be repeated. `judged`: the wire says itself what an error means."""
        try:
            response = await self._send(call)
        except httpx.TransportError as error:
            raise self.unavailable(error, model, job_id) from error
        if judged and response.status_code not in OF_THE_CALLER:
            return response
        if response.status_code >= 500 or response.status_code == 429:
            raise self.unavailable(response, model, job_id)
        if response.status_code >= 400:
            refused = self._error(response, model)
            refused.job_id = job_id
            raise refused
        return response

    async def _send(self, call: Call, *, buys: str | None = None) -> httpx.Response:
        """One request and its whole answer, as long as that has a sane size. `buys`: the model that it pays for."""
        request = self.http.build_request(
            call.method,
            call.path if call.path.startswith("http") else f"{str(self.base).rstrip('/')}/{call.path.lstrip('/')}",
            json=call.json,
            data=dict(call.data) if call.data else None,
            files=dict(call.files) if call.files else None,
            headers=dict(call.headers),
            extensions={"paid": buys is not None, "model": buys, "timeout": TIMEOUT.as_dict()},
        )
        response = await self.http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise BadOutput(f"the answer does not end: stopped after {MAX_ANSWER} bytes")
        finally:
            await response.aclose()
        return _whole(response, bytes(body))

    def _error(self, response: httpx.Response, model: str) -> VpgenError:
        """What a 4xx means. Nothing was accepted, so nothing is charged."""
        status, said = response.status_code, self.wire.said(response)[:400]
        name, at = self.provider.name, self.wire.provider_id
        if status == 401:
            remedy = f"Check {self.provider.key}"
            return Unauthorized(f"{name} does not accept the key: {said}", provider=at, model=model, remedy=remedy)
        if status == 402 or "credit" in said.lower() or "billing" in said.lower():
            remedy = "Buy credit there"
            return QuotaExceeded(f"{name}: out of credit: {said}", provider=at, model=model, remedy=remedy)
        if status == 429:
            wait = f" for {seconds:.0f} s" if (seconds := retry_after(response)) else ""
            return Unavailable(f"{name} throttles us{wait}: {said}", provider=at, model=model, retryable=True)
        if any(word in said.lower() for word in self.wire.refusals):
            return Refused(f"{name} refused it: {said}", backend=at, remedy="Rephrase the story")
        return RequestRejected(
            f"{name} rejects the request ({status}): {said}",
            provider=at,
            model=model,
            remedy="Change what it names in the config or the catalogue; nothing was charged",
        )

    def unavailable(self, cause: object, model: str, job_id: str | None = None) -> Unavailable:
        """The error of a provider that cannot be used now; with a `job_id` a job goes on there meanwhile."""
        what = str(cause)
        if isinstance(cause, httpx.Response):
            what = f"{cause.status_code}: {_short(cause)}"
        elif isinstance(cause, Exception):
            what = f"{type(cause).__name__}: {cause}".removesuffix(": ")
        return Unavailable(
            f"{self.provider.name} cannot be used at the moment ({what})",
            provider=self.wire.provider_id,
            model=model,
            job_id=job_id,
            cost_usd=None if job_id else Decimal(0),
            retryable=True,
            remedy="The same command goes on with the job when it answers again" if job_id else "Try again later",
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()
        await self.downloads.aclose()


def verdict(report: Report, ask: Ask, wire: Wire, job_id: str) -> NoReturn:
    """Raise the error of a job that ended without a result."""
    said = " ".join(part for part in (report.message, f"({report.code})" if report.code else "") if part)
    if report.state == "refused":
        raise Refused(
            f"{wire.provider_id} refused it: {said}",
            stage=ask.stage,
            backend=wire.provider_id,
            job_id=job_id,
            cost_usd=report.usd,
            remedy="Rephrase the story or give another picture; asking again unchanged is refused again",
        )
    cancelled = report.state == "cancelled"
    raise JobFailed(
        "the job was cancelled" if cancelled else f"the job failed: {said}",
        provider=wire.provider_id,
        model=ask.name,
        job_id=job_id,
        cost_usd=report.usd,
        retryable=report.retryable and not cancelled,
        remedy="The same command starts a new one" if cancelled or report.retryable else "Change the request",
    )


def _whole(response: httpx.Response, body: bytes) -> httpx.Response:
    """The answer with its body, already decoded."""
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
    ]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def _short(response: httpx.Response) -> str:
    """The provider's own words, briefly."""
    try:
        said: Any = json.loads(response.content)
    except ValueError:
        return " ".join(response.text[:200].split())
    for name in ("error", "detail", "message", "errors", "title"):
        if isinstance(said, dict) and said.get(name):
            said = said[name]
            break
    return " ".join((said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)).split())[:300]
