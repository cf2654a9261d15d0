"""The clients of a process, one a provider, with what wraps their calls."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from vpgen.backends.http.client import TIMEOUT, Client
from vpgen.backends.http.pace import Pace
from vpgen.backends.http.rooms import Rooms
from vpgen.backends.http.transports import FIRST_WAIT, Breaker, Keyed, Recorder, Retry
from vpgen.backends.http.webhooks import Receiver
from vpgen.backends.http.wire import Wire
from vpgen.catalogue import Catalogue, Provider, load_catalogue
from vpgen.errors import Unauthorized
from vpgen.settings import Settings


@dataclass
class Network:
    """The clients of a process by provider, opened when first needed."""

    settings: Settings
    catalogue: Catalogue = field(init=False)
    _clients: dict[str, Client] = field(default_factory=dict)
    _receiver: Receiver | None = None

    def __post_init__(self) -> None:
        self.catalogue = load_catalogue(self.settings.catalogue)

    async def aclose(self) -> None:
        """Close every connection; the next call opens new ones."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()
        if self._receiver:
            await self._receiver.aclose()
            self._receiver = None

    async def listen(self) -> None:
        """Receive webhooks from now on, when a public address is set. Without one, jobs are polled."""
        if self.settings.webhook_url and self._receiver is None:
            receiver = Receiver(self.settings.webhook_url, self.settings.webhook_listen)
            # Another process on this machine has the port, and the webhooks: this one polls.
            with suppress(OSError):
                await receiver.start()
                self._receiver = receiver

    def client(self, wire: Wire) -> Client:
        """The client of a vendor. Raises Unauthorized when there is no key, NotFound without a catalogue entry."""
        name = wire.provider_id
        if name not in self._clients:
            self._clients[name] = self._open(wire, self.catalogue[name])
        return self._clients[name]

    def _open(self, wire: Wire, provider: Provider) -> Client:
        look_alike = self.settings.providers_url
        base = httpx.URL(f"{look_alike.rstrip('/')}/{wire.provider_id}" if look_alike else provider.url)
        # A look-alike is never shown a real key.
        secret = None if look_alike else self.settings.secret(provider.key)
        if secret is None and not look_alike:
            raise no_key(wire.provider_id, provider)
        key = secret.get_secret_value() if secret else "look-alike"
        speed = self.settings.providers_speed if look_alike else 1.0
        paced = Pace(Keyed(Rooms(), wire.headers(key), base), provider, speed)
        transport: httpx.AsyncBaseTransport = Retry(Breaker(paced), first_wait=FIRST_WAIT / speed)
        if self.settings.record:
            transport = Recorder(transport, self.settings.record)
        return Client(
            receiver=self._receiver,
            wire=wire,
            provider=provider,
            http=httpx.AsyncClient(transport=transport, trust_env=False),
            downloads=httpx.AsyncClient(timeout=TIMEOUT),
            base=base,
            trusted=base if look_alike else None,
            poll_seconds=provider.poll_seconds / speed,
            pause=FIRST_WAIT / speed,
        )


def no_key(provider_id: str, provider: Provider) -> Unauthorized:
    """The error for a key that is not there: names the variable, and the way that needs none."""
    return Unauthorized(
        f"{provider.name} needs a key, and {provider.key} is not set",
        provider=provider_id,
        remedy=f"export {provider.key}=…, or try without one: run `vpgen sandbox` and do what it prints",
    )
