"""Annotations of earlier versions that Ingresses still carry: ingress-nginx itself ignores them by now."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import Known, default, differs

_IGNORED = default("ingress-nginx dropped this annotation long ago; it has no effect today.")

_NAMES = (
    "add-base-url",
    "base-url-scheme",
    "enable-influxdb",
    "enable-opentracing",
    "global-rate-limit",
    "global-rate-limit-header",
    "global-rate-limit-ignored-cidrs",
    "global-rate-limit-key",
    "global-rate-limit-window",
    "influxdb-host",
    "influxdb-measurement",
    "influxdb-port",
    "influxdb-server-name",
    "lua-resty-waf",
    "lua-resty-waf-allow-unknown-content-types",
    "lua-resty-waf-debug",
    "lua-resty-waf-extra-rules",
    "lua-resty-waf-ignore-rulesets",
    "lua-resty-waf-process-multipart-body",
    "lua-resty-waf-score-threshold",
    "mirror-uri",
    "opentracing-trust-incoming-span",
    "secure-verify-ca-secret",
    "session-cookie-hash",
)

REMOVED: Mapping[str, Known] = {
    **dict.fromkeys(_NAMES, _IGNORED),
    "grpc-backend": differs("Replaced by backend-protocol: GRPC in ingress-nginx; ignored today."),
    "secure-backends": differs("Replaced by backend-protocol: HTTPS in ingress-nginx; ignored today."),
}
