"""The control API, for tests and the curious: settings, the bill, what was asked, and a fresh start."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.settings import VendorId
from vpgen.backends.sandbox.vendor import Vendor, World, read_json, stamp

CENT = Decimal("0.01")


def control_routes(world: World, vendors: Sequence[Vendor]) -> list[BaseRoute]:
    """Everything under /_control."""

    async def settings(request: Request) -> Response:
        """What is set; PUT replaces those that are named."""
        if request.method == "PUT":
            try:
                world.change(world.settings.changed(await read_json(request, 1_000_000)))
            except ValidationError as error:
                found = [
                    {"field": ".".join(map(str, detail["loc"])), "message": detail["msg"]}
                    for detail in error.errors(include_url=False)
                ]
                return JSONResponse({"error": "These settings are not valid", "issues": found}, 400)
            except Problem as problem:
                return JSONResponse({"error": problem.detail}, problem.status)
        return JSONResponse(world.settings.model_dump(mode="json"))

    async def bill(request: Request) -> Response:  # noqa: ARG001
        """Every accepted job, and the sums."""
        return JSONResponse(bill_of(world, [vendor.id for vendor in vendors]))

    async def reset(request: Request) -> Response:  # noqa: ARG001
        """Forget jobs, files and counters."""
        world.reset()
        return Response(status_code=204)

    async def requests(request: Request) -> Response:  # noqa: ARG001
        """How often each endpoint was asked."""
        return JSONResponse(dict(sorted(world.requests.items())))

    return [
        Route("/_control/settings", settings, methods=["GET", "PUT"]),
        Route("/_control/bill", bill, methods=["GET"]),
        Route("/_control/reset", reset, methods=["POST"]),
        Route("/_control/requests", requests, methods=["GET"]),
    ]


def bill_of(world: World, vendors: Sequence[VendorId]) -> dict[str, object]:
    """What the vendors would write on their invoices; amounts are decimal strings."""
    now = world.jobs.now()
    jobs = [
        {
            "vendor": job.vendor,
            "id": job.id,
            "model": job.model,
            "created": stamp(job.created),
            "ready": stamp(job.ready),
            "began": stamp(job.starts),
            "ended": stamp(job.finished()),
            "state": job.state(now),
            "usd": _money(job.charge(now)),
            "digest": job.digest,
        }
        for job in world.jobs.by_id.values()
    ]
    sums = {vendor: _money(world.jobs.spent(vendor)) for vendor in vendors}
    return {"jobs": jobs, "by_vendor": sums, "total_usd": _money(sum(map(Decimal, sums.values()), Decimal(0)))}


def _money(usd: Decimal) -> str:
    """Without an exponent, and with cents at least."""
    exact = usd.normalize()
    return f"{exact:f}" if exact.as_tuple().exponent < -2 else f"{exact.quantize(CENT):f}"  # type: ignore[operator]  # finite
