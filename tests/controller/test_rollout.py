from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from entryproxy.controller.rollout import Deployment, look_at_rollout
from entryproxy.kubernetes.errors import ApiError
from entryproxy.provision.state import Rollout

NOW = 1_000_000.0
CURRENT = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
OVERLAPPING = {"replicas": 4, "updatedReplicas": 2, "availableReplicas": 2}


def condition(kind: str, status: str = "True", *, age: float = 0, **fields: str) -> dict[str, Any]:
    updated = datetime.fromtimestamp(NOW - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "status": status, "lastUpdateTime": updated, **fields}


def document(numbers: dict[str, int], *conditions: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    status = {"observedGeneration": 1, **numbers, "conditions": list(conditions)}
    return {"metadata": {"name": "gateway", "generation": generation}, "status": status}


def deployment(*arguments: Any, **fields: Any) -> Deployment:
    return msgspec.convert(document(*arguments, **fields), Deployment)


@pytest.mark.parametrize(
    ("one", "is_available", "is_complete"),
    [
        (deployment(CURRENT), True, True),
        (deployment(OVERLAPPING), True, False),
        (deployment({"replicas": 2, "updatedReplicas": 2}), False, True),
        (deployment({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}), True, True),
        (deployment(CURRENT, generation=2), False, False),
        (msgspec.convert({"metadata": {"name": "g", "generation": 1}}, Deployment), False, False),
    ],
)
def test_how_far_it_has_got(one: Deployment, is_available: bool, is_complete: bool) -> None:
    assert (one.is_available, one.is_complete) == (is_available, is_complete)


@pytest.mark.parametrize(
    ("one", "stalled"),
    [
        (deployment(OVERLAPPING), ""),
        (deployment(OVERLAPPING, condition("Progressing", age=59, message="slow.")), ""),
        (
            deployment(OVERLAPPING, condition("Progressing", age=61, message="slow.")),
            "Deployment gateway: no progress for 60 s",
        ),
        (deployment(CURRENT, condition("Progressing", age=9_999, reason="NewReplicaSetAvailable")), ""),
        (
            deployment(
                OVERLAPPING, condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="no.")
            ),
            "Deployment gateway: no",
        ),
        (
            deployment(
                OVERLAPPING,
                condition("Progressing", age=61, message="slow."),
                condition("ReplicaFailure", reason="FailedCreate", message="exceeded quota"),
            ),
            "Deployment gateway: exceeded quota",
        ),
        # Pods that are new and not there any more, as when their node is gone
        (
            deployment({"replicas": 2, "updatedReplicas": 2}, condition("Progressing", age=61, message="old.")),
            "Deployment gateway: no progress for 60 s",
        ),
    ],
)
def test_what_holds_it_up(one: Deployment, stalled: str) -> None:
    assert one.stalled(NOW, 60, since=NOW - 3_600) == stalled


@pytest.mark.parametrize(
    "progress",
    [
        condition("Progressing", age=7_200, reason="NewReplicaSetAvailable"),
        condition("Progressing", "False", age=7_200, reason="ProgressDeadlineExceeded"),
    ],
)
def test_what_was_said_of_the_rollout_before(progress: dict[str, Any]) -> None:
    """The Deployment's controller takes its time, and more when it has just started itself."""
    assert deployment(CURRENT, progress, generation=2).stalled(NOW, 60, since=NOW - 3_600) == ""
    begun = deployment(OVERLAPPING, progress)
    assert begun.stalled(NOW, 60, since=NOW - 60) == ""
    assert begun.stalled(NOW, 60, since=NOW - 61) == "Deployment gateway: no progress for 60 s"


class Api:
    """The Deployments that there are."""

    def __init__(self, **documents: Any) -> None:
        self._documents = documents

    async def get(self, path: str, **_: Any) -> bytes:
        found = self._documents.get(path.rpartition("/")[2])
        if found is None:
            raise ApiError(404, "NotFound", "not found")
        return found if isinstance(found, bytes) else json.dumps(found).encode()


async def look(**documents: Any) -> Rollout:
    api: Any = Api(**documents)
    return await look_at_rollout(api, "ns", "gateway", ("controller",), now=NOW, since=NOW - 3_600, rollout_seconds=60)


async def test_all_deployments_of_a_release_count() -> None:
    stuck = document(OVERLAPPING, condition("Progressing", age=61, message="stuck"))
    assert await look(gateway=document(CURRENT), controller=document(CURRENT)) == Rollout(is_serving=True)
    assert await look(gateway=document(CURRENT), controller=stuck) == Rollout(
        is_serving=True, is_complete=False, stalled="Deployment gateway: no progress for 60 s"
    )
    assert await look(gateway=document(OVERLAPPING)) == Rollout(is_serving=True, is_complete=False)
    assert await look(controller=document(CURRENT)) == Rollout()


async def test_what_is_no_deployment() -> None:
    with pytest.raises(ApiError, match="Deployment ns/gateway can't be read"):
        await look(gateway=b"[]")
