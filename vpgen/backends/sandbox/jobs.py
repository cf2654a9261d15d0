"""The jobs of all vendors: what becomes of each is settled when it is accepted, and read off the clock from then on.

A prompt can settle it by hand. Words it may contain (each also with "-once": only for the first such request):

    sandbox:refuse             refused by the vendor's moderation
    sandbox:filtered           Stability: a blurred picture with finish reason CONTENT_FILTERED; elsewhere as refuse
    sandbox:fail               fails with an internal error
    sandbox:throttle           Runway: queued as THROTTLED for a while; elsewhere answered 429
    sandbox:lost-answer        accepted and billed, then the connection is cut
    sandbox:unavailable        answered 503 and not accepted
    sandbox:unknown-state      reports a state nobody has heard of, for ever
    sandbox:slow               takes ten times as long
    sandbox:garbage-html       the output is a web page
    sandbox:truncate           the output is the first half of a file
    sandbox:garbage-endless    the output never ends
    sandbox:redirect-internal  the output's address redirects to http://169.254.169.254/
"""

from __future__ import annotations

import heapq
import hmac
import math
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

from vpgen.backends.sandbox.media import Recipe
from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.settings import Kind, SandboxSettings, VendorId

State = Literal["waiting", "throttled", "running", "succeeded", "failed", "refused", "cancelled", "unknown"]
Garbage = Literal["garbage-html", "truncate", "garbage-endless", "redirect-internal"]
DONE: frozenset[State] = frozenset({"succeeded", "failed", "refused", "cancelled"})
GARBAGE: tuple[Garbage, ...] = get_args(Garbage)
MARKER = re.compile(r"sandbox:([a-z]+(?:-[a-z]+)*)", re.IGNORECASE)
SLOW = 10
HOUR = 3600.0


@dataclass(frozen=True)
class Terms:
    """What a vendor charges for a job that was not delivered. Failures of its own making are free everywhere."""

    refused: bool
    cancelled: bool
    """Once it runs; a job cancelled in the queue is free."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a job, drawn when it is accepted."""

    wait: float
    work: float
    outcome: Literal["succeeded", "failed", "refused"] = "succeeded"
    filtered: bool = False
    garbage: Garbage | None = None
    lost: bool = False
    throttled: bool = False
    unknown: bool = False
    transient: bool = False


@dataclass
class Job:
    """One accepted request. Times are seconds since the epoch."""

    id: str
    vendor: VendorId
    model: str
    kind: Kind
    digest: str
    request: dict[str, Any]
    recipe: Recipe | None
    """None when its input cannot be used."""
    usd: Decimal
    terms: Terms
    fate: Fate
    created: float
    ready: float
    starts: float
    ends: float
    cancelled: float = math.inf
    aborted: bool = False
    deleted: bool = False
    public: str = ""
    """The address the client knows the sandbox by."""
    extra: dict[str, Any] = field(default_factory=dict)

    def state(self, now: float) -> State:
        """Where it stands."""
        if now >= self.cancelled:
            return "cancelled"
        if now < self.starts:
            return "throttled" if now >= self.ready else "waiting"
        if self.fate.unknown:
            return "unknown"
        if now < self.ends:
            return "running"
        return "failed" if self.recipe is None else self.fate.outcome

    def progress(self, now: float) -> float:
        """From 0 to 1; a fraction with many digits, as the vendors send."""
        return min(1.0, max(0.0, (now - self.starts) / max(1e-9, self.ends - self.starts)))

    def charge(self, now: float) -> Decimal:
        """USD as things stand: a job under way is charged, and given back if it fails."""
        match self.state(now):
            case "failed":
                return Decimal(0)
            case "refused":
                return self.usd if self.terms.refused else Decimal(0)
            case "cancelled":
                return self.usd if self.terms.cancelled and self.cancelled > self.starts else Decimal(0)
        return self.usd

    def finished(self) -> float:
        """When it ended, or will."""
        return min(self.ends, self.cancelled)


