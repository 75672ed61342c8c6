"""One of several controllers leads: election by a Lease, as client-go's leaderelection has it, with a fence.

Nobody compares clocks. Whoever leads counts the duration from before it sent the request that renewed the lease;
whoever waits counts it from when it saw the lease change last, which is later. The leader stops its work, and has it
ended, some seconds before its time is over, so two never work at once, unless a process is frozen in between or
somebody deletes the lease; what must not happen even then needs another lock: Helm's history, see `seal`.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import msgspec

from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import CONFLICT, NOT_FOUND, ApiError
from entryproxy.tasks import spawn

DURATION_SECONDS = 20
RENEW_SECONDS = 2.0
FENCE_SECONDS = 8.0
"""The work is told to end so long before the lease could be lost: longer than ending a Helm process takes."""

_log = logging.getLogger(__name__)


class FenceError(Exception):
    """Work goes on while another may lead already. Only the end of the process, which its children don't outlive, is
    safe now."""


class LeaseSpec(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ – times are RFC 3339 with
    microseconds, for people: nothing is decided by them."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


class _Metadata(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str
    namespace: str
    resourceVersion: str = ""  # noqa: N815 - the API's field


class _Lease(msgspec.Struct, kw_only=True):
    apiVersion: str = "coordination.k8s.io/v1"  # noqa: N815
    kind: str = "Lease"
    metadata: _Metadata
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


_decode = msgspec.json.Decoder(_Lease).decode


class Elector:
    """One candidate. identity: unique among the candidates, a pod's name for one; two of one name would both lead.

    Takes part until it is cancelled; the lease is given back then, so that a successor needn't wait.
    """

    def __init__(
        self,
        client: ClusterClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration_seconds: int = DURATION_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        fence_seconds: float = FENCE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.identity = identity
        self._client = client
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name, self._namespace = name, namespace
        self._duration_seconds = duration_seconds
        self._renew_seconds = renew_seconds
        self._fence_seconds = fence_seconds
        self._clock = clock
        self._seen: LeaseSpec | None = None
        self._seen_at = 0.0
        self._until = 0.0
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why the lease could not be read or written last, "" if it could."""
        return self._trouble

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call `lead` whenever we are the leader, and cancel it when we may be it no longer; returns when it returns.
        Raises what it raises, and FenceError."""
        while True:
            await self._acquire()
            _log.info("%s leads", self.identity)
            work = spawn(lead(), "lead")
            try:
                if await self._keep(work):
                    return
                _log.warning("%s leads no longer", self.identity)
            finally:
                await self._end(work)
                await self._give_back()

    async def _acquire(self) -> None:
        while True:
            if await self._try():
                return
            await asyncio.sleep(self._renew_seconds)

    async def _keep(self, work: asyncio.Task[None]) -> bool:
        """Renew until the work has ended (True; raises what it raised), or the fence is reached (False)."""
        while True:
            left = self._until - self._fence_seconds - self._clock()
            if left <= 0:
                return False
            done, _ = await asyncio.wait({work}, timeout=min(self._renew_seconds, left))
            if done:
                await work
                return True
            try:
                async with asyncio.timeout(max(self._until - self._fence_seconds - self._clock(), 0)):
                    await self._try()
            except TimeoutError:
                return False
            if self._seen is not None and self._seen.holder_identity != self.identity:
                return False

    async def _end(self, work: asyncio.Task[None]) -> None:
        """Raises FenceError when it goes on beyond the lease."""
        work.cancel()
        done, _ = await asyncio.wait({work}, timeout=max(self._until - self._clock(), 0))
        if not done:
            raise FenceError("The leader's work didn't end while the lease was ours")

    async def _try(self) -> bool:
        """Take or renew the lease if we may; whether we have it."""
        asked_at = self._clock()
        try:
            lease = await self._read()
            if not self._may_take(lease.spec):
                return False
            stored = await self._write(lease)
        except ApiError as problem:
            if problem.status != CONFLICT:  # which is another candidate that was faster
                self._complain(str(problem))
            return False
        self._trouble = ""
        self._see(stored.spec)
        self._until = asked_at + self._duration_seconds
        return True

    def _may_take(self, spec: LeaseSpec) -> bool:
        """It is ours, nobody's, or has not been renewed for its whole duration while we looked."""
        self._see(spec)
        if not spec.holder_identity or spec.holder_identity == self.identity:
            return True
        return self._clock() >= self._seen_at + (spec.lease_duration_seconds or self._duration_seconds)

    def _see(self, spec: LeaseSpec) -> None:
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()

    async def _read(self) -> _Lease:
        try:
            return _parse(await self._client.get(f"{self._collection}/{self._name}"))
        except ApiError as problem:
            if problem.status != NOT_FOUND:
                raise
            return _Lease(metadata=_Metadata(name=self._name, namespace=self._namespace))

    async def _write(self, lease: _Lease, holder: str | None = None) -> _Lease:
        """Ours from now on, or `holder`'s; the version that was read must be the one that is there."""
        is_new_holder = lease.spec.holder_identity != self.identity
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = LeaseSpec(
            holder_identity=self.identity if holder is None else holder,
            lease_duration_seconds=self._duration_seconds,
            acquire_time=now if is_new_holder else lease.spec.acquire_time,
            renew_time=now,
            lease_transitions=lease.spec.lease_transitions + is_new_holder,
        )
        body = msgspec.json.encode(msgspec.structs.replace(lease, spec=spec))
        if lease.metadata.resourceVersion:
            return _parse(await self._client.replace(f"{self._collection}/{self._name}", body))
        return _parse(await self._client.create(self._collection, body))

    async def _give_back(self) -> None:
        """Nobody has to wait for the end of a lease that isn't used any more, if it is still ours."""
        try:
            async with asyncio.timeout(self._renew_seconds):
                lease = await self._read()
                if lease.spec.holder_identity == self.identity:
                    await self._write(lease, holder="")
        except (ApiError, TimeoutError):
            pass  # it ends by itself

    def _complain(self, problem: str) -> None:
        """Once for each trouble."""
        if problem != self._trouble:
            self._trouble = problem
            _log.warning("the lease %s/%s: %s", self._namespace, self._name, problem)


def _parse(body: bytes) -> _Lease:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(0, "Malformed", "The lease can't be read") from None
