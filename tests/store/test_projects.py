"""A project's life: only the moves it allows, one mover at a time, nothing lost when a process dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpgen import projects
from vpgen.errors import Conflict, IllegalMove, InvalidInput, NotFound, VpgenError
from vpgen.store import jobs
from vpgen.store.database import Database
from vpgen.store.schema import Charge, Clip, Job, Project, now

PROMPT = {"character": "a woman", "background": "a beach", "motion": "push in"}


@pytest.fixture
def clips(database: Database) -> Database:
    """A database with two previews and a final in it, the first preview paid for."""
    usual = {"story": "s", "config_name": "c", "config_hash": "h", "seed": 1, "state": "completed"}
    with database.write() as session:
        session.add_all(
            Clip(id=name, kind=name.split("-")[0], **usual) for name in ("preview-1", "preview-2", "final-1")
        )
        session.flush()
        facts = {"step_key": "k", "stage": "animate", "backend": "b", "category": "api", "sku": "s"}
        session.add(Charge(clip_id="preview-1", usd=Decimal("0.25"), **facts))
    return database


def begin(db: Database, **facts: object) -> Project:
    """A new draft."""
    return projects.new(db, "해질녘 바닷가를 걷는 여자", config="animatic", **facts)


def planned(db: Database) -> Project:
    """A project with a plan."""
    return projects.finish_planning(db, projects.start_planning(db, begin(db)), PROMPT)


def shown(db: Database, clip: str = "preview-1") -> Project:
    """A project whose preview waits for an answer."""
    return projects.finish_preview(db, projects.start_preview(db, planned(db)), clip)


# --- the life -----------------------------------------------------------------------------------


def test_a_story_becomes_a_clip(clips: Database) -> None:
    """The whole life, its history in order, its jobs completed, each with start, end and worker."""
    project = begin(clips, name="바다", seed=7)
    assert (project.state, project.version) == ("draft", 1)
    project = projects.finish_planning(clips, projects.start_planning(clips, project), PROMPT)
    project = projects.finish_preview(clips, projects.start_preview(clips, project), "preview-1")
    project = projects.approve(clips, project, "lovely")
    projects.complete(clips, projects.start_final(clips, project), "final-1")

    found = projects.find(clips, "바다")
    assert (found.state, found.preview_clip, found.final_clip) == ("completed", "preview-1", "final-1")
    assert (found.prompt, found.seed, found.job_id, found.version) == (PROMPT, 7, None, 8)
    events = projects.history(clips, found)
    moves = ["new", "plan", "finish", "preview", "finish", "approve", "final", "finish"]
    assert [event.move for event in events] == moves
    assert [event.to_state for event in events[:-1]] == [event.from_state for event in events[1:]]
    assert (events[5].note, events[5].clip_id) == ("lovely", "preview-1")
    done = jobs.recent(clips, project_id=found.id)[::-1]
    assert [(job.type, job.status, job.clip_id) for job in done] == [
        ("plan", "completed", None),
        ("preview", "completed", "preview-1"),
        ("final", "completed", "final-1"),
    ]
    assert all(job.worker == jobs.worker_name() for job in done)
    assert all(job.queued_at <= job.started_at <= job.ended_at for job in done if job.started_at and job.ended_at)


def test_a_rejected_preview_keeps_its_reason_and_becomes_waste(clips: Database) -> None:
    """Back to planned with the next seed, the reason kept, the clip rejected, its charges marked as waste."""
    project = projects.reject(clips, shown(clips), "  too dark ")
    assert (project.state, project.preview_clip, project.approved, project.seed) == ("planned", None, None, 1)
    last = projects.history(clips, project)[-1]
    assert (last.move, last.note, last.clip_id) == ("reject", "too dark", "preview-1")
    with clips.read() as session:
        assert session.get_one(Clip, "preview-1").state == "rejected"
        charge = session.scalars(sa.select(Charge)).one()
    assert (charge.waste, charge.reason, charge.usd) == (True, "preview rejected: too dark", Decimal("0.25"))
    project = projects.finish_preview(clips, projects.start_preview(clips, project), "preview-2")
    assert projects.standing(projects.approve(clips, project)) == "approved"


def test_a_preview_that_another_project_stands_on_is_no_waste(clips: Database) -> None:
    """Equal requests share one clip: rejecting it here does not spoil it there."""
    here, there = shown(clips), shown(clips)
    projects.reject(clips, here, "not for me")
    with clips.read() as session:
        assert session.get_one(Clip, "preview-1").state == "completed"
        assert not session.scalars(sa.select(Charge)).one().waste
    projects.reject(clips, there, "nor for me")
    with clips.read() as session:
        assert session.get_one(Clip, "preview-1").state == "rejected"


def test_an_approval_may_be_taken_back(clips: Database) -> None:
    """Until the final runs, an approved preview can still be rejected, and needs approval anew."""
    project = projects.reject(clips, projects.approve(clips, shown(clips)), "second thoughts")
    project = projects.finish_preview(clips, projects.start_preview(clips, project), "preview-2")
    with pytest.raises(IllegalMove):
        projects.start_final(clips, project)


def test_failed_work_goes_back_where_it_came_from(clips: Database) -> None:
    """A failed plan, preview or final leaves the project as before; the error is kept, retries are counted."""
    project = projects.fail(clips, projects.start_planning(clips, begin(clips)), "no words")
    assert projects.standing(project) == "draft"
    project = projects.finish_planning(clips, projects.start_planning(clips, project), PROMPT)
    project = projects.fail(clips, projects.start_planning(clips, project), "changed my mind")
    assert projects.standing(project) == "planned"
    assert project.prompt == PROMPT
    for attempt in range(3):
        project = projects.fail(clips, projects.start_preview(clips, project), f"crash {attempt}")
        assert projects.standing(project) == "planned"
    project = projects.finish_preview(clips, projects.start_preview(clips, project), "preview-1")
    project = projects.start_final(clips, projects.approve(clips, project))
    project = projects.fail(clips, project, "disk full")
    assert projects.standing(project) == "approved"
    previews = [job for job in jobs.recent(clips, project_id=project.id)[::-1] if job.type == "preview"]
    assert [(job.status, job.error, job.retry_count) for job in previews] == [
        ("failed", "crash 0", 0),
        ("failed", "crash 1", 1),
        ("failed", "crash 2", 2),
        ("completed", None, 3),
    ]
    assert projects.history(clips, project)[-1].note == "disk full"


Doer = Callable[[Database, Project], Project]
MOVES: dict[str, Doer] = {
    "plan": projects.start_planning,
    "preview": projects.start_preview,
    "approve": projects.approve,
    "reject": lambda db, project: projects.reject(db, project, "why not"),
    "final": projects.start_final,
    "finish plan": lambda db, project: projects.finish_planning(db, project, PROMPT),
    "finish preview": lambda db, project: projects.finish_preview(db, project, "preview-1"),
    "complete": lambda db, project: projects.complete(db, project, "final-1"),
    "fail": lambda db, project: projects.fail(db, project, "broken"),
}
LIFE = {
    "draft": {"plan": "planning"},
    "planning": {"finish plan": "planned", "fail": "draft|planned"},
    "planned": {"preview": "previewing", "plan": "planning"},
    "previewing": {"finish preview": "shown", "fail": "planned"},
    "shown": {"approve": "approved", "reject": "planned"},
    "approved": {"final": "finishing", "reject": "planned"},
    "finishing": {"complete": "completed", "fail": "approved"},
    "completed": {},
}
"""The table of the module's docstring, written down a second time on purpose."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.sampled_from(sorted(MOVES)), max_size=30))
def test_every_sequence_of_moves_keeps_to_the_life(clips: Database, moves: list[str]) -> None:
    """Whatever is tried in whatever order: what the table allows happens, all else is an IllegalMove."""
    project = begin(clips)
    for move in moves:
        where = projects.standing(project)
        if move in LIFE[where]:
            project = MOVES[move](clips, project)
            assert projects.standing(project) in LIFE[where][move].split("|")
        else:
            with pytest.raises(IllegalMove):
                MOVES[move](clips, project)
    stored = projects.find(clips, project.id)
    assert (stored.version, projects.standing(stored)) == (project.version, projects.standing(project))
    events = projects.history(clips, project)
    assert [event.to_state for event in events[:-1]] == [event.from_state for event in events[1:]]
    assert len(events) == project.version
    open_jobs = [job for job in jobs.recent(clips, project_id=project.id) if job.status == "processing"]
    assert [job.id for job in open_jobs] == ([project.job_id] if project.job_id else [])


