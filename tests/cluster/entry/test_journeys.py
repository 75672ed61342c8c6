"""What an operator does with kubectl, and what clients see of it. Traffic of another tenant runs through all of it."""

from __future__ import annotations

import base64
import signal
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.cluster.entry.conftest import state_folder
from tests.cluster.entry.site import Site
from tests.cluster.faults import of
from tests.e2e.clients import connect, wrap
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import LABEL, SYSTEM_DOMAIN, Entry
from tests.e2e.probes import rejected, serial, status, tenant_of
from tests.support import require_tool

pytestmark = pytest.mark.usefixtures("undisturbed")


class Curl:
    """`curl --resolve`, as the documentation has it."""

    def __init__(self, entry: Entry, folder: Path) -> None:
        self._program = require_tool("curl")
        self._port = entry.ports["https"]
        self._ca = folder / "ca.crt"
        self._ca.write_text(entry.authority.pem)

    def __call__(self, host: str, path: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(self._program, "--silent", "--show-error", "--max-time", "10", "--cacert", str(self._ca)),
                *("--resolve", f"{host}:{self._port}:127.0.0.1", "--write-out", "\n%{http_code}"),
                f"https://{host}:{self._port}{path}",
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )

    def status(self, host: str, path: str) -> str:
        return self(host, path).stdout.rpartition("\n")[2]


def test_a_label_brings_a_tenant_in_force_and_its_removal_takes_it_back(
    site: Site, entry: Entry, gateway: Gateway, tmp_path: Path
) -> None:
    """kubectl label … and a curl works; without the labels it is 404 and unrecognized_name again."""
    curl, kubectl, host = Curl(entry, tmp_path), site.cluster.kubectl, f"app1.labelled.{SYSTEM_DOMAIN}"
    site.config_map("labelled", None, {"tenant.yaml": f"gateway: {{addresses: ['{gateway.address}']}}\n"})
    site.certificate("labelled-tls", None, site.authority.issue(f"*.labelled.{SYSTEM_DOMAIN}"))
    assert status(entry, host, gateway.path()) == 404

    for what in ("configmap/labelled", "secret/labelled-tls"):
        kubectl("label", what, f"{LABEL}=labelled", "--namespace", site.namespace)
    path = gateway.path()
    wait_until(lambda: curl.status(host, path) == "200", "never served")
    assert gateway.seen(path)[0].get("X-Entry-Tenant") == "labelled"

    with entry.client(host) as client:
        assert client.get(gateway.path()).status == 200
        kubectl("label", "configmap/labelled", f"{LABEL}-", "--namespace", site.namespace)
        wait_until(lambda: status(entry, host, gateway.path()) == 404, "still served")
        assert client.get(gateway.path()).status in (404, 421)
    kubectl("label", "secret/labelled-tls", f"{LABEL}-", "--namespace", site.namespace)


def test_without_its_labels_a_custom_host_is_no_name_of_ours(
    site: Site, entry: Entry, gateway: Gateway, tmp_path: Path
) -> None:
    curl, kubectl, host = Curl(entry, tmp_path), site.cluster.kubectl, "shop.customer.example"
    site.tenant("customer", gateway={"addresses": [gateway.address]}, domains=[host])
    site.certificate("customer-tls", "customer", site.authority.issue(host))
    wait_until(lambda: curl.status(host, gateway.path()) == "200", "never served")

    kubectl("label", "configmap/customer", "secret/customer-tls", f"{LABEL}-", "--namespace", site.namespace)

    wait_until(lambda: serial(entry, host) is None, "still served")
    refused = curl(host, "/")
    assert refused.returncode == 35  # CURLE_SSL_CONNECT_ERROR
    assert "unrecognized name" in refused.stderr


def test_the_labels_value_says_whose_it_is(site: Site, entry: Entry, gateway: Gateway, tmp_path: Path) -> None:
    """One ConfigMap and its certificate, handed from a tenant to another."""
    host = "moving.example"
    site.config_map(
        "moving",
        "before",
        {"tenant.yaml": f"domains: ['{host}']\ngateway: {{addresses: ['{gateway.address}']}}\n"},
    )
    site.certificate("moving", "before", site.authority.issue(host))
    wait_until(lambda: tenant_of(entry, host, gateway) == "before", "never served")

    relabel = ("label", "--overwrite", "configmap/moving", "secret/moving", f"{LABEL}=after")
    site.cluster.kubectl(*relabel, "--namespace", site.namespace)

    wait_until(lambda: tenant_of(entry, host, gateway) == "after", "never moved")
    wait_until(lambda: status(entry, f"app1.before.{SYSTEM_DOMAIN}", gateway.path()) == 404, "the first one stays")
    site.remove("configmaps", "moving")
    site.remove("secrets", "moving")


