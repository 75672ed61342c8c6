"""One request from its head to its last log line, the phases top to bottom.

begin → (limits) → a gateway connection, idle or dialled → send → answer relayed as it comes → finish. What can go
wrong ends in `fail` (the entry answers, or cuts what it has begun), `gateway_lost` or `client_gone`; each ends in
`_finish`, once.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from entryproxy.edge.account import record_of
from entryproxy.edge.heads import trusted_lines, trusted_request_id
from entryproxy.edge.hold import GATEWAY
from entryproxy.edge.local import send_problem
from entryproxy.edge.policy import is_upgrade_answer, may_retry, missed_deadline
from entryproxy.edge.relay import AnswerRelay
from entryproxy.edge.tunnel import open_tunnel
from entryproxy.edge.upload import Upload, body_too_large
from entryproxy.errors import EntryError, Source
from entryproxy.telemetry.access_line import AT_ONCE, NULL, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entryproxy.edge.heads import KnownAnswer, KnownRequest
    from entryproxy.edge.http1 import Http1Connection
    from entryproxy.edge.tenants import TenantState
    from entryproxy.edge.tunnel import Tunnel
    from entryproxy.edge.upstream import GatewayConnection
    from entryproxy.telemetry.access_line import Record
    from entryproxy.telemetry.counters import TenantReport

_CLIENT_CLOSED = 499  # nginx's, for a client that left before its answer; only ever logged and counted


class Exchange:
    """A routed request and its answer. Everything it needs of the configuration it took at the start and keeps.

    needs_escape: the target may hold characters that JSON escapes. plain: a common answer may go on in one write.
    """

    __slots__ = (
        "_connection",
        "_relay",
        "_retried",
        "_row",
        "_state",
        "_upload",
        "_upload_open",
        "done",
        "edge",
        "ended",
        "error",
        "first_byte",
        "gateway",
        "hsts",
        "http",
        "keep_alive",
        "known",
        "method",
        "minor",
        "needs_escape",
        "plain",
        "received",
        "request_id",
        "sent",
        "started",
        "status",
        "target",
        "timeouts",
        "tunnel",
    )

    def __init__(
        self, http: Http1Connection, known: KnownRequest, method: bytes, target: bytes, minor: int, started: float
    ) -> None:
        """started: time.monotonic when the head was complete. `known` leads to a tenant."""
        state: TenantState = known.state  # type: ignore[assignment]
        # -- the request
        self.http = http
        self.edge = http.edge
        self.known = known
        self.method = method
        self.target = target
        self.minor = minor
        self.needs_escape = True
        self.request_id = http.edge.new_request_id()
        if http.link.trusted:
            self.request_id = trusted_request_id(known.fields.request_id) or self.request_id
        # -- the tenant, as it was when the request began
        self._state = state
        self._row = -1
        self.timeouts = state.tenant.timeouts
        self.hsts = state.hsts if http.link.secure else b""
        # -- progress
        self.started = started
        self.first_byte: float | None = None
        self._connection: GatewayConnection | None = None
        self.gateway = NULL
        self._retried = False
        self._upload: Upload | None = None
        self._upload_open = False
        self._relay: AnswerRelay | None = None
        self.tunnel: Tunnel | None = None
        self.status = 0
        self.error = NULL
        self.received = 0
        self.sent = 0
        self.done = False
        self.keep_alive = True
        self.plain = False

    @property
    def is_waiting_for_client(self) -> bool:
        """The body is not complete and nothing but the client holds it up, nor has the gateway begun to answer."""
        return self._upload_open and self._relay is None and self._connection is not None

    # -- begin

    def begin(self) -> None:
        """Pass the tenant's limits and find a gateway connection."""
        state, known = self._state, self.known
        state.report.in_flight += 1
        if (state.gated or not known.plain) and not self._pass_limits():
            return
        self.plain = self.minor == 1 and self.method != b"HEAD" and known.fields.upgrade is None
        http = self.http
        deadline = self.started + self.timeouts.first_byte
        if deadline >= http.looked_at:
            http.deadline = deadline  # what `set_deadline` would do, without the call
        else:
            self.edge.wheel.set(http, deadline)
        connection = state.pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            state.pool.connect(self)

    def _pass_limits(self) -> bool:
        """Rate, concurrency and declared size; False when the exchange has failed with the answer for it."""
        fields, limits = self.known.fields, self._state.tenant.limits
        if fields.chunked or fields.content_length:  # first: a refusal must know that there is a body to read
            self._upload = Upload(chunked=fields.chunked, bytes_max=limits.request_body_bytes)
            self._upload_open = True
        try:
            if self._state.gated:
                self._row = self._state.enter()
            if limits.request_body_bytes and (fields.content_length or 0) > limits.request_body_bytes:
                raise body_too_large(limits.request_body_bytes)
        except EntryError as error:
            self.fail(error)
            return False
        return True

    def connected(self, connection: GatewayConnection) -> None:
        """Send the request's head, and the body bytes that came with it."""
        http, known = self.http, self.known
        self._connection = connection
        self.gateway = connection.endpoint.text
        forwarded, client_lines = known.forwarded, http.client.lines
        if http.link.trusted:
            forwarded, client_lines = trusted_lines(known, http)
        connection.begin(
            self,
            b"".join(
                (
                    self.method, b" ", self.target, b" HTTP/1.1\r\n",
                    forwarded, client_lines, b"X-Request-Id: ", self.request_id, b"\r\n\r\n",
                )
            ),
        )  # fmt: skip
        if http.is_write_paused:
            connection.pause_reading()
        if self._upload is not None:
            http.hold.drop(GATEWAY)
            self._upload.attach(connection)
            http.set_deadline(self.timeouts.idle if self._upload_open else self.timeouts.first_byte)

    # -- the request's body

    def body(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Pieces of the body, as the client sent them."""
        upload = self._upload
        if upload is None or self.done:
            return
        try:
            upload.send(pieces)
        except EntryError as error:
            self.fail(error)
            return
        if self._connection is None:
            self.http.hold.add(GATEWAY)
        self.http.set_deadline(self.timeouts.idle)

    def body_end(self, trailers: bytes = b"") -> None:
        """The body is complete."""
        if self._upload is not None and not self.done:
            self._upload_open = False
            self._upload.end(trailers)
            if self._relay is None:
                self.http.set_deadline(self.timeouts.first_byte)

    # -- the answer

    def relay_whole(self, known: KnownAnswer, body: bytes, connection: GatewayConnection) -> None:
        """The common answer: head and body came together and go on together."""
        if self._upload_open:  # more has to be thought of
            self.relay_head(known)
            if body:
                self.relay_body((body,))
            self.answered(connection, keep=True)
            return
        if self.edge.draining:
            self.keep_alive = False
        if self.keep_alive and not self.hsts:
            data = known.whole + body
        else:
            data = known.whole_with(self.hsts, close=not self.keep_alive) + body
        self.status = known.status
        self.sent += len(data)
        self.http.link.write(data)
        now = monotonic()
        self._connection = None
        connection.put_back(now)
        self.first_byte = AT_ONCE
        self._finish(now)
        if self.keep_alive:
            self.http.answered_whole(now)
        else:
            self.http.exchange_done(keep_alive=False, body_unread=False)

    def relay_interim(self, known: KnownAnswer) -> None:
        """A 1xx, passed on as it is (RFC 9110 §15.2); HTTP/1.0 knows none."""
        self.http.set_deadline(self.timeouts.idle if self._upload_open else self.timeouts.first_byte)
        if self.minor:
            data = known.start + b"\r\n"
            self.sent += len(data)
            self.http.link.write(data)

    def relay_head(self, known: KnownAnswer) -> None:
        """The final head of an answer whose body follows."""
        self.first_byte = monotonic() - self.started
        self.status = known.head.status
        if self._upload_open and (self.status >= 400 or self.known.fields.expect_continue):
            self.keep_alive = False  # the rest of the body may never be read
        if self.edge.draining:
            self.keep_alive = False
        self._relay = AnswerRelay(self, known)
        self._relay.send_head(known)
        self.http.set_deadline(self.timeouts.idle)

    def relay_body(self, pieces: Sequence[bytes | memoryview]) -> None:
        assert self._relay is not None
        self._relay.send_body(pieces)
        self.http.set_deadline(self.timeouts.idle)

    def relay_end(self, trailers: bytes = b"") -> None:
        assert self._relay is not None
        self._relay.send_end(trailers)

    def answered(self, connection: GatewayConnection, *, keep: bool) -> None:
        """The answer is complete; the connection goes back to the pool if nothing is left in it or owed to it."""
        self._connection = None
        connection.pool.succeeded(connection.endpoint)
        connection.pool.release(connection, keep=keep and not self._upload_open and not connection.answer_closes)
        self._finish(monotonic())
        self.http.exchange_done(keep_alive=self.keep_alive, body_unread=self._upload_open)

    # -- upgrades

    def switch_protocols(self, known: KnownAnswer) -> bool:
        """The gateway's 101; False when it is not what the client asked for (RFC 9110 §7.8, RFC 6455 §4.1)."""
        connection = self._connection
        if connection is None or self._upload_open or not is_upgrade_answer(self.known.fields, known.head):
            return False
        self.first_byte = monotonic() - self.started
        self.status = 101
        self.tunnel = open_tunnel(self, connection, known)
        self.keep_alive = False
        self.http.set_deadline(self.timeouts.idle)
        self.http.tunnel_opened()
        self.drain()
        return True

    def drain(self) -> None:
        """If the pod is going, tell a WebSocket; a request goes on to its end, which ends the connection."""
        if self.edge.draining:
            self.keep_alive = False
            if self.tunnel is not None:
                self.tunnel.drain()

    # -- backpressure

    def gateway_paused(self) -> None:
        self.http.hold.add(GATEWAY)

    def gateway_resumed(self) -> None:
        self.http.hold.drop(GATEWAY)

    def client_paused(self) -> None:
        if self._connection is not None:
            self._connection.pause_reading()

    def client_resumed(self) -> None:
        if self._connection is not None:
            self._connection.resume_reading()
            self.http.set_deadline(self.timeouts.idle)

    # -- endings that nobody wished for

    def note_gateway_error(self, reason: str, address: str) -> None:
        """One address of the gateway failed; another may yet serve."""
        self.gateway = json_text(address)
        self._state.report.gateway_error(reason)

    def gateway_lost(self, connection: GatewayConnection, *, reset: bool) -> None:
        """The gateway's connection is gone before the answer was complete."""
        if self.done or self._connection is not connection:
            return
        pool = connection.pool
        pool.release(connection, keep=False)
        self._connection = None
        if self.tunnel is not None:
            self._finish(monotonic())
            self.http.exchange_done(keep_alive=False, body_unread=False)
        elif not self._retried and self._upload is None and may_retry(self.known, self.method, connection):
            self._retried = True
            pool.connect(self)
        else:
            if not connection.answered:
                pool.failed(connection.endpoint)
            reason = "gateway_reset" if reset else "gateway_closed"
            detail = "The gateway broke off before its answer was complete."
            self.fail(EntryError(502, reason, detail, source=Source.GATEWAY))

    def timed_out(self) -> None:
        """The deadline of the present phase has passed."""
        is_answering = self.tunnel is not None or self._relay is not None
        is_reading = self._upload_open and not self.http.hold.reasons
        self.fail(missed_deadline(is_answering=is_answering, is_reading=is_reading))

    def client_gone(self, reason: str = "client_closed") -> None:
        """The client left, or was given up; so is the work at the gateway."""
        if self.done:
            return
        self._drop_connection(graceful=self.tunnel is not None)
        if self.tunnel is None:
            self.error = json_text(reason)
            self.status = self.status if self._relay is not None else _CLIENT_CLOSED
        self._finish(monotonic())

    def fail(self, error: EntryError) -> None:
        """End the exchange: with an answer of ours if none has begun, else by cutting it so that it does not look
        complete.
        """
        if self.done:
            return
        if error.source is Source.GATEWAY:
            self._state.report.gateway_error(error.reason)
        else:
            self.edge.report.reject(error.reason)
        self._drop_connection(graceful=False)
        self.error = json_text(error.reason)
        if self._relay is not None or self.tunnel is not None:
            self._finish(monotonic())
            self.http.cut()
            return
        self.status = error.status
        self.first_byte = monotonic() - self.started
        close = error.close or self._upload_open or not self.keep_alive
        self.sent += send_problem(self.http, error, self.request_id, self.known, self.method, close=close)
        self._finish(monotonic())
        self.http.exchange_done(keep_alive=not close, body_unread=self._upload_open or error.close)

    def _drop_connection(self, *, graceful: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pool.release(connection, keep=False) if graceful else connection.pool.discard(connection)

    # -- finish

    def _finish(self, now: float) -> None:
        """Give back what was taken, count, log; the last thing that happens, once. now: time.monotonic."""
        self.done = True
        state = self._state
        if self._row >= 0:
            state.leave(self._row)
        state.report.in_flight -= 1
        self.ended = now
        self.edge.accounts.add(self)

    @property
    def report(self) -> TenantReport:
        return self._state.report

    def record(self, epoch: float) -> Record:
        """For the accounts, once it has ended. epoch: Unix time when time.monotonic was 0."""
        return record_of(self, epoch)
