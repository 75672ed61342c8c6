"""A release's rendered manifests → the same, with rights in its own namespace only, or a refusal.

The chart gives its controller all Secrets of the cluster. Here each ClusterRole becomes a Role in the release's
namespace, one in the namespace that it watches, and a ClusterRole with the little that `rules` lets pass. Charts may be
the tenants' own choice and Helm applies them with the platform's rights, so what would reach beyond is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from entryproxy.model.objects import TENANT_LABEL
from entryproxy.provision.rendered import Documents, Dump, Load, RenderedObject
from entryproxy.provision.rules import (
    CLUSTER_GROUPS,
    RBAC_GROUP,
    Rule,
    cluster_rules,
    namespaced_rules,
    read_rules,
    write_rules,
)
from entryproxy.provision.state import Rendering

SHARED_CONFIG = "higress-config"
_AGGREGATION = f"{RBAC_GROUP}/aggregate-to-"
_REFUSED_KINDS = {
    "": frozenset({"Namespace", "Node", "PersistentVolume"}),
    "storage.k8s.io": frozenset({"StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"}),
}
"""Objects of the whole cluster, beside those of CLUSTER_GROUPS."""
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_RELEASE_SECRET = "sh.helm.release."  # noqa: S105 – how names of Helm's own Secrets begin


def narrow(text: str, *, namespace: str, rendering: Rendering, load: Load, dump: Dump) -> str:
    """Multi-document YAML in and out. namespace: the release's. Raises RenderingError. Narrowing twice changes nothing
    more."""
    documents = Documents(text, load)
    return documents.rewritten(_Release(documents.objects, namespace, rendering, dump).narrowed)


class _Release:
    """All objects of a release; a binding is judged by the role that it refers to, wherever that stands."""

    def __init__(self, objects: Sequence[RenderedObject], namespace: str, rendering: Rendering, dump: Dump) -> None:
        self._namespace = namespace
        self._places = tuple(dict.fromkeys(place for place in (namespace, rendering.watched) if place))
        self._rendering = rendering
        self._dump = dump
        rbac = [one for one in objects if one.group == RBAC_GROUP]
        self._check_names(rbac)
        self._taken = {(one.kind, one.name) for one in rbac}
        self._roles = {(self._place(one), one.name) for one in rbac if one.kind == "Role"}
        self._rules = {one.name: _rules(one) for one in rbac if one.kind == "ClusterRole"}

    def narrowed(self, one: RenderedObject) -> Iterator[str]:
        """The documents in its place."""
        self._check(one)
        match one.group, one.kind:
            case (group, "ClusterRole") if group == RBAC_GROUP:
                yield from self._cluster_role(one)
            case (group, "ClusterRoleBinding") if group == RBAC_GROUP:
                yield from self._cluster_role_binding(one)
            case (group, "Role") if group == RBAC_GROUP:
                yield from self._role(one)
            case (group, "RoleBinding") if group == RBAC_GROUP:
                yield from self._role_binding(one)
            case ("", "ConfigMap") if one.name == SHARED_CONFIG and not self._rendering.has_config:
                return
            case ("", "Service") if one.name == self._rendering.service:
                yield self._labelled(one)
            case _:
                yield one.text

    def _check_names(self, rbac: list[RenderedObject]) -> None:
        """Of two with one name, one would be judged, and chance would say which one is applied last."""
        seen = set()
        for one in rbac:
            name = (one.kind, "" if one.kind.startswith("Cluster") else self._place(one), one.name)
            if name in seen:
                raise one.refuse("the chart has two of this name")
            seen.add(name)

    def _check(self, one: RenderedObject) -> None:
        if one.kind.endswith("List") or any(key.casefold() == "items" for key in one.body):
            raise one.refuse("lists of objects are not looked into")
        if one.group in CLUSTER_GROUPS or one.kind in _REFUSED_KINDS.get(one.group, ()):
            raise one.refuse("it is for the whole cluster, which a tenant's release may not change")
        if self._place(one) not in self._places:
            raise one.refuse(f"it goes to the namespace {one.namespace}, and the release has {self._namespace} only")
        if self._place(one) != self._namespace and one.group != RBAC_GROUP:
            raise one.refuse(f"the namespace {one.namespace} is watched only")
        if (one.group, one.kind) == ("", "Secret") and _is_history(one):
            raise one.refuse("only Helm itself may write the history of releases")
        if one.kind == "IngressClass" and _mapping(one.body["metadata"], "annotations").get(_DEFAULT_CLASS) == "true":
            raise one.refuse("as the default class it would take Ingresses of every tenant that name none")
        if (one.group, one.kind) == ("", "Service") and (field := _leads_elsewhere(one)):
            raise one.refuse(f"with {field} it would take, or send, traffic that isn't the tenant's")

    # -- roles

    def _inside(self, cluster_role: str, place: str) -> tuple[Rule, ...]:
        return namespaced_rules(self._rules[cluster_role], is_own=place == self._namespace)

    def _cluster_role(self, one: RenderedObject) -> Iterator[str]:
        if one.body.get("aggregationRule"):
            raise one.refuse("with an aggregationRule it would take its rights from other roles of the cluster")
        if any(str(label).startswith(_AGGREGATION) for label in _mapping(one.body["metadata"], "labels")):
            raise one.refuse("with this label it would add to the rights of other roles of the cluster")
        for place in self._places:
            if inside := self._inside(one.name, place):
                yield self._made(one, "Role", place, rules=write_rules(inside))
        rules = cluster_rules(self._rules[one.name])
        if rules == self._rules[one.name]:
            yield one.text
        elif rules:
            yield self._made(one, "ClusterRole", "", rules=write_rules(rules))

    def _role(self, one: RenderedObject) -> Iterator[str]:
        before = _rules(one)
        rules = namespaced_rules(before, is_own=self._place(one) == self._namespace)
        if rules == before:
            yield one.text
        else:
            yield self._dump({**one.body, "rules": write_rules(rules)})

    # -- bindings

    def _cluster_role_binding(self, one: RenderedObject) -> Iterator[str]:
        role = self._role_of(one)
        subjects = self._subjects(one)
        for place in self._places:
            if self._inside(role, place):
                reference = _reference(self._free("Role", role))
                yield self._made(one, "RoleBinding", place, roleRef=reference, subjects=subjects)
        if cluster_rules(self._rules[role]):
            yield one.text

    def _role_binding(self, one: RenderedObject) -> Iterator[str]:
        self._subjects(one)
        if _mapping(one.body, "roleRef").get("kind") != "ClusterRole":
            name = _mapping(one.body, "roleRef").get("name")
            if (self._place(one), name) not in self._roles:
                raise one.refuse(f'it refers to the Role "{name}", which isn\'t part of the release')
            yield one.text
            return
        role = self._role_of(one)
        if self._inside(role, self._place(one)):
            yield self._dump({**one.body, "roleRef": _reference(self._free("Role", role))})

    def _role_of(self, one: RenderedObject) -> str:
        """The name of the release's ClusterRole that a binding refers to."""
        name = _mapping(one.body, "roleRef").get("name")
        if name not in self._rules:
            raise one.refuse(f'it refers to the ClusterRole "{name}", which isn\'t part of the release')
        return str(name)

    def _subjects(self, one: RenderedObject) -> list[Any]:
        subjects = one.body.get("subjects") or []
        for subject in subjects if isinstance(subjects, list) else [subjects]:
            if not isinstance(subject, dict) or subject.get("kind") != "ServiceAccount":
                raise one.refuse("it would give rights to somebody else than the release's service accounts")
            # Without a namespace, a RoleBinding means its own, and elsewhere that would be another one.
            default = self._place(one) if one.kind == "RoleBinding" else ""
            if (subject.get("namespace") or default) != self._namespace:
                raise one.refuse("it would give rights to service accounts of another namespace than the release's")
        return list(subjects)

    # -- what is written

    def _labelled(self, one: RenderedObject) -> str:
        """With the tenant's label, which Kubernetes copies to its EndpointSlices."""
        metadata = one.body["metadata"]
        labels = {**_mapping(metadata, "labels"), TENANT_LABEL: self._rendering.tenant}
        if labels == metadata.get("labels"):
            return one.text
        return self._dump({**one.body, "metadata": {**metadata, "labels": labels}})

    def _place(self, one: RenderedObject) -> str:
        return one.namespace or self._namespace

    def _free(self, kind: str, name: str) -> str:
        """The name, unless the chart has another object of this kind and name."""
        while (kind, name) in self._taken:
            name += "-cluster"
        return name

    def _made(self, one: RenderedObject, kind: str, namespace: str, **body: Any) -> str:
        """An object in the place of `one`. Annotations stay, also the one from which Helm knows the chart's file."""
        metadata = one.body["metadata"]
        kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
        where = {"name": self._free(kind, one.name), "namespace": namespace} if namespace else {"name": one.name}
        return self._dump({"apiVersion": one.body["apiVersion"], "kind": kind, "metadata": {**where, **kept}, **body})


def _rules(one: RenderedObject) -> tuple[Rule, ...]:
    try:
        return read_rules(one.body.get("rules"))
    except msgspec.ValidationError as error:
        raise one.refuse(f"its rules can't be read: {error}") from None


def _mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    below = body.get(key)
    return below if isinstance(below, Mapping) else {}


def _reference(role: str) -> dict[str, str]:
    return {"apiGroup": RBAC_GROUP, "kind": "Role", "name": role}


def _is_history(one: RenderedObject) -> bool:
    """Helm finds its Secrets by this label and by their names, whatever their type."""
    labels = _mapping(one.body["metadata"], "labels")
    is_typed = str(one.body.get("type", "")).startswith("helm.sh/")
    return is_typed or labels.get("owner") == "helm" or one.name.startswith(_RELEASE_SECRET)


def _leads_elsewhere(one: RenderedObject) -> str:
    """The field of a Service by which nodes send it any address's packets (CVE-2020-8554), or by which whoever trusts
    it, such as the entry, is sent to any host."""
    spec = _mapping(one.body, "spec")
    fields = {"externalIPs": spec.get("externalIPs"), "type ExternalName": spec.get("type") == "ExternalName"}
    return next((field for field, is_set in fields.items() if is_set), "")
