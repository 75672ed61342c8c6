from __future__ import annotations

from typing import Any

import pytest

from entryproxy.migrate.inventory import ConfigMap
from entryproxy.migrate.settings import Defaults, Settings, plan_settings
from tests.migrate.builders import DOMAIN

HSTS = {"maxAge": 31_536_000, "includeSubDomains": True}


def settings(**data: str) -> Settings:
    named = {key.replace("_", "-"): value for key, value in data.items()}
    return plan_settings(ConfigMap(namespace="n", name="c", data=named), DOMAIN)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, {}),
        ({"proxy_body_size": "20m"}, {"limits": {"requestBodyBytes": 20 << 20}}),
        ({"proxy_body_size": "0"}, {"limits": {"requestBodyBytes": 0}}),
        ({"proxy_body_size": "much"}, {}),
        ({"proxy_read_timeout": "90"}, {"timeouts": {"firstByte": 90, "idle": 90}}),
        ({"proxy_send_timeout": "90"}, {"timeouts": {"idle": 90}}),
        ({"proxy_read_timeout": "30", "proxy_send_timeout": "100000"}, {"timeouts": {"firstByte": 30, "idle": 86_400}}),
        ({"ssl_protocols": "TLSv1.3"}, {"tls": {"minVersion": "1.3"}}),
        ({"ssl_protocols": "TLSv1.2 TLSv1.3"}, {}),
        ({"ssl_protocols": "TLSv1 TLSv1.1 TLSv1.2"}, {}),
        ({"ssl_redirect": "false"}, {"httpsRedirect": False}),
        ({"ssl_redirect": "false", "force_ssl_redirect": "true"}, {}),
        ({"use_forwarded_headers": "true", "proxy_real_ip_cidr": "10.0.0.1/8"}, {"trustedProxies": ["10.0.0.0/8"]}),
        ({"proxy_real_ip_cidr": "10.0.0.0/8"}, {}),
    ],
)
def test_documents(data: dict[str, str], expected: dict[str, Any]) -> None:
    found = settings(**data)
    assert found.document == {"systemDomain": DOMAIN, **expected}
    assert not found.findings


@pytest.mark.parametrize(
    "data",
    [
        {"use_forwarded_headers": "true"},
        {"use_proxy_protocol": "true", "proxy_real_ip_cidr": "0.0.0.0/0"},
        {"enable_real_ip": "true", "proxy_real_ip_cidr": "10.0.0.0/8,::/0"},
        {"use_forwarded_headers": "true", "proxy_real_ip_cidr": "nonsense"},
    ],
)
def test_nobody_is_trusted_where_everybody_was(data: dict[str, str]) -> None:
    found = settings(**data)
    assert "trustedProxies" not in found.document
    assert [one.reason for one in found.findings] == ["TrustedProxies"]


def test_defaults() -> None:
    assert plan_settings(None, DOMAIN).defaults == Defaults(hsts=HSTS)
    found = settings(proxy_body_size="0", proxy_read_timeout="5", ssl_redirect="false", hsts="false").defaults
    assert found == Defaults(body_bytes=0, read_seconds=5, ssl_redirect=False, hsts=None)
    assert settings(hsts_max_age="60", hsts_include_subdomains="false").defaults.hsts == {
        "maxAge": 60,
        "includeSubDomains": False,
    }
    assert settings(hsts_max_age="long").defaults.hsts == HSTS


@pytest.mark.parametrize(
    ("data", "verdict", "field"),
    [
        ({"proxy_body_size": "1k"}, "entry", "limits.requestBodyBytes: 1024"),
        ({"proxy_body_size": "x"}, "default", ""),
        ({"proxy_read_timeout": "7"}, "entry", "timeouts.firstByte: 7, timeouts.idle: 7"),
        ({"proxy_read_timeout": "7s"}, "default", ""),
        ({"ssl_protocols": "TLSv1.2 TLSv1.3"}, "entry", 'tls.minVersion: "1.2"'),
        ({"ssl_protocols": "TLSv1.1 TLSv1.2"}, "differs", ""),
        ({"ssl_redirect": "true"}, "entry", "httpsRedirect: true"),
        ({"use_proxy_protocol": "true"}, "entry", "option --proxy-protocol on"),
        ({"use_proxy_protocol": "false"}, "default", ""),
        ({"enable_real_ip": "true"}, "entry", ""),
        ({"ssl_reject_handshake": "false"}, "default", ""),
        ({"hsts": "false"}, "entry", "hsts: false"),
        ({"http_redirect_code": "308"}, "default", ""),
        ({"http_redirect_code": "301"}, "differs", ""),
        ({"main_snippet": "x"}, "unsupported", ""),
        ({"add_headers": "a/b"}, "gateway", ""),
        ({"keepalive": "75"}, "unknown", ""),
    ],
)
def test_judgements(data: dict[str, str], verdict: str, field: str) -> None:
    (judgement,) = settings(**data).judgements
    assert (judgement.verdict, judgement.field) == (verdict, field)


def test_a_typing_error_is_guessed() -> None:
    (judgement,) = settings(proxy_bodysize="8m").judgements
    assert judgement.note == "No option of ingress-nginx. Was proxy-body-size meant?"
    (judgement,) = settings(nonsense="8m").judgements
    assert judgement.note == "No option of ingress-nginx."
