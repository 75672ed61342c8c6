"""An entry's namespace whose tenants are provisioned: what operators write there, and what they look at."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from entryproxy.model.objects import STATUS_ANNOTATION
from entryproxy.model.status import Phase, TenantStatus, decode_status
from tests.certificates import Authority
from tests.cluster.api import ApiError
from tests.cluster.cluster import Account, Cluster, CommandError
from tests.cluster.entry.site import Site
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.provision.listing import Identity
from tests.cluster.provision.rights import ControllerRights
from tests.cluster.provision.running import Charts, RunningController
from tests.e2e.gateways import wait_until
from tests.e2e.harness import LABEL

SECONDS = 60.0
"""For what takes several runs of Helm on a busy machine."""


class Place(Site):
    """Unlike a Site's, its ConfigMaps are changed rather than replaced: finalizer and status are others' to write.

    controller_proxy: the controllers' only way to the API server; None for none.
    """

    def __init__(
        self,
        cluster: Cluster,
        proxy: FaultProxy | None,
        authority: Authority,
        folder: Path,
        *,
        controller_proxy: FaultProxy | None = None,
    ) -> None:
        super().__init__(cluster, proxy, authority)
        self.folder = folder
        self.charts = Charts(folder)
        url = controller_proxy.url if controller_proxy is not None else None
        self._controller_rights = ControllerRights(cluster, self.namespace)
        self.controller_account: Account = self._controller_rights.install(url)

    def close(self) -> None:
        """Let another place have the cluster; tenants stay."""
        self._controller_rights.remove()

    # -- controllers

    def start_controller(self, *options: str, identity: str = "one", in_pod: Sequence[str] = ()) -> RunningController:
        """Perhaps never ready; the caller ends it. in_pod: as for RunningController."""
        kubeconfig = self.controller_account.kubeconfig
        return RunningController(
            kubeconfig, self.namespace, self.folder, self.charts, *options, identity=identity, in_pod=in_pod
        )

    @contextlib.contextmanager
    def controlled(
        self, *options: str, identity: str = "one", in_pod: Sequence[str] = ()
    ) -> Iterator[RunningController]:
        """A controller that is ready; ended afterwards, without ever having stumbled."""
        controller = self.start_controller(*options, identity=identity, in_pod=in_pod)
        try:
            yield controller.wait_ready()
        finally:
            controller.stop()
        assert not controller.stumbles(), controller.last_words()

    # -- tenants

    def provision(self, tenant: str, **spec: Any) -> None:
        """Write a tenant's ConfigMap; `spec` is its tenant.yaml, with the smallest release that there is by default."""
        document = {"release": {"profile": "dev"}, **spec}
        data = {"tenant.yaml": str(yaml.safe_dump(document, sort_keys=False))}
        try:
            self.cluster.api.patch(
                self.path("configmaps", tenant), {"data": data, "metadata": {"labels": {LABEL: tenant}}}
            )
        except ApiError as error:
            if error.status != 404:
                raise
            self.config_map(tenant, tenant, data)

    def status(self, tenant: str) -> TenantStatus | None:
        """What the controller says of it; None before it has said anything, and when there is no such tenant."""
        try:
            metadata = self.cluster.api.get(self.path("configmaps", tenant))["metadata"]
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        return decode_status(metadata.get("annotations", {}).get(STATUS_ANNOTATION, ""))

    def wait_for(self, tenant: str, phase: Phase, seconds: float = SECONDS, *, revision: int = 0) -> TenantStatus:
        """Until the tenant is in that phase, with that revision deployed unless 0."""

        def is_there() -> bool:
            status = self.status(tenant)
            return status is not None and status.phase == phase and revision in (0, status.revision)

        try:
            wait_until(is_there, "", seconds)
        except AssertionError:
            raise AssertionError(f"{tenant} is never {phase}: {self.status(tenant)}") from None
        status = self.status(tenant)
        assert status is not None
        return status

    def wait_until_gone(self, tenant: str, seconds: float = SECONDS) -> None:
        """Until nothing holds its ConfigMap any more."""

        try:
            wait_until(lambda: not self.cluster.api.exists(self.path("configmaps", tenant)), "", seconds)
        except AssertionError:
            raise AssertionError(f"{tenant} is never gone: {self.status(tenant)}") from None

    # -- what Helm says

    def releases(self) -> list[dict[str, Any]]:
        """`helm list` of all namespaces, by name."""
        found: list[dict[str, Any]] = json.loads(self.cluster.helm("list", "--all-namespaces", "--output", "json"))
        return sorted(found, key=lambda one: str(one["name"]))

    def history(self, tenant: str, namespace: str = "") -> list[tuple[int, str]]:
        """Number and status of each revision; nothing when there is no release. namespace: "" for the usual one."""
        try:
            text = self._helm("history", tenant, namespace)
        except CommandError as error:
            if "release: not found" not in str(error):
                raise
            return []
        return [(one["revision"], one["status"]) for one in json.loads(text)]

    def values(self, tenant: str, namespace: str = "") -> dict[str, Any]:
        """What the release was installed with."""
        found: dict[str, Any] = json.loads(self._helm("get", "values", tenant, namespace))
        return found

    def manifest(self, tenant: str, namespace: str = "") -> frozenset[Identity]:
        """The objects that Helm applied, after post-rendering."""
        namespace = namespace or f"{tenant}-gateway"
        text = self.cluster.helm("get", "manifest", tenant, "--namespace", namespace)
        return frozenset(
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
            for one in yaml.safe_load_all(text)
            if one
        )

    def _helm(self, *arguments: str) -> str:
        *command, tenant, namespace = arguments
        scope = ("--namespace", namespace or f"{tenant}-gateway", "--output", "json")
        return self.cluster.helm(*command, tenant, *scope)
