"""How far a release's Deployments have got: what Helm, which doesn't wait, can't say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from entryproxy.controller.metadata import get_or_none, together
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.nesting import any_depth
from entryproxy.kubernetes.paths import object_path
from entryproxy.provision.state import Rollout

_DEADLINE = "ProgressDeadlineExceeded"


class _Condition(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_update_time: datetime | None = None


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[_Condition, ...] = ()


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    generation: int = 0


class Deployment(msgspec.Struct, frozen=True):
    """As far as it says how its rollout goes, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/"""

    metadata: _Metadata
    status: _Status = _Status()

    @property
    def is_available(self) -> bool:
        """A pod is available, and the numbers are about the spec that is there."""
        return self.status.available_replicas >= 1 and self._is_current

    @property
    def is_complete(self) -> bool:
        """No pod of an older template is left."""
        return self._is_current and self.status.replicas == self.status.updated_replicas

    @property
    def _is_current(self) -> bool:
        return self.status.observed_generation >= self.metadata.generation

    def stalled(self, now: float, rollout_seconds: float, since: float) -> str:
        """What holds it up, "" as long as it may still get there. since: when the revision was made, Unix seconds; what
        its controller said before, or of a spec that it hasn't seen, is about another rollout."""
        if not self._is_current or (self.is_complete and self.is_available):
            return ""
        progress = self._condition("Progressing")
        if progress is None or progress.last_update_time is None:
            return ""
        updated = progress.last_update_time.timestamp()
        has_given_up = updated >= since and progress.reason == _DEADLINE
        if not has_given_up and now - max(updated, since) <= rollout_seconds:
            return ""
        return f"Deployment {self.metadata.name}: {self._complaint(progress, has_given_up, rollout_seconds)}"

    def _complaint(self, progress: _Condition, has_given_up: bool, rollout_seconds: float) -> str:
        failure = self._condition("ReplicaFailure")
        if failure is not None and failure.status == "True":
            return failure.message.rstrip(". ")
        return progress.message.rstrip(". ") if has_given_up else f"no progress for {rollout_seconds:g} s"

    def _condition(self, kind: str) -> _Condition | None:
        return next((one for one in self.status.conditions if one.type == kind), None)


_decode = any_depth(msgspec.json.Decoder(Deployment).decode)


async def look_at_rollout(
    client: ClusterClient,
    namespace: str,
    gateway: str,
    others: Sequence[str],
    *,
    now: float,
    since: float,
    rollout_seconds: float,
) -> Rollout:
    """gateway, others: names of Deployments. now, since: Unix seconds, the latter when the revision was made. Raises
    ApiError."""
    found = await together(*(_read(client, namespace, name) for name in (gateway, *others)))
    there = [one for one in found if one is not None]
    stalled = next((why for one in there if (why := one.stalled(now, rollout_seconds, since))), "")
    return Rollout(
        is_serving=found[0] is not None and found[0].is_available,
        is_complete=all(one.is_complete for one in there),
        stalled=stalled,
    )


async def _read(client: ClusterClient, namespace: str, name: str) -> Deployment | None:
    body = await get_or_none(client, object_path("apps/v1", "Deployment", namespace, name))
    try:
        return _decode(body) if body is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", f"Deployment {namespace}/{name} can't be read") from None
