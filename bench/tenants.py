"""Many tenants: how long until the first answer after a start and after a change, and the memory it takes.

nginx gets what one would write by hand: a server block and a certificate per tenant, and a reload for every change.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from bench import measure
from bench.contenders import Contender, Entry, Nginx
from bench.contenders.base import answers
from bench.contenders.entry import secret, write_objects
from bench.load import LoadError
from bench.site import SYSTEM_DOMAIN, Authority, Site

_START_SECONDS = 180.0
_CHANGE_SECONDS = 60.0
_POLL_SECONDS = 0.001
_PAUSE_SECONDS = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class TenantsResult:
    """start_seconds: process start to first answer of the last tenant. Changes: write to first answer, in milliseconds.

    process_megabytes: proportional set size of every process of the proxy, the largest first.
    """

    tenants: int
    start_seconds: float
    change_p50_ms: float
    change_p99_ms: float
    changes: int
    process_megabytes: list[float]


class WithTenants(Contender, abc.ABC):
    """A contender with `count` tenants, each with a wildcard certificate of its own."""

    def __init__(self, site: Site, authority: Authority, count: int) -> None:
        super().__init__(site)
        self.folder = site.folder / f"{self.name}-{count}"
        self.authority = authority
        self.count = count

    @abc.abstractmethod
    def write_tenant(self, tenant: str) -> None:
        """Put one tenant's files where the proxy reads them."""

    def apply(self) -> None:
        """Ask the proxy to look at its files."""

    def write_all(self) -> None:
        for number in range(self.count):
            self.write_tenant(f"t{number}")


class EntryWithTenants(WithTenants, Entry):
    """One file per tenant in the watched folder; the watcher needs no asking."""

    unknown_sni = "reject"

    def __init__(self, site: Site, authority: Authority, count: int) -> None:
        super().__init__(site, authority, count)
        self.source = self.folder / "source"

    def command(self, folder: Path) -> list[str]:
        command = super().command(folder)
        self.write_all()
        return command

    def write_tenant(self, tenant: str) -> None:
        certificate = self.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}").decode()
        pair = secret(tenant, tenant, certificate, self.authority.key_pem.decode())
        write_objects(self.source / f"{tenant}.yaml", *self.tenant_objects(tenant), pair)


class NginxWithTenants(WithTenants, Nginx):
    def command(self, folder: Path) -> list[str]:
        tenants = folder / "tenants"
        tenants.mkdir()
        (folder / "key.pem").touch(mode=0o600)
        (folder / "key.pem").write_bytes(self.authority.key_pem)
        refuse = f"server {{ listen 127.0.0.1:{self.https_port} ssl default_server; ssl_reject_handshake on; }}"
        self.more = f"{refuse}\n  include {tenants}/*.conf;"
        self.write_all()
        return super().command(folder)

    def write_tenant(self, tenant: str) -> None:
        certificate = self.folder / "tenants" / f"{tenant}.pem"
        certificate.write_bytes(self.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}"))
        certificate.with_suffix(".conf").write_text(
            f"server {{ listen 127.0.0.1:{self.https_port} ssl; server_name *.{tenant}.{SYSTEM_DOMAIN};\n"
            f"  ssl_certificate {certificate}; ssl_certificate_key {self.folder}/key.pem;\n"
            f"  location / {{ proxy_pass http://gateway; add_header X-Tenant {tenant}; }} }}\n"
        )

    def apply(self) -> None:
        os.kill(self.pid, signal.SIGHUP)


KINDS: dict[str, type[WithTenants]] = {"entry": EntryWithTenants, "nginx": NginxWithTenants}


def run(kind: type[WithTenants], site: Site, authority: Authority, count: int, changes: int) -> TenantsResult:
    """Start with `count` tenants, add `changes` more one by one; raises StartError or LoadError."""
    proxy = kind(site, authority, count)
    try:
        proxy.start(host_of(f"t{count - 1}"), _START_SECONDS, interval=0.005)
        start = time.monotonic() - proxy.started_at
        delays = sorted(_change(proxy, f"new{number}") for number in range(changes))
        sizes = [kilobytes / 1024 for kilobytes in measure.pss_kilobytes_of_each(proxy.pid)]
    finally:
        proxy.stop()
    return TenantsResult(
        tenants=count,
        start_seconds=start,
        change_p50_ms=percentile(delays, 50),
        change_p99_ms=percentile(delays, 99),
        changes=changes,
        process_megabytes=sizes,
    )


def host_of(tenant: str) -> str:
    """A host that the tenant's certificate covers."""
    return f"app.{tenant}.{SYSTEM_DOMAIN}"


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile of ascending values."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _change(proxy: WithTenants, tenant: str) -> float:
    """Add a tenant; milliseconds from the moment its files are complete to its first answer."""
    time.sleep(_PAUSE_SECONDS)
    proxy.write_tenant(tenant)
    written = time.monotonic()
    proxy.apply()
    while not answers(proxy.https_port, host_of(tenant)):
        if time.monotonic() - written > _CHANGE_SECONDS:
            raise LoadError(f"{tenant} was not in force after {_CHANGE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return (time.monotonic() - written) * 1000
