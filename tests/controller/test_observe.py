from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from entryproxy.config.manifests import parse_documents
from entryproxy.controller.holders import Holder
from entryproxy.controller.manifests import Manifests
from entryproxy.controller.observe import Observer, Target
from entryproxy.provision.actions import DeleteNamespace, DropFinalizer
from entryproxy.provision.objects import GATEWAY_POLICY
from entryproxy.provision.plan import plan
from entryproxy.provision.state import Observed, Reference
from tests.charts import CUSTOM_RESOURCES
from tests.cluster.cluster import Cluster, CommandError
from tests.controller.installed import (
    CONFIG_MAP,
    GATEWAY,
    RBAC,
    Installed,
    RecordingClient,
    recording_client,
)


@pytest.fixture
def gateway(cluster: Cluster, namespace: str) -> Iterator[Installed]:
    """What a tenant called as the test's namespace would have; nothing is there yet."""
    one = Installed(cluster, namespace)
    yield one
    for kind in ("clusterrole", "clusterrolebinding"):  # a namespace deleted first leaves them
        cluster.kubectl("delete", kind, f"higress-controller-{one.namespace}", "--ignore-not-found")


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[RecordingClient]:
    async with recording_client(cluster) as one:
        yield one


@pytest.fixture
def observer(client: RecordingClient) -> Observer:
    return Observer(client, Manifests(client, parse_documents), entry_namespace="entry")


def target(gateway: Installed, namespace: str = "", **changes: Any) -> Target:
    source = f"entry/{gateway.tenant}"
    holder = Holder(tenant=gateway.tenant, namespace="entry", name=gateway.tenant, uid="")
    one = Target(
        tenant=gateway.tenant,
        desired=gateway.desired(namespace),
        holders=(holder,),
        wanted_source=source,
        last_namespace=gateway.namespace,
        gateway_name=GATEWAY,
    )
    return msgspec.structs.replace(one, **changes)


def reason(wanted: Target, observed: Observed) -> str:
    """What the plan makes of it."""
    return plan(wanted.desired, observed, 0.0).reason


def delete_namespace(cluster: Cluster, name: str) -> None:
    cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout=50s")


async def test_nothing(observer: Observer, gateway: Installed) -> None:
    assert await observer.observe(target(gateway)) == Observed(has_finalizer=True)
    assert await observer.observe(Target(tenant=gateway.tenant)) == Observed()


async def test_a_tenant_from_its_objects_to_its_gateway(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    wanted = target(gateway)
    await gateway.make_objects(client, gateway.desired())
    seen = await observer.observe(wanted)
    assert seen.namespace is not None
    assert seen.namespace.is_ours
    assert {one.reference.kind for one in seen.objects} == {
        *("ResourceQuota", "LimitRange", "NetworkPolicy", "Role", "RoleBinding")
    }
    assert all(one.is_ours and one.digest and not one.is_changed for one in (seen.namespace, *seen.objects))
    assert seen.revisions == ()
    assert reason(wanted, seen) == "Installing"

    cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)  # nobody counts here
    gateway.install()
    seen = await observer.observe(wanted)
    assert [(one.number, one.status, one.digest) for one in seen.revisions] == [(1, "deployed", "D1")]
    assert (seen.release_name, seen.release_namespace) == (gateway.tenant, gateway.namespace)
    assert (seen.is_gateway_ready, seen.missing) == (False, ())
    gateway.make_ready()
    seen = await observer.observe(wanted)
    assert seen.is_gateway_ready
    assert reason(wanted, seen) == "Repairing"  # the quota that was deleted
    assert not (await observer.observe(target(gateway, gateway_name="other"))).is_gateway_ready
    refused = await observer.observe(target(gateway, desired=None))
    assert refused.is_gateway_ready
    assert (refused.release_namespace, refused.revisions) == (gateway.namespace, seen.revisions)
    refused = await observer.observe(target(gateway, desired=None, last_namespace=""))
    assert (refused.is_gateway_ready, refused.leftovers) == (False, ())


async def test_a_second_look_at_what_has_not_changed_tries_nothing(
    gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    await gateway.make_objects(client, gateway.desired())
    wanted = target(gateway)
    gateway.cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)
    gateway.install()
    await gateway.wait_for_status()
    first = await observer.observe(wanted)
    assert len(client.tried) > len(first.objects)
    client.clear()
    assert await observer.observe(wanted) == first
    assert client.tried == []
    assert client.read == [gateway.deployment()]
    observer.forget(gateway.tenant)
    await observer.observe(wanted)
    assert len(client.tried) > len(first.objects)


