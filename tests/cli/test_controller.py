from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from entryproxy.cli import controller, main
from entryproxy.controller.rounds import Round
from entryproxy.controller.situation import Situation
from entryproxy.provision.actions import DeleteNamespace, Plan
from entryproxy.settings import ControllerSettings


def parse(*arguments: str) -> ControllerSettings:
    parser = argparse.ArgumentParser()
    controller.add_parser(parser.add_subparsers())
    return controller.settings_from(parser.parse_args(["controller", *arguments]))


def test_defaults() -> None:
    assert parse() == ControllerSettings()


def test_every_option_has_its_setting(tmp_path: Path) -> None:
    settings = parse(
        *("--namespace", "entry", "--kubeconfig", "k", "--context", "c", "--identity", "me", "--admin-port", "1"),
        *("--admin-bind", "::1", "--helm", "/h", "--work-dir", "/w", "--chart", "x", "--chart-version", "1.2.3"),
        *("--chart-repository", "https://charts.example", "--charts-dir", str(tmp_path), "--chart-plain-http", "on"),
        *("--chart-registries", "oci://a/b,oci://c", "--shared-namespaces", "pool", "--shared-namespaces", "apps"),
        *("--parallel", "2", "--resync-seconds", "1.5", "--withdraw-seconds", "0", "--operation-seconds", "9"),
        *("--rollout-seconds", "8"),
        *("--lease-seconds", "5", "--dry-run"),
    )
    assert settings == ControllerSettings(
        namespace="entry",
        kubeconfig="k",
        context="c",
        identity="me",
        admin_port=1,
        admin_bind="::1",
        helm="/h",
        work_dir="/w",
        chart="x",
        chart_version="1.2.3",
        chart_repository="https://charts.example",
        chart_registries=("oci://a/b", "oci://c"),
        shared_namespaces=("pool", "apps"),
        charts_dir=str(tmp_path),
        chart_plain_http=True,
        parallel=2,
        resync_seconds=1.5,
        withdraw_seconds=0,
        operation_seconds=9,
        rollout_seconds=8,
        lease_seconds=5,
        dry_run=True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--parallel", "0"), ("--parallel", "33"), ("--resync-seconds", "-1"), ("--namespace", "A")),
        *(("--chart-registries", "https://a"), ("--chart-registries", "oci://"), ("--shared-namespaces", "A")),
    ],
)
def test_bad_values(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--charts-dir", "/nowhere/charts", "/nowhere/charts is not a folder"),
        ("--chart-version", "^2", '"^2" is not one exact version such as "2.2.1"'),
        ("--chart", "https://charts.example/tiny", "of references by URL, only oci:// is one"),
        ("--chart-repository", "nonsense", "it is no URL with http:// or https:// and a host"),
        ("--chart-repository", "ftp://charts.example/", "it is no URL"),
        ("--chart-repository", "https://", "it is no URL"),
        ("--chart-repository", "https://[::1", "it is no URL"),
    ],
)
def test_what_no_tenant_could_be_given(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told at the start, where it can be mended; tenants would be blamed for it one by one."""
    assert main(["controller", option, value]) == 2
    complaint = capsys.readouterr().err
    assert f"{option}: " in complaint
    assert message in complaint


def test_a_password_in_a_bad_url_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", "--chart-repository", "ftp://me:s3cr3t@charts.example/"]) == 2
    assert "s3cr3t" not in capsys.readouterr().err


def test_without_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nprintf v4.2.4\n")
    program.chmod(0o755)
    nowhere = str(tmp_path / "nowhere")
    assert main(["controller", "--dry-run", "--helm", str(program), "--kubeconfig", nowhere]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"entryproxy: no way to a cluster: There is no kubeconfig at {nowhere}, and this is no pod",
        "  --kubeconfig and --context say which one.",
    ]


def test_without_helm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controller", "--dry-run", "--helm", "/nowhere/helm"]) == 1
    assert "Helm isn't here: '/nowhere/helm'" in capsys.readouterr().err


def test_a_preview(capsys: pytest.CaptureFixture[str]) -> None:
    going = Plan(actions=(DeleteNamespace("a-gateway"),), phase="Removing", reason="DeletingNamespace", message="Gone.")
    refused = Plan(phase="Failed", reason="ClassTaken", message="No.")
    rounds = {
        "a": Round(plan=going, situation=Situation("remove")),
        "b": Round(plan=refused, situation=Situation("provision")),
    }
    assert controller.print_rounds(rounds) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a: Removing (DeletingNamespace): Gone.",
        "  - delete Namespace a-gateway",
        "b: Failed (ClassTaken): No.",
        "2 tenants, 1 to be changed",
    ]
    assert controller.print_rounds({"a": rounds["a"]}) == 0
