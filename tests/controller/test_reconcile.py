"""What one round does, and in which order; what is designed, observed and done is made up here."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from entryproxy.controller.design import Refused
from entryproxy.controller.execute import Context
from entryproxy.controller.helm.outcome import HelmError
from entryproxy.controller.observe import Target
from entryproxy.controller.reconcile import Reconciler
from entryproxy.controller.storyteller import Storyteller
from entryproxy.controller.tenants import Wanted
from entryproxy.kubernetes.errors import ApiError
from entryproxy.model.objects import FINALIZER, PROVISIONED_LABEL, STATUS_ANNOTATION, TENANT_LABEL
from entryproxy.model.release import ReleaseSpec
from entryproxy.model.status import TenantStatus, decode_status, encode_status
from entryproxy.model.tenant import TenantSpec
from entryproxy.provision.actions import DropFinalizer, InstallRelease, Plan
from entryproxy.provision.plan import BACK_OFF_SECONDS_MIN
from entryproxy.provision.problems import Problem
from entryproxy.provision.state import Desired, Observed, Rollout
from entryproxy.provision.statuses import Outcome
from entryproxy.settings import ControllerSettings
from entryproxy.telemetry.releases import ControllerReport
from tests.provision.worlds import desired, observed

SETTINGS = ControllerSettings(namespace="entry", resync_seconds=100, withdraw_seconds=10)
SERVING = Rollout(is_serving=True)
REFUSED = Refused("ClassTaken", "Somebody has it.")


def wanted(uid: str = "u1", release: ReleaseSpec | None = ReleaseSpec()) -> Wanted:  # noqa: B008 - it is frozen
    return Wanted(
        tenant="acme",
        namespace="entry",
        name="acme",
        uid=uid,
        created="2026-01-01T00:00:00Z",
        spec=TenantSpec(release=release),
        document="D",
    )


class World:
    """All that a reconciler asks for; journal: what was told (phase and reason) and done, in order."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.tenants: dict[str, Wanted] = {"acme": wanted()}
        self.config_maps: dict[str, dict[str, Any]] = {}
        self.observed = observed("1 deployed D2", rollout=SERVING)
        self.refusal: Exception | None = None
        self.collision: Exception | None = None
        self.trouble: Exception | None = None
        self.failure = ""
        self.leaving: list[object] = []
        self.targets: list[Target] = []
        self.contexts: list[Context] = []
        self.remarks: tuple[Problem, ...] = ()
        self.report = ControllerReport()
        everything: Any = self
        storyteller = Storyteller(everything, self.report)
        self.reconciler = Reconciler(
            everything,
            SETTINGS,
            self.tenants,
            designer=everything,
            observer=everything,
            executor=everything,
            storyteller=storyteller,
            on_uninstalled=lambda: self.journal.append("told the sharers"),
        )

    def hold(self, name: str = "acme", uid: str = "u1", *, held_for: str = "acme", **metadata: Any) -> None:
        """A ConfigMap with our finalizer."""
        labels = {PROVISIONED_LABEL: held_for, TENANT_LABEL: "acme"}
        self.config_maps[name] = {
            "name": name,
            "namespace": "entry",
            "uid": uid,
            "labels": labels,
            "finalizers": [FINALIZER],
            **metadata,
        }

    @property
    def status(self) -> TenantStatus:
        told = decode_status(self.config_maps["acme"]["annotations"][STATUS_ANNOTATION])
        assert told is not None
        return told

    # -- as the client

    async def list(self, path: str, query: Mapping[str, str], *, metadata_only: bool) -> AsyncIterator[bytes]:
        assert (path, metadata_only) == ("/api/v1/namespaces/entry/configmaps", True)
        if self.trouble is not None:
            raise self.trouble
        label, _, value = query.get("labelSelector", "").partition("=")
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        found = [
            {"metadata": one}
            for one in self.config_maps.values()
            if name in ("", one["name"]) and (not label or one["labels"].get(label) == value)
        ]
        yield json.dumps({"items": found}).encode()

    async def apply(self, path: str, body: bytes, manager: str, query: Mapping[str, str]) -> bytes:
        metadata = json.loads(body)["metadata"]
        one = self.config_maps.setdefault(metadata["name"], {**metadata, "labels": {TENANT_LABEL: "acme"}})
        one["annotations"] = metadata["annotations"]
        status = decode_status(metadata["annotations"].get(STATUS_ANNOTATION, ""))
        self.journal.append(f"told {status.phase} {status.reason}" if status is not None else "cleared")
        return b"{}"

    # -- as designer, observer, executor and recorder

    async def design(self, wanted: Wanted, tenants: object) -> tuple[Desired, tuple[Problem, ...]]:
        if self.refusal is not None:
            raise self.refusal
        return desired(), self.remarks

    async def check_neighbours(self, *arguments: object) -> None:
        self.leaving.append(arguments[-1])
        if self.collision is not None:
            raise self.collision

    def look_anew(self) -> None:
        self.journal.append("looks anew")

    async def observe(self, target: Target) -> Observed:
        self.targets.append(target)
        return msgspec.structs.replace(
            self.observed, is_removed=target.is_removed, is_withdrawn=target.is_withdrawn, attempt=target.attempt
        )

    async def execute(self, plan: Plan, context: Context) -> Outcome:
        self.contexts.append(context)
        self.journal += [f"done {type(action).__name__}" for action in plan.actions]
        if self.failure and plan.actions:
            failed = plan.actions[-1]
            is_release = self.failure == "release"
            return Outcome(failed=failed, reason="Broken", error="It broke.", is_release_failure=is_release)
        return Outcome(done=plan.actions)

    async def record(self, *event: object) -> bool:
        return True

    def forget(self, tenant: str) -> None:
        self.journal.append(f"forgot {tenant}")


