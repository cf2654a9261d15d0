"""The backend of a provider: a stage's request in, its result out, and a row of the journal in between.

A vendor's backend is this class with its `wire`, its `name` and the stages it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import Field

from vpgen.backends.http.client import Client, Doubt, verdict
from vpgen.backends.http.files import SENT_ALONG, as_media, as_mp4, read_cut_out, read_video
from vpgen.backends.http.network import no_key
from vpgen.backends.http.wire import Ask, Handle, Media, Report, Wire
from vpgen.catalogue import Model, Provider, closest_ratio, load_catalogue, nearest_seconds, sku
from vpgen.clip import Still, Value, Video
from vpgen.errors import BadOutput, InvalidInput, JobFailed, MissingDependency, NotFound, UnknownOutcome, VpgenError
from vpgen.faults import point
from vpgen.settings import current
from vpgen.stages import (
    AnimateRequest,
    BackgroundRequest,
    CharacterRequest,
    EnlargeRequest,
    InterpolateRequest,
    MattingRequest,
    Readiness,
    Request,
    Stage,
    UpscaleRequest,
    Usage,
    Work,
)
from vpgen.store import journal
from vpgen.store.schema import Outcome

T = TypeVar("T")
SECONDS, FULL_HD = 6, (1920, 1080)
"""What is estimated for when the request does not say: an upscaler is told neither."""
SUBMITS = 3
"""How often a request is sent when each time it is proven not to have arrived."""
LOOKS = 2
"""How often a provider's record is compared with the journal before it is believed: either may lag behind."""
_OUTCOMES: dict[str, Outcome] = {"refused": "refused", "cancelled": "cancelled"}


class RemoteParams(Value):
    """`model` as in the catalogue; `ratio` as the model spells it (default: the nearest to what is wanted).

    `deadline`: seconds to wait for a job. `options` are sent as they are, for what the catalogue has no word for.
    `on_lost`: when the answer to a purchase was lost and the provider cannot say what became of it, or gives no way
    to have its result: stop and say so, or book it as paid and buy again (at most three times, within the budget).
    """

    model: str
    ratio: str | None = None
    deadline: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    on_lost: Literal["stop", "buy-again"] = "stop"