async def test_drift(cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer) -> None:
    await gateway.make_objects(client, gateway.desired())
    cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)
    gateway.install()
    await observer.observe(target(gateway))
    policy = f"/apis/networking.k8s.io/v1/namespaces/{gateway.namespace}/networkpolicies/{GATEWAY_POLICY}"
    cluster.api.patch(policy, {"spec": {"ingress": [{}]}})
    role = f"/apis/{RBAC}/namespaces/{gateway.namespace}/roles/entryproxy-admin"
    cluster.api.patch(role, {"metadata": {"annotations": {"somebody.example.com/note": "theirs"}}})
    cluster.kubectl("delete", "configmap", CONFIG_MAP, "--namespace", gateway.namespace)
    seen = await observer.observe(target(gateway))
    changed = [one.reference.name for one in seen.objects if one.is_changed]
    assert changed == [GATEWAY_POLICY]
    assert seen.missing == (gateway.reference("v1", "ConfigMap", CONFIG_MAP),)
    assert [
        one.reference.name for one in (await observer.observe(target(gateway))).objects if one.is_changed
    ] == changed
    await gateway.make_objects(client, gateway.desired())
    assert not any(one.is_changed for one in (await observer.observe(target(gateway))).objects)


async def test_what_somebody_else_made_is_not_ours(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    wanted, metadata = target(gateway), {"name": "entryproxy", "namespace": gateway.namespace}
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": gateway.namespace}})
    cluster.api.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {}})
    seen = await observer.observe(wanted)
    assert seen.namespace is not None
    assert not seen.namespace.is_ours
    assert [(one.reference.kind, one.is_ours) for one in seen.objects] == [("ResourceQuota", False)]
    assert reason(wanted, seen) == "NotOurs"
    label = {"app.kubernetes.io/managed-by": "entryproxy", "entryproxy.higress.io/owner": "somebody-else"}
    cluster.api.patch(f"/api/v1/namespaces/{gateway.namespace}", {"metadata": {"labels": label}})
    seen = await observer.observe(wanted)
    assert seen.namespace is not None
    assert not seen.namespace.is_ours


