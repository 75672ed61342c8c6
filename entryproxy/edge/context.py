"""What the connections of one worker share: configuration in force, limits, timers, memories, counters, the log."""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from entryproxy.edge.account import Accounts
from entryproxy.edge.contexts import ContextCache
from entryproxy.edge.deadlines import DeadlineWheel
from entryproxy.edge.heads import AnswerMemory, RequestMemory
from entryproxy.edge.http1 import Http1Connection
from entryproxy.edge.resolver import Resolver
from entryproxy.edge.tenants import TenantState
from entryproxy.edge.trust import TrustedProxies
from entryproxy.routing.sni import Choice, choose_certificate
from entryproxy.routing.table import RoutingTable

if TYPE_CHECKING:
    import ssl

    from entryproxy.edge.budgets import BudgetTable
    from entryproxy.edge.transport import ClientTransport
    from entryproxy.model.snapshot import Change
    from entryproxy.model.tenant import Tenant
    from entryproxy.settings import EdgeLimits, ServeSettings
    from entryproxy.telemetry.access_log import AccessLog
    from entryproxy.telemetry.counters import WorkerReport

_TENANTS_PER_STEP = 4
"""Some 0.1 ms."""
_IDS_AT_A_TIME = 256
_ID_CHARACTERS = 32
_CHOICES_MAX = 4_096
_CHOICES_SECONDS = 10.0


class EdgeContext:
    """One per worker. Connections and exchanges reach everything that outlives them through it.

    era: another object after every change of the table; what is remembered of it holds as long as the era does.
    """

    def __init__(
        self,
        settings: ServeSettings,
        limits: EdgeLimits,
        report: WorkerReport,
        log: AccessLog,
        budgets: BudgetTable,
        ticket_secret: bytes,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits
        self.zone = settings.zone
        self.proxy_protocol = settings.proxy_protocol
        self.https_port = settings.https_port
        self.http_port = settings.http_port
        self.report = report
        self.accounts = Accounts(self.loop, log)
        self.budgets = budgets
        self.wheel = DeadlineWheel(self.loop)
        self.resolver = Resolver(self.loop, limits)
        self.contexts = ContextCache(limits.tls_contexts_max, ticket_secret)
        self.requests_tls = RequestMemory(self, secure=True)
        self.requests_plain = RequestMemory(self, secure=False)
        self.answers = AnswerMemory(limits.remembered_heads_max, limits.remembered_head_bytes_max)
        self.table = RoutingTable()
        self.era = object()
        self.tenants: dict[str, TenantState] = {}
        self.links: dict[ClientTransport, None] = {}
        self.draining = False
        self._empty = asyncio.Event()
        self._trusted = TrustedProxies(())
        self._choices: dict[str, Choice] = {}
        self._choices_until = 0.0
        self._ids: list[bytes] = []
        self._date = (0, b"")

    # -- configuration

    def applying(self, change: Change, tenants: Iterable[Tenant]) -> Iterator[None]:
        """Put a change in force, with these tenants in place of its own, in short steps between which requests come.

        Only after the last one is it in force; whatever fails before leaves the table with all that it leads to.
        What is under way keeps what it started with.
        """
        coming: list[Tenant] = []
        for tenant in tenants:
            coming.append(tenant)
            state = self.tenants.get(tenant.id)
            if state is None:
                self.tenants[tenant.id] = TenantState(self, tenant)
            else:
                state.reconfigure(tenant)
            if len(coming) % _TENANTS_PER_STEP == 0:
                yield
        if change.platform is not None:
            self._trusted = TrustedProxies(change.platform.trusted_proxies)
        self.accounts.settle()  # what has ended is logged as it was
        self.table.follow(change, coming)
        gone = [key for key in self.tenants if key not in self.table.tenants] if change.whole else change.removed
        for tenant_id in gone:
            state = self.tenants.pop(tenant_id, None)
            if state is not None:
                state.pool.retire()
                self.report.forget(tenant_id)
        self._choices.clear()
        self.era = object()

    # -- connections

    def admit(self, link: ClientTransport) -> bool:
        """Whether the worker has room for one more connection."""
        if len(self.links) >= self.limits.connections_max:
            self.report.reject("connections")
            return False
        self.links[link] = None
        self.report.client_connections += 1
        return True

    def admit_to_tenant(self, link: ClientTransport) -> bool:
        """Whether the tenant that the SNI names may have one more connection: nobody takes the whole worker."""
        state = self.tenants.get(link.server_tenant or "")
        if state is None:
            return True
        if state.connections >= self.limits.connections_per_tenant_max:
            self.report.reject("tenant_share")
            return False
        state.connections += 1
        link.tenant_state = state
        return True

    def leave(self, link: ClientTransport) -> None:
        """A connection is gone."""
        if link in self.links:
            del self.links[link]
            self.report.client_connections -= 1
            if not self.links:
                self._empty.set()
            if link.tenant_state is not None:
                link.tenant_state.connections -= 1
                link.tenant_state = None

    async def wait_until_empty(self, seconds: float) -> None:
        """Until the last connection is gone, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while self.links:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            pass

    def make_http1(self, link: ClientTransport) -> Http1Connection:
        return Http1Connection(self, link)

    def choose_context(self, name: str | None) -> tuple[ssl.SSLContext, str | None] | None:
        """The TLS context for a server name with the tenant that every request's Host must lead to (None: any); None
        to refuse.
        """
        choice = self._choose(name)
        context = self.contexts.find(choice.candidates, choice.tenant_id, self.table.platform.tls_min_version)
        if context is None:
            return None
        if not choice.covered and choice.tenant_id:
            uncovered = self.report.uncovered
            uncovered[choice.tenant_id] = uncovered.get(choice.tenant_id, 0) + 1
        return context, None if choice.any_host else choice.tenant_id

    def _choose(self, name: str | None) -> Choice:
        """Who connects comes again: choices are remembered until the table changes, or certificates may have
        expired.
        """
        key = name or ""
        choice = self._choices.get(key)
        now = time.time()
        if choice is None or now > self._choices_until:
            if now > self._choices_until or len(self._choices) >= _CHOICES_MAX:
                self._choices.clear()
                self._choices_until = now + _CHOICES_SECONDS
            choice = choose_certificate(self.table, name, now)
            if not choice.refused:
                self._choices[key] = choice
        return choice

    # -- small services

    def trusts(self, address: str) -> bool:
        """Whether this peer may speak for others."""
        return self._trusted.contains(address)

    def real_client(self, forwarded_for: str, peer: str) -> str:
        """The client's address as trusted proxies tell it."""
        return self._trusted.client_behind(forwarded_for, peer)

    def new_request_id(self) -> bytes:
        """32 hexadecimal digits from the system's random source, drawn many at a time."""
        if not self._ids:
            digits = os.urandom(_IDS_AT_A_TIME * _ID_CHARACTERS // 2).hex().encode()
            self._ids = [digits[at : at + _ID_CHARACTERS] for at in range(0, len(digits), _ID_CHARACTERS)]
        return self._ids.pop()

    def http_date(self) -> bytes:
        """Now as an IMF-fixdate (RFC 9110 §5.6.7), made once a second."""
        second = int(time.time())
        if second != self._date[0]:
            self._date = (second, email.utils.formatdate(second, usegmt=True).encode())
        return self._date[1]
