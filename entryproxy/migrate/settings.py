"""The controller's ConfigMap → `settings.yaml`, and the defaults that tenants had until now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from entryproxy.migrate.findings import error
from entryproxy.migrate.inventory import ConfigMap
from entryproxy.migrate.judge import judge_value, suggest
from entryproxy.migrate.options import OPTIONS
from entryproxy.migrate.values import read_boolean, read_networks, read_seconds, read_size
from entryproxy.migrate.verdicts import Judgement, default
from entryproxy.model.finding import Finding

_EVERYBODY = ("0.0.0.0/0", "::/0")
_NEEDS_PROXIES = ("use-forwarded-headers", "use-proxy-protocol", "enable-real-ip")
SECONDS_MAX = 86_400


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What an Ingress without annotations got from ingress-nginx. body_bytes: 0 for no limit. hsts: as in
    `tenant.yaml`, None for none."""

    body_bytes: int = 1_048_576
    read_seconds: int = 60
    send_seconds: int = 60
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    hsts: Mapping[str, Any] | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """document: `settings.yaml`. judgements: of every option that the ConfigMap has, by name."""

    document: dict[str, Any]
    defaults: Defaults
    judgements: tuple[Judgement, ...]
    findings: tuple[Finding, ...]


def plan_settings(controller: ConfigMap | None, system_domain: str) -> Settings:
    """What the platform's settings become. Without a ConfigMap, ingress-nginx's own defaults hold."""
    data = controller.data if controller is not None else {}
    reader = _Reader(data)
    document: dict[str, Any] = {"systemDomain": system_domain}
    findings = []
    proxies = reader.proxies()
    if proxies is None and controller is not None:
        message = (
            "X-Forwarded-* or PROXY headers were believed from everybody: write the addresses of your load balancer "
            "into trustedProxies"
        )
        findings.append(error(controller, "TrustedProxies", "data.proxy-real-ip-cidr", message))
    parts = {
        "httpsRedirect": reader.redirect(),
        "trustedProxies": list(proxies or ()),
        "tls": reader.tls(),
        "limits": reader.limits(),
        "timeouts": reader.timeouts(),
    }
    document |= {name: value for name, value in parts.items() if value not in (None, [], {})}
    return Settings(
        document=document,
        defaults=reader.defaults(),
        judgements=tuple(_judge(name, data[name], document) for name in sorted(data)),
        findings=tuple(findings),
    )


class _Reader:
    """The options by what they mean; those with values that ingress-nginx doesn't accept count as absent."""

    def __init__(self, data: Mapping[str, str]) -> None:
        self._data = data

    def defaults(self) -> Defaults:
        plain = Defaults()
        body = read_size(self._text("proxy-body-size"))
        return Defaults(
            body_bytes=plain.body_bytes if body is None else body,
            read_seconds=read_seconds(self._text("proxy-read-timeout")) or plain.read_seconds,
            send_seconds=read_seconds(self._text("proxy-send-timeout")) or plain.send_seconds,
            ssl_redirect=self._flag("ssl-redirect", plain.ssl_redirect),
            force_ssl_redirect=self._flag("force-ssl-redirect", plain.force_ssl_redirect),
            hsts=self._hsts(),
        )

    def redirect(self) -> bool | None:
        """False when hosts were served in the clear by default."""
        is_redirected = self._flag("ssl-redirect", True) or self._flag("force-ssl-redirect", False)
        return None if is_redirected else False

    def proxies(self) -> tuple[str, ...] | None:
        """Whom to believe: () for nobody, None when it was everybody."""
        if not any(self._flag(name, False) for name in _NEEDS_PROXIES):
            return ()
        networks = read_networks(self._text("proxy-real-ip-cidr")) or _EVERYBODY
        return None if any(one in _EVERYBODY for one in networks) else networks

    def tls(self) -> dict[str, str]:
        versions = self._text("ssl-protocols").split()
        return {"minVersion": "1.3"} if "TLSv1.3" in versions and "TLSv1.2" not in versions else {}

    def limits(self) -> dict[str, int]:
        size = read_size(self._text("proxy-body-size"))
        return {} if size is None else {"requestBodyBytes": size}

    def timeouts(self) -> dict[str, int]:
        read = read_seconds(self._text("proxy-read-timeout"))
        send = read_seconds(self._text("proxy-send-timeout"))
        timeouts = {}
        if read:
            timeouts["firstByte"] = min(read, SECONDS_MAX)
        if read or send:
            timeouts["idle"] = min(max(read or 0, send or 0), SECONDS_MAX)
        return timeouts

    def _hsts(self) -> dict[str, Any] | None:
        if not self._flag("hsts", True):
            return None
        age = self._text("hsts-max-age")
        return {
            "maxAge": int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 31_536_000,
            "includeSubDomains": self._flag("hsts-include-subdomains", True),
        }

    def _text(self, name: str) -> str:
        return self._data.get(name, "").strip()

    def _flag(self, name: str, otherwise: bool) -> bool:
        value = read_boolean(self._text(name))
        return otherwise if value is None else value


_FIELDS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "proxy-body-size": lambda value, document: _shown(document, "limits", "requestBodyBytes"),
    "proxy-read-timeout": lambda value, document: ", ".join(
        _shown(document, "timeouts", field) for field in ("firstByte", "idle")
    ),
    "proxy-send-timeout": lambda value, document: _shown(document, "timeouts", "idle"),
    "ssl-protocols": lambda value, document: _shown(document, "tls", "minVersion") or 'tls.minVersion: "1.2"',
    "ssl-redirect": lambda value, document: f"httpsRedirect: {str(document.get('httpsRedirect', True)).lower()}",
    "force-ssl-redirect": lambda value, document: "httpsRedirect: true",
    "use-proxy-protocol": lambda value, document: "option --proxy-protocol on",
    "use-forwarded-headers": lambda value, document: _list_shown(document, "trustedProxies"),
    "enable-real-ip": lambda value, document: _list_shown(document, "trustedProxies"),
    "proxy-real-ip-cidr": lambda value, document: _list_shown(document, "trustedProxies"),
    "ssl-reject-handshake": lambda value, document: "unknownSni: reject",
    "hsts": lambda value, document: "hsts" if read_boolean(value) else "hsts: false",
    "hsts-max-age": lambda value, document: f"hsts.maxAge: {value}",
    "hsts-include-subdomains": lambda value, document: f"hsts.includeSubDomains: {value}",
}


def _judge(name: str, value: str, document: Mapping[str, Any]) -> Judgement:
    known = OPTIONS.get(name)
    if known is None:
        return Judgement(name=name, value=value, verdict="unknown", note=suggest(name, OPTIONS, "option"))
    if name == "proxy-body-size" and read_size(value) is None:
        known = default("Not a size that ingress-nginx accepts; it has no effect today.")
    if name in ("proxy-read-timeout", "proxy-send-timeout") and read_seconds(value) is None:
        known = default("Not a number of seconds that ingress-nginx accepts; it has no effect today.")
    judgement = judge_value(name, value, known)
    if judgement.verdict == "entry" and name in _FIELDS:
        return msgspec.structs.replace(judgement, field=_FIELDS[name](value, document))
    return judgement


def _shown(document: Mapping[str, Any], part: str, field: str) -> str:
    value = document.get(part, {}).get(field)
    return "" if value is None else f"{part}.{field}: {msgspec.json.encode(value).decode()}"


def _list_shown(document: Mapping[str, Any], field: str) -> str:
    values = document.get(field)
    return f"{field}: {', '.join(values)}" if values else ""
