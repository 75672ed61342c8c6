from __future__ import annotations

import base64

from entryproxy.authoring.objects import config_map, tls_secret
from entryproxy.config.manifests import read_object
from entryproxy.model.objects import LabelledConfigMap, LabelledSecret
from entryproxy.model.secret import PrivateBytes


def test_a_config_map_is_read_back_by_the_source() -> None:
    labelled = read_object(config_map("ns", "t1", "123", {"tenant.yaml": "{}"}), "", "")
    assert isinstance(labelled, LabelledConfigMap)
    assert (labelled.reference, labelled.tenant, labelled.data) == ("ConfigMap ns/t1", "123", {"tenant.yaml": "{}"})


def test_nothing_asked_for_is_nothing_written() -> None:
    assert "data" not in config_map("ns", "t1", "t1", {})


def test_a_secret_is_read_back_by_the_source() -> None:
    manifest = tls_secret("ns", "tls", "t1", b"chain", PrivateBytes(b"\x00key"))
    assert manifest["data"] == {"tls.crt": base64.b64encode(b"chain").decode(), "tls.key": "AGtleQ=="}
    labelled = read_object(manifest, "", "")
    assert isinstance(labelled, LabelledSecret)
    assert (labelled.certificate_pem, labelled.key_pem.reveal()) == (b"chain", b"\x00key")
