"""Tenants, their gateways' accounts and their admins have rights in their own namespace only, and few there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entryproxy.provision.rules import CLUSTER_RIGHTS
from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster, CommandError
from tests.cluster.provision.place import Place

GUARDED, CURIOUS = TENANTS = ("guarded", "curious")
OWN = f"{CURIOUS}-gateway"
READS = ("get", "list", "watch")
WRITES = ("create", "update", "patch", "delete", "deletecollection")
BASICS = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
        ("authorization.k8s.io", "selfsubjectrulesreviews", "create"),
        ("authentication.k8s.io", "selfsubjectreviews", "create"),
    }
)
"""What everybody may: ask who one is, and what one may."""
CLUSTER_WIDE = frozenset((group, resource, verb) for group, resource, verbs in CLUSTER_RIGHTS for verb in verbs)
Right = tuple[str, str, str]
"""Group, resource with subresource, verb."""

pytestmark = pytest.mark.usefixtures("tenants")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """Somebody as RBAC knows them."""

    user: str
    group: str = ""

    @property
    def options(self) -> list[str]:
        """For kubectl."""
        return ["--as", self.user, *(["--as-group", self.group] if self.group else [])]


ADMIN = Subject(f"{CURIOUS}-admin")
ADMINS = (
    ADMIN,
    Subject("anybody", group=f"{CURIOUS}-admins"),
    Subject(f"system:serviceaccount:{CURIOUS}-tools:deployer"),
)


@pytest.fixture(scope="module")
def foreign(place: Place) -> tuple[str, ...]:
    """Namespaces that are not tenant `curious`'s: the other tenant's, the entry's and the cluster's."""
    return (f"{GUARDED}-gateway", place.namespace, "kube-system")


@pytest.fixture(scope="module")
def tenants(place: Place, kubelet: object, defined: Cluster) -> Iterator[None]:
    """Both are ready, with all that an admin might like to change."""
    with place.controlled():
        for tenant in TENANTS:
            admins = [f"user:{tenant}-admin", f"group:{tenant}-admins", f"serviceaccount:{tenant}-tools/deployer"]
            place.provision(
                tenant,
                release={"profile": "dev"},
                namespace={"quota": {"cpu": "8", "memory": "16Gi"}, "admins": admins},
            )
        for tenant in TENANTS:
            place.wait_for(tenant, "Ready")
        yield


@pytest.fixture(scope="module")
def accounts(cluster: Cluster, tenants: None) -> list[Subject]:
    """Of the tenant's namespace: its gateway's, its controller's, and the one of all other pods."""
    items = cluster.api.get(f"/api/v1/namespaces/{OWN}/serviceaccounts")["items"]
    names = {one["metadata"]["name"] for one in items}
    assert names >= {"default", "higress-controller", "higress-gateway"}
    return [Subject(f"system:serviceaccount:{OWN}:{name}") for name in sorted(names)]


@pytest.fixture(scope="module")
def admin(cluster: Cluster, tenants: None) -> Path:
    """A kubeconfig of the tenant's admin."""
    return cluster.client_certificate_kubeconfig(ADMIN.user)


def rights(cluster: Cluster, subject: Subject, namespace: str) -> frozenset[Right]:
    """All that somebody may do in a namespace, as the API server says itself."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    command = ("create", "--validate=false", "--filename", "-", "--output", "json")
    answer = cluster.kubectl(*command, *subject.options, input=json.dumps(review))
    status = json.loads(answer)["status"]
    assert not status["incomplete"]
    return frozenset(
        (group, resource, verb)
        for rule in status["resourceRules"]
        for group in rule.get("apiGroups") or ("",)
        for resource in rule.get("resources") or ()
        for verb in rule["verbs"]
    )


def can(cluster: Cluster, subject: Subject, namespace: str, verb: str, resource: str) -> bool:
    """What `kubectl auth can-i` says. resource: it would take "pods/exec" for a pod called exec."""
    resource, _, subresource = resource.partition("/")
    scope = ["--namespace", namespace, *(["--subresource", subresource] if subresource else [])]
    try:
        answer = cluster.kubectl("auth", "can-i", verb, resource, *scope, *subject.options)
    except CommandError:  # it ends with 1 for a no
        return False
    assert answer.strip() == "yes"
    return True


def refused(cluster: Cluster, kubeconfig: Path, *arguments: str, text: str | None = None) -> str:
    """Why the API server doesn't do what the admin wants of the own namespace."""
    with pytest.raises(CommandError) as raised:
        cluster.kubectl(*arguments, "--namespace", OWN, input=text, kubeconfig=kubeconfig)
    return str(raised.value)


