"""The Dockerfile against the chart and the program; hadolint judges its style."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from entryproxy.settings import ServeSettings
from tests.deploy.chart import DEPLOY, pod_of, render

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


def test_both_stages_stand_on_one_pinned_image() -> None:
    (image,) = instructions("ARG")
    assert re.fullmatch(r"PYTHON=python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", image)
    assert instructions("FROM") == ["${PYTHON} AS build", "${PYTHON}"]
    (minor,) = set(re.findall(r"python(3\.\d+)", DOCKERFILE))
    assert image.startswith(f"PYTHON=python:{minor}.")


def test_nothing_is_installed_without_its_hash() -> None:
    for command in re.findall(r"-m pip (?:--python \S+ )?(?:install|wheel) [^&\n]*", DOCKERFILE.replace("\\\n", "")):
        assert "--require-hashes" in command or "--no-index" in command


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
