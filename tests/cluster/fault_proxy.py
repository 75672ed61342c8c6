"""A proxy in front of an API server that misbehaves on demand: faults that a healthy one won't produce.

It has a certificate of the cluster's own authority, so that a client changes nothing but the address. Methods may be
called from any thread; they return when the fault is in place:

    proxy.inject(failure(429, retry_after_seconds=2), both(is_list, of("secrets")), times=3)
    proxy.stall()
    ...
    proxy.heal()
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from tests.cluster.cluster import Cluster
from tests.cluster.component import ReservedPort
from tests.cluster.fault_server import FaultServer
from tests.cluster.faults import Fault, Injection, Request, Selector, error_event, everything
from tests.cluster.kubeconfig import write_secret_file
from tests.e2e.gateways import Background

T = TypeVar("T")


class FaultProxy:
    """Listens until closed; a context manager."""

    def __init__(self, cluster: Cluster, rewrite: Mapping[str, str] | None = None) -> None:
        """rewrite: text → text in every answer, such as a pod's address → a loopback address, which it may not have."""
        self._port = ReservedPort()
        self._context = _server_context(cluster)
        self._background = Background()
        rewrites = [(old.encode(), new.encode()) for old, new in (rewrite or {}).items()]
        self._server = self._call(lambda: FaultServer(cluster.url, cluster.authority.context(), rewrites))
        self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._background.run(self._server.close())
        self._background.close()
        self._port.release()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port.number}"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in order."""
        return list(self._server.requests)

    def received(self, selector: Selector) -> list[Request]:
        """Those requests so far that are meant."""
        return [request for request in self.requests if selector(request)]

    # -- faults that requests to come meet

    def inject(self, fault: Fault, selector: Selector = everything, times: int | None = 1) -> Injection:
        """The next `times` requests that are meant meet the fault, all with None; the oldest fault goes first."""
        injection = Injection(fault, selector, times)
        self._call(lambda: self._server.injections.append(injection))
        return injection

    def withdraw(self, injection: Injection) -> None:
        self._call(lambda: self._server.injections.remove(injection))

    # -- faults of what is open

    def cut(self) -> None:
        """Reset all connections; new ones are welcome."""
        self._call(self._server.reset_all)

    def refuse(self) -> None:
        """Reset all connections and refuse new ones: the API server is away."""
        self._call(self._server.refuse)
        self.cut()

    def listen(self) -> None:
        """Accept connections, as from the start."""
        self._background.run(self._server.listen(self._port.number, self._context))

    def stall(self) -> None:
        """No more bytes either way, while connections stay open and new ones are accepted."""
        self._call(self._server.flowing.clear)

    def resume(self) -> None:
        """Let flow what was stalled."""
        self._call(self._server.flowing.set)

    def say(self, line: bytes, selector: Selector = everything, *, end: bool = False) -> int:
        """Write into every open watch that is meant, between two events; then end it if wanted. How many there were."""
        return self._background.run(self._server.write_to_watches(line, selector, end=end))

    def expire(self, selector: Selector = everything) -> int:
        """Every open watch that is meant ends with the event that says 410. How many there were."""
        return self.say(error_event(410), selector, end=True)

    def heal(self) -> None:
        """No faults any more."""
        self._call(self._server.injections.clear)
        self.resume()
        self.listen()

    def _call(self, function: Callable[[], T]) -> T:
        """Call on the loop's thread."""

        async def call() -> T:
            return function()

        return self._background.run(call())


def _server_context(cluster: Cluster) -> ssl.SSLContext:
    pair = cluster.authority.issue("127.0.0.1", "localhost", "kubernetes.default.svc")
    file = cluster.folder / "fault-proxy.pem"
    write_secret_file(file, pair.chain_pem + pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
