"""The Dockerfile against the chart and the program; hadolint judges its style."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from entryproxy.controller.helm.driver import SUPPORTED
from entryproxy.settings import ServeSettings
from tests.deploy.chart import DEPLOY, helm, pod_of, render

ROOT = DEPLOY.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)


def test_the_user_is_the_chart_s() -> None:
    context = pod_of(render())["spec"]["securityContext"]
    assert instructions("USER") == [f"{context['runAsUser']}:{context['runAsGroup']}"]


def test_ports_are_the_program_s() -> None:
    defaults = ServeSettings(source="")
    assert instructions("EXPOSE") == [f"{defaults.https_port} {defaults.http_port} {defaults.admin_port}"]


def test_the_chart_s_arguments_follow_the_entry_point() -> None:
    assert instructions("ENTRYPOINT") == ['["entryproxy"]']
    assert pod_of(render())["spec"]["containers"][0].keys() & {"command", "args"} == {"args"}


def test_all_stages_stand_on_one_pinned_image() -> None:
    image = instructions("ARG")[0]
    assert re.fullmatch(r"PYTHON=python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", image)
    assert instructions("FROM") == ["${PYTHON} AS build", "${PYTHON} AS helm", "${PYTHON}"]
    (minor,) = set(re.findall(r"python(3\.\d+)", DOCKERFILE))
    assert image.startswith(f"PYTHON=python:{minor}.")


def test_nothing_is_installed_without_its_hash() -> None:
    for command in re.findall(r"-m pip (?:--python \S+ )?(?:install|wheel) [^&\n]*", DOCKERFILE.replace("\\\n", "")):
        assert "--require-hashes" in command or "--no-index" in command


# -- Helm


def helm_arguments() -> dict[str, str]:
    return dict(line.split("=", 1) for line in instructions("ARG") if line.startswith("HELM_"))


def test_helm_is_the_one_that_the_tests_run_and_the_program_takes() -> None:
    version = helm_arguments()["HELM_VERSION"]
    assert version.startswith(SUPPORTED)
    assert helm("version", "--template={{.Version}}") == f"v{version}"


def fetch_helm(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The step of the Dockerfile that fetches Helm, in `folder`, with a copy of the archive in there."""
    (script,) = (line for line in instructions("RUN") if "HELM_URL" in line)
    python = Path(sys.executable).parent
    environment = {
        **helm_arguments(),
        "HELM_URL": folder.as_uri(),
        "PATH": f"{folder}:{python}:/usr/bin:/bin",
        **changes,
    }
    return subprocess.run(["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with an archive such as Helm's, and a `dpkg` for a machine of type arm64."""
    (tmp_path / "dpkg").write_text("#!/bin/sh\necho arm64\n")
    (tmp_path / "dpkg").chmod(0o755)
    with tarfile.open(tmp_path / f"helm-v{helm_arguments()['HELM_VERSION']}-linux-arm64.tar.gz", "w:gz") as archive:
        for name in ("helm", "LICENSE", "README.md"):
            (tmp_path / "text").write_text(name)
            archive.add(tmp_path / "text", f"linux-arm64/{name}")
    return tmp_path


def test_helm_is_taken_only_with_the_sum_of_its_platform(copy: Path) -> None:
    (archive,) = copy.glob("*.tar.gz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    refused = fetch_helm(copy, HELM_SHA256_AMD64=digest)
    assert refused.returncode != 0
    assert "did NOT match" in refused.stderr
    assert not (copy / "helm").exists()
    taken = fetch_helm(copy, HELM_SHA256_ARM64=digest)
    assert taken.returncode == 0, taken.stderr
    assert (copy / "helm").read_text() == "helm"


def test_another_platform_has_no_helm(copy: Path) -> None:
    (copy / "dpkg").write_text("#!/bin/sh\necho s390x\n")
    refused = fetch_helm(copy)
    assert refused.returncode != 0
    assert "no sum of Helm for s390x" in refused.stderr


def test_what_is_copied_is_in_the_build_context_and_nothing_else() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert {source.removeprefix("./") for source in copied} == allowed
    assert all((ROOT / name).exists() and not fnmatch(name, ".*") for name in allowed)


def test_setuptools_is_found_in_the_lock() -> None:
    (pattern,) = re.findall(r"sed -n '(/\^setuptools==/,/\S+/p)'", DOCKERFILE)
    assert pattern == r"/^setuptools==/,/[^\\]$/p"
    lock = (ROOT / "requirements-dev.lock").read_text()
    block = re.search(
        r"^setuptools==\S+ \\\n(?:    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=\S+$", lock, re.MULTILINE
    )
    assert block is not None
