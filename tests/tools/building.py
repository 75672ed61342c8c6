"""Builds the control plane's programs from their published Go modules, once per user and set of versions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_MODULE = Path(__file__).parent
_KUBERNETES = "k8s.io/kubernetes"
_BUILD_SECONDS_MAX = 1500

BUILT = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "kube-apiserver": f"{_KUBERNETES}/cmd/kube-apiserver",
    "kube-controller-manager": f"{_KUBERNETES}/cmd/kube-controller-manager",
    "kubectl": f"{_KUBERNETES}/cmd/kubectl",
}
"""Program → Go package."""


class BuildError(Exception):
    """Go is not here, too old, or could not build; the message is what it said."""


def find_go() -> str | None:
    """The go command: on PATH, or where Go's own archive puts it."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def cache_folder() -> Path:
    """Where the built programs are kept, outside the repository.

    Named by a digest of the pinned versions. Go's version isn't part of it: go.mod demands one that is new enough, and
    what is cached stays usable where Go is not.
    """
    digest = hashlib.sha256()
    for file in ("go.mod", "go.sum"):
        digest.update((_MODULE / file).read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "entryproxy" / "tools" / digest.hexdigest()[:16]


def build(names: Sequence[str]) -> None:
    """Build `names` into the cache; of several processes at once, one builds and the others wait. Raises BuildError."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        absent = [name for name in names if not (folder / name).exists()]
        if absent:
            _build(absent, folder)


def version_of(module: str) -> str:
    """The pinned version of a required module, such as `v1.36.3`."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (_MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None, f"go.mod does not require {module}"
    return found[1]


def _build(names: Sequence[str], folder: Path) -> None:
    go = find_go()
    if go is None:
        raise BuildError("Go is not installed")
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as partial:
        command = [go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", f"-ldflags={_linker_flags()}"]
        command += ["-o", f"{partial}/", *(BUILT[name] for name in names)]
        environment = {**os.environ, "GOWORK": "off"}  # a workspace above the checkout is not ours
        try:
            done = subprocess.run(
                command, cwd=_MODULE, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS_MAX
            )
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"go build took longer than {_BUILD_SECONDS_MAX} s") from error
        if done.returncode != 0:
            raise BuildError(done.stderr[-2000:].strip())
        for name in names:
            _file_of(BUILT[name], Path(partial)).rename(folder / name)


def _file_of(package: str, folder: Path) -> Path:
    """The file that `go build` makes: the last element of the package's path that isn't a major version."""
    return folder / next(part for part in reversed(package.split("/")) if not re.fullmatch(r"v\d+", part))


def _linker_flags() -> str:
    """No debugging symbols; and the versions, which these programs learn from their makefiles."""
    kubernetes = version_of(_KUBERNETES)
    major, minor, _ = kubernetes.removeprefix("v").split(".")
    values = {"helm.sh/helm/v4/internal/version.version": version_of("helm.sh/helm/v4")}
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values |= {
            f"{package}.gitVersion": kubernetes,
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
            f"{package}.gitTreeState": "archive",
        }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