@pytest.fixture
def world() -> World:
    return World()


# -- a tenant that is wanted


async def test_what_is_going_to_be_done_is_told_before(world: World) -> None:
    world.observed = observed(has_finalizer=True)
    assert await world.reconciler.reconcile("acme") == 0
    told, *done = world.journal
    assert told.startswith("told Provisioning ")
    assert done[-1] == "done InstallRelease"
    assert (world.status.document, world.status.revision) == ("D", 0)
    assert (world.contexts[0].source, world.contexts[0].uid) == ("entry/acme", "u1")


async def test_a_tenant_that_is_as_it_should_be_is_told_of_once(world: World) -> None:
    world.hold()
    for _ in range(2):
        assert 50 < await world.reconciler.reconcile("acme") < 150
    assert world.journal == ["told Ready Ready"]
    assert world.report.rounds == {"unchanged": 2}


async def test_a_failure_is_told_afterwards(world: World) -> None:
    world.observed, world.failure = observed(has_finalizer=True), "other"
    delay = await world.reconciler.reconcile("acme")
    assert BACK_OFF_SECONDS_MIN / 2 <= delay <= BACK_OFF_SECONDS_MIN
    assert world.journal[0].startswith("told Provisioning ")
    assert world.journal[-1] == "told Failed Broken"
    assert world.status.next_retry


async def test_a_release_that_failed_waits_as_long_as_its_status_says(world: World) -> None:
    world.hold()
    world.observed, world.failure = observed("1 deployed D1", rollout=SERVING), "release"
    assert await world.reconciler.reconcile("acme") == 0
    assert world.journal[-1] == "told Failed Broken"
    assert (world.status.attempt.failures, world.status.attempt.digest) == (1, "D2")
    # The next round knows of the attempt, and leaves the release alone.
    world.journal.clear()
    assert await world.reconciler.reconcile("acme") > 1
    assert world.targets[-1].attempt == world.status.attempt
    assert not any(line.startswith("done") for line in world.journal)


@pytest.mark.parametrize("way", ["refusal", "collision"])
async def test_a_refusal_keeps_what_serves(world: World, way: str) -> None:
    world.hold()
    setattr(world, way, REFUSED)
    world.observed = observed("1 deployed D1", rollout=SERVING)
    assert await world.reconciler.reconcile("acme") > 1
    assert world.journal == ["told Failed ClassTaken"]
    assert (world.status.revision, world.status.message, world.status.next_retry) == (1, "Somebody has it.", "")
    assert {one.type: one.status for one in world.status.conditions}["Ready"] == "True"


async def test_a_tenant_that_moves_to_where_it_can_not_be_stays(world: World) -> None:
    """The release that leaves isn't in its own way."""
    world.hold()
    world.observed = observed("1 deployed D2", release_namespace="acme-old", rollout=SERVING)
    world.collision = REFUSED
    assert await world.reconciler.reconcile("acme") > 1
    assert world.leaving == [("acme-old", "acme")]
    assert world.journal == ["told Failed ClassTaken"]
    world.collision = None
    world.journal.clear()
    await world.reconciler.reconcile("acme")
    assert world.journal == ["told Provisioning Moving", "done UninstallRelease", "looks anew", "told the sharers"]


async def test_neighbours_are_asked_before_helm_runs_only(world: World) -> None:
    world.hold()
    world.collision = REFUSED
    await world.reconciler.reconcile("acme")
    assert world.journal == ["told Ready Ready"]


async def test_a_transient_refusal_says_when(world: World) -> None:
    world.refusal = Refused("ChartUnavailable", "The repository is away.", is_transient=True)
    assert await world.reconciler.reconcile("acme") < SETTINGS.resync_seconds
    assert world.status.next_retry


async def test_deciding_writes_nothing(world: World) -> None:
    world.observed = observed(has_finalizer=True)
    one = await world.reconciler.decide("acme", time.time())
    assert any(isinstance(action, InstallRelease) for action in one.plan.actions)
    assert world.journal == []


