from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bench.cluster import objects, paced, replay, storm
from bench.cluster.__main__ import share_within
from entryproxy.compiler.compile import Compiler
from entryproxy.config.kubernetes.source import KubernetesSource
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


async def test_the_api_server_from_memory_is_one_that_the_source_follows(tmp_path: Path) -> None:
    """The real source reads it, and a storm reaches the compiler change by change."""
    app = replay.Replay(3, "127.0.0.1:9").make_app()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    kubeconfig = storm.write_kubeconfig(tmp_path / "kubeconfig", port)
    source = KubernetesSource(namespace="higress-system", kubeconfig=str(kubeconfig))
    compiler = Compiler(parse_yaml, endpoints_known=True)
    connections = []
    async with asyncio.timeout(20):
        storming: asyncio.Task[aiohttp.ClientResponse] | None = None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async for _ in source.watch():
                compilation = compiler.compile(source.load(), NOW)
                assert sorted(compilation.tenants) == ["busy", "t0", "t1", "t2"]
                connections = sorted(compilation.tenants[key].limits.connections for key in ("t0", "t1", "t2"))
                if storming is None:
                    storming = asyncio.ensure_future(session.post("/storm?rate=1000&seconds=0.03"))
                if connections == [29, 30, 31]:
                    break
            assert storming is not None
            assert (await (await storming).json())["sent"] == 30
    await runner.cleanup()


def test_rounds_are_summed_up_by_their_medians() -> None:
    rounds = [
        {"calm": {"p99": calm}, "storm": {"p99": storm_}, "p99_ratio": storm_ / calm}
        for calm, storm_ in ((1.0, 1.2), (2.0, 2.0), (1.0, 30.0))
    ]
    assert storm.summary(rounds) == {"calm": {"p99": 1.0}, "storm": {"p99": 2.0}, "p99_ratio": 1.2}
