"""Where a gateway lives, what its controller may read there, and how a tenant changes its mind about that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL
from entryproxy.provision.objects import POD_SECURITY_LABEL
from tests.cluster.cluster import Cluster
from tests.cluster.provision.conftest import RESYNC_SECONDS
from tests.cluster.provision.kubelet import run_time_objects
from tests.cluster.provision.listing import Identity, list_everything, wait_for_listing
from tests.cluster.provision.place import SECONDS, Place
from tests.cluster.provision.rights import SHARED_NAMESPACES
from tests.cluster.provision.running import RunningController
from tests.e2e.gateways import wait_until

pytestmark = pytest.mark.usefixtures("undisturbed", "kubelet", "controller")

CONTROLLER = "higress-controller"
RELEASE_NAME = "meta.helm.sh/release-name"
READS = ("get", "list", "watch")


@pytest.fixture(scope="module")
def controller(place: Place) -> Iterator[RunningController]:
    """One that lets tenants share and watch what the chart's policies let it write to."""
    namespaces = ",".join(SHARED_NAMESPACES)
    with place.controlled("--resync-seconds", str(RESYNC_SECONDS), "--shared-namespaces", namespaces) as controller:
        yield controller


@pytest.fixture
def shared(cluster: Cluster) -> Iterator[str]:
    """A namespace of which nothing else is left afterwards."""
    yield from _open_namespace(cluster, SHARED_NAMESPACES[0])


@pytest.fixture
def watched(cluster: Cluster) -> Iterator[str]:
    yield from _open_namespace(cluster, SHARED_NAMESPACES[1])


def _open_namespace(cluster: Cluster, name: str) -> Iterator[str]:
    labels = {POD_SECURITY_LABEL: "baseline"}
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield name
    path = f"/api/v1/namespaces/{name}"
    cluster.api.delete(path)
    wait_until(lambda: not cluster.api.exists(path), f"{name} stays", SECONDS)


# -- isolation: class


def test_a_watched_namespace_is_read_and_no_other(place: Place, cluster: Cluster, watched: str) -> None:
    other = cluster.new_namespace("other")
    before = list_everything(cluster)
    values = {"global": {"watchNamespace": watched}}
    place.provision("watching", release={"profile": "dev", "isolation": "class", "values": values})
    place.wait_for("watching", "Ready", revision=1)

    own, account = "watching-gateway", f"system:serviceaccount:watching-gateway:{CONTROLLER}"
    assert f"--watchNamespace={watched}" in arguments(cluster, own, CONTROLLER)
    for resource in ("secrets", "ingresses.networking.k8s.io"):
        for verb in READS:
            assert may(cluster, account, verb, resource, watched)
            assert may(cluster, account, verb, resource, own)
            for elsewhere in (other, place.namespace, "kube-system", ""):
                assert not may(cluster, account, verb, resource, elsewhere), (verb, resource, elsewhere)
    assert may(cluster, account, "create", "secrets", own)
    for verb in ("create", "update", "patch", "delete"):
        assert not may(cluster, account, verb, "secrets", watched), verb

    place.remove("configmaps", "watching")
    place.wait_until_gone("watching")
    wait_for_listing(cluster, before, SECONDS)


def may(cluster: Cluster, user: str, verb: str, resource: str, namespace: str) -> bool:
    """namespace: "" for all of them."""
    plural, _, group = resource.partition(".")
    attributes = {"verb": verb, "resource": plural, "group": group, "namespace": namespace}
    group_of_all = "system:serviceaccounts"
    groups = ["system:authenticated", group_of_all, f"{group_of_all}:{user.split(':')[2]}"]
    review = cluster.api.post(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        },
    )
    return bool(review["status"]["allowed"])


def arguments(cluster: Cluster, namespace: str, deployment: str) -> list[str]:
    """Of all containers."""
    found = cluster.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}")
    return [text for one in found["spec"]["template"]["spec"]["containers"] for text in one.get("args", ())]


# -- isolation: shared


