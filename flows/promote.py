"""A promotion as a Prefect flow: the gate on its page, and a person who approves or rejects it there."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated, Any, Literal

from prefect import State, flow, get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment
from prefect.states import Completed, Failed
from pydantic import Field

from vpgen.errors import Conflict, GateFailed, VpgenError
from vpgen.lab import champions
from vpgen.lab.canary import parse
from vpgen.lab.champions import Candidate
from vpgen.projects import actor
from vpgen.runtime import Runtime
from vpgen.store.schema_lab import Promotion

POLL_SECONDS = 5
"""How often the waiting run looks for the answer."""


class Approval(RunInput):
    """The form on the run's page."""

    decision: Literal["approve", "reject"] = Field(description="Approve, and production uses it from its next run on")
    by: str = Field(min_length=1, max_length=80, description="Who decides; kept in the record")
    reason: str = Field(default="", max_length=2000, description="Why; kept in the record")


@flow(
    name="promote", flow_run_name="promote: {variant} of {experiment}", persist_result=False, validate_parameters=True
)
async def promote(
    experiment: str = Field(description="An experiment's name (the newest run of it), id, or its file where this runs"),
    variant: str = Field(description="The variant that shall serve production"),
    reason: str = Field(default="it won the experiment", description="Why; kept in the record"),
    override: str | None = Field(default=None, description="Why a failed gate shall not count; kept in the record"),
    canary: str | None = Field(
        default=None, description="Try it on the first clips (10) or a share (20%) of production before it is final"
    ),
    approval: bool = Field(default=True, description="Wait for a person to approve it on the run's page"),
    wait_hours: Annotated[float, Field(gt=0, le=168)] = Field(default=24.0, description="How long to wait for them"),
) -> str | State[Any]:
    """Winner of an experiment → champion, through the gate; returns its name, like final:3."""
    try:
        found = await asyncio.to_thread(_candidate, experiment, variant)
        await _show(found)
        if found.failed and not override:
            names = ", ".join(clause.name for clause in found.failed)
            raise GateFailed(f"{variant} does not pass the gate: {names}", clauses=found.clauses)
        who = actor()
        if approval:
            answer = await _ask(found, reason, override, wait_hours)
            if answer.decision == "reject":
                why = f": {answer.reason}" if answer.reason else ""
                return Completed(name="Rejected", message=f"{answer.by} rejected it{why}. Nothing was changed")
            who, reason = answer.by, answer.reason or reason
        row = await asyncio.to_thread(
            _appoint, experiment, variant, found, actor=who, reason=reason, override=override, canary=canary
        )
    except VpgenError as error:
        remedy = f" What to do: {error.remedy}" if error.remedy else ""
        return Failed(message=f"{type(error).__name__}: {error}{remedy}", data=error)
    get_run_logger().info("%s:%d is %s, by %s", row.profile, row.number, row.config["name"], row.actor)
    return f"{row.profile}:{row.number}"


async def _ask(found: Candidate, reason: str, override: str | None, wait_hours: float) -> Approval:
    """The run is Paused until somebody fills in the form (Resume, on its page).

    A deployed run does not wait in a worker's slot: it is Suspended, and starts anew once it is answered. It is asked
    again when the champion or the gate is another by then.
    """
    lines = [f"**{found.variant}** of `{found.result.id}` as champion of **{found.champion.profile}**: {reason}", ""]
    if override:
        lines += [f"The gate failed, and it is asked to override it: {override}", ""]
    lines += [f"- {'passed' if c.passed else '**failed**'}, {c.name}: {c.evidence}" for c in found.clauses]
    form = Approval.with_initial_data(description="\n".join(lines))
    seconds, key = round(wait_hours * 3600), _seen(found)
    if deployment.id:
        return await asuspend_flow_run(wait_for_input=form, timeout=seconds, key=key)
    try:
        return await apause_flow_run(wait_for_input=form, timeout=seconds, poll_interval=POLL_SECONDS, key=key)
    except FlowPauseTimeout:
        raise VpgenError(f"nobody answered within {wait_hours:g} h; nothing was changed") from None


def _seen(found: Candidate) -> str:
    """What an approval is good for: this run against this champion, with this gate."""
    matters = (found.result.id, found.champion.recorded, found.champion.config.name, [c.passed for c in found.clauses])
    return f"approval-{hashlib.sha256(repr(matters).encode()).hexdigest()[:12]}"


async def _show(found: Candidate) -> None:
    """The gate as a table; what Prefect says to it changes nothing."""
    rows = [{"clause": c.name, "": "passed" if c.passed else "FAILED", "evidence": c.evidence} for c in found.clauses]
    try:
        said = f"{found.variant} of {found.result.id} for {found.champion.profile}"
        await acreate_table_artifact(key="gate", table=rows, description=said)
    except Exception as error:  # noqa: BLE001  # a page that cannot be had is no reason to decide otherwise
        get_run_logger().warning("Prefect did not take the gate's table: %s", error)


def _candidate(experiment: str, variant: str) -> Candidate:
    with Runtime.open() as runtime:
        return champions.candidate(runtime, experiment, variant)


def _appoint(
    experiment: str,
    variant: str,
    shown: Candidate,
    *,
    actor: str,
    reason: str,
    override: str | None,
    canary: str | None,
) -> Promotion:
    """Through the gate again, since hours may have passed. Raises Conflict when there is another champion by now."""
    with Runtime.open() as runtime:
        found = champions.candidate(runtime, experiment, variant)
        if _seen(found) != _seen(shown):
            raise Conflict(
                f"the champion of {found.champion.profile} (number {found.champion.number} now) or the gate is another "
                "than when this was approved; nothing was changed",
                remedy="Look at `vpgen champion`, and run this again",
            )
        trial = parse(canary, found.candidacy.gate.limits(found.champion.profile)) if canary else None
        return champions.appoint(runtime, found, actor=actor, reason=reason, override=override, canary=trial)
