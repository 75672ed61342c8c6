"""Every setting and every limit, each with its unit in its name; the only reader of the environment.

`ServeSettings` and `ControllerSettings` are what an operator chooses (command line, then `ENTRYPROXY_<OPTION>`, then
the default). `EdgeLimits` is what the entry imposes on every peer whatever the tenant says; it is one object so that a
test can shrink a limit.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

KUBERNETES = "kubernetes"
"""The source that is no folder."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How one pod serves. Ports of 0 ask the kernel for a free one; the supervisor prints what it got.

    source: a folder, or "kubernetes". namespace: of the entry in the cluster, of a folder's objects that name none.
    kubeconfig, context: which cluster, "" for the pod's own or the kubeconfig's default. zone: where the pod runs.
    """

    source: str
    namespace: str = "higress-system"
    kubeconfig: str = ""
    context: str = ""
    bind: str = "0.0.0.0"  # noqa: S104 - a front door listens everywhere unless told otherwise
    https_port: int = 8443
    http_port: int = 8080
    admin_port: int = 9090
    admin_bind: str = "0.0.0.0"  # noqa: S104 - kubelet and Prometheus come from other addresses
    workers: int = 1
    proxy_protocol: bool = False
    state_dir: str | None = None
    zone: str = ""
    drain_delay_seconds: float = 5.0
    drain_timeout_seconds: float = 30.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """How one controller provisions. Ports of 0 ask the kernel for a free one.

    namespace: of the entry, where the tenants' ConfigMaps are. identity: this one's name among the controllers, "" for
    the host's with a random end. helm: the program, a path or a name in PATH. work_dir: private, for charts and values
    while they are needed, "" for a temporary one. chart, chart_version: for tenants that name none. chart_registries:
    below which oci:// charts may be that tenants name. charts_dir: where vendored charts are, "" for none.
    shared_namespaces: those that tenants may share or watch, None for any. resync_seconds: how often a tenant is looked
    at though nothing tells that it changed. withdraw_seconds: how long entries get to stop serving a tenant before its
    gateway goes. operation_seconds: what one run of Helm may take. rollout_seconds: how long a rollout may get no
    further before it has failed. lease_seconds: how long the lead lasts unless it is renewed.
    """

    namespace: str = "higress-system"
    kubeconfig: str = ""
    context: str = ""
    identity: str = ""
    admin_port: int = 9090
    admin_bind: str = "0.0.0.0"  # noqa: S104 - kubelet and Prometheus come from other addresses
    helm: str = "helm"
    work_dir: str = ""
    chart: str = "higress-core"
    chart_version: str = "2.2.1"
    chart_repository: str = ""
    chart_registries: tuple[str, ...] = ()
    charts_dir: str = ""
    chart_plain_http: bool = False
    shared_namespaces: tuple[str, ...] | None = None
    parallel: int = 4
    resync_seconds: float = 60.0
    withdraw_seconds: float = 15.0
    operation_seconds: float = 120.0
    rollout_seconds: float = 300.0
    lease_seconds: int = 20
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLimits:
    """What every peer of a worker meets, whoever it is. Sizes in bytes, times in seconds, counts per worker."""

    # -- a client's connection
    connections_max: int = 16_384
    connections_per_tenant_max: int = 12_288
    handshake_seconds: float = 10.0
    client_hello_bytes_max: int = 135_168
    keepalive_idle_seconds: float = 75.0
    requests_per_connection_max: int = 100_000
    linger_seconds: float = 5.0
    flush_seconds: float = 30.0
    linger_bytes_max: int = 1_048_576
    # -- a request's head
    head_seconds: float = 10.0
    request_line_bytes_max: int = 8_192
    head_bytes_max: int = 32_768
    fields_max: int = 100
    # -- bodies
    chunk_line_bytes_max: int = 1_024
    trailer_bytes_max: int = 8_192
    rate_minimum_bytes_per_second: float = 240.0
    rate_grace_seconds: float = 30.0
    client_write_high_bytes: int = 65_536
    gateway_write_high_bytes: int = 65_536
    pipelined_bytes_max: int = 65_536
    hops_max: int = 5
    # -- gateways
    gateway_head_bytes_max: int = 65_536
    gateway_idle_seconds: float = 60.0
    gateway_idle_connections_max: int = 256
    gateway_connections_max: int = 4_096
    gateway_endpoints_max: int = 1_000
    ejection_failures: int = 3
    ejection_base_seconds: float = 1.0
    ejection_seconds_max: float = 60.0
    slow_start_seconds: float = 30.0
    resolve_seconds: float = 5.0
    resolve_concurrent_max: int = 64
    resolve_ttl_seconds_min: float = 1.0
    resolve_ttl_seconds_max: float = 60.0
    resolve_retry_seconds: float = 2.0
    # -- what a worker remembers
    tls_contexts_max: int = 1_024
    remembered_heads_max: int = 1_024
    remembered_head_bytes_max: int = 4_096


def from_environment(option: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The value of `ENTRYPROXY_<OPTION>` for the long option name `option` ("https-port"), or None when unset."""
    values = os.environ if environment is None else environment  # noqa: TID251
    return values.get("ENTRYPROXY_" + option.upper().replace("-", "_"))


def pod_api_server(environment: Mapping[str, str] | None = None) -> str:
    """The URL of the API server, of which Kubernetes tells the processes of every pod; "" elsewhere."""
    values = os.environ if environment is None else environment  # noqa: TID251
    host, port = values.get("KUBERNETES_SERVICE_HOST", ""), values.get("KUBERNETES_SERVICE_PORT", "") or "443"
    if not host:
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def kubeconfig_files(environment: Mapping[str, str] | None = None) -> str:
    """Where a kubeconfig is when nobody says: `KUBECONFIG`, several with ":" between them, else ~/.kube/config."""
    values = os.environ if environment is None else environment  # noqa: TID251
    return values.get("KUBECONFIG") or "~/.kube/config"
