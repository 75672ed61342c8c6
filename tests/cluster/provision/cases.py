"""Tenants that can't have what they ask for, and what they are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

PIONEER = "pioneer"
"""A tenant that is there before all others, and has the Gateway API."""
OLD = "old-times"
"""A namespace that somebody else made, with a release of Helm in it that somebody else installed."""
OLD_RELEASE = "bygone"
OLD_CLASS = "antique"
UMBRELLA = "umbrella"
LONG = "a" * 39
"""As long as ids may be: the chart's longest label just has room for it."""

DEV: Mapping[str, Any] = {"profile": "dev"}


def _with(values: Mapping[str, Any], **release: Any) -> dict[str, Any]:
    return {"release": {**DEV, **release, "values": values}}


def _within(namespace: str, **release: Any) -> dict[str, Any]:
    return {"gateway": {"namespace": namespace}, "release": {**DEV, **release}}


def _shared(tenant: str, namespace: str) -> dict[str, Any]:
    return {
        "gateway": {"namespace": namespace, "service": f"{tenant}-gateway"},
        "release": {**DEV, "isolation": "shared"},
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """spec: what the tenant asks for. reason: of the refusal; words: which its message has, the field above all.
    mended: what it asks for instead; None for those that stay as they are."""

    spec: Mapping[str, Any]
    reason: str
    words: tuple[str, ...]
    mended: Mapping[str, Any] | None = None


CASES: Mapping[str, Case] = {
    # -- somebody else's
    OLD_CLASS: Case(spec={}, reason="ClassTaken", words=("IngressClass antique", f"{OLD}/{OLD_RELEASE}", "tenant id")),
    OLD_RELEASE: Case(
        spec=_shared(OLD_RELEASE, OLD), reason="NotOurs", words=("gateway.namespace", f"release {OLD}/{OLD_RELEASE}")
    ),
    "squatter": Case(spec=_within(OLD), reason="NotOurs", words=("gateway.namespace", f"Namespace {OLD}"), mended={}),
    "lodger": Case(
        spec=_within(f"{PIONEER}-gateway"),
        reason="NotOurs",
        words=("gateway.namespace", f"Namespace {PIONEER}-gateway"),
    ),
    "peeper": Case(
        spec=_with({"global": {"watchNamespace": f"{PIONEER}-gateway"}}, isolation="class"),
        reason="NamespaceTaken",
        words=("release.values.global.watchNamespace", PIONEER),
    ),
    "second-api": Case(
        spec={"release": {**DEV, "gatewayAPI": True}},
        reason="GatewayApiTaken",
        words=("release.gatewayAPI", PIONEER),
        mended={},
    ),
    # -- values
    "misspelt": Case(
        spec=_with({"gateway": {"replica": 2}}),
        reason="InvalidValue",
        words=("release.values.gateway.replica:", "do you mean gateway.replicas?"),
        mended=_with({"gateway": {"replicas": 2}}),
    ),
    "prefixed": Case(
        spec=_with({"higress-core": {"gateway": {"replicas": 2}}}),
        reason="InvalidValue",
        words=("release.values.higress-core:", "leave this prefix out"),
    ),
    "unprefixed": Case(
        spec=_with({"gateway": {"replicas": 2}}, chart=UMBRELLA),
        reason="InvalidValue",
        words=("release.values.gateway:", "write it as higress-core.gateway"),
        mended=_with({"higress-core": {"gateway": {"replicas": 2}}}, chart=UMBRELLA),
    ),
    "reserved": Case(
        spec=_with({"gateway": {"hostNetwork": True}, "global": {"ingressClass": "higress"}}),
        reason="ReservedValue",
        words=("release.values.gateway.hostNetwork:", "release.values.global.ingressClass:"),
    ),
    # -- sizes and names
    LONG: Case(
        spec=_within(f"{LONG}-gateways"),
        reason="NameTooLong",
        words=("release.values.gateway.name", f'"{LONG}-gateways-higress-gateway"', "64 characters"),
        mended={},
    ),
    "cramped": Case(  # 1.2 cores would do without a rollout
        spec={"namespace": {"quota": {"cpu": "2"}}},
        reason="QuotaTooSmall",
        words=("namespace.quota.cpu", "needs 2200m", "gives 2"),
        mended={"namespace": {"quota": {"cpu": "2200m"}}},
    ),
    # -- charts
    "chartless": Case(
        spec={"release": {**DEV, "chart": "nonesuch"}},
        reason="ChartUnavailable",
        words=("release.chart", "nonesuch"),
        mended={},
    ),
    "too-new": Case(
        spec={"release": {**DEV, "version": "9.9.9"}}, reason="ChartUnavailable", words=("release.chart", "9.9.9")
    ),
    "escaping": Case(
        spec={"release": {**DEV, "chart": "../outside"}},
        reason="ChartUnavailable",
        words=("release.chart", "../outside"),
    ),
    "stranger": Case(
        spec={"release": {**DEV, "chart": "oci://registry.example.com/higress-core"}},
        reason="RegistryNotAllowed",
        words=("release.chart", "--chart-registries"),
        mended={},
    ),
    "alien": Case(
        spec={"release": {**DEV, "chart": "alien"}}, reason="UnknownChart", words=("release.chart", "gateway")
    ),
    # -- places
    "nowhere": Case(
        spec={"release": {**DEV, "isolation": "shared"}}, reason="NamespaceMissing", words=("gateway.namespace",)
    ),
    "homeless": Case(
        spec=_shared("homeless", "not-there"), reason="NamespaceMissing", words=("gateway.namespace", "not-there")
    ),
    "royal": Case(spec=_within("kube-system"), reason="ReservedNamespace", words=("gateway.namespace", "kube-system")),
}
