"""Jobs: queued → processing → completed | failed, with a heartbeat that tells a dead worker from a slow one.

A failed job may be queued again (`retry`), which counts. Each change is one UPDATE that names the
status it expects, so of two processes that take the same job one gets it and the other a Conflict.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vpgen.errors import Conflict, NotFound, VpgenError
from vpgen.store.database import Database
from vpgen.store.schema import Job, JobStatus, now

HEARTBEAT_SECONDS = 15.0
STALE = timedelta(minutes=5)
"""A worker on another machine that has been silent for this long is taken for dead."""


def queue(db: Database, kind: str, *, project_id: str | None = None, clip_id: str | None = None) -> Job:
    """Add a job to be done; `kind` says what: plan, preview, final, batch."""
    with db.write() as session:
        job = Job(type=kind, project_id=project_id, clip_id=clip_id)
        session.add(job)
        session.flush()
        return job


def start(db: Database, job_id: int, *, worker: str | None = None) -> Job:
    """Take a queued job. Raises Conflict when somebody else has, NotFound."""
    at = now()
    values = {"worker": worker or worker_name(), "started_at": at, "heartbeat_at": at, "error": None}
    return _change(db, job_id, "queued", "processing", **values)


def finish(db: Database, job_id: int, *, clip_id: str | None = None) -> Job:
    """Mark a processing job completed. Raises Conflict when it was taken away meanwhile, NotFound."""
    clip = {"clip_id": clip_id} if clip_id else {}
    return _change(db, job_id, "processing", "completed", ended_at=now(), **clip)


def fail(db: Database, job_id: int, error: str) -> Job:
    """Mark a processing job failed, with what went wrong. Raises Conflict, NotFound."""
    return _change(db, job_id, "processing", "failed", ended_at=now(), error=error)


def retry(db: Database, job_id: int) -> Job:
    """Queue a failed job again; its retry count goes up by one. Raises Conflict, NotFound."""
    values = {"retry_count": Job.retry_count + 1, "worker": None, "started_at": None, "ended_at": None}
    return _change(db, job_id, "failed", "queued", queued_at=now(), **values)


def get(db: Database, job_id: int) -> Job:
    """One job. Raises NotFound."""
    with db.read() as session:
        job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def recent(
    db: Database, *, project_id: str | None = None, status: JobStatus | None = None, limit: int = 50
) -> list[Job]:
    """Jobs, newest first."""
    query = sa.select(Job).order_by(Job.id.desc()).limit(limit)
    if project_id:
        query = query.where(Job.project_id == project_id)
    if status:
        query = query.where(Job.status == status)
    with db.read() as session:
        return list(session.scalars(query))


@contextmanager
def working(db: Database, job_id: int, *, every: float = HEARTBEAT_SECONDS) -> Iterator[None]:
    """Send a processing job's heartbeat from a thread, every so many seconds, while the block runs."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(every):
            try:
                with db.write() as session:
                    alive = sa.update(Job).where(Job.id == job_id, Job.status == "processing")
                    session.execute(alive.values(heartbeat_at=now()))
            except VpgenError:
                continue  # a busy database: the next beat comes soon, and STALE is many beats long

    thread = threading.Thread(target=beat, name=f"heartbeat-{job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def reap(db: Database) -> list[Job]:
    """Mark jobs whose worker died as failed, and return them. A live worker is never touched."""
    reaped = []
    for job in recent(db, status="processing", limit=1000):
        if is_dead(job):
            with suppress(Conflict):  # another process reaped it first
                reaped.append(fail(db, job.id, obituary(job)))
    return reaped


def is_dead(job: Job) -> bool:
    """Tell whether a processing job's worker is gone: no such process on this machine, or long silent elsewhere."""
    if job.status != "processing":
        return False
    if job.worker and _is_local(job.worker):
        return is_gone(job.worker)
    return job.heartbeat_at is None or now() - job.heartbeat_at > STALE


def is_gone(worker: str) -> bool:
    """Whether a process of this machine has ended; False for one of another machine, of which nothing is known."""
    return _is_local(worker) and worker != worker_name(int(worker.split(":")[-2]))


def _is_local(worker: str) -> bool:
    host, _, process = worker.rpartition(":")[0].rpartition(":")
    return host == socket.gethostname() and process.isdigit()


def obituary(job: Job) -> str:
    """What is written down about a job whose worker died."""
    seen = f"{job.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC" if job.heartbeat_at else "never"
    return f"the process doing this ({job.worker}) ended without a word; last sign of life: {seen}"


def worker_name(pid: int | None = None) -> str:
    """host:pid:start time of a process, this one by default; the start tells it from a later one of the same pid."""
    pid = os.getpid() if pid is None else pid
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def end(
    session: Session, job_id: int, status: JobStatus, *, error: str | None = None, clip_id: str | None = None
) -> None:
    """Close a processing job inside a larger transaction; one already closed by `reap` stays as it is."""
    clip = {"clip_id": clip_id} if clip_id else {}
    ended = sa.update(Job).where(Job.id == job_id, Job.status == "processing")
    session.execute(ended.values(status=status, ended_at=now(), error=error, **clip))


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; "gone" when there is none or it is a zombie."""
    proc = Path("/proc")
    if not proc.is_dir():  # not Linux: the pid alone must do
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return "gone"
        except PermissionError:
            return "0"
        return "0"
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if fields[0] in {"Z", "X"} else fields[19]


def _change(db: Database, job_id: int, expected: JobStatus, status: JobStatus, **values: object) -> Job:
    with db.write() as session:
        change = sa.update(Job).where(Job.id == job_id, Job.status == expected).values(status=status, **values)
        job = session.scalars(change.returning(Job)).one_or_none()
        if job is not None:
            return job
        found = session.get(Job, job_id)
    if found is None:
        raise NotFound(f"there is no job {job_id}")
    raise Conflict(
        f"job {job_id} is {found.status}{f' by {found.worker}' if found.worker else ''}, not {expected}",
        remedy="look at it again with `vpgen project status`",
    )