async def test_a_configmap_that_is_held_for_another_tenant_waits(world: World) -> None:
    """It was another one's before, which has to go first: one ConfigMap has one status and one finalizer."""
    world.hold(held_for="other")
    assert await world.reconciler.reconcile("acme") < SETTINGS.resync_seconds
    assert world.journal == ["forgot acme"]


# -- a tenant that goes


async def test_removal_waits_for_the_entries(world: World) -> None:
    world.tenants.clear()
    world.hold(deletionTimestamp="2026-01-01T00:00:00Z")
    deleted_at = 1767225600.0
    one = await world.reconciler.decide("acme", deleted_at + 9)
    assert (one.plan.phase, one.plan.actions) == ("Removing", ())
    one = await world.reconciler.decide("acme", deleted_at + 10)
    assert one.plan.actions
    assert [(target.is_removed, target.is_withdrawn) for target in world.targets] == [(True, False), (True, True)]


async def test_a_lost_label_counts_from_when_it_was_seen(world: World) -> None:
    world.tenants.clear()
    world.hold(labels={PROVISIONED_LABEL: "acme"})
    for seconds, is_withdrawn in ((0, False), (9, False), (10, True)):
        await world.reconciler.decide("acme", 1e9 + seconds)
        assert world.targets[-1].is_withdrawn == is_withdrawn


async def test_the_end_of_a_removal(world: World) -> None:
    world.tenants.clear()
    world.hold(deletionTimestamp="2026-01-01T00:00:00Z")
    world.observed = Observed(has_finalizer=True)
    await world.reconciler.reconcile("acme")
    assert world.journal == ["told Removed Removed", "done DropFinalizer", "forgot acme"]
    assert [one.uid for one in world.contexts[0].holders] == ["u1"]


async def test_the_last_status_says_where_the_release_was(world: World) -> None:
    world.tenants.clear()
    told = encode_status(TenantStatus(phase="Ready", namespace="elsewhere"))
    world.hold(deletionTimestamp="2026-01-01T00:00:00Z", annotations={STATUS_ANNOTATION: told})
    await world.reconciler.decide("acme", time.time())
    assert world.targets[0].last_namespace == "elsewhere"


async def test_a_successor_that_is_refused_stops_no_removal(world: World) -> None:
    world.tenants["acme"] = wanted("u2")
    world.hold("before", deletionTimestamp="2026-01-01T00:00:00Z")
    world.refusal = REFUSED
    one = await world.reconciler.decide("acme", time.time())
    assert (one.situation.kind, one.plan.phase, one.plan.reason) == ("replace", "Removing", "ClassTaken")
    assert one.plan.actions
    assert world.targets[0].is_removed


# -- what is let go, or alone


async def test_what_is_handed_over_stays(world: World) -> None:
    world.tenants["acme"] = wanted(release=ReleaseSpec(enabled=False))
    world.hold()
    one = await world.reconciler.decide("acme", time.time())
    assert one.plan.actions == (DropFinalizer(),)
    await world.reconciler.reconcile("acme")
    assert world.targets == []
    assert world.journal == ["told Unmanaged HandedOver", "done DropFinalizer", "forgot acme"]


async def test_what_is_held_waits_for_somebody(world: World) -> None:
    world.tenants.clear()
    world.hold()
    assert 50 < await world.reconciler.reconcile("acme") < 150
    assert (world.journal, world.contexts) == (["forgot acme"], [])


async def test_what_is_nobodys_is_never_looked_at_again(world: World) -> None:
    world.tenants.clear()
    assert await world.reconciler.reconcile("acme") == math.inf
    assert world.journal == ["forgot acme"]


async def test_a_refusal_of_a_tenant_that_wants_nothing_any_more_is_taken_back(world: World) -> None:
    world.refusal = REFUSED
    await world.reconciler.reconcile("acme")
    assert world.journal == ["told Failed ClassTaken"]
    world.tenants["acme"] = wanted(release=None)
    assert await world.reconciler.reconcile("acme") == math.inf
    assert world.journal[1:] == ["forgot acme", "cleared"]


# -- trouble


@pytest.mark.parametrize(
    "trouble",
    [ApiError(503, "Unavailable", "No."), OSError("disk full"), HelmError("failed", "No.")],  # type: ignore[arg-type]
)
async def test_trouble_backs_off(world: World, trouble: Exception) -> None:
    world.trouble = trouble
    delays = [await world.reconciler.reconcile("acme") for _ in range(3)]
    for number, delay in enumerate(delays):
        assert BACK_OFF_SECONDS_MIN * 2**number / 2 <= delay <= BACK_OFF_SECONDS_MIN * 2**number
    assert world.report.rounds == {"failed": 3}
    assert world.journal == []


async def test_a_fault_of_ours_is_the_callers(world: World) -> None:
    world.trouble = KeyError("x")
    with pytest.raises(KeyError):
        await world.reconciler.reconcile("acme")
