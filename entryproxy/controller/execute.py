"""A plan, carried out: its actions in order, up to the first that fails.

Nothing is undone then, and nothing needs to be: every action can be repeated, and whoever comes next observes and plans
again. So it is with a task that is cancelled, for which Helm's process is ended first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from entryproxy.controller.finalizers import drop_finalizer, ensure_finalizer
from entryproxy.controller.helm.driver import Helm
from entryproxy.controller.helm.outcome import KINDS, HelmError, clean
from entryproxy.controller.holders import Holder
from entryproxy.controller.object_writer import ObjectWriter
from entryproxy.controller.payload import HELM_FIELD_MANAGER
from entryproxy.controller.releases import list_releases
from entryproxy.controller.replicas import keep_replicas
from entryproxy.controller.seal import seal
from entryproxy.kubernetes.client import ClusterClient
from entryproxy.kubernetes.errors import TOO_MANY_REQUESTS, UNAUTHORIZED, ApiError
from entryproxy.provision.actions import (
    Action,
    ApplyObject,
    CreateDefinition,
    DeleteNamespace,
    DeleteObject,
    DropFinalizer,
    EnsureFinalizer,
    InstallRelease,
    Plan,
    RepairObjects,
    RollbackRelease,
    UninstallRelease,
    UpgradeRelease,
)
from entryproxy.provision.revisions import is_foreign
from entryproxy.provision.state import DesiredRelease, Reference, Revision
from entryproxy.provision.statuses import Outcome

_LOST: frozenset[KINDS] = frozenset({"in_progress", "unreachable"})
_NOT_THE_RELEASE: frozenset[KINDS] = _LOST | {"terminating", "unsupported"}
_OPERATIONS: Mapping[type, tuple[str, str]] = {
    InstallRelease: ("InstallFailed", "The release could not be installed"),
    UpgradeRelease: ("UpgradeFailed", "The release could not be upgraded"),
    RollbackRelease: ("RollbackFailed", "The release could not be rolled back"),
    UninstallRelease: ("UninstallFailed", "The release could not be uninstalled"),
}


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a plan is for. source, uid: the tenant's ConfigMap, as in Desired; "" when there is none. holders: whose
    finalizer is dropped in the end. release_name: whose objects may be deleted; release_namespace: where it is."""

    tenant: str
    source: str = ""
    uid: str = ""
    holders: tuple[Holder, ...] = ()
    release_name: str = ""
    release_namespace: str = ""


class Repairer(Protocol):
    """Applies objects of a release's deployed manifest again."""

    async def repair(self, release: str, namespace: str, revision: int, references: Iterable[Reference]) -> None:
        """Raises ApiError."""


