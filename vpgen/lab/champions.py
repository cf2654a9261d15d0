"""The champion of each profile (preview, final): who serves production now, who did before, and how that changes.

The table `promotion` is the record, and settles who was first: a number is taken once. MLflow's registry shows it, with
the alias `champion`, which one may move by hand there; production asks it when it starts. What was recorded and not yet
registered (the process was killed, MLflow was away) is registered by the next call of anything here. While MLflow does
not answer, the last known champion serves, and its note says so. With VPGEN_TRACKING=false the table is all there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vpgen import faults
from vpgen.catalogue import load_catalogue
from vpgen.config import PipelineConfig
from vpgen.errors import Conflict, GateFailed, IllegalMove, NotFound
from vpgen.lab import evidence as facts
from vpgen.lab import registry
from vpgen.lab.canary import Canary
from vpgen.lab.gate import Candidacy, Clause, check, load_gate
from vpgen.lab.serving import (
    PROFILES,
    Champion,
    Profile,
    by_number,
    current,
    history,
    latest_row,
    newest,
    registered,
    row_of,
)  # fmt: skip
from vpgen.runtime import Runtime
from vpgen.store.schema import now
from vpgen.store.schema_lab import Promotion, PromotionAction

if TYPE_CHECKING:
    from vpgen.lab.result import Result

__all__ = [
    "PROFILES", "Candidate", "Champion", "Profile", "appoint", "by_number", "candidate", "confirm", "current",
    "history", "promote", "roll_back",
]  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A variant at the gate: every clause, and the champion it would replace."""

    result: Result
    variant: str
    champion: Champion
    clauses: tuple[Clause, ...]
    candidacy: Candidacy

    @property
    def failed(self) -> tuple[Clause, ...]:
        """The clauses that are not met."""
        return tuple(clause for clause in self.clauses if not clause.passed)


def candidate(runtime: Runtime, experiment: str | Result, variant: str) -> Candidate:
    """Bring a variant to the gate, changing nothing. `experiment`: its id, its name (the newest run), or its file.

    Raises NotFound, InvalidInput, ConfigError, MissingDependency.
    """
    result, written = facts.outcome(runtime, experiment) if isinstance(experiment, str) else (experiment, None)
    if variant not in result.experiment.variants:
        raise NotFound(
            f"{result.id} has no variant {variant!r}", remedy="It has " + ", ".join(result.experiment.variants)
        )
    champion = current(runtime, result.experiment.kind)
    candidacy = Candidacy(
        gate=load_gate(runtime.settings.gate),
        result=result,
        variant=variant,
        champion=champion.config,
        number=champion.number,
        catalogue=load_catalogue(runtime.settings.catalogue),
        territory=runtime.settings.territory,
        written=written,
    )
    return Candidate(result, variant, champion, check(candidacy), candidacy)


def promote(
    runtime: Runtime,
    experiment: str | Result,
    variant: str,
    *,
    actor: str,
    reason: str,
    override: str | None = None,
    canary: Canary | None = None,
) -> Promotion:
    """Make a variant the champion of its experiment's profile. Raises what `candidate` and `appoint` raise."""
    chosen = candidate(runtime, experiment, variant)
    return appoint(runtime, chosen, actor=actor, reason=reason, override=override, canary=canary)


def appoint(
    runtime: Runtime,
    chosen: Candidate,
    *,
    actor: str,
    reason: str,
    override: str | None = None,
    canary: Canary | None = None,
) -> Promotion:
    """Make a candidate the champion, on the gate it was shown with. `override` says why a failed gate shall not count.

    Raises GateFailed; IllegalMove when it serves already or the champion is still a canary; Conflict when another was
    promoted since; StoreError when MLflow does not answer. Nothing was changed then.
    """
    experiment, champion = chosen.result.experiment, chosen.champion
    profile, config = experiment.kind, experiment.variants[chosen.variant]
    if chosen.failed and not override:
        names = ", ".join(clause.name for clause in chosen.failed)
        raise GateFailed(
            f"{chosen.variant} does not pass the gate: {names}",
            clauses=chosen.clauses,
            remedy='Mend what failed, or take it upon yourself: --override "why"',
        )
    if champion.canary:
        raise IllegalMove(
            f"champion {champion.number} of {profile} is still a canary ({champion.canary})",
            remedy=f"Wait for it, or `vpgen champion confirm {profile}`, or `vpgen rollback {profile}`",
        )
    if champion.number and _same(config, champion.config, profile):
        raise IllegalMove(f"{chosen.variant} is the champion of {profile} already (number {champion.number})")
    _reach(runtime)
    row = Promotion(
        profile=profile,
        number=0,
        action="promote",
        config=config.model_dump(mode="json"),
        experiment_id=chosen.result.id,
        variant=chosen.variant,
        evidence=facts.collect(runtime, chosen.candidacy, chosen.clauses),
        canary=canary.model_dump(mode="json") if canary else None,
        actor=actor,
        reason=reason.strip() or "no reason was given",
        override=override if chosen.failed else None,
    )
    return _record(runtime, row, champion)


