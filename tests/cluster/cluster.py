"""What tests hold of a running control plane."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests import tools
from tests.certificates import Authority
from tests.cluster.api import Api, ApiError, collection_path
from tests.cluster.kubeconfig import write_kubeconfig, write_secret_file
from tests.e2e.gateways import wait_until

_COMMAND_SECONDS_MAX = 60


class CommandError(Exception):
    """kubectl or Helm failed; the message is what it said."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A ServiceAccount's credentials in a folder, as they are mounted into its pods, and a kubeconfig beside them."""

    namespace: str
    name: str
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Refers to the token's file, so a token written later is the one that counts."""
        return self.folder / "kubeconfig"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    @property
    def user(self) -> str:
        """Its name as RBAC knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


class Cluster:
    """A control plane's address, its administrator, and what tests need made there.

    url: `https://127.0.0.1:…`; authority: issued its certificate; api: blocking requests as the administrator.
    """

    def __init__(self, folder: Path, url: str, authority: Authority, admin_token: str) -> None:
        self.folder = folder
        self.url = url
        self.authority = authority
        self.admin_token = admin_token
        self.api = Api(url, authority.context(), admin_token)
        self._numbers = itertools.count(1)

    @property
    def ca_path(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    # -- as an operator

    def kubectl(self, *arguments: str, input: str | None = None, kubeconfig: Path | None = None) -> str:  # noqa: A002
        """What kubectl prints, as the administrator unless told; raises CommandError with what it said."""
        return self._run("kubectl", arguments, input, kubeconfig)

    def helm(self, *arguments: str, kubeconfig: Path | None = None) -> str:
        """What Helm prints, likewise."""
        return self._run("helm", arguments, None, kubeconfig)

    def apply(self, manifests: str, namespace: str | None = None) -> str:
        """`kubectl apply` of YAML documents."""
        scope = ["--namespace", namespace] if namespace else []
        return self.kubectl("apply", *scope, "--filename", "-", input=manifests)

    # -- what tests need

    def new_namespace(self, prefix: str = "test") -> str:
        """A namespace of the test's own, usable at once: its default ServiceAccount is there."""
        name = f"{prefix}-{next(self._numbers)}"
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self._wait_for_account(name, "default")
        return name

    def service_account_kubeconfig(self, namespace: str, name: str, url: str | None = None) -> Account:
        """Credentials of a ServiceAccount, which is made unless it exists.

        url: another way to the API server, such as a fault proxy's.
        """
        self._ensure_account(namespace, name)
        folder = self.folder / f"account-{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        account = Account(namespace, name, folder)
        self.rotate_token(account)
        write_secret_file(folder / "namespace", namespace)
        write_secret_file(folder / "ca.crt", self.authority.pem)
        user = {"tokenFile": str(account.token_file)}
        write_kubeconfig(account.kubeconfig, url or self.url, folder / "ca.crt", user, namespace)
        return account

    def rotate_token(self, account: Account, seconds: int = 3600) -> str:
        """Write a new token (TokenRequest) into the account's file, as a kubelet does; the old one stays valid."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
        token: str = self.api.post(path, request)["status"]["token"]
        write_secret_file(account.token_file, token)
        return token

    def client_certificate_kubeconfig(self, user: str) -> Path:
        """A kubeconfig of a user with a client certificate, whom only RoleBindings give rights."""
        pair = self.authority.issue(user)
        certificate, key = (self.folder / f"{user}.{end}" for end in ("crt", "key"))
        write_secret_file(certificate, pair.chain_pem)
        write_secret_file(key, pair.key_pem)
        files = {"client-certificate": str(certificate), "client-key": str(key)}
        return write_kubeconfig(self.folder / f"{user}.kubeconfig", self.url, self.ca_path, files)

    async def create_many(self, documents: Iterable[Any], parallel: int = 32) -> int:
        """Create objects with `parallel` requests at a time, in no particular order; their number."""
        queue = iter(documents)
        connector = aiohttp.TCPConnector(limit=parallel, ssl=self.authority.context())
        fields = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(self.url, connector=connector, headers=fields) as session:

            async def work() -> int:
                count = 0
                for count, document in enumerate(queue, 1):  # noqa: B007
                    async with session.post(collection_path(document), data=json.dumps(document)) as answer:
                        if answer.status != 201:
                            raise ApiError(answer.status, await answer.text())
                return count

            return sum(await asyncio.gather(*(work() for _ in range(parallel))))

    def _run(self, name: str, arguments: Sequence[str], text: str | None, kubeconfig: Path | None) -> str:
        program = tools.find(name)
        assert program is not None, f"{name} is missing: require_tool first"
        done = subprocess.run(
            [program, "--kubeconfig", str(kubeconfig or self.admin_kubeconfig), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS_MAX,
            env={"HOME": str(self.folder)},  # a cache of discovery documents must not outlive this control plane
        )
        if done.returncode != 0:
            raise CommandError(done.stderr.strip())
        return done.stdout

    def _ensure_account(self, namespace: str, name: str) -> None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        try:
            self.api.create(account)
        except ApiError as error:
            if error.status != 409:
                raise

    def _wait_for_account(self, namespace: str, name: str) -> None:
        wait_until(
            lambda: self.api.exists(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"), "no ServiceAccount"
        )
