"""Where does the first message in these bytes end, and what is its body? Three readers answer: ours, h11 and llhttp.

A reader gives a `Message` when it has read one whole, `Unfinished` when it waits for more, `Refused` when it would
answer 4xx or 502.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import h11
import httptools

from entryproxy.errors import EntryError
from entryproxy.http1.chunked import ChunkedDecoder
from entryproxy.http1.head import find_head_end
from entryproxy.http1.request import RequestFields, RequestLine, parse_request_fields, parse_request_line
from entryproxy.http1.response import ResponseHead, parse_response_head


@dataclass(frozen=True)
class Message:
    """start: what its first line says: method, target and minor version, or status. end: offset of the byte after
    it.
    """

    start: tuple[bytes | int, ...]
    end: int
    body: bytes


@dataclass(frozen=True)
class Unfinished:
    """body: what of it can be told so far."""

    body: bytes = b""


@dataclass(frozen=True)
class Refused:
    status: int = 400
    detail: str = ""


Verdict = Message | Unfinished | Refused
Reader = Callable[[bytes], Verdict]


# -- ours, put together as an entry would


@dataclass
class OurMessage:
    """What our reader saw, for tests that forward it."""

    line: RequestLine | None = None
    fields: RequestFields | None = None
    response: ResponseHead | None = None
    body: bytes = b""
    trailers: bytes = b""


def read_request(data: bytes, cuts: Sequence[int] = (), seen: OurMessage | None = None) -> Verdict:
    """Our reading of a request that arrives in pieces cut at the offsets `cuts`."""
    seen = seen if seen is not None else OurMessage()
    try:
        return _read_request(data, cuts, seen)
    except EntryError as error:
        assert error.close, "what is malformed ends the connection"
        return Refused(error.status, error.detail)


def _read_request(data: bytes, cuts: Sequence[int], seen: OurMessage) -> Verdict:
    begin = 2 if data.startswith(b"\r\n") else 0
    end = _find_end(data[begin:], [cut - begin for cut in cuts if cut > begin])
    if end < 0:
        return Unfinished()
    end += begin
    first, _, block = data[begin : end - 2].partition(b"\r\n")
    line = seen.line = parse_request_line(first)
    fields = seen.fields = parse_request_fields(block)
    if fields.host is None and line.minor == 1:
        return Refused(400, "no Host")
    if fields.chunked and line.minor == 0:
        return Refused(400, "chunked in HTTP/1.0")
    start = (line.method, line.target, line.minor)
    return _read_body(data, end, start, fields.chunked, fields.content_length or 0, cuts, seen)


def read_response(data: bytes, cuts: Sequence[int] = (), seen: OurMessage | None = None) -> Verdict:
    """Our reading of a response to a GET; one that lasts until the connection closes stays unfinished."""
    seen = seen if seen is not None else OurMessage()
    try:
        end = _find_end(data, cuts)
        if end < 0:
            return Unfinished()
        head = seen.response = parse_response_head(data[:end])
        start = (head.status,)
        if head.status < 200 or head.status in (204, 304):
            return Message(start, end, b"")
        if head.content_length is None and not head.chunked:
            return Unfinished(data[end:])
        return _read_body(data, end, start, head.chunked, head.content_length or 0, cuts, seen)
    except EntryError as error:
        assert error.close
        return Refused(error.status, error.detail)


def _find_end(data: bytes, cuts: Sequence[int]) -> int:
    seen = 0
    for cut in (*sorted(cuts), len(data)):
        end = find_head_end(data[:cut], seen)
        if end >= 0:
            return end
        seen = min(cut, len(data))
    return -1


def _read_body(
    data: bytes,
    begin: int,
    start: tuple[bytes | int, ...],
    chunked: bool,
    length: int,
    cuts: Sequence[int],
    seen: OurMessage,
) -> Verdict:
    if not chunked:
        seen.body = data[begin : begin + length]
        return Message(start, begin + length, seen.body) if len(seen.body) == length else Unfinished(seen.body)
    decoder = ChunkedDecoder(chunk_line_bytes_max=16_384, trailer_bytes_max=16_384)
    bounds = [begin, *sorted(cut for cut in cuts if begin < cut < len(data)), len(data)]
    for left, right in itertools.pairwise(bounds):
        seen.body += b"".join(decoder.feed(data[left:right]))
        if decoder.done:
            seen.trailers = decoder.trailers
            return Message(start, right - len(decoder.rest), seen.body)
    return Unfinished(seen.body)


# -- h11


def read_request_with_h11(data: bytes) -> Verdict:
    return _read_with_h11(h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20), data)


def read_response_with_h11(data: bytes) -> Verdict:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    upgrade = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
    connection.send(h11.Request(method="GET", target="/", headers=upgrade))
    connection.send(h11.EndOfMessage())
    return _read_with_h11(connection, data)


def _read_with_h11(connection: h11.Connection, data: bytes) -> Verdict:
    start: tuple[bytes | int, ...] = ()
    body = b""
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                start = (event.method, event.target, int(event.http_version[2:]))
            elif isinstance(event, h11.InformationalResponse | h11.Response):
                start = (event.status_code,)
                if event.status_code < 200:
                    return Message(start, len(data) - len(connection.trailing_data[0]), b"")
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return Message(start, len(data) - len(connection.trailing_data[0]), body)
            else:
                return Unfinished(body)
    except h11.RemoteProtocolError as error:
        return Refused(error.error_status_hint, str(error))


# -- llhttp, strict as Node.js runs it


@dataclass
class _Events:
    url: bytes = b""
    body: bytes = b""
    complete: bool = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def read_request_with_llhttp(data: bytes) -> Verdict:
    events = _Events()
    parser = httptools.HttpRequestParser(events)
    verdict = _read_with_llhttp(parser, events, data)
    if isinstance(verdict, Message):
        start = (parser.get_method(), events.url, int(parser.get_http_version()[2:]))
        return Message(start, verdict.end, verdict.body)
    return verdict


def read_response_with_llhttp(data: bytes) -> Verdict:
    events = _Events()
    parser = httptools.HttpResponseParser(events)
    verdict = _read_with_llhttp(parser, events, data)
    if isinstance(verdict, Message):
        return Message((parser.get_status_code(),), verdict.end, verdict.body)
    return verdict


def _read_with_llhttp(
    parser: httptools.HttpRequestParser | httptools.HttpResponseParser, events: _Events, data: bytes
) -> Verdict:
    """Fed octet by octet, as llhttp does not say where a message ended."""
    for offset in range(len(data)):
        try:
            parser.feed_data(data[offset : offset + 1])
        except httptools.HttpParserUpgrade:
            return Message((), offset + 1, events.body)
        except httptools.HttpParserError as error:
            if "Pause on CONNECT/Upgrade" in str(error):
                return Message((), offset + 1, events.body)
            return Refused(400, str(error))
        if events.complete:
            return Message((), offset + 1, events.body)
    return Unfinished(events.body)
