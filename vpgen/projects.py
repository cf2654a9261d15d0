"""A story's life: draft → planning → planned → previewing → completed.

    standing     state        what is true                    moves, and where they lead
    ─────────    ──────────   ─────────────────────────────   ─────────────────────────────────────────────
    draft        draft        a story                         plan → planning
    planning     planning     a process is planning           (finish → planned, fail → draft or planned)
    planned      planned      there is a prompt               preview → previewing, plan → planning
    previewing   previewing   a process makes the preview     (finish → shown, fail → planned)
    shown        previewing   a preview waits for an answer   approve → approved, reject → planned
    approved     previewing   somebody approved it            final → finishing, reject → planned
    finishing    previewing   a process makes the final       (complete → completed, fail → approved)
    completed    completed    there is a final clip           none

Moves in brackets belong to the process at work. The functions here only move; the work itself is
done between `start_…` and `finish_…` (or `fail`) by the caller. Each takes the project as it was
last read and returns it as it is now: when another process moved it meanwhile, nothing is changed
and Conflict says who it was. A project whose process died is put back by the next move.
"""

from __future__ import annotations

import getpass
import secrets
import socket
from contextlib import suppress
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from vpgen.clip import clean_text
from vpgen.errors import Conflict, IllegalMove, InvalidInput, NotFound
from vpgen.store import jobs
from vpgen.store.database import Database
from vpgen.store.schema import Charge, Clip, Job, Project, ProjectEvent, ProjectState, now

Standing = Literal["draft", "planning", "planned", "previewing", "shown", "approved", "finishing", "completed"]
Move = Literal["plan", "preview", "approve", "reject", "final"]
_MOVES: dict[Standing, tuple[Move, ...]] = {
    "draft": ("plan",),
    "planning": (),
    "planned": ("preview", "plan"),
    "previewing": (),
    "shown": ("approve", "reject"),
    "approved": ("final", "reject"),
    "finishing": (),
    "completed": (),
}
_BACK: dict[Standing, ProjectState] = {"previewing": "planned", "finishing": "previewing"}
"""The state before the work under way; planning is begun from two states, see `_before_plan`."""
_MAX_NAME = 80
_SEEDS = 2**63
"""A seed is below this, see `ClipRequest`."""


def new(db: Database, story: str, *, config: str, name: str | None = None, seed: int = 0) -> Project:
    """Begin a project as a draft. Raises InvalidInput for a story without words, a bad or a taken name."""
    try:
        story = clean_text(story)
        name = clean_text(name) if name is not None else None
    except ValueError as exc:
        raise InvalidInput(str(exc)) from exc
    if name is not None and len(name) > _MAX_NAME:
        raise InvalidInput(f"a project's name has at most {_MAX_NAME} characters, this one has {len(name)}")
    with db.write() as session:
        project = Project(id=secrets.token_hex(4), name=name, story=story, config=config, seed=seed, state="draft")
        session.add(project)
        try:
            session.flush()
        except IntegrityError as exc:
            session.rollback()
            raise InvalidInput(f"there is already a project named {name!r}", remedy="choose another name") from exc
        session.add(_event(project, "new", None, None))
        return project


def find(db: Database, ref: str) -> Project:
    """The project of an id, the first characters of an id, or a name. Raises NotFound, InvalidInput (ambiguous)."""
    with db.read() as session:
        exact = session.scalars(sa.select(Project).where(sa.or_(Project.id == ref, Project.name == ref))).first()
        if exact is not None:
            return exact
        begins = Project.id.startswith(ref, autoescape=True)
        found = list(session.scalars(sa.select(Project).where(begins).limit(2))) if len(ref) > 2 else []
    if len(found) > 1:
        raise InvalidInput(f"several projects begin with {ref!r}", remedy="give more of the id")
    if not found:
        raise NotFound(f"there is no project {ref!r}", remedy="see `vpgen project list`")
    return found[0]


def recent(db: Database, *, state: ProjectState | None = None, limit: int = 50) -> list[Project]:
    """Projects, the one that moved last first."""
    query = sa.select(Project).order_by(Project.updated.desc()).limit(limit)
    with db.read() as session:
        return list(session.scalars(query if state is None else query.where(Project.state == state)))


def history(db: Database, project: Project) -> list[ProjectEvent]:
    """Every move of a project, oldest first."""
    events = sa.select(ProjectEvent).where(ProjectEvent.project_id == project.id).order_by(ProjectEvent.id)
    with db.read() as session:
        return list(session.scalars(events))


def standing(project: Project) -> Standing:
    """Where a project stands, finer than its state; see the table above."""
    if project.state != "previewing":
        return project.state
    if project.job_id is not None:
        return "finishing" if project.approved else "previewing"
    return "approved" if project.approved else "shown"


