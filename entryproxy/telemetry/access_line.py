"""One line of the access log, rendered.

What repeats is rendered once and kept where it belongs: `ConnectionText` with the client's connection, `HeadText` with
the remembered head. `LineRenderer` joins these with what differs from request to request. An unknown value is null.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
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


@lru_cache(maxsize=1_024)
def _json_word(value: str | None) -> str:
    """`json_text` for what comes again and again: addresses, versions."""
    return json_text(value)


class ConnectionText:
    """The members of a line that a client's connection decides."""

    __slots__ = ("client", "tls_version")

    def __init__(self, *, client: str | None, tls_version: str | None) -> None:
        """client: the client's address without port. tls_version: "TLSv1.3", None on plain connections."""
        self.client = f'"client":{_json_word(client)}'
        self.tls_version = f'"tlsVersion":{_json_word(tls_version)}'


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


AT_ONCE = -1.0
"""As a record's first_byte: the first byte of the answer was sent together with the last."""

Record = tuple[
    float, bytes, HeadText, ConnectionText, str, str, str, int, int, int, float, float | None, str, str
]  # fmt: skip
"""What is known of one finished request, in the order of the line:

now (Unix time), request id (a token that needs no escaping), head, connection, method (JSON), path (JSON: the target
as received, with its query), protocol (one of our own words, "HTTP/1.1"), status, received bytes, sent bytes,
duration in seconds, seconds to the first byte (None when nothing was sent, or AT_ONCE), gateway (JSON: the address
dialled), error (JSON: the reason of an EntryError).
"""


class LineRenderer:
    """Renders lines; one per event loop, since it remembers the second it is in."""

    __slots__ = ("_second", "_second_text")

    def __init__(self) -> None:
        self._second = -1
        self._second_text = ""

    def render(self, records: Iterable[Record]) -> bytes:
        """A line for each record, with the fields of docs/contract.md in their order, each ending in a newline."""
        lines = []
        for (
            now, request_id, head, connection, method, path, protocol,
            status, received, sent, duration, first_byte, gateway, error,
        ) in records:  # fmt: skip
            second = int(now)
            if second != self._second:
                self._second = second
                self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            duration_text = f"{duration:.6f}"
            first_byte_text = duration_text if first_byte == AT_ONCE else json_seconds(first_byte)
            lines.append(
                f'{{"time":"{self._second_text}{_MILLISECONDS[int((now - second) * 1000)]},'
                f'"requestId":"{request_id.decode()}",{head.route},{connection.client},"method":{method},{head.host},'
                f'"path":{path},"protocol":"{protocol}","status":{status},"receivedBytes":{received},"sentBytes":{sent},'
                f'"duration":{duration_text},"timeToFirstByte":{first_byte_text},"gateway":{gateway},"error":{error},'
                f"{connection.tls_version},{head.user_agent}}}\n"
            )
        return "".join(lines).encode("ascii")
