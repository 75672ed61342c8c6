"""Paths as the API server has them: the table is compared with what the real one says of itself."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.kubernetes import paths
from entryproxy.kubernetes.client import ClusterClient, connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.kubernetes.paths import Paths, Resource, collection_path, known, object_path
from tests.charts import CUSTOM_RESOURCES
from tests.cluster.cluster import Cluster

RBAC = "rbac.authorization.k8s.io/v1"
PATHS = [
    (("v1", "ConfigMap", "ns", "a"), "/api/v1/namespaces/ns/configmaps/a"),
    (("v1", "Namespace", "", "a"), "/api/v1/namespaces/a"),
    (("v1", "Namespace", "ignored", "a"), "/api/v1/namespaces/a"),
    (("apps/v1", "Deployment", "ns", "a"), "/apis/apps/v1/namespaces/ns/deployments/a"),
    (("networking.k8s.io/v1", "IngressClass", "", "a"), "/apis/networking.k8s.io/v1/ingressclasses/a"),
    (
        ("networking.k8s.io/v1", "NetworkPolicy", "ns", "a"),
        "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/a",
    ),
    (("networking.k8s.io/v1", "Ingress", "ns", "a"), "/apis/networking.k8s.io/v1/namespaces/ns/ingresses/a"),
    ((RBAC, "ClusterRole", "", "system:node"), f"/apis/{RBAC}/clusterroles/system%3Anode"),
    ((RBAC, "Role", "ns", "a b?c#d"), f"/apis/{RBAC}/namespaces/ns/roles/a%20b%3Fc%23d"),
]


@pytest.mark.parametrize(("which", "path"), PATHS)
def test_an_object(which: tuple[str, str, str, str], path: str) -> None:
    assert object_path(*which) == path


def test_a_collection() -> None:
    assert collection_path("v1", "Secret", "ns") == "/api/v1/namespaces/ns/secrets"
    assert collection_path("v1", "Secret") == "/api/v1/secrets"
    assert collection_path("apps/v1", "Deployment") == "/apis/apps/v1/deployments"


@pytest.mark.parametrize(("group_version", "kind"), [("v1", "Deployment"), ("apps/v1", "ConfigMap"), ("x/v1", "Y")])
def test_an_unknown_kind(group_version: str, kind: str) -> None:
    with pytest.raises(KeyError):
        object_path(group_version, kind, "ns", "a")


@pytest.mark.parametrize("name", ["", ".", "..", "../b", "a/b", "a%2Fb", "/", "a\n", "\ud800"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ApiError, match="no name") as refused:
        object_path("v1", "ConfigMap", "ns", name)
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")
    if name:
        with pytest.raises(ApiError, match="no name"):
            object_path("v1", "ConfigMap", name, "a")


def test_a_namespace_is_needed() -> None:
    with pytest.raises(ApiError, match="in no namespace"):
        object_path("v1", "ConfigMap", "", "a")


@pytest.mark.parametrize("group_version", ["apps/v1/..", "apps/../v1", "/v1", "apps/", "apps/v1?x=", "apps/v1\n"])
def test_what_is_no_api_version(group_version: str) -> None:
    group = group_version.rpartition("/")[0]
    assert paths._GROUP_VERSION.fullmatch(group_version) is None
    if group == "apps":
        with pytest.raises(ApiError, match="no API version"):
            collection_path(group_version, "Deployment")


@given(st.text(), st.text())
def test_nothing_leaves_its_place(namespace: str, name: str) -> None:
    try:
        path = object_path("v1", "ConfigMap", namespace, name)
    except ApiError:
        return
    assert path.isascii()
    assert path.isprintable()
    segments = path.split("/")
    assert len(segments) == 7
    assert not {"", ".", ".."} & set(segments[1:])
    assert not set(path) & set("?#\\ ")


# -- the real one


class _Named(msgspec.Struct, frozen=True):
    group_version: str
    kind: str
    namespace: str = "default"
    name: str = "a"


def discovered(cluster: Cluster) -> dict[tuple[str, str], Resource]:
    """Every kind of every group, the group by its name."""
    roots = {"": ["/api/v1"]}
    for group in cluster.api.get("/apis")["groups"]:
        roots[group["name"]] = [f"/apis/{version['groupVersion']}" for version in group["versions"]]
    return {
        (group, one["kind"]): Resource(one["name"], one["namespaced"])
        for group, every in roots.items()
        for root in every
        for one in cluster.api.get(root)["resources"]
        if "/" not in one["name"]
    }


def test_the_table_is_what_the_server_says(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    said = discovered(cluster)
    ours = {key: resource for key, resource in paths._TABLE.items() if key in said}
    assert ours == {key: said[key] for key in ours}
    assert len(ours) >= 40
    assert {group for group, _ in paths._TABLE} - {group for group, _ in ours} <= {
        *("gateway.networking.k8s.io", "monitoring.coreos.com", "networking.istio.io", "networking.higress.io")
    }


async def test_other_kinds_are_asked_for_once(cluster: Cluster) -> None:
    async with await connect(str(cluster.admin_kubeconfig)) as client:
        asked: list[str] = []
        everywhere = Paths(_Counting(client, asked))  # type: ignore[arg-type]
        for _ in range(2):
            path = await everywhere.object(_Named("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"))
            assert path == "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/a"
        assert json.loads(await client.get(await everywhere.collection("v1", "Secret", "default")))["kind"]
        assert asked == ["/apis/flowcontrol.apiserver.k8s.io/v1"]
        for group_version in ("flowcontrol.apiserver.k8s.io/v1", "nobody.example.com/v1", "v1"):
            with pytest.raises(ApiError, match="has no kind 'Nothing'") as missing:
                await everywhere.object(_Named(group_version, "Nothing"))
            assert (missing.value.status, missing.value.reason) == (404, "NoKind")
        with pytest.raises(ApiError, match="no API version"):
            await everywhere.object(_Named("../v1", "Nothing"))
        asked.clear()
        assert await everywhere.is_served("v1", "Secret")
        assert not await everywhere.is_served("v1", "Deployment")
        assert asked == ["/api/v1", "/api/v1"]


class _Counting:
    def __init__(self, client: ClusterClient, asked: list[str]) -> None:
        self._client = client
        self._asked = asked

    async def get(self, path: str) -> bytes:
        self._asked.append(path)
        return await self._client.get(path)


def test_known() -> None:
    assert known("autoscaling/v2", "HorizontalPodAutoscaler") == Resource("horizontalpodautoscalers", True)
