"""The ledger of one clip: reserve an estimate before a stage runs, settle what it used afterwards.

Both figures are kept. A reservation that does not fit the clip's, the experiment's or the day's budget is refused
in the same transaction that would have made it, so nothing is spent. What was spent for nothing (a failed or
killed attempt) is waste, booked under `overhead`. A paid call's reservation opens its row in the journal, and
its settlement closes it, each in one transaction: they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vpgen.clip import Value
from vpgen.errors import OverBudget, Whose
from vpgen.money.prices import CATEGORIES, Category, PriceBook, dollars
from vpgen.stages import Usage
from vpgen.store.database import Database
from vpgen.store.jobs import worker_name
from vpgen.store.journal import PaidCall
from vpgen.store.schema import Charge, Outcome, RemoteJob, now

ZERO = Decimal(0)
_CHARGE = cast("sa.Table", Charge.__table__)
"""For statements in the path of every stage: the ORM's own way costs a millisecond more."""


class CostLine(Value):
    """One category: spent, estimated beforehand, and the target. `usd` None is unknown, which is not zero."""

    category: Category
    usd: Decimal | None
    estimate_usd: Decimal
    target_usd: Decimal


class Cost(Value):
    """What a clip has cost, in USD. `waste` is the part that bought nothing."""

    lines: tuple[CostLine, ...]
    total: Decimal | None
    estimate: Decimal
    target: Decimal
    waste: Decimal


@dataclass(frozen=True)
class Reservation:
    """An estimate on the books, waiting to be settled: row ids by SKU.

    `remote` is the journal's row of a paid call, made now or left open by another run.
    """

    stage: str
    backend: str
    key: str
    rows: Mapping[str, int]
    remote: RemoteJob | None = None

    def paid_call(self, database: Database) -> PaidCall | None:
        """What the backend that buys is given; None for work that is not bought."""
        row = self.remote
        if row is None:
            return None
        return PaidCall(
            database, row.id, row.created, row.handle, doubtful=row.handle is None and row.state != "reserved"
        )


class Purse(Value):
    """Whatever else than clip and day the charges count for, an experiment or a batch, and the USD it may spend."""

    name: str
    budget: Decimal | None = None


