"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager, without a kubelet.

    with ControlPlane(folder) as cluster:
        cluster.kubectl("get", "namespaces")

RBAC is on, ServiceAccounts and their tokens work, namespaces terminate, EndpointSlices follow pods; nothing runs pods.
Everything lives in `folder`, keys and tokens (0600) included.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from types import TracebackType

from tests import tools
from tests.certificates import Authority
from tests.cluster.api import ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.component import Component, ReservedPort
from tests.cluster.kubeconfig import write_kubeconfig, write_secret_file

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
"""What must be found before a control plane can start."""

CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "disruption-controller",
    "clusterrole-aggregation-controller",
)
_START_SECONDS_MAX = 60.0

# etcd insists on host:port even for a socket's name. Relative, so that the length of the folder's path doesn't matter.
_ETCD_CLIENTS = "unix://clients:1"
_ETCD_PEERS = "unix://peers:1"


class ControlPlane:
    """Starts and ends the three programs; a context manager that gives the Cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = ReservedPort()
        self._authority = Authority("control plane of the tests")
        self._components: dict[str, Component] = {}
        self._admin_token = secrets.token_hex(16)
        self._manager_token = secrets.token_hex(16)
        self._write_files()
        self.cluster = Cluster(folder, f"https://127.0.0.1:{self._port.number}", self._authority, self._admin_token)

    # -- life

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self.cluster

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return when the API server and the controllers work; raises StartError."""
        self._start_etcd()
        self.start_api_server()
        self._start_controllers()

    def stop(self) -> None:
        """End everything; data and logs stay in the folder."""
        for component in reversed(self._components.values()):
            component.kill()
        self._components.clear()
        self._port.release()

    def start_api_server(self) -> None:
        """Start the API server, for the first time or after `stop_api_server`: the same address, the same objects."""
        api_server = self._spawn("kube-apiserver", *self._api_server_options())
        api_server.wait_until(self._is_api_ready, _START_SECONDS_MAX)

    def stop_api_server(self) -> None:
        """End the API server at once, as a crash would; its address refuses connections from then on."""
        self._components.pop("kube-apiserver").kill()

    # -- the parts

    def _start_etcd(self) -> None:
        etcd = self._spawn(
            "etcd",
            *("--name=etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--logger=zap", "--log-level=warn"),
            *(f"--listen-client-urls={_ETCD_CLIENTS}", f"--advertise-client-urls={_ETCD_CLIENTS}"),
            *(f"--listen-peer-urls={_ETCD_PEERS}", f"--initial-advertise-peer-urls={_ETCD_PEERS}"),
            f"--initial-cluster=etcd={_ETCD_PEERS}",
        )
        socket = self.folder / _ETCD_CLIENTS.removeprefix("unix://")
        etcd.wait_until(socket.exists, _START_SECONDS_MAX)

    def _api_server_options(self) -> list[str]:
        return [
            f"--etcd-servers={_ETCD_CLIENTS}",
            # The port stays ours over restarts: the harness holds it bound, see ReservedPort.
            *("--bind-address=127.0.0.1", f"--secure-port={self._port.number}", "--permit-port-sharing"),
            *("--tls-cert-file=api.crt", "--tls-private-key-file=api.key", "--client-ca-file=ca.crt", "--cert-dir=."),
            *("--authorization-mode=RBAC", "--token-auth-file=tokens.csv"),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            *("--service-account-key-file=accounts.crt", "--service-account-signing-key-file=accounts.key"),
            *("--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged"),
            # A loopback address may not be an endpoint of the Service `kubernetes`; nobody asks for it.
            *("--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"),
        ]

    def _start_controllers(self) -> None:
        manager = self._spawn(
            "kube-controller-manager",
            *("--kubeconfig=controller-manager.kubeconfig", "--secure-port=0", "--leader-elect=false"),
            "--use-service-account-credentials",
            *("--service-account-private-key-file=accounts.key", "--root-ca-file=ca.crt"),
            *(f"--controllers={','.join(CONTROLLERS)}", "--kube-api-qps=500", "--kube-api-burst=1000"),
        )
        manager.wait_until(self._has_default_account, _START_SECONDS_MAX)

    def _spawn(self, name: str, *options: str) -> Component:
        program = tools.find(name)
        if program is None:
            raise FileNotFoundError(
                f"{name}: not in KUBEBUILDER_ASSETS, on PATH or in the cache; see make cluster-tools"
            )
        component = Component([program, *options], self.folder / f"{name}.log")
        self._components[name] = component
        return component

    # -- its files

    def _write_files(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        accounts = self._authority.issue("service accounts")
        api = self._authority.issue("127.0.0.1", "localhost", "kubernetes.default.svc")
        for name, text in {
            "ca.crt": self._authority.pem,
            "api.crt": api.chain_pem,
            "api.key": api.key_pem,
            "accounts.crt": accounts.chain_pem,
            "accounts.key": accounts.key_pem,
            "tokens.csv": f"{self._admin_token},admin,admin,system:masters\n"
            f"{self._manager_token},system:kube-controller-manager,manager\n",
        }.items():
            write_secret_file(self.folder / name, text)
        url = f"https://127.0.0.1:{self._port.number}"
        for user, token in (("admin", self._admin_token), ("controller-manager", self._manager_token)):
            write_kubeconfig(self.folder / f"{user}.kubeconfig", url, self.folder / "ca.crt", {"token": token})

    # -- readiness

    def _is_api_ready(self) -> bool:
        try:
            return self.cluster.api.raw("GET", "/readyz") == b"ok"
        except (OSError, ApiError):
            return False

    def _has_default_account(self) -> bool:
        try:
            self.cluster.api.get("/api/v1/namespaces/default/serviceaccounts/default")
        except (OSError, ApiError, json.JSONDecodeError):
            return False
        return True