# -- other namespaces


def test_admins_have_no_rights_elsewhere(cluster: Cluster, foreign: tuple[str, ...]) -> None:
    for subject in ADMINS:
        for namespace in foreign:
            assert rights(cluster, subject, namespace) <= BASICS, (subject, namespace)


def test_accounts_have_no_rights_elsewhere_but_on_objects_of_the_whole_cluster(
    cluster: Cluster, foreign: tuple[str, ...], accounts: list[Subject]
) -> None:
    for subject in accounts:
        for namespace in foreign:
            assert rights(cluster, subject, namespace) <= BASICS | CLUSTER_WIDE, (subject, namespace)


@pytest.mark.parametrize(
    "resource", ["secrets", "configmaps", "pods", "ingresses.networking.k8s.io", "wasmplugins.extensions.higress.io"]
)
def test_kubectl_says_the_same(
    cluster: Cluster, foreign: tuple[str, ...], accounts: list[Subject], resource: str
) -> None:
    (controller,) = (one for one in accounts if one.user.endswith(":higress-controller"))
    assert can(cluster, controller, OWN, "list", "secrets")
    for subject in (controller, ADMIN):
        for namespace in foreign:
            assert not can(cluster, subject, namespace, "list", resource), (subject, namespace)


def test_with_the_accounts_own_tokens(cluster: Cluster, foreign: tuple[str, ...]) -> None:
    """Not a question but requests, of those who have rights at home; one for all namespaces is one for the others'."""
    paths = [
        collection.format(f"namespaces/{namespace}/")
        for collection in (
            "/api/v1/{}secrets",
            "/api/v1/{}configmaps",
            "/api/v1/{}pods",
            "/apis/networking.k8s.io/v1/{}ingresses",
            "/apis/extensions.higress.io/v1alpha1/{}wasmplugins",
        )
        for namespace in foreign
    ]
    everywhere = ["/api/v1/secrets", "/api/v1/configmaps", "/apis/networking.k8s.io/v1/ingresses"]
    account = cluster.service_account_kubeconfig(OWN, "higress-controller")
    api = Api(cluster.url, cluster.authority.context(), account.token_file.read_text())
    assert api.get(f"/api/v1/namespaces/{OWN}/configmaps")["items"]
    for path in (*paths, *everywhere):
        for request in (path, f"{path}?watch=1&timeoutSeconds=1", f"{path}?limit=1"):
            with pytest.raises(ApiError) as raised:
                api.raw("GET", request)
            assert raised.value.status == 403, request


# -- their own


def test_what_admins_may_do_at_home(cluster: Cluster) -> None:
    """The same for each kind of subject: see everything but Secrets, and change what configures the gateway."""
    first, *others = [rights(cluster, subject, OWN) for subject in ADMINS]
    assert all(one == first for one in others)
    written = {(group, resource) for group, resource, verb in first - BASICS if verb not in READS}
    assert written == {
        ("", "configmaps"),
        ("", "services"),
        ("networking.k8s.io", "ingresses"),
        ("extensions.higress.io", "wasmplugins"),
        ("networking.higress.io", "http2rpcs"),
        ("networking.higress.io", "mcpbridges"),
    }
    assert {("", "pods/log", "get"), ("", "resourcequotas", "list"), ("apps", "deployments", "watch")} <= first
    assert not any("*" in right for right in first)


