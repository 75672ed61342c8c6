"""Findings of the compiler and the source → Events on the objects that they are about.

The API server forgets an Event after an hour. What keeps an object out of force is told again before that, so that
`kubectl describe` shows it as long as it stands; warnings, of which every tenant may have some for months, are told
when they come up and a few times a day. All that stands comes again in the pace that is kept from the beginning.
"""

from __future__ import annotations

import asyncio
import heapq
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from time import monotonic
from typing import Final, NoReturn

from entryproxy.controller.events import EventRecorder, Regarding
from entryproxy.model.finding import Finding
from entryproxy.model.objects import CONFIG_MAP, ENDPOINT_SLICE, SECRET

REPEAT_SECONDS: Final = {"error": 3_000.0, "warning": 21_600.0}
RETRY_SECONDS = 600.0
"""Until one is tried again that could not be written, or that the object's allowance had no room for."""
EVENTS_PER_SECOND_MAX = 20
EVENTS_PER_OBJECT_MAX = 10
"""A certificate or a list of domains may be wrong in thousands of places, and others have to say something about the
object too (see `events.BURST_EVENTS`)."""
EVENTS_MAX = 10_000

_API_VERSIONS = {CONFIG_MAP: "v1", SECRET: "v1", ENDPOINT_SLICE: "discovery.k8s.io/v1"}
_REFERENCE = re.compile(r"(?P<kind>[A-Za-z]+) (?P<namespace>[-a-z0-9]+)/(?P<name>[-.a-z0-9]+)")

_Topic = tuple[Finding, str]
"""A finding and the uid of its object: one made anew under the same name is told again."""


def regarding_of(reference: str, uid: str = "") -> Regarding | None:
    """The object that a finding is about, by its reference "Kind namespace/name"; None when it is no object that can
    have Events."""
    match = _REFERENCE.fullmatch(reference)
    if match is None or match["kind"] not in _API_VERSIONS:
        return None
    return Regarding(_API_VERSIONS[match["kind"]], match["kind"], match["namespace"], match["name"], uid)


def worth_telling(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Those that can be Events, errors first, and of each object only so many."""
    told: Counter[str] = Counter()
    for one in sorted(dict.fromkeys(findings), key=lambda one: one.severity):
        if regarding_of(one.object) is not None and told[one.object] < EVENTS_PER_OBJECT_MAX:
            told[one.object] += 1
            yield one


class FindingEvents:
    """Tells findings, new ones at once, standing ones again and again, and forgets those that are gone."""

    def __init__(
        self,
        recorder: EventRecorder,
        find_uid: Callable[[str], str],
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """find_uid: reference → the object's uid, "" if it isn't known; `kubectl describe` shows only Events that have
        it. clock: monotonic seconds."""
        self._recorder = recorder
        self._find_uid = find_uid
        self._clock = clock
        self._sleep = sleep
        self._newest: Sequence[Finding] = ()
        self._changed = asyncio.Event()
        self._due: dict[_Topic, float] = {}
        self._heap: list[tuple[float, int, _Topic]] = []  # exactly what is in `_due`; the number only tells them apart
        self._number = 0

    def update(self, findings: Sequence[Finding]) -> None:
        """These are all that stand now. Costs nothing here: `run` takes the newest when it gets there."""
        self._newest = findings
        self._changed.set()

    async def run(self) -> NoReturn:
        """Tell for ever, one at a time."""
        while True:
            await self._wait()
            if self._changed.is_set():
                self._changed.clear()
                self._adopt(self._newest)
            for _ in range(EVENTS_PER_SECOND_MAX):
                if not self._heap or self._heap[0][0] > self._clock():
                    break
                await self._tell()
            await self._sleep(1.0)

    async def _wait(self) -> None:
        """Until one is due, or there are others."""
        try:
            async with asyncio.timeout(max(self._heap[0][0] - self._clock(), 0.0) if self._heap else None):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _adopt(self, findings: Sequence[Finding]) -> None:
        topics = [(one, self._find_uid(one.object)) for one in islice(worth_telling(findings), EVENTS_MAX)]
        now = self._clock()
        self._due = {topic: self._due.get(topic, now) for topic in topics}
        self._heap = [(due, number, topic) for number, (topic, due) in enumerate(self._due.items())]
        self._number = len(self._heap)
        heapq.heapify(self._heap)

    async def _tell(self) -> None:
        """The one that is due first."""
        _, _, topic = heapq.heappop(self._heap)
        finding, uid = topic
        regarding = regarding_of(finding.object, uid)
        assert regarding is not None  # see `worth_telling`
        note = f"{finding.field}: {finding.message}" if finding.field else finding.message
        is_written = await self._recorder.record(regarding, "Warning", finding.reason, note)
        due = self._clock() + (REPEAT_SECONDS[finding.severity] if is_written else RETRY_SECONDS)
        self._due[topic] = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, topic))