def test_two_share_a_namespace_and_leave_it_one_by_one(place: Place, cluster: Cluster, shared: str) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": shared}}
    cluster.api.create(theirs)
    before = list_everything(cluster)
    for tenant in ("elder", "younger"):
        share(place, tenant, shared)
        place.wait_for(tenant, "Ready", revision=1)

    assert owner_of_config(cluster, shared) == "elder"
    names = {name for kind, where, name in list_everything(cluster) if (kind, where) == ("Deployment.apps", shared)}
    assert names == {f"{tenant}-{part}" for tenant in ("elder", "younger") for part in ("gateway", "controller")}
    first, second = (place.values(tenant, shared) for tenant in ("elder", "younger"))
    assert first["global"]["ingressClass"] != second["global"]["ingressClass"]
    assert {first["gateway"][key] for key in PORTS}.isdisjoint(second["gateway"][key] for key in PORTS)
    assert not place.manifest("elder", shared) & place.manifest("younger", shared)

    place.remove("configmaps", "elder")
    place.wait_until_gone("elder")
    wait_until(lambda: owner_of_config(cluster, shared) == "younger", "higress-config has no owner", SECONDS)
    place.wait_for("younger", "Ready", revision=2)
    assert {tenant: place.history(tenant, shared) for tenant in ("elder", "younger")} == {
        "elder": [],
        "younger": [(1, "superseded"), (2, "deployed")],
    }

    place.remove("configmaps", "younger")
    place.wait_until_gone("younger")
    made_at_run_time = {kind_of(one) for one in run_time_objects(shared)}
    wait_for_listing(cluster, before | made_at_run_time, SECONDS)


PORTS = ("httpPort", "httpsPort")


def share(place: Place, tenant: str, namespace: str) -> None:
    place.provision(
        tenant,
        gateway={"namespace": namespace, "service": f"{tenant}-gateway"},
        release={"profile": "dev", "isolation": "shared"},
    )


def test_only_what_the_operator_opened_is_shared(place: Place, cluster: Cluster) -> None:
    closed = cluster.new_namespace("closed")
    before = list_everything(cluster)
    share(place, "intruding", closed)
    refused = place.wait_for("intruding", "Failed")
    assert (refused.reason, refused.message.partition(":")[0]) == ("NamespaceNotShared", "gateway.namespace")
    place.remove("configmaps", "intruding")
    place.wait_until_gone("intruding")
    assert list_everything(cluster) == before


def test_where_pods_may_be_privileged_nothing_is_shared(place: Place, cluster: Cluster, shared: str) -> None:
    cluster.kubectl("label", "namespace", shared, f"{POD_SECURITY_LABEL}-")
    before = list_everything(cluster)
    share(place, "rooted", shared)
    refused = place.wait_for("rooted", "Failed")
    assert (refused.reason, refused.message.partition(":")[0]) == ("NamespaceUnfenced", "gateway.namespace")
    assert list_everything(cluster) == before | {("ConfigMap", place.namespace, "rooted")}
    command = refused.message.partition("kubectl ")[2]
    cluster.kubectl(*command.split())
    place.wait_for("rooted", "Ready", revision=1)
    place.remove("configmaps", "rooted")
    place.wait_until_gone("rooted")


