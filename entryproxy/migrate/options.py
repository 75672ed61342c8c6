"""Every option of the controller's ConfigMap, and what becomes of it. Those that become fields: `settings`."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import FALSE, OFF, TRUE, Known, default, differs, entry, gateway, unsupported

_TUNING = default("Tunes nginx itself; nothing here needs it.")
_NO_BUFFER = default("Bodies stream; there is no buffer to size.")
_LOG_FORMAT = differs("The access log is one JSON object a line on standard output, with fields of its own.")
_LOG_PLACE = default("Logs go to standard output.")
_STREAMS = differs("For TCP and UDP services, which need an entrance of their own.")
_SNIPPET = unsupported(
    "Raw nginx configuration means nothing to the entry or to Higress.",
    "Say what it does with Higress's annotations or plugins",
)
_EXTERNAL_AUTH = unsupported(
    "Neither the entry nor Higress reads it: without anything else everybody gets in.",
    "Configure Higress's plugin ext-auth (endpoint_mode: forward_auth) in every tenant's namespace",
)
_FIREWALL = unsupported("ModSecurity is nginx's.", "Configure Higress's plugin waf", on={FALSE: OFF})
_BLOCKED = "Neither the entry nor Higress reads it: without anything else they get in."
_COMPRESSION = gateway(
    "The entry compresses nothing.", "Switch gzip or brotli on in the tenants' higress-config", on={FALSE: OFF}
)
_COMPRESSION_DETAIL = default("Detail of compression, which is Higress's to choose.")
_TRACING = gateway("Traces are the gateway's.", "Set `tracing` in the tenants' higress-config", on={FALSE: OFF})
_TRACING_DETAIL = default("Detail of tracing, which is configured in the tenants' higress-config.")
_HASH_SIZES = "map-hash-bucket-size proxy-headers-hash-bucket-size proxy-headers-hash-max-size "
_PER_INGRESS = "A default of annotations, which are read one Ingress at a time now."


def _each(names: str, known: Known) -> dict[str, Known]:
    return dict.fromkeys(names.split(), known)


_BECOME_FIELDS: Mapping[str, Known] = {
    "proxy-body-size": entry("The default of every tenant; over it the client gets 413."),
    "proxy-read-timeout": entry("The default of every tenant."),
    "proxy-send-timeout": entry("The default of every tenant, as far as bodies go."),
    "ssl-protocols": entry(
        "TLS 1.2 and 1.3 are offered, or 1.3 alone.",
        on={r".*(SSLv[23]|TLSv1(?!\.[23])).*": differs("Nothing older than TLS 1.2 is offered.")},
    ),
    "ssl-redirect": entry("The default of every tenant."),
    "force-ssl-redirect": entry("Every host is redirected by default.", on={FALSE: OFF}),
    "hsts": entry("Part of every tenant's hsts."),
    "hsts-max-age": entry("Part of every tenant's hsts."),
    "hsts-include-subdomains": entry("Part of every tenant's hsts."),
    "hsts-preload": differs("The entry's field has no `preload`.", on={FALSE: OFF}),
    "use-proxy-protocol": entry(
        "An option of `entryproxy serve`; only peers in trustedProxies are asked for the header.", on={FALSE: OFF}
    ),
    "use-forwarded-headers": entry("X-Forwarded-* of peers in trustedProxies are believed.", on={FALSE: OFF}),
    "enable-real-ip": entry("The client's address is taken from peers in trustedProxies.", on={FALSE: OFF}),
    "proxy-real-ip-cidr": entry("Counts with use-forwarded-headers, use-proxy-protocol or enable-real-ip."),
    "ssl-reject-handshake": entry("Unknown names are refused in the handshake.", on={FALSE: default(
        "Unknown names are refused in the handshake (unknownSni: reject) instead of getting a made-up certificate.")}),
}  # fmt: skip

_BEHAVIOUR: Mapping[str, Known] = {
    "http-redirect-code": differs("The redirect to https is 308.", on={"308": default("It is 308 here as well.")}),
    "no-tls-redirect-locations": differs(
        "The entry redirects every path, ACME challenges too; certificate authorities follow redirects.",
        "Issue a host's first certificate by DNS-01, or before its DNS moves",
    ),
    "use-http2": differs("This version of the entry speaks HTTP/1.1 to clients.", on={FALSE: default("As here.")}),
    "limit-req-status-code": differs("Over a rate the entry answers 429.", on={"429": default("429 is the answer.")}),
    "limit-conn-status-code": default("Over its concurrent requests a tenant gets 503."),
    "compute-full-forwarded-for": default("The entry always appends to X-Forwarded-For of trusted proxies."),
    "forwarded-for-header": differs("The entry reads X-Forwarded-For.", on={"x-forwarded-for": default("As here.")}),
    "forwarded-host-header": differs("The entry reads X-Forwarded-Host.", on={"x-forwarded-host": default("As here.")}),
    "generate-request-id": default("Every request has an X-Request-Id."),
    "proxy-add-original-uri-header": differs("The gateway gets no X-Original-URI.", on={FALSE: OFF}),
    "enable-underscores-in-headers": differs(
        "Fields with underscores pass, but for look-alikes of X-Forwarded-* and X-Entry-*."
    ),
    "ignore-invalid-headers": differs("A field with an invalid name is answered with 400."),
    "keep-alive": differs("Idle connections of clients end after 75 s.", on={"75": default("75 s here as well.")}),
    "keep-alive-requests": differs("A connection carries up to 100,000 requests."),
    "large-client-header-buffers": differs("Request lines up to 8 KiB, all fields up to 32 KiB."),
    "client-header-timeout": differs("A request's head has to come within 10 s."),
    "client-body-timeout": differs("timeouts.idle of the tenant counts for bodies, and a minimum rate."),
    "http2-max-concurrent-streams": default("This version of the entry speaks HTTP/1.1 to clients."),
    "ssl-ciphers": differs(
        "The entry's suites are fixed: TLS 1.3, and 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305."
    ),
    "ssl-ecdh-curve": differs("X25519, P-256 and P-384 are offered.", on={"auto": default("Modern curves, as here.")}),
    "ssl-session-tickets": differs("Sessions are resumed by tickets, within one tenant."),
    "ssl-early-data": differs("Early data is never taken: it can be replayed.", on={FALSE: OFF}),
    "enable-ocsp": differs("Nothing is stapled; certificate authorities are giving OCSP up.", on={FALSE: OFF}),
    "allow-backend-server-header": differs(
        "Server of the application passes.", on={TRUE: default("Server of the application passes here as well.")}
    ),
    "server-tokens": default("The entry names neither itself nor a version in Server."),
    "default-type": default("The entry serves no files."),
    "proxy-connect-timeout": differs("To the gateway 2 s (timeouts.connect); to the pods connects Higress."),
    "proxy-request-buffering": differs("Bodies stream.", on={"off": default("Bodies stream anyway.")}),
    "proxy-buffering": differs("Answers stream.", on={"off": default("Answers stream anyway.")}),
    "proxy-http-version": differs("HTTP/1.1 and newer.", on={r"1\.1": default("HTTP/1.1 is spoken anyway.")}),
    "disable-access-log": differs("The entry logs every request.", on={FALSE: OFF}),
    "disable-http-access-log": differs("The entry logs every request.", on={FALSE: OFF}),
    "skip-access-log-urls": differs("The entry logs every request; filter where logs are collected."),
    "retry-non-idempotent": differs("The entry never repeats POST, PATCH or a request with a body.", on={FALSE: OFF}),
    "limit-rate": unsupported("Nothing here slows answers down.", "Do without it", on={"0": OFF}),
    "limit-rate-after": unsupported("Nothing here slows answers down.", "Do without it", on={"0": OFF}),
    "relative-redirects": differs("Redirects are absolute.", on={FALSE: OFF}),
    "disable-ipv6": differs("`--bind` of `entryproxy serve` decides: 0.0.0.0 or ::.", on={FALSE: OFF}),
    "bind-address": differs("`--bind` of `entryproxy serve` decides."),
}

_GATEWAYS: Mapping[str, Known] = {
    "add-headers": gateway(_PER_INGRESS, "Write higress.io/response-header-control-update on the Ingresses"),
    "hide-headers": gateway(_PER_INGRESS, "Write higress.io/response-header-control-remove on the Ingresses"),
    "proxy-set-headers": gateway(_PER_INGRESS, "Write higress.io/request-header-control-update on the Ingresses"),
    "custom-http-errors": gateway(_PER_INGRESS, "Write custom-http-errors and default-backend on the Ingresses"),
    "load-balance": gateway(_PER_INGRESS, "Write load-balance on the Ingresses"),
    "proxy-next-upstream": gateway(_PER_INGRESS, "Write proxy-next-upstream on the Ingresses"),
    "proxy-next-upstream-timeout": gateway(_PER_INGRESS, "Write it on the Ingresses", on={"0": OFF}),
    "proxy-next-upstream-tries": gateway(_PER_INGRESS, "Write it on the Ingresses"),
    "service-upstream": differs("Higress balances over pods.", on={FALSE: OFF}),
    "whitelist-source-range": unsupported(_BLOCKED, "Write whitelist-source-range on every Ingress"),
    "denylist-source-range": unsupported(_BLOCKED, "Configure Higress's plugin ip-restriction for every tenant"),
    "block-cidrs": unsupported(_BLOCKED, "Configure Higress's plugin ip-restriction for every tenant"),
    "block-user-agents": unsupported(_BLOCKED, "Configure Higress's plugin bot-detect or request-block"),
    "block-referers": unsupported(_BLOCKED, "Configure Higress's plugin request-block"),
    "proxy-cookie-path": unsupported("Set-Cookie passes unchanged.", "Let applications set the path", on={"off": OFF}),
    "proxy-cookie-domain": unsupported(
        "Set-Cookie passes unchanged.", "Let applications set the domain", on={"off": OFF}
    ),
    "proxy-redirect-from": unsupported(
        "Location passes unchanged.", "Let applications use X-Forwarded-Host", on={"off": OFF}
    ),
    "no-auth-locations": default("Goes with global-auth-url; match_list of the plugin ext-auth says it."),
    "global-allowed-response-headers": default("Allows custom-headers, which Higress reads from annotations."),
    "use-geoip": differs("The entry knows no places; Higress's plugin geo-ip does.", on={FALSE: OFF}),
    "use-geoip2": differs("The entry knows no places; Higress's plugin geo-ip does.", on={FALSE: OFF}),
}

OPTIONS: Mapping[str, Known] = {
    **_each("main-snippet http-snippet server-snippet location-snippet stream-snippet", _SNIPPET),
    **_each(
        "global-auth-url global-auth-method global-auth-signin global-auth-signin-redirect-param global-auth-snippet "
        "global-auth-response-headers global-auth-request-redirect global-auth-cache-key global-auth-cache-duration "
        "global-auth-always-set-cookie",
        _EXTERNAL_AUTH,
    ),
    **_each("enable-modsecurity enable-owasp-modsecurity-crs modsecurity-snippet", _FIREWALL),
    **_each("use-gzip enable-brotli", _COMPRESSION),
    **_each(
        "brotli-level brotli-min-length brotli-types gzip-disable gzip-level gzip-min-length gzip-types",
        _COMPRESSION_DETAIL,
    ),
    **_each("enable-opentelemetry", _TRACING),
    **_each(
        "opentelemetry-config opentelemetry-operation-name opentelemetry-trust-incoming-span otlp-collector-host "
        "otlp-collector-port otel-max-queuesize otel-schedule-delay-millis otel-max-export-batch-size otel-sampler "
        "otel-service-name otel-sampler-parent-based otel-sampler-ratio jaeger-collector-host jaeger-collector-port "
        "jaeger-endpoint jaeger-service-name jaeger-propagation-format jaeger-sampler-type jaeger-sampler-param "
        "jaeger-sampler-host jaeger-sampler-port jaeger-trace-context-header-name jaeger-debug-header "
        "jaeger-baggage-header jaeger-trace-baggage-header-prefix jaeger-tracer-baggage-header-prefix",
        _TRACING_DETAIL,
    ),
    **_each("log-format-escape-none log-format-escape-json log-format-upstream access-log-params", _LOG_FORMAT),
    **_each(
        "access-log-path http-access-log-path stream-access-log-path error-log-path error-log-level enable-syslog "
        "syslog-host syslog-port enable-access-log-for-default-backend enable-auth-access-log "
        "disable-stream-access-log",
        _LOG_PLACE,
    ),
    **_each(
        "log-format-stream proxy-stream-timeout proxy-stream-next-upstream proxy-stream-next-upstream-timeout "
        "proxy-stream-next-upstream-tries proxy-stream-responses",
        _STREAMS,
    ),
    **_each(
        "client-body-buffer-size proxy-buffers-number proxy-buffer-size proxy-busy-buffers-size "
        "proxy-max-temp-file-size grpc-buffer-size-kb ssl-buffer-size client-header-buffer-size",
        _NO_BUFFER,
    ),
    **_each(
        _HASH_SIZES + "server-name-hash-bucket-size server-name-hash-max-size variables-hash-bucket-size "
        "variables-hash-max-size enable-multi-accept max-worker-connections max-worker-open-files reuse-port "
        "nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist worker-processes worker-cpu-affinity "
        "worker-shutdown-timeout enable-serial-reloads enable-aio-write lua-shared-dicts debug-connections "
        "geoip2-autoreload-in-minutes limit-conn-zone-variable disable-ipv6-dns proxy-protocol-header-timeout "
        "upstream-keepalive-connections upstream-keepalive-time upstream-keepalive-timeout "
        "upstream-keepalive-requests http2-max-field-size http2-max-header-size http2-max-requests "
        "ssl-session-cache ssl-session-cache-size ssl-session-timeout ssl-session-ticket-key ssl-dh-param "
        "forwarded-for-proxy-protocol-header bind-address-ipv4 bind-address-ipv6",
        _TUNING,
    ),
    **_each(
        "allow-cross-namespace-resources allow-snippet-annotations annotations-risk-level "
        "annotation-value-word-blocklist strict-validate-path-type disable-proxy-intercept-errors "
        "proxy-ssl-location-only",
        default("Governs how ingress-nginx reads Ingresses; it doesn't read them any more."),
    ),
    **_BECOME_FIELDS,
    **_BEHAVIOUR,
    **_GATEWAYS,
}