def commands(project: Project) -> tuple[str, ...]:
    """The commands that move a project on from where it stands."""
    reason = {"reject": ' --reason "…"'}
    return tuple(f"vpgen project {move} {project.id}{reason.get(move, '')}" for move in _MOVES[standing(project)])


# --- moves --------------------------------------------------------------------------------------


def start_planning(db: Database, project: Project) -> Project:
    """Take a draft, or a planned project whose plan shall change, to planning; this process does the work."""
    return _start(db, project, "plan", "planning", {})


def finish_planning(db: Database, project: Project, prompt: dict[str, Any]) -> Project:
    """The plan is made: planning → planned."""
    return _finish(db, project, "planning", "planned", {"prompt": prompt})


def start_preview(db: Database, project: Project) -> Project:
    """Take a planned project to previewing; this process makes the preview."""
    return _start(db, project, "preview", "previewing", {"preview_clip": None, "approved": None})


def finish_preview(db: Database, project: Project, clip_id: str) -> Project:
    """The preview is made and waits to be approved or rejected."""
    return _finish(db, project, "previewing", "previewing", {"preview_clip": clip_id}, clip_id=clip_id)


def approve(db: Database, project: Project, note: str | None = None) -> Project:
    """Approve the preview; the final may now be made."""
    project = recover(db, project)
    _allow(db, project, "approve")
    with db.write() as session:
        return _move(
            session, project, "approve", "previewing", {"approved": now()}, note=note, clip_id=project.preview_clip
        )


def reject(db: Database, project: Project, reason: str) -> Project:
    """Reject the preview: back to planned, with the next seed, since the same one would make the same clip.

    The reason stays in the history, and the clip's charges become waste.
    """
    if not reason.strip():
        raise InvalidInput("a rejection needs a reason", remedy='say what is wrong: --reason "too dark"')
    project = recover(db, project)
    _allow(db, project, "reject")
    clip_id = project.preview_clip
    with db.write() as session:
        moved = _move(
            session,
            project,
            "reject",
            "planned",
            {"approved": None, "preview_clip": None, "seed": (project.seed + 1) % _SEEDS},
            note=reason.strip(),
            clip_id=clip_id,
        )
        if clip_id is not None and not _used_elsewhere(session, clip_id):
            session.execute(sa.update(Clip).where(Clip.id == clip_id).values(state="rejected"))
            # The next preview uses the same plan and the same verdict on it: they were not for nothing.
            waste = sa.update(Charge).where(Charge.clip_id == clip_id, Charge.stage.not_in(("plan", "moderate")))
            session.execute(waste.values(waste=True, category="overhead", reason=f"preview rejected: {reason.strip()}"))
        return moved


def cost(db: Database, project: Project) -> tuple[Decimal, Decimal]:
    """USD of every clip the project has had, rejected ones included, and how much of it was waste."""
    clips = sa.select(ProjectEvent.clip_id).where(ProjectEvent.project_id == project.id)
    sums = sa.select(sa.func.sum(Charge.usd), sa.func.sum(Charge.usd).filter(Charge.waste))
    with db.read() as session:
        total, waste = session.execute(sums.where(Charge.clip_id.in_(clips))).one()
    return total or Decimal(0), waste or Decimal(0)


def start_final(db: Database, project: Project) -> Project:
    """Begin the final of an approved preview; this process does the work."""
    return _start(db, project, "final", "previewing", {})


def complete(db: Database, project: Project, clip_id: str) -> Project:
    """The final is made: the project is completed."""
    return _finish(db, project, "finishing", "completed", {"final_clip": clip_id}, clip_id=clip_id)


def fail(db: Database, project: Project, error: str) -> Project:
    """The work under way failed: back to where it was started from, with the error in job and history."""
    where = standing(project)
    if project.job_id is None:
        raise _illegal(db, project, "fail")
    with db.write() as session:
        back = _BACK[where] if where in _BACK else _before_plan(session, project)
        jobs.end(session, project.job_id, "failed", error=error)
        return _move(session, project, "fail", back, {"job_id": None}, note=error)


def reap(db: Database) -> list[Project]:
    """Put back every project whose process died, and mark the jobs of dead processes failed."""
    jobs.reap(db)
    at_work = sa.select(Project).where(Project.job_id.is_not(None))
    with db.read() as session:
        working = list(session.scalars(at_work))
    back = []
    for project in working:
        with suppress(Conflict):  # another process put it back first
            moved = recover(db, project)
            if moved is not project:
                back.append(moved)
    return back


def recover(db: Database, project: Project) -> Project:
    """Put a project back whose process died; any other is returned as it is."""
    if project.job_id is None:
        return project
    job = jobs.get(db, project.job_id)
    if job.status == "failed":  # reaped, or failed by itself just before it died
        return fail(db, project, job.error or "")
    return fail(db, project, jobs.obituary(job)) if jobs.is_dead(job) else project


