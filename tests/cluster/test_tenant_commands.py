"""What `tenant add` and `tenant remove` write to a real API server, and what they refuse to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from entryproxy.cli.access import ClusterAccess
from tests.cluster.cluster import Cluster
from tests.cluster.operators import DOMAIN, LABEL, Operator
from tests.cluster.operators import certify as certify
from tests.cluster.operators import operator as operator

# -- what is refused, and leaves nothing behind


def test_a_dry_run_changes_nothing(operator: Operator, certify: Callable[..., str]) -> None:
    pair = certify("tls", "a.example")
    assert operator.tenant("add", "t1", "--domain", "a.example", "--certificate", pair, "--dry-run") == 0
    assert operator.out == "secret/tls created (server dry run)\nconfigmap/t1 created (server dry run)\n"
    assert (operator.names(), operator.names("secrets")) == (["platform"], [])
    operator.tenant("add", "t1")
    assert operator.tenant("add", "t1", "--connections", "5", "--dry-run") == 0
    assert operator.out == "configmap/t1 configured (server dry run)\n"
    assert operator.data("t1") is None
    assert operator.tenant("remove", "t1", "--dry-run") == 0
    assert operator.out == "configmap/t1 deleted (server dry run)\n"
    assert operator.names() == ["platform", "t1"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--domain", "taken.example"], "HostConflict"),
        (["--domain", f"a.{DOMAIN}"], "HostReserved"),
        (["--domain", "uncovered.example"], "UncoveredHost"),
        (["--domain", "nolabel"], "InvalidObject"),
        (["--gateway-port", "http"], "InvalidObject"),
        (["--certificate", "{mismatched}"], "InvalidCertificate"),
        (["--certificate", "{strange}"], "CertificateNames"),
        (["--profile", "test", "--isolation", "shared"], "NamespaceMissing"),
    ],
)
def test_what_would_not_be_in_force(
    arguments: list[str], reason: str, operator: Operator, certify: Callable[..., str]
) -> None:
    operator.declare("t2", {"tenant.yaml": "domains: [taken.example]"})
    strange, other = certify("strange", "other.example"), certify("other", "a.example")
    mismatched = f"{strange.partition(',')[0]},{other.partition(',')[2]}"
    values = [one.format(strange=strange, mismatched=mismatched) for one in arguments]
    assert operator.tenant("add", "t1", *values) == 1
    assert f"[{reason}]" in operator.err
    assert "tenant t1 is not written" in operator.err
    assert "PRIVATE" not in operator.err
    assert operator.out == ""
    assert (operator.names(), operator.names("secrets")) == (["platform", "t2"], [])


def test_a_domain_before_its_certificate(operator: Operator) -> None:
    assert operator.tenant("add", "t1", "--domain", "a.example") == 1
    assert "--allow-uncovered" in operator.err
    assert operator.tenant("add", "t1", "--domain", "a.example", "--allow-uncovered") == 0
    assert "[UncoveredHost]" in operator.err
    # It is no news any more.
    assert operator.tenant("add", "t1", "--connections", "1") == 0


def test_no_settings(cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    operator = Operator(cluster, namespace, capsys)
    assert operator.tenant("add", "t1") == 1
    assert "no settings are in force" in operator.err
    assert operator.run("check") == 1
    assert "[NoSettings]" in operator.out


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["explain", "a.b"],
        ["tenant", "list"],
        ["tenant", "add", "t1"],
        ["tenant", "remove", "t1", "--yes"],
        ["tenant", "remove", "t1", "--keep-secrets"],
    ],
)
def test_no_such_namespace(command: list[str], cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    operator = Operator(cluster, "nowhere", capsys)
    assert operator.run(*command) == 1
    assert 'namespaces "nowhere" not found\n  --namespace names' in operator.err


# -- objects of others


def test_a_tenant_that_others_keep(operator: Operator) -> None:
    operator.declare("t1")
    assert operator.tenant("add", "t1", "--connections", "5") == 1
    assert f"ConfigMap {operator.namespace}/t1 exists already and is kept by" in operator.err
    operator.declare("t2", name="by-another-name")
    assert operator.tenant("add", "t2") == 1
    assert f"ConfigMap {operator.namespace}/by-another-name declares the tenant already" in operator.err
    assert operator.data("t1") is None


def test_an_object_that_has_nothing_to_do_with_tenants(operator: Operator, certify: Callable[..., str]) -> None:
    operator.declare("t1", {"mine": "x"}, labels={})
    operator.cluster.kubectl("create", "secret", "generic", "taken", "-n", operator.namespace, "--from-literal=a=b")
    assert operator.tenant("add", "t1", "--certificate", certify("taken", f"t1.{DOMAIN}")) == 1
    assert f"ConfigMap {operator.namespace}/t1 exists already and has nothing to do with tenants" in operator.err
    assert f"Secret {operator.namespace}/taken exists already and has nothing to do with tenants" in operator.err
    assert operator.data("t1") == {"mine": "x"}


def test_a_field_that_somebody_else_has_changed_since(operator: Operator) -> None:
    operator.tenant("add", "t1", "--connections", "5")
    edited = {"data": {"tenant.yaml": "limits: {connections: 7}"}}
    operator.cluster.api.raw(
        "PATCH", f"{operator.path('t1')}?fieldManager=pipeline", edited, "application/merge-patch+json"
    )
    assert operator.tenant("add", "t1", "--connections", "9") == 1
    assert 'conflict with "pipeline"' in operator.err
    assert "Somebody else keeps these fields" in operator.err
    assert operator.document("t1") == {"limits": {"connections": 7}}


def test_an_object_that_is_going(operator: Operator) -> None:
    operator.tenant("add", "t1")
    patch = {"metadata": {"finalizers": ["example.com/hold"]}}
    operator.cluster.api.patch(operator.path("t1"), patch)
    assert operator.tenant("remove", "t1", "--yes") == 0
    assert "configmap/t1 stays until example.com/hold lets it go" in operator.err
    assert operator.tenant("add", "t1") == 1
    assert "is being removed and waits for example.com/hold" in operator.err
    operator.cluster.api.patch(operator.path("t1"), {"metadata": {"finalizers": None}})


# -- changes


def test_what_is_not_asked_for_stays(operator: Operator, certify: Callable[..., str]) -> None:
    operator.tenant("add", "t1", "--connections", "5", "--gateway-port", "8080")
    assert operator.tenant("add", "t1", "--requests-per-second", "9", "--gateway-service", "other") == 0
    assert operator.out == "configmap/t1 configured\n"
    assert operator.document("t1") == {
        "gateway": {"port": 8080, "service": "other"},
        "limits": {"connections": 5, "requestsPerSecond": 9},
    }
    assert operator.tenant("add", "t1", "--connections", "5") == 0
    assert operator.out == "configmap/t1 unchanged\n"


def test_a_certificate_is_replaced(operator: Operator, certify: Callable[..., str]) -> None:
    operator.tenant("add", "t1", "--certificate", certify("tls", f"t1.{DOMAIN}"))
    before = operator.data("tls", "secrets")
    assert operator.tenant("add", "t1", "--certificate", certify("tls", f"t1.{DOMAIN}", f"*.t1.{DOMAIN}")) == 0
    assert operator.out == "secret/tls configured\nconfigmap/t1 unchanged\n"
    assert operator.data("tls", "secrets") != before


def test_a_document_that_cannot_be_read_is_left_alone(operator: Operator) -> None:
    operator.tenant("add", "t1", "--connections", "5")
    operator.cluster.api.patch(operator.path("t1"), {"data": {"tenant.yaml": "[broken"}})
    assert operator.tenant("add", "t1", "--connections", "6") == 1
    assert "tenant.yaml can't be changed, mend it first: line 2" in operator.err


def test_a_gateway_that_is_there_is_not_missed(operator: Operator) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gateway", "namespace": operator.namespace}}
    operator.cluster.api.create({**service, "spec": {"ports": [{"port": 80}]}})
    wanted = ["--gateway-namespace", operator.namespace, "--gateway-service"]
    assert operator.tenant("add", "t1", *wanted, "gateway") == 0
    assert "there is no Service" not in operator.err
    assert operator.tenant("add", "t1", *wanted, "other") == 0
    assert f"there is no Service {operator.namespace}/other yet" in operator.err
    assert operator.tenant("add", "t1", "--address", "192.0.2.1:80") == 0
    assert "there is no Service" not in operator.err


# -- two administrators at the same moment


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Something happens after a command has looked and before it writes."""

    def plan(happening: Callable[[], object]) -> None:
        apply = ClusterAccess.apply
        done: list[object] = []

        async def apply_later(self: ClusterAccess, manifest: Any, *, dry_run: bool) -> Any:
            if not done:
                done.append(happening())
            return await apply(self, manifest, dry_run=dry_run)

        monkeypatch.setattr(ClusterAccess, "apply", apply_later)

    return plan


