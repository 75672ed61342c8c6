"""The Ingresses of a tenant → its `tenant.yaml`. The entry has one value per tenant where nginx has one per Ingress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from entryproxy.migrate.claims import HostPlan
from entryproxy.migrate.inventory import Ingress
from entryproxy.migrate.judge import is_canary
from entryproxy.migrate.settings import SECONDS_MAX, Defaults
from entryproxy.migrate.values import read_boolean, read_seconds, read_size
from entryproxy.model.tenant import Limits, Timeouts

_PLAIN_LIMITS: dict[str, Any] = msgspec.to_builtins(Limits())
_PLAIN_TIMEOUTS: dict[str, Any] = msgspec.to_builtins(Timeouts())


class TenantDocument(msgspec.Struct, frozen=True, kw_only=True):
    """document: `tenant.yaml`, without what is the same as in `settings.yaml`. effective: with it.

    newly_redirected: hosts that were served in the clear too, but others of the tenant redirect, so now they do.
    """

    document: dict[str, Any]
    effective: dict[str, Any]
    newly_redirected: frozenset[str]


def write_document(
    hosts: Sequence[HostPlan], with_tls: Iterable[str], platform: Mapping[str, Any], defaults: Defaults
) -> TenantDocument:
    """What the tenant's hosts need.

    hosts: the served ones. with_tls: hosts of whichever tenant that were asked for by https. platform: `settings.yaml`.
    """
    covered = frozenset(with_tls).intersection(one.host for one in hosts)
    ingresses = _ingresses(hosts)
    redirects = _redirects(hosts, covered, defaults)
    effective: dict[str, Any] = {
        "httpsRedirect": _redirect(redirects, platform, hosts, covered),
        "limits": {**platform.get("limits", {}), **_limits(ingresses, defaults)},
        "timeouts": {**platform.get("timeouts", {}), **_timeouts(ingresses, defaults)},
    }
    document: dict[str, Any] = {}
    if domains := [one.host for one in hosts if not one.is_system]:
        document["domains"] = domains
    if effective["httpsRedirect"] != platform.get("httpsRedirect", True):
        document["httpsRedirect"] = effective["httpsRedirect"]
    if defaults.hsts is not None and covered:
        document["hsts"] = effective["hsts"] = dict(defaults.hsts)
    for part, plain in (("limits", _PLAIN_LIMITS), ("timeouts", _PLAIN_TIMEOUTS)):
        inherited = {**plain, **platform.get(part, {})}
        own = {field: value for field, value in effective[part].items() if inherited[field] != value}
        if own:
            document[part] = own
    clear = frozenset(host for host, is_redirected in redirects.items() if not is_redirected)
    return TenantDocument(
        document=document,
        effective=effective,
        newly_redirected=clear if effective["httpsRedirect"] else frozenset(),
    )


def _ingresses(hosts: Iterable[HostPlan]) -> list[Ingress]:
    """Those whose annotations count, each once."""
    found = {claim.ingress.reference: claim.ingress for host in hosts for claim in host.claims}
    return [one for one in found.values() if not is_canary(one)]


def _limits(ingresses: Iterable[Ingress], defaults: Defaults) -> dict[str, int]:
    """The largest limit that any of them has, if any of them says one; the others have the default."""
    sizes = [read_size(one.setting("proxy-body-size")) for one in ingresses]
    if all(size is None for size in sizes):
        return {}
    known = [defaults.body_bytes if size is None else size for size in sizes]
    return {"requestBodyBytes": 0 if 0 in known else max(known)}


def _timeouts(ingresses: Sequence[Ingress], defaults: Defaults) -> dict[str, int]:
    reads = [read_seconds(one.setting("proxy-read-timeout")) for one in ingresses]
    sends = [read_seconds(one.setting("proxy-send-timeout")) for one in ingresses]
    timeouts = {}
    if any(reads):
        timeouts["firstByte"] = _longest(reads, defaults.read_seconds)
    if any(reads) or any(sends):
        said = [max(read or 0, send or 0) or None for read, send in zip(reads, sends, strict=True)]
        timeouts["idle"] = _longest(said, max(defaults.read_seconds, defaults.send_seconds))
    return timeouts


def _longest(said: Iterable[int | None], otherwise: int) -> int:
    return min(max(one or otherwise for one in said), SECONDS_MAX)


def _redirects(hosts: Iterable[HostPlan], covered: frozenset[str], defaults: Defaults) -> dict[str, bool]:
    """Whether each host redirected to https, as far as it could be asked for by https at all."""
    found: dict[str, bool] = {}
    for host in hosts:
        for claim in host.claims:
            is_forced = _is_forced(claim.ingress, defaults)
            if not is_canary(claim.ingress) and (host.host in covered or is_forced):
                is_redirected = is_forced or _is_redirected(claim.ingress, defaults)
                found[host.host] = found.get(host.host, True) and is_redirected
    return found


def _is_forced(ingress: Ingress, defaults: Defaults) -> bool:
    said = read_boolean(ingress.setting("force-ssl-redirect"))
    return defaults.force_ssl_redirect if said is None else said


def _is_redirected(ingress: Ingress, defaults: Defaults) -> bool:
    said = read_boolean(ingress.setting("ssl-redirect"))
    return defaults.ssl_redirect if said is None else said


def _redirect(
    redirects: Mapping[str, bool], platform: Mapping[str, Any], hosts: Iterable[HostPlan], covered: frozenset[str]
) -> bool:
    """When hosts differ they are all redirected, the safer half. A tenant of which no custom host has a certificate is
    served in the clear, as it was."""
    if redirects:
        return any(redirects.values())
    if any(not one.is_system and one.host not in covered for one in hosts):
        return False
    return bool(platform.get("httpsRedirect", True))
