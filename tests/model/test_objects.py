from __future__ import annotations

import pytest

from entryproxy.model.objects import LabelledConfigMap, LabelledSecret
from entryproxy.model.secret import PrivateBytes


def test_references_read_as_kubectl_writes_them() -> None:
    config_map = LabelledConfigMap(namespace="ns", name="a", tenant="a", created="", data={})
    secret = LabelledSecret(
        namespace="ns", name="a", tenant="a", created="", certificate_pem=b"", key_pem=PrivateBytes(b"the key")
    )
    assert (config_map.reference, secret.reference) == ("ConfigMap ns/a", "Secret ns/a")
    assert "the key" not in repr(secret)


def test_objects_do_not_change() -> None:
    config_map = LabelledConfigMap(namespace="ns", name="a", tenant="a", created="", data={})
    with pytest.raises(AttributeError):
        config_map.name = "b"  # type: ignore[misc]