class Remote:
    """What every provider's backend does."""

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    paid: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = RemoteParams
    wire: ClassVar[Wire]

    def __init__(self, params: RemoteParams) -> None:
        self.params = params

    @property
    def model(self) -> str:
        """The model's name, for the journal."""
        return self.params.model

    @classmethod
    def readiness(cls) -> Readiness:
        settings = current()
        try:
            provider = _provider(cls.name)
        except NotFound as error:
            return Readiness(ready=False, note=error.message, remedy=error.remedy or "")
        if settings.providers_url:
            return Readiness(ready=True, note=f"look-alike at {settings.providers_url}")
        if settings.secret(provider.key):
            return Readiness(ready=True, note=f"{provider.key} is set")
        missing = no_key(cls.name, provider)
        return Readiness(ready=False, note=missing.message, remedy=missing.remedy or "")

    @classmethod
    def problems(cls, stage: Stage, params: RemoteParams, config: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with this choice, as far as that is known when the config (its whole document) is read."""
        try:
            model = _provider(cls.name).model(params.model)
        except NotFound as error:
            yield str(error.message)
            return
        seconds = None
        if stage == "animate" and isinstance(wanted := config.get("seconds", 6.0), int | float):
            try:
                seconds = nearest_seconds(model, wanted)
            except InvalidInput as error:
                yield f"{params.model} {error.message}"
        preview = config.get("preview")
        rate = preview.get("fps", 12) if isinstance(preview, Mapping) else 12
        if stage == "animate" and model.fps and isinstance(rate, int) and rate > 0 and model.fps % rate:
            yield f"{params.model} makes {model.fps} fps, of which a preview at {rate} fps is no whole part"
        for problem in model.check(stage, ratio=params.ratio, seconds=seconds, territory=current().territory):
            yield f"{params.model} {problem}"

    def estimate(self, request: Request) -> Usage:
        """Raises InvalidInput for a request that the model cannot take: before anything is reserved."""
        ask = self._ask(request)
        problems = ask.model.check(
            ask.stage, prompt=ask.prompt, ratio=ask.ratio, seconds=ask.seconds, territory=current().territory
        )
        self._stop_at(problems, "Shorten the prompt, or choose another model: `vpgen catalogue`")
        return self._usage(ask)

    async def make_picture(self, request: CharacterRequest | BackgroundRequest, work: Work) -> Still:
        from vpgen.media.pictures import covering, read_picture

        still = await self._run(self._ask(request), work, read_picture)
        if isinstance(request, BackgroundRequest) and not request.as_made:
            return cast("Still", await work.in_thread(covering, still, request.size))
        return still

    async def make_larger(self, request: EnlargeRequest, work: Work) -> Still:
        """Nothing is bought for a picture that is large enough. Raises InvalidInput for one the model does not take."""
        from vpgen.media.enlarge import colours, settled, wanted
        from vpgen.media.pictures import read_picture

        still = await work.in_thread(request.picture.load)
        if wanted(still, request) is None:
            if work.paid:
                work.paid.outcome = "never"
            return cast("Still", await work.in_thread(settled, still, still.rgb, request))
        media = await work.in_thread(lambda: self._picture("enlarge", Still(rgb=colours(still, request)), work))
        return await self._run(
            self._ask(request, media), work, lambda path: settled(still, read_picture(path).rgb, request)
        )

    async def cut_out(self, request: MattingRequest, work: Work) -> Still:
        still = await work.in_thread(request.picture.load)
        if still.alpha is not None and work.paid:
            work.paid.outcome = "never"  # it comes cut out: there is nothing to buy
            return cast("Still", still)
        media = await work.in_thread(self._picture, "matting", still, work)
        return await self._run(self._ask(request, media), work, read_cut_out)

    async def make_moving(self, request: AnimateRequest, work: Work) -> Video:
        media = await work.in_thread(lambda: as_media(request.still.load(), work.dir / "sent"))
        read = partial(read_video, seconds=request.spec.seconds)
        return await self._run(self._ask(request, media), work, read)

    async def finish(self, request: UpscaleRequest | InterpolateRequest, work: Work) -> Video:
        media = await work.in_thread(as_mp4, request.video.load, work.dir / "sent.mp4")
        return await self._run(self._ask(request, media), work, read_video)

    def _ask(self, request: Request, media: Media | None = None) -> Ask:
        """The request in the words that every wire understands."""
        model = _provider(self.name).model(self.params.model)
        asked: dict[str, Any] = {}
        if isinstance(request, CharacterRequest | BackgroundRequest):
            is_person = isinstance(request, CharacterRequest)
            described = request.prompt.character if is_person else request.prompt.background
            asked = {
                "stage": "character" if is_person else "background",
                "prompt": ", ".join(part for part in (described, request.prompt.style) if part),
                "negative": request.prompt.negative,
                "seed": request.seed,
                "size": request.size,
            }
        elif isinstance(request, AnimateRequest):
            asked = {
                "stage": "animate",
                "prompt": request.prompt.motion,
                "negative": request.prompt.negative,
                "seed": request.seed,
                "size": request.spec.size,
                "seconds": self._seconds(model, request.spec.seconds),
                "fps": request.spec.fps,
            }
        elif isinstance(request, EnlargeRequest):
            words = request.prompt if model.prompt_required else ""
            asked = {"stage": "enlarge", "prompt": words, "size": request.size}
        elif isinstance(request, MattingRequest):
            asked = {"stage": "matting"}
        elif isinstance(request, UpscaleRequest):
            asked = {"stage": "upscale", "size": request.size}
        elif isinstance(request, InterpolateRequest):
            asked = {"stage": "interpolate", "fps": request.fps}
        ratio = self.params.ratio or (closest_ratio(model, asked["size"]) if asked.get("size") else None)
        return Ask(name=self.params.model, model=model, ratio=ratio, media=media, extra=self.params.options, **asked)

    def _seconds(self, model: Model, wanted: float) -> int | None:
        try:
            return nearest_seconds(model, wanted)
        except InvalidInput as error:
            raise InvalidInput(f"{self.params.model} {error.message}", backend=self.name, remedy=error.remedy) from None

    def _picture(self, stage: Stage, still: Still, work: Work) -> Media:
        """A picture to be sent, without loss where the model takes that many bytes. Raises InvalidInput."""
        model = _provider(self.name).model(self.params.model)
        self._stop_at(
            model.check(stage, picture=still.size),
            f"Give another picture, or choose another model: `vpgen catalogue --stage {stage}`, or a local one",
        )
        return as_media(still, work.dir / "sent", model.max_input_bytes or SENT_ALONG)

    def _stop_at(self, problems: Iterator[str], remedy: str) -> None:
        """Raise InvalidInput with all of them, if there are any."""
        if said := "; ".join(problems):
            raise InvalidInput(f"{self.params.model} {said}", backend=self.name, remedy=remedy)

    def _usage(self, ask: Ask) -> Usage:
        """How much of the model it takes, in the unit its price is quoted in."""
        name = sku(self.name, ask.name, ask.model.variant(ask.ratio, ask.body({})))
        price = ask.model.price
        if price is None:
            return {name: Decimal(1)}
        return {name: price.quantity(ask.seconds or SECONDS, ask.size or FULL_HD, ask.fps or 24)}

    async def _run(self, ask: Ask, work: Work, read: Callable[[Path], T]) -> T:
        """Have it made, or take up what an earlier run had begun; `read` decodes the output.

        Raises typed errors. Whether the job is over stands in `work.paid`, what it cost in the usage reported.
        """
        paid, network = work.paid, work.network
        if paid is None or network is None:
            raise MissingDependency("this backend buys: it runs inside `vpgen.step`, which keeps the books")
        await network.listen()
        client = network.client(self.wire)
        got: Handle | Report | None = Handle.model_validate(paid.handle) if paid.handle else None
        if got is None and paid.doubtful:
            got = await self._find(client, ask, paid, work)
        if got is None:
            got = await self._submit(client, ask, paid, work)
        point("submitted")
        if isinstance(got, Handle):
            job_id = got.job_id
            report = await client.wait(got, ask, work.progress, self.params.deadline)
        else:
            job_id, report = "", got
            paid.inline = True
        point("ended")
        self._book(report, ask, work)
        if report.state != "succeeded":
            paid.outcome = _OUTCOMES.get(report.state, "failed")
            verdict(report, ask, self.wire, job_id)
        path = work.dir / "output"
        try:
            await client.fetch(report, ask, path, job_id)
            point("fetched")
            return cast("T", await work.in_thread(read, path))
        except InvalidInput as error:
            paid.outcome = "bad-output"
            raise BadOutput(
                f"what came back is broken: {error.message}", provider=self.name, model=ask.name, job_id=job_id
            ) from error
        except BadOutput:
            paid.outcome = "bad-output"
            raise

    async def _submit(self, client: Client, ask: Ask, paid: journal.PaidCall, work: Work) -> Handle | Report:
        """Send it once; when the answer is lost, find out what became of it before it is sent again."""
        address = await client.upload(ask.media) if ask.media else None
        for tried in range(SUBMITS):
            try:
                return await self._send(client, ask, address, paid)
            except Doubt as doubt:
                await paid.unknown(str(doubt))
                point("unknown")
                found = await self._find(client, ask, paid, work)
                if found is not None:
                    return found
                await asyncio.sleep(client.pause * 2**tried)
        raise client.unavailable(f"{SUBMITS} requests in a row were lost on the way", ask.name)

    async def _send(self, client: Client, ask: Ask, address: str | None, paid: journal.PaidCall) -> Handle | Report:
        """Send it; when it is accepted, write down its handle before anything else."""
        call = await client.written(ask, address)
        async with client.submitting(ask):
            await paid.submitting()
            point("submitting")
            try:
                got = await client.submit(call, ask)
            except VpgenError:
                await paid.unsent()
                raise
            point("accepted")
            if isinstance(got, Handle):
                await paid.submitted(got.model_dump(mode="json"))
            return got

    async def _find(self, client: Client, ask: Ask, paid: journal.PaidCall, work: Work) -> Handle | None:
        """The job of a submit whose answer nobody saw; None when there is none. Raises UnknownOutcome, JobFailed."""
        try:
            found = await self._compared(client, ask, paid)
        except UnknownOutcome as error:
            if self.params.on_lost == "stop":
                raise
            why = error.message
        else:
            if isinstance(found, Handle):
                await paid.submitted(found.model_dump(mode="json"))
                return found
            if not found:
                await paid.unsent()
                return None
            why = "it was accepted and charged, but its answer was lost on the way, and it cannot be found again"
        paid.outcome = "lost"
        for name, quantity in self._usage(ask).items():
            work.use(name, quantity)
        raise JobFailed(
            why,
            provider=self.name,
            model=ask.name,
            cost_usd=None,
            retryable=self.params.on_lost == "buy-again",
            remedy="It is on the books as waste, and nothing was bought again: the same command buys a new one "
            "(`on_lost: buy-again` in the config does so by itself)",
        )

    async def _compared(self, client: Client, ask: Ask, paid: journal.PaidCall) -> Handle | bool:
        """What `Client.find` says in the end: the handle, or that it did not happen, or that it did and is lost."""

        def known() -> tuple[set[str], int, int]:
            handles, doubtful = journal.known_handles(paid.database, self.name, ask.name)
            lost = journal.lost(paid.database, self.name, ask.name)
            return {str(handle["job_id"]) for handle in handles}, doubtful, lost

        for _ in range(LOOKS - 1):
            with suppress(UnknownOutcome):
                found = await client.find(ask, paid.created, known)
                if isinstance(found, Handle):
                    return found
            await asyncio.sleep(client.pause)
        return await client.find(ask, paid.created, known)

    def _book(self, report: Report, ask: Ask, work: Work) -> None:
        """What a job that ended costs: by the provider's word, else by the price book, else nothing if it is free."""
        if report.state != "succeeded" and report.charged is False and report.usd is None:
            return
        for name, quantity in self._usage(ask).items():
            work.use(name, quantity)
            if report.usd is not None:
                work.bill(name, report.usd)


def _provider(name: str) -> Provider:
    """The catalogue's entry of a provider. Raises NotFound."""
    catalogue = load_catalogue(current().catalogue)
    if name not in catalogue:
        raise NotFound(f"the catalogue has no provider {name!r}", remedy="Reinstall vpgen, or see VPGEN_CATALOGUE")
    return catalogue[name]
