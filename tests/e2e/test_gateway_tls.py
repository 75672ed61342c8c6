"""Gateways behind TLS (`protocol: https`): verified, by name, or not used at all."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Background, Gateway
from tests.e2e.harness import Entry, Folder, running


@pytest.fixture(scope="module")
def verifying(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway, background: Background
) -> Iterator[Entry]:
    """An entry that trusts the tests' authority, with tenants whose gateways' certificates differ."""
    folder = Folder(tmp_path_factory.mktemp("verifying") / "source")
    write_platform(folder, authority)
    folder.write("ca.pem", authority.pem)
    gateways = [
        _write(folder, authority, background, "right", authority, "127.0.0.1"),
        _write(folder, authority, background, "misnamed", authority, "gateway.example.org"),
        _write(folder, authority, background, "untrusted", Authority("somebody else"), "127.0.0.1"),
        _write(folder, authority, background, "named", authority, "gateway.example.org", "gateway.example.org"),
    ]
    write_tenant(folder, authority, "cleartext", gateway={"addresses": [gateway.address], "protocol": "https"})
    environment = {"SSL_CERT_FILE": str(folder.path / "ca.pem")}
    with running(folder, authority, "--drain-delay", "0", environment=environment) as entry:
        yield entry
    for one in gateways:
        one.close()


@pytest.mark.parametrize("tenant", ["right", "named"])
def test_a_verified_gateway(verifying: Entry, tenant: str) -> None:
    with verifying.client(f"app1.{tenant}.aigw.example.com") as client:
        for size in (0, 100_000, 10):
            answer = client.request("POST", "/", body=bytes(size))
            assert answer.json()["bodyBytes"] == size


@pytest.mark.parametrize("tenant", ["misnamed", "untrusted", "cleartext"])
def test_a_gateway_that_cannot_be_verified_gets_nothing(verifying: Entry, tenant: str) -> None:
    with verifying.client(f"app1.{tenant}.aigw.example.com") as client:
        answer = client.get("/")
    assert answer.status in (502, 503)
    assert verifying.metric("entryproxy_gateway_errors_total", tenant=tenant) >= 1


def _write(
    folder: Folder,
    authority: Authority,
    background: Background,
    tenant: str,
    issuer: Authority,
    name: str,
    server_name: str = "",
) -> Gateway:
    """A tenant whose gateway shows a certificate of `issuer` for `name`."""
    pair = issuer.issue(name)
    chain, key = _files(folder.path.parent, tenant, pair.chain_pem, pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    gateway = Gateway(background, tls=context)
    spec: dict[str, object] = {"addresses": [gateway.address], "protocol": "https"}
    if server_name:
        spec["serverName"] = server_name
    write_tenant(folder, authority, tenant, gateway=spec)
    return gateway


def _files(folder: Path, name: str, chain_pem: str, key_pem: str) -> tuple[Path, Path]:
    chain, key = folder / f"{name}.crt", folder / f"{name}.key"
    chain.write_text(chain_pem)
    key.write_text(key_pem)
    return chain, key
