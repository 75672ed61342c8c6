from __future__ import annotations

import pytest

from entryproxy.migrate.judge import VALUE_CHARACTERS_MAX, judge_ingress
from entryproxy.migrate.verdicts import Judgement
from tests.migrate.builders import ingress

DOCUMENT = {
    "httpsRedirect": True,
    "limits": {"requestBodyBytes": 8 << 20},
    "timeouts": {"firstByte": 60, "idle": 90},
}


def judge(name: str, value: str, **beside: str) -> Judgement:
    settings = {name: value, **{key.replace("_", "-"): other for key, other in beside.items()}}
    found = {one.name: one for one in judge_ingress(ingress("a.com", settings=settings), DOCUMENT)}
    return found[name]


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("rewrite-target", "/$1", "gateway"),
        ("permanent-redirect", "https://b.com/x", "gateway"),
        ("permanent-redirect", "https://b.com$request_uri", "differs"),
        ("temporal-redirect-code", "302", "default"),
        ("temporal-redirect-code", "307", "differs"),
        ("backend-protocol", "https", "gateway"),
        ("backend-protocol", "GRPC", "unsupported"),
        ("backend-protocol", "FCGI", "unsupported"),
        ("upstream-hash-by", "$request_uri", "gateway"),
        ("upstream-hash-by", "$http_x_user", "gateway"),
        ("upstream-hash-by", "$request_uri$host", "differs"),
        ("load-balance", "EWMA", "differs"),
        ("load-balance", "round_robin", "gateway"),
        ("proxy-buffering", "on", "differs"),
        ("proxy-buffering", "off", "default"),
        ("auth-type", "basic", "unsupported"),
        ("auth-tls-verify-client", "off", "default"),
        ("satisfy", "all", "default"),
        ("enable-modsecurity", "false", "default"),
        ("allowlist-source-range", "10.0.0.0/8", "unsupported"),
        ("whitelist-source-range", "10.0.0.0/8", "gateway"),
        ("enable-opentracing", "true", "default"),
        ("no-such-thing", "x", "unknown"),
    ],
)
def test_verdicts(name: str, value: str, verdict: str) -> None:
    assert judge(name, value).verdict == verdict


@pytest.mark.parametrize(
    ("name", "value", "verdict", "field"),
    [
        ("proxy-body-size", "8m", "entry", "limits.requestBodyBytes: 8388608"),
        ("proxy-body-size", "1m", "differs", "limits.requestBodyBytes: 8388608"),
        ("proxy-body-size", "tiny", "default", ""),
        ("proxy-read-timeout", "60", "entry", "timeouts.firstByte: 60, timeouts.idle: 90"),
        ("proxy-read-timeout", "30", "differs", "timeouts.firstByte: 60, timeouts.idle: 90"),
        ("proxy-send-timeout", "90", "entry", "timeouts.idle: 90"),
        ("ssl-redirect", "true", "entry", "httpsRedirect: true"),
        ("ssl-redirect", "false", "differs", "httpsRedirect: true"),
        ("force-ssl-redirect", "true", "entry", "httpsRedirect: true"),
        ("server-alias", "B.com,c.com", "entry", "domains: b.com, c.com"),
    ],
)
def test_fields(name: str, value: str, verdict: str, field: str) -> None:
    found = judge(name, value)
    assert (found.verdict, found.field) == (verdict, field)


def test_a_redirect_must_not_reach_higress() -> None:
    assert "Leave it out" in judge("ssl-redirect", "true").todo
    assert judge("ssl-redirect", "false").todo == ""


def test_company() -> None:
    assert judge("canary-weight", "5", canary="true").verdict == "gateway"
    assert judge("canary-weight", "5", canary="true", canary_by_header="X").verdict == "differs"
    assert judge("custom-http-errors", "404", default_backend="x").verdict == "gateway"
    assert judge("custom-http-errors", "404").verdict == "differs"
    assert judge("auth-url", "http://x").verdict == "unsupported"
    assert judge("auth-url", "http://x", canary="true").verdict == "default"
    assert judge("session-cookie-name", "x", canary="true").verdict == "gateway"
    assert judge("auth-url", "http://x", ssl_passthrough="true").verdict == "default"
    assert judge("ssl-passthrough", "true").verdict == "unsupported"


def test_snippets_have_hints() -> None:
    assert "response-header-control" in judge("configuration-snippet", 'add_header A "b";').todo
    assert judge("configuration-snippet", "aio on;").todo == "Say what it does with Higress's annotations or plugins"


def test_long_values_are_cut() -> None:
    value = judge("server-snippet", "a\n" * 100).value
    assert len(value) == VALUE_CHARACTERS_MAX
    assert value.startswith("a a a")
    assert value.endswith("…")


def test_order_and_other_prefixes() -> None:
    one = ingress("a.com", settings={"use-regex": "true", "app-root": "/x"}, annotations={"nginx.org/x": "y", "a": "b"})
    assert [found.name for found in judge_ingress(one, {})] == ["app-root", "use-regex"]
