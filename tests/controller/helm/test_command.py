from __future__ import annotations

import sys
from pathlib import Path, PurePath

import pytest

from entryproxy.controller.helm import command
from entryproxy.provision.state import DesiredRelease

RELEASE = DesiredRelease(
    name="tenant1",
    namespace="tenant1-gateway",
    chart="/charts/core.tgz",
    version="2.2.1",
    values={"secret": "s3cr3t"},
    digest="f" * 63,
    gateway="higress-gateway",
)
FILE = PurePath("/private/values.json")
REFUSAL = PurePath("/private/refusal")
UPGRADING = command.upgrade(RELEASE, FILE, REFUSAL, timeout_seconds=120)
NARROWING = (
    "--post-renderer=entryproxy-postrender",
    '--post-renderer-args={"namespace":"tenant1-gateway","rendering":{"watched":"","has_config":true,"service":"","tenant":""},'
    '"refusal_file":"/private/refusal"}',
)


def test_upgrade() -> None:
    arguments = UPGRADING
    assert arguments == [
        "upgrade",
        "--install",
        "--output=json",
        "--reset-values",
        "--values=/private/values.json",
        "--skip-crds",
        "--namespace=tenant1-gateway",
        "--server-side=true",
        "--force-conflicts",
        "--history-max=5",
        "--wait=hookOnly",
        "--timeout=120s",
        *NARROWING,
        f"--labels=entryproxy.higress.io/digest={'f' * 63}",
        f"--description=entryproxy {'f' * 63}",
        "--hide-notes",
        "--",
        "tenant1",
        "/charts/core.tgz",
    ]


def test_values_are_never_on_a_command_line() -> None:
    assert "s3cr3t" not in " ".join(UPGRADING)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (command.version(), "version --template={{.Version}}"),
        (
            command.rollback("tenant1", "ns", 3, timeout_seconds=60),
            "rollback --namespace=ns --server-side=true --force-conflicts --history-max=5 --wait=hookOnly --timeout=60s"
            " -- tenant1 3",
        ),
        (
            command.uninstall("tenant1", "ns", timeout_seconds=60),
            "uninstall --namespace=ns --ignore-not-found --wait=hookOnly --timeout=60s -- tenant1",
        ),
        (command.package(PurePath("/charts/core"), PurePath("/t")), "package --destination=/t -- /charts/core"),
        (command.update_repository(), "repo update -- charts"),
        (
            command.pull("core", "2.2.1", PurePath("/t")),
            "pull --version=2.2.1 --destination=/t -- charts/core",
        ),
        (
            command.pull("oci://example.com/core", "2.2.1", PurePath("/t"), plain_http=True),
            "pull --version=2.2.1 --destination=/t --plain-http -- oci://example.com/core",
        ),
    ],
)
def test_command_lines(arguments: list[str], line: str) -> None:
    assert " ".join(arguments) == line


def test_the_environment_is_only_ours() -> None:
    folder = PurePath("/private")
    made = command.environment(folder, PurePath("/etc/kubeconfig"), "/usr/bin")
    assert made.pop("PATH") == "/usr/bin"
    assert made.pop("KUBECONFIG") == "/etc/kubeconfig"
    assert made.pop("HELM_DRIVER") == "secret"
    assert made.pop("ENTRYPROXY_PYTHON") == sys.executable
    assert [one.name for one in Path(made.pop("HELM_PLUGINS")).glob("*/plugin.yaml")] == ["plugin.yaml"]
    assert all(PurePath(value).is_relative_to(folder) for value in made.values())
    assert {"HOME", "KUBECACHEDIR", "HELM_REGISTRY_CONFIG", "HELM_CACHE_HOME"} <= set(made)
