"""From a tenant's ConfigMap to an answer of its gateway, through the entry, while others' traffic goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import Background, Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import status, unverified

pytestmark = pytest.mark.usefixtures("undisturbed")

TENANT = "served"
HOST = f"app1.{TENANT}.{SYSTEM_DOMAIN}"
NAMESPACE = f"{TENANT}-gateway"


@pytest.fixture
def gateway(background: Background, kubelet: Kubelet) -> Iterator[Gateway]:
    """What runs in the tenant's pods."""
    gateway = Gateway(background, host="127.0.0.21")
    kubelet.addresses[NAMESPACE] = "198.51.100.21"
    yield gateway
    gateway.close()
    assert gateway.errors == []


def test_a_request_reaches_a_provisioned_gateway(
    place: Place, controller: RunningController, kubelet: Kubelet, entry: Entry, gateway: Gateway
) -> None:
    """By the tenant's label on the release's own Service, the EndpointSlices that Kubernetes makes of its pods, and a
    pod's address."""
    place.certificate(f"{TENANT}-wildcard", TENANT, place.authority.issue(f"*.{TENANT}.{SYSTEM_DOMAIN}"))
    with kubelet.failing(namespace=NAMESPACE):
        place.provision(
            TENANT,
            gateway={"balance": "endpoints", "port": "http2"},
            release={"profile": "dev", "values": {"gateway": {"httpPort": gateway.port}}},
        )
        place.wait_for(TENANT, "Provisioning")
        wait_until(lambda: is_being_provisioned(entry), "not told to come again", SECONDS)
    place.wait_for(TENANT, "Ready")
    path = gateway.path()
    wait_until(lambda: status(entry, HOST, path) == 200, "never served", SECONDS)
    assert gateway.seen(path)[-1].get("x-entry-tenant") == TENANT
    assert gateway.seen(path)[-1].get("host") == HOST


def is_being_provisioned(entry: Entry) -> bool:
    """Whether clients are told so, rather than of an outage."""
    with unverified(entry, HOST) as client:
        answer = client.get("/")
    return answer.status == 503 and answer.get("Retry-After") is not None and b"being provisioned" in answer.body
