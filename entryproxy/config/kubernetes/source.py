"""The cluster as a source: ConfigMaps and Secrets of the entry's namespace, EndpointSlices wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from entryproxy.config.kubernetes import resources
from entryproxy.config.kubernetes.kinds import ENDPOINT_SLICE
from entryproxy.config.kubernetes.reflector import Reflector, Timing
from entryproxy.config.settle import Settle, settled
from entryproxy.kubernetes.backoff import Backoff
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError, CredentialsError
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.snapshot import Snapshot
from entryproxy.tasks import spawn

SETTLE_QUIET_SECONDS = 0.005
SETTLE_LONGEST_SECONDS = 0.025
PATIENCE_SECONDS = 2.0
"""How long collections that are not vital may hold up the first configuration."""

Connect = Callable[[], Awaitable[ClusterClient]]


class KubernetesSource:
    """Labelled objects of a cluster; a `process.control.Source`.

    Nothing is handed over before all ConfigMaps and Secrets are known, so that half a configuration is never in force.
    Until then, and whenever the API server is out of reach, readings carry the reason.
    """

    def __init__(
        self,
        *,
        namespace: str,
        kubeconfig: str = "",
        context: str = "",
        connect: Connect | None = None,
        timing: Timing | None = None,
    ) -> None:
        """namespace: of the entry. kubeconfig, context: as in `client.connect`. connect, timing: what tests replace."""
        self._connect = connect or _connector(kubeconfig, context)
        self._timing = timing or Timing()
        self._changed = asyncio.Event()
        self._reload = asyncio.Event()
        self._reflectors = tuple(
            Reflector(one, self._changed.set, self._timing) for one in resources.of_entry(namespace)
        )
        self._no_credentials: Finding | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._is_impatient = False
        self._is_complete = False

    def resume(self, running: Snapshot) -> None:
        """Before the first `watch`: these objects are in force, so that a first list which lacks most of them is held
        in doubt as a later one would be. The pods of a Service stand for its EndpointSlices, whose names nobody knows.
        """
        references = tuple(running.references)
        for each in self._reflectors:
            if each.resource.kind is ENDPOINT_SLICE:
                each.store.expect(_services_with_pods(running))
            else:
                prefix = f"{each.resource.kind.name} {each.resource.namespace}/"
                each.store.expect(one for one in references if one.startswith(prefix))

    def preview(self, show: Callable[[Sequence[LabelledObject]], None]) -> None:
        """Before the first `watch`: `show` gets every page of a list while the next one is on its way."""
        for each in self._reflectors:
            each.on_page = lambda page: show([one.object for one in page if one.object is not None])

    def load(self) -> Reading:
        """What is different since the last call, in time proportional to that."""
        findings = [*self._troubles(), *(one for each in self._reflectors for one in each.store.findings)]
        unread = {reference for each in self._reflectors for reference in each.store.unread}
        error = self._error()
        if not self._is_complete:
            error = error or "The cluster has not been read yet"
            return Reading(findings=tuple(findings), unread=frozenset({*unread, ""}), error=error)
        changes: dict[str, LabelledObject | None] = {}
        for each in self._reflectors:
            changes |= each.store.take_changes()
            if not each.is_listed:
                unread.add(each.resource.kind.name)
        return Reading(
            changed=tuple(one for one in changes.values() if one is not None),
            removed=tuple(reference for reference, one in changes.items() if one is None),
            findings=tuple(findings),
            unread=frozenset(unread),
            error=error,
        )

    def request_reload(self) -> None:
        """Read credentials again, list everything again, and tick if anything is different. Call from the loop's
        thread."""
        self._reload.set()

    async def watch(self) -> AsyncGenerator[float, None]:
        """A tick after every settled burst of changes: the monotonic time at which its first event was read.

        Follows the cluster as long as the iterator lives; raises what following it raised, which is a fault of ours.
        """
        follower = spawn(self._follow(), "follow the cluster")
        follower.add_done_callback(lambda _: self._changed.set())
        settle = Settle(SETTLE_QUIET_SECONDS, SETTLE_LONGEST_SECONDS)
        try:
            async for first in settled(self._changed, settle, self._timing.clock):
                if follower.done():
                    await follower
                self._is_complete = self._is_complete or self._judge_completeness()
                if self._is_complete or any(self._troubles()):
                    yield first
        finally:
            follower.cancel()

    async def _follow(self) -> NoReturn:
        while True:
            async with await self._reach() as client:
                self._reload.clear()
                followers = [spawn(each.run(client), f"follow {each.resource.plural}") for each in self._reflectors]
                reload = spawn(self._reload.wait(), "wait for a reload")
                try:
                    done, _ = await asyncio.wait({reload, *followers}, return_when=asyncio.FIRST_COMPLETED)
                    for one in done:
                        await one
                finally:
                    await _end(reload, *followers)
            for each in self._reflectors:
                each.start_over()

    async def _reach(self) -> ClusterClient:
        """A client, as soon as there are credentials for one."""
        backoff = Backoff(self._timing.random)
        while True:
            try:
                client = await self._connect()
            except CredentialsError as problem:
                found = _no_credentials(problem)
                if found != self._no_credentials:
                    self._no_credentials = found
                    self._changed.set()
                wait = backoff.failed(ApiError(0, "NoCredentials", str(problem)), self._timing.clock())
                await self._timing.sleep(wait)
            else:
                if self._no_credentials is not None:
                    self._no_credentials = None
                    self._changed.set()
                return client

    def _judge_completeness(self) -> bool:
        """Everything is listed, or nearly: what is not vital is not waited for long, and not at all if forbidden."""
        if not all(each.is_listed for each in self._reflectors if each.resource.is_vital):
            return False
        if all(each.is_listed or each.health.is_forbidden for each in self._reflectors):
            return True
        if self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._lose_patience)
        return self._is_impatient

    def _lose_patience(self) -> None:
        self._is_impatient = True
        self._changed.set()

    def _troubles(self) -> Iterable[Finding]:
        if self._no_credentials is not None:
            yield self._no_credentials
        for each in self._reflectors:
            if each.health.finding is not None:
                yield each.health.finding
            if each.doubt is not None:
                yield each.doubt

    def _error(self) -> str:
        vital = [each.health.finding for each in self._reflectors if each.resource.is_vital]
        return next((str(finding) for finding in (self._no_credentials, *vital) if finding is not None), "")


def _services_with_pods(running: Snapshot) -> Iterator[str]:
    for tenant in running.tenants.values():
        if tenant.gateway_service is not None and tenant.gateway_endpoints:
            yield f"Service {tenant.gateway_service.namespace}/{tenant.gateway_service.name}"


async def _end(*running: asyncio.Task[Any]) -> None:
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _connector(kubeconfig: str, context: str) -> Connect:
    return lambda: connect(kubeconfig, context)


def _no_credentials(problem: CredentialsError) -> Finding:
    return Finding(
        severity="error",
        reason="UnreachableCluster",
        object="Cluster ?/?",
        field="",
        message=f"{problem}; what was good before, if anything, stays in force",
    )
