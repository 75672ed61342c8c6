"""One entry with many tenants serves most tests; those that change configuration or end processes start their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.e2e.gateways import Background, Gateway
from tests.e2e.harness import SYSTEM_DOMAIN, Entry, Folder, running
from tests.e2e.sockets import WebSocketGateway


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def gateway(background: Background) -> Iterator[Gateway]:
    """The gateway of most tenants."""
    gateway = Gateway(background)
    yield gateway
    gateway.close()
    assert gateway.errors == []


@pytest.fixture(scope="session")
def neighbour(background: Background) -> Iterator[Gateway]:
    """The gateway of tenant beta, which no request for another tenant may reach."""
    gateway = Gateway(background)
    yield gateway
    gateway.close()
    assert gateway.errors == []


@pytest.fixture(scope="session")
def sockets(background: Background) -> Iterator[WebSocketGateway]:
    """The gateway of tenant sockets."""
    gateway = WebSocketGateway(background)
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def refused_address() -> Iterator[str]:
    """An address that refuses connections: bound, so that nobody else takes it, but not listening."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture(scope="session")
def entry(
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    gateway: Gateway,
    neighbour: Gateway,
    sockets: WebSocketGateway,
    refused_address: str,
) -> Iterator[Entry]:
    """The entry that most tests share."""
    folder = Folder(tmp_path_factory.mktemp("shared"))
    write_platform(folder, authority)
    at_gateway = {"addresses": [gateway.address]}
    write_tenant(folder, authority, "alpha", gateway=at_gateway, domains=["app.customer.com", "*.customer.com"])
    folder.certificate("alpha-custom", "alpha", authority.issue("app.customer.com", "*.customer.com"))
    write_tenant(folder, authority, "beta", gateway={"addresses": [neighbour.address]}, domains=["shop.beta.example"])
    folder.certificate("beta-custom", "beta", authority.issue("shop.beta.example"))
    quick = {"connect": 0.5, "firstByte": 1, "idle": 1}
    write_tenant(folder, authority, "quick", gateway=at_gateway, timeouts=quick)
    write_tenant(folder, authority, "rated", gateway=at_gateway, limits={"requestsPerSecond": 5})
    write_tenant(folder, authority, "busy", gateway=at_gateway, limits={"connections": 2})
    write_tenant(folder, authority, "small", gateway=at_gateway, limits={"requestBodyBytes": 1000})
    write_tenant(folder, authority, "strict", gateway=at_gateway, hsts={"maxAge": 600, "includeSubDomains": True})
    write_tenant(folder, authority, "plain", gateway=at_gateway, httpsRedirect=False)
    write_tenant(folder, authority, "down", gateway={"addresses": [refused_address]})
    write_tenant(folder, authority, "spare", gateway={"addresses": [refused_address, gateway.address]})
    write_tenant(folder, authority, "sockets", gateway={"addresses": [sockets.address]})
    folder.tenant("bare", gateway=at_gateway, domains=["uncovered.example"])
    with running(folder, authority, "--drain-delay", "0") as entry:
        yield entry
    assert [line for line in entry.messages if "Traceback" in line] == []
    assert entry.garbled == []


def write_platform(folder: Folder, authority: Authority, **settings: object) -> None:
    """Settings and the platform's certificate."""
    folder.settings(**settings)
    folder.certificate("system", "system", authority.issue(f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN))


def write_tenant(folder: Folder, authority: Authority, tenant: str, **spec: Any) -> None:
    """A tenant with a certificate for its system hosts."""
    folder.tenant(tenant, **spec)
    folder.certificate(f"{tenant}-wildcard", tenant, authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}"))
