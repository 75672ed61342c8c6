from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from bench.cluster import objects, paced
from bench.cluster.__main__ import share_within
from entryproxy.compiler.compile import Compiler
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.reading import Reading
from tests.certificates import Authority
from tests.compiler.pairs import NOW


def test_the_tenants_of_the_bench_are_good_ones() -> None:
    authority = Authority()
    documents = [*objects.platform(authority), *objects.tenants(authority, iter(["t1", "t2"]), "127.0.0.1:9")]
    found = [read_object(one, "higress-system", "") for one in documents]
    reading = Reading(changed=tuple(one for one in found if one is not None))
    compilation = Compiler(parse_yaml).compile(reading, NOW)
    assert sorted(compilation.tenants) == ["t1", "t2"]
    assert [one.reason for one in compilation.findings if one.severity == "error"] == []


def test_shares_are_of_what_came_in_between() -> None:
    before = {0.005: 1.0, 0.05: 4.0, 5.0: 6.0, float("inf"): 6.0}
    after = {0.005: 1.0, 0.05: 12.0, 5.0: 16.0, float("inf"): 16.0}
    assert share_within(before, after) == {"within 5 ms": 0.0, "within 50 ms": 0.8}


async def test_paced_traffic_counts_from_when_a_request_was_due(tmp_path: Path) -> None:
    """A server that answers nothing for a while makes all that were due meanwhile late, not only those it had."""
    pair = Authority().issue("a.example.com")
    material = tmp_path / "pair.pem"
    material.touch(mode=0o600)
    material.write_text(pair.chain_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(material)
    answered = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            answered += 1
            if answered == 5:
                await asyncio.sleep(0.2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        latencies = await paced.run(port, "a.example.com", rate=100, seconds=0.3, connections=1)
        server.close()
    assert len(latencies) == 30
    assert sum(one > 50 for one in latencies) >= 10


async def test_paced_traffic_fails_on_an_answer_that_is_no_success() -> None:
    client = paced.Client("a.example.com")

    class Transport(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            client.data_received(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    client.connection_made(Transport())
    with pytest.raises(RuntimeError, match="404"):
        await client.ask()