def owner_of_config(cluster: Cluster, namespace: str) -> str:
    """The release that has `higress-config`, "" for none."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/higress-config"
    if not cluster.api.exists(path):
        return ""
    return str(cluster.api.get(path)["metadata"]["annotations"][RELEASE_NAME])


def kind_of(document: Any) -> Identity:
    group = document["apiVersion"].rpartition("/")[0]
    metadata = document["metadata"]
    return f"{document['kind']}.{group}".rstrip("."), metadata["namespace"], metadata["name"]


# -- changes of mind


def test_a_tenant_that_moves_to_where_it_can_not_be_goes_on_serving(
    place: Place, cluster: Cluster, shared: str
) -> None:
    before = list_everything(cluster)
    ports = {"gateway": {"httpPort": 8181, "httpsPort": 8182}}
    for tenant, there in (("sitting", {"namespace": shared, "service": "sitting-gateway"}), ("drawn", {})):
        isolation = {"isolation": "shared", "values": ports} if there else {}
        place.provision(tenant, gateway=there, release={"profile": "dev", **isolation})
        place.wait_for(tenant, "Ready", revision=1)
    there = {"namespace": shared, "service": "drawn-gateway"}
    place.provision("drawn", gateway=there, release={"profile": "dev", "isolation": "shared", "values": ports})
    refused = place.wait_for("drawn", "Failed")
    assert (refused.reason, refused.revision) == ("PortTaken", 1)
    assert place.history("drawn") == [(1, "deployed")]
    place.remove("configmaps", "sitting", "drawn")
    for tenant in ("sitting", "drawn"):
        place.wait_until_gone(tenant)
    wait_for_listing(cluster, before | {kind_of(one) for one in run_time_objects(shared)}, SECONDS)


def test_a_tenant_moves_to_another_namespace(place: Place, cluster: Cluster) -> None:
    before = list_everything(cluster)
    place.provision("moving")
    place.wait_for("moving", "Ready", revision=1)
    place.provision("moving", gateway={"namespace": "moved-here"})
    wait_until(lambda: namespace_of(place, "moving") == "moved-here", "never there", SECONDS)
    assert place.wait_for("moving", "Ready", revision=1).namespace == "moved-here"
    assert place.history("moving") == []
    assert place.history("moving", "moved-here") == [(1, "deployed")]
    old = "/api/v1/namespaces/moving-gateway"
    wait_until(lambda: not cluster.api.exists(old), "its old namespace stays", SECONDS)
    made = {where for _, where, _ in list_everything(cluster) - before}
    assert made == {"", place.namespace, "moved-here"}
    place.remove("configmaps", "moving")
    place.wait_until_gone("moving")
    wait_for_listing(cluster, before, SECONDS)


def namespace_of(place: Place, tenant: str) -> str:
    """Where its release serves."""
    status = place.status(tenant)
    return status.namespace if status is not None and status.phase == "Ready" else ""


def test_a_tenant_is_handed_over_and_taken_back(place: Place, cluster: Cluster, controller: RunningController) -> None:
    place.provision("handed")
    place.wait_for("handed", "Ready", revision=1)
    before, runs = list_everything(cluster), len(controller.helm.runs())
    place.provision("handed", release={"profile": "dev", "enabled": False})
    wait_until(lambda: is_let_go(place, "handed"), "it isn't let go", SECONDS)
    assert place.status("handed") is None
    assert list_everything(cluster) == before

    policy = "/apis/networking.k8s.io/v1/namespaces/handed-gateway/networkpolicies/entryproxy-gateway"
    cluster.api.delete(policy)
    place.provision("handed")
    wait_until(lambda: cluster.api.exists(policy), "it isn't looked after again", SECONDS)
    place.wait_for("handed", "Ready", revision=1)
    assert FINALIZER in place.cluster.api.get(place.path("configmaps", "handed"))["metadata"]["finalizers"]
    assert list_everything(cluster) == before
    assert len(controller.helm.runs()) == runs
    assert place.history("handed") == [(1, "deployed")]


def test_a_tenant_that_wants_no_release_any_more(place: Place, cluster: Cluster) -> None:
    """It goes on as a tenant, and its document says where its gateway is."""
    before = list_everything(cluster)
    place.provision("retired")
    place.wait_for("retired", "Ready", revision=1)
    document = yaml.safe_dump({"gateway": {"addresses": ["198.51.100.7:80"]}})
    cluster.api.patch(place.path("configmaps", "retired"), {"data": {"tenant.yaml": document}})
    wait_for_listing(cluster, before | {("ConfigMap", place.namespace, "retired")}, SECONDS)
    wait_until(lambda: is_let_go(place, "retired"), "it isn't let go", SECONDS)
    assert place.status("retired") is None


def is_let_go(place: Place, tenant: str) -> bool:
    """Whether its ConfigMap carries nothing of the controller's any more."""
    metadata = place.cluster.api.get(place.path("configmaps", tenant))["metadata"]
    return not metadata.get("finalizers") and PROVISIONED_LABEL not in metadata["labels"]