def test_an_illegal_move_names_the_moves_there_are(clips: Database) -> None:
    """The remedy is the commands to type, and commands() says the same when all is well."""
    project = shown(clips)
    with pytest.raises(IllegalMove, match="waiting for an answer") as caught:
        projects.start_final(clips, project)
    approve, reject = projects.commands(project)
    assert approve == f"vpgen project approve {project.id}"
    assert reject == f'vpgen project reject {project.id} --reason "…"'
    assert approve in str(caught.value.remedy)
    assert reject in str(caught.value.remedy)
    working = projects.start_planning(clips, begin(clips))
    with pytest.raises(IllegalMove, match="is planning") as caught:
        projects.start_preview(clips, working)
    assert jobs.worker_name() in str(caught.value.remedy)


# --- names and ids ------------------------------------------------------------------------------


def test_a_project_is_found_by_id_by_its_beginning_and_by_name(database: Database) -> None:
    """Also when the name has characters that mean something to SQL."""
    project = begin(database, name="100% a_b")
    for ref in (project.id, project.id[:5], "100% a_b"):
        assert projects.find(database, ref).id == project.id
    for ref in ("", "%", "___", "100% aXb", "nobody", "../x", "'; DROP TABLE project; --"):
        with pytest.raises(NotFound, match="no project"):
            projects.find(database, ref)


