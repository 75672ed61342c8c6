"""Chunked bodies, both ways (RFC 9112 §7.1)."""

from __future__ import annotations

import re

from entryproxy.errors import EntryError
from entryproxy.http1.grammar import BLANKS, TOKEN, malformed, require_name, split_lines
from entryproxy.http1.head import find_head_end
from entryproxy.http1.names import may_trail

EXTENSION_BYTES_MAX = 16 * 1024
"""Chunk extensions of one message, summed: they carry nothing, and a body could consist of them."""

TRAILER_FIELDS_MAX = 100

_SMALL = 512  # octets; below, copying a piece costs less than the objects that would carry it on

# Possessive throughout: a hostile line is judged in one pass.
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t -\x7e\x80-\xff])*+"'
_EXTENSION = rb";" + TOKEN + rb"+(?:=(?:" + TOKEN + rb"+|" + _QUOTED + rb"))?+"
_match_chunk_line = re.compile(rb"([0-9A-Fa-f]{1,15}+)((?:" + _EXTENSION + rb")*+)\r\n").match
_match_unfinished_chunk_line = re.compile(rb"[0-9A-Fa-f]{1,15}+(?:;[^\r\n]*+)?+\r?").fullmatch
_match_plain_chunk_line = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)

Piece = memoryview | bytes


class ChunkedDecoder:
    """Takes a chunked body apart as it arrives, split anywhere.

    done: the last chunk and the trailer section were read. rest: bytes after the message, only when done. trailers: the
    trailer fields that may be forwarded, "Name: value" CRLF each (RFC 9110 §6.5.1). One decoder serves one body and is
    not fed again after it is done or has raised.
    """

    __slots__ = (
        "_chunk_line_bytes_max",
        "_extension_bytes",
        "_left",
        "_partial",
        "_state",
        "_trailer_bytes_max",
        "done",
        "rest",
        "trailers",
    )

    def __init__(self, *, chunk_line_bytes_max: int, trailer_bytes_max: int) -> None:
        self.done = False
        self.rest = b""
        self.trailers = b""
        self._chunk_line_bytes_max = chunk_line_bytes_max
        self._trailer_bytes_max = trailer_bytes_max
        self._state = _SIZE
        self._left = 0  # octets of the current chunk still to come
        self._partial = bytearray()  # of a chunk line, of the CRLF after a chunk, or of the trailer section
        self._extension_bytes = 0

    def feed(self, data: bytes) -> list[Piece]:
        """The payload in `data`, in order, none of it empty; long pieces are views of `data`.

        Chunk boundaries carry no meaning, so small chunks that arrive together come as one piece: a body of one-octet
        chunks costs no more objects than any other. Raises 400 `malformed_chunk`.
        """
        pieces: list[Piece | bytearray] = []
        position = 0
        while position < len(data):
            state = self._state
            if state == _DATA:
                position = self._read_data(data, position, pieces)
            elif state == _SIZE:
                if not self._partial:
                    position = self._read_whole_chunks(data, position, pieces)
                if position < len(data):
                    position = self._read_chunk_line(data, position)
            elif state == _DATA_END:
                position = self._read_data_end(data, position)
            elif state == _TRAILERS:
                self._read_trailers(data[position:])
                break
            else:
                raise RuntimeError("fed after the end of the body")
        return [bytes(piece) if isinstance(piece, bytearray) else piece for piece in pieces]

    def _read_whole_chunks(self, data: bytes, position: int, pieces: list[Piece | bytearray]) -> int:
        """Fast path: chunks without extensions that lie in `data` with both their CRLFs; stops before anything else."""
        limit = self._chunk_line_bytes_max + 2
        while (match := _match_plain_chunk_line(data, position)) is not None:
            start = match.end()
            size = int(match[1], 16)
            stop = start + size
            if not size or data[stop : stop + 2] != b"\r\n" or start - position > limit:
                break
            _append(pieces, data, start, stop)
            position = stop + 2
        return position

    def _read_chunk_line(self, data: bytes, position: int) -> int:
        limit = self._chunk_line_bytes_max + 2 - len(self._partial)
        end = data.find(b"\n", position, position + limit) + 1
        if not end:
            if len(data) - position >= limit:
                raise _broken("A chunk line is too long.")
            self._partial += data[position:]
            if _match_unfinished_chunk_line(self._partial) is None:
                raise _broken("A chunk line does not start with a size in hexadecimal.")
            return len(data)
        line = bytes(self._partial) + data[position:end]
        self._partial.clear()
        match = _match_chunk_line(line)
        if match is None:
            raise _broken("A chunk line is not a size in hexadecimal, well-formed extensions and CRLF.")
        self._extension_bytes += len(match[2])
        if self._extension_bytes > EXTENSION_BYTES_MAX:
            raise _broken("The chunk extensions are too long.")
        self._left = int(match[1], 16)
        self._state = _DATA if self._left else _TRAILERS
        return end

    def _read_data(self, data: bytes, position: int, pieces: list[Piece | bytearray]) -> int:
        stop = min(position + self._left, len(data))
        _append(pieces, data, position, stop)
        self._left -= stop - position
        if not self._left:
            self._state = _DATA_END
        return stop

    def _read_data_end(self, data: bytes, position: int) -> int:
        end = position + 2 - len(self._partial)
        self._partial += data[position:end]
        if self._partial == b"\r\n":
            self._partial.clear()
            self._state = _SIZE
        elif self._partial != b"\r":
            raise _broken("A chunk is longer than its size says.")
        return min(end, len(data))

    def _read_trailers(self, data: bytes) -> None:
        """Collects the trailer section; the CRLF of the last chunk's line is put before it, so that it ends like a
        head.
        """
        if not self._partial:
            self._partial += b"\r\n"
        seen = len(self._partial)
        self._partial += data
        try:
            end = find_head_end(self._partial, seen)
            if (end if end >= 0 else len(self._partial)) > self._trailer_bytes_max + 4:
                raise _broken("The trailer section is too long.")
            if end < 0:
                return
            self.trailers = _parse_trailers(bytes(self._partial[2 : end - 2]))
        except EntryError as error:
            raise _broken(error.detail) from error
        self.rest = bytes(self._partial[end:])
        self._partial.clear()
        self._state = _DONE
        self.done = True


def _append(pieces: list[Piece | bytearray], data: bytes, start: int, stop: int) -> None:
    if stop - start >= _SMALL:
        pieces.append(data if stop - start == len(data) else memoryview(data)[start:stop])
    elif pieces and isinstance(last := pieces[-1], bytearray):
        last += data[start:stop]
    else:
        pieces.append(bytearray(data[start:stop]))


def _parse_trailers(block: bytes) -> bytes:
    lines: list[bytes] = []
    for line in split_lines(block, TRAILER_FIELDS_MAX):
        name, colon, value = line.partition(b":")
        if not colon:
            raise malformed("A field line has no colon.")
        require_name(name)
        if may_trail(name.lower()):
            lines.append(b"%b: %b\r\n" % (name, value.lstrip(BLANKS).rstrip(b" ")))
    return b"".join(lines)


def _broken(detail: str) -> EntryError:
    return malformed(detail, "malformed_chunk")


def encode_chunk(piece: Piece) -> tuple[Piece, ...]:
    """Buffers of one chunk, to be written together; none for an empty piece, which would end the body."""
    size = len(piece)
    return (b"%x\r\n" % size, piece, b"\r\n") if size else ()


def last_chunk(trailers: bytes) -> bytes:
    """The end of a chunked body with trailer lines as `ChunkedDecoder.trailers` gives them."""
    return b"0\r\n" + trailers + b"\r\n"
