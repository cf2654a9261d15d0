"""Retention: which clips and stage results are old enough to go, by class, and removing them without harm.

Mark and sweep over clips, step records and objects. What is marked stays: kept clips with what they are shown from,
and everything that an experiment, an unfinished batch, an open project, the journal or a clip under way may still ask
for. Documents go before the objects they name, so that a killed housekeeping leaves objects nobody needs, never names
that lead nowhere. A clip under way may have read a record that has gone since: while one is, objects only wait, and go
when none is, or when they have waited for the grace period.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import Field, ValidationError

from vpgen.clip import Value
from vpgen.errors import ConfigError, Corrupted
from vpgen.faults import point
from vpgen.references import KIND as PICTURES
from vpgen.resources import folder
from vpgen.results import KIND, REQUESTS, Manifest
from vpgen.runtime import Runtime
from vpgen.store import schema as tables
from vpgen.store import schema_lab as lab
from vpgen.store.clips import REMOVED, REPORT, owe, standing
from vpgen.store.records import RECORDS, StepRecord, blobs
from vpgen.store.schema import now
from vpgen.yamls import load_yaml_with_lines

Class = Literal["intermediates", "previews", "finals", "unused"]
CLASSES: tuple[Class, ...] = ("intermediates", "previews", "finals", "unused")
WAITING = ("housekeeping", "waiting")
"""The document with the objects that nothing refers to any more, and since when."""
_CLIP_ID = re.compile(r"\b(?:preview|final)-[0-9a-f]{10}\b")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_KNOWN = {KIND, RECORDS, PICTURES, REQUESTS, WAITING[0]}
_LOOK_EVERY = 50
"""Objects are removed between two looks at whether a clip is under way."""
Days = Annotated[float, Field(ge=0, le=36_500)] | None


class Policy(Value):
    """configs/retention.yaml: days by class, None for ever; `grace_hours` protect what is new, whatever its class."""

    intermediates: Days = 30
    previews: Days = 90
    finals: Days = None
    grace_hours: Annotated[float, Field(ge=0, le=876_000)] = 24


class Removal(Value):
    """What goes, or would go, of one class: documents (clips, step records) and objects with their bytes."""

    clips: int = 0
    records: int = 0
    objects: int = 0
    bytes: int = 0


class Report(Value):
    """A housekeeping: by class what goes; what is kept although it is old, by reason; objects that still wait."""

    applied: bool
    classes: dict[Class, Removal]
    kept: dict[str, int]
    waiting: int = 0
    waiting_bytes: int = 0

    @property
    def bytes(self) -> int:
        """All that goes."""
        return sum(removal.bytes for removal in self.classes.values())


def load_policy(path: Path | None = None) -> Policy:
    """Read a retention file, the shipped one by default. Raises ConfigError with each problem and its line."""
    path = path or folder("configs") / "retention.yaml"
    data, lines = load_yaml_with_lines(path)
    if data is not None and not isinstance(data, Mapping):
        raise ConfigError([f"{path}:1: retention is a mapping of keys, not {type(data).__name__}"])
    try:
        return Policy.model_validate(data or {})
    except ValidationError as error:
        raise ConfigError(
            [
                f"{path}:{lines.get((str(detail['loc'][0]),), 1)}: {detail['loc'][0]}: {detail['msg']}"
                for detail in error.errors(include_url=False)
            ],
            remedy=f"It has {', '.join(Policy.model_fields)}",
        ) from None


def housekeeping(runtime: Runtime, policy: Policy, *, apply: bool = False) -> Report:
    """Find what may go, and with `apply` remove it. One at a time: raises Conflict while another is at work."""
    with runtime.store.lock("housekeeping", timeout=0):
        plan = _Plan.of(runtime, policy)
        if apply:
            plan.apply()
        return plan.report(applied=apply)


@dataclass
class _Plan:
    """What there is, what is needed, and what may go."""

    runtime: Runtime
    policy: Policy
    at: datetime
    clips: list[Manifest] = field(default_factory=list)
    records: dict[str, Class] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)
    objects: dict[str, tuple[Class, int]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    kept: Counter[str] = field(default_factory=Counter)
    left: dict[str, int] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)
    _digests: set[str] = field(default_factory=set)
    _takes: dict[str, Class] = field(default_factory=dict)
    """What takes an object or a step's record away with it, by class."""

    @classmethod
    def of(cls, runtime: Runtime, policy: Policy) -> _Plan:
        plan = cls(runtime, policy, now())
        listed = defaultdict[str, dict[str, datetime]](dict)
        for kind, key, _, at in runtime.store.documents():
            listed[kind][key] = at
        plan._mark_clips(listed[KIND], _Needed(runtime))
        plan._mark_records(listed[RECORDS])
        plan._mark_pictures(listed[PICTURES])
        plan._mark_the_rest({kind: listed[kind] for kind in listed.keys() - _KNOWN})
        plan._sweep()
        return plan

    def _mark_clips(self, listed: Mapping[str, datetime], needed: _Needed) -> None:
        """Which clips go; what the others are shown from, and may be gone on with."""
        self._keys, self._digests = set(needed.keys), set(needed.digests)
        kept, self.clips = self._sort_clips(listed, needed.clips)
        for manifest in kept:
            self._keys |= {manifest.video, manifest.scores}
            self._digests |= _pictures_of(manifest) | {manifest.sheet.sha256}
            if manifest.id in needed.clips or not self._older(manifest.created, self.policy.intermediates):
                self._keys |= {entry.key for entry in manifest.trail}
        for manifest in self.clips:
            its: Class = "previews" if manifest.kind == "preview" else "finals"
            self._takes |= {manifest.video: its, manifest.scores: its, manifest.sheet.sha256: its}

    def _mark_records(self, listed: Mapping[str, datetime]) -> None:
        """Results that nothing needs and that are old, or whose clip goes."""
        takes: dict[str, Class] = {}
        for key, at in listed.items():
            document = self.runtime.store.get_document(RECORDS, key)
            named = _objects_of(document)
            old = self._older(at, self.policy.intermediates) or key in self._takes
            if document is None or (key not in self._keys and old and not self._young(at)):
                self.records[key] = self._takes.get(key, "intermediates")
                takes |= dict.fromkeys(named, self.records[key])
            else:
                self._digests |= set(named)
        self._takes = takes | self._takes

    def _mark_pictures(self, listed: Mapping[str, datetime]) -> None:
        """Pictures that people brought for clips that are gone."""
        for key, at in listed.items():
            if key not in self._digests and self._older(at, self.policy.intermediates) and not self._young(at):
                self.pictures.append(key)
                self._takes[key] = "intermediates"
            else:
                self._digests.add(key)

    def _mark_the_rest(self, listed: Mapping[str, Mapping[str, datetime]]) -> None:
        """Whatever somebody else keeps here: what it names stays."""
        for kind, keys in listed.items():
            for key in keys:
                self._digests |= set(_DIGEST.findall(json.dumps(self.runtime.store.get_document(kind, key))))

    def _sweep(self) -> None:
        """Objects that no document that stays names."""
        for sha256, size, at in self.runtime.store.objects():
            if sha256 not in self._digests and not self._young(at):
                self.objects[sha256] = (self._takes.get(sha256, "unused"), size)
        waiting = self.runtime.store.get_document(*WAITING) or {}
        self.waiting = {sha256: str(since) for sha256, since in waiting.items() if sha256 in self.objects}

    def apply(self) -> None:
        """Documents first, then rows and what MLflow is owed, then objects: it may be killed anywhere."""
        store = self.runtime.store
        for manifest in self.clips:
            store.delete_document(KIND, manifest.id)
        point("clips-removed")
        _forget_clips(self.runtime)
        for key in self.records:
            store.delete_document(RECORDS, key)
        for key in self.pictures:
            store.delete_document(PICTURES, key)
        point("records-removed")
        quiet = False
        for number, (sha256, (_, size)) in enumerate(self.objects.items()):
            if number % _LOOK_EVERY == 0:
                quiet = not _under_way(self.runtime)
            since = datetime.fromisoformat(self.waiting.setdefault(sha256, self.at.isoformat()))
            if (quiet or not self._young(since)) and not self._stored_again(sha256):
                store.delete(sha256)
                del self.waiting[sha256]
            else:
                self.left[sha256] = size
        if self.waiting:
            store.put_document(*WAITING, self.waiting)
        else:
            store.delete_document(*WAITING)

    def report(self, *, applied: bool) -> Report:
        classes = {}
        for name in CLASSES:
            own = [(sha, size) for sha, (its, size) in self.objects.items() if its == name and sha not in self.left]
            classes[name] = Removal(
                clips=sum(f"{manifest.kind}s" == name for manifest in self.clips),
                records=sum(its == name for its in self.records.values()),
                objects=len(own),
                bytes=sum(size for _, size in own),
            )
        return Report(
            applied=applied,
            classes=classes,
            kept=dict(self.kept),
            waiting=len(self.left),
            waiting_bytes=sum(self.left.values()),
        )

    def _sort_clips(
        self, listed: Mapping[str, datetime], protected: Mapping[str, str]
    ) -> tuple[list[Manifest], list[Manifest]]:
        """Clips that stay, and those that go."""
        kept, going = [], []
        for key, at in listed.items():
            document = self.runtime.store.get_document(KIND, key)
            try:
                manifest = Manifest.model_validate(document)
            except ValidationError:
                continue  # damaged, or of another version: nothing is known of it, nothing is done to it
            limit = self.policy.previews if manifest.kind == "preview" else self.policy.finals
            if not self._older(manifest.created, limit) or self._young(at):
                kept.append(manifest)
            elif key in protected:
                self.kept[protected[key]] += 1
                kept.append(manifest)
            else:
                going.append(manifest)
        return kept, going

    def _stored_again(self, sha256: str) -> bool:
        """Whether somebody has stored the same bytes since the plan was made, and so needs them."""
        at = self.runtime.store.stored_at(sha256)
        return at is not None and at > self.at

    def _older(self, at: datetime, days: float | None) -> bool:
        return days is not None and self.at - at > timedelta(days=days)

    def _young(self, at: datetime) -> bool:
        return self.at - at < timedelta(hours=self.policy.grace_hours)


