"""The connections to one tenant's gateway: kept alive between requests, bounded, and led around addresses that fail.

What to try is decided synchronously (`take`, `routing.balance.order`); only dialling awaits, in a task of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.deadlines import Timed
from entryproxy.edge.upstream import GatewayConnection
from entryproxy.errors import EntryError, Source
from entryproxy.routing.balance import AddressHealth, order
from entryproxy.tasks import spawn
from entryproxy.telemetry.access_line import json_text

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.exchange import Exchange
    from entryproxy.model.tenant import Tenant

_TLS_SHUTDOWN_SECONDS = 1.0  # for the gateway's close_notify; until then all that it still sends is decrypted
_RETRY_AFTER = (("Retry-After", "1"),)


class Endpoint:
    """One address that was dialled: its idle connections (newest last), what is open, and how it fares.

    text: the address for the access log. wanted: it still is one of the tenant's.
    """

    __slots__ = ("address", "health", "idle", "in_flight", "open", "text", "wanted")

    def __init__(self, address: str) -> None:
        self.address = address
        self.text = json_text(address)
        self.wanted = True
        self.idle: dict[GatewayConnection, None] = {}
        self.open = 0
        self.in_flight = 0
        self.health = AddressHealth()


class GatewayPool(Timed):
    """Gateway connections of one tenant in one worker; on the wheel while the names of its addresses need a new
    look.
    """

    __slots__ = ("_addresses", "_dialling", "_edge", "_endpoints", "_name", "_only", "_tls", "_turns", "idle_max")

    def __init__(self, edge: EdgeContext, tenant: Tenant) -> None:
        super().__init__()
        self._edge = edge
        self._endpoints: dict[str, Endpoint] = {}
        self._turns = itertools.count()
        self._only: Endpoint | None = None
        self.idle_max = edge.limits.gateway_idle_connections_max
        self._dialling = 0
        self._tls: ssl.SSLContext | None = None
        self._configure(tenant)

    def reconfigure(self, old: Tenant, new: Tenant) -> None:
        """Follow a changed tenant: new requests dial what it says now; connections that are in use serve their
        exchange and go.
        """
        if (
            old.gateway_addresses == new.gateway_addresses
            and old.gateway_protocol == new.gateway_protocol
            and old.gateway_name == new.gateway_name
            and old.gateway_ca_pem == new.gateway_ca_pem
        ):
            return
        self._configure(new)
        self._drop_endpoints(set(self._endpoints))

    def retire(self) -> None:
        """The tenant is gone: close what is idle; exchanges under way end as they would."""
        self._edge.wheel.clear(self)
        self._drop_endpoints(set(self._endpoints))

    # -- decisions

    def take(self) -> GatewayConnection | None:
        """An idle connection to the address that is next, or None: then `connect`."""
        endpoint = self._only
        if endpoint is None:
            if not self._endpoints:
                return None
            endpoint = self._endpoints[self._ordered()[0]]
        if not endpoint.idle:
            return None
        connection = endpoint.idle.popitem()[0]
        endpoint.in_flight += 1
        return connection

    def connect(self, exchange: Exchange) -> None:
        """Dial for `exchange`, which hears `connected` or `fail`; the next address follows where one refuses."""
        opened = sum(endpoint.open for endpoint in self._endpoints.values())
        if opened + self._dialling >= self._edge.limits.gateway_connections_max:
            detail = "All connections to the tenant's gateway are in use."
            exchange.fail(EntryError(503, "gateway_connections", detail, source=Source.ENTRY, headers=_RETRY_AFTER))
            return
        spawn(self._dial_for(exchange), "dial")

    # -- bookkeeping

    def release(self, connection: GatewayConnection, *, keep: bool) -> None:
        """An exchange is done with `connection`; kept when its framing is beyond doubt and there is room."""
        if keep:
            connection.put_back(monotonic())
        else:
            connection.endpoint.in_flight -= 1
            connection.close()

    def discard(self, connection: GatewayConnection) -> None:
        """An exchange ends in the middle: nothing more goes in or out of `connection`."""
        connection.endpoint.in_flight -= 1
        connection.abort()

    def made(self, connection: GatewayConnection) -> None:
        """`connection` is open."""
        connection.endpoint.open += 1

    def forget(self, connection: GatewayConnection) -> None:
        """`connection` is about to close while idle."""
        connection.endpoint.idle.pop(connection, None)

    def lost(self, connection: GatewayConnection, *, idle: bool) -> None:
        """`connection` is closed, whoever did it."""
        connection.endpoint.open -= 1
        if idle:
            self.forget(connection)

    def failed(self, endpoint: Endpoint) -> None:
        """The address refused a connection or broke off before any answer."""
        limits = self._edge.limits
        endpoint.health.failed(
            monotonic(), limits.ejection_failures, limits.ejection_base_seconds, limits.ejection_seconds_max
        )

    # -- dialling

    async def _dial_for(self, exchange: Exchange) -> None:
        await self._resolve()
        addresses = self._addresses
        timed_out = False
        for address in self._ordered():
            endpoint = self._endpoints.get(address)
            if endpoint is None:
                continue  # reconfigured while we dialled
            if exchange.done:
                return
            try:
                connection = await self._dial(endpoint, exchange.timeouts.connect)
            except ssl.SSLCertVerificationError:
                self._note(exchange, endpoint, "gateway_certificate")
            except TimeoutError:
                timed_out = True
                self._note(exchange, endpoint, "connect_timeout")
            except (OSError, ssl.SSLError):
                self._note(exchange, endpoint, "connect")
            else:
                self._hand_over(connection, exchange)
                return
        if exchange.done:
            return
        if addresses is not self._addresses:  # reconfigured while we dialled
            await self._dial_for(exchange)
        else:
            reason = "gateway_connect_timeout" if timed_out else "gateway_unreachable"
            detail = "No gateway of this tenant can be reached."
            exchange.fail(EntryError(503, reason, detail, source=Source.GATEWAY, headers=_RETRY_AFTER))

    def _hand_over(self, connection: GatewayConnection, exchange: Exchange) -> None:
        connection.endpoint.in_flight += 1
        if exchange.done:  # its client left while we dialled
            self.release(connection, keep=True)
        else:
            exchange.connected(connection)

    async def _dial(self, endpoint: Endpoint, timeout_seconds: float) -> GatewayConnection:
        host, _, port = endpoint.address.rpartition(":")
        connection = GatewayConnection(self._edge, self, endpoint)
        self._dialling += 1
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._edge.loop.create_connection(
                    lambda: connection,
                    host.strip("[]"),
                    int(port),
                    ssl=self._tls,
                    server_hostname=self._name if self._tls is not None else None,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS if self._tls is not None else None,
                )
        finally:
            self._dialling -= 1
        if connection.is_closed:
            raise ConnectionResetError("the gateway closed the connection as soon as it was open")
        return connection

    def _note(self, exchange: Exchange, endpoint: Endpoint, reason: str) -> None:
        self.failed(endpoint)
        exchange.note_gateway_error(reason, endpoint.address)

    def _ordered(self) -> list[str]:
        endpoints = self._endpoints
        health = {address: one.health for address, one in endpoints.items()}
        in_flight = {address: one.in_flight for address, one in endpoints.items()}
        return list(order(list(endpoints), health, in_flight, monotonic(), next(self._turns)))

    async def _resolve(self) -> None:
        """Bring the endpoints up to date with what the addresses' names resolve to."""
        wanted: dict[str, None] = {}
        named = False
        addresses = self._addresses
        for address in addresses:
            resolved = await self._edge.resolver.resolve(address)
            named = named or resolved != [address]
            wanted.update(dict.fromkeys(resolved))
        if addresses is not self._addresses:
            await self._resolve()  # reconfigured meanwhile
            return
        if named:
            self._edge.wheel.set(self, monotonic() + self._edge.limits.resolve_ttl_seconds)
        if set(wanted) != set(self._endpoints):
            self._drop_endpoints({address for address in self._endpoints if address not in wanted})
            for address in wanted:
                if address not in self._endpoints:
                    self._endpoints[address] = Endpoint(address)
            self._find_only()

    def expired(self, now: float) -> None:
        """What the names resolved to is old: look again while somebody uses it, else at the next dial."""
        if any(endpoint.open for endpoint in self._endpoints.values()):
            spawn(self._resolve(), "resolve")

    def _drop_endpoints(self, addresses: set[str]) -> None:
        for address in addresses:
            endpoint = self._endpoints.pop(address)
            endpoint.wanted = False
            for connection in list(endpoint.idle):
                connection.close()
        self._find_only()

    def _find_only(self) -> None:
        self._only = next(iter(self._endpoints.values())) if len(self._endpoints) == 1 else None

    # -- configuration

    def _configure(self, tenant: Tenant) -> None:
        self._addresses = tenant.gateway_addresses
        self._name = tenant.gateway_name
        self._tls = gateway_context(tenant.gateway_ca_pem) if tenant.gateway_protocol == "https" else None


def gateway_context(ca_pem: str) -> ssl.SSLContext:
    """A client's context that verifies the gateway against `ca_pem`, or the system's trust store when it is empty."""
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
