"""A DNS server on loopback that says what the test says (RFC 1035), over UDP."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from typing import cast

A, AAAA, CNAME, SOA = 1, 28, 5, 6
SERVFAIL, NXDOMAIN = 2, 3
_SILENT = -1


class DnsServer(asyncio.DatagramProtocol):
    """asked: every question so far, (name, type). A name of which nothing was said does not exist."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._records: dict[str, list[tuple[int, int, bytes]]] = {}  # type, time to live, data
        self._codes: dict[str, int] = {}
        self._news = asyncio.Event()

    @classmethod
    async def start(cls) -> DnsServer:
        _, server = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        return server

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    # -- what names are

    def set(self, name: str, *addresses: str, ttl: int, alias: tuple[str, int] | None = None) -> None:
        """alias: (canonical name, time to live) that `name` leads to, which then has the addresses."""
        records = []
        if alias is not None:
            records.append((CNAME, alias[1], _encode(alias[0])))
        for address in addresses:
            packed = ipaddress.ip_address(address).packed
            records.append((A if len(packed) == 4 else AAAA, ttl, packed))
        self._records[name] = records
        self._codes[name] = 0

    def refuse(self, name: str, code: int = SERVFAIL) -> None:
        self._codes[name] = code

    def be_empty(self, name: str) -> None:
        """The name exists and has no address (RFC 2308: NODATA)."""
        self.set(name, ttl=0)

    def be_silent(self, name: str) -> None:
        self._codes[name] = _SILENT

    async def question(self, name: str, number: int) -> None:
        """Until `name` was asked for so many times, whatever the type."""
        async with asyncio.timeout(30):
            while self.count(name) < number:
                self._news.clear()
                await self._news.wait()

    def count(self, name: str) -> int:
        return sum(asked == (name, A) for asked in self.asked)

    def close(self) -> None:
        self._transport.close()

    # -- protocol interface

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _decode(data, 12)
        kind = int.from_bytes(data[end : end + 2])
        self.asked.append((name, kind))
        self._news.set()
        code = self._codes.get(name, NXDOMAIN)
        if code != _SILENT:
            records = [one for one in self._records.get(name, ()) if one[0] in (kind, CNAME)] if code == 0 else []
            self._transport.sendto(_answer(data, end + 4, code, records), addr)


def _answer(question: bytes, end: int, code: int, records: list[tuple[int, int, bytes]]) -> bytes:
    """An answer with a SOA record where it is negative (RFC 2308), so that it may be remembered for a minute."""
    owner = b"\xc0\x0c"
    answers = []
    for kind, ttl, data in records:
        answers.append(owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data)
        if kind == CNAME:
            owner = data
    authority = b""
    if not records:
        soa = b"\0\0" + struct.pack("!5I", 1, 1, 1, 1, 60)
        authority = b"\0" + struct.pack("!HHIH", SOA, 1, 60, len(soa)) + soa
    header = struct.pack("!HHHHH", 0x8180 | code, 1, len(records), bool(authority), 0)
    return question[:2] + header + question[12:end] + b"".join(answers) + authority


def _decode(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def _encode(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
