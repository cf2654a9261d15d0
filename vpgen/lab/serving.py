"""Who serves a profile now: the record in SQL, MLflow's alias, and what is left of the two when MLflow is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from vpgen import faults
from vpgen.backends.registry import find as find_backend
from vpgen.config import PipelineConfig, StageChoice, load_config
from vpgen.errors import ConfigError, Conflict, MissingDependency, NotFound
from vpgen.lab import evidence as facts
from vpgen.lab import registry
from vpgen.lab.canary import Canary
from vpgen.runtime import Runtime
from vpgen.store.schema_lab import Promotion

Profile = Literal["preview", "final"]
PROFILES: tuple[Profile, ...] = ("preview", "final")
LOCK_SECONDS = 60.0
_LAST_KNOWN = "champions"
"""The store's document kind of champions that somebody chose by hand: what serves while MLflow is away."""


@dataclass(frozen=True)
class Champion:
    """Who serves a profile. `number` 0: nobody was ever promoted, and the default config (VPGEN_CONFIG) serves.

    `previous` is what served before. `canary` is set while the promotion is on trial. `note` is not empty when there
    is something to know: MLflow does not answer, the alias was moved by hand, a backend is a newer version. `recorded`
    is the newest number in the record.
    """

    profile: Profile
    number: int
    config: PipelineConfig
    previous: PipelineConfig | None = None
    canary: Canary | None = None
    promotion: Promotion | None = None
    note: str = ""
    recorded: int = 0


def current(runtime: Runtime, profile: Profile) -> Champion:
    """Who serves now. Raises NotFound or ConfigError when the default config is needed and is no good."""
    try:
        return _current(runtime, profile)
    except registry.Away as error:
        return _last_known(runtime, profile, error.message)


def _current(runtime: Runtime, profile: Profile) -> Champion:
    latest = latest_row(runtime, profile)
    settings = runtime.settings
    never_used = settings.tracking_uri is None and not (settings.home / "mlflow.db").exists()
    if not settings.tracking or (latest is None and never_used):
        return _of_record(runtime, profile, latest)
    with registry.answering(runtime) as client:
        if latest is not None:
            latest = registered(runtime, client, latest)
        found = registry.champion(client, profile)
        if latest is not None and found is None and registry.find(client, runtime, latest) is None:
            latest = registered(runtime, client, latest, lost=True)  # another MLflow, or an emptied one
            found = registry.champion(client, profile)
    if found is None:
        note = "the alias `champion` was taken away in MLflow; the last promotion serves" if latest else ""
        return _of_record(runtime, profile, latest, note)
    if latest is not None and found.promotion == registry.key_of(latest):
        runtime.store.delete_document(_LAST_KNOWN, profile)
        return _of_record(runtime, profile, latest)
    return _by_hand(runtime, profile, found, latest)


def _of_record(runtime: Runtime, profile: Profile, row: Promotion | None, note: str = "") -> Champion:
    if row is None:
        return Champion(profile, 0, load_config(runtime.settings.config), note=note)
    config, moved = _installed(_read(row.config, f"promotion {row.number} of {profile}"))
    before = row.evidence.get("replaces")
    canary = None
    if row.canary and not row.canary.get("confirmed"):
        canary = Canary.model_validate(row.canary)
    return Champion(
        profile,
        row.number,
        config,
        previous=_installed(_read(before["config"], "what served before"))[0] if before else None,
        canary=canary,
        promotion=row,
        note="; ".join(part for part in (note, moved) if part),
        recorded=row.number,
    )


def _by_hand(runtime: Runtime, profile: Profile, found: registry.Version, latest: Promotion | None) -> Champion:
    """Somebody moved the alias on MLflow's page: that version serves, and is remembered for when MLflow is away."""
    row = next((row for row in history(runtime, profile) if registry.key_of(row) == found.promotion), None)
    data = row.config if row else found.config
    if data is None:
        note = f"the alias `champion` is on version {found.number}, which has no config; the last promotion serves"
        return _of_record(runtime, profile, latest, note)
    whose = f"promotion {row.number}" if row else "which was not promoted here"
    note = f"the alias `champion` was moved by hand in MLflow to version {found.number} ({whose})"
    config, moved = _installed(_read(data, f"version {found.number} of {registry.name_of(profile)}"))
    remembered = {"seen": latest.number if latest else 0, "row": row.number if row else 0, "config": data, "note": note}
    runtime.store.put_document(_LAST_KNOWN, profile, remembered)
    return Champion(
        profile,
        row.number if row else 0,
        config,
        previous=_installed(_read(latest.config, "the last promotion"))[0] if latest else None,
        promotion=row,
        note="; ".join(part for part in (note, moved) if part),
        recorded=latest.number if latest else 0,
    )