def test_concurrent_changes(operator: Operator, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    operator.tenant("add", "t1", "--connections", "5")
    meanwhile(lambda: operator.cluster.api.patch(operator.path("t1"), {"metadata": {"annotations": {"a": "b"}}}))
    assert operator.tenant("add", "t1", "--connections", "9") == 1
    assert "Somebody else was quicker" in operator.err
    assert operator.document("t1") == {"limits": {"connections": 5}}
    assert operator.tenant("add", "t1", "--connections", "9") == 0


def test_concurrent_additions(operator: Operator, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    """Both by this very command, whose field manager is the same."""
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "t1", "labels": {LABEL: "t1"}}}
    path = f"{operator.path('t1')}?fieldManager=entryproxy"
    meanwhile(lambda: operator.cluster.api.raw("PATCH", path, wanted, "application/apply-patch+yaml"))
    assert operator.tenant("add", "t1", "--connections", "9") == 1
    assert "Somebody else was quicker" in operator.err
    assert operator.data("t1") is None


def test_nothing_is_half_written(
    operator: Operator, certify: Callable[..., str], meanwhile: Callable[..., None]
) -> None:
    """The certificate could be written, the tenant could not: neither is."""
    meanwhile(lambda: operator.declare("t1"))
    assert operator.tenant("add", "t1", "--certificate", certify("tls", f"t1.{DOMAIN}")) == 1
    assert (operator.out, operator.names("secrets")) == ("", [])


