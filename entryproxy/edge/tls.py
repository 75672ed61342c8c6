"""TLS between a client's TCP connection and HTTP, over two memory BIOs.

The ClientHello is read before OpenSSL sees it: its server name chooses the tenant, the certificate and the ticket
keys, so that a name we don't serve costs no handshake and gets its alert, and a ticket of one tenant means nothing to
another. The bytes then go to OpenSSL unchanged.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from entryproxy.edge.transport import CLOSING, LINGERING, OPEN, START, ClientTransport
from entryproxy.preface.client_hello import ClientHello, ClientHelloReader, alert_record, read_unfragmented
from entryproxy.preface.errors import UNRECOGNIZED_NAME, PrefaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from entryproxy.edge.context import EdgeContext

RECORD_BYTES = 16_384
"""The most plaintext a TLS record carries (RFC 8446 §5.1)."""
_FEED_BYTES = 32_768
"""How much ciphertext OpenSSL is given at a time: a memory BIO keeps the largest size it ever had."""
_ALERT_INTERNAL_ERROR = 80


class TlsTransport(ClientTransport):
    """A client's connection on the TLS port."""

    __slots__ = (
        "_hello_reader",
        "_incoming",
        "_outgoing",
        "_read",
        "_tls",
        "server_name",
        "server_tenant",
        "tls_version",
    )

    secure = True

    def __init__(self, edge: EdgeContext) -> None:
        super().__init__(edge)
        self._hello_reader: ClientHelloReader | None = None  # only while a hello comes in pieces
        self._tls: ssl.SSLObject | None = None
        self.server_name = ""
        self.server_tenant = None
        self.tls_version = ""

    # -- protocol interface

    def data_received(self, data: bytes) -> None:
        if self._stage == OPEN:
            size = len(data)
            if size <= RECORD_BYTES:
                self._decrypt(data, size)  # plaintext is shorter than its records
            else:
                self._decrypt_slices(data)
        elif self._stage == START:
            self._handshake_data(data)
        else:
            self._early_data(data)

    # -- what HTTP uses

    def write(self, data: bytes) -> None:
        if self._stage != OPEN:
            return
        if len(data) <= RECORD_BYTES:
            self._tls.write(data)  # type: ignore[union-attr]  # OPEN has it
            self._transport.write(self._outgoing.read())
        else:
            self._transport.writelines(self._encrypted(data))

    def writelines(self, pieces: Sequence[bytes | memoryview]) -> None:
        if self._stage == OPEN:
            records: list[bytes] = []
            small = b""
            for piece in pieces:  # small neighbours share a record; large pieces are not copied
                if len(piece) + len(small) <= RECORD_BYTES:
                    small += piece
                else:
                    if small:
                        records += self._encrypted(small)
                        small = b""
                    records += self._encrypted(piece)
            if small:
                records += self._encrypted(small)
            self._transport.writelines(records)

    # -- records

    def _encrypted(self, data: bytes | memoryview) -> list[bytes]:
        """`data` as TLS records, drained one by one so that the BIO stays small."""
        tls, outgoing = self._tls, self._outgoing
        assert tls is not None
        view = memoryview(data)
        records = []
        for start in range(0, len(view), RECORD_BYTES):
            tls.write(view[start : start + RECORD_BYTES])
            records.append(outgoing.read())
        return records

    def _decrypt_slices(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _FEED_BYTES):
            if self._stage != OPEN:
                return
            self._decrypt(view[start : start + _FEED_BYTES])

    def _decrypt(self, data: bytes | memoryview, bytes_max: int = RECORD_BYTES) -> None:
        """Feed ciphertext, hand on the plaintext of every record that is complete, at most bytes_max of it at a
        time.
        """
        incoming, read = self._incoming, self._read
        incoming.write(data)
        try:
            while True:
                plaintext = read(bytes_max)
                if not plaintext:
                    self._peer_closed()
                    return
                self._http.data_received(plaintext)  # type: ignore[union-attr]  # OPEN has it
                if self._stage != OPEN or not (incoming.pending or self._tls.pending()):  # type: ignore[union-attr]
                    break
                bytes_max = RECORD_BYTES  # what came now may have completed a record that is longer than itself
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._broken()
            return
        if self._outgoing.pending and self._stage == OPEN:  # a KeyUpdate's answer
            self._transport.write(self._outgoing.read())

    def _peer_closed(self) -> None:
        """The client's close_notify: nothing more will come, and nobody waits for an answer."""
        if self._http is not None:
            self._http.eof_received()
        self.close()

    def _broken(self) -> None:
        """A record that can't be: OpenSSL has written its alert; what the client got so far must not look complete."""
        if self._stage == OPEN and self._outgoing.pending:
            self._transport.write(self._outgoing.read())
        self.cut()

    def _goodbye(self) -> None:
        if self._stage != OPEN or self._tls is None:
            return
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # close_notify is written all the same; nobody waits for the peer's
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    # -- handshake

    def _begin(self) -> None:
        self._stage = START

    def _handshake_data(self, data: bytes) -> None:
        if self._tls is None:
            hello = self._read_hello(data)
            if hello is None or not self._choose(hello):
                return
            if self._hello_reader is not None:
                data, self._hello_reader = self._hello_reader.pending, None
        if len(data) <= _FEED_BYTES:
            self._incoming.write(data)
            self._handshake()
        else:
            for start in range(0, len(data), _FEED_BYTES):
                self.data_received(data[start : start + _FEED_BYTES])  # which knows when the handshake is over

    def _read_hello(self, data: bytes) -> ClientHello | None:
        """None while more is needed, or when the connection has been refused."""
        bytes_max = self._edge.limits.client_hello_bytes_max
        try:
            if self._hello_reader is None:
                hello = read_unfragmented(data, bytes_max=bytes_max)
                if hello is not None:
                    return hello
                self._hello_reader = ClientHelloReader(bytes_max)
            return self._hello_reader.feed(data)
        except PrefaceError as error:
            self._refuse("malformed", error.alert)
            return None

    def _choose(self, hello: ClientHello) -> bool:
        """Take the context that the server name leads to; True when OpenSSL may go on."""
        edge = self._edge
        name = None if hello.server_name_is_ip else hello.server_name
        chosen = edge.choose_context(name)
        if chosen is None:
            self._refuse("unrecognized_name", UNRECOGNIZED_NAME)
            return False
        context, self.server_tenant = chosen
        self.server_name = name or ""
        if not edge.admit_to_tenant(self):
            self._refuse("tenant_connections", _ALERT_INTERNAL_ERROR)
            return False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._read: Callable[[int], bytes] = self._tls.read
        return True

    def _handshake(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            if self._outgoing.pending:
                self._transport.write(self._outgoing.read())
            return
        except ssl.SSLError as error:
            self._edge.report.handshake(_handshake_failure(error))
            if self._outgoing.pending:
                self._transport.write(self._outgoing.read())  # the alert
            self._linger_refused()
            return
        if self._outgoing.pending:  # tickets; at once, for their segment acknowledges the client's Finished: see Nagle
            self._transport.write(self._outgoing.read())
        self._edge.report.handshake("resumed" if self._tls.session_reused else "full")
        self.tls_version = self._tls.version() or ""
        self._open()
        if self._incoming.pending:
            self._decrypt(b"")

    def _refuse(self, result: str, alert: int | None) -> None:
        self._hello_reader = None
        self._edge.report.handshake(result)
        if alert is not None:
            self._transport.write(alert_record(alert))
        self._linger_refused()

    def _linger_refused(self) -> None:
        """End so that the alert arrives although the client may still be sending."""
        if self._stage < LINGERING:
            self.close_lingering()

    def expired(self, now: float) -> None:
        if self._stage < OPEN:
            self._edge.report.handshake("timeout")
            self._stage = CLOSING
            self._transport.abort()
        else:
            self.abort()


def _handshake_failure(error: ssl.SSLError) -> str:
    """A short word for the metric; OpenSSL's own reasons are too many for a label."""
    reason = (error.reason or "").lower()
    if "version" in reason or "protocol" in reason:
        return "protocol_version"
    if "cipher" in reason or "group" in reason:
        return "no_shared_parameters"
    if "alert" in reason:
        return "client_alert"
    return "failed"
