from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence, Set
from typing import Any

from entryproxy.config.yaml import parse_yaml
from entryproxy.controller.tenants import Tenants, is_oldest_sharer
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.reading import Reading

SETTINGS = LabelledConfigMap(
    namespace="entry",
    name="platform",
    tenant="system",
    created="2026-01-01T00:00:00Z",
    data={"settings.yaml": "systemDomain: aigw.example.com"},
)


def config_map(tenant: str, document: str, **fields: Any) -> LabelledConfigMap:
    defaults: dict[str, Any] = {"name": tenant, "created": "2026-01-02T00:00:00Z", "uid": f"u-{tenant}"}
    return LabelledConfigMap(namespace="entry", tenant=tenant, data={"tenant.yaml": document}, **(defaults | fields))


class Readings:
    """A source that has these, one after the other."""

    def __init__(self, *readings: Reading) -> None:
        self._readings = list(readings)

    def load(self) -> Reading:
        return self._readings.pop(0)

    async def watch(self) -> AsyncGenerator[float, None]:
        while self._readings:
            yield 0.0


class Following:
    """Tenants that have followed all of these readings."""

    def __init__(self) -> None:
        self.touched: list[Set[str]] = []
        self.findings: Sequence[Finding] = ()

    async def follow(self, *readings: Reading) -> Tenants:
        tenants = Tenants(Readings(*readings), parse_yaml, self.touched.append, self._take)
        await tenants.follow()
        return tenants

    def _take(self, findings: Sequence[Finding]) -> None:
        self.findings = findings


async def test_tenants_in_force_and_what_they_want() -> None:
    following = Following()
    tenants = await following.follow(
        Reading(changed=(SETTINGS, config_map("a", "release: {profile: dev}"), config_map("b", "")))
    )
    assert tenants.complete.is_set()
    assert following.touched == [{"a", "b"}]
    assert {one.tenant: one.wants_release for one in tenants.by_id.values()} == {"a": True, "b": False}
    wanted = tenants.by_id["a"]
    assert (wanted.source, wanted.uid) == ("entry/a", "u-a")
    assert wanted.spec.release is not None
    assert wanted.spec.release.profile == "dev"
    assert tenants.uid_of("ConfigMap entry/a") == "u-a"
    assert tenants.uid_of("ConfigMap entry/nobody") == ""


async def test_a_status_of_ours_and_a_certificate_are_no_news() -> None:
    following = Following()
    one = config_map("a", "release: {}", version="1")
    again = config_map("a", "release: {}", version="2", release_state="failed")
    changed = config_map("a", "release: {profile: dev}", version="3")
    await following.follow(*(Reading(changed=objects) for objects in ((SETTINGS, one), (again,), (changed,))))
    assert following.touched == [{"a"}, {"a"}]


async def test_nobody_is_missing_before_everything_was_read() -> None:
    tenants = await Following().follow(Reading(unread=frozenset({""}), error="The cluster has not been read yet"))
    assert not tenants.complete.is_set()
    tenants.judge_again()
    assert not tenants.complete.is_set()


async def test_a_document_that_turned_bad_leaves_what_was_wanted() -> None:
    following = Following()
    tenants = await following.follow(
        Reading(changed=(SETTINGS, config_map("a", "release: {profile: dev}"))),
        Reading(changed=(config_map("a", "release: {profil: prod}"),)),
    )
    assert tenants.by_id["a"].spec.release is not None
    assert tenants.by_id["a"].spec.release.profile == "dev"
    assert [one.field for one in following.findings if one.severity == "error"] == ["tenant.yaml: $.release.profil"]


async def test_one_that_is_not_in_force_is_news_whatever_becomes_of_it() -> None:
    """What it holds from before this process began may have to be taken away now."""
    following = Following()
    await following.follow(
        Reading(changed=(SETTINGS, config_map("a", "release: {profil: prod}"))),
        Reading(removed=("ConfigMap entry/a",)),
    )
    assert following.touched == [{"a"}, {"a"}]


async def test_a_document_that_turned_bad_says_nothing_for_another_config_map() -> None:
    """That one's last good version is in force, but what it wanted nobody has kept."""
    younger: dict[str, Any] = {"name": "a-2", "created": "2026-03-01T00:00:00Z", "uid": "u2"}
    tenants = await Following().follow(
        Reading(changed=(SETTINGS, config_map("a", "release: {}"), config_map("a", "release: {}", **younger))),
        Reading(changed=(config_map("a", "release: {profil: prod}", **younger),)),
        Reading(removed=("ConfigMap entry/a",)),
    )
    assert tenants.by_id == {}


async def test_a_tenant_that_is_gone_and_one_that_another_declares_now() -> None:
    again = config_map("b", "release: {profile: test}", name="b-2", created="2026-03-01T00:00:00Z", uid="u2")
    tenants = await Following().follow(
        Reading(changed=(SETTINGS, config_map("a", ""), config_map("b", "release: {}"), again)),
        Reading(removed=("ConfigMap entry/a", "ConfigMap entry/b")),
    )
    assert list(tenants.by_id) == ["b"]
    assert (tenants.by_id["b"].name, tenants.by_id["b"].uid) == ("b-2", "u2")


async def test_of_those_that_share_a_namespace_the_oldest_has_its_config() -> None:
    shared = "release: {{isolation: shared}}\ngateway: {{namespace: {0}, service: {1}-gateway}}"
    tenants = await Following().follow(
        Reading(
            changed=(
                SETTINGS,
                config_map("young", shared.format("common", "young")),
                config_map("old", shared.format("common", "old"), created="2026-01-01T00:00:00Z"),
                config_map("other", shared.format("elsewhere", "other")),
                config_map(
                    "off",
                    "release: {enabled: false, isolation: shared}\ngateway: {namespace: common}",
                    created="2025-01-01T00:00:00Z",
                ),
            )
        )
    )
    owners = {one.tenant for one in tenants.by_id.values() if is_oldest_sharer(one, tenants.by_id)}
    assert owners == {"old", "other", "off"}
    assert tenants.by_id["young"].age > tenants.by_id["old"].age
