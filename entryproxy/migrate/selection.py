"""Which Ingresses ingress-nginx serves: those of its classes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from entryproxy.migrate.inventory import Ingress

DEFAULT_CLASS = "nginx"


class Skipped(msgspec.Struct, frozen=True):
    """An Ingress that is none of ingress-nginx's, and why."""

    ingress: str
    reason: str


def effective_classes(named: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The classes to look for. named: by the operator. known: to be ingress-nginx's, by their IngressClass."""
    return tuple(named) or tuple(sorted({*known, DEFAULT_CLASS}))


def select(ingresses: Iterable[Ingress], classes: Collection[str]) -> tuple[list[Ingress], list[Skipped]]:
    """The Ingresses of these classes, by namespace and name, and the others. "" stands for having no class."""
    kept, skipped = [], []
    for one in sorted(ingresses, key=lambda one: (one.namespace, one.name)):
        if one.ingress_class in classes:
            kept.append(one)
        else:
            skipped.append(Skipped(one.reference, _why(one)))
    return kept, skipped


def _why(one: Ingress) -> str:
    if one.ingress_class:
        return f"its class is {one.ingress_class}"
    return "it has no class; --watch-ingress-without-class takes it, if your ingress-nginx has the same option"
