"""The ServiceAccount of a controller and what it may do: the chart's own manifests, as Helm renders them."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.cluster import Account, Cluster
from tests.deploy.chart import template

SHARED_NAMESPACES = ("commons", "lookout")
"""What tenants may share or watch."""
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


class ControllerRights:
    """What the chart gives the controller of an entry's namespace, and the admission policies that it comes with.

    They rule over every tenant's namespace of the cluster: where one controller's are in force, another one can't work.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        values = {"controller": {"enabled": True, "sharedNamespaces": list(SHARED_NAMESPACES)}}
        rendered = yaml.safe_load_all(template(values, f"entry-{namespace}", namespace))
        self.documents = _of_the_controller([one for one in rendered if one])

    def install(self, url: str | None = None) -> Account:
        """The account's credentials. url: another way to the API server."""
        self._cluster.apply(yaml.safe_dump_all(self.documents))
        (account,) = [_name(one) for one in self.documents if one["kind"] == "ServiceAccount"]
        return self._cluster.service_account_kubeconfig(self._namespace, account, url)

    def remove(self) -> None:
        self._cluster.kubectl(
            "delete", "--ignore-not-found", "--filename", "-", input=yaml.safe_dump_all(self.documents)
        )


def _of_the_controller(rendered: list[Any]) -> list[Any]:
    """Its account, the account's bindings, their roles, and the policies."""
    (deployment,) = [one for one in rendered if one["kind"] == "Deployment" and _name(one).endswith("-controller")]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    bindings = [one for one in rendered if one["kind"] in _BINDINGS and _binds(one, account)]
    roles = {(one["roleRef"]["kind"], one["roleRef"]["name"]) for one in bindings}
    return [
        one
        for one in rendered
        if one in bindings
        or one["kind"] in _POLICIES
        or (one["kind"], _name(one)) in roles | {("ServiceAccount", account)}
    ]


def _binds(binding: Any, account: str) -> bool:
    return any((one["kind"], one["name"]) == ("ServiceAccount", account) for one in binding["subjects"])


def _name(document: Any) -> str:
    return str(document["metadata"]["name"])