def roll_back(
    runtime: Runtime,
    profile: Profile,
    *,
    actor: str,
    reason: str,
    action: PromotionAction = "rollback",
    promotion: Promotion | None = None,
) -> Promotion:
    """Restore what served before, in one step, whether MLflow answers or not (it is told later).

    Again, it goes one further back: what was taken back stays so. `canary-rollback` is only for a champion that is
    still a canary; with `promotion`, only for that one. Raises IllegalMove when there is nothing to go back to,
    Conflict when somebody was faster.
    """
    champion = current(runtime, profile)
    mine = promotion is None or (champion.promotion is not None and champion.promotion.id == promotion.id)
    if not mine or (action == "canary-rollback" and champion.canary is None):
        raise _beaten(latest_row(runtime, profile), profile)
    taken, back = _before(runtime, champion)
    restored = row_of(runtime, profile, back["number"])
    row = Promotion(
        profile=profile,
        number=0,
        action=action,
        config=back["config"],
        experiment_id=restored.experiment_id if restored else None,
        variant=restored.variant if restored else None,
        evidence={"restores": back["number"], "takes_back": taken, **facts.about_now(runtime)},
        canary=None,
        actor=actor,
        reason=reason.strip() or "no reason was given",
    )
    return _record(runtime, row, champion)


def confirm(runtime: Runtime, promotion: Promotion) -> None:
    """The canary held: from now on it is the champion without reserve. Raises Conflict when it is not any more."""
    with runtime.database.write() as session:
        row = session.get_one(Promotion, promotion.id)
        latest = newest(session, row.profile)
        if latest is None or latest.id != row.id:
            raise _beaten(latest, row.profile)
        if row.canary and not row.canary.get("confirmed"):
            row.canary = {**row.canary, "confirmed": now().isoformat()}


def _reach(runtime: Runtime) -> None:
    """Raises StoreError unless MLflow answers: a promotion that nobody could look up is not begun."""
    if not runtime.settings.tracking:
        return
    with registry.answering(runtime) as client:
        client.search_registered_models(max_results=1)


def _record(runtime: Runtime, row: Promotion, champion: Champion) -> Promotion:
    """Put it in the record, unless somebody was faster, then tell MLflow."""
    faults.point("promotion-checked")
    with runtime.database.write() as session:
        latest = newest(session, champion.profile)
        if (latest.number if latest else 0) != champion.recorded:
            raise _beaten(latest, champion.profile)
        row.number = champion.recorded + 1
        row.vpgen_version = facts.code_version()[:32]
        row.at = now()
        row.evidence = {
            **row.evidence,
            "replaces": {"number": champion.number, "config": champion.config.model_dump(mode="json")},
        }
        session.add(row)
    faults.point("promotion-recorded")
    return _tell(runtime, row)


def _tell(runtime: Runtime, row: Promotion) -> Promotion:
    """Register it now if MLflow answers; else the next call does."""
    if not runtime.settings.tracking:
        return row
    try:
        with registry.answering(runtime) as client:
            return registered(runtime, client, row)
    except registry.Away:
        return row


def _before(runtime: Runtime, champion: Champion) -> tuple[int, Mapping[str, Any]]:
    """What a rollback takes back (its number), and what it restores: a number and a config."""
    latest = latest_row(runtime, champion.profile)
    row = champion.promotion
    if latest is not None and (row is None or row.id != latest.id):  # somebody moved the alias by hand
        return champion.number, {"number": latest.number, "config": latest.config}
    while row is not None and row.action != "promote":  # it restored an earlier one: that one's predecessor
        row = row_of(runtime, champion.profile, row.evidence["restores"])
    if row is None:
        said = "nobody was ever promoted" if champion.promotion is None else "it is the config from before them all"
        raise IllegalMove(
            f"{champion.profile} has no previous champion: {said}",
            remedy="`vpgen champion history` shows what there was",
        )
    before: Mapping[str, Any] = row.evidence["replaces"]
    return row.number, before


def _beaten(winner: Promotion | None, profile: str) -> Conflict:
    who = (
        f"{winner.actor} was first: {winner.action} {winner.number} at {winner.at:%Y-%m-%d %H:%M:%S} UTC"
        f"{f' ({winner.experiment_id}, {winner.variant})' if winner.variant else ''}: {winner.reason}"
        if winner
        else "there is none any more"
    )
    return Conflict(
        f"the champion of {profile} was changed meanwhile; {who}. You changed nothing",
        remedy="Look at `vpgen champion`, then decide again",
    )


def _same(one: PipelineConfig, other: PipelineConfig, profile: Profile) -> bool:
    """Whether two configs make the same clips for the same money, whatever they are called."""
    return one.fingerprint(profile) == other.fingerprint(profile) and one.budget == other.budget
