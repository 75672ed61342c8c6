"""The demo's folder: a CA for clients, the watched objects, and a certificate that waits for the fourth tenant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from entryproxy.demo import objects
from entryproxy.demo.authority import DemoAuthority

SYSTEM_DOMAIN = "aigw.example.com"
CUSTOM_DOMAIN = "app.customer.com"
RATE_PER_SECOND = 5
NEW_TENANT = "tenant4"

_MARK = ".entryproxy-demo"
_PLATFORM_SETTINGS = f"""\
systemDomain: {SYSTEM_DOMAIN}
unknownSni: reject
httpsRedirect: true
"""


class FolderError(Exception):
    """The folder can't be used; the message says why and what to do."""


class DemoFolder:
    """Paths, and the files in them: directories 0700, files 0600, because keys are among them.

    ca: what clients trust; outside `source`, the folder that the entry watches. new_tenant: the file a person writes to
    add the fourth tenant. certificate: that tenant's Secret, ready to be copied into `source`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.source = self.root / "objects"
        self.ca = self.root / "ca.pem"
        self.new_tenant = self.source / f"{NEW_TENANT}.yaml"
        self.certificate = self.root / f"{NEW_TENANT}-certificate.yaml"

    def write(self, gateways: Mapping[str, str]) -> None:
        """A new CA and all objects, for the gateways' addresses by tenant. What an earlier demo wrote here is replaced.

        Raises FolderError when the folder holds something else, or can't be written.
        """
        try:
            self._claim()
            self._write_files(gateways)
        except OSError as error:
            raise FolderError(f"can't write {error.filename or self.root}: {error.strerror}") from None

    def _claim(self) -> None:
        if self.root.exists() and not (self.root / _MARK).exists() and any(self.root.iterdir()):
            raise FolderError(f"{self.root} holds something other than a demo: name another folder with --dir")
        for path in (self.root, self.source):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        _write_private(self.root / _MARK, "")

    def _write_files(self, gateways: Mapping[str, str]) -> None:
        authority = DemoAuthority()
        for leftover in (self.new_tenant, self.source / self.certificate.name):
            leftover.unlink(missing_ok=True)  # signed by the CA of an earlier demo, for gateways long gone
        _write_private(self.ca, authority.certificate_pem)
        _write_private(self.source / "system.yaml", _system(authority))
        _write_private(self.source / "tenant1.yaml", _tenant("tenant1", _gateway(gateways["tenant1"]), authority))
        limits = f"limits:\n  requestsPerSecond: {RATE_PER_SECOND}\n"
        _write_private(
            self.source / "tenant2.yaml", _tenant("tenant2", _gateway(gateways["tenant2"]) + limits, authority)
        )
        domains = f"domains: [{CUSTOM_DOMAIN}]\n"
        custom = objects.tls_secret("tenant3-customer", "tenant3", authority.issue(CUSTOM_DOMAIN))
        tenant3 = _tenant("tenant3", domains + _gateway(gateways["tenant3"]), authority)
        _write_private(self.source / "tenant3.yaml", objects.documents(tenant3, custom))
        _write_private(self.certificate, _wildcard(NEW_TENANT, authority))


def new_tenant_object(address: str) -> str:
    """The one object that declares the fourth tenant."""
    return objects.config_map(NEW_TENANT, NEW_TENANT, "tenant.yaml", _gateway(address))


def _system(authority: DemoAuthority) -> str:
    return objects.documents(
        objects.config_map("platform", "system", "settings.yaml", _PLATFORM_SETTINGS),
        objects.tls_secret("platform-wildcard", "system", authority.issue(f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN)),
    )


def _tenant(tenant: str, spec: str, authority: DemoAuthority) -> str:
    return objects.documents(
        objects.config_map(tenant, tenant, "tenant.yaml", spec),
        _wildcard(tenant, authority),
    )


def _wildcard(tenant: str, authority: DemoAuthority) -> str:
    return objects.tls_secret(f"{tenant}-wildcard", tenant, authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}"))


def _gateway(address: str) -> str:
    return f'gateway:\n  addresses: ["{address}"]\n'


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    partial.replace(path)
