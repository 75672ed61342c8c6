from __future__ import annotations

import argparse

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


def test_every_option_has_its_setting() -> None:
    settings = parse(
        *("--namespace", "entry", "--kubeconfig", "k", "--context", "c", "--identity", "me", "--admin-port", "1"),
        *("--admin-bind", "::1", "--helm", "/h", "--work-dir", "/w", "--chart", "x", "--chart-version", "1.2.3"),
        *("--chart-repository", "https://charts.example", "--charts-dir", "/c", "--chart-plain-http", "on"),
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
        charts_dir="/c",
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
