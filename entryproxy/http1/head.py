"""Where a head ends in a buffer that grows (RFC 9112 §2.1)."""

from __future__ import annotations

import re

from entryproxy.errors import EntryError
from entryproxy.http1.grammar import malformed

_BARE_LINE_END = re.compile(rb"\r[^\n]|(?<!\r)\n").search


def find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """The index just past the empty line that ends the head, or -1 when it has not arrived yet.

    `start` is how much of the buffer an earlier call has seen, 0 at first; bytes before it belong to the same head. A
    head that can no longer end well, as it holds a CR or LF alone, raises 400 at once instead of waiting for the
    deadline. When the end is there, the parsers judge the lines.
    """
    seen = max(start - 3, 0)
    end = buffer.find(b"\r\n\r\n", seen)
    if end >= 0:
        return end + 4
    if _BARE_LINE_END(buffer, seen) is not None:
        raise malformed("A line of the head ends in a bare CR or LF.", "malformed_request_line")
    return -1


def check_sizes(buffer: bytes, line_bytes_max: int, head_bytes_max: int) -> None:
    """Raises 414 when the request line at the start of `buffer` is too long, 431 when the fields behind it are, whether
    they have arrived whole or not (RFC 9110 §15.5.15, RFC 6585 §5).
    """
    line_end = buffer.find(b"\r\n")
    if (line_end if line_end >= 0 else len(buffer)) > line_bytes_max:
        raise EntryError(414, "request_line_too_long", "The request line is too long.", close=True)
    if len(buffer) > head_bytes_max:
        raise EntryError(431, "head_too_long", "The request's fields are too long.", close=True)