def test_a_rotated_secret_drops_nothing(site: Site, entry: Entry, gateway: Gateway, tenant: str) -> None:
    """The next handshake has the new certificate; connections and a stream under way go on."""

    async def stream(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n")
        await latch.wait()
        await exchange.send(b"2\r\n2\n\r\n0\r\n\r\n")

    host, latch = f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.latch()
    with entry.client(host) as client, entry.client(host) as streaming:
        assert client.get(gateway.path()).status == 200
        streaming.send(streaming.head("GET", gateway.script(stream)))
        assert streaming.response_head().status == 200
        assert streaming.read_chunk() == b"1\n"
        for _ in range(3):
            pair = site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}")
            site.certificate(f"{tenant}-wildcard", tenant, pair)
            wait_until(lambda: serial(entry, host) == pair.serial, "not rotated")  # noqa: B023
            assert client.get(gateway.path()).status == 200
        latch.open()
        assert [streaming.read_chunk(), streaming.read_chunk()] == [b"2\n", b""]


def test_a_secret_deleted_while_in_use(site: Site, entry: Entry, gateway: Gateway, tenant: str) -> None:
    """Live connections finish; new handshakes get the alert."""
    host = f"{tenant}.customer.example"
    site.tenant(tenant, gateway={"addresses": [gateway.address]}, domains=[host])
    pair = site.authority.issue(host)
    site.certificate(f"{tenant}-custom", tenant, pair)
    wait_until(lambda: serial(entry, host) == pair.serial, "never served")

    with entry.client(host) as client:
        assert client.get(gateway.path()).status == 200
        site.cluster.kubectl("delete", f"secret/{tenant}-custom", "--namespace", site.namespace)
        wait_until(lambda: serial(entry, host) is None, "still served")
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            wrap(connect(entry.ports["https"]), entry.authority.context(), host)
        for _ in range(3):
            assert client.get(gateway.path()).status == 200


def test_a_secret_of_another_type_never_leaves_the_api_server(site: Site, entry: Entry, tenant: str) -> None:
    """However it is labelled: a Secret of Helm's, or a token."""
    host = f"{tenant}.opaque.example"
    site.tenant(tenant, domains=[host])
    pair = site.authority.issue(host)
    data = {"tls.crt": base64.b64encode(pair.chain_pem.encode()).decode(), "tls.key": "c2VjcmV0"}
    metadata = {"name": f"{tenant}-opaque", "namespace": site.namespace, "labels": {LABEL: tenant}}
    site.write({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data})
    before = rejected(entry, "Secret")

    later = site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}")  # what comes after it was seen, so it was passed over
    site.certificate(f"{tenant}-wildcard", tenant, later)
    wait_until(lambda: serial(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}") == later.serial, "not rotated")

    assert serial(entry, host) is None
    assert rejected(entry, "Secret") == before
    requests = site.proxy.received(of("secrets"))
    assert {request.query["fieldSelector"] for request in requests} == {"type=kubernetes.io/tls"}
    site.remove("secrets", f"{tenant}-opaque")


def test_one_label_selects_all_that_is_read(site: Site, entry: Entry) -> None:
    """And nothing else is asked for: three collections, in pages, watched with bookmarks."""
    requests = site.proxy.requests
    assert {request.method for request in requests} == {"GET"}
    assert {request.path for request in requests} == {
        site.path("configmaps"),
        site.path("secrets"),
        "/apis/discovery.k8s.io/v1/endpointslices",
    }
    assert {request.query["labelSelector"] for request in requests} == {LABEL}
    watches = [request for request in requests if "watch" in request.query]
    assert {request.query["allowWatchBookmarks"] for request in watches} == {"true"}
    assert all("limit" in request.query for request in requests if request not in watches)


def test_sigterm_drains(site: Site, gateway: Gateway, tenant: str, tmp_path: Path) -> None:
    """A request under way finishes, the exit status is 0, and the last good configuration is whole."""

    async def held(exchange: Exchange) -> None:
        await latch.wait()
        await exchange.answer(200, b"finished")

    latch, state = gateway.latch(), state_folder(tmp_path)
    path = gateway.script(held)
    with site.running("--state-dir", str(state)) as entry, entry.client(f"app1.{tenant}.{SYSTEM_DOMAIN}") as client:
        wait_until((state / "last-good").exists, "never written")
        client.send(client.head("GET", path))
        gateway.only(path)
        site.cluster.kubectl("annotate", f"configmap/{tenant}", "now=changes", "--namespace", site.namespace)
        entry.signal(signal.SIGTERM)
        assert client.is_quiet(0.3)
        latch.open()
        assert (client.response().body, client.is_closed()) == (b"finished", True)
        assert entry.wait() == 0
    assert [one.name for one in state.iterdir()] == ["last-good"]
    assert [line for line in entry.messages if "level=error" in line] == []
