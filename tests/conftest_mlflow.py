"""An MLflow of the test's own that is there at once: its tables, which take ten seconds to make, are copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from vpgen.runtime import Runtime
from vpgen.settings import Settings


@pytest.fixture(scope="session")
def _empty_mlflow(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A database with MLflow's tables and nothing in them, made once for all processes of the tests."""
    pytest.importorskip("mlflow")
    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "empty-mlflow"
    folder.mkdir(exist_ok=True)
    with filelock.FileLock(folder / "lock"):
        if not (folder / "mlflow.db").exists():
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'making.db'}")
            client.search_registered_models()
            shutil.copyfile(folder / "making.db", folder / "mlflow.db")
    return folder / "mlflow.db"


@pytest.fixture
def tracked_home(monkeypatch: pytest.MonkeyPatch, _empty_mlflow: Path) -> Path:
    """The home of an installation that tells an MLflow of its own, in this process and in those it starts."""
    monkeypatch.setenv("VPGEN_TRACKING", "true")
    home = Settings().home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_empty_mlflow, home / "mlflow.db")
    return home


@pytest.fixture
def tracked(tracked_home: Path) -> Iterator[Runtime]:
    """That installation, open."""
    with Runtime.open(Settings()) as opened:
        yield opened
