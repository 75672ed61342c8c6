from __future__ import annotations

from typing import Any

import pytest

from entryproxy.model.release import NamespaceSpec, QuotaSpec, ReleaseSpec
from entryproxy.model.tenant import Gateway, TenantSpec
from entryproxy.provision.footprint import footprint
from entryproxy.provision.profiles import PROFILES
from entryproxy.provision.requirements import check_limit_ranges, check_names, check_quota, check_requirements
from entryproxy.provision.values import core_values


def quota(**hard: str) -> dict[str, Any]:
    named = {key.replace("_", "."): value for key, value in hard.items()}
    return {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": named}}


def limit_range(kind: str = "Container", **limits: dict[str, str]) -> dict[str, Any]:
    return {"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [{"type": kind, **limits}]}}


class TestNames:
    @pytest.mark.parametrize(
        ("tenant_characters", "gateway", "characters"),
        [(39, "higress-gateway", 63), (39, "higress-gateways", 64), (40, "higress-gateway", 64), (30, "a" * 24, 63)],
    )
    def test_a_label_of_two_names(self, tenant_characters: int, gateway: str, characters: int) -> None:
        namespace = "t" * tenant_characters + "-gateway"
        problems = check_names(namespace, {"gateway": {"name": gateway}})
        assert len(f"{namespace}-{gateway}") == characters
        assert [(one.field, one.reason) for one in problems] == (
            [("release.values.gateway.name", "NameTooLong")] if characters > 63 else []
        )
        assert all(f"{characters} characters where Kubernetes takes 63" in one.message for one in problems)

    @pytest.mark.parametrize("values", [{}, {"gateway": {}}, {"gateway": {"name": ""}}, {"gateway": None}])
    def test_the_charts_own_names(self, values: dict[str, Any]) -> None:
        assert check_names("n" * 47, values) == []
        assert [one.reason for one in check_names("n" * 48, values)] == ["NameTooLong"]

    @pytest.mark.parametrize("part", ["gateway", "controller"])
    @pytest.mark.parametrize("name", ["Gateway", "a.b", "-a", "a" * 64, 7.5])
    def test_what_is_no_label(self, part: str, name: object) -> None:
        problems = check_names("n", {part: {"name": name}})
        assert problems[0].field == f"release.values.{part}.name"
        assert problems[0].message == f'"{name}" is not a DNS label in lower case'


class TestQuota:
    @pytest.mark.parametrize(
        ("cpu", "memory", "expected"),
        [
            ("", "", []),
            ("41", "44Gi", []),
            (
                "13",
                "",
                [("cpu", False, "A rollout of 10 gateways once autoscaling has made them beside the controller")],
            ),
            ("40999m", "", [("cpu", False, "needs 41, the quota gives 40999m")]),
            (
                "12999m",
                "",
                [("cpu", True, "A rollout of 3 gateways beside the controller needs 13, the quota gives 12999m")],
            ),
            ("0", "", [("cpu", True, "needs 13, the quota gives 0")]),
            ("", "16Gi", [("memory", False, "needs 44Gi, the quota gives 16Gi")]),
            ("", "16G", [("memory", True, "needs 16Gi, the quota gives 15625000Ki")]),
            ("1", "1Mi", [("cpu", True, "gives 1"), ("memory", True, "gives 1Mi")]),
        ],
    )
    def test_for_production(self, cpu: str, memory: str, expected: list[tuple[str, bool, str]]) -> None:
        problems = check_quota(QuotaSpec(cpu=cpu, memory=memory), footprint(PROFILES["prod"].values()))
        assert [(one.field, one.is_fatal) for one in problems] == [
            (f"namespace.quota.{resource}", is_fatal) for resource, is_fatal, _ in expected
        ]
        for problem, (_, _, message) in zip(problems, expected, strict=True):
            assert message in problem.message
            assert problem.reason == "QuotaTooSmall"

    def test_the_message_for_one_of_a_fixed_number(self) -> None:
        (problem,) = check_quota(QuotaSpec(memory="8Gi"), footprint(PROFILES["dev"].values()))
        assert problem.is_fatal
        assert problem.message == ("A rollout of 1 gateway beside the controller needs 8448Mi, the quota gives 8Gi")


class TestLimitRanges:
    @pytest.mark.parametrize(
        "objects",
        [
            [],
            [{"kind": "Namespace"}, quota(requests_cpu="1", cpu="1", pods="5")],
            [quota(limits_cpu="1"), limit_range(default={"cpu": "1"})],
            [limit_range(max={"cpu": "1"}), quota(limits_cpu="1")],
            [quota(limits_cpu="1", limits_memory="1"), limit_range(default={"cpu": "1"}, max={"memory": "1"})],
            [limit_range(), {"kind": "ResourceQuota", "metadata": {"name": "empty"}}, {"kind": "LimitRange"}],
        ],
    )
    def test_enough(self, objects: list[dict[str, Any]]) -> None:
        assert check_limit_ranges(objects) == []

    @pytest.mark.parametrize(
        ("objects", "keys"),
        [
            ([quota(limits_cpu="1")], ["limits.cpu"]),
            ([quota(limits_memory="1", limits_cpu="1")], ["limits.cpu", "limits.memory"]),
            ([quota(limits_memory="1"), limit_range(default={"cpu": "1"})], ["limits.memory"]),
            ([quota(limits_cpu="1"), limit_range(defaultRequest={"cpu": "1"})], ["limits.cpu"]),
            ([quota(limits_cpu="1"), limit_range("Pod", max={"cpu": "1"})], ["limits.cpu"]),
        ],
    )
    def test_missing(self, objects: list[dict[str, Any]], keys: list[str]) -> None:
        problems = check_limit_ranges(iter(objects))
        assert [one.message.split(" is on ")[1].split(",")[0] for one in problems] == keys
        assert {(one.field, one.reason, one.is_fatal) for one in problems} == {
            ("namespace.quota", "LimitRangeMissing", True)
        }


class TestAll:
    @pytest.mark.parametrize("profile", list(PROFILES))
    def test_defaults_are_fine_with_the_longest_id(self, profile: Any) -> None:
        release = ReleaseSpec(profile=profile)
        spec = TenantSpec(release=release, namespace=NamespaceSpec(quota=QuotaSpec(cpu="41", memory="44Gi")))
        assert check_requirements("t" * 39, spec, core_values("t" * 39, release)) == []

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        spec = TenantSpec(
            gateway=Gateway(namespace="n" * 50), namespace=NamespaceSpec(quota=QuotaSpec(cpu="1", memory="1Gi"))
        )
        problems = check_requirements("t", spec, {}, [quota(limits_cpu="1")])
        assert [one.reason for one in problems] == [
            "NameTooLong",
            "QuotaTooSmall",
            "QuotaTooSmall",
            "LimitRangeMissing",
        ]

    def test_a_size_that_can_not_be_read_is_told_with_the_rest(self) -> None:
        problems = check_requirements("t", TenantSpec(), {"gateway": {"replicas": "x"}}, [quota(limits_cpu="1")])
        assert [one.reason for one in problems] == ["InvalidValue", "LimitRangeMissing"]