async def test_a_release_that_somebody_else_made(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    wanted = target(gateway)
    await gateway.make_objects(client, gateway.desired())
    gateway.install(digest="")
    cluster.kubectl("delete", "ingressclass", gateway.tenant)
    seen = await observer.observe(wanted)
    assert [(one.number, one.digest) for one in seen.revisions] == [(1, "")]
    assert seen.missing == ()
    assert reason(wanted, seen) == "NotOurs"


@pytest.mark.parametrize("name", ["", "console"])
async def test_a_namespace_with_a_release_of_somebody_else_stays(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer, namespace: str, name: str
) -> None:
    """Whatever its name, when the tenant is taken away as well as when it moves."""
    await gateway.make_objects(client, gateway.desired())
    theirs = Installed(cluster, name or gateway.tenant)
    theirs.install(gateway.namespace, digest="")
    going = target(gateway, desired=None, wanted_source="", is_removed=True, is_withdrawn=True)
    removal = plan(None, await observer.observe(going), 0.0)
    assert removal.reason == "DeletingObjects"
    assert not any(isinstance(action, DeleteNamespace) for action in removal.actions)
    moved = target(gateway, f"{namespace}-anew")
    seen = await observer.observe(moved)
    assert seen.inhabited == {gateway.namespace}
    assert not any(isinstance(action, DeleteNamespace) for action in plan(moved.desired, seen, 0.0).actions)


async def test_shared_namespace(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer, namespace: str
) -> None:
    """It is there and not ours; our policy in it is."""
    desired = gateway.desired(namespace, "shared")
    await gateway.make_objects(client, desired)
    wanted = target(gateway, desired=desired, last_namespace=namespace)
    seen = await observer.observe(wanted)
    assert seen.namespace is not None
    assert (seen.namespace.reference.name, seen.namespace.is_ours) == (namespace, False)
    assert [(one.reference.name, one.is_ours) for one in seen.objects] == [(f"{GATEWAY_POLICY}-{namespace}", True)]
    assert reason(wanted, seen) == "Installing"


async def test_a_pending_revision(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    """Labels are enough for that, and nothing is repaired under it."""
    await gateway.make_objects(client, gateway.desired())
    metadata = {
        "name": f"sh.helm.release.v1.{gateway.tenant}.v1",
        "namespace": gateway.namespace,
        "labels": {
            "owner": "helm",
            "name": gateway.tenant,
            "version": "1",
            "status": "pending-install",
            "entryproxy.higress.io/digest": "D1",
        },
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "helm.sh/release.v1"}
    cluster.api.create(secret)
    seen = await observer.observe(target(gateway))
    assert [one.status for one in seen.revisions] == ["pending-install"]
    assert seen.missing == ()
    assert reason(target(gateway), seen) == "InterruptedInstall"


async def test_a_failed_upgrade_repairs_nothing(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    await gateway.make_objects(client, gateway.desired())
    gateway.install()
    with pytest.raises(CommandError):
        gateway.install("", "gateway.replicas=many", digest="D2")
    cluster.kubectl("delete", "ingressclass", gateway.tenant)
    seen = await observer.observe(target(gateway))
    assert [one.status for one in seen.revisions] == ["deployed", "failed"]
    assert seen.missing == ()


async def test_a_tenant_that_moved_has_its_old_release_seen_first(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    await gateway.make_objects(client, gateway.desired())
    cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)
    gateway.install()
    wanted = target(gateway, "elsewhere", last_namespace="")
    seen = await observer.observe(wanted)
    assert seen.namespace is None
    assert (seen.release_namespace, len(seen.revisions)) == (gateway.namespace, 1)
    assert (seen.missing, seen.is_gateway_ready) == ((), False)
    old = [one for one in seen.objects if one.reference.kind == "Namespace"]
    assert [(one.reference.name, one.is_ours) for one in old] == [(gateway.namespace, True)]
    cluster.helm("uninstall", gateway.tenant, "--namespace", gateway.namespace)
    seen = await observer.observe(wanted)
    assert (seen.release_namespace, seen.revisions) == ("", ())


async def test_a_release_elsewhere_that_only_says_it_is_the_tenants(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer, namespace: str
) -> None:
    """Whoever may write Secrets somewhere could else have Helm delete what they like."""
    labels = {"owner": "helm", "name": gateway.tenant, "version": "1", "status": "deployed"}
    labels["entryproxy.higress.io/digest"] = "D1"
    for place in (namespace, gateway.namespace):
        if place != namespace:
            cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
        metadata = {"name": f"sh.helm.release.v1.{gateway.tenant}.v1", "namespace": place, "labels": labels}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "helm.sh/release.v1"}
        cluster.api.create(secret)
    seen = await observer.observe(target(gateway, "elsewhere", last_namespace=""))
    assert (seen.release_namespace, seen.revisions) == ("", ())
    seen = await observer.observe(Target(tenant=gateway.tenant, is_removed=True))
    assert (seen.release_namespace, seen.revisions) == ("", ())


async def test_a_status_is_no_proof_that_a_release_is_the_tenants(
    client: RecordingClient, gateway: Installed, namespace: str
) -> None:
    """Whoever forges both, its Secrets where they may write some and the annotation, would have Helm act on them."""
    gateway.install(namespace)
    going = target(gateway, desired=None, wanted_source="", last_namespace=namespace, is_removed=True)
    for shared, is_found in (((), False), ((namespace,), True)):
        manifests = Manifests(client, parse_documents)
        observer = Observer(client, manifests, entry_namespace="entry", shared_namespaces=shared)
        seen = await observer.observe(going)
        assert bool(seen.revisions) is is_found
        assert seen.leftovers == ()


async def test_where_the_successor_goes_nothing_is_removed(
    gateway: Installed, observer: Observer, namespace: str
) -> None:
    """A tenant is wanted by another ConfigMap, in a namespace that has never been ours."""
    gateway.install(namespace)
    going = target(gateway, namespace, last_namespace="", is_removed=True, is_withdrawn=True)
    seen = await observer.observe(going)
    assert seen.revisions == ()
    assert plan(going.desired, seen, 0.0).actions == (DropFinalizer(),)


async def test_removal_to_the_end(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    """Without a wish any more: everything is found by our marks."""
    await gateway.make_objects(client, gateway.desired())
    cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)
    gateway.install()
    going = target(gateway, desired=None, wanted_source="", last_namespace="", is_removed=True, is_withdrawn=True)
    seen = await observer.observe(going)
    assert seen.namespace is not None
    assert (seen.namespace.is_ours, seen.has_finalizer, seen.is_withdrawn) == (True, True, True)
    assert (seen.release_name, seen.release_namespace) == (gateway.tenant, gateway.namespace)
    assert (seen.leftovers, reason(going, seen)) == ((), "Uninstalling")
    cluster.helm("uninstall", gateway.tenant, "--namespace", gateway.namespace)
    seen = await observer.observe(going)
    assert (seen.revisions, seen.leftovers, reason(going, seen)) == ((), (), "DeletingNamespace")
    delete_namespace(cluster, gateway.namespace)
    seen = await observer.observe(going)
    assert (seen.namespace, seen.objects, reason(going, seen)) == (None, (), "Removed")


async def test_what_a_namespace_that_was_deleted_first_has_left(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer, namespace: str
) -> None:
    await gateway.make_objects(client, gateway.desired())
    cluster.kubectl("delete", "resourcequota", "entryproxy", "--namespace", gateway.namespace)
    gateway.install()
    other = Installed(cluster, f"{namespace}-other")
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other.namespace}})
    other.install()
    delete_namespace(cluster, gateway.namespace)
    going = target(gateway, desired=None, wanted_source="", last_namespace="", is_removed=True, is_withdrawn=True)
    seen = await observer.observe(going)
    assert set(seen.leftovers) >= {
        *(gateway.cluster_role, gateway.ingress_class),
        Reference(RBAC, "ClusterRoleBinding", "", gateway.cluster_role.name),
    }
    assert not {other.cluster_role, other.ingress_class} & set(seen.leftovers)
    assert reason(going, seen) == "DeletingObjects"
    for each in seen.leftovers:
        cluster.kubectl("delete", each.kind, each.name)
    assert (await observer.observe(going)).leftovers == ()
    assert other.exists(other.cluster_role)