class _Needed:
    """What may still be asked for: clips by the reason, keys of steps, and digests of pictures and files."""

    def __init__(self, runtime: Runtime) -> None:
        self.clips: dict[str, str] = {}
        self.keys: set[str] = set()
        self.digests: set[str] = set()
        with runtime.database.read() as session:
            self._say("an experiment", session.scalars(sa.select(lab.Trial.clip_id)))
            for column, why in (
                (lab.Trial.values, "an experiment"),
                (lab.Experiment.verdict, "an experiment"),
                (lab.Experiment.definition, "an experiment"),
                (lab.Promotion.evidence, "a champion"),
            ):
                for document in session.scalars(sa.select(column)):
                    text = json.dumps(document)
                    self._say(why, _CLIP_ID.findall(text))
                    self.digests |= set(_DIGEST.findall(text))
            unfinished = sa.select(lab.Batch.id).where(lab.Batch.state != "completed")
            rows = sa.select(lab.BatchRow.clip_id).where(lab.BatchRow.batch_id.in_(unfinished))
            self._say("a batch", session.scalars(rows))
            project = tables.Project
            projects = sa.select(project.preview_clip, project.final_clip).where(project.state != "completed")
            for pair in session.execute(projects).tuples():
                self._say("a project", pair)
            open_calls = tables.RemoteJob.state != "closed"
            self._say("an open call", session.scalars(sa.select(tables.RemoteJob.clip_id).where(open_calls)))
            self.keys |= set(session.scalars(sa.select(tables.RemoteJob.step_key).where(open_calls)))
            running = session.scalars(sa.select(tables.Clip).where(tables.Clip.state == "running"))
            self._say("under way", [clip.id for clip in running if standing(clip) == "running"])
            # A final stands on its preview: whoever needs the one may go on from the other.
            parents = dict(session.execute(sa.select(tables.Clip.id, tables.Clip.parent)).tuples().all())
            for clip, why in list(self.clips.items()):
                self._say(why, [parents.get(clip)])
            charge = tables.Charge
            purses = sa.union(sa.select(lab.Experiment.id), unfinished)
            self.keys |= set(session.scalars(sa.select(charge.step_key).where(charge.experiment.in_(purses))))
            for step_key, clip_id in session.execute(sa.select(charge.step_key, charge.clip_id)).tuples():
                if clip_id in self.clips:
                    self.keys.add(step_key)

    def _say(self, why: str, clips: Iterable[str | None]) -> None:
        for clip in clips:
            if clip:
                self.clips.setdefault(clip, why)


