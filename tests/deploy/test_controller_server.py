"""The controller's part of the chart against a real API server: its rights, and what its policies refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from entryproxy.model.objects import STATUS_ANNOTATION, TENANT_LABEL
from entryproxy.provision.narrowing import narrow
from entryproxy.provision.state import Rendering
from tests.charts import SMALL, chart
from tests.cluster.api import ApiError
from tests.cluster.cluster import Account, Cluster, CommandError
from tests.deploy.chart import CONTROLLER, CONTROLLER_EVERYTHING, helm, one, render, template
from tests.deploy.test_controller import controller_objects, pod_spec
from tests.deploy.test_server import dry_run_pod
from tests.e2e.gateways import wait_until
from tests.support import require_tool

OURS = {"app.kubernetes.io/managed-by": "entryproxy", "entryproxy.higress.io/owner": "tenant1"}
SHARED = "small"


@pytest.mark.parametrize("values", [CONTROLLER, CONTROLLER_EVERYTHING], ids=["defaults", "everything"])
def test_the_api_server_takes_the_chart(prepared: Cluster, values: dict[str, Any]) -> None:
    answer = prepared.kubectl("apply", "--dry-run=server", "--filename", "-", input=template(values))
    assert len(answer.splitlines()) == len(render(values))


@pytest.mark.parametrize("values", [CONTROLLER, CONTROLLER_EVERYTHING], ids=["defaults", "everything"])
def test_pods_are_allowed_where_restricted_is_enforced(
    cluster: Cluster, namespace: str, values: dict[str, Any]
) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("create", "serviceaccount", "entryproxy-controller", "--namespace", namespace)
    spec = {**pod_spec(controller_objects(render(values)))}
    spec.pop("priorityClassName", None)  # the API server has given it a number by then
    assert dry_run_pod(cluster, namespace, spec)["spec"]["securityContext"]["runAsNonRoot"] is True


# -- an installation


class Installation:
    """The controller's account, rights and policies in a namespace of their own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.namespace = cluster.new_namespace()
        kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
        kinds += ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        values = {"controller": {"enabled": True, "sharedNamespaces": [SHARED]}}
        rendered = [each for each in yaml.safe_load_all(template(values, namespace=self.namespace)) if each]
        self.objects = [each for each in controller_objects(rendered) if each["kind"] in kinds]
        self.manifests = "\n".join(json.dumps(each) for each in self.objects)
        cluster.kubectl("apply", "--filename", "-", input=self.manifests)
        self.account: Account = cluster.service_account_kubeconfig(self.namespace, "entryproxy-controller")
        wait_until(self._policies_are_in_force, "policies aren't in force")

    def remove(self) -> None:
        self.cluster.kubectl("delete", "--wait=false", "--filename", "-", input=self.manifests)

    def kubectl(self, *arguments: str, document: str | None = None) -> str:
        """As the controller."""
        return self.cluster.kubectl(*arguments, input=document, kubeconfig=self.account.kubeconfig)

    def tenant_namespace(self, name: str) -> str:
        """Made as the controller makes it."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": OURS}}
        self.kubectl("apply", "--server-side", "--filename", "-", document=json.dumps(namespace))
        return name

    def tenant_account(self, namespace: str) -> Account:
        """An account in there that may do everything in there, as a release's controller nearly can."""
        account = self.cluster.service_account_kubeconfig(namespace, "higress-controller")
        where = ("--namespace", namespace)
        self.cluster.kubectl("create", "rolebinding", "all", "--clusterrole=admin", f"--user={account.user}", *where)
        return account

    def _policies_are_in_force(self) -> bool:
        try:
            self.kubectl("create", "configmap", "probe", "--namespace", "default", "--dry-run=server")
        except CommandError as error:
            return "not to the platform's" in str(error)
        return False


@pytest.fixture(scope="module")
def installation(prepared: Cluster) -> Iterator[Installation]:
    installed = Installation(prepared)
    yield installed
    installed.remove()  # other tests have accounts of their own


@pytest.fixture(scope="module")
def gateway(installation: Installation) -> str:
    """A tenant's namespace."""
    return installation.tenant_namespace(f"{installation.namespace}-gateway")


@pytest.fixture(scope="module")
def shared(installation: Installation) -> Iterator[str]:
    """A namespace of `isolation: shared`."""
    installation.cluster.kubectl("create", "namespace", SHARED)
    yield SHARED
    installation.cluster.kubectl("delete", "namespace", SHARED, "--wait=false")


