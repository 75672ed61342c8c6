"""What a worker keeps for each tenant beside the configuration: counters, gateway connections, use of limits."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from entryproxy.edge.pool import GatewayPool
from entryproxy.errors import EntryError, Source

if TYPE_CHECKING:
    from entryproxy.edge.context import EdgeContext
    from entryproxy.model.tenant import Tenant


class TenantState:
    """One tenant in one worker. `tenant` follows the snapshot; exchanges keep the tenant they started with."""

    __slots__ = ("_edge", "connections", "gated", "hsts", "pool", "report", "tenant")

    def __init__(self, edge: EdgeContext, tenant: Tenant) -> None:
        self._edge = edge
        self.report = edge.report.tenant(tenant.id)
        self.pool = GatewayPool(edge, tenant)
        self.connections = 0
        self._adopt(tenant)

    def reconfigure(self, tenant: Tenant) -> None:
        self.pool.reconfigure(self.tenant, tenant)
        self._adopt(tenant)

    def _adopt(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.hsts = tenant.hsts.encode()
        self.gated = tenant.budget_slot >= 0

    def enter(self) -> int:
        """Take a request from the tenant's rate and concurrency; the row to give back with `leave`, -1 for none.

        Raises EntryError 429 over the rate, 503 over the concurrency, each with Retry-After (RFC 9110 §10.2.3).
        """
        tenant, budgets = self.tenant, self._edge.budgets
        row = tenant.budget_slot
        if tenant.limits.connections and budgets.concurrent(row) >= tenant.limits.connections:
            detail = "This tenant has as many requests under way as it may have."
            raise EntryError(503, "tenant_connections", detail, source=Source.ENTRY, headers=(("Retry-After", "1"),))
        if tenant.limits.requests_per_second:
            retry_after = budgets.admit(row, tenant.limits.requests_per_second, time.monotonic())
            if retry_after:
                detail = "This tenant sends more requests per second than it may."
                seconds = str(math.ceil(retry_after))
                raise EntryError(429, "tenant_rate", detail, source=Source.ENTRY, headers=(("Retry-After", seconds),))
        if tenant.limits.connections:
            budgets.enter(row)
            return row
        return -1

    def leave(self, row: int) -> None:
        """A request that `enter` let in is done."""
        self._edge.budgets.leave(row)
