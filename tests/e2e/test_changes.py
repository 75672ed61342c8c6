"""Changes of the folder while the entry runs: in force at once, the bad ones reported, nobody else disturbed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.e2e.clients import connect, wrap
from tests.e2e.conftest import write_platform, write_tenant
from tests.e2e.gateways import Exchange, Gateway, wait_until
from tests.e2e.harness import Entry, Folder, running
from tests.e2e.probes import rejected, serial, status, tenant_of

SECONDS = 2.0
"""Generous: the promise is 100 ms, which the benchmark measures."""


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory, authority: Authority, gateway: Gateway) -> Iterator[Entry]:
    """An entry whose folder these tests change; `steady` is the tenant that must never notice."""
    folder = Folder(tmp_path_factory.mktemp("changing"))
    write_platform(folder, authority)
    write_tenant(folder, authority, "steady", gateway={"addresses": [gateway.address]})
    with running(folder, authority, "--drain-delay", "0") as entry:
        yield entry
    assert [line for line in entry.messages if "Traceback" in line] == []


@pytest.fixture(autouse=True)
def steady(changing: Entry, gateway: Gateway) -> Iterator[None]:
    """A connection of another tenant lives through every test."""
    with changing.client("app1.steady.aigw.example.com") as client:
        assert client.get(gateway.path()).status == 200
        yield
        assert client.get(gateway.path()).status == 200


class TestTenants:
    """ConfigMaps."""

    def test_added_changed_and_removed(self, changing: Entry, gateway: Gateway, neighbour: Gateway) -> None:
        folder, host = changing.folder, "app1.fresh.aigw.example.com"
        write_tenant(folder, changing.authority, "fresh", gateway={"addresses": [gateway.address]})
        wait_until(lambda: status(changing, host, gateway.path()) == 200, "not added", SECONDS)
        with changing.client(host) as client:
            write_tenant(folder, changing.authority, "fresh", gateway={"addresses": [neighbour.address]})
            path = gateway.path()
            wait_until(lambda: client.get(path).status == 200 and bool(neighbour.seen(path)), "not changed", SECONDS)
            folder.remove_tenant("fresh")
            folder.remove_certificate("fresh-wildcard")
            wait_until(lambda: client.get(path).status in (404, 421), "not removed", SECONDS)
        assert status(changing, host, gateway.path()) == 404

    def test_a_request_in_flight_keeps_what_it_started_with(self, changing: Entry, gateway: Gateway) -> None:
        async def held(exchange: Exchange) -> None:
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            await latch.wait()
            await exchange.send(b"half")

        latch = gateway.latch()
        folder, host = changing.folder, "app1.leaving.aigw.example.com"
        write_tenant(folder, changing.authority, "leaving", gateway={"addresses": [gateway.address]})
        wait_until(lambda: status(changing, host, gateway.path()) == 200, "not added", SECONDS)
        with changing.client(host) as client:
            client.send(client.head("GET", gateway.script(held)))
            assert client.response_head().status == 200
            folder.remove_tenant("leaving")
            wait_until(lambda: status(changing, host, gateway.path()) == 404, "not removed", SECONDS)
            latch.open()
            assert client.read(8) == b"halfhalf"
        folder.remove_certificate("leaving-wildcard")

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ("gateway: {addresses: ['127.0.0.1:1']}\nlimits: {conections: 5}\n", "limits.conections"),
            ("limits: {connections: many}\n", "limits.connections"),
            ("timeouts: {idle: -1}\n", "timeouts.idle"),
            ("gateway: {port: 70000}\n", "gateway.port"),
            ("domains: [app.customer.com\n", "tenant.yaml"),
        ],
        ids=["unknown field", "wrong type", "out of range", "no port", "no YAML"],
    )
    def test_a_bad_object_is_reported_and_its_last_good_version_kept(
        self, changing: Entry, gateway: Gateway, document: str, field: str
    ) -> None:
        folder, host = changing.folder, "app1.careless.aigw.example.com"
        write_tenant(folder, changing.authority, "careless", gateway={"addresses": [gateway.address]})
        wait_until(lambda: status(changing, host, gateway.path()) == 200, "not added", SECONDS)
        reported = len(changing.messages)
        folder.config_map("careless", "careless", {"tenant.yaml": document})
        wait_until(lambda: rejected(changing, "ConfigMap") == 1, "not rejected", SECONDS)
        wait_until(
            lambda: any("careless" in line and field in line for line in changing.messages[reported:]),
            "not reported with its field",
        )
        assert status(changing, host, gateway.path()) == 200
        write_tenant(folder, changing.authority, "careless", gateway={"addresses": [gateway.address]})
        wait_until(lambda: rejected(changing, "ConfigMap") == 0, "not accepted again", SECONDS)

    def test_a_file_that_is_no_yaml_disturbs_nobody(self, changing: Entry, gateway: Gateway) -> None:
        folder = changing.folder
        folder.write("torn.yaml", "kind: ConfigMap\nmetadata: {name: [\n")
        write_tenant(folder, changing.authority, "beside", gateway={"addresses": [gateway.address]})
        host = "app1.beside.aigw.example.com"
        wait_until(lambda: status(changing, host, gateway.path()) == 200, "not added", SECONDS)
        assert any("torn.yaml" in line for line in changing.messages)
        (folder.path / "torn.yaml").unlink()

    def test_the_older_claim_wins(self, changing: Entry, gateway: Gateway) -> None:
        folder, host = changing.folder, "contested.example.net"
        at_gateway = {"addresses": [gateway.address]}
        for tenant, created in (("older", "2026-01-01T00:00:00Z"), ("newer", "2026-02-01T00:00:00Z")):
            folder.tenant(tenant, created=created, gateway=at_gateway, domains=[host])
            folder.certificate(f"{tenant}-custom", tenant, changing.authority.issue(host))
        wait_until(lambda: rejected(changing, "ConfigMap") == 1, "the later claim was not rejected", SECONDS)
        with changing.client(host) as client:
            assert client.get(gateway.path()).received("X-Entry-Tenant") == ["older"]
            folder.remove_tenant("older")
            wait_until(lambda: tenant_of(changing, host, gateway) == "newer", "not taken over", SECONDS)
        for name in ("older-custom", "newer-custom"):
            folder.remove_certificate(name)
        folder.remove_tenant("newer")
        wait_until(lambda: rejected(changing, "ConfigMap") == 0, "the claim outlived its object", SECONDS)

    def test_platform_settings(self, changing: Entry) -> None:
        folder = changing.folder
        folder.settings(unknownSni="default")
        wait_until(lambda: serial(changing, "unknown.example.org") is not None, "not in force", SECONDS)
        folder.settings()
        wait_until(lambda: serial(changing, "unknown.example.org") is None, "not withdrawn", SECONDS)


class TestCertificates:
    """Secrets."""

    HOST = "app.rotating.example.net"

    @pytest.fixture(autouse=True)
    def tenant(self, changing: Entry, gateway: Gateway) -> None:
        folder = changing.folder
        pair = changing.authority.issue(self.HOST)
        folder.tenant("rotating", gateway={"addresses": [gateway.address]}, domains=[self.HOST])
        folder.certificate("rotating", "rotating", pair)
        wait_until(lambda: serial(changing, self.HOST) == pair.serial, "not added", SECONDS)

    def test_rotation(self, changing: Entry, gateway: Gateway) -> None:
        with changing.client(self.HOST) as client:
            for _ in range(3):
                pair = changing.authority.issue(self.HOST)
                changing.folder.certificate("rotating", "rotating", pair)
                wait_until(lambda: serial(changing, self.HOST) == pair.serial, "not rotated", SECONDS)  # noqa: B023
                assert client.get(gateway.path()).status == 200

    def test_deleted_while_in_use(self, changing: Entry, gateway: Gateway) -> None:
        with changing.client(self.HOST) as client:
            changing.folder.remove_certificate("rotating")
            wait_until(lambda: serial(changing, self.HOST) is None, "still served", SECONDS)
            with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
                wrap(connect(changing.ports["https"]), changing.authority.context(), self.HOST)
            assert client.get(gateway.path()).status == 200

    @pytest.mark.parametrize("fault", ["other key", "no key", "no certificate", "not yet valid"])
    def test_a_bad_pair_leaves_the_previous_one(self, changing: Entry, fault: str) -> None:
        before = serial(changing, self.HOST)
        one, other = changing.authority.issue(self.HOST), changing.authority.issue(self.HOST)
        bad = {
            "other key": type(one)(one.chain_pem, other.key_pem),
            "no key": type(one)(one.chain_pem, "nothing"),
            "no certificate": type(one)("nothing", one.key_pem),
            "not yet valid": changing.authority.issue(self.HOST, days=90, starts_in_days=30),
        }
        changing.folder.certificate("rotating", "rotating", bad[fault])
        wait_until(lambda: rejected(changing, "Secret") == 1, "not reported", SECONDS)
        assert serial(changing, self.HOST) == before
        changing.folder.certificate("rotating", "rotating", one)
        wait_until(lambda: serial(changing, self.HOST) == one.serial, "not replaced", SECONDS)

    def test_an_expired_certificate_is_better_than_none(self, changing: Entry) -> None:
        expired = changing.authority.issue(self.HOST, days=-1)
        changing.folder.certificate("rotating", "rotating", expired)
        wait_until(lambda: serial(changing, self.HOST) == expired.serial, "not served", SECONDS)
        wait_until(
            lambda: any("rotating" in line and "xpired" in line for line in changing.messages), "no warning was given"
        )

    def test_a_certificate_for_another_tenants_host_is_never_served(self, changing: Entry, gateway: Gateway) -> None:
        before = serial(changing, self.HOST)
        write_tenant(changing.folder, changing.authority, "thief", gateway={"addresses": [gateway.address]})
        changing.folder.certificate("stolen", "thief", changing.authority.issue(self.HOST, days=3000))
        host = "app1.thief.aigw.example.com"
        wait_until(lambda: status(changing, host, gateway.path()) == 200, "not added", SECONDS)
        assert all(serial(changing, self.HOST) == before for _ in range(6))
        changing.folder.remove_certificate("stolen")


def test_not_ready_without_settings(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> None:
    folder = Folder(tmp_path_factory.mktemp("empty"))
    entry = Entry(folder, authority, "--drain-delay", "0")
    try:
        wait_until(lambda: len(entry.ports) == 3 and _answers(entry), "the admin port never answered", 10)
        assert entry.admin("/readyz")[0] == 503
        assert entry.admin("/healthz")[0] == 200
        write_platform(folder, authority)
        entry.wait_ready(5)
    finally:
        entry.close()


def _answers(entry: Entry) -> bool:
    try:
        return bool(entry.admin("/healthz"))
    except OSError:
        return False
