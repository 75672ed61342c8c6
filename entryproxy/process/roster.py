"""The workers as the control process knows them: their channels, what they have in force, and their counters."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time

from entryproxy.console.view import WorkerInfo
from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Platform
from entryproxy.process import messages
from entryproxy.process.channel import Channel
from entryproxy.process.publisher import Publisher, Subscriber
from entryproxy.telemetry.totals import Totals

REPORT_SECONDS = 1.0
"""How long a scrape waits for a worker before it takes that worker's last report instead."""
RECALL_SECONDS = 2.0
"""How long a fresh control process waits to hear from the workers what is in force."""
RECALL_PATIENCE_SECONDS = 0.5
"""How long of that for workers which may have something newer than those that are there."""

_log = logging.getLogger(__name__)


class Peer:
    """One worker process, from its Hello to the end of its channel.

    start: tells this process from the others that ran, or will run, in the same slot.
    """

    __slots__ = ("pid", "problem", "slot", "start", "subscriber")

    def __init__(self, hello: messages.Hello, start: int, subscriber: Subscriber) -> None:
        self.slot = hello.slot
        self.pid = hello.pid
        self.start = start
        self.subscriber = subscriber
        self.problem: Finding | None = None


class Roster:
    """All slots of a pod, whether a worker is there or not."""

    def __init__(self, slots: int, publisher: Publisher) -> None:
        self._slots = slots
        self._publisher = publisher
        self._channels: set[Channel[messages.ToControl]] = set()
        self._peers: dict[Channel[messages.ToControl], Peer] = {}
        self._totals = Totals()
        self._starts = itertools.count(1)
        self._last_pid = [0] * slots
        self._restarts = [0] * slots
        self._request_ids = itertools.count(1)
        self._awaited: dict[int, tuple[set[Channel[messages.ToControl]], asyncio.Event]] = {}
        self._all_configured = False
        self._recalled: asyncio.Future[Snapshot | None] | None = None
        self._wanted = 0
        self._asked: Channel[messages.ToControl] | None = None

    async def admit(self, sock: socket.socket) -> None:
        """A channel to a worker; the worker says who it is."""
        self._channels.add(await Channel.open(sock, messages.control_decoder, self._receive, self._lose))

    async def close(self) -> None:
        """End every channel."""
        for channel in list(self._channels):
            await channel.close()

    @property
    def all_configured(self) -> bool:
        """Every worker has had a configuration in force, all at one time, at least once."""
        if not self._all_configured:
            configured = {peer.slot for peer in self._peers.values() if peer.subscriber.acknowledged}
            self._all_configured = len(configured) == self._slots
        return self._all_configured

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What workers could not put in force."""
        return tuple(peer.problem for peer in self._peers.values() if peer.problem is not None)

    def workers(self) -> list[WorkerInfo]:
        """One row per slot."""
        present = {peer.slot: peer for peer in self._peers.values()}
        return [self._info(slot, present.get(slot)) for slot in range(self._slots)]

    async def collect(self) -> Totals:
        """Ask every worker for its counters; those that take longer than REPORT_SECONDS stay at their last ones."""
        if self._peers:
            request = next(self._request_ids)
            done = asyncio.Event()
            self._awaited[request] = (set(self._peers), done)
            payload = messages.encode(messages.ReportRequest(request))
            for channel in self._peers:
                channel.send(payload)
            try:
                await asyncio.wait_for(done.wait(), REPORT_SECONDS)
            except TimeoutError:
                _log.warning("not every worker reported its counters within %g s", REPORT_SECONDS)
            finally:
                del self._awaited[request]
        if self._publisher.snapshot is not None:
            self._totals.keep_only(self._publisher.snapshot.tenants)
        return self._totals

    async def recall(self, newest: int) -> Snapshot | None:
        """What is in force already, None when no worker has anything. newest: the last generation there was; a worker
        that doesn't have it is asked when nobody else can be expected to have it, lest the others be set back.

        None after RECALL_SECONDS as well: a worker that doesn't answer must not hold up what the others are to get.
        """
        loop = asyncio.get_running_loop()
        self._recalled, self._wanted = loop.create_future(), newest
        patience = loop.call_later(RECALL_PATIENCE_SECONDS, self._want_less)
        self._ask_for_snapshot()
        try:
            return await asyncio.wait_for(self._recalled, RECALL_SECONDS)
        except TimeoutError:
            _log.warning("no worker said within %g s what is in force", RECALL_SECONDS)
            return None
        finally:
            patience.cancel()
            self._recalled = None

    def _want_less(self) -> None:
        self._wanted = 0
        self._ask_for_snapshot()

    def _ask_for_snapshot(self) -> None:
        """Have the worker with the newest one tell what it serves with, another one when that one is gone."""
        if self._recalled is None or self._recalled.done() or self._asked in self._peers:
            return
        generations = {channel: peer.subscriber.acknowledged for channel, peer in self._peers.items()}
        best = max(generations, key=lambda channel: generations[channel], default=None)
        is_everybody_here = len(self._peers) == self._slots
        if best is not None and generations[best] and (is_everybody_here or generations[best] >= self._wanted):
            self._asked = best
            best.send(messages.encode(messages.SnapshotRequest()))
        elif is_everybody_here:
            self._recalled.set_result(None)

    # -- what workers say

    def _receive(self, channel: Channel[messages.ToControl], message: messages.ToControl) -> None:
        if isinstance(message, messages.Hello):
            self._welcome(channel, message)
            return
        peer = self._peers.get(channel)
        if peer is None:
            channel.abort()
        elif isinstance(message, messages.Applied):
            peer.problem = None
            self._publisher.applied(peer.subscriber, message.generation, time.monotonic())
        elif isinstance(message, messages.Refused):
            peer.problem = _problem(peer, message)
            self._publisher.refused(peer.subscriber, message.generation)
        elif isinstance(message, messages.Running):
            if self._recalled is not None and not self._recalled.done():
                self._recalled.set_result(Snapshot.build(Platform(system_domain="")).apply(message.change))
        else:
            self._totals.update((peer.slot, peer.start), message.report)
            self._answered(channel, message.id)

    def _welcome(self, channel: Channel[messages.ToControl], hello: messages.Hello) -> None:
        peer = Peer(hello, next(self._starts), Subscriber(channel.send, hello.generation))
        if self._last_pid[hello.slot] not in (0, hello.pid):
            self._restarts[hello.slot] += 1
        self._last_pid[hello.slot] = hello.pid
        self._peers[channel] = peer
        self._publisher.join(peer.subscriber)
        self._ask_for_snapshot()

    def _lose(self, channel: Channel[messages.ToControl]) -> None:
        self._channels.discard(channel)
        peer = self._peers.pop(channel, None)
        if peer is not None:
            self._publisher.leave(peer.subscriber, time.monotonic())
            self._totals.retire((peer.slot, peer.start))
            self._ask_for_snapshot()
        for request in list(self._awaited):
            self._answered(channel, request)

    def _answered(self, channel: Channel[messages.ToControl], request: int) -> None:
        if request in self._awaited:
            awaited, done = self._awaited[request]
            awaited.discard(channel)
            if not awaited:
                done.set()

    def _info(self, slot: int, peer: Peer | None) -> WorkerInfo:
        return WorkerInfo(
            slot=slot,
            pid=peer.pid if peer else 0,
            connected=peer is not None,
            generation=peer.subscriber.acknowledged if peer else 0,
            restarts=self._restarts[slot],
        )


def _problem(peer: Peer, refused: messages.Refused) -> Finding:
    return Finding(
        severity="error",
        reason="NotApplied",
        object=f"worker {peer.slot}",
        field=f"generation {refused.generation}",
        message=refused.problem,
    )
