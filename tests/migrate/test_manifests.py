from __future__ import annotations

import subprocess

from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.migrate.certificates import CLUSTER_ISSUER
from entryproxy.migrate.manifests import COMMANDS_FILE, File, write_files
from tests.migrate.builders import ingress, plan


def files(*args: object, **wishes: object) -> dict[str, File]:
    made = plan(*args, **wishes)  # type: ignore[arg-type]
    return {one.name: one for one in write_files(made, "entry", write_yaml)}


def test_one_file_a_tenant() -> None:
    found = files(ingress("a.com", namespace="a-gateway"), ingress("b.com", namespace="b-gateway"))
    assert list(found) == ["settings.yaml", "tenant-a.yaml", "tenant-b.yaml", "copy-secrets.sh"]
    assert parse_yaml(found["tenant-a.yaml"].text) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "entry", "labels": {"entryproxy.higress.io/tenant": "a"}},
        "data": {
            "tenant.yaml": "domains:\n  - a.com\nhsts:\n  maxAge: 31536000\n  includeSubDomains: true\n",
        },
    }
    assert not any(one.is_private for one in found.values())


def test_settings_that_are_there_stay() -> None:
    assert "settings.yaml" not in files(ingress("a.com"), has_settings=True)


def test_issued_certificates_carry_our_label() -> None:
    found = files(ingress("a.com", annotations={CLUSTER_ISSUER: "le"}))
    assert COMMANDS_FILE not in found
    certificate = parse_yaml(found["certificates.yaml"].text)
    assert isinstance(certificate, dict)
    assert "labels" not in certificate["metadata"]
    assert certificate["spec"] == {
        "secretName": "acme-tls",
        "dnsNames": ["a.com"],
        "issuerRef": {"name": "le", "kind": "ClusterIssuer", "group": "cert-manager.io"},
        "secretTemplate": {"labels": {"entryproxy.higress.io/tenant": "acme"}},
    }


def test_commands_are_a_script() -> None:
    text = files(ingress("a.com"), ingress("b.com", namespace="b-gateway", secret="it's"))[COMMANDS_FILE].text
    subprocess.run(["bash", "-n"], input=text.encode(), check=True, timeout=10)
    assert text.endswith("copy acme-gateway tls acme-tls acme\ncopy b-gateway 'it'\"'\"'s' 'b-it'\"'\"'s' b\n")
