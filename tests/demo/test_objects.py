from __future__ import annotations

import yaml

from entryproxy.demo import objects
from entryproxy.demo.authority import IssuedCertificate


def test_a_config_map_is_what_kubernetes_expects() -> None:
    text = objects.config_map("acme", "acme", "tenant.yaml", "domains: [app.acme.com]\nlimits:\n  connections: 1\n")
    document = yaml.safe_load(text)
    assert (document["apiVersion"], document["kind"]) == ("v1", "ConfigMap")
    assert document["metadata"] == {
        "name": "acme",
        "namespace": "higress-system",
        "labels": {"entryproxy.higress.io/tenant": "acme"},
    }
    assert yaml.safe_load(document["data"]["tenant.yaml"]) == {
        "domains": ["app.acme.com"],
        "limits": {"connections": 1},
    }


def test_a_secret_keeps_its_pem_byte_for_byte() -> None:
    issued = IssuedCertificate("-----BEGIN CERTIFICATE-----\nAAA=\n-----END CERTIFICATE-----\n", "key\nlines\n")
    document = yaml.safe_load(objects.tls_secret("acme-tls", "acme", issued))
    assert document["type"] == "kubernetes.io/tls"
    assert document["metadata"]["labels"] == {"entryproxy.higress.io/tenant": "acme"}
    assert document["stringData"] == {"tls.crt": issued.certificate_pem, "tls.key": issued.key_pem}


def test_several_objects_in_a_file() -> None:
    text = objects.documents(*(objects.config_map(name, name, "tenant.yaml", "a: 1\n") for name in ("one", "two")))
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(text)] == ["one", "two"]