# --- how a move is made -------------------------------------------------------------------------


def _start(db: Database, project: Project, move: Move, to: ProjectState, changes: dict[str, Any]) -> Project:
    project = recover(db, project)
    _allow(db, project, move)
    at = now()
    with db.write() as session:
        job = Job(type=move, project_id=project.id, status="processing", worker=jobs.worker_name())
        job.queued_at = job.started_at = job.heartbeat_at = at
        job.retry_count = _failures(session, project, move)
        session.add(job)
        session.flush()
        return _move(session, project, move, to, {**changes, "job_id": job.id})


def _failures(session: Session, project: Project, move: Move) -> int:
    """How often this work was tried for this project since it last succeeded."""
    same = sa.select(Job).where(Job.project_id == project.id, Job.type == move).order_by(Job.id.desc())
    last = session.scalars(same.limit(1)).first()
    return last.retry_count + 1 if last is not None and last.status == "failed" else 0


def _finish(
    db: Database,
    project: Project,
    where: Standing,
    to: ProjectState,
    changes: dict[str, Any],
    *,
    clip_id: str | None = None,
) -> Project:
    if standing(project) != where or project.job_id is None:
        raise _illegal(db, project, "finish")
    with db.write() as session:
        jobs.end(session, project.job_id, "completed", clip_id=clip_id)
        return _move(session, project, "finish", to, {**changes, "job_id": None}, clip_id=clip_id)


def _move(
    session: Session,
    project: Project,
    move: str,
    to: ProjectState,
    changes: dict[str, Any],
    *,
    note: str | None = None,
    clip_id: str | None = None,
) -> Project:
    """Change a project if nobody did since it was read, and write the event down."""
    same = sa.update(Project).where(Project.id == project.id, Project.version == project.version)
    values = {**changes, "state": to, "updated": now(), "version": project.version + 1}
    moved = session.scalars(same.values(**values).returning(Project)).one_or_none()
    if moved is None:
        raise _conflict(session, project)
    session.add(_event(moved, move, project.state, note, clip_id))
    return moved


def _used_elsewhere(session: Session, clip_id: str) -> bool:
    """Another project stands on this preview, or a final was made from it: equal requests share one clip."""
    project = sa.select(Project.id).where(Project.preview_clip == clip_id)
    final = sa.select(Clip.id).where(Clip.parent == clip_id, Clip.state == "completed")
    return session.scalar(sa.select(sa.or_(project.exists(), final.exists()))) is True


def _event(
    project: Project, move: str, before: ProjectState | None, note: str | None, clip_id: str | None = None
) -> ProjectEvent:
    return ProjectEvent(
        project_id=project.id,
        actor=actor(),
        move=move,
        from_state=before,
        to_state=project.state,
        note=note,
        clip_id=clip_id,
    )


def actor() -> str:
    """Who is at work here: user@machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no such user in the password file, as in some containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _before_plan(session: Session, project: Project) -> ProjectState:
    """Where the planning under way was started from."""
    planned = sa.select(ProjectEvent).where(ProjectEvent.project_id == project.id, ProjectEvent.move == "plan")
    last = session.scalars(planned.order_by(ProjectEvent.id.desc())).first()
    return "planned" if last is not None and last.from_state == "planned" else "draft"


def _allow(db: Database, project: Project, move: Move) -> None:
    if move not in _MOVES[standing(project)]:
        raise _illegal(db, project, move)


def _illegal(db: Database, project: Project, move: str) -> IllegalMove:
    where = standing(project)
    said = {
        "draft": "a draft",
        "previewing": "being previewed",
        "shown": "waiting for an answer to its preview",
        "finishing": "being finished",
    }
    offer = commands(project)
    if offer:
        remedy = "from here: " + ", or ".join(offer)
    elif project.job_id is not None:
        job = jobs.get(db, project.job_id)
        remedy = f"{job.worker} has been at it since {job.started_at:%Y-%m-%d %H:%M:%S} UTC; wait for it to end"
    else:
        remedy = "its life is over; begin another with `vpgen project new`"
    return IllegalMove(f"project {project.id} is {said.get(where, where)}: `{move}` is not possible now", remedy=remedy)


def _conflict(session: Session, project: Project) -> Conflict | NotFound:
    events = sa.select(ProjectEvent).where(ProjectEvent.project_id == project.id).order_by(ProjectEvent.id.desc())
    last = session.scalars(events).first()
    if last is None:
        return NotFound(f"there is no project {project.id!r}", remedy="see `vpgen project list`")
    return Conflict(
        f"project {project.id} was moved meanwhile: {last.actor} did `{last.move}` at {last.at:%H:%M:%S} UTC "
        f"({last.from_state} → {last.to_state}); nothing was changed by you",
        remedy=f"look again with `vpgen project status {project.id}`",
    )
