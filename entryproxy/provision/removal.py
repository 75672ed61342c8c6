"""Taking a tenant's gateway away: the entry lets go of it first, the namespace goes last, nothing that isn't ours goes.

One stage a round, each seen to be done before the next begins: the plan needs no memory, and may be interrupted.
"""

from __future__ import annotations

from entryproxy.provision.actions import Action, DeleteNamespace, DeleteObject, DropFinalizer, Plan, UninstallRelease
from entryproxy.provision.revisions import POLL_SECONDS, is_foreign
from entryproxy.provision.state import Observed, Reference


def plan_removal(observed: Observed, now: float) -> Plan:
    """The next stage. now: Unix seconds."""
    again = now + POLL_SECONDS
    namespace, has_own_namespace = observed.namespace, _has_own_namespace(observed)
    has_release = bool(observed.revisions) and not is_foreign(observed.revisions)
    objects = _objects(observed, has_own_namespace)
    if not (has_release or objects or has_own_namespace):
        return _done(observed)
    if not observed.is_withdrawn:
        return _stage((), "Withdrawing", "The entry stops serving the tenant and drains.", again)
    if has_release:
        uninstall = UninstallRelease(observed.release_name, observed.release_namespace)
        return _stage((uninstall,), "Uninstalling", f"Release {observed.release_name} is being uninstalled.", again)
    if objects:
        message = f"{len(objects)} objects are left over and deleted."
        return _stage(tuple(DeleteObject(reference) for reference in objects), "DeletingObjects", message, again)
    assert namespace is not None, "own, hence there"
    name = namespace.reference.name
    if namespace.is_deleting:
        return _stage((), "NamespaceTerminating", f"Namespace {name} is being deleted by the cluster.", again)
    return _stage((DeleteNamespace(name),), "DeletingNamespace", f"Namespace {name} is being deleted.", again)


def _stage(actions: tuple[Action, ...], reason: str, message: str, next_at: float) -> Plan:
    return Plan(actions=actions, phase="Removing", reason=reason, message=message, next_at=next_at)


def _done(observed: Observed) -> Plan:
    actions = (DropFinalizer(),) if observed.has_finalizer else ()
    return Plan(actions=actions, phase="Removed", reason="Removed", message=_farewell(observed))


def _farewell(observed: Observed) -> str:
    left = []
    if is_foreign(observed.revisions):
        left.append(f"Release {observed.release_name} was left: somebody else made it.")
    if observed.namespace is not None:
        name = observed.namespace.reference.name
        why = "it holds a release that isn't ours" if observed.namespace.is_ours else "it isn't ours"
        left.append(f"Namespace {name} was left: {why}.")
    return " ".join(["Everything of ours is gone.", *left])


def _has_own_namespace(observed: Observed) -> bool:
    """Whether the namespace goes with the tenant. One with somebody else's release in it doesn't."""
    namespace = observed.namespace
    return namespace is not None and namespace.is_ours and namespace.reference.name not in observed.inhabited


def _objects(observed: Observed, has_own_namespace: bool) -> tuple[Reference, ...]:
    """What has to be deleted one by one. Objects of ours in a namespace of ours go with it, its policies last."""
    namespace = observed.namespace.reference if observed.namespace is not None else None
    going = namespace.name if namespace is not None and has_own_namespace else None
    single = (
        each.reference
        for each in observed.objects
        if each.is_ours and each.reference != namespace and (going is None or each.reference.namespace != going)
        if not (each.reference.kind == "Namespace" and each.reference.name in observed.inhabited)
    )
    return tuple(dict.fromkeys((*observed.leftovers, *single)))
