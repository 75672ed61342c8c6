"""Processes that die or are told to go: what it costs, and what it must not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.certificates import Authority, Pair
from tests.e2e.clients import Client
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder
from tests.e2e.sockets import WebSocketGateway, closed, open_websocket

HOST = "app1.alpha.aigw.example.com"
SOCKETS = "chat.sockets.aigw.example.com"


@pytest.fixture
def folder(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, sockets: WebSocketGateway
) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("processes"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    write_tenant(folder, authority, "sockets", gateway={"addresses": [sockets.address]})
    return folder


@contextlib.contextmanager
def started(folder: Folder, authority: Authority, delay: float = 0, timeout: float = 10) -> Iterator[Entry]:
    entry = Entry(folder, authority, "--drain-delay", str(delay), "--drain-timeout", str(timeout))
    try:
        yield entry.wait_ready()
    finally:
        entry.close()


class TestDeath:
    """kill -9."""

    def test_a_workers_end_costs_only_its_own_connections(
        self, folder: Folder, authority: Authority, gateway: Gateway
    ) -> None:
        with started(folder, authority) as entry, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(entry.client(HOST)) for _ in range(12)]
            for client in clients:
                assert client.get(gateway.path()).status == 200
            workers = entry.workers()
            victim = workers[0]
            theirs = [client for client in clients if entry.worker_of(client) == victim]
            others = [client for client in clients if client not in theirs]
            assert theirs
            assert others
            os.kill(victim, signal.SIGKILL)
            for client in others:
                assert client.get(gateway.path()).status == 200
            for client in theirs:
                assert client.is_closed()
            for _ in range(20):  # the supervisor holds the sockets: nobody is refused meanwhile
                with entry.client(HOST) as client:
                    assert client.get(gateway.path()).status == 200
            wait_until(lambda: len(entry.workers()) == 2, "the worker was not replaced")
            assert victim not in entry.workers()
            assert entry.metric("entryproxy_requests_total", tenant="alpha") >= 20

    def test_the_control_process_may_come_back(self, folder: Folder, authority: Authority, gateway: Gateway) -> None:
        with started(folder, authority) as entry, entry.client(HOST) as client:
            workers = set(entry.workers())
            (control,) = set(entry.children()) - workers
            os.kill(control, signal.SIGKILL)
            for _ in range(10):
                assert client.get(gateway.path()).status == 200
                with entry.client(HOST) as another:
                    assert another.get(gateway.path()).status == 200
            wait_until(entry.is_ready, "no control process came back", 10)
            write_tenant(folder, authority, "fresh", gateway={"addresses": [gateway.address]})
            wait_until(lambda: entry.metric("entryproxy_tenants") == 3, "changes are not seen any more")
            wait_until(lambda: _is_served(entry, gateway, "app1.fresh.aigw.example.com"), "changes do not arrive")
            assert client.get(gateway.path()).status == 200
            assert set(entry.workers()) == workers

    def test_what_is_broken_meanwhile_stays_in_force(
        self, folder: Folder, authority: Authority, gateway: Gateway
    ) -> None:
        """A tenant and the settings by a field, a Secret by its key, and a file that is no YAML."""
        at_gateway = {"addresses": [gateway.address]}
        custom = authority.issue("app.torn.example")
        write_platform(folder, authority, limits={"connections": 3})
        write_tenant(folder, authority, "torn", gateway=at_gateway, domains=["app.torn.example"])
        folder.certificate("torn-custom", "torn", custom)
        write_tenant(folder, authority, "whole", gateway=at_gateway)
        with started(folder, authority) as entry, entry.client(HOST) as client:
            workers = set(entry.workers())
            (control,) = set(entry.children()) - workers
            folder.config_map("alpha", "alpha", {"tenant.yaml": "limits: {conections: 5}\n"})
            folder.config_map("platform", "system", {"settings.yaml": "systemDomain: 7\n"})
            folder.certificate("alpha-wildcard", "alpha", Pair(custom.chain_pem, authority.issue("x.example").key_pem))
            folder.write("configmap-torn.yaml", "kind: ConfigMap\nmetadata: {name: [\n")
            os.kill(control, signal.SIGKILL)
            wait_until(lambda: control not in entry.children(), "the control process was not reaped")
            wait_until(entry.is_ready, "no control process came back", 10)
            wait_until(lambda: entry.metric("entryproxy_config_rejected_objects") == 4, "not reported", 10)
            for host in (HOST, "app.torn.example", "app1.whole.aigw.example.com"):
                with entry.client(host) as another:
                    assert another.get(gateway.path()).status == 200
            assert client.get(gateway.path()).status == 200
            assert entry.metric("entryproxy_tenants") == 4
            folder.remove_tenant("whole")  # was read, and is gone
            wait_until(lambda: entry.metric("entryproxy_tenants") == 3, "removed tenants stay")
            folder.remove_tenant("torn")
            wait_until(lambda: entry.metric("entryproxy_tenants") == 2, "tenants of removed files stay")
            assert client.get(gateway.path()).status == 200
            assert set(entry.workers()) == workers

    def test_a_folder_out_of_reach_meanwhile_changes_nothing(
        self, folder: Folder, authority: Authority, gateway: Gateway
    ) -> None:
        aside = folder.path.with_name("aside")
        with started(folder, authority) as entry:
            (control,) = set(entry.children()) - set(entry.workers())
            folder.path.rename(aside)
            os.kill(control, signal.SIGKILL)
            wait_until(lambda: control not in entry.children(), "the control process was not reaped")
            wait_until(entry.is_ready, "no control process came back", 10)
            assert entry.metric("entryproxy_config_source_up") == 0
            assert entry.metric("entryproxy_tenants") == 2
            assert _is_served(entry, gateway, HOST)
            aside.rename(folder.path)
            wait_until(lambda: entry.metric("entryproxy_config_source_up") == 1, "the folder is not seen again", 10)
            assert entry.metric("entryproxy_tenants") == 2

    def test_nobody_outlives_the_supervisor(self, folder: Folder, authority: Authority) -> None:
        with started(folder, authority, timeout=2) as entry:
            children = entry.children()
            assert len(children) == 3
            os.kill(entry.pid, signal.SIGKILL)
            wait_until(lambda: not any(_is_running(pid) for pid in children), "a child outlived the supervisor", 10)


class TestDrain:
    """SIGTERM and SIGINT."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_request_in_flight_finishes(
        self, folder: Folder, authority: Authority, gateway: Gateway, number: signal.Signals
    ) -> None:
        async def held(exchange: Exchange) -> None:
            await latch.wait()
            await exchange.answer(200, b"finished")

        latch = gateway.latch()
        path = gateway.script(held)
        with started(folder, authority) as entry, entry.client(HOST) as client:
            client.send(client.head("GET", path))
            gateway.only(path)
            entry.signal(number)
            wait_until(lambda: not _accepts(entry), "still accepting")
            assert client.is_quiet(0.5)
            latch.open()
            answer = client.response()
            assert (answer.status, answer.body, answer.get("Connection")) == (200, b"finished", "close")
            assert client.is_closed()
            assert client.close_notify
            assert entry.wait() == 0

    def test_readiness_fails_first(self, folder: Folder, authority: Authority, gateway: Gateway) -> None:
        with started(folder, authority, delay=1.5) as entry, entry.client(HOST) as client:
            assert client.get(gateway.path()).status == 200
            begin = time.monotonic()
            entry.signal(signal.SIGTERM)
            wait_until(lambda: entry.admin("/readyz")[0] == 503, "still ready", 1)
            assert entry.admin("/healthz")[0] == 200
            with entry.client(HOST) as late:  # load balancers still send some
                assert late.get(gateway.path()).get("Connection") == "close"
                assert late.is_closed()
            assert time.monotonic() - begin < 1.5
            assert entry.wait() == 0
            assert 1.4 < time.monotonic() - begin < 8

    def test_idle_connections_are_closed_politely(self, folder: Folder, authority: Authority, gateway: Gateway) -> None:
        with started(folder, authority) as entry, entry.client(HOST) as client:
            assert client.get(gateway.path()).status == 200
            entry.signal(signal.SIGTERM)
            assert client.is_closed()
            assert client.close_notify
            assert entry.wait() == 0

    def test_a_websocket_is_told_to_go(self, folder: Folder, authority: Authority) -> None:
        async def talk(entry: Entry) -> int:
            async with open_websocket(entry, SOCKETS, "/echo") as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"
                entry.signal(signal.SIGTERM)
                return await closed(socket, 8)

        with started(folder, authority) as entry:
            assert asyncio.run(talk(entry)) == 1001
            assert entry.wait() == 0

    def test_the_timeout_ends_what_does_not_end(self, folder: Folder, authority: Authority, gateway: Gateway) -> None:
        async def endless(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await exchange.send(b"x")
                await asyncio.sleep(0.1)

        path = gateway.script(endless)
        with started(folder, authority, timeout=1) as entry, entry.client(HOST) as client:
            client.send(client.head("GET", path))
            assert client.response_head().status == 200
            begin = time.monotonic()
            entry.signal(signal.SIGTERM)
            assert b"\r\n0\r\n" not in client.read_to_end()
            assert entry.wait() == 0
            assert 0.9 < time.monotonic() - begin < 6

    # A connection that is reset in the queue of a closing socket makes SSLContext.wrap_socket raise without closing
    # what it made.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_nothing_is_lost_under_load(self, folder: Folder, authority: Authority, gateway: Gateway) -> None:
        """Every request of a polite client is answered whole until connections are refused."""
        with started(folder, authority, delay=1) as entry:
            failures: list[str] = []
            answered: list[int] = []
            threads = [
                threading.Thread(target=_request_until_refused, args=(entry, gateway, failures, answered))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            entry.signal(signal.SIGTERM)
            for thread in threads:
                thread.join(20)
            assert failures == []
            assert len(answered) > 50
            assert set(answered) == {200}
            assert entry.wait() == 0


def _request_until_refused(entry: Entry, gateway: Gateway, failures: list[str], answered: list[int]) -> None:
    while True:
        try:
            client = entry.client(HOST)
        except OSError:  # refused, or reset in the queue of a socket that closes
            return
        with client:
            try:
                _use(client, gateway, answered)
            except Exception as error:
                failures.append(repr(error))


def _use(client: Client, gateway: Gateway, answered: list[int]) -> None:
    for _ in range(10):
        answer = client.get(gateway.path())
        answered.append(answer.status)
        if answer.get("Connection") == "close":
            return


def _is_served(entry: Entry, gateway: Gateway, host: str) -> bool:
    context = entry.authority.context()
    context.check_hostname = False
    with entry.client(host, context=context) as client:
        return client.get(gateway.path()).status == 200


def _accepts(entry: Entry) -> bool:
    try:
        entry.client(HOST).close()
    except OSError:
        return False
    return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
