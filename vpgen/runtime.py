"""What a run stands on: settings, store, database, price book, and the bounded thread pool of local work."""

from __future__ import annotations

import asyncio
import contextvars
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar
from weakref import WeakValueDictionary

from vpgen import catalogue
from vpgen.errors import Conflict, StoreError
from vpgen.meter import CpuMeter
from vpgen.money.prices import PriceBook, load_prices
from vpgen.resources import folder
from vpgen.settings import Settings
from vpgen.store.database import Database, open_database
from vpgen.store.objects import ObjectStore

if TYPE_CHECKING:
    from vpgen.backends.http.network import Network

P = ParamSpec("P")
R = TypeVar("R")
LOCK_POLL_SECONDS = 0.05
RETRY_WAIT = 2.0


@dataclass
class Runtime:
    """Open one per process with `Runtime.open()`; close it when done (it is a context manager)."""

    settings: Settings
    store: ObjectStore
    database: Database
    prices: PriceBook
    pool: ThreadPoolExecutor
    scratch: Path
    meter: CpuMeter = field(default_factory=CpuMeter)
    _users: int = 0
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @classmethod
    def open(cls, settings: Settings | None = None) -> Runtime:
        """Open (and on first use create) everything under the settings' home.

        Raises StoreError when the home, the store or the database cannot be used.
        """
        settings = settings or Settings()
        home = settings.home
        try:
            home.mkdir(parents=True, exist_ok=True)
            scratch = _scratch(home / "work")
        except OSError as error:
            raise StoreError(
                f"cannot write to {home}: {error.strerror}",
                remedy="Free some space or choose another folder with VPGEN_HOME",
            ) from error
        return cls(
            settings=settings,
            store=ObjectStore(
                settings.resolved_store,
                cache_dir=home / "cache",
                options=settings.s3_options,
            ),
            database=open_database(settings.resolved_database),
            prices=load_prices(settings.prices or folder("configs") / "prices.yaml").joined(
                catalogue.prices(catalogue.load_catalogue(settings.catalogue))
            ),
            pool=ThreadPoolExecutor(settings.workers, thread_name_prefix="vpgen"),
            scratch=scratch,
        )

    @cached_property
    def network(self) -> Network:
        """The providers' clients; opening none loads no HTTP library."""
        from vpgen.backends.http.network import Network

        return Network(self.settings)

    @asynccontextmanager
    async def connections(self) -> AsyncIterator[None]:
        """Connections to providers stay open inside; they are closed in the loop that opened them."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and "network" in self.__dict__:
                await self.network.aclose()

    @property
    def retry_wait(self) -> float:
        """Seconds before a provider's failed job is tried again; doubled each time."""
        return RETRY_WAIT / (self.settings.providers_speed if self.settings.providers_url else 1.0)

    def close(self) -> None:
        """Wait for running work to notice its cancellation, then let everything go."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.database.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def in_thread(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run local work in the bounded pool."""
        context = contextvars.copy_context()
        work = partial(context.run, partial(call, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A scratch folder that goes when the block ends (`tempfile` takes ten times as long for an empty one)."""
        path = self.scratch / name
        path.mkdir(exist_ok=True)
        try:
            yield path
        finally:
            try:
                path.rmdir()
            except OSError:
                shutil.rmtree(path, ignore_errors=True)

    @asynccontextmanager
    async def only_one(self, key: str, on_wait: Callable[[float], None]) -> AsyncIterator[None]:
        """Hold the key: one task of this process, and one process, makes a thing at a time."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            held = await self._take(key, on_wait)
            try:
                yield
            finally:
                held.__exit__(None, None, None)

    async def _take(self, key: str, on_wait: Callable[[float], None]) -> AbstractContextManager[None]:
        """Enter the store's lock of a key. Waits in this loop, for a thread each would leave none for the holders."""
        began = time.monotonic()
        while True:
            held = self.store.lock(key, timeout=0)
            try:
                await asyncio.to_thread(held.__enter__)
            except Conflict as error:
                waited = time.monotonic() - began
                if waited > self.settings.lock_timeout:
                    raise Conflict(
                        f"another process has been working on {key} for {waited:.0f} s",
                        remedy=error.remedy,
                        retryable=True,
                    ) from None
                on_wait(waited)
                await asyncio.sleep(LOCK_POLL_SECONDS)
            else:
                return held


def _scratch(root: Path) -> Path:
    """A folder of this process; those of processes that are gone are removed."""
    root.mkdir(parents=True, exist_ok=True)
    for old in root.iterdir():
        with suppress(ValueError, ProcessLookupError, PermissionError):
            pid = int(old.name.partition("-")[0])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
