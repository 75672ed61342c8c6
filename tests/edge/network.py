"""An edge whose network is the test: transports that record, gateways and clients that say what the test says."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, cast

from entryproxy.edge.budgets import BudgetTable
from entryproxy.edge.context import EdgeContext
from entryproxy.edge.http1 import Http1Connection
from entryproxy.edge.resolver import Answer, ResolveError, Resolver
from entryproxy.edge.server import EdgeServer
from entryproxy.edge.tenants import TenantState
from entryproxy.edge.tls import TlsTransport
from entryproxy.edge.transport import ClientTransport
from entryproxy.edge.upstream import GatewayConnection
from entryproxy.model.certificate import Certificate
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.settings import EdgeLimits, ServeSettings
from entryproxy.telemetry.access_log import AccessLog
from entryproxy.telemetry.counters import WorkerReport
from tests.certificates import Authority, Pair

SYSTEM_DOMAIN = "aigw.example.com"
HOST = b"tenant1." + SYSTEM_DOMAIN.encode()
GATEWAY = "127.0.0.1:9001"
DATE = b"Date: Fri, 20 Nov 2026 20:00:00 GMT\r\n"


class FakeTransport(asyncio.Transport):
    """A TCP connection whose peer is the test. `sent` is what was written; `take` empties it.

    stalled: the peer doesn't read, so what is written stays in the buffer and the protocol is told to pause.
    """

    def __init__(self, peer: str = "192.0.2.1") -> None:
        super().__init__({"peername": (peer, 12345), "socket": NoSocket()})
        self.protocol: asyncio.Protocol | None = None
        self.sent = bytearray()
        self.writes: list[int] = []
        self._reading = True
        self._closing = False
        self.aborted = False
        self.lost = False
        self.eof = False
        self.stalled = False
        self._buffered = 0
        self._high = 65_536
        self._paused = False

    def connect(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol
        protocol.connection_made(self)

    # -- what the protocol does

    def write(self, data: Any) -> None:
        assert not self.lost, "uvloop raises for a write after connection_lost"
        assert not self.eof or self._closing, "written after the end"
        if self._closing:
            return
        self.sent += data
        self.writes.append(len(data))
        if self.stalled:
            self._buffered += len(data)
            if self._buffered > self._high and not self._paused:
                self._paused = True
                assert self.protocol is not None
                self.protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for piece in list_of_data:
            self.write(piece)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return self._buffered

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        assert not self.lost
        self.eof = True

    def is_reading(self) -> bool:
        return self._reading

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = self.aborted = True

    # -- what the test does

    @property
    def open(self) -> bool:
        return not self._closing

    def take(self) -> bytes:
        data = bytes(self.sent)
        self.sent.clear()
        return data

    def feed(self, data: bytes) -> None:
        """The peer's bytes, which come only while somebody reads."""
        assert self._reading and not self._closing and self.protocol is not None
        self.protocol.data_received(data)

    def drain(self) -> None:
        """The peer reads again: the buffer is gone."""
        self.stalled = False
        self._buffered = 0
        if self._paused:
            self._paused = False
            assert self.protocol is not None
            self.protocol.resume_writing()

    def lose(self, error: Exception | None = None) -> None:
        """The connection is over, as the loop reports it after a close, an abort or an error."""
        assert not self.lost and self.protocol is not None
        self._closing = self.lost = True
        self.protocol.connection_lost(error)

    def finish(self) -> None:
        """The peer sends FIN; the transport closes if the protocol doesn't object."""
        assert self.protocol is not None
        if not self.protocol.eof_received():
            self._closing = True


class FakeLoop:
    """The part of a loop that dials. Each dial takes the next of `refusals`; None, or none left, connects."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.connections: list[FakeTransport] = []
        self.refusals: list[BaseException | None] = []
        self.held: asyncio.Event | None = None
        self.doomed = 0  # so many connections are lost before the one who dialled hears of them
        self.options: dict[str, Any] = {}

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int, **options: Any
    ) -> None:
        self.dialled.append(f"{host}:{port}")
        self.options = options
        if self.held is not None:
            await self.held.wait()
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal
        transport = FakeTransport(host)
        self.connections.append(transport)
        transport.connect(factory())
        if self.doomed:
            self.doomed -= 1
            transport.lose(ConnectionResetError())


class Names(Resolver):
    """Stands in for the resolver. answers: by host, an error where there is none. gate: shut, look-ups take time."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def set(self, host: str, *addresses: str, ttl: float = 10.0) -> None:
        self.answers[host] = Answer(addresses, ttl)

    async def look_up(self, host: str) -> Answer:
        self.asked.append(host)
        await self.gate.wait()
        if host not in self.answers:
            raise ResolveError("no such name")
        return self.answers[host]


class NoSocket:
    """The socket of a FakeTransport: takes options and forgets them."""

    def setsockopt(self, *option: Any) -> None:
        pass


class LogLines:
    """Stands in for the access log."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, lines: bytes) -> None:
        self.lines += map(json.loads, lines.splitlines())


def make_tenant(tenant_id: str = "tenant1", **fields: Any) -> Tenant:
    return Tenant(id=tenant_id, **{"gateway_addresses": (GATEWAY,), "https_redirect": False, **fields})


def make_certificate(pair: Pair, owner: str, *names: str, source: str = "ns/cert", days: float = 1) -> Certificate:
    return Certificate(
        owner=owner,
        source=source,
        names=names,
        not_before=0.0,
        not_after=4e9 + days,
        fingerprint=f"{pair.serial:x}",
        chain_pem=pair.chain_pem.encode(),
        key_pem=PrivateBytes(pair.key_pem.encode()),
    )


def put_in_force(edge: EdgeContext | EdgeServer, change: Change) -> None:
    """All of a change's steps at once."""
    for _ in edge.applying(change, change.tenants):
        pass


