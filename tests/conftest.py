"""What the tests share: an installation of their own, and a config of toy backends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_config import write_toy_config

from vpgen.config import PipelineConfig, load_config
from vpgen.runtime import Runtime
from vpgen.settings import Settings

pytest_plugins = ["conftest_databases", "conftest_http", "conftest_mlflow", "conftest_sandbox"]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's own installation."""
    monkeypatch.setenv("VPGEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VPGEN_OUT", str(tmp_path / "clips"))
    monkeypatch.setenv("VPGEN_TRACKING", "false")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """An empty installation."""
    with Runtime.open(Settings()) as opened:
        yield opened


@pytest.fixture
def toy_log(tmp_path: Path) -> Path:
    """Where the toy backends of `toy_config` write what they are asked to do."""
    return tmp_path / "toy.log"


@pytest.fixture
def toy_config(tmp_path: Path, toy_log: Path) -> PipelineConfig:
    """Every stage done by the toy backend, logging to `toy_log`."""
    return load_config(write_toy_config(tmp_path / "toy.yaml", toy_log))
