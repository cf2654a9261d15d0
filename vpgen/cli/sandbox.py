"""`vpgen sandbox`: look-alikes of the vendors' APIs on this machine, to try everything without a key or a cent."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from vpgen.cli.common import console, fail
from vpgen.errors import ConfigError, InvalidInput, MissingDependency, VpgenError

PORT = 8777


class Media(StrEnum):
    """What comes back."""

    DRAWN = "drawn"
    STOCK = "stock"


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one")] = PORT,
    seed: Annotated[int, typer.Option(help="Decides what succeeds, what fails and how long it takes")] = 0,
    speed: Annotated[float, typer.Option(min=0.01, help="Work, queues and rate limits run so much faster")] = 1.0,
    media: Annotated[
        Media, typer.Option(help="drawn: what was asked for; stock: one of each shape, for load tests")
    ] = Media.DRAWN,
    failures: Annotated[float, typer.Option(min=0, max=1, help="Share of jobs that fail")] = 0.0,
    refusals: Annotated[float, typer.Option(min=0, max=1, help="Share of jobs that moderation refuses")] = 0.0,
    garbage: Annotated[float, typer.Option(min=0, max=1, help="Share of outputs that are no media")] = 0.0,
    transient_errors: Annotated[float, typer.Option(min=0, max=1, help="Share of requests answered 500 or 503")] = 0.0,
    lost_answers: Annotated[
        float, typer.Option(min=0, max=1, help="Share of paid requests whose answer is lost")
    ] = 0.0,
    throttle: Annotated[list[str] | None, typer.Option(help="Jobs at once, like runway=3; may be repeated")] = None,
    outage: Annotated[list[str] | None, typer.Option(help="A vendor that is down; may be repeated")] = None,
) -> None:
    """Serve look-alikes of Runway, Stability AI, Replicate, Luma and fal: their paths, fields, states, errors, bills.

    What comes back is drawn by vpgen itself. Nothing leaves this machine, any key is good, and no cent is spent.
    Words in a prompt force what shall happen: "sandbox:refuse", "sandbox:fail-once", "sandbox:lost-answer",
    "sandbox:garbage-html", "sandbox:slow" and more; the keys "expired" and "broke" are taken at their word.

    [bold]vpgen sandbox --speed 20[/] in one terminal, what it prints in another.
    """
    try:
        settings = {
            "seed": seed, "speed": speed, "media": media.value, "failures": failures, "refusals": refusals,
            "garbage": garbage, "transient_errors": transient_errors, "lost_answers": lost_answers,
            "throttle": dict(_pair(text) for text in throttle or []), "outage": dict.fromkeys(outage or [], "answer"),
        }  # fmt: skip
        _serve(settings, port)
    except VpgenError as error:
        raise typer.Exit(fail(error, as_json=False)) from error


def _serve(chosen: dict[str, Any], port: int) -> None:
    try:
        from vpgen.backends.sandbox import SandboxSettings, bound, serve
    except ImportError as error:
        raise MissingDependency(f"the sandbox needs {error.name}", remedy="pip install 'vpgen[sandbox]'") from error
    from vpgen.settings import Settings

    try:
        settings = SandboxSettings.model_validate(chosen)
    except ValidationError as error:
        problems = [f"--{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        raise ConfigError(problems) from error
    try:
        at = bound(port)
    except OSError as error:
        raise InvalidInput(f"port {port} is taken: {error.strerror}", remedy="Name another, or --port 0") from error
    url = f"http://127.0.0.1:{at.getsockname()[1]}"
    speed = chosen["speed"]
    screen = console()
    screen.print(f"Look-alikes of the vendors at [bold]{url}[/], until Ctrl-C. In another terminal:\n")
    screen.print(f"  export VPGEN_PROVIDERS_URL={url}", highlight=False)
    if speed != 1:
        screen.print(f"  export VPGEN_PROVIDERS_SPEED={speed:g}", highlight=False)
    screen.print('  vpgen make "A woman walks along the beach at dusk, slow push in" --config …\n', highlight=False)
    screen.print(
        f"What was spent:   curl {url}/_control/bill\n"
        f"What was asked:   curl {url}/_control/requests\n"
        f"Change anything:  curl -X PUT {url}/_control/settings -d '{{\"failures\": 0.2}}'\n"
        f"Start over:       curl -X POST {url}/_control/reset",
        highlight=False,
        markup=False,
    )
    serve(settings, at, Settings().catalogue)


def _pair(text: str) -> tuple[str, int]:
    vendor, _, number = text.partition("=")
    if not number.isdigit():
        raise ConfigError([f"--throttle {text}: write it like runway=3"])
    return vendor, int(number)
