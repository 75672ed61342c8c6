"""TLS, on both sides."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import FALSE, OFF, TRUE, Known, default, differs, gateway, unsupported

_SUITES = "The entry's suites are fixed: TLS 1.3, and 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305."
_BACKEND_SETTING = differs("Higress chooses it itself when it talks TLS to pods.")

TLS: Mapping[str, Known] = {
    "ssl-passthrough": unsupported(
        "The entry ends TLS; it hands nobody an encrypted connection.",
        "Give the Service a LoadBalancer of its own, or bring its certificate to the entry",
        on={FALSE: OFF},
    ),
    "ssl-ciphers": differs(_SUITES),
    "ssl-prefer-server-ciphers": differs(
        "Among its suites the entry goes by its own order.", on={TRUE: default("The entry goes by its own order.")}
    ),
    "proxy-ssl-secret": gateway("Higress shows this certificate to the pods and verifies theirs by its ca.crt."),
    "proxy-ssl-name": gateway("Higress sends it as SNI when proxy-ssl-server-name is on."),
    "proxy-ssl-server-name": gateway("Higress reads it with proxy-ssl-name."),
    "proxy-ssl-verify": differs(
        "Higress verifies pods when proxy-ssl-secret is given and never without it.",
        "Give proxy-ssl-secret with a ca.crt",
        on={"off": default("Higress verifies pods when proxy-ssl-secret is given and never without it.")},
    ),
    "proxy-ssl-verify-depth": _BACKEND_SETTING,
    "proxy-ssl-ciphers": _BACKEND_SETTING,
    "proxy-ssl-protocols": _BACKEND_SETTING,
}
