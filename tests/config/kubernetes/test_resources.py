from __future__ import annotations

from entryproxy.config.kubernetes.resources import of_entry


def test_what_an_entry_reads() -> None:
    config_maps, secrets, slices = of_entry("higress-system")
    assert (config_maps.path, secrets.path, slices.path) == (
        "/api/v1/namespaces/higress-system/configmaps",
        "/api/v1/namespaces/higress-system/secrets",
        "/apis/discovery.k8s.io/v1/endpointslices",
    )
    assert {one.selectors["labelSelector"] for one in (config_maps, secrets, slices)} == {
        "entryproxy.higress.io/tenant"
    }
    assert secrets.selectors["fieldSelector"] == "type=kubernetes.io/tls"
    assert [one.is_vital for one in (config_maps, secrets, slices)] == [True, True, False]


def test_their_names_for_people() -> None:
    config_maps, secrets, slices = of_entry("ns")
    assert [one.reference for one in (config_maps, secrets, slices)] == [
        "ConfigMaps ns/?",
        "Secrets ns/?",
        "EndpointSlices */?",
    ]
    assert secrets.permission == "secrets --namespace ns"
    assert slices.permission == "endpointslices.discovery.k8s.io --all-namespaces"
