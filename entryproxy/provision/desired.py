"""A tenant's document → everything that it wants of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.digests import canonical_digest
from entryproxy.provision.objects import Surroundings, namespace_objects
from entryproxy.provision.state import Desired, DesiredRelease, Rendering
from entryproxy.provision.values import core_values, for_chart, is_autoscaled, listeners, watched_namespace

POST_RENDERING_VERSION = 2
"""Raised with the rules by which rendered manifests are changed: every release is then upgraded once."""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A packed chart. digest: its file's SHA-256. is_umbrella: higress-core is a subchart of it."""

    path: str
    version: str
    digest: str
    is_umbrella: bool = False


def make_desired(
    tenant: str,
    spec: TenantSpec,
    *,
    source: str,
    uid: str,
    entry_namespace: str,
    chart: Chart,
    helm_version: str,
    has_config: bool = True,
    definitions: Iterable[dict[str, Any]] = (),
) -> Desired:
    """Needs `spec.release`, with values that passed the checks. source, uid: of its ConfigMap, as in `Desired`.

    has_config: as in `Rendering`. definitions: the chart's, as in `Desired`.
    """
    release = spec.release
    assert release is not None
    around, core = surroundings(tenant, spec, source=source, entry_namespace=entry_namespace)
    values = for_chart(core, release, umbrella=chart.is_umbrella)
    has_label = spec.gateway.balance == "endpoints"
    rendering = Rendering(
        watched=watched_namespace(core, around.namespace),
        has_config=has_config,
        service=around.gateway_name if has_label else "",
        tenant=tenant if has_label else "",
    )
    return Desired(
        tenant=tenant,
        source=source,
        uid=uid,
        namespace=around.namespace,
        objects=namespace_objects(around, spec.namespace),
        release=DesiredRelease(
            name=tenant,
            namespace=around.namespace,
            chart=chart.path,
            version=chart.version,
            values=values,
            digest=release_digest(chart, values, rendering, helm_version=helm_version),
            rendering=rendering,
            gateway=around.gateway_name,
            is_autoscaled=is_autoscaled(core),
        ),
        definitions=tuple(definitions),
    )


def surroundings(
    tenant: str, spec: TenantSpec, *, source: str, entry_namespace: str
) -> tuple[Surroundings, dict[str, Any]]:
    """Where the release goes, and the values of `core_values` that this follows from. Needs `spec.release`."""
    release = spec.release
    assert release is not None
    namespace = spec.gateway.namespace or f"{tenant}-gateway"
    core = core_values(tenant, release, namespace=namespace)
    around = Surroundings(
        tenant=tenant,
        namespace=namespace,
        source=source,
        entry_namespace=entry_namespace,
        isolation=release.isolation,
        gateway_name=core["gateway"]["name"],
        ports=listeners(core),
    )
    return around, core


def release_digest(chart: Chart, values: Mapping[str, Any], rendering: Rendering, *, helm_version: str) -> str:
    """Of all that decides what a release's objects look like; where the chart lies doesn't."""
    return canonical_digest(
        {
            "chart": chart.digest,
            "version": chart.version,
            "helm": helm_version,
            "rules": POST_RENDERING_VERSION,
            "rendering": msgspec.to_builtins(rendering),
            "values": values,
        }
    )