async def test_leftovers_in_a_namespace_that_is_not_ours(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer, namespace: str
) -> None:
    """The history was deleted by hand, two tenants share the namespace: one's objects are found, the other's not."""
    gateway.namespace = namespace
    gateway.install()
    neighbour = Installed(cluster, f"{namespace}-other")
    cluster.kubectl("create", "configmap", "neighbour", "--namespace", namespace)
    marks = {"meta.helm.sh/release-name": neighbour.tenant, "meta.helm.sh/release-namespace": namespace}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    path = f"/api/v1/namespaces/{namespace}/configmaps/neighbour"
    cluster.api.patch(path, {"metadata": {"labels": labels, "annotations": marks}})
    manifest = cluster.helm("get", "manifest", gateway.tenant, "--namespace", namespace)
    cluster.kubectl("delete", "secret", "--selector=owner=helm", "--namespace", namespace)
    going = target(gateway, desired=None, wanted_source="", is_removed=True, is_withdrawn=True)
    seen = await observer.observe(going)
    assert seen.namespace is not None
    assert not seen.namespace.is_ours
    made = {(one["kind"], one["metadata"]["name"]) for one in parse_documents(manifest) if one}  # type: ignore[index]
    assert {(one.kind, one.name) for one in seen.leftovers} == made


async def test_definitions(cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer) -> None:
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    listed = json.loads(cluster.kubectl("get", "crd", "--output=json"))["items"]
    there = {one["metadata"]["name"] for one in listed}
    definitions = tuple({"metadata": {"name": name}} for name in (*there, "things.none.example.com"))
    desired = msgspec.structs.replace(gateway.desired(), definitions=definitions)
    assert (await observer.observe(target(gateway, desired=desired))).definitions == there
    client.clear()
    assert (await observer.observe(target(gateway, desired=desired))).definitions == there
    assert sum("customresourcedefinitions" in path for path in client.listed) == 1  # for the one that isn't there


async def test_something_that_is_being_deleted(
    cluster: Cluster, gateway: Installed, client: RecordingClient, observer: Observer
) -> None:
    await gateway.make_objects(client, gateway.desired())
    config = {"name": "held", "namespace": gateway.namespace, "finalizers": ["example.com/held"]}
    cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": config})
    cluster.kubectl("delete", "namespace", gateway.namespace, "--wait=false")
    seen = await observer.observe(target(gateway))
    assert seen.namespace is not None
    assert seen.namespace.is_deleting
    assert reason(target(gateway), seen) == "WaitingForRemoval"
    cluster.api.patch(gateway.path("configmaps", "held"), {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("held", "wanted", "is_removed", "expected"),
    [
        ("", "entry/a", False, False),
        ("a", "entry/a", False, True),
        ("b", "entry/a", False, False),
        ("b", "entry/a", True, True),
        ("b", "", False, True),
        ("", "", True, True),
    ],
)
def test_whose_finalizer_counts(held: str, wanted: str, is_removed: bool, expected: bool) -> None:
    """The wanted ConfigMap must have its own before anything is written for it. In the end the label goes, too."""
    holders = tuple(
        Holder(tenant="acme", namespace="entry", name=name, uid="", has_finalizer=name == held) for name in ("a", "b")
    )
    one = Target(tenant="acme", holders=holders, wanted_source=wanted, is_removed=is_removed)
    assert one.has_finalizer is expected
