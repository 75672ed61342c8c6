from __future__ import annotations

from typing import Any

import pytest

from entryproxy.authoring.ownership import guarded, is_ours, obstacles, other_managers, refusal
from entryproxy.model.objects import FINALIZER

OURS = {"manager": "entryproxy", "operation": "Apply"}
EDITED = {"manager": "kubectl-edit", "operation": "Update"}
STATUS = {"manager": "controller", "operation": "Update", "subresource": "status"}
LABEL = "entryproxy.higress.io/tenant"


def present(label: str | None = "t1", managers: tuple[Any, ...] = (OURS,), **metadata: Any) -> dict[str, Any]:
    labels = {} if label is None else {LABEL: label}
    return {
        "kind": "ConfigMap",
        "metadata": {"namespace": "ns", "name": "t1", "labels": labels, "managedFields": list(managers), **metadata},
    }


@pytest.mark.parametrize(
    ("managers", "ours", "others"),
    [
        ((), False, ()),
        ((OURS,), True, ()),
        ((OURS, EDITED, STATUS), True, ("kubectl-edit",)),
        (({"manager": "entryproxy", "operation": "Update"},), False, ("entryproxy",)),
        (("torn",), False, ()),
    ],
)
def test_managers(managers: tuple[Any, ...], ours: bool, others: tuple[str, ...]) -> None:
    metadata = present(managers=managers)["metadata"]
    assert (is_ours(metadata), other_managers(metadata)) == (ours, others)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (present(), ""),
        (present(managers=(OURS, EDITED)), ""),
        (present(None), f"nothing to do with tenants: it lacks the label {LABEL}"),
        (present("t2"), "belongs to 't2'"),
        (
            present(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"]),
            "is being removed and waits for a/b; entryproxy tenant remove t1 --wait ends when it is gone",
        ),
        (present(managers=(EDITED,)), "is kept by kubectl-edit: change it there"),
        (present(managers=()), "is kept by somebody else"),
        (
            {"kind": "Secret", "metadata": {"namespace": "ns", "name": "x", "labels": None}},
            "Secret ns/x exists already",
        ),
    ],
)
def test_refusal(one: dict[str, Any], why: str) -> None:
    assert why in refusal(one, "t1")
    assert bool(refusal(one, "t1")) == bool(why)


def test_a_new_object_must_not_exist_and_an_old_one_not_have_changed() -> None:
    wanted = {"metadata": {"name": "t1"}}
    assert guarded(wanted, None)["metadata"] == {"name": "t1", "resourceVersion": "1"}
    assert guarded(wanted, present(resourceVersion="42"))["metadata"]["resourceVersion"] == "42"
    assert wanted == {"metadata": {"name": "t1"}}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, []),
        ({"finalizers": ["a/b", FINALIZER, "c/d"]}, ["stays until a/b, c/d lets it go"]),
        ({"finalizers": [FINALIZER]}, []),
        (
            {"namespace": "ns", "annotations": {"cert-manager.io/certificate-name": "c"}},
            ["cert-manager: delete Certificate ns/c first"],
        ),
        ({"ownerReferences": [{"kind": "A", "name": "a", "controller": True}, {"kind": "B"}]}, ["again by A a"]),
    ],
)
def test_obstacles(metadata: dict[str, Any], expected: list[str]) -> None:
    found = obstacles(metadata)
    assert len(found) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, found, strict=True))


def test_removing_the_tenant_is_no_way_to_wait_for_a_secret() -> None:
    going = {**present(deletionTimestamp="2026-01-01T00:00:00Z"), "kind": "Secret"}
    assert refusal(going, "t1").endswith("waits for nobody")
