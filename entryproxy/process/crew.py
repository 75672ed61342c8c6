"""Helpers of the control process for its first reading: what objects mean on their own is parsed on all cores at once.

They are forked before there is an event loop, wait, parse, and are gone before the first configuration is in force.
What they do is an optimisation: an object that has no answer is parsed by the compiler, which would come to the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import NoReturn

import msgspec

from entryproxy.compiler.parsing import Entry, Meaning, Parser
from entryproxy.model import codec
from entryproxy.model.objects import LabelledConfigMap, LabelledObject, LabelledSecret
from entryproxy.process.channel import Channel, FrameReader, frame
from entryproxy.tasks import spawn

MEMBERS_MAX = 3
OBJECTS_MIN = 1_000
"""With fewer, telling others takes longer than it saves."""
PATIENCE_SECONDS = 10.0
"""How long the last answers are waited for, when nothing else is left to parse."""

_BATCH_OBJECTS = 250
"""What a member gets at once, some 20 ms of work: its core idles little between two, and nobody waits long at the
end."""
_OWN_OBJECTS = 10
"""What the control process parses between two looks at its event loop."""
_RECEIVE_BYTES = 2**18

_log = logging.getLogger(__name__)


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    """Objects to parse, at `now` in Unix seconds."""

    now: float
    config_maps: tuple[LabelledConfigMap, ...]
    secrets: tuple[LabelledSecret, ...]

    @property
    def sources(self) -> Sequence[LabelledObject]:
        """In the order of the answers."""
        return (*self.config_maps, *self.secrets)


class _Answers(msgspec.Struct, frozen=True, array_like=True):
    """To a batch: one for each of its objects, or none at all when something in it can't be said."""

    meanings: tuple[Meaning, ...] = ()


_batch_decoder: msgspec.msgpack.Decoder[_Batch] = codec.decoder_of(_Batch)
_answers_decoder: msgspec.msgpack.Decoder[_Answers] = codec.decoder_of(_Answers)