def test_an_ambiguous_beginning_is_said(database: Database) -> None:
    """Two ids that begin alike need more characters."""
    with database.write() as session:
        session.add_all(Project(id=name, story="s", config="c", state="draft") for name in ("abcd1", "abcd2"))
    with pytest.raises(InvalidInput, match="several projects"):
        projects.find(database, "abcd")


@pytest.mark.parametrize("story", ["", "   ", "🌊🌊", "\0\x1b\x07", "x" * 10_000])
def test_a_story_without_words_is_no_project(database: Database, story: str) -> None:
    """Empty, emoji-only, control-character and endless stories are refused before anything is kept."""
    with pytest.raises(InvalidInput):
        projects.new(database, story, config="animatic")
    assert projects.recent(database) == []


def test_a_name_is_taken_once(database: Database) -> None:
    """A second project of one name is refused, with the name."""
    begin(database, name="sea")
    for bad in ("sea", "  sea ", "!", "n" * 81):
        with pytest.raises(InvalidInput):
            begin(database, name=bad)
    assert len(projects.recent(database)) == 1
    begin(database)
    begin(database)
    assert len(projects.recent(database)) == 3


def test_the_list_begins_with_what_moved_last(database: Database) -> None:
    """And can be narrowed to a state."""
    first, second = begin(database), begin(database)
    assert [project.id for project in projects.recent(database)] == [second.id, first.id]
    projects.start_planning(database, first)
    assert [project.id for project in projects.recent(database)] == [first.id, second.id]
    assert [project.id for project in projects.recent(database, state="draft")] == [second.id]
    assert len(projects.recent(database, limit=1)) == 1


# --- several processes --------------------------------------------------------------------------


def test_who_comes_second_is_told_who_was_first(clips: Database) -> None:
    """A move from an outdated view changes nothing, not even a job, and names mover, move and time."""
    project = shown(clips)
    approved = projects.approve(clips, project)
    with pytest.raises(Conflict, match=r"did `approve` at \d\d:\d\d:\d\d UTC") as caught:
        projects.reject(clips, project, "too late")
    assert f"vpgen project status {project.id}" in str(caught.value.remedy)
    final = projects.start_final(clips, approved)
    with pytest.raises(Conflict, match="`final`"):
        projects.start_final(clips, approved)
    assert projects.find(clips, project.id).version == final.version
    assert [job.type for job in jobs.recent(clips, status="processing")] == ["final"]
    with clips.read() as session:
        assert session.get_one(Clip, "preview-1").state == "completed"


def test_of_eight_processes_exactly_one_wins(database: Database, at_once: Callable[..., list[str]]) -> None:
    """Eight processes that saw the same project move it at once: one succeeds, seven get Conflict, one job is there."""
    script = """
        from vpgen import projects
        from vpgen.errors import Conflict
        from vpgen.store.database import open_database

        def work(number, wait):
            database = open_database(sys.argv[1])
            project = projects.find(database, sys.argv[2])
            wait()
            try:
                projects.start_planning(database, project)
            except Conflict as error:
                return "lost" if "did `plan`" in error.message else error
            return "won"
    """
    project = begin(database)
    address = database.url.render_as_string(hide_password=False)
    assert sorted(at_once(script, 8, address, project.id)) == ["lost"] * 7 + ["won"]
    assert [event.move for event in projects.history(database, project)] == ["new", "plan"]
    assert len(jobs.recent(database)) == 1


