"""Where this installation keeps its things: `VPGEN_*` environment variables or a `.env` file."""

from __future__ import annotations

import os
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vpgen.errors import ConfigError


class Settings(BaseSettings):
    """Every setting has a default that needs no server, no key and no GPU."""

    model_config = SettingsConfigDict(env_prefix="VPGEN_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(
        default_factory=lambda: user_data_path("vpgen"), description="Folder of the store, the databases and logs"
    )
    store_url: str | None = Field(None, description="Artifacts: a folder or s3://bucket/prefix; default HOME/store")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default SQLite in HOME")
    tracking_uri: str | None = Field(None, description="MLflow; default SQLite in HOME")
    tracking: bool = Field(default=True, description="Record clips in MLflow")
    prices: Path | None = Field(None, description="Your own price book instead of configs/prices.yaml")
    gate: Path | None = Field(None, description="Your own gate of promotions instead of configs/gate.yaml")
    retention: Path | None = Field(None, description="How long what is kept, instead of configs/retention.yaml")
    catalogue: Path | None = Field(None, description="Folder of provider files that win over configs/catalogue")
    providers_url: str | None = Field(
        None, description="Send every provider's calls to this look-alike (vpgen sandbox)"
    )
    providers_speed: Annotated[float, Field(gt=0)] = Field(
        1.0, description="The look-alike's --speed: polled that often"
    )
    webhook_url: str | None = Field(
        None, description="Public address that leads to webhook_listen; without it, polling"
    )
    webhook_listen: str = Field("127.0.0.1:8778", description="Where webhooks of providers are received")
    secrets: Path | None = Field(None, description="Folder with one file a key, named like its variable (/run/secrets)")
    territory: str | None = Field(None, description="Where clips are used (ISO 3166, or EU): licences are checked")
    day_budget: Annotated[Decimal, Field(ge=0)] | None = Field(None, description="USD a day for everything together")
    record: Path | None = Field(None, description="Write every exchange with a provider here, without keys or media")
    config: str = Field("animatic", description="Pipeline config used when a command names none")
    out: Path = Field(Path("clips"), description="Folder that finished clips are copied to")
    workers: Annotated[int, Field(ge=1)] = Field(
        default_factory=lambda: os.cpu_count() or 1, description="Local stages that run at the same time"
    )
    lock_timeout: Annotated[float, Field(gt=0)] = Field(
        600.0, description="Seconds to wait for another process that makes the same thing"
    )
    s3_endpoint: str | None = Field(None, description="S3 endpoint other than AWS")
    s3_key: SecretStr | None = Field(None, description="S3 access key; default: the AWS chain")
    s3_secret: SecretStr | None = Field(None, description="S3 secret key")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(
                [
                    f"VPGEN_{'_'.join(map(str, detail['loc'])).upper()}: {detail['msg']} (got {detail['input']!r:.80})"
                    for detail in error.errors(include_url=False)
                ],
                remedy="Settings are VPGEN_* environment variables, or lines of a .env file in the current folder",
            ) from None

    @field_validator("home", "out", "prices", "gate", "retention", "catalogue", "secrets", "record")
    @classmethod
    def _expanded(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @property
    def resolved_store(self) -> str:
        """The store's URL."""
        return self.store_url or str(self.home / "store")

    @property
    def resolved_database(self) -> str:
        """The SQL database's URL."""
        return self.database_url or f"sqlite:///{self.home / 'vpgen.db'}"

    @property
    def resolved_tracking(self) -> str:
        """MLflow's tracking URI."""
        return self.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    def secret(self, name: str) -> SecretStr | None:
        """The key in the environment variable `name`, else in the file of that name in `secrets`; None without one."""
        if value := os.environ.get(name, "").strip():
            return SecretStr(value)
        if self.secrets:
            with suppress(OSError):
                return SecretStr((self.secrets / name).read_text(encoding="utf-8").strip()) or None
        return None

    @property
    def s3_options(self) -> dict[str, object]:
        """Keyword arguments for s3fs; empty leaves everything to the AWS chain."""
        options: dict[str, object] = {}
        if self.s3_key and self.s3_secret:
            options |= {"key": self.s3_key.get_secret_value(), "secret": self.s3_secret.get_secret_value()}
        if self.s3_endpoint:
            options["endpoint_url"] = self.s3_endpoint
        return options


def current() -> Settings:
    """The settings of now, built anew only when the environment or the .env file has changed.

    Building them takes a millisecond, and whoever buys a stage asks for them again and again.
    """
    file = Path(".env").absolute()
    return _built(frozenset(os.environ.items()), file, file.stat().st_mtime_ns if file.exists() else None)


@lru_cache(maxsize=1)
def _built(environment: frozenset[tuple[str, str]], file: Path, changed: int | None) -> Settings:  # noqa: ARG001  # the key
    return Settings()
