"""Champions in MLflow's model registry: `vpgen-preview` and `vpgen-final`, the alias `champion` on one version of each.

A version says what it is by itself: the resolved config is its tag `vpgen.config`, so that a champion that somebody
chose on MLflow's page can be used. Behind it is a run with the same config and the evidence as files to read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from vpgen.errors import StoreError, VpgenError
from vpgen.runtime import Runtime
from vpgen.store.schema_lab import Promotion
from vpgen.tracking import experiment_id, mlflow_client, one_line, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
RUNS = "vpgen-promotions"
"""MLflow's experiment with a run for each promotion."""
_KEY = "vpgen.promotion"
_CONFIG = "vpgen.config"
_LONGEST = 5_000
"""Characters of a tag that is shown, not read."""


@dataclass(frozen=True)
class Version:
    """A version in the registry. `promotion` is the key of the one that made it, None for one made by hand."""

    number: str
    promotion: str | None
    config: dict[str, Any] | None


def name_of(profile: str) -> str:
    """The registered model of a profile."""
    return f"vpgen-{profile}"


def key_of(row: Promotion) -> str:
    """What ties a promotion and its version together."""
    return f"{row.profile}-{row.number}-{row.at.isoformat()}"


class Away(StoreError):
    """MLflow is not installed, or does not answer."""


@contextmanager
def answering(runtime: Runtime) -> Iterator[MlflowClient]:
    """MLflow's client; whatever goes wrong with it inside is raised as Away, which names the server."""
    try:
        client = mlflow_client(runtime)
    except VpgenError as error:
        raise Away(error.message, remedy=error.remedy) from error
    except Exception as error:  # a database that is broken is opened here
        raise _away(runtime, error) from error
    try:
        yield client
    except VpgenError:
        raise
    except Exception as error:  # MLflow passes on what its HTTP library and SQLAlchemy raise
        raise _away(runtime, error) from error


def _away(runtime: Runtime, error: Exception) -> Away:
    where = shown(runtime.settings.resolved_tracking)
    return Away(
        f"MLflow at {where} does not answer: {one_line(error, runtime)}",
        remedy="Start it (`vpgen ui`), or correct VPGEN_TRACKING_URI; nothing was changed",
        retryable=True,
    )


def champion(client: MlflowClient, profile: str) -> Version | None:
    """The version that has the alias; None when there is none."""
    model = _absent_is_none(client.get_registered_model, name_of(profile))
    if model is None or ALIAS not in model.aliases:
        return None
    return _version(client.get_model_version(name_of(profile), model.aliases[ALIAS]))


def find(client: MlflowClient, runtime: Runtime, row: Promotion) -> Version | None:
    """The version of a promotion, registered by anybody."""
    run = _run(client, experiment_id(client, runtime, RUNS), row)
    found = client.search_model_versions(f"run_id = '{run}'", max_results=1) if run else []
    return _version(found[0]) if found else None


def register(client: MlflowClient, runtime: Runtime, row: Promotion, evidence_text: str) -> str:
    """The version of a promotion, made unless it is there; one that a killed process half made is finished."""
    known = find(client, runtime, row)
    if known is not None:
        return known.number
    board = experiment_id(client, runtime, RUNS)
    run_id = _run(client, board, row)
    if run_id is None:
        tags = {_KEY: key_of(row), "mlflow.note.content": evidence_text}
        run_id = client.create_run(board, run_name=f"{row.profile} {row.number}", tags=tags).info.run_id
    client.log_text(run_id, yaml.safe_dump(row.config, sort_keys=False, allow_unicode=True), "champion/config.yaml")
    client.log_dict(run_id, row.evidence, "champion/evidence.json")
    client.set_terminated(run_id, "FINISHED")
    name = name_of(row.profile)
    if _absent_is_none(client.get_registered_model, name) is None:
        about = f"Pipeline configs that may serve the profile {row.profile}; `{ALIAS}` is the one that does."
        _present_is_fine(client.create_registered_model, name, description=about)
    tags = {
        _KEY: key_of(row),
        _CONFIG: json.dumps(row.config, ensure_ascii=False, sort_keys=True),
        "vpgen.number": str(row.number),
        "vpgen.action": row.action,
        "vpgen.experiment": row.experiment_id or "",
        "vpgen.experiment_run": (experiment_run(client, row.experiment_id) if row.experiment_id else None) or "",
        "vpgen.variant": row.variant or "",
        "vpgen.actor": row.actor,
        "vpgen.reason": row.reason,
        "vpgen.override": row.override or "",
        "vpgen.version": row.vpgen_version,
        "vpgen.price_book": str(row.evidence.get("price_book", "")),
    }
    source = f"{client.get_run(run_id).info.artifact_uri}/champion"
    made = client.create_model_version(
        name,
        source,
        run_id=run_id,
        tags={key: value if key == _CONFIG else value[:_LONGEST] for key, value in tags.items() if value},
        description=evidence_text,
    )
    return str(made.version)


def appoint(client: MlflowClient, profile: str, version: str) -> None:
    """Move the alias."""
    client.set_registered_model_alias(name_of(profile), ALIAS, version)


def experiment_run(client: MlflowClient, experiment: str) -> str | None:
    """The run that MLflow has of an experiment, with its trials under it; None when it was not told of it."""
    boards = [board.experiment_id for board in client.search_experiments()]
    wanted = f"tags.`vpgen.experiment` = '{experiment}' and tags.`vpgen.role` = 'experiment'"
    found = client.search_runs(boards, filter_string=wanted, max_results=1)
    return str(found[0].info.run_id) if found else None


def _run(client: MlflowClient, board: str, row: Promotion) -> str | None:
    found = client.search_runs([board], filter_string=f"tags.`{_KEY}` = '{key_of(row)}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def _version(found: Any) -> Version:  # MLflow is not typed
    try:
        config = json.loads(found.tags.get(_CONFIG, "null"))
    except ValueError:
        config = None
    return Version(str(found.version), found.tags.get(_KEY), config if isinstance(config, dict) else None)


def _absent_is_none(call: Any, name: str) -> Any:  # MLflow is not typed
    from mlflow.exceptions import MlflowException

    try:
        return call(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _present_is_fine(call: Any, name: str, **more: str) -> None:  # MLflow is not typed
    from mlflow.exceptions import MlflowException

    try:
        call(name, **more)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
