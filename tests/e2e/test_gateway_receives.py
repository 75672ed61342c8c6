"""What the gateway receives: the entry's own fields, and only true ones (docs/contract.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry, Folder, running

HOST = "app1.alpha.aigw.example.com"
ENTRYS_OWN = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP",
    "X-Request-Id", "X-Entry-Tenant", "X-Entry-Service", "X-Entry-Domain-Type",
)  # fmt: skip


def test_a_system_host(entry: Entry, gateway: Gateway) -> None:
    with entry.client(HOST) as client:
        path = gateway.path()
        answer = client.get(path + "?q=1%202")
    request = gateway.only(path)
    assert request.target == path + "?q=1%202"
    assert request.get("Host") == HOST
    assert request.get("X-Forwarded-For") == "127.0.0.1"
    assert request.get("X-Real-IP") == "127.0.0.1"
    assert request.get("X-Forwarded-Proto") == "https"
    assert request.get("X-Forwarded-Host") == HOST
    assert request.get("X-Forwarded-Port") == "443"
    assert request.get("X-Entry-Tenant") == "alpha"
    assert request.get("X-Entry-Service") == "app1"
    assert request.get("X-Entry-Domain-Type") == "system"
    assert (request.get("Via") or "").startswith("1.1 ")
    assert request.get("X-Request-Id")
    assert answer.status == 200


def test_the_host_of_the_tenant_itself_names_no_service(entry: Entry, gateway: Gateway) -> None:
    with entry.client("alpha.aigw.example.com") as client:
        answer = client.get(gateway.path())
    assert answer.received("X-Entry-Service") == []
    assert answer.received("X-Entry-Tenant") == ["alpha"]


def test_a_custom_host(entry: Entry, gateway: Gateway) -> None:
    with entry.client("app.customer.com") as client:
        answer = client.get(gateway.path())
    assert answer.received("X-Entry-Domain-Type") == ["custom"]
    assert answer.received("X-Entry-Tenant") == ["alpha"]
    assert answer.received("X-Entry-Service") == []
    assert answer.received("Host") == ["app.customer.com"]


def test_host_passes_as_the_client_sent_it(entry: Entry, gateway: Gateway) -> None:
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), ("Host", "APP1.Alpha.aigw.example.com:8443"))
    assert answer.received("Host") == ["APP1.Alpha.aigw.example.com:8443"]


@pytest.mark.parametrize("name", [*ENTRYS_OWN, "X-Entry-Anything", "Forwarded"])
@pytest.mark.parametrize("spelling", ["as it is", "underscores", "case", "named by Connection"])
def test_a_client_cannot_set_the_entrys_fields(entry: Entry, gateway: Gateway, name: str, spelling: str) -> None:
    fields = [(name, "spoofed"), (name, "spoofed too")]
    if spelling == "underscores":
        fields = [(name.replace("-", "_"), "spoofed")]
    elif spelling == "case":
        fields = [(name.upper(), "spoofed"), (name.lower(), "spoofed")]
    elif spelling == "named by Connection":
        fields = [("Connection", name), (name, "spoofed")]
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), *fields)
    assert answer.status == 200
    assert "spoofed" not in answer.body.decode()
    for own in ENTRYS_OWN:
        assert len(answer.received(own)) == 1


def test_hop_by_hop_fields_stay_on_their_hop(entry: Entry, gateway: Gateway) -> None:
    fields = [
        ("Connection", "keep-alive, X-Private, Authorization-Hint"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "gzip"),
        ("X-Private", "1"),
        ("X-Public", "2"),
    ]
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), *fields)
    for name in ("Keep-Alive", "Proxy-Connection", "TE", "X-Private"):
        assert answer.received(name) == [], name
    assert answer.received("X-Public") == ["2"]


def test_repeated_and_odd_fields_pass_untouched(entry: Entry, gateway: Gateway) -> None:
    fields = [
        ("Cookie", "a=1"),
        ("X-Empty", ""),
        ("x-MiXeD", "b, c"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("X-Text", "gr\xfc\xdf"),
    ]
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), *fields)
    assert [(name, value) for name, value in map(tuple, answer.json()["fields"]) if (name, value) in fields] == fields


def test_the_port_is_the_one_the_client_named(entry: Entry, gateway: Gateway) -> None:
    with entry.client(HOST) as client:
        answer = client.get(gateway.path(), ("Host", HOST + ":8443"))
    assert answer.received("X-Forwarded-Port") == ["8443"]


def test_absolute_form_beats_host(entry: Entry, gateway: Gateway) -> None:
    with entry.client(HOST) as client:
        answer = client.get(f"https://{HOST}{gateway.path()}", ("Host", "shop.beta.example"))
    assert answer.status == 200
    assert answer.received("Host") == [HOST]
    assert answer.json()["target"].startswith("/case")


def test_the_id_of_a_request_is_in_the_answer_and_the_log(entry: Entry, gateway: Gateway) -> None:
    path = gateway.path()
    with entry.client(HOST) as client:
        client.get(path)
    assert entry.logged(path)["requestId"] == gateway.only(path).get("X-Request-Id")


def test_from_a_trusted_proxy(tmp_path: Path, authority: Authority, gateway: Gateway) -> None:
    folder = Folder(tmp_path)
    write_platform(folder, authority, trustedProxies=["127.0.0.0/8"])
    write_tenant(folder, authority, "alpha", gateway={"addresses": [gateway.address]})
    fields = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "http"),
        ("X-Request-Id", "from-outside"),
        ("Via", "1.0 fred"),
        ("X-Entry-Tenant", "spoofed"),
    ]
    with running(folder, authority, "--drain-delay", "0") as entry, entry.client(HOST) as client:
        answer = client.get(gateway.path(), *fields)
    assert answer.received("X-Forwarded-For") == ["203.0.113.7, 127.0.0.1"]
    assert answer.received("X-Forwarded-Proto") == ["http"]
    assert answer.received("X-Request-Id") == ["from-outside"]
    assert answer.received("Via")[0].startswith("1.0 fred, 1.1 ")
    assert answer.received("X-Real-IP") == ["203.0.113.7"]
    assert answer.received("X-Entry-Tenant") == ["alpha"]
