"""Who may come in, and how much of it: authentication, addresses, CORS, rates, firewalls."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import FALSE, OFF, Known, default, differs, gateway, unsupported

_BASIC = (
    "Higress reads it no longer since version 2: without anything else everybody gets in.",
    "Configure Higress's plugin basic-auth for these routes before the host moves",
)
_EXTERNAL = (
    "Neither the entry nor Higress reads it: without anything else everybody gets in.",
    "Configure Higress's plugin ext-auth (endpoint_mode: forward_auth) for these routes before the host moves",
)
_PART_OF_EXTERNAL = ("Part of auth-url, which becomes a plugin.", "Carry it over to the plugin ext-auth")
_CONNECTIONS_TO_AUTH = default("Tunes nginx's connections to auth-url; Higress keeps its own.")
_CLIENT_CERTIFICATES = (
    "The entry asks clients for no certificate: without anything else everybody gets in.",
    "Keep the host on an entrance that verifies clients, for example a LoadBalancer for port 443 of the tenant's "
    "gateway, where Higress reads auth-tls-secret",
)
_PART_OF_CLIENT_CERTIFICATES = ("Part of auth-tls-secret, which the entry doesn't have.", "See auth-tls-secret")
_PER_CLIENT = (
    "Counts per client address; the entry counts per tenant, Higress's annotations per route.",
    "Use Higress's plugin cluster-key-rate-limit (limit_by_per_ip: from-header-x-real-ip), or limits of the tenant",
)
_BANDWIDTH = ("Nothing here slows answers down.", "Do without it, or let the application do it")
_FIREWALL = ("ModSecurity is nginx's.", "Configure Higress's plugin waf for these routes")
_CORS = gateway("Higress reads it with enable-cors.")

ACCESS: Mapping[str, Known] = {
    # -- basic and digest
    "auth-type": unsupported(
        *_BASIC,
        on={"digest": unsupported("Nothing here knows digest.", "Choose another way to authenticate, such as OIDC")},
    ),
    "auth-secret": unsupported(*_BASIC),
    "auth-secret-type": unsupported(*_BASIC),
    "auth-realm": unsupported("Part of auth-type, which becomes a plugin.", "Carry it over to the plugin basic-auth"),
    "satisfy": unsupported(
        "Higress's plugins all have to agree.",
        "Choose one way to authenticate per route",
        on={"all": default("All of them have to agree, as here.")},
    ),
    # -- external
    "auth-url": unsupported(*_EXTERNAL),
    "auth-method": unsupported(*_PART_OF_EXTERNAL),
    "auth-signin": unsupported(
        "Higress's plugin passes on what the authentication service answers.",
        "Let that service answer with the redirect, or use Higress's plugin oidc",
    ),
    "auth-signin-redirect-param": unsupported(
        "Higress's plugin passes on what the authentication service answers.", "See auth-signin"
    ),
    "auth-response-headers": unsupported(*_PART_OF_EXTERNAL),
    "auth-proxy-set-headers": unsupported(*_PART_OF_EXTERNAL),
    "auth-request-redirect": unsupported(*_PART_OF_EXTERNAL),
    "auth-always-set-cookie": unsupported(*_PART_OF_EXTERNAL, on={FALSE: OFF}),
    "auth-snippet": unsupported("Raw nginx configuration.", "Say what it does with the fields of the plugin ext-auth"),
    "auth-cache-key": differs("Higress's plugin asks the authentication service every time."),
    "auth-cache-duration": differs("Higress's plugin asks the authentication service every time."),
    "auth-keepalive": _CONNECTIONS_TO_AUTH,
    "auth-keepalive-share-vars": _CONNECTIONS_TO_AUTH,
    "auth-keepalive-requests": _CONNECTIONS_TO_AUTH,
    "auth-keepalive-timeout": _CONNECTIONS_TO_AUTH,
    "enable-global-auth": differs(
        "Means something with the controller's global-auth-url only; plugins are configured per route.",
        "Leave these routes out of the plugin that replaces global-auth-url",
    ),
    # -- client certificates
    "auth-tls-secret": unsupported(*_CLIENT_CERTIFICATES),
    "auth-tls-verify-client": unsupported(*_PART_OF_CLIENT_CERTIFICATES, on={"off": OFF}),
    "auth-tls-verify-depth": unsupported(*_PART_OF_CLIENT_CERTIFICATES),
    "auth-tls-error-page": unsupported(*_PART_OF_CLIENT_CERTIFICATES),
    "auth-tls-pass-certificate-to-upstream": unsupported(*_PART_OF_CLIENT_CERTIFICATES, on={FALSE: OFF}),
    "auth-tls-match-cn": unsupported(*_PART_OF_CLIENT_CERTIFICATES),
    # -- addresses
    "whitelist-source-range": gateway(
        "Higress reads it and sees the client's address once it trusts the entry's X-Forwarded-For.",
        "Install the gateway with meshConfig.defaultConfig.gatewayTopology.numTrustedProxies=1",
    ),
    "allowlist-source-range": unsupported(
        "Higress reads only the older name: under this one everybody gets in.",
        "Rename it to whitelist-source-range, and see there",
    ),
    "denylist-source-range": unsupported(
        "Higress has no such annotation: without anything else these addresses get in.",
        "Configure Higress's plugin ip-restriction (ip_source_type: header, ip_header_name: x-real-ip, deny)",
    ),
    # -- CORS
    "enable-cors": gateway("Higress answers preflights; its default list of fields lacks Range.", on={FALSE: OFF}),
    "cors-allow-origin": _CORS,
    "cors-allow-methods": _CORS,
    "cors-allow-headers": _CORS,
    "cors-expose-headers": _CORS,
    "cors-allow-credentials": _CORS,
    "cors-max-age": _CORS,
    # -- rates
    "limit-connections": unsupported(*_PER_CLIENT),
    "limit-rps": unsupported(*_PER_CLIENT),
    "limit-rpm": unsupported(*_PER_CLIENT),
    "limit-burst-multiplier": unsupported("Part of limit-rps and limit-rpm.", "See limit-rps"),
    "limit-whitelist": unsupported("Part of limit-rps and limit-rpm.", "See limit-rps"),
    "limit-allowlist": unsupported("Part of limit-rps and limit-rpm.", "See limit-rps"),
    "limit-rate": unsupported(*_BANDWIDTH, on={"0": OFF}),
    "limit-rate-after": unsupported(*_BANDWIDTH, on={"0": OFF}),
    # -- firewalls
    "enable-modsecurity": unsupported(*_FIREWALL, on={FALSE: OFF}),
    "enable-owasp-core-rules": unsupported(*_FIREWALL, on={FALSE: OFF}),
    "modsecurity-transaction-id": unsupported(*_FIREWALL),
    "modsecurity-snippet": unsupported(*_FIREWALL),
}
