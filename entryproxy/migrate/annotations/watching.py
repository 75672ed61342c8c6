"""Logs and traces."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import TRUE, Known, default, differs

_TRACING = "Traces are the gateway's: one switch for the tenant, `tracing` in its higress-config."

WATCHING: Mapping[str, Known] = {
    "enable-access-log": differs(
        "The entry logs every request as one JSON line; filter by host where logs are collected.",
        on={TRUE: default("Every request is logged.")},
    ),
    "enable-rewrite-log": default("Only for nginx's own error log."),
    "enable-opentelemetry": differs(_TRACING, "Set it in the tenant's higress-config"),
    "opentelemetry-trust-incoming-span": differs(
        "Envoy always continues the trace that a request brings along.",
        on={TRUE: default("Envoy continues the trace that a request brings along.")},
    ),
    "opentelemetry-operation-name": differs("Envoy names its spans itself."),
}
