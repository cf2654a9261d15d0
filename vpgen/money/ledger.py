"""The ledger of one clip: reserve an estimate before a stage runs, settle what it used afterwards.

Both figures are kept. A reservation that does not fit the clip's budget is refused in the same transaction
that would have made it, so nothing is spent. What was spent for nothing (a failed or killed attempt) is
waste, booked under `overhead`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vpgen.clip import Value
from vpgen.errors import OverBudget
from vpgen.money.prices import CATEGORIES, Category, PriceBook
from vpgen.stages import Usage
from vpgen.store.database import Database
from vpgen.store.schema import Charge, now

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
    """An estimate on the books, waiting to be settled: row ids by SKU."""

    stage: str
    backend: str
    key: str
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Ledger:
    """The books of one clip, or (`clip_id` None) of work done before there is one.

    `parent` is the preview a final grew from: its charges are part of the cost.
    """

    database: Database
    prices: PriceBook
    clip_id: str | None
    budget: Decimal
    parent: str | None = None

    @property
    def _ids(self) -> list[str]:
        return [clip_id for clip_id in (self.clip_id, self.parent) if clip_id]

    def reserve(self, stage: str, backend: str, key: str, estimate: Usage) -> Reservation:
        """Put an estimate on the books. Call it while holding the key's lock.

        Raises OverBudget when it does not fit, NotFound when a price is unknown; then nothing is written.
        """
        usd = self.prices.cost(estimate)
        with self.database.write() as session:
            self._bury(session, key)
            spent = self._spent(session)
            if usd and spent + usd > self.budget:
                raise OverBudget(
                    f"it would cost about {usd:.4f} USD, and of this clip's {self.budget:.2f} USD "
                    f"{max(ZERO, self.budget - spent):.4f} are left; nothing was spent on it",
                    stage=stage,
                    backend=backend,
                    cost_usd=spent,
                    remedy="Raise `budget: {clip: …}` in the config, or choose a cheaper backend",
                )
            rows = {
                sku: Charge(
                    **self._charge(stage, backend, key, sku), estimate_usd=self.prices.price(sku).usd * quantity
                )
                for sku, quantity in estimate.items()
            }
            session.add_all(rows.values())
            session.flush()
            return Reservation(stage, backend, key, {sku: row.id for sku, row in rows.items()})

    def settle(
        self, reservation: Reservation, usage: Usage, *, waste: bool = False, reason: str = ""
    ) -> Decimal | None:
        """Book what was really used; returns USD, None when a price is unknown (the quantity is kept)."""
        total: Decimal | None = ZERO
        with self.database.write() as session:
            for sku in {**reservation.rows, **usage}:
                quantity = usage.get(sku, ZERO)
                usd = self.prices.prices[sku].usd * quantity if sku in self.prices.prices else None
                total = None if total is None or usd is None else total + usd
                row = session.get(Charge, reservation.rows[sku]) if sku in reservation.rows else None
                if row is None:
                    row = Charge(**self._charge(reservation.stage, reservation.backend, reservation.key, sku))
                    row.estimate_usd = ZERO
                    session.add(row)
                row.quantity, row.usd, row.waste, row.reason, row.at = quantity, usd, waste, reason or None, now()
                if waste:
                    row.category = "overhead"
        return total

    def cost(self) -> Cost:
        """What the clip has cost until now, by category, beside its estimates and the target."""
        with self.database.read() as session:
            rows = session.execute(
                sa.select(
                    Charge.category,
                    sa.func.sum(Charge.usd),
                    sa.func.sum(Charge.estimate_usd),
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

    def _spent(self, session: Session) -> Decimal:
        """What counts against the budget: settled charges, and the estimates of those still open."""
        taken = sa.func.coalesce(_CHARGE.c.usd, _CHARGE.c.estimate_usd, type_=_CHARGE.c.usd.type)
        return (
            session.connection().scalar(sa.select(sa.func.sum(taken)).where(_CHARGE.c.clip_id.in_(self._ids))) or ZERO
        )

    def _bury(self, session: Session, key: str) -> None:
        """Reservations of this key that nobody settled: whoever made them held the key's lock, and died.

        How much they used is not known; the estimate is booked as waste.
        """
        session.connection().execute(
            sa.update(_CHARGE)
            .where(_CHARGE.c.clip_id == self.clip_id, _CHARGE.c.step_key == key, _CHARGE.c.quantity.is_(None))
            .values(usd=_CHARGE.c.estimate_usd, quantity=ZERO, waste=True, category="overhead", reason="process died")
        )

    def _charge(self, stage: str, backend: str, key: str, sku: str) -> dict[str, object]:
        price = self.prices.prices.get(sku)
        return {
            "clip_id": self.clip_id,
            "step_key": key,
            "stage": stage,
            "backend": backend,
            "sku": sku,
            "category": price.category if price else "api",
            "unit_usd": price.usd if price else None,
        }