def died(database: Database, project: Project, work: str) -> None:
    """A process that starts work on a project and is killed in the middle of it."""
    script = """
        import os, signal, sys
        from vpgen import projects
        from vpgen.store.database import open_database
        database = open_database(sys.argv[1])
        getattr(projects, sys.argv[3])(database, projects.find(database, sys.argv[2]))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    address = database.url.render_as_string(hide_password=False)
    line = [sys.executable, "-c", textwrap.dedent(script), address, project.id, work]
    assert subprocess.run(line, check=False).returncode == -signal.SIGKILL


def test_a_project_whose_process_was_killed_moves_on(clips: Database) -> None:
    """After kill -9 in a preview the same command works again; the dead job says what became of it."""
    project = planned(clips)
    died(clips, project, "start_preview")
    stuck = projects.find(clips, project.id)
    assert projects.standing(stuck) == "previewing"
    again = projects.start_preview(clips, stuck)
    assert projects.standing(again) == "previewing"
    dead = jobs.get(clips, stuck.job_id or 0)
    assert dead.status == "failed"
    assert "ended without a word" in str(dead.error)
    assert jobs.get(clips, again.job_id or 0).retry_count == 1
    projects.finish_preview(clips, again, "preview-1")


def test_reap_puts_back_what_died_and_nothing_else(clips: Database) -> None:
    """Of a dead planner, a dead finisher and a live one, the two dead are put back where they came from."""
    draft, approved = begin(clips), projects.approve(clips, shown(clips))
    live = projects.start_planning(clips, begin(clips))
    died(clips, draft, "start_planning")
    died(clips, approved, "start_final")
    back = {project.id: projects.standing(project) for project in projects.reap(clips)}
    assert back == {draft.id: "draft", approved.id: "approved"}
    assert projects.standing(projects.find(clips, live.id)) == "planning"
    assert projects.reap(clips) == []
    projects.finish_planning(clips, live, PROMPT)


def test_who_was_reaped_cannot_finish(clips: Database) -> None:
    """A worker that was taken for dead and comes back gets Conflict, and nothing of its move stays."""
    project = projects.start_preview(clips, planned(clips))
    with clips.write() as session:
        session.get_one(Job, project.job_id).worker = "another-host:1:1"
        session.get_one(Job, project.job_id).heartbeat_at = now() - timedelta(hours=1)
    assert [p.id for p in projects.reap(clips)] == [project.id]
    with pytest.raises(Conflict, match="`fail`"):
        projects.finish_preview(clips, project, "preview-1")
    assert projects.standing(projects.find(clips, project.id)) == "planned"


# --- jobs ---------------------------------------------------------------------------------------


def test_a_job_goes_from_queued_to_completed(database: Database) -> None:
    """With its worker, its times, and its retries counted along the way."""
    job = jobs.queue(database, "batch")
    assert (job.status, job.worker, job.started_at, job.retry_count) == ("queued", None, None, 0)
    jobs.start(database, job.id)
    jobs.fail(database, job.id, "no disk")
    assert jobs.get(database, job.id).error == "no disk"
    jobs.retry(database, job.id)
    again = jobs.start(database, job.id)
    assert (again.error, again.retry_count, again.worker) == (None, 1, jobs.worker_name())
    done = jobs.finish(database, job.id)
    assert done.status == "completed"
    assert done.ended_at
    assert done.started_at
    assert done.ended_at >= done.started_at


def test_a_job_is_taken_once(database: Database) -> None:
    """A second start, a finish of what is not processing and a retry of what did not fail are Conflicts."""
    job = jobs.queue(database, "batch")
    wrong: list[Callable[[], Job]] = [
        lambda: jobs.finish(database, job.id),
        lambda: jobs.fail(database, job.id, "x"),
        lambda: jobs.retry(database, job.id),
    ]
    for move in wrong:
        with pytest.raises(Conflict, match="is queued"):
            move()
    jobs.start(database, job.id)
    with pytest.raises(Conflict, match="is processing by"):
        jobs.start(database, job.id)
    with pytest.raises(NotFound):
        jobs.start(database, 999)


def test_a_heartbeat_keeps_a_remote_job_alive(database: Database) -> None:
    """While the work runs its heartbeat goes on; a machine that went silent is dead after STALE, not before."""
    job = jobs.start(database, jobs.queue(database, "batch").id, worker="another-host:1:1")
    before = job.heartbeat_at
    with jobs.working(database, job.id, every=0.02):
        time.sleep(0.15)
    job = jobs.get(database, job.id)
    assert job.heartbeat_at
    assert before
    assert job.heartbeat_at > before
    assert not jobs.is_dead(job)
    job.heartbeat_at = now() - jobs.STALE - timedelta(seconds=1)
    assert jobs.is_dead(job)


def test_a_pid_that_was_given_away_is_not_the_worker(database: Database) -> None:
    """A live process of the same number, started at another time, does not keep a dead job alive."""
    host, pid, _ = jobs.worker_name().split(":")
    job = jobs.start(database, jobs.queue(database, "batch").id, worker=f"{host}:{pid}:1")
    assert jobs.is_dead(job)
    assert [dead.id for dead in jobs.reap(database)] == [job.id]
    assert jobs.get(database, job.id).status == "failed"


def test_every_error_here_is_one_of_ours() -> None:
    """A caller that catches VpgenError catches all of them."""
    assert all(issubclass(error, VpgenError) for error in (Conflict, IllegalMove, InvalidInput, NotFound))