@dataclass(frozen=True)
class Ledger:
    """The books of one clip, or (`clip_id` None) of work done before there is one.

    `parent` is the preview a final grew from: its charges are part of the cost. `day_budget` is for everything since
    midnight UTC.
    """

    database: Database
    prices: PriceBook
    clip_id: str | None
    budget: Decimal
    parent: str | None = None
    purse: Purse | None = None
    day_budget: Decimal | None = None

    @property
    def _ids(self) -> list[str]:
        return [clip_id for clip_id in (self.clip_id, self.parent) if clip_id]

    def reserve(
        self,
        stage: str,
        backend: str,
        key: str,
        estimate: Usage,
        *,
        model: str | None = None,
        unknown_prices: bool = False,
    ) -> Reservation:
        """Put an estimate on the books. Call it while holding the key's lock.

        `model` makes it a paid call to a provider (the backend), with a row in the journal; an open row of the
        same key is taken up instead, with the reservation it has. Raises OverBudget when it does not fit,
        NotFound when a price is unknown (unless `unknown_prices`); then nothing is written.
        """
        with self.database.write() as session:
            if model and (held := _left_open(session, stage, backend, key)):
                return held
            self._bury(session, key)
            usd = {sku: self._usd(sku, quantity, allowed=unknown_prices) for sku, quantity in estimate.items()}
            self._refuse_over_budget(session, sum((part for part in usd.values() if part), ZERO), stage, backend)
            remote = None
            if model:
                remote = RemoteJob(
                    clip_id=self.clip_id, step_key=key, stage=stage, provider=backend, model=model, worker=worker_name()
                )
                session.add(remote)
                session.flush()
            rows = {
                sku: Charge(
                    **self._charge(stage, backend, key, sku), estimate_usd=part, remote_id=remote.id if remote else None
                )
                for sku, part in usd.items()
            }
            session.add_all(rows.values())
            session.flush()
            return Reservation(stage, backend, key, {sku: row.id for sku, row in rows.items()}, remote)

    def settle(
        self,
        reservation: Reservation,
        usage: Usage,
        *,
        waste: bool = False,
        reason: str = "",
        billed: Mapping[str, Decimal] | None = None,
        outcome: Outcome | None = None,
    ) -> Decimal | None:
        """Book what was really used; returns USD, None when a price is unknown (the quantity is kept).

        `billed` is what a provider says it charged, by SKU: it beats the price book. `outcome` closes the journal's
        row of a paid call, which may be settled again: a database that died while it committed may have done it.
        """
        total: Decimal | None = ZERO
        billed = billed or {}
        remote_id = reservation.remote.id if reservation.remote else None
        with self.database.write() as session:
            rows = _rows(session, remote_id) if remote_id else reservation.rows
            for sku in {**reservation.rows, **usage, **billed}:
                quantity = usage.get(sku, ZERO)
                usd = billed[sku] if sku in billed else self._usd(sku, quantity, allowed=True)
                total = None if total is None or usd is None else total + usd
                row = session.get(Charge, rows[sku]) if sku in rows else None
                if row is None:
                    row = Charge(**self._charge(reservation.stage, reservation.backend, reservation.key, sku))
                    row.estimate_usd, row.remote_id = ZERO, remote_id
                    session.add(row)
                row.quantity, row.usd, row.waste, row.reason, row.at = quantity, usd, waste, reason or None, now()
                if waste:
                    row.category = "overhead"
            if remote_id and outcome:
                remote = session.get_one(RemoteJob, remote_id)
                remote.state, remote.outcome, remote.ended = "closed", outcome, now()
                remote.error = reason or remote.error
        return total

    def settle_left_open(self, key: str, usage: Usage, billed: Mapping[str, Decimal]) -> None:
        """Settle a paid call whose result is in the store but whose run died before it could book it."""
        with self.database.read() as session:
            held = _left_open(session, "", "", key)
        if held and held.remote:
            held = replace(held, stage=held.remote.stage, backend=held.remote.provider)
            self.settle(held, usage, billed=billed, outcome="succeeded")

    def cost(self) -> Cost:
        """What the clip has cost until now, by category, beside its estimates and the target."""
        with self.database.read() as session:
            rows = session.execute(
                sa.select(
                    Charge.category,
                    sa.func.sum(Charge.usd),
                    sa.func.sum(Charge.estimate_usd).filter(~Charge.waste),
                    sa.func.count().filter(Charge.usd.is_(None), Charge.quantity.is_not(None)),
                    sa.func.sum(Charge.usd).filter(Charge.waste),
                )
                .where(Charge.clip_id.in_(self._ids))
                .group_by(Charge.category)
            ).all()
        found = {
            category: (usd or ZERO, estimate or ZERO, unknown, waste or ZERO)
            for category, usd, estimate, unknown, waste in rows
        }
        lines = []
        for category in CATEGORIES:
            usd, estimate, unknown, _ = found.get(category, (ZERO, ZERO, 0, ZERO))
            target = self.prices.target.get(category, ZERO)
            lines.append(
                CostLine(category=category, usd=None if unknown else usd, estimate_usd=estimate, target_usd=target)
            )
        known = [line.usd for line in lines if line.usd is not None]
        return Cost(
            lines=tuple(lines),
            total=sum(known, ZERO) if len(known) == len(lines) else None,
            estimate=sum((line.estimate_usd for line in lines), ZERO),
            target=self.prices.target_total,
            waste=sum((waste for *_, waste in found.values()), ZERO),
        )

    def adopt(self, keys: Iterable[str]) -> None:
        """Take over the charges of steps that were made before there was a clip, as a project's plan is."""
        orphans = sa.update(Charge).where(Charge.clip_id.is_(None), Charge.step_key.in_(list(keys)))
        with self.database.write() as session:
            session.execute(orphans.values(clip_id=self.clip_id))

    def _refuse_over_budget(self, session: Session, usd: Decimal, stage: str, backend: str) -> None:
        """Raise OverBudget when it does not fit what is left for the clip, the experiment or the day."""
        if not usd:
            return
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
        for_what = self.purse or Purse(name="")
        whole = _CHARGE.c.experiment == for_what.name
        purses: list[tuple[Whose, str, str, Decimal | None, sa.ColumnElement[bool]]] = [
            ("clip", "this clip's", "`budget: {clip: …}` in the config", self.budget, _CHARGE.c.clip_id.in_(self._ids)),
            ("purse", f"{for_what.name}'s", f"the budget of {for_what.name}", for_what.budget, whole),
            ("day", "today's", "VPGEN_DAY_BUDGET", self.day_budget, _CHARGE.c.at >= midnight),
        ]
        # What counts: settled charges, and the estimates of those still open.
        taken = sa.func.coalesce(_CHARGE.c.usd, _CHARGE.c.estimate_usd, type_=_CHARGE.c.usd.type)
        for purse, whose, where, cap, counted in purses:
            if cap is None:
                continue
            spent = session.connection().scalar(sa.select(sa.func.sum(taken)).where(counted)) or ZERO
            if spent + usd > cap:
                raise OverBudget(
                    f"it would cost about {dollars(usd)} USD, and of {whose} {dollars(cap)} USD "
                    f"{dollars(max(ZERO, cap - spent))} are left; nothing was spent on it",
                    stage=stage,
                    backend=backend,
                    cost_usd=spent,
                    purse=purse,
                    remedy=f"Raise {where}, or choose a cheaper backend",
                )

    def _usd(self, sku: str, quantity: Decimal, *, allowed: bool) -> Decimal | None:
        """What a quantity costs by the price book; None for an unknown price where that is allowed."""
        if allowed and sku not in self.prices.prices:
            return None
        return self.prices.price(sku).usd * quantity

    def _bury(self, session: Session, key: str) -> None:
        """Reservations of this key that nobody settled: whoever made them held the key's lock, and died.

        How much they used is not known; the estimate is booked as waste.
        """
        session.connection().execute(
            sa.update(_CHARGE)
            .where(
                _CHARGE.c.clip_id == self.clip_id,
                _CHARGE.c.step_key == key,
                _CHARGE.c.quantity.is_(None),
                _CHARGE.c.remote_id.is_(None),
            )
            .values(usd=_CHARGE.c.estimate_usd, quantity=ZERO, waste=True, category="overhead", reason="process died")
        )

    def _charge(self, stage: str, backend: str, key: str, sku: str) -> dict[str, object]:
        price = self.prices.prices.get(sku)
        return {
            "clip_id": self.clip_id,
            "experiment": self.purse.name if self.purse else None,
            "step_key": key,
            "stage": stage,
            "backend": backend,
            "sku": sku,
            "category": price.category if price else "api",
            "unit_usd": price.usd if price else None,
        }


def _left_open(session: Session, stage: str, backend: str, key: str) -> Reservation | None:
    """The paid call of this step that an earlier run left open, with its reservation."""
    remote = session.scalar(sa.select(RemoteJob).where(RemoteJob.step_key == key, RemoteJob.state != "closed"))
    if remote is None:
        return None
    remote.worker = worker_name()
    return Reservation(stage, backend, key, _rows(session, remote.id), remote)


def _rows(session: Session, remote_id: int) -> dict[str, int]:
    """The charges of a paid call: row ids by SKU."""
    return dict(session.execute(sa.select(Charge.sku, Charge.id).where(Charge.remote_id == remote_id)).tuples().all())
