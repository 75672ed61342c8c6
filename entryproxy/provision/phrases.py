"""Many things in one sentence, for messages about what collides with what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from entryproxy.provision.inventory import ReleaseName

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
NAMES_MAX = 5


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by key, both in the order in which they came."""
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def listed(items: Iterable[object]) -> str:
    """ "a, b and c"; of many, the first few and how many more."""
    names = [str(item) for item in items]
    if len(names) > NAMES_MAX:
        names = [*names[:NAMES_MAX], f"{len(names) - NAMES_MAX} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def numbers(ports: Iterable[int]) -> str:
    """In ascending order."""
    return listed(sorted(ports))


def name_of(release: ReleaseName) -> str:
    """Of a Helm release, its namespace in front."""
    return "/".join(release)


def cluster_name(name: str, namespace: str) -> str:
    """Of the ClusterRole that the chart makes for a gateway's or a controller's account."""
    return f"{name}-{namespace}"