@pytest.fixture(scope="module")
def tenant(installation: Installation, gateway: str) -> Account:
    """Who may do everything in there."""
    return installation.tenant_account(gateway)


# -- rights


RBAC, CRD = "rbac.authorization.k8s.io", "apiextensions.k8s.io"
ENTRY, TENANT, CLUSTER = "entry", "tenant", ""
_WRITTEN = [
    ("", "configmaps"),
    ("", "services"),
    ("", "serviceaccounts"),
    ("", "persistentvolumeclaims"),
    ("", "resourcequotas"),
    ("", "limitranges"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("networking.k8s.io", "ingresses"),
    ("networking.k8s.io", "networkpolicies"),
    ("networking.istio.io", "envoyfilters"),
    ("monitoring.coreos.com", "podmonitors"),
    ("operator.victoriametrics.com", "vmpodscrapes"),
    (RBAC, "roles"),
    (RBAC, "rolebindings"),
]
_WRITTEN_ANYWHERE = [
    ("", "namespaces"),
    ("networking.k8s.io", "ingressclasses"),
    (RBAC, "clusterroles"),
    (RBAC, "clusterrolebindings"),
]
MAY = [
    *((verb, "", "configmaps", ENTRY) for verb in ("get", "list", "watch", "patch", "update")),
    *((verb, "", "secrets", ENTRY) for verb in ("list", "watch")),
    *((verb, "coordination.k8s.io", "leases/entryproxy-controller", ENTRY) for verb in ("get", "update")),
    ("create", "coordination.k8s.io", "leases", ENTRY),
    *((verb, "", "events", ENTRY) for verb in ("create", "patch")),
    *((verb, "", "secrets", TENANT) for verb in ("get", "list", "create", "update", "patch", "delete")),
    *((verb, *kind, TENANT) for kind in _WRITTEN for verb in ("get", "list", "create", "patch", "delete")),
    *((verb, *kind, CLUSTER) for kind in _WRITTEN_ANYWHERE for verb in ("get", "list", "create", "patch", "delete")),
    *((verb, RBAC, "roles", TENANT) for verb in ("escalate", "bind")),
    *((verb, CRD, "customresourcedefinitions", CLUSTER) for verb in ("get", "list", "watch", "create")),
    *((verb, "discovery.k8s.io", "endpointslices", CLUSTER) for verb in ("list", "watch")),
    *((verb, "", "nodes", CLUSTER) for verb in ("get", "list", "watch")),
    *((verb, "gateway.networking.k8s.io", "gatewayclasses", CLUSTER) for verb in ("get", "list", "watch")),
    ("list", "extensions.higress.io", "wasmplugins", CLUSTER),
    ("list", "apps", "daemonsets", CLUSTER),
    ("create", "authentication.k8s.io", "tokenreviews", CLUSTER),
    ("create", "authorization.k8s.io", "subjectaccessreviews", CLUSTER),
]
MAY_NOT = [
    *((verb, RBAC, kind, CLUSTER) for verb in ("escalate", "bind") for kind in ("clusterroles", "clusterrolebindings")),
    *((verb, "", kind, CLUSTER) for verb in ("impersonate",) for kind in ("users", "groups", "serviceaccounts")),
    *((verb, CRD, "customresourcedefinitions", CLUSTER) for verb in ("patch", "update", "delete")),
    *((verb, "", "nodes", CLUSTER) for verb in ("create", "patch", "update", "delete")),
    *((verb, "", "pods", TENANT) for verb in ("get", "list", "create", "delete")),
    ("create", "", "pods/exec", TENANT),
    ("get", "", "pods/log", TENANT),
    ("create", "", "serviceaccounts/token", TENANT),
    ("create", "", "persistentvolumes", CLUSTER),
    ("create", "admissionregistration.k8s.io", "validatingadmissionpolicies", CLUSTER),
    ("delete", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", CLUSTER),
    ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", CLUSTER),
    ("approve", "certificates.k8s.io", "signers", CLUSTER),
    ("create", "apps", "daemonsets", TENANT),
    ("create", "batch", "jobs", TENANT),
    ("watch", "", "secrets", TENANT),
    ("deletecollection", "", "secrets", TENANT),
    ("get", "coordination.k8s.io", "leases", TENANT),
    ("update", "coordination.k8s.io", "leases/another", ENTRY),
    ("get", "extensions.higress.io", "wasmplugins", TENANT),
    ("*", "*", "*", CLUSTER),
]


@pytest.mark.parametrize(
    ("verb", "group", "resource", "where", "is_allowed"),
    [*((*each, True) for each in MAY), *((*each, False) for each in MAY_NOT)],
)
def test_what_the_controller_may(
    installation: Installation, gateway: str, verb: str, group: str, resource: str, where: str, is_allowed: bool
) -> None:
    kind, _, name = resource.partition("/")
    part = {"name": name} if kind == "leases" else {"subresource": name}
    namespace = {ENTRY: installation.namespace, TENANT: gateway, CLUSTER: ""}[where]
    attributes = {"verb": verb, "group": group, "resource": kind, "namespace": namespace, **part}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{installation.namespace}", "system:authenticated"]
    spec = {"user": installation.account.user, "groups": groups, "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = installation.cluster.api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer["status"]["allowed"] is is_allowed


def test_every_right_is_one_of_those_tried() -> None:
    """A new one needs its line above, and its reason in the template."""
    rendered = controller_objects(render(CONTROLLER))
    given = {
        (verb, group, resource)
        for kind in ("Role", "ClusterRole")
        for rule in one(rendered, kind)["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    tried = {(verb, group, resource.partition("/")[0]) for verb, group, resource, _ in MAY}
    assert given - tried == {("watch", "", "namespaces"), ("watch", "networking.k8s.io", "ingressclasses")}
    assert tried <= given


# -- with Helm


@pytest.fixture(scope="module")
def narrowed(tmp_path_factory: pytest.TempPathFactory, gateway: str) -> Path:
    """A chart that renders to what the controller's post-renderer makes of Higress's."""
    folder = tmp_path_factory.mktemp("narrowed")
    text = narrow(
        helm(
            "template", "tenant1", str(chart()), "--namespace", gateway, "--skip-crds", "--values", "-", values=VALUES
        ),
        namespace=gateway,
        rendering=Rendering(),
        load=yaml.safe_load,
        dump=yaml.safe_dump,
    )
    (folder / "templates").mkdir()
    (folder / "templates/all.yaml").write_text(text.replace("{{", '{{ "{{" }}'))
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: narrowed, version: 1.0.0}")
    return folder


VALUES = {
    "global": {"ingressClass": "tenant1", "enableGatewayAPI": False},
    "gateway": {"unprivilegedPortSupported": True, "rbac": {"enabled": False}, "service": {"type": "ClusterIP"}},
}
FLAGS = ("--skip-crds", "--wait=hookOnly", "--server-side=true", "--force-conflicts", "--reset-values")


def test_helm_gets_by_with_these_rights(installation: Installation, gateway: str, narrowed: Path) -> None:
    def run(*arguments: str) -> str:
        return installation.cluster.helm(*arguments, "--namespace", gateway, kubeconfig=installation.account.kubeconfig)

    run("upgrade", "--install", "tenant1", str(narrowed), *FLAGS)
    installation.cluster.kubectl("scale", "deployment", "higress-gateway", "--replicas=3", "--namespace", gateway)
    run("upgrade", "tenant1", str(narrowed), *FLAGS)
    run("rollback", "tenant1", "1", "--force-conflicts")
    assert [each["status"] for each in json.loads(run("history", "tenant1", "--output=json"))][-1] == "deployed"
    run("uninstall", "tenant1")
    assert installation.cluster.kubectl("get", "deployment,role", "--namespace", gateway, "--output=name") == ""
    named = ("ingressclass", "tenant1", "--ignore-not-found", "--output=name")
    assert installation.cluster.kubectl("get", *named) == ""


def test_the_api_server_refuses_a_release_that_was_not_narrowed(installation: Installation, gateway: str) -> None:
    values = (f"--set={key}" for key in ("global.ingressClass=wide", "gateway.unprivilegedPortSupported=true"))
    command = ("install", "wide", str(chart()), "--skip-crds", "--namespace", gateway, *values)
    with pytest.raises(CommandError, match="attempting to grant RBAC permissions not currently held"):
        installation.cluster.helm(*command, kubeconfig=installation.account.kubeconfig)
    installation.cluster.helm("uninstall", "wide", "--namespace", gateway)


# -- policies


def release_secret(name: str, **changes: Any) -> str:
    labels = {"owner": "helm", "name": "tenant1", "status": "deployed", "version": "9"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "stringData": {"release": "eA=="}}
    return json.dumps({**secret, "metadata": {"name": name, "labels": changes.pop("labels", labels)}, **changes})


@pytest.mark.parametrize(
    "forged",
    [
        release_secret("sh.helm.release.v1.tenant1.v9"),
        release_secret("another", labels={}),
        release_secret("opaque", type="Opaque"),  # Helm looks at no type
        release_secret("sh.helm.release.v1.tenant1.v9", type="Opaque", labels={}),
    ],
    ids=["whole", "by type", "by label", "by name"],
)
def test_a_tenant_forges_no_release(installation: Installation, gateway: str, tenant: Account, forged: str) -> None:
    with pytest.raises(CommandError, match="release Secrets in a tenant's namespace are the controller's alone"):
        installation.cluster.kubectl(
            "create", "--filename", "-", "--namespace", gateway, input=forged, kubeconfig=tenant.kubeconfig
        )


def test_a_tenant_changes_and_deletes_no_release_and_makes_none_of_another_secret(
    installation: Installation, gateway: str, tenant: Account
) -> None:
    where = ("--namespace", gateway)
    name = "sh.helm.release.v1.kept.v1"
    installation.kubectl("create", "--filename", "-", *where, document=release_secret(name))
    installation.cluster.kubectl(
        "create", "secret", "generic", "plain", *where, "--from-literal=a=b", kubeconfig=tenant.kubeconfig
    )
    for command in (
        ("label", "secret", name, "status=superseded", "--overwrite"),
        ("label", "secret", name, "owner-"),
        ("label", "secret", "plain", "owner=helm"),
        ("delete", "secret", name),
        ("delete", "secret", "--all"),
    ):
        with pytest.raises(CommandError, match="are the controller's alone"):
            installation.cluster.kubectl(*command, *where, kubeconfig=tenant.kubeconfig)
    installation.kubectl("delete", "secret", name, *where)


def test_elsewhere_releases_are_their_owners_business(installation: Installation, namespace: str) -> None:
    account = installation.tenant_account(namespace)
    secret = release_secret("sh.helm.release.v1.own.v1")
    command = ("create", "--filename", "-", "--namespace", namespace)
    installation.cluster.kubectl(*command, input=secret, kubeconfig=account.kubeconfig)


def test_in_shared_namespaces_releases_are_ours(installation: Installation, shared: str) -> None:
    account = installation.tenant_account(shared)
    command = ("create", "--filename", "-", "--namespace", shared)
    with pytest.raises(CommandError, match="are the controller's alone"):
        installation.cluster.kubectl(*command, input=release_secret("any"), kubeconfig=account.kubeconfig)


def test_pods_of_tenants_push_nobody_off_a_node(installation: Installation, gateway: str, shared: str) -> None:
    """By whomever: ReplicaSets' controller makes them, as somebody's Deployment says."""
    spec = {"containers": [{"name": "one", "image": "busybox"}]}
    for where in (gateway, shared):
        dry_run_pod(installation.cluster, where, spec)
        for name in ("system-node-critical", "system-cluster-critical"):
            with pytest.raises(ApiError, match="don't take the cluster's own priority"):
                dry_run_pod(installation.cluster, where, {**spec, "priorityClassName": name})


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "lure"},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def ingress(class_name: str | None, annotation: str | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "lure"}
    if annotation is not None:
        metadata["annotations"] = {"kubernetes.io/ingress.class": annotation}
    spec: dict[str, Any] = {"defaultBackend": {"service": {"name": "app", "port": {"number": 80}}}}
    if class_name is not None:
        spec["ingressClassName"] = class_name
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (service(externalIPs=["10.96.0.10"]), "no externalIPs"),
        (service(type="ExternalName", externalName="higress-gateway.other-gateway.svc"), "not of type ExternalName"),
        (ingress("nginx"), "are of the class tenant1"),
        (ingress(None, "nginx"), "are of the class tenant1"),
        (ingress(None), "are of the class tenant1"),
        (service(), ""),
        (service(type="NodePort"), ""),
        (ingress("tenant1"), ""),
        (ingress(None, "tenant1"), ""),
    ],
)
def test_a_tenant_leads_no_traffic_astray(
    installation: Installation, gateway: str, tenant: Account, document: dict[str, Any], words: str
) -> None:
    """Who may write anything in there, which is more than its admins or its gateway's controller may."""
    text = json.dumps(document)
    command = ("create", "--namespace", gateway, "--filename", "-", "--dry-run=server")
    installation.cluster.kubectl(*command, input=text)  # an administrator knows what for
    if not words:
        installation.cluster.kubectl(*command, input=text, kubeconfig=tenant.kubeconfig)
        return
    with pytest.raises(CommandError, match=words):
        installation.cluster.kubectl(*command, input=text, kubeconfig=tenant.kubeconfig)


def test_a_service_does_not_become_a_lure_later(installation: Installation, gateway: str, tenant: Account) -> None:
    where = ("--namespace", gateway)
    installation.cluster.kubectl("create", "service", "clusterip", "grown", "--tcp=80", *where)
    patch = json.dumps({"spec": {"externalIPs": ["192.0.2.1"]}})
    with pytest.raises(CommandError, match="no externalIPs"):
        installation.cluster.kubectl(
            "patch", "service", "grown", "--patch", patch, *where, kubeconfig=tenant.kubeconfig
        )
    installation.cluster.kubectl("delete", "service", "grown", *where)


def test_the_controller_writes_to_no_other_namespace(installation: Installation, gateway: str, namespace: str) -> None:
    """Nobody's, that is: a RoleBinding there, with its right to bind, would be anybody's rights."""
    role = ("create", "role", "any", "--verb=*", "--resource=*", "--dry-run=server")
    installation.kubectl(*role, "--namespace", gateway)
    for command in (
        role,
        ("create", "configmap", "any", "--dry-run=server"),
        ("delete", "configmap", "kube-root-ca.crt"),
    ):
        with pytest.raises(CommandError, match=r"own namespaces and to those of controller\.shared"):
            installation.kubectl(*command, "--namespace", namespace)


def test_administrators_may_still_mend_by_hand(installation: Installation, gateway: str) -> None:
    where = ("--namespace", gateway)
    installation.cluster.kubectl(
        "create", "--filename", "-", *where, input=release_secret("sh.helm.release.v1.mend.v1")
    )
    installation.cluster.kubectl("delete", "secret", "sh.helm.release.v1.mend.v1", *where)
    installation.cluster.kubectl("label", "namespace", gateway, "entryproxy.higress.io/owner=tenant2", "--overwrite")
    installation.cluster.kubectl("label", "namespace", gateway, "entryproxy.higress.io/owner=tenant1", "--overwrite")


def test_nobody_else_sets_changes_or_removes_the_marks_of_a_namespace(
    installation: Installation, gateway: str, namespace: str
) -> None:
    cluster = installation.cluster
    kubeconfig = cluster.client_certificate_kubeconfig(f"editor-{namespace}")
    role = f"editor-{namespace}"
    cluster.kubectl("create", "clusterrole", role, "--verb=get,create,patch,update", "--resource=namespaces")
    cluster.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--user={role}")
    try:
        cluster.kubectl("label", "namespace", gateway, "team=edge", kubeconfig=kubeconfig)
        for where, label in (
            (gateway, "entryproxy.higress.io/owner-"),
            (gateway, "entryproxy.higress.io/owner=tenant2"),
            (gateway, "app.kubernetes.io/managed-by-"),
            (namespace, "entryproxy.higress.io/owner=tenant1"),
        ):
            with pytest.raises(CommandError, match="its own to set, change and remove"):
                cluster.kubectl("label", "namespace", where, label, "--overwrite", kubeconfig=kubeconfig)
    finally:
        cluster.kubectl("delete", "clusterrolebinding,clusterrole", role)


@pytest.mark.parametrize("where", ["default", "kube-system", "kube-public", ENTRY])
def test_the_controller_writes_nothing_into_the_platform_s_namespaces(installation: Installation, where: str) -> None:
    namespace = installation.namespace if where == ENTRY else where
    for kind in (("role", "any", "--verb=*", "--resource=*"), ("secret", "generic", "any"), ("serviceaccount", "any")):
        with pytest.raises(CommandError, match="not to the platform's"):
            installation.kubectl("create", *kind, "--namespace", namespace, "--dry-run=server")


def test_in_the_entry_s_namespace_it_changes_tenants_and_makes_none(installation: Installation) -> None:
    where = ("--namespace", installation.namespace)
    installation.cluster.kubectl("create", "configmap", "tenant1", *where)
    installation.kubectl("annotate", "configmap", "tenant1", "entryproxy.higress.io/status={}", *where)
    for command in (("create", "configmap", "tenant2"), ("delete", "configmap", "tenant1")):
        with pytest.raises(CommandError, match="not to the platform's"):
            installation.kubectl(*command, *where)


def test_the_controller_makes_no_tokens(installation: Installation, gateway: str) -> None:
    annotations = {"kubernetes.io/service-account.name": "default"}
    metadata = {"name": "token", "namespace": gateway, "annotations": annotations}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": metadata}
    with pytest.raises(CommandError, match="makes no tokens"):
        installation.kubectl("create", "--filename", "-", document=json.dumps(secret))


def test_the_controller_touches_nobody_else_s_namespace(installation: Installation, namespace: str) -> None:
    for command in (
        ("delete", "namespace", namespace),
        ("label", "namespace", namespace, "a=b"),
        ("create", "namespace", "unmarked"),
    ):
        with pytest.raises(CommandError, match="carry the label"):
            installation.kubectl(*command)


def test_a_namespace_with_releases_can_still_end(installation: Installation) -> None:
    name = installation.tenant_namespace(f"{installation.namespace}-ending")
    secret = release_secret("sh.helm.release.v1.tenant1.v1")
    installation.kubectl("create", "--filename", "-", "--namespace", name, document=secret)
    installation.kubectl("delete", "namespace", name, "--wait=false")

    # The namespace controller lets 5 s pass before it begins.
    path = f"/api/v1/namespaces/{name}"
    wait_until(lambda: is_gone(installation, path), "the namespace doesn't end", seconds=30)


def is_gone(installation: Installation, path: str) -> bool:
    try:
        installation.cluster.api.get(path)
    except ApiError as error:
        return error.status == 404
    return False


# -- the program


SETTINGS = "systemDomain: aigw.example.com"
TENANT_YAML = "release: {profile: dev}\nnamespace: {quota: {cpu: '20', memory: 40Gi}, admins: ['group:admins']}"


def declare(installation: Installation, name: str, tenant: str, key: str, text: str) -> None:
    metadata = {"name": name, "namespace": installation.namespace, "labels": {TENANT_LABEL: tenant}}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: text}}
    installation.cluster.api.create(config_map)


