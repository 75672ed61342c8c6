"""What operators see under `kubectl describe`: Events on the objects that they wrote.

The same thing said again is the same Event with a higher count, and an object that gives too much to say is heard
less often, as client-go's event broadcaster has it (tools/record/events_cache.go). An Event that can't be written is
logged and forgotten: nothing waits for it.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from time import time
from typing import Literal, TypeVar

import msgspec

from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.times import rfc3339

FIELD_MANAGER = "entryproxy-controller"
NOTE_CHARACTERS_MAX = 1_024
"""The API server takes no more."""
REPEAT_SECONDS = 600.0
"""What is said again within that counts on; later it is news."""
BURST_EVENTS = 25
REFILL_SECONDS = 60.0
"""An object may give rise to so many at once, then to one each so many seconds."""
OBJECTS_MAX = 4_096
_DIGEST_CHARACTERS = 16
_NAME_CHARACTERS_MAX = 253 - 1 - _DIGEST_CHARACTERS

K = TypeVar("K")
V = TypeVar("V")

_log = logging.getLogger(__name__)


class Regarding(msgspec.Struct, frozen=True, rename="camel"):
    """The object that an Event is about, as the API's ObjectReference."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class _Told:
    """One Event that has been told: since when, how often, when last. Unix seconds."""

    __slots__ = ("count", "first", "last")

    def __init__(self, now: float) -> None:
        self.first = self.last = now
        self.count = 0


class _Allowance:
    """How many more an object may give rise to (token bucket)."""

    __slots__ = ("at", "left")

    def __init__(self, now: float) -> None:
        self.at = now
        self.left = float(BURST_EVENTS)

    def take(self, now: float) -> bool:
        self.left = min(self.left + (now - self.at) / REFILL_SECONDS, float(BURST_EVENTS))
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class EventRecorder:
    """Writes Events as `component`. clock: Unix seconds."""

    def __init__(
        self, client: ClusterClient, component: str = FIELD_MANAGER, clock: Callable[[], float] = time
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._allowances: OrderedDict[Regarding, _Allowance] = OrderedDict()

    async def record(self, regarding: Regarding, kind: Literal["Normal", "Warning"], reason: str, note: str) -> bool:
        """Tell this about an object; whether it was written. reason: a CamelCase word; note: a sentence for people."""
        now = self._clock()
        if not _remembered(self._allowances, regarding, _Allowance, now).take(now):
            return False
        name = f"{regarding.name[:_NAME_CHARACTERS_MAX]}.{_digest(regarding, kind, reason, note)}"
        told = _remembered(self._told, name, _Told, now)
        if now - told.last > REPEAT_SECONDS:
            told = self._told[name] = _Told(now)
        told.count += 1
        told.last = now
        body = msgspec.json.encode(self._event(name, regarding, kind, reason, note, told))
        path = f"/api/v1/namespaces/{regarding.namespace}/events/{name}"
        try:
            await self._client.apply(path, body, FIELD_MANAGER, {"force": "true"})
        except ApiError as problem:
            _log.warning("an event about %s %s/%s: %s", regarding.kind, regarding.namespace, regarding.name, problem)
            return False
        return True

    def _event(
        self, name: str, regarding: Regarding, kind: str, reason: str, note: str, told: _Told
    ) -> dict[str, object]:
        """In the words of the core group, which kubectl has counted by since ever."""
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": regarding.namespace},
            "involvedObject": msgspec.to_builtins(regarding),
            "type": kind,
            "reason": reason,
            "message": note if len(note) <= NOTE_CHARACTERS_MAX else note[: NOTE_CHARACTERS_MAX - 1] + "…",
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": rfc3339(told.first),
            "lastTimestamp": rfc3339(told.last),
            "count": told.count,
        }


def _remembered(memory: OrderedDict[K, V], key: K, make: Callable[[float], V], now: float) -> V:
    """The value of `key`, made if there is none; whoever was not asked for longest is forgotten first."""
    found = memory.get(key)
    if found is None:
        found = memory[key] = make(now)
        if len(memory) > OBJECTS_MAX:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return found


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_DIGEST_CHARACTERS]