@pytest.mark.parametrize("verb", [*READS, *WRITES])
def test_admins_have_nothing_to_do_with_secrets(cluster: Cluster, verb: str) -> None:
    assert not can(cluster, ADMIN, OWN, verb, "secrets")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("create", "pods"),
        ("create", "pods/exec"),
        ("get", "pods/exec"),
        ("create", "pods/attach"),
        ("create", "pods/portforward"),
        ("create", "pods/ephemeralcontainers"),
        ("create", "deployments.apps"),
        ("patch", "deployments.apps"),
        ("update", "deployments.apps/scale"),
        ("create", "jobs.batch"),
        ("create", "serviceaccounts/token"),
        ("impersonate", "serviceaccounts"),
        ("create", "roles.rbac.authorization.k8s.io"),
        ("escalate", "roles.rbac.authorization.k8s.io"),
        ("bind", "roles.rbac.authorization.k8s.io"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("patch", "namespaces"),
        ("patch", "resourcequotas"),
        ("delete", "limitranges"),
        ("patch", "networkpolicies.networking.k8s.io"),
        ("create", "networkpolicies.networking.k8s.io"),
        ("create", "envoyfilters.networking.istio.io"),
    ],
)
def test_admins_get_no_further(cluster: Cluster, verb: str, resource: str) -> None:
    assert can(cluster, ADMIN, OWN, "get", "pods/log")
    assert not can(cluster, ADMIN, OWN, verb, resource)


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "secrets"),
        ("create", "secret", "generic", "mine"),
        ("run", "mine", "--image", "busybox"),
        ("create", "deployment", "mine", "--image", "busybox"),
        ("scale", "deployment", "higress-gateway", "--replicas", "9"),
        ("create", "role", "mine", "--verb", "get", "--resource", "secrets"),
        ("create", "rolebinding", "mine", "--clusterrole", "cluster-admin", "--user", "curious-admin"),
        ("create", "token", "higress-controller"),
        ("label", "namespace", OWN, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"),
        ("patch", "resourcequota", "entryproxy", "--patch", '{"spec": {"hard": {"requests.cpu": "800"}}}'),
        ("delete", "networkpolicy", "entryproxy-namespace"),
        ("get", "configmaps", "--as", "guarded-admin"),
    ],
)
def test_admins_are_refused(cluster: Cluster, admin: Path, arguments: tuple[str, ...]) -> None:
    assert "forbidden" in refused(cluster, admin, *arguments).lower()


def test_admins_configure_their_gateway(cluster: Cluster, admin: Path) -> None:
    documents: list[dict[str, Any]] = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "spec": {
                "ingressClassName": CURIOUS,
                "defaultBackend": {"service": {"name": "app", "port": {"number": 80}}},
            },
        },
        {
            "apiVersion": "networking.higress.io/v1",
            "kind": "McpBridge",
            "spec": {"registries": [{"name": "app", "type": "static", "domain": "192.0.2.1:80", "port": 80}]},
        },
        {"apiVersion": "extensions.higress.io/v1alpha1", "kind": "WasmPlugin", "spec": {"url": "oci://example/x:1"}},
    ]
    for one in documents:
        text = json.dumps({**one, "metadata": {"name": "mine"}})
        for verb in ("create", "apply", "delete"):
            cluster.kubectl(verb, "--namespace", OWN, "--filename", "-", input=text, kubeconfig=admin)
    assert "higress-gateway" in cluster.kubectl("get", "deployments", "--namespace", OWN, kubeconfig=admin)


# -- what holds for everybody


@pytest.mark.parametrize(
    "spec",
    [{"hostNetwork": True}, {"hostPID": True}, {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}],
)
def test_pods_keep_to_themselves(cluster: Cluster, spec: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="violates PodSecurity") as raised:
        cluster.api.post(f"/api/v1/namespaces/{OWN}/pods?dryRun=All", pod(**spec))
    assert raised.value.status == 403


def test_privileged_pods_are_refused_and_others_are_not(cluster: Cluster) -> None:
    path = f"/api/v1/namespaces/{OWN}/pods?dryRun=All"
    assert cluster.api.post(path, pod())["metadata"]["name"] == "intruder"
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.post(path, pod({"privileged": True}))


def test_a_releases_secrets_are_the_controllers_alone(cluster: Cluster) -> None:
    """Whoever writes one chooses what is applied with the controller's rights. The release's controller writes other
    Secrets."""
    account = cluster.service_account_kubeconfig(OWN, "higress-controller")
    api = Api(cluster.url, cluster.authority.context(), account.token_file.read_text())
    path, release = f"/api/v1/namespaces/{OWN}/secrets", f"sh.helm.release.v1.{CURIOUS}.v1"
    forged = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"sh.helm.release.v1.{CURIOUS}.v2"}}
    for method, where, body in (
        ("POST", path, {**forged, "type": "helm.sh/release.v1"}),
        ("POST", path, forged),
        ("PATCH", f"{path}/{release}", {"metadata": {"labels": {"status": "failed"}}}),
        ("DELETE", f"{path}/{release}", None),
    ):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        with pytest.raises(ApiError) as raised:
            api.raw(method, where, body, kind)
        assert raised.value.status in (403, 422), (method, where)
    assert cluster.api.exists(f"{path}/{release}")


def pod(security: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "one", "image": "busybox", "securityContext": security or {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "intruder"},
        "spec": {"containers": [container], **spec},
    }
