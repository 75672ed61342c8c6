"""The scenario of deploy/examples: its parts know each other, and the program has nothing to say against it."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from entryproxy.cli import main
from entryproxy.model.objects import TENANT_LABEL
from tests.cluster.cluster import Account, Cluster
from tests.deploy.chart import EXAMPLES, NAMESPACE, one, render
from tests.e2e.gateways import wait_until
from tests.support import require_tool

DOCUMENTS = [
    document
    for path in sorted(EXAMPLES.glob("**/*.yaml"))
    if not path.name.endswith("values.yaml")
    for document in yaml.safe_load_all(path.read_text())
]


def of_kind(kind: str) -> list[Any]:
    return [item for item in DOCUMENTS if item["kind"] == kind]


def make_certificates(folder: Path) -> list[Any]:
    """Run the script without a cluster; the Secrets that it made."""
    require_tool("openssl")
    path = f"{Path(require_tool('kubectl')).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(folder / "none")}
    script = EXAMPLES / "make-certificates.sh"
    subprocess.run([script, folder], check=True, timeout=60, capture_output=True, env=environment)
    return [item for item in yaml.safe_load_all((folder / "secrets.yaml").read_text()) if item]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def dns_names(secret: Any) -> list[str]:
    certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_both_ways_to_certificates_make_the_same_secrets(secrets: list[Any]) -> None:
    ordered = {
        (item["spec"]["secretName"], item["spec"]["secretTemplate"]["labels"][TENANT_LABEL]): item["spec"]["dnsNames"]
        for item in of_kind("Certificate")
        if not item["spec"].get("isCA")
    }
    assert {
        (item["metadata"]["name"], item["metadata"]["labels"][TENANT_LABEL]): dns_names(item) for item in secrets
    } == (ordered)
    assert {item["type"] for item in secrets} == {"kubernetes.io/tls"}


def test_keys_are_for_their_owner_s_eyes(tmp_path: Path) -> None:
    make_certificates(tmp_path / "made")
    assert {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "made").iterdir()} == {
        "ca.crt": 0,
        "secrets.yaml": 0,
    }


def test_no_key_is_in_the_repository() -> None:
    for path in EXAMPLES.glob("**/*"):
        assert path.is_dir() or "PRIVATE KEY" not in path.read_text()
    assert of_kind("Secret") == []


@pytest.fixture(scope="module")
def applied(prepared: Cluster, secrets: list[Any]) -> Iterator[Account]:
    """The scenario in force, as far as nothing has to run for it; the entry's account with the chart's rights."""
    values = yaml.safe_load((EXAMPLES / "entry-values.yaml").read_text())
    chart = [
        item for item in render(values) if item["kind"] in ("ConfigMap", "ServiceAccount") or "Role" in item["kind"]
    ]
    manifests = yaml.safe_dump_all([*chart, *secrets, *of_kind("ConfigMap"), *of_kind("Service")])
    prepared.apply(manifests)
    yield prepared.service_account_kubeconfig(NAMESPACE, "entryproxy")
    prepared.kubectl("delete", "--filename", "-", input=manifests)


def test_the_program_has_nothing_to_say_against_it(applied: Account, capsys: pytest.CaptureFixture[str]) -> None:
    as_the_entry = ("--kubeconfig", str(applied.kubeconfig))

    def has_nothing_to_say() -> bool:
        main(["check", *as_the_entry])
        return "2 tenants and 4 certificates in force, 0 errors, 0 warnings" in capsys.readouterr().out

    wait_until(has_nothing_to_say, "something is wrong, or a Service got no EndpointSlices")
    for rule in (rule for ingress in of_kind("Ingress") for rule in ingress["spec"]["rules"]):
        host = rule["host"].replace("*", "www")
        assert main(["explain", host, *as_the_entry]) == 0
        assert f"({'system' if host.endswith('aigw.example.com') else 'custom'} host)" in capsys.readouterr().out


def test_gateways_are_where_the_entry_looks() -> None:
    (service,) = (item for item in of_kind("Service") if TENANT_LABEL in item["metadata"].get("labels", {}))
    tenant = one(DOCUMENTS, "ConfigMap", service["metadata"]["labels"][TENANT_LABEL])
    gateway = yaml.safe_load(tenant["data"]["tenant.yaml"])["gateway"]
    assert gateway == {"service": service["metadata"]["name"], "balance": "endpoints"}
    assert service["metadata"]["namespace"] == f"{tenant['metadata']['name']}-gateway"
    assert [port["port"] for port in service["spec"]["ports"]] == [80]


def test_routes_lead_to_services_of_their_namespace() -> None:
    bridges = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in of_kind("McpBridge")}
    services = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in of_kind("Service")}
    for ingress in of_kind("Ingress"):
        namespace = ingress["metadata"]["namespace"]
        assert ingress["spec"]["ingressClassName"] == namespace.removesuffix("-gateway")
        for backend in (path["backend"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            if "service" in backend:
                assert (namespace, backend["service"]["name"]) in services
                continue
            bridge = bridges[namespace, backend["resource"]["name"]]
            destinations = [f"{one['name']}.{one['type']}" for one in bridge["spec"]["registries"]]
            assert ingress["metadata"]["annotations"]["higress.io/destination"] in destinations


def test_plugins_name_routes_that_are_there() -> None:
    routes = {f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in of_kind("Ingress")}
    for plugin in of_kind("WasmPlugin"):
        assert plugin["metadata"]["namespace"].endswith("-gateway")
        assert {route for rule in plugin["spec"]["matchRules"] for route in rule["ingress"]} <= routes


@pytest.mark.parametrize("tenant", ["tenant1", "tenant2"])
def test_every_tenant_has_a_class_of_its_own(tenant: str) -> None:
    values = yaml.safe_load((EXAMPLES / tenant / "higress-values.yaml").read_text())
    assert values["global"]["ingressClass"] == tenant
    assert values["higress-core"]["meshConfig"]["rootNamespace"] == f"{tenant}-gateway"


def test_the_readme_tells_of_every_file() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    names = {path.name for path in EXAMPLES.glob("**/*") if path.is_file()} - {"README.md"}
    assert [name for name in sorted(names) if name not in readme] == []
