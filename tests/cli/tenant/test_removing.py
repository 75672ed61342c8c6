"""What is asked before a removal; what is deleted: tests/cluster/test_tenant_commands.py."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from entryproxy.authoring.objects import Manifest
from entryproxy.cli import main
from entryproxy.cli.output import CommandError
from entryproxy.cli.tenant import removing
from entryproxy.model.objects import FINALIZER, STATUS_ANNOTATION
from entryproxy.model.status import TenantStatus, encode_status


class Holder:
    """What commands take for the cluster: some objects of one tenant, in a namespace that is there or isn't."""

    def __init__(self, *found: Manifest, has_namespace: bool = True) -> None:
        self.deleted: list[str] = []
        self._found = found
        self._has_namespace = has_namespace

    async def list_of(self, kind: str, tenant: str) -> list[Manifest]:
        assert tenant == "t1"
        return [one for one in self._found if one["kind"] == kind]

    async def delete(self, manifest: Manifest, *, dry_run: bool) -> bool:
        self.deleted += [] if dry_run else [manifest["metadata"]["name"]]
        return True

    async def check_namespace(self) -> None:
        if not self._has_namespace:
            raise CommandError("no such namespace")


def config_map(**metadata: Any) -> Manifest:
    return {"kind": "ConfigMap", "metadata": {"name": "t1", "uid": "u", **metadata}}


def provisioned(namespace: str) -> Manifest:
    status = encode_status(TenantStatus(phase="Ready", namespace=namespace))
    return config_map(finalizers=[FINALIZER], annotations={STATUS_ANNOTATION: status})


@pytest.fixture
def remove(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command in front of this cluster, and of somebody who says no."""

    def run(holder: Holder, *arguments: str) -> int:
        def on_cluster(_: argparse.Namespace, work: Callable[[Any], Any]) -> Any:
            return asyncio.run(work(holder))

        monkeypatch.setattr(removing, "on_cluster", on_cluster)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", lambda _: "n")
        return main(["tenant", "remove", "t1", *arguments])

    return run


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (config_map(), ""),
        (
            provisioned("t1-gateway"),
            "; with it goes the tenant's release and, if the controller made it, namespace t1-gateway "
            "with all that is in it",
        ),
        (
            config_map(finalizers=[FINALIZER]),
            "; with it goes the tenant's release and, if the controller made it, its namespace with all that is in it",
        ),
    ],
)
def test_what_goes_with_a_tenant_is_told_first(
    one: Manifest, told: str, remove: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    holder = Holder(one)
    assert remove(holder) == 1
    assert f"entryproxy: configmap/t1 would be deleted{told}\n" in capsys.readouterr().err
    assert remove(holder, "--dry-run") == 0
    assert capsys.readouterr().out.endswith(f"(server dry run){told}\n")
    assert holder.deleted == []
    assert remove(holder, "--yes") == 0
    assert told == "" or told not in capsys.readouterr().out
    assert holder.deleted == ["t1"]


def test_nothing_to_remove(remove: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert remove(Holder(), "--yes") == 0
    assert "nothing to remove" in capsys.readouterr().err
    assert remove(Holder(has_namespace=False), "--yes") == 1
    assert "no such namespace" in capsys.readouterr().err