@pytest.fixture
def running(installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """The controller, with this account and nothing else; where it writes what it says."""
    log = tmp_path / "log"
    options = {
        "namespace": installation.namespace,
        "kubeconfig": installation.account.kubeconfig,
        "helm": require_tool("helm"),
        "charts-dir": SMALL.parent,
        "work-dir": tmp_path / "work",
        "admin-port": 0,
        "admin-bind": "127.0.0.1",
        "withdraw-seconds": 1,
    }
    command = [
        sys.executable,
        "-m",
        "entryproxy",
        "controller",
        *(f"--{key}={value}" for key, value in options.items()),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            yield log
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_the_program_gets_by_with_these_rights(installation: Installation, running: Path) -> None:
    """A whole tenant, from its ConfigMap to the end of its namespace."""
    api, path = installation.cluster.api, f"/api/v1/namespaces/{installation.namespace}/configmaps/whole"

    service = "/api/v1/namespaces/whole-gateway/services/higress-gateway"

    def status() -> Any:
        return json.loads(api.get(path)["metadata"].get("annotations", {}).get(STATUS_ANNOTATION, "{}"))

    declare(installation, "platform", "system", "settings.yaml", SETTINGS)
    declare(installation, "whole", "whole", "tenant.yaml", TENANT_YAML)
    try:
        wait_until(lambda: status().get("revision") == 1, "nothing was installed", seconds=60)
        api.delete(service)
        wait_until(lambda: not is_gone(installation, service), "what was deleted isn't repaired", seconds=60)
        api.delete(path)
        wait_until(lambda: is_gone(installation, path), "the tenant doesn't go", seconds=60)
        assert is_gone(installation, "/api/v1/namespaces/whole-gateway")
    finally:
        said = running.read_text()
    assert "forbidden" not in said.casefold()
    assert "not judged" not in said.casefold()
