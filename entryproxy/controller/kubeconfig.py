"""The cluster that we talk to, as Helm is told of it: $KUBECONFIG of its processes.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files – of
several files the first that sets a value wins, and paths are relative to the file that they stand in. So a context is
chosen by a file of ours before an operator's own, which are neither read nor copied and may change at any time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from entryproxy.kubernetes.credentials import SERVICE_ACCOUNT
from entryproxy.settings import kubeconfig_files, pod_api_server

_NAME = "entryproxy"


def helm_kubeconfig(folder: Path, kubeconfig: str = "", context: str = "", service_account: Path | None = None) -> Path:
    """A file, or several with ":" between them, all absolute; ours is in `folder`, which is made, for us alone.

    kubeconfig, context: as for `kubernetes.client.connect`. service_account: a folder, None for where kubelets mount
    it; its token is read anew whenever it is rotated. Raises OSError.
    """
    if not kubeconfig and (server := pod_api_server()):
        return _write(folder, _in_pod(server, service_account or SERVICE_ACCOUNT))
    files = [
        str(Path(one).expanduser().absolute()) for one in (kubeconfig or kubeconfig_files()).split(os.pathsep) if one
    ]
    if context:
        files.insert(0, str(_write(folder, {"current-context": context})))
    return Path(os.pathsep.join(files))


def _in_pod(server: str, service_account: Path) -> dict[str, Any]:
    cluster = {"server": server, "certificate-authority": str(service_account / "ca.crt")}
    return {
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": _NAME, "user": {"tokenFile": str(service_account / "token")}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }


def _write(folder: Path, content: dict[str, Any]) -> Path:
    """As JSON, which is YAML. In one step, so that no child reads half a file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path, partial = folder / "kubeconfig", folder / "kubeconfig.partial"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode({"apiVersion": "v1", "kind": "Config", **content}))
    partial.rename(path)
    return path.absolute()
