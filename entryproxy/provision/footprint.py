"""Values of the chart → the CPU and memory that its pods ask for, and how much more while they are rolled out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from entryproxy.model.quantity import parse_quantity
from entryproxy.provision.problems import Problem

_DEFAULTS: Mapping[str, Mapping[str, str | int]] = {
    "gateway": {"replicas": 2, "cpu": "2", "memory": "2Gi"},
    "controller": {"replicas": 1, "cpu": "500m", "memory": "2Gi"},
    "pilot": {"cpu": "500m", "memory": "2Gi"},
}
"""Of the chart higress-core 2.2.1; `pilot` is the second container of the controller's pods."""


class Pods(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One Deployment. replicas_max: with everything that autoscaling may add to `replicas`. cpu, memory: what one pod
    requests, in cores and bytes."""

    replicas: int
    replicas_max: int
    cpu: Fraction
    memory: Fraction


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """All pods of one release. The chart's console and its optional Redis and plugin server aren't counted."""

    gateway: Pods
    controller: Pods

    def needed(self, resource: str, *, scaled: bool = False) -> Fraction:
        """Cores ("cpu") or bytes ("memory") that a rollout needs; scaled: with all gateways that autoscaling may make.

        Gateways surge by 100 %, so a whole second set of them may be there. The controller's Deployment has the default
        strategy, whose 25 % are rounded up. The two take turns if they must: each pod that becomes ready makes room.
        """
        gateways = (self.gateway.replicas_max if scaled else self.gateway.replicas) * getattr(self.gateway, resource)
        one = getattr(self.controller, resource)
        surge = -(-self.controller.replicas // 4) * one
        needed: Fraction = gateways + self.controller.replicas * one + max(gateways, surge)
        return needed


class Unreadable(Exception):  # noqa: N818 - a verdict on a value, not a failure of ours
    """A value that the size of the pods depends on is not what it must be."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.problem = Problem(".".join(("release.values", *path)), message, "InvalidValue")


def footprint(values: Mapping[str, Any]) -> Footprint:
    """From the values of `core_values`; what they leave out, or null, counts as in the chart. Raises Unreadable."""
    reader = _Reader(values)
    return Footprint(gateway=_gateway(reader), controller=_controller(reader))


def _gateway(values: _Reader) -> Pods:
    replicas = most = values.count("gateway", "replicas", default=_DEFAULTS["gateway"]["replicas"])
    if values.at("gateway", "autoscaling", "enabled") is True:
        replicas = values.count("gateway", "autoscaling", "minReplicas", default=1)
        most = values.count("gateway", "autoscaling", "maxReplicas", default=5)
    return Pods(
        replicas=replicas,
        replicas_max=max(replicas, most),
        cpu=values.request("gateway", "cpu"),
        memory=values.request("gateway", "memory"),
    )


def _controller(values: _Reader) -> Pods:
    replicas = values.count("controller", "replicas", default=_DEFAULTS["controller"]["replicas"])
    return Pods(
        replicas=replicas,
        replicas_max=replicas,
        cpu=values.request("controller", "cpu") + values.request("pilot", "cpu"),
        memory=values.request("controller", "memory") + values.request("pilot", "memory"),
    )


class _Reader:
    """Looks values up by their path; absent is what the chart says."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def at(self, *path: str) -> object:
        value: object = self._values
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def count(self, *path: str, default: object) -> int:
        value = self.at(*path)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Unreadable(path, "Expected a number of pods")
        return value

    def request(self, part: str, resource: str) -> Fraction:
        path = (part, "resources", "requests", resource)
        value = self.at(*path)
        value = _DEFAULTS[part][resource] if value is None else value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unreadable(path, "Expected a Kubernetes quantity")
        try:
            return parse_quantity(str(value))
        except ValueError as problem:
            raise Unreadable(path, str(problem)) from problem