def _last_known(runtime: Runtime, profile: Profile, trouble: str) -> Champion:
    latest = latest_row(runtime, profile)
    note = f"{trouble}; the last known champion serves"
    hand = runtime.store.get_document(_LAST_KNOWN, profile)
    if hand is None or hand["seen"] != (latest.number if latest else 0):
        return _of_record(runtime, profile, latest, note)
    row = row_of(runtime, profile, hand["row"])
    config, _ = _installed(_read(hand["config"], "the last known champion"))
    before = _installed(_read(latest.config, "the last promotion"))[0] if latest else None
    number = row.number if row else 0
    return Champion(
        profile, number, config, before, promotion=row, note=f"{note}: {hand['note']}", recorded=hand["seen"]
    )


def _read(data: Mapping[str, Any], whose: str) -> PipelineConfig:
    try:
        return PipelineConfig.model_validate(data)
    except ValidationError as error:
        problems = [f"{whose}: {'.'.join(map(str, d['loc']))}: {d['msg']}" for d in error.errors(include_url=False)]
        raise ConfigError(problems, remedy="It is of another version of vpgen: promote again") from error


def _installed(config: PipelineConfig) -> tuple[PipelineConfig, str]:
    """The config with the backends' versions that are installed, and a note on those that are others.

    A champion must go on serving after an upgrade; that it makes other clips than those it won with is said.
    """
    moved: list[str] = []

    def renewed(stage: str, choice: StageChoice) -> StageChoice:
        fallbacks = tuple(renewed(stage, link) for link in choice.fallbacks)
        version = choice.version
        try:
            backend = find_backend(choice.backend)
            if backend.version != version:
                backend.Params.model_validate(choice.params)
                moved.append(f"{stage}: {choice.backend} {version} → {backend.version}")
                version = backend.version
        except (NotFound, MissingDependency, ValidationError):
            pass  # the stage itself says it better, when it is its turn
        return choice.model_copy(update={"version": version, "fallbacks": fallbacks})

    stages = {stage: renewed(stage, choice) for stage, choice in config.stages.items()}
    note = f"newer backends than it was promoted with ({', '.join(moved)})" if moved else ""
    return config.model_copy(update={"stages": stages}), note


def registered(runtime: Runtime, client: Any, latest: Promotion, *, lost: bool = False) -> Promotion:
    """The newest promotion with its version, once MLflow has every one that it was not told of yet."""
    if latest.registry_version and not lost:
        return latest
    with _alone(runtime, latest.profile):
        missing = [row for row in reversed(history(runtime, latest.profile)) if lost or not row.registry_version]
        for row in missing:
            version = registry.register(client, runtime, row, facts.in_words(row))
            faults.point("promotion-registered")
            if row.number == max(each.number for each in missing):
                registry.appoint(client, row.profile, version)
            faults.point("promotion-appointed")
            with runtime.database.write() as session:
                session.get_one(Promotion, row.id).registry_version = version
    return latest_row(runtime, latest.profile) or latest


@contextmanager
def _alone(runtime: Runtime, profile: str) -> Iterator[None]:
    try:
        with runtime.store.lock(f"champion-{profile}", timeout=LOCK_SECONDS):
            yield
    except Conflict as error:
        raise registry.Away("MLflow is being told of it by another process", retryable=True) from error


def latest_row(runtime: Runtime, profile: str) -> Promotion | None:
    """The newest of a profile."""
    with runtime.database.read() as session:
        return newest(session, profile)


def newest(session: Session, profile: str) -> Promotion | None:
    """The newest of a profile, inside a transaction."""
    own = sa.select(Promotion).where(Promotion.profile == profile)
    return session.scalars(own.order_by(Promotion.number.desc()).limit(1)).first()


def row_of(runtime: Runtime, profile: str, number: int) -> Promotion | None:
    """One of the record by its number; None when there is none."""
    wanted = sa.select(Promotion).where(Promotion.profile == profile, Promotion.number == number)
    with runtime.database.read() as session:
        return session.scalars(wanted).first()


def history(runtime: Runtime, profile: Profile | None = None) -> list[Promotion]:
    """The record, newest first."""
    wanted = sa.select(Promotion).order_by(Promotion.at.desc(), Promotion.id.desc())
    with runtime.database.read() as session:
        return list(session.scalars(wanted if profile is None else wanted.where(Promotion.profile == profile)))


def by_number(runtime: Runtime, profile: Profile, number: int) -> Promotion:
    """One of the record. Raises NotFound."""
    row = row_of(runtime, profile, number)
    if row is None:
        raise NotFound(f"{profile} has no promotion {number}", remedy="`vpgen champion history` lists them")
    return row
