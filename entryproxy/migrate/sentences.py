"""What the entry itself does for a host, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from entryproxy.compiler.tenants import render_hsts
from entryproxy.migrate.certificates import Certificates
from entryproxy.migrate.claims import HostPlan
from entryproxy.migrate.tenants import GATEWAY_SUFFIX
from entryproxy.model.tenant import Hsts, Timeouts

_PLAIN = Timeouts()


def entry_does(tenant: str, effective: Mapping[str, Any]) -> tuple[str, ...]:
    """For all hosts of a tenant: redirect, gateway, limits, time limits, in this order.

    effective: `tenant.yaml` over `settings.yaml`.
    """
    limit = effective["limits"].get("requestBodyBytes", 0)
    times = effective["timeouts"]
    return (
        _plain_port(effective),
        f"sends every request to higress-gateway.{tenant}{GATEWAY_SUFFIX}.svc:80",
        f"takes bodies of up to {limit:,} bytes" if limit else "takes bodies of any size",
        f"waits {times.get('firstByte', _PLAIN.first_byte):g} s for an answer and "
        f"{times.get('idle', _PLAIN.idle):g} s between two pieces",
    )


def certificate_of(host: HostPlan, certificates: Certificates) -> str:
    """What it shows in a handshake for the host."""
    source = certificates.sources.get(host.host)
    if source is not None:
        return f"what is in Secret {source} today"
    return "one of the platform's" if host.is_system else "none yet: TLS is refused"


def _plain_port(effective: Mapping[str, Any]) -> str:
    hsts = effective.get("hsts")
    redirect = "redirects http to https (308)" if effective["httpsRedirect"] else "serves http in the clear"
    if hsts is None:
        return redirect
    return f"{redirect}, sends Strict-Transport-Security: {render_hsts(msgspec.convert(hsts, Hsts))}"
