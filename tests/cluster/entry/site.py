"""An entry's namespace in a cluster: the objects that an operator keeps there, and who the entry is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from tests.certificates import Authority, Pair
from tests.cluster.api import ApiError, collection_path
from tests.cluster.cluster import Account, Cluster
from tests.cluster.entry.rights import Rights
from tests.cluster.fault_proxy import FaultProxy
from tests.e2e.harness import LABEL, SYSTEM_DOMAIN, Entry, running


class Site:
    """A `tests.e2e.harness.Source`: what `Folder` is for files. Objects are written past the fault proxy.

    authority: issues the certificates.
    """

    def __init__(
        self, cluster: Cluster, proxy: FaultProxy | None, authority: Authority, lacks: tuple[str, str] | None = None
    ) -> None:
        """proxy: None for none. lacks: a (verb, resource) that the account may not, of what the chart lets it."""
        self.cluster = cluster
        self._proxy = proxy
        self.authority = authority
        self.namespace = cluster.new_namespace("entry")
        self.rights = Rights.of_chart(self.namespace)
        (self.rights.without(*lacks) if lacks else self.rights).install(cluster)
        url = proxy.url if proxy is not None else None
        self.account: Account = cluster.service_account_kubeconfig(self.namespace, self.rights.account, url)

    @property
    def proxy(self) -> FaultProxy:
        """The only way of its entries to the API server."""
        assert self._proxy is not None
        return self._proxy

    @property
    def options(self) -> Sequence[str]:
        return [
            *("--source", "kubernetes", "--namespace", self.namespace),
            *("--kubeconfig", str(self.account.kubeconfig)),
        ]

    def start(self, *options: str) -> Entry:
        """An entry, perhaps never ready; the caller closes it."""
        return Entry(self, self.authority, "--drain-delay", "0", "--drain-timeout", "2", *options)

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[Entry]:
        """An entry that is ready; ended afterwards, without ever having stumbled."""
        with running(self, self.authority, "--drain-delay", "0", "--drain-timeout", "2", *options) as entry:
            yield entry
        stumbles = [line for line in entry.messages if "Traceback" in line or "Warning" in line]
        assert not stumbles, "\n".join(stumbles)
        assert entry.garbled == []

    # -- objects

    def platform(self, **settings: Any) -> None:
        """Settings, and a certificate for all hosts of the platform."""
        self.settings(**settings)
        self.certificate("system", "system", self.authority.issue(f"*.{SYSTEM_DOMAIN}", SYSTEM_DOMAIN))

    def settings(self, **settings: Any) -> None:
        self.config_map("platform", "system", {"settings.yaml": _dump({"systemDomain": SYSTEM_DOMAIN, **settings})})

    def tenant(self, tenant: str, **spec: Any) -> None:
        """A ConfigMap; `spec` is its tenant.yaml."""
        self.config_map(tenant, tenant, {"tenant.yaml": _dump(spec)})

    def config_map(self, name: str, owner: str | None, data: Mapping[str, str]) -> None:
        """owner: the label's value, None for no label."""
        self.write(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._metadata(name, owner), "data": dict(data)}
        )

    def certificate(self, name: str, owner: str | None, pair: Pair) -> None:
        """A TLS Secret."""
        data = {"tls.crt": pair.chain_pem, "tls.key": pair.key_pem}
        metadata = self._metadata(name, owner)
        kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
        self.write({**kind, "metadata": metadata, "stringData": data})

    def write(self, document: Any) -> None:
        """Create or replace."""
        path = collection_path(document)
        try:
            self.cluster.api.post(path, document)
        except ApiError as error:
            if error.status != 409:
                raise
            self.cluster.api.put(f"{path}/{document['metadata']['name']}", document)

    def remove(self, plural: str, *names: str) -> None:
        """Of objects that are there or not."""
        for name in names:
            try:
                self.cluster.api.delete(self.path(plural, name))
            except ApiError as error:
                if error.status != 404:
                    raise

    def path(self, plural: str, name: str = "") -> str:
        """Of a collection of the core API, or of one object in it."""
        return f"/api/v1/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def _metadata(self, name: str, owner: str | None) -> dict[str, Any]:
        return {"name": name, "namespace": self.namespace, "labels": {LABEL: owner} if owner else {}}


def _dump(document: Any) -> str:
    return str(yaml.safe_dump(document, sort_keys=False))