class Executor:
    """Only the leader may have one at work; one plan per tenant at a time is the caller's promise."""

    def __init__(self, client: ClusterClient, helm: Helm, *, manifests: Repairer) -> None:
        self._client = client
        self._helm = helm
        self._manifests = manifests
        self._objects = ObjectWriter(client)

    async def execute(self, plan: Plan, context: Context) -> Outcome:
        """What came of it; a failure raises nothing."""
        for number, action in enumerate(plan.actions):
            try:
                await self._carry_out(action, context)
            except (ApiError, HelmError) as error:
                return failure_of(plan.actions[:number], action, error)
        return Outcome(done=plan.actions)

    async def _carry_out(self, action: Action, context: Context) -> None:
        match action:
            case EnsureFinalizer():
                await ensure_finalizer(self._client, context.source, context.uid, context.tenant)
            case CreateDefinition(manifest):
                await self._objects.define(manifest)
            case ApplyObject(manifest):
                await self._objects.apply(manifest, context.tenant)
            case DeleteObject(reference):
                await self._objects.delete(reference, context.tenant, context.release_name)
            case RepairObjects(references):
                await self._repair(context.release_name, context.release_namespace, references)
            case DeleteNamespace(name):
                await self._objects.delete(Reference("v1", "Namespace", "", name), context.tenant)
            case DropFinalizer():
                for holder in context.holders:
                    await drop_finalizer(self._client, holder)
            case _:
                await self._operate(action)

    async def _operate(self, action: InstallRelease | UpgradeRelease | RollbackRelease | UninstallRelease) -> None:
        """Helm's own answer isn't enough, before or after: it asks nobody whose a release is, and can end in success
        without having recorded that."""
        match action:
            case InstallRelease(release):
                await self._upgrade(release, from_revision=0)
            case UpgradeRelease(release, from_revision):
                await self._upgrade(release, from_revision)
            case RollbackRelease(name, namespace, to_revision, _, gateway):
                await self._roll_back(name, namespace, to_revision, gateway)
            case UninstallRelease(name, namespace):
                if await self._revisions(name, namespace):
                    await self._helm.uninstall(name, namespace)
                    _check_uninstalled(await self._revisions(name, namespace))

    async def _upgrade(self, release: DesiredRelease, from_revision: int) -> None:
        _check_highest(await self._revisions(release.name, release.namespace), from_revision)
        if release.is_autoscaled:
            await keep_replicas(self._client, release.namespace, release.gateway, HELM_FIELD_MANAGER)
        await self._helm.upgrade(release)
        _check_deployed(await self._revisions(release.name, release.namespace), release.digest)

    async def _roll_back(self, name: str, namespace: str, to_revision: int, gateway: str) -> None:
        revisions = await self._revisions(name, namespace)
        if to_revision not in {one.number for one in revisions}:
            raise HelmError("in_progress", f"there is no revision {to_revision} any more")
        await seal(self._client, namespace, name, _highest(revisions))
        await keep_replicas(self._client, namespace, gateway, HELM_FIELD_MANAGER)  # the older manifest may say none
        await self._helm.rollback(name, namespace, to_revision)
        _check_deployed(await self._revisions(name, namespace))

    async def _repair(self, name: str, namespace: str, references: Sequence[Reference]) -> None:
        revisions = await self._revisions(name, namespace)
        if not revisions or _highest(revisions).status != "deployed":
            raise HelmError("in_progress", f"release {namespace}/{name} is not deployed any more")
        await self._manifests.repair(name, namespace, _highest(revisions).number, references)

    async def _revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        """Those of a release that we may change."""
        revisions = (await list_releases(self._client, namespace)).get((namespace, name), ())
        if is_foreign(revisions):
            raise ApiError(409, "NotOurs", f"Release {namespace}/{name} was made by somebody else")
        return revisions


def _highest(revisions: Sequence[Revision]) -> Revision:
    return max(revisions, key=lambda revision: revision.number)


def _check_highest(revisions: Sequence[Revision], expected: int) -> None:
    """Whether the history is still as the plan had it. expected: 0 for a release that isn't there."""
    is_there = bool(revisions) and _highest(revisions).status != "uninstalled"
    number = _highest(revisions).number if is_there else 0
    if number != expected:
        raise HelmError("in_progress", f"its highest revision is {number} rather than {expected} by now")


def _check_deployed(revisions: Sequence[Revision], digest: str | None = None) -> None:
    """Helm says that the highest revision is deployed: does its history say so as well?"""
    if not revisions:
        raise HelmError("unrecorded", "Helm ended in success, but has left no revision")
    highest = _highest(revisions)
    if highest.status != "deployed":
        message = f"Helm ended in success, but revision {highest.number} is {highest.status}"
        raise HelmError("unrecorded", message)
    if digest is not None and highest.digest != digest:
        raise HelmError("in_progress", f"revision {highest.number} was made by somebody else meanwhile")


def _check_uninstalled(revisions: Sequence[Revision]) -> None:
    if revisions:
        highest = _highest(revisions)
        message = f"Helm ended in success, but revision {highest.number} is there and {highest.status}"
        raise HelmError("unrecorded", message)


def failure_of(done: tuple[Action, ...], failed: Action, error: ApiError | HelmError) -> Outcome:
    """Whom a failure is held against, and how it is told."""
    reason, what = _OPERATIONS.get(type(failed), ("", f"Could not {failed.describe()}"))
    if isinstance(error, HelmError):
        reason = reason or "HelmFailed"
        is_release_failure, is_lost = error.kind not in _NOT_THE_RELEASE, error.kind in _LOST
    else:
        is_release_failure, is_lost, reason = False, _is_unreachable(error), _word(error.reason)
    message = f"{what}: {clean(error.message)}"
    return Outcome(
        done=done,
        failed=failed,
        reason=reason,
        error=message if message.endswith((".", "…")) else f"{message}.",
        is_release_failure=is_release_failure,
        is_lost=is_lost,
    )


def _is_unreachable(error: ApiError) -> bool:
    """Whether it says something of the API server rather than of the object."""
    is_overload = error.status == TOO_MANY_REQUESTS or error.status >= 500
    return is_overload or error.status in (0, UNAUTHORIZED)


def _word(reason: str) -> str:
    """The API server's reason as a condition may have it: CamelCase."""
    return reason if reason.isascii() and reason.isalnum() and reason[:1].isupper() else "ApiError"
