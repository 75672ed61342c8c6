from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from entryproxy.compiler.compile import Compiler
from entryproxy.compiler.parsing import Entry, Parser
from entryproxy.config.yaml import parse_yaml
from entryproxy.model import codec
from entryproxy.model.objects import LabelledEndpointSlice, LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.process import crew
from entryproxy.process.channel import Channel, frame
from entryproxy.process.crew import Crew
from tests.compiler.objects import config, endpoint_slice, secret, settings
from tests.compiler.pairs import NOW, certificate, key, key_pem, pem
from tests.process.pods import is_running, wait_until

PARSER = Parser(parse_yaml, endpoints_known=True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants for hundreds of objects instead of ten thousands."""
    monkeypatch.setattr(crew, "OBJECTS_MIN", 20)
    monkeypatch.setattr(crew, "_BATCH_OBJECTS", 7)
    monkeypatch.setattr(crew, "_OWN_OBJECTS", 2)


@pytest.fixture
def left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test leaves neither a member nor a socket to one. (The process has other children, of other tests.)"""
    forked: list[tuple[int, socket.socket]] = []
    fork = crew._fork

    def noted(parser: Parser) -> tuple[int, socket.socket]:
        forked.append(fork(parser))
        return forked[-1]

    monkeypatch.setattr(crew, "_fork", noted)
    yield
    for pid, sock in forked:
        assert sock.fileno() == -1
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def descriptors(pid: int | str) -> dict[str, str]:
    """What a process has open, by number."""
    found = {}
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[one.name] = str(one.readlink())
        except FileNotFoundError:  # the listing itself
            continue
    return found


def beyond_stdio(pid: int) -> list[str]:
    return [what for number, what in descriptors(pid).items() if int(number) > 2]


def every_kind() -> list[LabelledObject]:
    """Good, doubtful, bad and hopeless objects, each of them several times."""
    other = key("p256", 1)
    objects: list[LabelledObject] = [settings(limits={"connections": 9}), settings(name="bad", unknownSni="maybe")]
    for number in range(20):
        one = f"t{number}"
        objects += [
            config(one, {"domains": [f"{one}.org", f"*.{one}.org"], "limits": {"connections": 3}, "hsts": True}),
            config(one, {"gateway": {"balance": "endpoints", "port": "http"}}, name=f"{one}-pods", uid="7"),
            config(one, {"domains": [f"{one}.org", f"{one}.org"]}, name=f"{one}-twice", data={"stray": "?"}),
            config(one, "unknown: 1", name=f"{one}-unknown", origin="somewhere.yaml"),
            config(one, "{", name=f"{one}-torn"),
            config(one, name=f"{one}-empty"),
            config("Not An Id", {}, name=f"{one}-id"),
            config(one, "release: {values: {a: 0.5, b: [1, null, true], c: ''}}", name=f"{one}-release"),
            secret(one, f"{one}.org"),
            secret(one, f"{one}.org", name=f"{one}-early", start=2),
            secret(one, f"{one}.org", name=f"{one}-late", end=3),
            secret(one, f"{one}.org", name=f"{one}-ended", start=-9, end=-1),
            secret(one, f"{one}.org", "not_a_name", name=f"{one}-names"),
            secret(one, f"{one}.org", name=f"{one}-other", key_pem=key_pem(other)),
            secret(one, name=f"{one}-nonsense", certificate_pem=b"nonsense"),
            secret(one, f"{one}.org", name=f"{one}-key", key_pem=b"nonsense"),
            endpoint_slice(one, "10.0.0.1"),
        ]
    shuffled = pem(certificate("s.org", issuer=("ca", other)), certificate("x", of=other, subject="ca", ca=True))
    return [*objects, secret("system", "s.org", certificate_pem=shuffled)]


def plain(number: int) -> list[LabelledObject]:
    return [config(f"t{one}", {"domains": [f"t{one}.org"]}) for one in range(number)]


def said(entry: Entry) -> tuple[object, ...]:
    """All that an entry says; findings and drafts compare by value, keys included."""
    return (entry.source, entry.tenant, entry.draft, entry.findings, entry.stale_at, entry.precedence)


def assert_same(entries: dict[str, Entry], sources: Sequence[LabelledObject]) -> None:
    """They are some of the sources', and what the parser would have said."""
    expected = {one.reference: PARSER.parse(one, None, NOW) for one in sources}
    assert {name: said(one) for name, one in entries.items()} == {name: said(expected[name]) for name in entries}


class Elsewhere(Parser):
    """In another process than the one that made it, something happens before it parses."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(parse_yaml, endpoints_known=True)
        self._home = os.getpid()
        self._happens = happens

    def parse(self, source: LabelledObject, previous: Entry | None, now: float) -> Entry:
        if os.getpid() != self._home:
            self._happens()
        return super().parse(source, previous, now)


class Slow(Parser):
    """Nobody is done before the others have begun. parsed: the references that this process parsed."""

    def __init__(self) -> None:
        super().__init__(parse_yaml, endpoints_known=True)
        self.parsed: set[str] = set()

    def parse(self, source: LabelledObject, previous: Entry | None, now: float) -> Entry:
        self.parsed.add(source.reference)
        time.sleep(0.001)
        return super().parse(source, previous, now)


class TestParsing:
    @pytest.mark.parametrize("size", [1, 3])
    async def test_the_crew_says_what_the_parser_says(self, size: int, left_open: None) -> None:
        objects = every_kind()
        by_reference = {each.reference: each for each in objects}
        with Crew(PARSER, size) as one:
            entries = dict(await one.parse(objects, NOW))
        assert_same(entries, objects)
        missing = [each for each in objects if each.reference not in entries]
        assert {type(each) for each in missing} == {LabelledEndpointSlice}
        assert all(each.source is by_reference[name] for name, each in entries.items())

    async def test_every_object_is_answered_and_most_of_them_by_members(self, left_open: None) -> None:
        objects = plain(300)
        parser = Slow()
        with Crew(parser, 2) as one:
            entries = dict(await one.parse(objects, NOW))
        assert entries.keys() == {each.reference for each in objects}
        assert_same(entries, objects)
        assert 0 < len(parser.parsed) < 200

    async def test_a_key_does_not_travel_back_and_is_not_kept_twice(self, left_open: None) -> None:
        objects = [secret(f"t{one}", f"t{one}.org") for one in range(60)]
        assert b"PRIVATE" not in crew._answer(codec.encode(crew._Batch(NOW, (), tuple(objects))), PARSER)
        with Crew(PARSER, 2) as one:
            entries = await one.parse(objects, NOW)
        for each in objects:
            assert entries[each.reference].draft.key_pem is each.key_pem  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "odd", ["hsts: '\ud800'", "release: {values: {size: -9999999999999999999}}"], ids=["text", "number"]
    )
    async def test_what_can_not_travel_is_left_to_the_compiler(
        self, odd: str, left_open: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        objects = [config("odd", odd), *plain(50)]
        with Crew(PARSER, 1) as one:
            entries = dict(await one.parse(objects, NOW))
        assert_same(entries, objects)
        assert [each.name for each in objects if each.reference not in entries] == ["odd", *(f"t{n}" for n in range(6))]
        assert caplog.messages == [], "no member ended of it"

    async def test_the_compiler_comes_to_the_same_with_and_without(self, left_open: None) -> None:
        objects = tuple(every_kind())
        alone = Compiler(parse_yaml, endpoints_known=True).compile(Reading(changed=objects), NOW)
        compiler = Compiler(parse_yaml, endpoints_known=True)
        with Crew(compiler.parser, 2) as one:
            parsed = await one.parse(objects, NOW - 1)
        shared = compiler.compile(Reading(changed=objects), NOW, parsed)
        assert shared == alone
        assert shared.tenants


class TestOffers:
    """Pages of a list come one by one; the members need not wait for the last one."""

    async def test_members_parse_what_is_offered_before_it_is_asked_for(self, left_open: None) -> None:
        parser = Slow()
        objects = plain(300)
        with Crew(parser, 2) as one:
            for at in range(0, 300, 100):
                one.offer(objects[at : at + 100], NOW)
            assert one._sharing is not None
            async with asyncio.timeout(20):
                while len(one._sharing._entries) < 300:
                    await asyncio.sleep(0.001)
            entries = dict(await one.parse(objects, NOW))
            assert one.pids == []
        assert parser.parsed == set(), "the members did it all"
        assert_same(entries, objects)
        assert len(entries) == 300

    async def test_an_object_that_has_changed_since_is_parsed_again(self, left_open: None) -> None:
        compiler = Compiler(parse_yaml, endpoints_known=True)
        before = plain(50)
        after = [*before[:49], config("t49", {"domains": ["other.org"]})]
        settings = config("system", data={"settings.yaml": "systemDomain: a.example.com"}, name="settings")
        with Crew(compiler.parser, 2) as one:
            one.offer(before, NOW)
            parsed = await one.parse([settings, *after], NOW)
        compilation = compiler.compile(Reading(changed=(settings, *after)), NOW, parsed)
        assert compilation.tenants["t49"].domains == ("other.org",)
        assert compilation.tenants["t48"].domains == ("t48.org",)

    async def test_few_offers_disturb_nobody(self, left_open: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crew, "OBJECTS_MIN", 40)
        with Crew(Elsewhere(signal.pause), 1, patience_seconds=60) as one:
            one.offer(plain(39), NOW)
            async with asyncio.timeout(20):
                assert await one.parse(plain(39), NOW) == {}

    async def test_after_its_dismissal_it_takes_no_offers(self, left_open: None) -> None:
        with Crew(PARSER, 1) as one:
            one.dismiss()
            one.offer(plain(100), NOW)
            assert one._sharing is None
            assert await one.parse(plain(100), NOW) == {}


class TestMisfortune:
    async def test_a_member_that_is_killed_costs_no_object(
        self, left_open: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        objects = plain(300)
        with Crew(Elsewhere(lambda: os.kill(os.getpid(), signal.SIGKILL)), 2) as one:
            entries = dict(await one.parse(objects, NOW))
        assert_same(entries, objects)
        assert len(entries) == 300 - 2 * crew._BATCH_OBJECTS
        assert sum("ended early" in each for each in caplog.messages) == 2

    async def test_a_member_that_died_while_it_waited_costs_nothing(self, left_open: None) -> None:
        objects = plain(300)
        with Crew(PARSER, 2, patience_seconds=60) as one:
            os.kill(one.pids[0], signal.SIGKILL)
            wait_until(lambda: not is_running(one.pids[0]), "dead")
            async with asyncio.timeout(20):
                entries = dict(await one.parse(objects, NOW))
        assert_same(entries, objects)
        assert len(entries) >= 300 - crew._BATCH_OBJECTS

    async def test_a_member_that_never_answers_is_not_waited_for_long(self, left_open: None) -> None:
        objects = plain(300)
        with Crew(Elsewhere(signal.pause), 2, patience_seconds=0.05) as one:
            async with asyncio.timeout(20):
                entries = dict(await one.parse(objects, NOW))
        assert_same(entries, objects)
        assert len(entries) == 300 - 2 * crew._BATCH_OBJECTS

    async def test_a_member_that_fails_at_an_object_ends_alone(self, left_open: None) -> None:
        def fail() -> None:
            raise MemoryError

        with Crew(Elsewhere(fail), 1) as one:
            entries = dict(await one.parse(plain(100), NOW))
        assert len(entries) == 100 - crew._BATCH_OBJECTS

    @pytest.mark.parametrize(
        "nonsense", [b"\x00\x00\x00\x01\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\x91\x90", b""]
    )
    async def test_nonsense_is_not_believed(
        self, nonsense: bytes, left_open: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The second to last is an answer without meanings, to every batch."""
        ours, theirs = socket.socketpair()

        def talk() -> None:
            with theirs:
                while theirs.recv(2**20) and nonsense:
                    theirs.sendall(nonsense)

        talking = threading.Thread(target=talk)
        talking.start()
        sharing = crew._Sharing(PARSER, [ours])
        sharing.add(objects := plain(100), NOW)
        async with asyncio.timeout(20):
            entries = dict(await sharing.finish(60))
        await sharing.close()
        talking.join(10)
        assert not [each for each in caplog.records if each.name == "asyncio"]
        assert_same(entries, objects)
        assert len(entries) < 100

    async def test_a_member_that_is_gone_already_is_given_nothing(self) -> None:
        sharing = crew._Sharing(PARSER, [])
        sharing.add(objects := plain(100), NOW)
        channel = Channel(crew._answers_decoder, sharing._answered, sharing._ended)
        sharing._ended(channel)
        sharing._give(channel)
        async with asyncio.timeout(20):
            assert len(await sharing.finish(60)) == len(objects)

    async def test_being_cancelled_leaves_nothing(self, left_open: None) -> None:
        with Crew(Elsewhere(signal.pause), 2, patience_seconds=60) as one:
            task = asyncio.ensure_future(one.parse(plain(100), NOW))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert one.pids == []

    def test_no_room_for_a_process_is_no_crew(self, monkeypatch: pytest.MonkeyPatch, left_open: None) -> None:
        def no_fork() -> int:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        monkeypatch.setattr(os, "fork", no_fork)
        assert Crew(PARSER, 3).pids == []


class TestLife:
    async def test_a_small_reading_is_not_shared_and_ends_the_crew(self, left_open: None) -> None:
        with Crew(PARSER, 2) as one:
            pids = one.pids
            assert await one.parse(plain(19), NOW) == {}
            assert one.pids == []
            assert not any(map(is_running, pids))

    async def test_it_waits_for_the_first_objects_and_serves_once(self, left_open: None) -> None:
        with Crew(PARSER, 1) as one:
            assert await one.parse((), NOW) == {}
            assert len(one.pids) == 1
            assert len(await one.parse(plain(40), NOW)) == 40
            assert await one.parse(plain(40), NOW) == {}

    async def test_no_crew_parses_nothing(self) -> None:
        with Crew(PARSER) as one:
            assert await one.parse(plain(40), NOW) == {}

    def test_members_keep_nothing_open_but_their_own_end(self, left_open: None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening, Crew(PARSER, 3) as one:
            assert listening.fileno() > 2
            wait_until(lambda: all(len(beyond_stdio(pid)) == 1 for pid in one.pids), "only a socket each")
            (first,), (second,), (third,) = map(beyond_stdio, one.pids)
            assert {first, second, third}.isdisjoint(descriptors("self").values())
            assert len({first, second, third}) == 3

    def test_members_leave_a_signal_to_the_group_to_the_control_process(self, left_open: None) -> None:
        with Crew(PARSER, 1) as one:
            (pid,) = one.pids
            wait_until(lambda: len(beyond_stdio(pid)) == 1, "begun")
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
            ours = one._members[0][1]
            ours.settimeout(10)
            ours.sendall(frame(codec.encode(crew._Batch(NOW, (), ()))))
            assert ours.recv(100) == b"\x00\x00\x00\x02\x91\x90"

    def test_members_end_with_the_process_that_forked_them(self, left_open: None) -> None:
        receiving, sending = os.pipe()
        parent = os.fork()
        if parent == 0:
            try:
                one = Crew(PARSER, 2)
                os.write(sending, " ".join(map(str, one.pids)).encode())
                signal.pause()
            finally:
                os._exit(0)
        pids = [int(each) for each in os.read(receiving, 100).split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        wait_until(lambda: not any(map(is_running, pids)), "gone")
        os.close(receiving)
        os.close(sending)

    @pytest.mark.parametrize(("cores", "helpers"), [({5}, 0), ({0, 1}, 1), ({1, 2, 3, 4}, 3), (set(range(64)), 3)])
    def test_a_helper_for_every_core_but_one(
        self, cores: set[int], helpers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
        assert crew.helpers_wanted() == helpers
