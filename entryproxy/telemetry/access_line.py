"""One line of the access log, rendered.

What repeats is rendered once and kept where it belongs: `ConnectionText` with the client's connection, `HeadText` with
the remembered head. `LineRenderer` joins these with what differs from request to request. An unknown value is null.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as _quote

NULL = "null"
_MILLISECONDS = tuple(f'{millisecond:03d}Z"' for millisecond in range(1000))


def json_text(value: str | bytes | None) -> str:
    """`value` as a JSON string in ASCII, quotes included; None as null.

    Octets are taken as Latin-1, so any header value can be logged and read back exactly. Control characters come out
    escaped: nobody can forge a line or drive a terminal.
    """
    if value is None:
        return NULL
    text = value if isinstance(value, str) else value.decode("latin-1")
    return _quote(text).replace("\x7f", "\\u007f")


def json_seconds(seconds: float | None) -> str:
    """Seconds with microseconds; None as null."""
    return NULL if seconds is None else f"{seconds:.6f}"


class ConnectionText:
    """The members of a line that a client's connection decides."""

    __slots__ = ("client", "tls_version")

    def __init__(self, *, client: str | None, tls_version: str | None) -> None:
        """client: the client's address without port. tls_version: "TLSv1.3", None on plain connections."""
        self.client = f'"client":{json_text(client)}'
        self.tls_version = f'"tlsVersion":{json_text(tls_version)}'


class HeadText:
    """The members of a line that a request's header block decides, together with the snapshot."""

    __slots__ = ("host", "route", "user_agent")

    def __init__(
        self,
        *,
        tenant: str | None = None,
        service: str | None = None,
        domain_type: str | None = None,
        host: str | bytes | None = None,
        user_agent: str | bytes | None = None,
    ) -> None:
        """domain_type: "system" or "custom". Everything is None for a request that was refused before it was known."""
        self.route = (
            f'"tenant":{json_text(tenant)},"service":{json_text(service)},"domainType":{json_text(domain_type)}'
        )
        self.host = f'"host":{json_text(host)}'
        self.user_agent = f'"userAgent":{json_text(user_agent)}'


class LineRenderer:
    """Renders lines; one per event loop, since it remembers the second it is in."""

    __slots__ = ("_second", "_second_text")

    def __init__(self) -> None:
        self._second = -1
        self._second_text = ""

    def render(
        self,
        now: float,
        request_id: str,
        head: HeadText,
        connection: ConnectionText,
        method: str,
        path: str,
        protocol: str,
        status: int,
        received_bytes: int,
        sent_bytes: int,
        duration: str,
        first_byte: str,
        gateway: str,
        error: str,
    ) -> bytes:
        """One line with the fields of docs/contract.md in their order, ending in a newline.

        now: Unix time. request_id: hexadecimal digits, or another token that needs no escaping. protocol: one of our
        own words, "HTTP/1.1". The rest is JSON already: method, path (the target as received, with its query),
        gateway (the address dialled) and error (the reason of an EntryError) by `json_text`, duration and first_byte
        by `json_seconds`.
        """
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return (
            f'{{"time":"{self._second_text}{_MILLISECONDS[int((now - second) * 1000)]},"requestId":"{request_id}",'
            f'{head.route},{connection.client},"method":{method},{head.host},"path":{path},"protocol":"{protocol}",'
            f'"status":{status},"receivedBytes":{received_bytes},"sentBytes":{sent_bytes},'
            f'"duration":{duration},"timeToFirstByte":{first_byte},"gateway":{gateway},"error":{error},'
            f"{connection.tls_version},{head.user_agent}}}\n"
        ).encode("ascii")