def _forget_clips(runtime: Runtime) -> None:
    """Rows whose manifest is gone say so, and MLflow is owed the news; it repairs what a killed housekeeping began."""
    there = set(runtime.store.list_documents(KIND))
    with runtime.database.write() as session:
        rows = session.scalars(sa.select(tables.Clip).where(tables.Clip.manifest.is_not(None)))
        for row in [row for row in rows if row.id not in there and row.state == "completed"]:
            row.manifest = None
            if not runtime.settings.tracking:
                continue
            for item in session.scalars(sa.select(tables.OutboxItem).where(tables.OutboxItem.kind == REPORT)):
                if item.payload.get("clip_id") == row.id and "error" not in item.payload:
                    session.delete(item)
            owe(session, REMOVED, clip_id=row.id)


def _under_way(runtime: Runtime) -> bool:
    """Whether some clip is being made, as far as the database knows."""
    with runtime.database.read() as session:
        rows = list(session.scalars(sa.select(tables.Clip).where(tables.Clip.state == "running")))
    return any(standing(row) == "running" for row in rows)


def _pictures_of(manifest: Manifest) -> set[str]:
    return {each for each in (manifest.request.character_image, manifest.request.background_image) if each}


def _objects_of(document: dict[str, Any] | None) -> list[str]:
    """The objects that a step record names; one that is not understood names every digest in it."""
    if document is None:
        return []
    try:
        return [blob.sha256 for blob in blobs(StepRecord.model_validate(document).result)]
    except (ValidationError, Corrupted):
        return _DIGEST.findall(json.dumps(document))
