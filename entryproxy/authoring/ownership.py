"""Whose an object is, by what the API server notes of who wrote which field (`metadata.managedFields`).

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entryproxy.authoring.objects import Manifest
from entryproxy.model.objects import CONFIG_MAP, FINALIZER, TENANT_LABEL

FIELD_MANAGER = "entryproxy"
_NO_VERSION = "1"
"""Of no object: etcd counts from 1 for the empty store. An apply with it makes an object that is missing, and
conflicts with one that is there."""


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether it was applied by this program, whoever else has changed parts of it since."""
    return any(one.get("manager") == FIELD_MANAGER and one.get("operation") == "Apply" for one in _entries(metadata))


def other_managers(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Who else has fields in it, sorted; those of a status subresource don't count."""
    return tuple(
        sorted(
            {
                str(one.get("manager"))
                for one in _entries(metadata)
                if not one.get("subresource")
                and not (one.get("manager") == FIELD_MANAGER and one.get("operation") == "Apply")
            }
        )
    )


def refusal(manifest: Mapping[str, Any], tenant: str) -> str:
    """Why an object that exists may not be changed for this tenant, "" when it may. A sentence without its end."""
    metadata = manifest.get("metadata") or {}
    what = f"{manifest.get('kind')} {metadata.get('namespace')}/{metadata.get('name')}"
    label = (metadata.get("labels") or {}).get(TENANT_LABEL)
    if label is None:
        return f"{what} exists already and has nothing to do with tenants: it lacks the label {TENANT_LABEL}"
    if label != tenant:
        return f"{what} exists already and belongs to {label!r}"
    if metadata.get("deletionTimestamp"):
        finalizers = ", ".join(metadata.get("finalizers") or ()) or "nobody"
        remedy = f"; entryproxy tenant remove {tenant} --wait ends when it is gone" if _is_document(manifest) else ""
        return f"{what} is being removed and waits for {finalizers}{remedy}"
    if not is_ours(metadata):
        managers = ", ".join(other_managers(metadata)) or "somebody else"
        return f"{what} exists already and is kept by {managers}: change it there"
    return ""


def _is_document(manifest: Mapping[str, Any]) -> bool:
    """Removing the tenant is no way to wait for a Secret."""
    return manifest.get("kind") == CONFIG_MAP


def obstacles(metadata: Mapping[str, Any]) -> list[str]:
    """Why an object may still, or again, be there after it was deleted: what follows its name in a sentence. That the
    controller takes a gateway away first is how it should be."""
    reasons = []
    if finalizers := [one for one in metadata.get("finalizers") or () if one != FINALIZER]:
        reasons.append(f"stays until {', '.join(finalizers)} lets it go (finalizers)")
    if certificate := (metadata.get("annotations") or {}).get("cert-manager.io/certificate-name"):
        reasons.append(
            f"is made again by cert-manager: delete Certificate {metadata.get('namespace')}/{certificate} first"
        )
    reasons += [
        f"is made again by {owner.get('kind')} {owner.get('name')}, which controls it"
        for owner in metadata.get("ownerReferences") or ()
        if owner.get("controller")
    ]
    return reasons


def guarded(wanted: Manifest, present: Manifest | None) -> Manifest:
    """`wanted` for a server-side apply that fails when the object is no longer as it was seen (`present`)."""
    version = present["metadata"]["resourceVersion"] if present else _NO_VERSION
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}


def _entries(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in metadata.get("managedFields") or () if isinstance(one, Mapping)]
