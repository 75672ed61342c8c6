"""Pure: the arguments of each operation, without the program's own name, and the environment that all of them run in.

The flags are for Helm 4.2. What is said about it here was seen on a real API server, with that version.
"""

from __future__ import annotations

import sys
from pathlib import PurePath

import msgspec

from entryproxy.controller.helm.postrender import PLUGIN, PLUGINS_FOLDER, PYTHON_VARIABLE, Order
from entryproxy.provision.digests import DIGEST_LABEL
from entryproxy.provision.state import DesiredRelease

HISTORY_REVISIONS_MAX = 5
"""Helm prunes what is older before an operation, but never the newest deployed revision."""
REPOSITORY = "charts"
"""What Helm's configuration calls the HTTP repository. Its URL is in that private file only, never in arguments."""

DESCRIPTION = "entryproxy"
"""How the description of a revision of ours begins: unlike labels, it isn't handed on to what others make."""
HELM_ROLLBACK = "Rollback to "


def version() -> list[str]:
    """Prints `v4.2.4`, without a line's end."""
    return ["version", "--template={{.Version}}"]


def upgrade(
    release: DesiredRelease, values_file: PurePath, refusal_file: PurePath, *, timeout_seconds: int
) -> list[str]:
    """Install or upgrade; prints one JSON object, which holds the values and the Secrets that the chart makes.

    refusal_file: says afterwards why the rendered manifests were refused, if they were.
    timeout_seconds: for hooks; it bounds no request, so the process needs a deadline of its own.
    """
    return [
        "upgrade",
        "--install",
        "--output=json",
        "--reset-values",  # else empty values silently keep those of the last revision
        f"--values={values_file}",
        "--skip-crds",  # an install rewrites every CRD of the cluster to its chart's version, also downwards
        *_applying(release.namespace, timeout_seconds),
        *_narrowing(release, refusal_file),
        f"--labels={DIGEST_LABEL}={release.digest}",
        f"--description={DESCRIPTION} {release.digest}",
        "--hide-notes",
        "--",
        release.name,
        release.chart,
    ]


def rollback(name: str, namespace: str, revision: int, *, timeout_seconds: int) -> list[str]:
    """Back to `revision`, as a new one. Without a number Helm takes the one before the last, whatever became of it."""
    return ["rollback", *_applying(namespace, timeout_seconds), "--", name, str(revision)]


def uninstall(name: str, namespace: str, *, timeout_seconds: int) -> list[str]:
    """Away with the objects of the last revision and with the history; a release that isn't there is fine."""
    return [
        "uninstall",
        f"--namespace={namespace}",
        "--ignore-not-found",
        *_waiting(timeout_seconds),
        "--",
        name,
    ]


def package(chart_folder: PurePath, target_folder: PurePath) -> list[str]:
    """Pack a folder, honouring its .helmignore, into NAME-VERSION.tgz in `target_folder`."""
    return ["package", f"--destination={target_folder}", "--", str(chart_folder)]


def update_repository() -> list[str]:
    """Fetch the index of REPOSITORY again. What went wrong is printed on standard output."""
    return ["repo", "update", "--", REPOSITORY]


def pull(chart: str, version: str, target_folder: PurePath, *, plain_http: bool = False) -> list[str]:
    """Fetch a packed chart into `target_folder`, which must exist.

    chart: an oci:// reference, or a name in REPOSITORY by its last index, whose digests Helm does not check.
    plain_http: how registries are spoken to.
    """
    plainly = ["--plain-http"] if plain_http else []
    source = chart if chart.startswith("oci://") else f"{REPOSITORY}/{chart}"
    return ["pull", f"--version={version}", f"--destination={target_folder}", *plainly, "--", source]


def environment(folder: PurePath, kubeconfig: PurePath, path: str) -> dict[str, str]:
    """Nothing inherited but PATH: no configuration, plugin or credential of whoever started us has a say.

    folder: private to us; caches live in it, the one of discovery as well, which children share.
    """
    return {
        "PATH": path,
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(folder / "kube-cache"),
        "HELM_CACHE_HOME": str(folder / "cache"),
        "HELM_CONFIG_HOME": str(folder / "config"),
        "HELM_CONTENT_CACHE": str(folder / "cache" / "content"),
        "HELM_DATA_HOME": str(folder / "data"),
        "HELM_DRIVER": "secret",
        "HELM_PLUGINS": str(PLUGINS_FOLDER),
        PYTHON_VARIABLE: sys.executable,
        "HELM_REGISTRY_CONFIG": str(folder / "config" / "registry.json"),
        "HELM_REPOSITORY_CACHE": str(folder / "cache" / "repository"),
        "HELM_REPOSITORY_CONFIG": str(folder / "config" / "repositories.yaml"),
    }


def _applying(namespace: str, timeout_seconds: int) -> list[str]:
    """Server-side apply that takes fields back from `kubectl scale` or `edit`, which would block it for ever."""
    return [
        f"--namespace={namespace}",
        "--server-side=true",
        "--force-conflicts",
        f"--history-max={HISTORY_REVISIONS_MAX}",
        *_waiting(timeout_seconds),
    ]


def _narrowing(release: DesiredRelease, refusal_file: PurePath) -> list[str]:
    """A rollback needs none: it applies what was narrowed before."""
    order = Order(namespace=release.namespace, rendering=release.rendering, refusal_file=str(refusal_file))
    return [f"--post-renderer={PLUGIN}", f"--post-renderer-args={msgspec.json.encode(order).decode()}"]


def _waiting(timeout_seconds: int) -> list[str]:
    """Only for hooks: any other waiting needs rights to list and watch every kind of the chart, cluster-wide."""
    return ["--wait=hookOnly", f"--timeout={timeout_seconds}s"]
