"""What the controller can do for one tenant, as values: made by `plan`, printed by --dry-run, carried out in order.

Every action can be repeated: whoever is stopped between two of them observes and plans again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from entryproxy.model.status import Phase
from entryproxy.provision.digests import manifest_digest
from entryproxy.provision.state import DesiredRelease, Reference


def reference_of(manifest: dict[str, Any]) -> Reference:
    """Which object a complete manifest describes."""
    metadata = manifest["metadata"]
    return Reference(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])


class EnsureFinalizer(msgspec.Struct, frozen=True):
    """Keep the tenant's ConfigMap from vanishing before everything is taken away. Goes before the first write."""

    def describe(self) -> str:
        return "add our finalizer to the tenant's ConfigMap"


class CreateDefinition(msgspec.Struct, frozen=True):
    """A CustomResourceDefinition that the cluster lacks. One that is there by now is no error: it is every tenant's, so
    nobody's to change."""

    manifest: dict[str, Any]

    def describe(self) -> str:
        return f"create {reference_of(self.manifest)}"


class ApplyObject(msgspec.Struct, frozen=True):
    """Server-side apply of an object of ours, fields that others have changed included."""

    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """As in the manifest's annotation, which doesn't count itself: what ObjectState.digest says next time."""
        return manifest_digest(self.manifest)

    def describe(self) -> str:
        return f"apply {reference_of(self.manifest)}"


class DeleteObject(msgspec.Struct, frozen=True):
    """An object of ours that isn't wanted any more. One that is gone already is no error."""

    reference: Reference

    def describe(self) -> str:
        return f"delete {self.reference}"


class InstallRelease(msgspec.Struct, frozen=True):
    """The first revision of a release."""

    release: DesiredRelease

    def describe(self) -> str:
        return f"install release {_named(self.release)} ({_version(self.release)})"


class UpgradeRelease(msgspec.Struct, frozen=True):
    """One more revision. from_revision: the highest, which may be a failed one."""

    release: DesiredRelease
    from_revision: int

    def describe(self) -> str:
        return f"upgrade release {_named(self.release)} from revision {self.from_revision} ({_version(self.release)})"


class RollbackRelease(msgspec.Struct, frozen=True):
    """One more revision with the content of an older one. Always by number: Helm's default is whatever came before the
    highest. reason: CamelCase. gateway: as in `DesiredRelease`."""

    name: str
    namespace: str
    to_revision: int
    reason: str
    gateway: str

    def describe(self) -> str:
        return f"roll release {self.namespace}/{self.name} back to revision {self.to_revision} ({self.reason})"


class UninstallRelease(msgspec.Struct, frozen=True):
    """The release with its history. One that is gone already is no error."""

    name: str
    namespace: str

    def describe(self) -> str:
        return f"uninstall release {self.namespace}/{self.name}"


class RepairObjects(msgspec.Struct, frozen=True):
    """Objects of the deployed manifest that were deleted or edited are applied again, without a new revision."""

    references: tuple[Reference, ...]

    def describe(self) -> str:
        return f"apply again from the deployed manifest: {', '.join(map(str, self.references))}"


class DeleteNamespace(msgspec.Struct, frozen=True):
    """The tenant's namespace with all that is left in it. Only ever one that is ours."""

    name: str

    def describe(self) -> str:
        return f"delete Namespace {self.name}"


class DropFinalizer(msgspec.Struct, frozen=True):
    """Let the tenant's ConfigMap go: nothing of the tenant is left."""

    def describe(self) -> str:
        return "drop our finalizer from the tenant's ConfigMap"


Action = (
    EnsureFinalizer
    | CreateDefinition
    | ApplyObject
    | DeleteObject
    | InstallRelease
    | UpgradeRelease
    | RollbackRelease
    | UninstallRelease
    | RepairObjects
    | DeleteNamespace
    | DropFinalizer
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now, in order, and what to tell about it. The first action that fails ends the round.

    reason: a CamelCase word; message: a sentence; next_at: Unix seconds, when to plan again though nothing has changed,
    None: not before something changes. is_failure: the wanted release has failed although Helm did its part.
    """

    actions: tuple[Action, ...] = ()
    phase: Phase
    reason: str
    message: str
    next_at: float | None = None
    is_failure: bool = False


def _named(release: DesiredRelease) -> str:
    return f"{release.namespace}/{release.name}"


def _version(release: DesiredRelease) -> str:
    return f"chart version {release.version}, digest {release.digest}"