class Jobs:
    """All jobs, and who may start when. `tiers`: jobs at once by vendor, where the settings do not say."""

    def __init__(self, settings: SandboxSettings, tiers: Mapping[str, int | None]) -> None:
        self.settings = settings
        self._tiers = tiers
        self.by_id: dict[str, Job] = {}
        self._attempts: Counter[str] = Counter()
        self._busy: dict[str, list[Job]] = {}
        self._polls: Counter[str] = Counter()

    def now(self) -> float:
        """The clock everything is read off."""
        return time.time()

    def get(self, vendor: VendorId, job_id: str) -> Job:
        """Raises Problem for a job that is not this vendor's, or was deleted."""
        job = self.by_id.get(job_id)
        if job is None or job.vendor != vendor or job.deleted:
            raise Problem("not_found", "There is no such job")
        return job

    def of(self, vendor: VendorId) -> Iterator[Job]:
        """The jobs of a vendor, oldest first."""
        return (job for job in self.by_id.values() if job.vendor == vendor)

    def spent(self, vendor: VendorId) -> Decimal:
        """USD charged by a vendor so far."""
        now = self.now()
        return sum((job.charge(now) for job in self.of(vendor)), Decimal(0))

    def balance(self, vendor: VendorId) -> Decimal:
        """USD left on the account."""
        return max(Decimal(0), self.settings.balance_usd - self.spent(vendor))

    def hiccup(self, vendor: VendorId, path: str) -> None:
        """Raises Problem when this poll is one of the transient errors."""
        share = self.settings.transient_errors
        if share and self.settings.touches(vendor, ""):
            self._polls[path] += 1
            if self._random(vendor, path, self._polls[path]).random() < share:
                raise Problem("unavailable", "Please try again")

    def submit(
        self,
        vendor: VendorId,
        terms: Terms,
        *,
        model: str,
        kind: Kind,
        prompt: str,
        digest: str,
        request: dict[str, Any],
        recipe: Recipe | None,
        usd: Decimal,
        broke: bool = False,
        queues: bool = False,
        spelled: Callable[[uuid.UUID], str] = str,
    ) -> Job:
        """Accept a job. Raises Problem when it is turned away: transient error, throttling, no credit.

        `queues`: throttled jobs wait instead of being turned away.
        """
        key = f"{vendor}:{digest}"
        attempt = self._attempts[key]
        self._attempts[key] += 1
        source = self._random(key, attempt)
        job_id = spelled(uuid.UUID(int=source.getrandbits(128), version=4))
        fate = self._fate(vendor, model, kind, prompt, attempt, source)
        if fate.transient:
            raise Problem(source.choice(["unavailable", "internal"]), "Please try again")
        if fate.throttled and not queues:
            raise Problem("throttled", "Too many requests")
        if broke or usd > self.balance(vendor):
            raise Problem("broke", "Not enough credits")
        now, speed = self.now(), self.settings.speed
        job = Job(job_id, vendor, model, kind, digest, request, recipe, usd, terms, fate,
                  created=now, ready=now + fate.wait / speed, starts=0.0, ends=0.0)  # fmt: skip
        self.by_id[job_id] = job
        busy = self._busy.setdefault(vendor, [])
        busy.append(job)
        self._schedule(vendor, now)
        return job

    def cancel(self, job: Job, now: float) -> None:
        """Stop a job that is not done yet; those behind it move up."""
        if job.state(now) not in DONE:
            job.cancelled = now
            self._schedule(job.vendor, now)

    def forget(self, job: Job) -> None:
        """Take back a job that was turned away after all."""
        del self.by_id[job.id]

    def _schedule(self, vendor: VendorId, now: float) -> None:
        """Give every job that has not begun the first free place, in order."""
        busy = [job for job in self._busy[vendor] if job.state(now) not in DONE or job.starts == 0.0]
        self._busy[vendor] = busy
        limit = self.settings.throttle.get(vendor) or self._tiers.get(vendor) or len(busy)
        running = [job for job in busy if 0.0 < job.starts <= now]
        places = [now] * max(0, limit - len(running)) + [job.finished() for job in running]
        heapq.heapify(places)
        for job in busy:
            if not 0.0 < job.starts <= now:
                free = heapq.heappop(places)
                held = job.ready + 2 * job.fate.wait / self.settings.speed if job.fate.throttled else job.ready
                job.starts = max(held, free, now)
                job.ends = job.starts + job.fate.work / self.settings.speed
                heapq.heappush(places, job.finished())

    def _random(self, *what: object) -> random.Random:
        return random.Random(f"{self.settings.seed}:{what}")  # noqa: S311  # a script for a play, not a secret

    def _fate(self, vendor: VendorId, model: str, kind: Kind, prompt: str, attempt: int, source: random.Random) -> Fate:
        settings = self.settings
        said = set(_markers(prompt, attempt))
        low, high = settings.latency[kind]
        work = low * (high / low) ** source.random() if low > 0 else source.uniform(low, high)
        wait = source.uniform(*settings.queue)
        wayward = settings.touches(vendor, model)

        def drawn(share: float) -> bool:
            # Always drawn, so that one setting does not shift what the others decide.
            return source.random() < share and wayward

        transient, lost, refused, failed, spoiled, filtered = (
            drawn(settings.transient_errors),
            drawn(settings.lost_answers),
            drawn(settings.refusals),
            drawn(settings.failures),
            drawn(settings.garbage),
            source.random() < 0.5,
        )
        garbage = source.choice(GARBAGE)
        refused |= bool(said & {"refuse", "filtered"})
        return Fate(
            wait=wait,
            work=work * (SLOW if "slow" in said else 1),
            outcome="refused" if refused else "failed" if failed or "fail" in said else "succeeded",
            filtered=refused and ("filtered" in said or (filtered and "refuse" not in said)),
            garbage=next((kind for kind in GARBAGE if kind in said), garbage if spoiled else None),
            lost=lost or "lost-answer" in said,
            throttled="throttle" in said,
            unknown="unknown-state" in said,
            transient=transient or "unavailable" in said,
        )


class Secrets:
    """Signs the addresses of outputs, so that an expired or invented one opens nothing."""

    def __init__(self, seed: int) -> None:
        self._key = f"sandbox-{seed}".encode()

    def sign(self, path: str, expires: int) -> str:
        """A short signature."""
        return hmac.digest(self._key, f"{path}:{expires}".encode(), "sha256").hex()[:32]

    def valid(self, path: str, expires: int, signature: str) -> bool:
        """Whether it is ours."""
        return hmac.compare_digest(self.sign(path, expires), signature)


def _markers(prompt: str, attempt: int) -> Iterable[str]:
    for word in MARKER.findall(prompt):
        name, once = word.lower().removesuffix("-once"), word.lower().endswith("-once")
        if not once or attempt == 0:
            yield name
