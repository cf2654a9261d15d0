"""`vpgen catalogue`: what can be bought, at which price a clip, in which shapes, under which licence, until when."""

from __future__ import annotations

import datetime
import difflib
import json
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from vpgen.cli.common import Json, console
from vpgen.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from rich.console import Group

    from vpgen.catalogue import Model, Provider

CLIP_SECONDS = 6.0
STILL = (1920, 1080)
"""What the prices a clip are for."""


def catalogue(
    provider: Annotated[str | None, typer.Argument(help="Only this one, with its notes: runway, stability …")] = None,
    stage: Annotated[str | None, typer.Option(help="Only models that do this stage, e.g. animate")] = None,
    as_json: Json = False,
) -> None:
    """List the models of every provider with their price for a clip of 6 seconds, shapes, licence and retirement."""
    from vpgen.catalogue import load_catalogue
    from vpgen.settings import Settings
    from vpgen.stages import Stage

    offers = load_catalogue(Settings().catalogue)
    if provider is not None and provider not in offers:
        raise NotFound(
            f"there is no provider {provider!r}{_near(provider, offers)}", remedy="It has " + ", ".join(offers)
        )
    if stage is not None and stage not in get_args(Stage):
        raise InvalidInput(f"there is no stage {stage!r}{_near(stage, get_args(Stage))}")
    shown = [
        (name, offer, {key: model for key, model in offer.models.items() if stage is None or stage in model.stages})
        for name, offer in offers.items()
        if provider in {None, name}
    ]
    if as_json:
        for name, offer, models in shown:
            for key, model in models.items():
                typer.echo(json.dumps(_document(name, offer, key, model), ensure_ascii=False))
        return
    screen = console()
    for name, offer, models in shown:
        if models:
            screen.print(_table(name, offer, models, notes=provider is not None))
            screen.print()
    usable = [(name, key, model) for name, _, models in shown for key, model in models.items() if not _retired(model)]
    if usable:
        name, key, model = min(
            usable, key=lambda one: ("animate" not in one[2].stages, not one[2].price, one[2].verified != "sdk")
        )
        screen.print(
            f"Use one in a config:  {stage or model.stages[0]}: {{backend: {name}, model: {key}}}\n"
            f"A clip has {CLIP_SECONDS:g} s, stills 1920x1080, video 24 fps. Models of unknown price are refused "
            "unless the config says `budget: {unknown_prices: allow}`.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip


def _near(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _retired(model: Model) -> bool:
    return model.retires is not None and model.retires <= datetime.datetime.now(datetime.UTC).date()


def _document(name: str, offer: Provider, key: str, model: Model) -> dict[str, object]:
    usd = model.clip_usd(CLIP_SECONDS, size=STILL)
    return {
        "provider": name,
        "model": key,
        "key": offer.key,
        **model.model_dump(mode="json", exclude={"inputs", "formats", "version", "defaults"}),
        "clip_usd": None if usd is None else str(usd),
        "retired": _retired(model),
        "config": {"backend": name, "model": key},
    }


def _table(name: str, offer: Provider, models: dict[str, Model], *, notes: bool) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text.assemble(
        (name, "bold"), f"  {offer.name}  ", (f"key {offer.key}  checked {offer.checked}  {offer.docs}", "dim")
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("model", no_wrap=True)
    table.add_column("stages")
    table.add_column("USD", no_wrap=True)
    table.add_column("a clip", justify="right", no_wrap=True)
    for title in ("shapes", "seconds", "licence", "verified", "retires"):
        table.add_column(title, overflow="fold")
    for key, model in sorted(models.items(), key=lambda item: _retired(item[1])):
        price, gone = model.price, _retired(model)
        usd = model.clip_usd(CLIP_SECONDS, size=STILL)
        impossible = bool(model.seconds) and max(model.seconds) < CLIP_SECONDS
        ending = f"{model.retires or ''}{f' → {model.successor}' if model.successor else ''}"
        excluded = f", not in {', '.join(model.licence.excludes)}" if model.licence.excludes else ""
        table.add_row(
            Text(key),
            ", ".join(model.stages),
            f"{_money(price.usd)} / {price.per}" if price else Text("" if gone else "unknown", style="yellow"),
            "" if gone else f"no {CLIP_SECONDS:g} s" if impossible else _money(usd),
            _few(model.ratios) or ("" if gone else "as given"),
            _few(tuple(map(str, model.seconds))),
            Text(model.licence.name + excluded),
            Text(model.verified, style="yellow" if model.verified == "uncertain" else ""),
            Text(ending, style="" if gone else "yellow"),
            style="dim" if gone else None,
        )
    remarks = [Text(f"  {key}: {model.note}", style="dim") for key, model in models.items() if notes and model.note]
    return Group(head, table, *([Text()] if remarks else []), *remarks)


def _money(usd: Decimal | None) -> str:
    """Two places or as many as it has: 0.30, 0.0072; "unknown" is never 0."""
    if usd is None:
        return "unknown"
    text = f"{usd:.6f}".rstrip("0")
    return text if len(text.partition(".")[2]) > 2 else f"{usd:.2f}"


def _few(values: tuple[str, ...]) -> str:
    """The whole list when it is short, else its ends: "2 … 10", "21:9 … 9:21 (9)"."""
    if len(values) <= 3:
        return ", ".join(values)
    counted = "" if all(value.isdigit() for value in values) else f" ({len(values)})"
    return f"{values[0]} … {values[-1]}{counted}"
