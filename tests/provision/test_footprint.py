from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from entryproxy.model.release import Profile
from entryproxy.provision.footprint import Pods, Unreadable, footprint
from entryproxy.provision.profiles import PROFILES

GI = 2**30


def test_the_chart_alone() -> None:
    size = footprint({})
    gateway, controller = size.gateway, size.controller
    assert gateway == Pods(replicas=2, replicas_max=2, cpu=Fraction(2), memory=Fraction(2 * GI))
    assert controller == Pods(replicas=1, replicas_max=1, cpu=Fraction(1), memory=Fraction(4 * GI))
    # 5 CPU and 8 Gi a tenant, and room for the larger rollout: 2 gateways of 2 CPU each, or 4 Gi of either.
    assert [size.needed("cpu"), size.needed("memory")] == [5 + 4, (8 + 4) * GI]


@pytest.mark.parametrize(
    ("profile", "cpu", "memory", "cpu_scaled", "memory_scaled"),
    [
        ("prod", 2 * 3 * 2 + 1, (2 * 3 * 2 + 4) * GI, 2 * 10 * 2 + 1, (2 * 10 * 2 + 4) * GI),
        ("staging", 2 * 2 * 1 + 1, (2 + 4 + 4) * GI, 5, 10 * GI),
        ("test", 1 + 1 + 1, (1 + 4 + 4) * GI, 3, 9 * GI),
        ("dev", Fraction(2, 10) + 1 + 1, (4 + 4) * GI + GI // 4, Fraction(22, 10), 8 * GI + GI // 4),
    ],
)
def test_rollouts_of_the_profiles(
    profile: Profile, cpu: Fraction, memory: int, cpu_scaled: Fraction, memory_scaled: int
) -> None:
    """Twice the gateways and the controller; where a gateway is the smaller of them, twice the controller."""
    size = footprint(PROFILES[profile].values())
    assert [size.needed("cpu"), size.needed("memory")] == [cpu, memory]
    assert [size.needed("cpu", scaled=True), size.needed("memory", scaled=True)] == [cpu_scaled, memory_scaled]


@pytest.mark.parametrize(
    ("values", "cpu"),
    [
        ({"gateway": {"replicas": 5}}, 21),
        ({"gateway": {"replicas": 0}}, 2),
        ({"gateway": {"resources": {"requests": {"cpu": "500m"}}}}, 3),
        ({"gateway": {"resources": {"requests": {"cpu": 1}}}}, 5),
        ({"gateway": {"resources": {"requests": {"cpu": 0.25}}}}, Fraction(5, 2)),
        ({"gateway": {"resources": None}}, 9),
        ({"gateway": None}, 9),
        ({"gateway": {"autoscaling": {"enabled": True}}}, 5),
        ({"gateway": {"autoscaling": {"enabled": True, "minReplicas": 4}}}, 17),
        ({"gateway": {"autoscaling": {"enabled": False, "minReplicas": 4}}}, 9),
        ({"controller": {"replicas": 5}}, 4 + 5 + 4),
        ({"controller": {"resources": {"requests": {"cpu": "1500m"}}}}, 10),
        ({"pilot": {"resources": {"requests": {"cpu": "1500m"}}}}, 10),
    ],
)
def test_values_count(values: dict[str, Any], cpu: Fraction) -> None:
    assert footprint(values).needed("cpu") == cpu


def test_the_controller_surges_by_a_quarter_rounded_up() -> None:
    values = {"gateway": {"replicas": 0}, "controller": {"replicas": 5}}
    assert footprint(values).needed("cpu") == 5 + 2


def test_a_minimum_over_the_maximum_counts() -> None:
    autoscaling = {"enabled": True, "minReplicas": 7, "maxReplicas": 3}
    assert footprint({"gateway": {"autoscaling": autoscaling}}).gateway.replicas_max == 7


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"gateway": {"replicas": "2"}}, "gateway.replicas", "Expected a number of pods"),
        ({"gateway": {"replicas": True}}, "gateway.replicas", "Expected a number of pods"),
        ({"controller": {"replicas": -1}}, "controller.replicas", "Expected a number of pods"),
        (
            {"gateway": {"autoscaling": {"enabled": True, "maxReplicas": 1.5}}},
            "gateway.autoscaling.maxReplicas",
            "Expected a number of pods",
        ),
        (
            {"pilot": {"resources": {"requests": {"memory": "2GB"}}}},
            "pilot.resources.requests.memory",
            '"2GB" is not a Kubernetes quantity such as "500m", "2" or "1.5Gi"',
        ),
        (
            {"gateway": {"resources": {"requests": {"cpu": []}}}},
            "gateway.resources.requests.cpu",
            "Expected a Kubernetes quantity",
        ),
    ],
)
def test_what_can_not_be_read(values: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        footprint(values)
    problem = caught.value.problem
    assert (problem.field, problem.message, problem.reason) == (f"release.values.{field}", message, "InvalidValue")