class Crew:
    """The helpers of one control process; none is a crew too, which leaves everything to the compiler.

    pids: of those that have not been dismissed.
    """

    def __init__(self, parser: Parser, size: int = 0, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Fork `size` of them. The caller has no threads; what is open in it is closed in them."""
        self._parser = parser
        self._patience_seconds = patience_seconds
        self._members: list[tuple[int, socket.socket]] = []
        self._sharing: _Sharing | None = None
        with contextlib.suppress(OSError):  # no room for so many now; fewer do as well
            for _ in range(size):
                self._members.append(_fork(parser))

    @property
    def pids(self) -> Sequence[int]:
        return [pid for pid, _ in self._members]

    def offer(self, sources: Sequence[LabelledObject], now: float) -> None:
        """Objects that are likely to be in the first reading; members begin with them as soon as it is worth it."""
        if self._members:
            self._share(sources, now)

    async def parse(self, sources: Sequence[LabelledObject], now: float) -> Mapping[str, Entry]:
        """What objects without a previous version mean, by reference, for as many of them as there are answers; `now`
        in Unix seconds. The first reading that has any objects is also the last one for the crew."""
        if not sources:
            return {}
        try:
            if not self._members or len(sources) < OBJECTS_MIN:
                return {}
            return await self._share(sources, now).finish(self._patience_seconds)
        finally:
            if self._sharing is not None:
                await self._sharing.close()
            self.dismiss()

    def _share(self, sources: Sequence[LabelledObject], now: float) -> _Sharing:
        if self._sharing is None:
            self._sharing = _Sharing(self._parser, [sock for _, sock in self._members])
        self._sharing.add(sources, now)
        return self._sharing

    def dismiss(self) -> None:
        """End and reap them; they have nothing that could be lost."""
        members, self._members = self._members, []
        self._sharing = None
        for pid, _ in members:
            os.kill(pid, signal.SIGKILL)
        for pid, sock in members:
            os.waitpid(pid, 0)
            sock.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.dismiss()


def helpers_wanted() -> int:
    """One for every usable core but our own, within reason."""
    return min(len(os.sched_getaffinity(0)) - 1, MEMBERS_MAX)


# -- the control process


class _Sharing:
    """Objects shared out: whoever is done with what it has gets more, so that all are done at the same time."""

    def __init__(self, parser: Parser, members: Sequence[socket.socket]) -> None:
        self._parser = parser
        self._now = 0.0
        self._known: dict[str, LabelledObject] = {}
        self._unparsed: deque[LabelledObject] = deque()
        self._entries: dict[str, Entry] = {}
        self._channels: list[Channel[_Answers]] = []
        self._given: dict[Channel[_Answers], Sequence[LabelledObject]] = {}
        self._gone: set[Channel[_Answers]] = set()
        self._heard = asyncio.Event()
        self._opening = spawn(self._open(members), "reach the helpers")

    def add(self, sources: Iterable[LabelledObject], now: float) -> None:
        """More to parse, as of `now`; what is known already is not parsed twice."""
        self._now = now
        for one in sources:
            if isinstance(one, LabelledConfigMap | LabelledSecret) and self._known.get(one.reference) is not one:
                self._known[one.reference] = one
                self._unparsed.append(one)
        self._give_all()

    async def finish(self, patience_seconds: float) -> Mapping[str, Entry]:
        """Do our part beside the members; returns what there is when all have answered, or time is up."""
        await self._opening
        while own := self._take(_OWN_OBJECTS):
            for source in own:
                self._entries[source.reference] = self._parser.parse(source, None, self._now)
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._all_answered()
        return self._entries

    async def close(self) -> None:
        """Nothing more is given or heard."""
        await self._opening
        for channel in self._channels:
            channel.abort()
            await channel.close()

    async def _open(self, members: Iterable[socket.socket]) -> None:
        for sock in members:
            self._channels.append(await Channel.open(sock, _answers_decoder, self._answered, self._ended))
        self._give_all()

    def _take(self, count: int) -> Sequence[LabelledObject]:
        return [self._unparsed.popleft() for _ in range(min(count, len(self._unparsed)))]

    async def _all_answered(self) -> None:
        while self._given:
            self._heard.clear()
            await self._heard.wait()

    def _give_all(self) -> None:
        """Objects for whoever has none, once there are so many that it is worth it."""
        if len(self._known) >= OBJECTS_MIN:
            for channel in self._channels:
                if channel not in self._given:
                    self._give(channel)

    def _give(self, channel: Channel[_Answers]) -> None:
        """The next objects for one member, if it and they are there."""
        while channel not in self._gone and (objects := self._take(_BATCH_OBJECTS)):
            batch = _Batch(
                self._now,
                tuple(one for one in objects if isinstance(one, LabelledConfigMap)),
                tuple(one for one in objects if isinstance(one, LabelledSecret)),
            )
            with contextlib.suppress(ValueError, OverflowError):  # text that is not Unicode; it is for the compiler
                channel.send(codec.encode(batch))
                self._given[channel] = batch.sources
                return

    def _answered(self, channel: Channel[_Answers], answers: _Answers) -> None:
        sources = self._given.pop(channel, ())
        if len(sources) == len(answers.meanings):
            for source, meaning in zip(sources, answers.meanings, strict=True):
                self._entries[source.reference] = Entry.of(source, meaning)
        self._give(channel)
        self._heard.set()

    def _ended(self, channel: Channel[_Answers]) -> None:
        self._gone.add(channel)
        if sources := self._given.pop(channel, ()):
            _log.warning("a helper process ended early, %d objects are parsed again", len(sources))
        self._heard.set()


# -- the members


def _fork(parser: Parser) -> tuple[int, socket.socket]:
    """A new member: its pid, and our end of its socket."""
    ours, theirs = socket.socketpair()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        _become(theirs, parser)
    theirs.close()
    return pid, ours


def _become(sock: socket.socket, parser: Parser) -> NoReturn:
    """The member's side of the fork; nothing of the stack before it may run again here.

    It keeps none of what it inherits open but stdio: the link, the admin port and the other members' sockets would
    not end with the control process otherwise. Signals to the whole process group don't concern it, it leaves when the
    control process does.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(3, sock.fileno())
        os.closerange(sock.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        _work(sock, parser)
    finally:
        os._exit(0)


def _work(sock: socket.socket, parser: Parser) -> None:
    """Answer batches until the control process ends, or ends us."""
    reader = FrameReader()
    while received := sock.recv(_RECEIVE_BYTES):
        for payload in reader.feed(received):
            sock.sendall(frame(_answer(payload, parser)))


def _answer(payload: bytes, parser: Parser) -> bytes:
    batch = _batch_decoder.decode(payload)
    meanings = tuple(parser.parse(source, None, batch.now).meaning for source in batch.sources)
    try:
        return codec.encode(_Answers(meanings))
    except (ValueError, OverflowError):  # YAML has larger numbers than MessagePack
        return codec.encode(_Answers())
