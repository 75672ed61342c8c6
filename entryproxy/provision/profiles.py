"""The environments that operators plan with: how many gateways, of what size."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from entryproxy.model.release import Profile


class Resources(msgspec.Struct, frozen=True, gc=False):
    """Of one container, as Kubernetes quantities; "" leaves it to the chart."""

    cpu: str = ""
    memory: str = ""

    def values(self) -> dict[str, str]:
        return {key: value for key, value in msgspec.structs.asdict(self).items() if value}


class Autoscaling(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A HorizontalPodAutoscaler. cpu_percent: of the CPU request, the average over all pods."""

    replicas_min: int
    replicas_max: int
    cpu_percent: int

    def values(self) -> dict[str, int | bool]:
        return {
            "enabled": True,
            "minReplicas": self.replicas_min,
            "maxReplicas": self.replicas_max,
            "targetCPUUtilizationPercentage": self.cpu_percent,
        }


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """The gateways of one profile. replicas: to begin with. autoscaling: None for a fixed number.

    limits: where the profile has none the chart's own stay, which leave room for any of these requests.
    """

    replicas: int
    requests: Resources
    limits: Resources = Resources()
    autoscaling: Autoscaling | None = None

    def values(self) -> dict[str, Any]:
        """As values of higress-core."""
        resources = {"requests": self.requests.values(), "limits": self.limits.values()}
        return {
            "gateway": {
                "replicas": self.replicas,
                "resources": {key: value for key, value in resources.items() if value},
                "autoscaling": {"enabled": False} if self.autoscaling is None else self.autoscaling.values(),
            }
        }


PROFILES: Mapping[Profile, Sizing] = MappingProxyType(
    {
        "prod": Sizing(
            replicas=3,
            requests=Resources("2000m", "2048Mi"),
            limits=Resources("4000m", "4096Mi"),
            autoscaling=Autoscaling(replicas_min=3, replicas_max=10, cpu_percent=80),
        ),
        "staging": Sizing(replicas=2, requests=Resources("1000m", "1024Mi")),
        "test": Sizing(replicas=2, requests=Resources("500m", "512Mi")),
        "dev": Sizing(replicas=1, requests=Resources("200m", "256Mi")),
    }
)