class World:
    """One worker's edge with tenants `tenant1` and `tenant2`; make it inside a running loop."""

    def __init__(
        self,
        budgets: BudgetTable,
        *tenants: Tenant,
        platform: Platform | None = None,
        proxy_protocol: bool = False,
        zone: str = "",
        **limits: Any,
    ) -> None:
        self.report = WorkerReport()
        self.log = LogLines()
        self.edge = EdgeContext(
            ServeSettings(source=".", proxy_protocol=proxy_protocol, zone=zone),
            EdgeLimits(**limits),
            self.report,
            cast(AccessLog, self.log),
            budgets,
            b"secret" * 6,
        )
        self.loop = FakeLoop()
        self.edge.loop = cast(asyncio.AbstractEventLoop, self.loop)
        self.generation = 0
        self.platform = platform or Platform(system_domain=SYSTEM_DOMAIN)
        self.apply(*(tenants or (make_tenant(), make_tenant("tenant2"))))

    def apply(self, *tenants: Tenant, removed: tuple[str, ...] = ()) -> None:
        self.generation += 1
        change = Change(generation=self.generation, platform=self.platform, tenants=tenants, removed=removed)
        put_in_force(self.edge, change)

    def state(self, tenant_id: str = "tenant1") -> TenantState:
        return self.edge.tenants[tenant_id]

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The access log so far."""
        self.edge.accounts.settle()
        return self.log.lines

    def turn(self, seconds: float) -> None:
        """Let `seconds` pass for the deadlines."""
        self.edge.wheel.turn(monotonic() + seconds)

    async def settle(self) -> None:
        """Let look-ups and dials end."""
        for _ in range(12):
            await asyncio.sleep(0)

    def client(self, peer: str = "192.0.2.1") -> FakeTransport:
        """A client on the plaintext port."""
        transport = FakeTransport(peer)
        transport.connect(ClientTransport(self.edge))
        return transport

    def http_of(self, client: FakeTransport) -> Http1Connection:
        link = cast(ClientTransport, client.protocol)
        assert link._http is not None
        return link._http

    @property
    def gateway(self) -> FakeTransport:
        """The newest connection to a gateway."""
        return self.loop.connections[-1]

    async def warm(self, tenant_id: str = "tenant1") -> FakeTransport:
        """An idle gateway connection in the pool that has served one exchange."""
        client = self.client()
        client.feed(request(b"GET", b"/warm", host=tenant_id.encode() + b"." + SYSTEM_DOMAIN.encode()))
        await self.settle()
        self.gateway.feed(answer(b"warm"))
        self.gateway.take()
        client.finish()
        client.lose()
        return self.gateway

    def check_at_rest(self) -> None:
        """Every count that goes up and down is where it began, and nothing ended in the middle."""
        self.edge.accounts.settle()
        for report in self.report.tenants.values():
            assert report.in_flight == 0
        for state in self.edge.tenants.values():
            assert state.connections == 0
            connections = [cast(GatewayConnection, one.protocol) for one in self.loop.connections if not one.lost]
            assert state.pool._dialling == 0
            assert state.pool._endpoints.open == sum(connection.pool is state.pool for connection in connections)
            for endpoint in state.pool._endpoints:
                assert endpoint.in_flight == 0
                assert endpoint.open == sum(connection.endpoint is endpoint for connection in connections)
        assert self.report.client_connections == len(self.edge.links)


def request(
    method: bytes = b"GET", target: bytes = b"/", *fields: bytes, host: bytes = HOST, body: bytes = b""
) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, target), b"Host: " + host, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answer(body: bytes = b"", *fields: bytes, status: bytes = b"200 OK", date: bool = True) -> bytes:
    """A common answer: its length and a date."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n" + (DATE if date else b"") + b"\r\n" + body


class TlsClient:
    """A TLS client over memory that talks to a TlsTransport through a FakeTransport."""

    def __init__(
        self,
        world: World,
        context: ssl.SSLContext,
        server_name: str | None,
        *,
        session: ssl.SSLSession | None = None,
        peer: str = "192.0.2.1",
    ) -> None:
        self.transport = FakeTransport(peer)
        self.link = TlsTransport(world.edge)
        self.transport.connect(self.link)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)

    def handshake(self) -> TlsClient:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.push()
                if not self.pull():
                    raise
            else:
                self.push()
                self.pull()
                return self

    def push(self) -> None:
        data = self._outgoing.read()
        if data:
            self.transport.feed(data)

    def pull(self) -> bytes:
        data = self.transport.take()
        self._incoming.write(data)
        return data

    def encrypt(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._outgoing.read()

    def send(self, data: bytes) -> None:
        self.transport.feed(self.encrypt(data))

    def receive(self) -> bytes:
        """Plaintext that has arrived."""
        self.pull()
        received = b""
        try:
            while data := self.tls.read(65_536):
                received += data
        except ssl.SSLWantReadError:
            pass
        return received


def trusting(authority: Authority, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's context for handshakes over memory."""
    context = authority.context()
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
