"""The connections to one tenant's gateway: kept alive between requests, bounded, and led around addresses that fail.

What to try is decided synchronously (`take`, `edge.endpoints`); only dialling awaits, in a task of its own.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.endpoints import GatewayEndpoints
from entryproxy.edge.names import GatewayNames
from entryproxy.edge.upstream import GatewayConnection
from entryproxy.errors import EntryError, Source
from entryproxy.tasks import spawn

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.endpoints import Endpoint
    from entryproxy.edge.exchange import Exchange
    from entryproxy.model.tenant import Tenant

_TLS_SHUTDOWN_SECONDS = 1.0  # for the gateway's close_notify; until then all that it still sends is decrypted
_CONTEXTS_MAX = 1_024
_RETRY_AFTER = (("Retry-After", "1"),)
_PROVISIONING = {
    "pending": ("This tenant's gateway is being provisioned; it has not served yet.", (("Retry-After", "5"),)),
    "failed": (
        "This tenant's gateway could not be provisioned so far; its status tells the platform's operators why.",
        (("Retry-After", "30"),),
    ),
}
"""By `Tenant.provisioning`: what a request is told that no gateway takes. This is no outage, and it takes a while."""


class GatewayPool:
    """Gateway connections of one tenant in one worker."""

    __slots__ = (
        "_ca_pem",
        "_dialling",
        "_edge",
        "_endpoints",
        "_name",
        "_names",
        "_picked",
        "_provisioning",
        "idle_max",
    )

    def __init__(self, edge: EdgeContext, tenant: Tenant) -> None:
        self._edge = edge
        self.idle_max = edge.limits.gateway_idle_connections_max
        self._endpoints = GatewayEndpoints(edge.limits, edge.zone)
        self._names = GatewayNames(edge, self._endpoints)
        self._picked: Endpoint | None = None
        self._dialling = 0
        self._provisioning = tenant.provisioning
        self._adopt_protocol(tenant)
        self._adopt_addresses(tenant)

    def reconfigure(self, old: Tenant, new: Tenant) -> None:
        """Follow a changed tenant: new requests dial what it says now; connections that are in use serve their
        exchange and go where their address is no longer wanted.
        """
        self._provisioning = new.provisioning
        if (
            old.gateway_protocol != new.gateway_protocol
            or old.gateway_name != new.gateway_name
            or old.gateway_ca_pem != new.gateway_ca_pem
        ):
            self._endpoints.replace(())
            self._adopt_protocol(new)
        elif old.gateway_endpoints == new.gateway_endpoints and old.gateway_addresses == new.gateway_addresses:
            return
        self._adopt_addresses(new)

    def retire(self) -> None:
        """The tenant is gone: close what is idle; exchanges under way end as they would."""
        self._names.forget()
        self._endpoints.let_go()

    # -- decisions

    def take(self) -> GatewayConnection | None:
        """An idle connection to the address that is next, or None: then `connect`."""
        endpoint = self._endpoints.only or self._endpoints.pick()
        if endpoint is None:
            return None
        if not endpoint.idle:
            self._picked = endpoint
            return None
        connection = endpoint.idle.popitem()[0]
        endpoint.in_flight += 1
        return connection

    def connect(self, exchange: Exchange) -> None:
        """Dial for `exchange`, which hears `connected` or `fail`; the next address follows where one refuses."""
        picked, self._picked = self._picked, None
        if self._endpoints.open + self._dialling >= self._edge.limits.gateway_connections_max:
            detail = "All connections to the tenant's gateway are in use."
            exchange.fail(EntryError(503, "gateway_connections", detail, source=Source.ENTRY, headers=_RETRY_AFTER))
            return
        self._dialling += 1
        spawn(self._dial_for(exchange, picked), "dial")

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
        self._endpoints.open += 1

    def forget(self, connection: GatewayConnection) -> None:
        """`connection` is about to close while idle."""
        connection.endpoint.idle.pop(connection, None)

    def lost(self, connection: GatewayConnection, *, idle: bool) -> None:
        """`connection` is closed, whoever did it."""
        connection.endpoint.open -= 1
        self._endpoints.open -= 1
        if idle:
            self.forget(connection)

    def failed(self, endpoint: Endpoint) -> None:
        """The address refused a connection or broke off before any answer."""
        self._endpoints.failed(endpoint)

    def succeeded(self, endpoint: Endpoint) -> None:
        """The address answered."""
        self._endpoints.succeeded(endpoint)

    # -- dialling

    async def _dial_for(self, exchange: Exchange, picked: Endpoint | None) -> None:
        try:
            connection = await self._dial_in_turn(exchange, picked)
        except EntryError as error:
            exchange.fail(error)
            return
        finally:
            self._dialling -= 1
        if connection is None:
            return
        if exchange.done:
            self.release(connection, keep=True)
        else:
            exchange.connected(connection)

    async def _dial_in_turn(self, exchange: Exchange, picked: Endpoint | None) -> GatewayConnection | None:
        """A connection to the first address that takes one; None when the client left meanwhile.

        Raises EntryError 503 when no address does.
        """
        tried: set[Endpoint] = set()
        timed_out = False
        while (endpoint := await self._next(picked, tried)) is not None:
            if exchange.done:
                return None
            tried.add(endpoint)
            try:
                return await self._dial(endpoint, exchange.timeouts.connect)
            except ssl.SSLCertVerificationError:
                self._note(exchange, endpoint, "gateway_certificate")
            except TimeoutError:
                timed_out = True
                self._note(exchange, endpoint, "connect_timeout")
            except (OSError, ssl.SSLError):
                self._note(exchange, endpoint, "connect")
        raise self._nobody(tried, timed_out)

    async def _next(self, picked: Endpoint | None, tried: set[Endpoint]) -> Endpoint | None:
        """What to dial, of the addresses there are by now: `picked`, if it is still good, then whatever is left."""
        await self._names.refresh()
        if tried:
            return self._endpoints.pick_other(tried)
        return picked if picked is not None and picked.wanted else self._endpoints.pick()

    def _nobody(self, tried: set[Endpoint], timed_out: bool) -> EntryError:
        if self._provisioning:
            detail, headers = _PROVISIONING[self._provisioning]
            return EntryError(503, "provisioning", detail, source=Source.GATEWAY, headers=headers)
        if not tried and not self._names:
            detail = "No pod of this tenant's gateway is ready."
            return EntryError(503, "no_endpoints", detail, source=Source.GATEWAY, headers=_RETRY_AFTER)
        reason = "gateway_connect_timeout" if timed_out else "gateway_unreachable"
        detail = "No gateway of this tenant can be reached."
        return EntryError(503, reason, detail, source=Source.GATEWAY, headers=_RETRY_AFTER)

    async def _dial(self, endpoint: Endpoint, timeout_seconds: float) -> GatewayConnection:
        """A connection that counts as in flight, as the attempt did: nobody waits where others wait already."""
        host, _, port = endpoint.address.rpartition(":")
        connection = GatewayConnection(self._edge, self, endpoint)
        tls = gateway_context(self._ca_pem) if self._ca_pem is not None else None
        endpoint.in_flight += 1
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._edge.loop.create_connection(
                    lambda: connection,
                    host.strip("[]"),
                    int(port),
                    ssl=tls,
                    server_hostname=self._name if tls is not None else None,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS if tls is not None else None,
                )
            if connection.is_closed:
                raise ConnectionResetError("the gateway closed the connection as soon as it was open")
        except BaseException:
            endpoint.in_flight -= 1
            raise
        return connection

    def _note(self, exchange: Exchange, endpoint: Endpoint, reason: str) -> None:
        self.failed(endpoint)
        exchange.note_gateway_error(reason, endpoint.address)

    # -- configuration

    def _adopt_protocol(self, tenant: Tenant) -> None:
        self._name = tenant.gateway_name
        self._ca_pem = tenant.gateway_ca_pem if tenant.gateway_protocol == "https" else None

    def _adopt_addresses(self, tenant: Tenant) -> None:
        if tenant.gateway_endpoints is None:
            self._names.follow(tenant.gateway_addresses)
        else:
            self._names.forget()
            self._endpoints.replace(tenant.gateway_endpoints)


@functools.lru_cache(_CONTEXTS_MAX)
def gateway_context(ca_pem: str) -> ssl.SSLContext:
    """A client's context that verifies the gateway against `ca_pem`, or the system's trust store when it is empty.

    Made when somebody first dials, once for all tenants that trust the same: with the system's trust store it takes
    25 ms and a megabyte.
    """
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
