from __future__ import annotations

from typing import Any, get_args

import pytest

from entryproxy.model.quantity import parse_quantity
from entryproxy.model.release import Profile
from entryproxy.provision.profiles import PROFILES

OFF = {"enabled": False}
ON = {"enabled": True, "minReplicas": 3, "maxReplicas": 10, "targetCPUUtilizationPercentage": 80}
EXPECTED: dict[Profile, dict[str, Any]] = {
    "prod": {
        "replicas": 3,
        "resources": {
            "requests": {"cpu": "2000m", "memory": "2048Mi"},
            "limits": {"cpu": "4000m", "memory": "4096Mi"},
        },
        "autoscaling": ON,
    },
    "staging": {"replicas": 2, "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}}, "autoscaling": OFF},
    "test": {"replicas": 2, "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}, "autoscaling": OFF},
    "dev": {"replicas": 1, "resources": {"requests": {"cpu": "200m", "memory": "256Mi"}}, "autoscaling": OFF},
}


@pytest.mark.parametrize("profile", get_args(Profile))
def test_as_values_of_the_chart(profile: Profile) -> None:
    assert PROFILES[profile].values() == {"gateway": EXPECTED[profile]}


def test_every_profile_has_a_size() -> None:
    assert set(PROFILES) == set(get_args(Profile))


@pytest.mark.parametrize("profile", get_args(Profile))
def test_requests_are_within_limits_the_charts_own_where_there_are_no_others(profile: Profile) -> None:
    size = PROFILES[profile]
    assert parse_quantity(size.requests.cpu) <= parse_quantity(size.limits.cpu or "2000m")
    assert parse_quantity(size.requests.memory) <= parse_quantity(size.limits.memory or "2048Mi")
