"""Who we are for the API server and how to trust it: in-cluster or from a kubeconfig; the only user of
kubernetes_asyncio.

The library reads kubeconfigs and runs their plugins. What it lacks is here: tokens without their newline, a token file
of a kubeconfig that is read again, errors that quote nothing of a kubeconfig, no key left in a temporary file.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from entryproxy.kubernetes.errors import CredentialsError
from entryproxy.kubernetes.pod import PodConfiguration
from entryproxy.settings import kubeconfig_files, pod_api_server

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOAD_TIMEOUT_SECONDS = 30.0
"""For reading everything, an exec plugin included."""
TOKEN_REFRESH_SECONDS = 60.0
"""How old a token may get before its file, or its plugin, is asked again. Kubelets rotate them long before they end."""
_BEARER = "BearerToken"
_MESSAGE_CHARACTERS_MAX = 300

_log = logging.getLogger(__name__)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API server is. tls: None for plain HTTP. server_name: expected of its certificate, "" for the host.

    identity: a digest that changes when any of the rest, or a file behind it, does.
    """

    server: str
    tls: ssl.SSLContext | None
    server_name: str = ""
    proxy: str = ""
    identity: bytes = b""


class Credentials:
    """One load of them. namespace: the default one of the context or the pod, "" if none."""

    def __init__(
        self,
        configuration: Configuration | PodConfiguration,
        endpoint: Endpoint,
        namespace: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: seconds, monotonic."""
        self.endpoint = endpoint
        self.namespace = namespace
        self._configuration = configuration
        self._clock = clock
        self._fresh_until = clock() + TOKEN_REFRESH_SECONDS

    async def authorization(self) -> str:
        """The value of the Authorization field, "" when none is sent; not older than TOKEN_REFRESH_SECONDS."""
        if self._clock() >= self._fresh_until:
            self._fresh_until = self._clock() + TOKEN_REFRESH_SECONDS
            await self._refresh()
        return str(self._configuration.api_key.get(_BEARER, "")).strip()

    async def _refresh(self) -> None:
        """A token that can't be read for a moment stays what it was."""
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_SECONDS):
                await self._configuration.get_api_key_with_prefix(_BEARER)
        except Exception as problem:
            _log.warning("can't refresh the token of the API server: %s", _sentence(problem))


async def load_credentials(kubeconfig: str, context: str, service_account: Path | None = None) -> Credentials:
    """From the pod's service account when this is a pod and no kubeconfig is given, else from the kubeconfig.

    kubeconfig: "" for $KUBECONFIG or ~/.kube/config. context: "" for the current one. service_account: a folder, None
    for where kubelets mount it. Raises CredentialsError.
    """
    try:
        async with asyncio.timeout(LOAD_TIMEOUT_SECONDS):
            if not kubeconfig and (server := pod_api_server()):
                return _load_in_pod(server, service_account or SERVICE_ACCOUNT)
            return await _load_kubeconfig(kubeconfig or kubeconfig_files(), context)
    except CredentialsError:
        raise
    except Exception as problem:  # a pod's files are others' too
        raise CredentialsError(_sentence(problem)) from None


def _load_in_pod(server: str, service_account: Path) -> Credentials:
    configuration = PodConfiguration(server, service_account)
    try:
        namespace = (service_account / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    return Credentials(configuration, _endpoint(configuration), namespace)


async def _load_kubeconfig(files: str, context: str) -> Credentials:
    from kubernetes_asyncio.client import Configuration  # 40 MB and a third of a second, for those only who need it
    from kubernetes_asyncio.config import load_kube_config

    if not _is_there(files):
        raise CredentialsError(f"There is no kubeconfig at {files}, and this is no pod")
    configuration = Configuration()
    try:
        loader = await load_kube_config(files, context or None, configuration, persist_config=False)
        endpoint = _endpoint(configuration)
    except Exception as problem:  # the library judges what others wrote, and raises whatever comes of it
        raise CredentialsError(_sentence(problem, f"{files} can't be read as a kubeconfig")) from None
    finally:
        _remove_temporary_files()
    current = loader.current_context or {}
    if _may_change(loader):
        configuration.refresh_api_key_hook = _refresh_hook(loader)
    return Credentials(configuration, endpoint, str(current.get("context", {}).get("namespace") or ""))


def _is_there(files: str) -> bool:
    return any(Path(one).expanduser().is_file() for one in files.split(":") if one)


def _may_change(loader: KubeConfigLoader) -> bool:
    user = loader._user.value if loader._user is not None else {}
    return bool({"exec", "tokenFile", "auth-provider"} & user.keys())


def _refresh_hook(loader: KubeConfigLoader) -> Callable[[Configuration], object]:
    async def refresh(configuration: Configuration) -> None:
        try:
            await loader.load_and_set(configuration)
        finally:
            _remove_temporary_files()

    return refresh


def _endpoint(configuration: Configuration | PodConfiguration) -> Endpoint:
    server = str(configuration.host).rstrip("/")
    is_tls = server.startswith("https://")
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file) if is_tls else ()
    digest = hashlib.sha256(repr((server, configuration.proxy, configuration.tls_server_name)).encode())
    for file in files:
        digest.update(hashlib.sha256(Path(file).read_bytes() if file else b"").digest())
    return Endpoint(
        server=server,
        tls=_tls(configuration) if is_tls else None,
        server_name=configuration.tls_server_name or "",
        proxy=configuration.proxy or "",
        identity=digest.digest(),
    )


def _tls(configuration: Configuration | PodConfiguration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Clusters' own authorities often lack extensions that RFC 5280 asks for; no other client of theirs minds.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if configuration.cert_file:
        # Without a password of its own OpenSSL would ask the terminal for one.
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _remove_temporary_files() -> None:
    """What a kubeconfig holds inline the library writes to files for OpenSSL, and leaves there until the process ends
    (a forked one never gets that far)."""
    from kubernetes_asyncio.config import kube_config

    kube_config._cleanup_temp_files()
    atexit.unregister(kube_config._cleanup_temp_files)


def _sentence(problem: Exception, otherwise: str = "The credentials can't be used") -> str:
    """What went wrong, up to where the library begins to quote the kubeconfig, tokens included. otherwise: what stands
    for an exception that says nothing to operators."""
    if isinstance(problem, TimeoutError):
        return f"The credentials were not there within {LOAD_TIMEOUT_SECONDS:.0f} s"
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename or 'TLS'}: {problem.strerror}"
    if type(problem).__name__ != "ConfigException":
        return f"{otherwise} ({type(problem).__name__})"
    return str(problem).partition("{")[0][:_MESSAGE_CHARACTERS_MAX].strip()
