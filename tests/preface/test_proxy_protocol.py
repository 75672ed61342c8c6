from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.preface.errors import PrefaceError
from entryproxy.preface.proxy_protocol import ProxyHeader, read_proxy_header

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
IPV4 = bytes((192, 0, 2, 1, 198, 51, 100, 2)) + (56_324).to_bytes(2) + (443).to_bytes(2)
IPV6 = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("2001:db8::2").packed + IPV4[8:]


def v2(payload: bytes = IPV4, *, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(payload).to_bytes(2) + payload


def tlv(kind: int, value: bytes) -> bytes:
    return bytes((kind,)) + len(value).to_bytes(2) + value


def crc32c(data: bytes) -> int:
    """Bit by bit, unlike the code under test."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_checksum(error: int = 0) -> bytes:
    header = v2(IPV4 + tlv(0x01, b"h2") + tlv(0x03, bytes(4)) + tlv(0x04, b"\x00"))
    at = header.index(b"\x03\x00\x04" + bytes(4)) + 3
    return header[:at] + (crc32c(header) ^ error).to_bytes(4) + header[at + 4 :]


def test_crc32c_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the catalogue's check value, so that the tests' own arithmetic is right


def known(length: int, source: str = "192.0.2.1", destination: str = "198.51.100.2") -> ProxyHeader:
    return ProxyHeader(source, 56_324, destination, 443, length, False)


def unknown(length: int, *, local: bool = False) -> ProxyHeader:
    return ProxyHeader(None, 0, None, 0, length, local)


ACCEPTED: dict[str, tuple[bytes, ProxyHeader]] = {
    "v1 TCP4": (V1, known(len(V1))),
    "v1 TCP6": (
        b"PROXY TCP6 2001:DB8::1 2001:db8:0::2 56324 443\r\n",
        known(48, "2001:db8::1", "2001:db8::2"),
    ),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", unknown(15)),
    "v1 unknown with anything": (b"PROXY UNKNOWN ff::1 \x00 what 1\r\n", unknown(30)),
    "v1 longest": (
        b"PROXY UNKNOWN" + b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" * 2 + b" 65535 65535\r\n",
        unknown(107),
    ),
    "v1 port 0": (b"PROXY TCP4 1.2.3.4 1.2.3.4 0 65535\r\n", ProxyHeader("1.2.3.4", 0, "1.2.3.4", 65_535, 36, False)),
    "v2 TCP4": (v2(), known(28)),
    "v2 TCP6": (v2(IPV6, family=0x21), known(52, "2001:db8::1", "2001:db8::2")),
    "v2 UDP4 is no client of ours": (v2(family=0x12), unknown(28)),
    "v2 UNIX": (v2(bytes(216), family=0x31), unknown(232)),
    "v2 unspecified": (v2(b"anything", family=0), unknown(24)),
    "v2 local": (v2(b"", command=0x20, family=0), unknown(16, local=True)),
    "v2 local ignores addresses": (v2(b"short", command=0x20), unknown(21, local=True)),
    "v2 TLVs": (v2(IPV4 + tlv(0x04, b"") + tlv(0xEA, b"\x01vpce")), known(28 + 3 + 8)),
    "v2 checksum": (with_checksum(), known(len(with_checksum()))),
    "v2 longest": (v2(IPV4 + tlv(4, bytes(4_096 - 28 - 3))), known(4_096)),
}

REFUSED: dict[str, bytes] = {
    "TLS": b"\x16\x03\x01",
    "HTTP": b"POST /",
    "lower case": b"proxy TCP4",
    "v1 unknown family": b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "v1 no family": b"PROXY \r\n",
    "v1 two spaces": b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
    "v1 tab": b"PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
    "v1 space at the end": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
    "v1 field missing": b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
    "v1 leading zeros in address": b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
    "v1 IPv6 as TCP4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "v1 IPv4 as TCP6": b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    "v1 scope": b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "v1 name": b"PROXY TCP4 localhost 192.0.2.2 1 2\r\n",
    "v1 no ASCII": b"PROXY TCP4 192.0.2.\xb2 192.0.2.2 1 2\r\n",
    "v1 port too high": b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
    "v1 port with zeros": b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
    "v1 port with sign": b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
    "v1 port empty": b"PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n",
    "v1 bare LF": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\nGET /\r\n",
    "v1 too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 endless": b"PROXY UNKNOWN " + b"x" * 93,
    "v2 version 1": v2(command=0x11),
    "v2 command 2": v2(command=0x22),
    "v2 family": v2(family=0x41),
    "v2 half a family": v2(family=0x10),
    "v2 no room for addresses": v2(IPV4[:-1]),
    "v2 no room for IPv6": v2(IPV6[:-1], family=0x21),
    "v2 TLV header cut": v2(IPV4 + b"\x04\x00"),
    "v2 TLV value cut": v2(IPV4 + b"\x04\x00\x02x"),
    "v2 wrong checksum": with_checksum(error=1),
    "v2 short checksum": v2(IPV4 + tlv(3, b"\x00\x00")),
    "v2 two checksums": v2(IPV4 + tlv(3, bytes(4)) * 2),
    "v2 too long": v2(bytes(4_081))[:16],
}


@pytest.mark.parametrize(("data", "header"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(data: bytes, header: ProxyHeader) -> None:
    assert all(read_proxy_header(data[:length]) is None for length in range(len(data)))
    assert read_proxy_header(data) == header
    assert read_proxy_header(bytearray(data) + b"\x16\x03\x01") == header


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes) -> None:
    with pytest.raises(PrefaceError) as caught:
        read_proxy_header(data)
    assert caught.value.alert is None


def test_a_missing_header_is_seen_at_the_first_wrong_byte() -> None:
    assert read_proxy_header(b"") is None
    assert read_proxy_header(b"PRO") is None
    with pytest.raises(PrefaceError, match="no PROXY header"):
        read_proxy_header(b"PRI")


@given(st.sampled_from([V1, v2(), v2(IPV6, family=0x21), with_checksum()]), st.data())
def test_mutations_end_in_a_header_or_a_preface_error(original: bytes, data: st.DataObject) -> None:
    mutated = bytearray(original)
    at = data.draw(st.integers(0, len(mutated) - 1))
    mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        header = read_proxy_header(mutated)
    except PrefaceError:
        return
    assert header is None or 0 < header.length <= len(mutated)
    if header is not None and header.source is not None:
        ipaddress.ip_address(header.source)
