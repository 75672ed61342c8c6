"""A TLS client's first message, read before a TLS engine exists, so that its server name can choose the certificate.

Only what the choice needs is taken out; the same bytes then go to the TLS engine, which judges everything else. What is
taken out is judged strictly, so that the engine can never see another name than the one the choice was made for.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import struct
from functools import lru_cache

from entryproxy.model import hostname
from entryproxy.preface.errors import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    PROTOCOL_VERSION,
    RECORD_OVERFLOW,
    UNEXPECTED_MESSAGE,
    PrefaceError,
)

_ALERT_RECORD = 21
_HANDSHAKE_RECORD = 22
_HANDSHAKE_START = b"\x16\x03"  # record type and major version
_CLIENT_HELLO = 1
_RECORD_HEADER_BYTES = 5
_MESSAGE_HEADER_BYTES = 4
_RECORD_BYTES_MAX = 16_384  # TLSPlaintext.length, RFC 8446 §5.1
_RECORDS_MAX = 1_536  # bounds the work per byte for a hello that comes in records of one byte

_SERVER_NAME = 0
_EXTENSION_HEADER = struct.Struct(">HH").unpack_from
_HOST_NAME = 0
_RANDOM_BYTES = 32
_SESSION_ID_BYTES_MAX = 32
_SSL_3_0 = 0x0300

_DNS_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NAME_CHARACTERS_MAX = 253
_NAMES_REMEMBERED = 1_024  # clients ask for the same few names again and again


@dataclasses.dataclass(frozen=True, slots=True)
class ClientHello:
    """What a ClientHello asks for.

    server_name: host of the SNI extension (RFC 6066 §3) in lower case without a trailing dot, or None when there is no
    such extension.
    server_name_is_ip: the name is an IP literal, which RFC 6066 forbids but some clients send.
    """

    server_name: str | None
    server_name_is_ip: bool


def read_unfragmented(data: bytes, *, bytes_max: int) -> ClientHello | None:
    """The ClientHello when the first segment, `data`, is one record with just that message, as nearly always.

    None says nothing: a ClientHelloReader then finds out. Raises PrefaceError as the reader would.
    """
    length = len(data) - _RECORD_HEADER_BYTES
    if (
        data[:2] == _HANDSHAKE_START
        and _MESSAGE_HEADER_BYTES < length <= _RECORD_BYTES_MAX
        and len(data) <= bytes_max
        and int.from_bytes(data[3:5]) == length
        and data[5] == _CLIENT_HELLO
        and int.from_bytes(data[6:9]) == length - _MESSAGE_HEADER_BYTES
    ):
        return _parse(data[_RECORD_HEADER_BYTES + _MESSAGE_HEADER_BYTES :])
    return None


class ClientHelloReader:
    """Reads a ClientHello spread over records, and records spread over TCP segments (RFC 8446 §5.1).

    The result depends on the bytes alone, not on how they were split; the work grows with the bytes and the segments,
    because no segment leads back to a record that is already whole.

    bytes_max: what the hello may take on the wire, record headers included.
    """

    __slots__ = ("_bytes_max", "_handshake_bytes", "_offset", "_received", "_records", "_start")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._received = bytearray()
        # The whole records, which are never looked at again until the last one has come:
        self._offset = 0
        self._records = 0
        self._handshake_bytes = 0
        self._start = b""  # of the handshake bytes: as many of the message header's as there are

    @property
    def pending(self) -> bytes:
        """Everything received so far, what follows the hello included: the TLS engine has to read it again."""
        return bytes(self._received)

    def feed(self, data: bytes) -> ClientHello | None:
        """The ClientHello once `data`, what came since the last call, completes it; None while more is needed.

        Raises PrefaceError, with the alert to send, as early as the bytes allow. After a hello or an error the reader
        is done.
        """
        self._received += data
        if self._step():
            return _parse(_join_records(self._received, self._offset))
        if len(self._received) >= self._bytes_max:
            raise PrefaceError("ClientHello too long", alert=ILLEGAL_PARAMETER)
        return None

    def _step(self) -> bool:
        """Go on to the first record that isn't whole yet; True when the message ends before it."""
        received = self._received
        end = min(len(received), self._bytes_max)
        while True:
            length = _record_length(received, self._offset, end)
            if length is None:
                return False
            payload = self._offset + _RECORD_HEADER_BYTES
            missing = _MESSAGE_HEADER_BYTES - len(self._start)
            start = self._start + received[payload : min(payload + min(length, missing), end)]
            message_bytes = _message_length(start, self._bytes_max)
            if payload + length > end:
                return False
            self._offset = payload + length
            self._records += 1
            self._handshake_bytes += length
            self._start = start
            if message_bytes is not None and self._handshake_bytes >= message_bytes:
                if self._handshake_bytes > message_bytes:
                    raise PrefaceError("handshake message behind the ClientHello", alert=UNEXPECTED_MESSAGE)
                return True
            if self._records == _RECORDS_MAX:
                raise PrefaceError("ClientHello in too many records", alert=UNEXPECTED_MESSAGE)


def alert_record(description: int) -> bytes:
    """A fatal alert in plaintext (RFC 8446 §6), for a peer with whom no keys exist yet."""
    return bytes((_ALERT_RECORD, 3, 3, 0, 2, 2, description))


def _join_records(data: bytearray, end: int) -> bytes:
    """Body of the message in the whole records from the start of `data` to `end`."""
    handshake = bytearray()
    offset = 0
    while offset < end:
        payload = offset + _RECORD_HEADER_BYTES
        offset = payload + int.from_bytes(data[payload - 2 : payload])
        handshake += data[payload:offset]
    return bytes(handshake[_MESSAGE_HEADER_BYTES:])


