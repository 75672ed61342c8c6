"""What a request must satisfy before its tenant's gateway hears of it, and what may become of it there. Pure: looks at
the request and its connections only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from entryproxy.errors import EntryError, Source

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.edge.heads import KnownRequest
    from entryproxy.edge.transport import ClientTransport
    from entryproxy.edge.upstream import GatewayConnection
    from entryproxy.http1.request import RequestFields, RequestLine
    from entryproxy.http1.response import ResponseHead

_WEBSOCKET_KEY_BYTES = 16
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3

_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})  # RFC 9110 §9.2.2


def check_request(link: ClientTransport, known: KnownRequest, line: RequestLine) -> None:
    """Raise EntryError for a host without tenant, a host of another tenant than the SNI's, a request that goes round
    and round, or half a WebSocket handshake.
    """
    server_tenant = link.server_tenant
    if server_tenant is not None:
        host_tenant = known.route.tenant.id if known.route is not None else ""
        if host_tenant != server_tenant:
            raise EntryError(
                421, "misdirected", "The TLS server name and the Host lead to different tenants.", close=True
            )
    if known.refusal is not None:
        # A copy: raising adds to an exception's traceback, whose frames would keep every connection that was refused.
        refusal = known.refusal
        raise EntryError(refusal.status, refusal.reason, refusal.detail, source=refusal.source)
    if known.fields.upgrade is not None and is_websocket(known.fields.upgrade):
        _check_websocket(known.fields, line)


def _check_websocket(fields: RequestFields, line: RequestLine) -> None:
    """RFC 6455 §4.2.1: what a server, and so what stands before one, must see."""
    if line.method != b"GET" or fields.websocket_key is None or fields.websocket_version is None:
        raise EntryError(400, "incomplete_websocket", "The WebSocket handshake is not complete.", close=True)
    if fields.websocket_version != b"13":
        raise EntryError(
            426,
            "websocket_version",
            "Only version 13 of WebSocket is spoken here.",
            headers=(("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"), ("Connection", "Upgrade")),
        )
    try:
        key = base64.b64decode(fields.websocket_key, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _WEBSOCKET_KEY_BYTES:
        raise EntryError(400, "incomplete_websocket", "Sec-WebSocket-Key is not 16 bytes in base64.", close=True)


def is_upgrade_answer(fields: RequestFields, head: ResponseHead) -> bool:
    """Whether a 101 is what the client asked for (RFC 9110 §7.8), a WebSocket's with the proof that it was
    understood.
    """
    if fields.upgrade is None or head.upgrade is None or not _protocols(head.upgrade) <= _protocols(fields.upgrade):
        return False
    if not is_websocket(head.upgrade):
        return True
    key = fields.websocket_key or b""
    digest = hashlib.sha1(key + _WEBSOCKET_GUID, usedforsecurity=False).digest()  # RFC 6455 §4.2.2
    return head.websocket_accept == base64.b64encode(digest)


def is_websocket(upgrade: bytes) -> bool:
    """An Upgrade field that names WebSocket among its protocols."""
    return b"websocket" in _protocols(upgrade)


def _protocols(upgrade: bytes) -> set[bytes]:
    return {protocol.strip().lower() for protocol in upgrade.split(b",")}


def redirect_location(edge: EdgeContext, link: ClientTransport, known: KnownRequest, target: bytes) -> str | None:
    """Where port 80 sends a request of a known host, None to serve it here: by the tenant's or the platform's choice,
    or because a trusted proxy says that its client already speaks https to it.
    """
    if known.route is None or not known.route.tenant.https_redirect or target == b"*":
        return None
    if link.trusted and known.fields.forwarded_proto == b"https":
        return None
    host = known.fields.host or b""
    name, colon, port = host.decode("latin-1").rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host.decode("latin-1"), ""
    # A client that names the very port we listen on came without a load balancer; it needs our https port by number,
    # too.
    suffix = f":{edge.https_port}" if port and port == str(edge.http_port) and edge.https_port != 443 else ""
    return f"https://{name}{suffix}{target.decode('latin-1')}"


def may_retry(known: KnownRequest, method: bytes, connection: GatewayConnection) -> bool:
    """Whether a request without a body that was lost with `connection` may go to another one: a kept connection may
    have been closed as the request was on its way (RFC 9112 §9.3.1).
    """
    return connection.reused and not connection.answered and known.fields.upgrade is None and method in _IDEMPOTENT


def missed_deadline(*, is_answering: bool, is_reading: bool) -> EntryError:
    """Who was too slow. is_answering: the answer or the tunnel has begun; is_reading: the client owes us the body."""
    if is_answering:
        return EntryError(504, "idle_timeout", "Nothing moved for too long.", source=Source.GATEWAY)
    if is_reading:
        return EntryError(408, "body_timeout", "The request's body did not arrive in time.", close=True)
    return EntryError(504, "first_byte_timeout", "The gateway did not answer in time.", source=Source.GATEWAY)
