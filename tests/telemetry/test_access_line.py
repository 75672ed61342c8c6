from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.telemetry.access_line import AT_ONCE, NULL, ConnectionText, HeadText, LineRenderer, json_text

FIELDS = [
    *("time", "requestId", "tenant", "service", "domainType", "client", "method", "host", "path", "protocol", "status"),
    *("receivedBytes", "sentBytes", "duration", "timeToFirstByte", "gateway", "error", "tlsVersion", "userAgent"),
]


def render(
    *,
    now: float = 1_800_000_000.125,
    head: HeadText | None = None,
    connection: ConnectionText | None = None,
    request_id: str = "4bf92f3577b34da6a3ce929d0e0e4736",
    method: bytes | None = b"GET",
    path: bytes | None = b"/a?b=c",
    duration: float = 0.25,
    first_byte: float | None = 0.125,
    gateway: str | None = "127.0.0.1:9001",
    error: str | None = None,
) -> bytes:
    record = (
        now,
        request_id.encode(),
        head or HeadText(),
        connection or ConnectionText(client="203.0.113.7", tls_version="TLSv1.3"),
        json_text(method),
        json_text(path),
        "HTTP/1.1",
        200,
        11,
        22,
        duration,
        first_byte,
        json_text(gateway),
        json_text(error),
    )
    return LineRenderer().render([record])


def loaded(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    line.decode("ascii")
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_fields_are_those_of_the_contract_in_its_order() -> None:
    assert list(loaded(render())) == FIELDS


def test_every_value_stands_under_its_name() -> None:
    head = HeadText(tenant="tenant1", service="app1", domain_type="system", host=b"a.example.com", user_agent=b"curl/8")
    assert loaded(render(head=head, error="gateway_timeout")) == {
        "time": "2027-01-15T08:00:00.125Z",
        "requestId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "tenant": "tenant1",
        "service": "app1",
        "domainType": "system",
        "client": "203.0.113.7",
        "method": "GET",
        "host": "a.example.com",
        "path": "/a?b=c",
        "protocol": "HTTP/1.1",
        "status": 200,
        "receivedBytes": 11,
        "sentBytes": 22,
        "duration": 0.25,
        "timeToFirstByte": 0.125,
        "gateway": "127.0.0.1:9001",
        "error": "gateway_timeout",
        "tlsVersion": "TLSv1.3",
        "userAgent": "curl/8",
    }


def test_what_is_not_known_is_null() -> None:
    line = loaded(
        render(
            connection=ConnectionText(client=None, tls_version=None),
            method=None,
            path=None,
            first_byte=None,
            gateway=None,
        )
    )
    unknown = {name for name, value in line.items() if value is None}
    assert unknown == {
        *("tenant", "service", "domainType", "client", "method", "host", "path"),
        *("timeToFirstByte", "gateway", "error", "tlsVersion", "userAgent"),
    }


def test_the_remembered_second_is_left_when_time_goes_on_or_back() -> None:
    renderer, head, connection = LineRenderer(), HeadText(), ConnectionText(client=None, tls_version=None)
    rest = (b"id", head, connection, NULL, NULL, "HTTP/1.1", 400, 0, 0, 0.0, None, NULL, NULL)
    moments = (10.0, 10.9996, 11.0, 9.5)
    lines = renderer.render([(now, *rest) for now in moments]).splitlines(keepends=True)
    times = [loaded(line)["time"][-7:] for line in lines]
    assert times == ["10.000Z", "10.999Z", "11.000Z", "09.500Z"]


@given(now=st.floats(min_value=0, max_value=4e9))
def test_time_is_utc_cut_to_milliseconds(now: float) -> None:
    time = datetime.strptime(loaded(render(now=now))["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert -1e-6 <= now - time.timestamp() < 0.001 + 1e-6


@given(
    method=st.none() | st.binary(),
    path=st.none() | st.binary(),
    host=st.binary(),
    user_agent=st.none() | st.binary(),
    gateway=st.none() | st.text(),
    client=st.text(),
)
def test_whatever_peers_send_the_line_is_one_json_object_that_says_so(
    method: bytes | None,
    path: bytes | None,
    host: bytes,
    user_agent: bytes | None,
    gateway: str | None,
    client: str,
) -> None:
    line = loaded(
        render(
            head=HeadText(host=host, user_agent=user_agent),
            connection=ConnectionText(client=client, tls_version=None),
            method=method,
            path=path,
            gateway=gateway,
        )
    )
    assert line["method"] == (None if method is None else method.decode("latin-1"))
    assert line["path"] == (None if path is None else path.decode("latin-1"))
    assert line["host"] == host.decode("latin-1")
    assert line["userAgent"] == (None if user_agent is None else user_agent.decode("latin-1"))
    assert (line["gateway"], line["client"]) == (gateway, client)


def test_at_once_the_first_byte_came_with_the_last() -> None:
    assert loaded(render(duration=1.5, first_byte=AT_ONCE))["timeToFirstByte"] == 1.5


@given(seconds=st.floats(min_value=0, max_value=1e9))
def test_durations_are_seconds_to_the_microsecond(seconds: float) -> None:
    line = loaded(render(duration=seconds, first_byte=seconds))
    assert line["duration"] == line["timeToFirstByte"] == pytest.approx(seconds, abs=5.1e-7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        ("", '""'),
        (b"a b", '"a b"'),
        (b'"\\', '"\\"\\\\"'),
        (b"\r\n\x00\x1b\x7f", '"\\r\\n\\u0000\\u001b\\u007f"'),
        (b"\xff", '"\\u00ff"'),
        ("\U0001f600", '"\\ud83d\\ude00"'),
    ],
)
def test_json_text_escapes_everything_but_printable_ascii(value: str | bytes | None, expected: str) -> None:
    assert json_text(value) == expected
