"""The PROXY header that a load balancer puts before everything else, versions 1 and 2.

Source: HAProxy's "The PROXY protocol, versions 1 & 2". Reading it is only safe from peers that are known to send it:
the header replaces the client's address.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re

from entryproxy.preface.errors import PrefaceError

_V1_SIGNATURE = b"PROXY "
_V1_BYTES_MAX = 107  # "worst case", with CRLF, in §2.1
_V1_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")
_V1_VERSIONS = {b"TCP4": 4, b"TCP6": 6}

_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEADER_BYTES = 16
_V2_BYTES_MAX = 4_096
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_V2_UNSPECIFIED, _V2_TCP4, _V2_UDP4, _V2_TCP6, _V2_UDP6, _V2_STREAM, _V2_DATAGRAM = (
    0x00,
    0x11,
    0x12,
    0x21,
    0x22,
    0x31,
    0x32,
)
_V2_ADDRESS_BYTES = {_V2_TCP4: 12, _V2_UDP4: 12, _V2_TCP6: 36, _V2_UDP6: 36, _V2_STREAM: 216, _V2_DATAGRAM: 216}
_TLV_HEADER_BYTES = 3
_TLV_CRC32C = 0x03


@dataclasses.dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What the load balancer says about the connection behind it.

    source, destination: IP addresses as text, None where the sender doesn't know them or they aren't TCP over IP: then
    the socket's own peer counts. length: bytes of the header, which the next protocol starts behind. local: the load
    balancer speaks for itself (a health check).
    """

    source: str | None
    source_port: int
    destination: str | None
    destination_port: int
    length: int
    local: bool


def read_proxy_header(data: bytes | bytearray) -> ProxyHeader | None:
    """The PROXY header at the start of `data`, all bytes received so far; None while more are needed.

    Raises PrefaceError (without alert: nobody speaks TLS yet) for anything else, a missing header included.
    """
    if data.startswith(_V1_SIGNATURE):
        return _read_v1(data)
    if data.startswith(_V2_SIGNATURE):
        return _read_v2(data)
    if _V1_SIGNATURE.startswith(data) or _V2_SIGNATURE.startswith(data):
        return None
    raise PrefaceError("no PROXY header")


def _read_v1(data: bytes | bytearray) -> ProxyHeader | None:
    """A line: "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443" CRLF (§2.1)."""
    end = data.find(b"\r\n", 0, _V1_BYTES_MAX)
    if end < 0:
        if len(data) >= _V1_BYTES_MAX:
            raise PrefaceError("PROXY line too long")
        return None
    fields = bytes(data[:end]).split(b" ")
    length = end + 2
    if fields[1] == b"UNKNOWN":  # the rest of the line is to be ignored
        return _without_address(length)
    version = _V1_VERSIONS.get(fields[1])
    if version is None or len(fields) != 6:
        raise PrefaceError("malformed PROXY line")
    return ProxyHeader(
        source=_v1_address(fields[2], version),
        source_port=_v1_port(fields[4]),
        destination=_v1_address(fields[3], version),
        destination_port=_v1_port(fields[5]),
        length=length,
        local=False,
    )


def _v1_address(field: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(field.decode("ascii"))
    except ValueError:
        raise PrefaceError("malformed address in PROXY line") from None
    if address.version != version or b"%" in field:
        raise PrefaceError("malformed address in PROXY line")
    return str(address)


def _v1_port(field: bytes) -> int:
    if _V1_PORT.fullmatch(field) is None or int(field) > 65_535:
        raise PrefaceError("malformed port in PROXY line")
    return int(field)


def _read_v2(data: bytes | bytearray) -> ProxyHeader | None:
    """Signature, command, family, length, addresses, TLVs (§2.2)."""
    if len(data) < _V2_HEADER_BYTES:
        return None
    command, family = data[12], data[13]
    length = _V2_HEADER_BYTES + int.from_bytes(data[14:16])
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise PrefaceError("unknown PROXY version or command")
    if family != _V2_UNSPECIFIED and family not in _V2_ADDRESS_BYTES:
        raise PrefaceError("unknown PROXY address family")
    if length > _V2_BYTES_MAX:
        raise PrefaceError("PROXY header too long")
    if len(data) < length:
        return None
    header = bytes(data[:length])
    if command == _V2_LOCAL:  # everything else is to be ignored
        return _without_address(length, local=True)
    if family == _V2_UNSPECIFIED:
        return _without_address(length)
    tlvs_start = _V2_HEADER_BYTES + _V2_ADDRESS_BYTES[family]
    if tlvs_start > length:
        raise PrefaceError("PROXY header too short for its addresses")
    _check_tlvs(header, tlvs_start)
    if family == _V2_TCP4:
        return _v2_addresses(header, 4)
    if family == _V2_TCP6:
        return _v2_addresses(header, 16)
    return _without_address(length)


def _v2_addresses(header: bytes, address_bytes: int) -> ProxyHeader:
    destination = _V2_HEADER_BYTES + address_bytes
    ports = destination + address_bytes
    return ProxyHeader(
        source=str(ipaddress.ip_address(header[_V2_HEADER_BYTES:destination])),
        source_port=int.from_bytes(header[ports : ports + 2]),
        destination=str(ipaddress.ip_address(header[destination:ports])),
        destination_port=int.from_bytes(header[ports + 2 : ports + 4]),
        length=len(header),
        local=False,
    )


def _without_address(length: int, *, local: bool = False) -> ProxyHeader:
    return ProxyHeader(source=None, source_port=0, destination=None, destination_port=0, length=length, local=local)


def _check_tlvs(header: bytes, offset: int) -> None:
    """The TLVs fill the header exactly; a checksum among them must be right (§2.2.3)."""
    checksum_at: int | None = None
    while offset < len(header):
        start = offset + _TLV_HEADER_BYTES
        end = start + int.from_bytes(header[offset + 1 : start])
        if start > len(header) or end > len(header):
            raise PrefaceError("malformed PROXY TLV")
        if header[offset] == _TLV_CRC32C:
            if end - start != 4 or checksum_at is not None:
                raise PrefaceError("malformed PROXY checksum")
            checksum_at = start
        offset = end
    if checksum_at is not None:
        zeroed = header[:checksum_at] + bytes(4) + header[checksum_at + 4 :]
        if _crc32c(zeroed) != int.from_bytes(header[checksum_at : checksum_at + 4]):
            raise PrefaceError("wrong PROXY checksum")


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C_TABLE = _crc32c_table()


def _crc32c(data: bytes) -> int:
    """CRC-32C (RFC 4960 appendix B); at most _V2_BYTES_MAX bytes, once a connection."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