# -- removal


def test_removal_asks(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.tenant("add", "t1")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert operator.tenant("remove", "t1") == 2
    assert "--yes removes without asking" in operator.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert operator.tenant("remove", "t1") == 1
    assert "configmap/t1 would be deleted" in operator.err
    assert "nothing was removed" in operator.err
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert operator.tenant("remove", "t1") == 0
    assert operator.names() == ["platform"]


def test_removal_keeps_secrets_and_says_who_makes_them_again(operator: Operator, certify: Callable[..., str]) -> None:
    operator.tenant("add", "t1", "--certificate", certify("tls", f"t1.{DOMAIN}"))
    annotation = {"metadata": {"annotations": {"cert-manager.io/certificate-name": "customer"}}}
    operator.cluster.api.patch(operator.path("tls", "secrets"), annotation)
    assert operator.tenant("remove", "t1", "--keep-secrets", "--yes") == 0
    assert operator.names("secrets") == ["tls"]
    assert operator.tenant("list") == 0
    assert "Undeclared" in operator.out
    assert operator.tenant("remove", "t1", "--yes") == 0
    assert f"made again by cert-manager: delete Certificate {operator.namespace}/customer first" in operator.err
    assert operator.names("secrets") == []


def test_removal_spares_what_has_taken_the_name_since(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.tenant("add", "t1")

    def answer(_: str) -> str:
        operator.cluster.api.delete(operator.path("t1"))
        operator.declare("t1", {"tenant.yaml": "hsts: true"})
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    assert operator.tenant("remove", "t1") == 1
    assert "Somebody else was quicker" in operator.err
    assert operator.document("t1") == {"hsts": True}


def test_removal_of_what_somebody_else_removes(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.tenant("add", "t1")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: str(operator.cluster.api.delete(operator.path("t1"))) and "y")
    assert operator.tenant("remove", "t1") == 0
    assert operator.out == "configmap/t1 was gone already\n"