def _record_length(data: bytearray, offset: int, end: int) -> int | None:
    """Payload length of the record at `offset`, judged as early as the bytes before `end` allow; None while they are
    too few.
    """
    header = data[offset : min(offset + _RECORD_HEADER_BYTES, end)]
    if header[:2] == _HANDSHAKE_START and len(header) == _RECORD_HEADER_BYTES:
        length = header[3] << 8 | header[4]
        if 0 < length <= _RECORD_BYTES_MAX:
            return length
    if header and header[0] != _HANDSHAKE_RECORD:
        # An SSL 2.0 hello has its length, with the high bit set, where TLS has the record type.
        is_ssl2 = offset == 0 and header[0] & 0x80
        raise PrefaceError("not a TLS handshake record", alert=PROTOCOL_VERSION if is_ssl2 else UNEXPECTED_MESSAGE)
    if len(header) > 1 and header[1] != 3:
        raise PrefaceError("unknown TLS record version", alert=PROTOCOL_VERSION)
    if len(header) < _RECORD_HEADER_BYTES:
        return None
    if header[3:] == b"\x00\x00":
        raise PrefaceError("empty handshake record", alert=UNEXPECTED_MESSAGE)
    raise PrefaceError("TLS record too long", alert=RECORD_OVERFLOW)


def _message_length(handshake: bytes, bytes_max: int) -> int | None:
    """Whole length of the handshake message that starts here, with its header; None while the header is incomplete."""
    if handshake and handshake[0] != _CLIENT_HELLO:
        raise PrefaceError("first handshake message is no ClientHello", alert=UNEXPECTED_MESSAGE)
    if len(handshake) < _MESSAGE_HEADER_BYTES:
        return None
    length = _MESSAGE_HEADER_BYTES + int.from_bytes(handshake[1:_MESSAGE_HEADER_BYTES])
    if length > bytes_max:
        raise PrefaceError("ClientHello too long", alert=ILLEGAL_PARAMETER)
    return length


def _parse(body: bytes) -> ClientHello:
    """RFC 8446 §4.1.2: version, random, session id, cipher suites, compression methods, extensions."""
    if int.from_bytes(body[:2]) <= _SSL_3_0:
        raise PrefaceError("SSL 3.0 or older", alert=PROTOCOL_VERSION)
    start, end = _vector(body, 2 + _RANDOM_BYTES, 1, 0)
    if end - start > _SESSION_ID_BYTES_MAX:
        raise PrefaceError("session id too long", alert=DECODE_ERROR)
    start, end = _vector(body, end, 2, 2)
    if (end - start) % 2:
        raise PrefaceError("odd length of cipher suites", alert=DECODE_ERROR)
    _, end = _vector(body, end, 1, 1)
    if end == len(body):  # TLS 1.2 allows a hello without any extension
        return ClientHello(server_name=None, server_name_is_ip=False)
    start, end = _vector(body, end, 2, 0)
    if end != len(body):
        raise PrefaceError("bytes behind the extensions", alert=DECODE_ERROR)
    extension = _find_server_name(body, start)
    if extension is None:
        return ClientHello(server_name=None, server_name_is_ip=False)
    return _read_server_name(extension)


def _find_server_name(body: bytes, offset: int) -> bytes | None:
    """The SNI extension among those from `offset` on, which must fill the rest; it may not come twice (RFC 8446
    §4.2).
    """
    found = None
    try:
        while offset < len(body):
            kind, length = _EXTENSION_HEADER(body, offset)
            offset += 4 + length
            if kind == _SERVER_NAME:
                if found is not None:
                    raise PrefaceError("repeated extension", alert=ILLEGAL_PARAMETER)
                found = body[offset - length : offset]
    except struct.error:
        offset = -1
    if offset != len(body):
        raise PrefaceError("length field disagrees with the message", alert=DECODE_ERROR)
    return found


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _read_server_name(extension: bytes) -> ClientHello:
    """The one host_name of an SNI extension; RFC 6066 §3 forbids a second one, and no other type was ever defined."""
    start, end = _vector(extension, 0, 2, 1)
    if end != len(extension):
        raise PrefaceError("bytes behind the server name list", alert=DECODE_ERROR)
    if extension[start] != _HOST_NAME:
        raise PrefaceError("unknown type of server name", alert=DECODE_ERROR)
    start, end = _vector(extension, start + 1, 2, 1)
    if end != len(extension):
        raise PrefaceError("more than one server name", alert=ILLEGAL_PARAMETER)
    name = extension[start:end].decode("latin-1").lower().removesuffix(".")
    if len(name) > _NAME_CHARACTERS_MAX or not (_DNS_NAME.fullmatch(name) or _is_ipv6(name)):
        raise PrefaceError("server name is no host name", alert=ILLEGAL_PARAMETER)
    return ClientHello(server_name=name, server_name_is_ip=hostname.is_ip_literal(name))


def _is_ipv6(name: str) -> bool:
    try:
        ipaddress.IPv6Address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _vector(data: bytes, offset: int, length_bytes: int, bytes_min: int) -> tuple[int, int]:
    """Bounds of the variable-length vector at `offset` (RFC 8446 §3.4), whose length field has `length_bytes` bytes."""
    start = offset + length_bytes
    end = start + int.from_bytes(data[offset:start])
    if start > len(data) or end > len(data) or end - start < bytes_min:
        raise PrefaceError("length field disagrees with the message", alert=DECODE_ERROR)
    return start, end
