from __future__ import annotations

from typing import get_args

import pytest

from entryproxy.provision import actions
from entryproxy.provision.actions import Action, ApplyObject, reference_of
from entryproxy.provision.digests import DIGEST_ANNOTATION
from entryproxy.provision.state import Reference
from tests.provision.worlds import NAMESPACE_MANIFEST, QUOTA_MANIFEST, config_map, release

DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "wasmplugins.extensions.higress.io"},
}
EXAMPLES: list[tuple[Action, str]] = [
    (actions.EnsureFinalizer(), "add our finalizer to the tenant's ConfigMap"),
    (actions.CreateDefinition(DEFINITION), "create CustomResourceDefinition wasmplugins.extensions.higress.io"),
    (actions.ApplyObject(QUOTA_MANIFEST), "apply ResourceQuota acme-gateway/acme"),
    (actions.DeleteObject(config_map("x")), "delete ConfigMap acme-gateway/x"),
    (
        actions.InstallRelease(release("D1")),
        "install release acme-gateway/acme (chart version 2.2.1, digest D1)",
    ),
    (
        actions.UpgradeRelease(release("D1"), 3),
        "upgrade release acme-gateway/acme from revision 3 (chart version 2.2.1, digest D1)",
    ),
    (
        actions.RollbackRelease("acme", "acme-gateway", 2, "UpgradeFailed", "higress-gateway"),
        "roll release acme-gateway/acme back to revision 2 (UpgradeFailed)",
    ),
    (actions.UninstallRelease("acme", "acme-gateway"), "uninstall release acme-gateway/acme"),
    (
        actions.RepairObjects((config_map("x"), config_map("y"))),
        "apply again from the deployed manifest: ConfigMap acme-gateway/x, ConfigMap acme-gateway/y",
    ),
    (actions.DeleteNamespace("acme-gateway"), "delete Namespace acme-gateway"),
    (actions.DropFinalizer(), "drop our finalizer from the tenant's ConfigMap"),
]


@pytest.mark.parametrize(("action", "line"), EXAMPLES)
def test_describe(action: Action, line: str) -> None:
    assert action.describe() == line


def test_every_action_is_described() -> None:
    assert {type(action) for action, _ in EXAMPLES} == set(get_args(Action))


def test_descriptions_hold_no_values() -> None:
    secret = actions.InstallRelease(release("D1"))
    assert str(secret.release.values) not in secret.describe()


def test_reference_of() -> None:
    assert reference_of(QUOTA_MANIFEST) == Reference("v1", "ResourceQuota", "acme-gateway", "acme")
    assert reference_of(NAMESPACE_MANIFEST) == Reference("v1", "Namespace", "", "acme-gateway")


def test_digest_is_of_the_content_not_of_its_order() -> None:
    turned = dict(reversed(QUOTA_MANIFEST.items()))
    assert ApplyObject(QUOTA_MANIFEST).digest == ApplyObject(turned).digest
    assert ApplyObject(QUOTA_MANIFEST).digest != ApplyObject({**QUOTA_MANIFEST, "spec": {}}).digest


def test_digest_is_what_the_manifest_itself_carries() -> None:
    metadata = {**QUOTA_MANIFEST["metadata"], "annotations": {DIGEST_ANNOTATION: ApplyObject(QUOTA_MANIFEST).digest}}
    assert ApplyObject({**QUOTA_MANIFEST, "metadata": metadata}).digest == ApplyObject(QUOTA_MANIFEST).digest
