from __future__ import annotations

import msgspec
import pytest

from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.compiler.recall import recall
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import LabelledObject
from entryproxy.model.snapshot import Snapshot
from tests.compiler.objects import DOMAIN, NAMESPACE, Following, config, endpoint_slice, secret, settings
from tests.compiler.pairs import NOW, key, key_pem
from tests.compiler.test_golden import GOLDEN, build

EVERYTHING = frozenset({""})
STEPS = [
    (scenario, number)
    for scenario in GOLDEN.scenarios
    if scenario != "no_settings"  # nothing ever comes in force there
    for number in range(len(GOLDEN.input(scenario)))
]
GOOD: list[LabelledObject] = [
    settings(limits={"connections": 7}, timeouts={"idle": 5}, httpsRedirect=False, trustedProxies=["10.0.0.0/8"]),
    secret("system", f"*.{DOMAIN}"),
    config("a", {"domains": ["x.org"], "hsts": True, "limits": {"requestsPerSecond": 3}}),
    secret("a", f"*.a.{DOMAIN}", "x.org"),
    config("b"),
]


def snapshot_of(compilation: Compilation) -> Snapshot:
    assert compilation.platform is not None
    return Snapshot.build(compilation.platform, compilation.tenants.values())


def running(*objects: LabelledObject) -> Snapshot:
    """What is in force once these were compiled."""
    return snapshot_of(Following().compile(objects, NOW))


def resumed(snapshot: Snapshot) -> Following:
    compiler = Following()
    compiler.compiler.resume(snapshot)
    return compiler


@pytest.mark.parametrize(("scenario", "number"), STEPS)
def test_what_is_recalled_is_what_was_in_force(scenario: str, number: int) -> None:
    compiler = Following()
    for step in GOLDEN.input(scenario)[: number + 1]:
        before = compiler.compile([build(one) for one in step], NOW)
    after = resumed(snapshot_of(before)).compile([], NOW, EVERYTHING)
    assert after.platform == before.platform
    assert dict(after.tenants) == dict(before.tenants)


def test_a_successor_judges_broken_objects_as_its_predecessor_would() -> None:
    broken: list[LabelledObject] = [
        config("system", name="platform", data={"settings.yaml": "systemDomain: 7"}),
        secret("system", f"*.{DOMAIN}", certificate_pem=b"garbage"),
        config("a", "limits: {requestsPerSecond: fast}"),
        secret("a", f"*.a.{DOMAIN}", key_pem=key_pem(key("p256", 5))),
        config("b"),
    ]
    predecessor = Following()
    in_force = snapshot_of(predecessor.compile(GOOD, NOW))
    expected, actual = predecessor.compile(broken, NOW), resumed(in_force).compile(broken, NOW)
    assert actual.platform == expected.platform == in_force.platform
    assert dict(actual.tenants) == dict(expected.tenants) == dict(in_force.tenants)
    assert sorted(map(str, actual.findings)) == sorted(map(str, expected.findings))
    kept = [one.object for one in actual.findings if one.message.endswith("the last good version stays in force")]
    assert kept == [one.reference for one in broken[:4]]


def test_good_objects_count_as_they_are() -> None:
    changed = [settings(), config("a", {"limits": {"connections": 2}}), config("b")]
    assert dict(resumed(running(*GOOD)).compile(changed, NOW).tenants) == dict(running(*changed).tenants)


def test_settings_that_are_gone_stay_and_tenants_go() -> None:
    compiled = resumed(running(*GOOD)).compile([GOOD[4]], NOW)
    assert list(compiled.tenants) == ["b"]
    assert compiled.tenants["b"].limits.connections == 7
    (message,) = [one.message for one in compiled.findings if one.reason == "NoSettings"]
    assert message.endswith("the last settings stay in force")


def test_objects_that_cannot_be_read_stay_until_it_is_known_that_they_are_gone() -> None:
    compiler = resumed(running(*GOOD))
    rest = [GOOD[0], GOOD[1]]
    unread = frozenset({f"ConfigMap {NAMESPACE}/a"})
    assert sorted(compiler.compile(rest, NOW, EVERYTHING).tenants) == ["a", "b"]
    only_a = compiler.compile(rest, NOW, unread)
    assert list(only_a.tenants) == ["a"]
    assert only_a.tenants["a"].certificates == ()
    assert list(compiler.compile(rest, NOW, unread).tenants) == ["a"]
    assert list(compiler.compile(rest, NOW).tenants) == []
    assert list(compiler.compile(rest, NOW, EVERYTHING).tenants) == []
    assert list(compiler.compile([*rest, config("a", "bad: 1")], NOW).tenants) == []


def test_what_was_read_since_is_not_recalled() -> None:
    compiler = resumed(running(*GOOD))
    assert sorted(compiler.compile([*GOOD[:2], config("a")], NOW, EVERYTHING).tenants) == ["a", "b"]
    assert list(compiler.compile(GOOD[:2], NOW, EVERYTHING).tenants) == ["b"]


def test_an_object_that_was_unread_may_come_back_broken_or_good() -> None:
    compiler = resumed(running(*GOOD))
    compiler.compile(GOOD[:1], NOW, EVERYTHING)
    broken = compiler.compile([GOOD[0], config("a", "bad: 1", uid="known now")], NOW, EVERYTHING)
    assert broken.tenants["a"].domains == ("x.org",)
    good = compiler.compile([GOOD[0], config("a", {"domains": ["y.org"]}, uid="known now")], NOW)
    assert good.tenants["a"].domains == ("y.org",)


def test_a_recalled_owner_keeps_its_hosts() -> None:
    claim = config("c", {"domains": ["x.org"]}, created="2025-01-01T00:00:00Z")
    compiled = resumed(running(*GOOD)).compile([GOOD[0], claim], NOW, EVERYTHING)
    assert compiled.tenants["a"].domains == ("x.org",)
    assert compiled.tenants["c"].domains == ()


def test_the_label_says_whose_last_good_version_it_is() -> None:
    moved = config("other", "bad: 1", name="a")
    assert list(resumed(running(*GOOD)).compile([GOOD[0], moved], NOW).tenants) == []


def test_keys_stay_hidden() -> None:
    entries = recall(running(*GOOD))
    assert "PRIVATE" in GOOD[3].key_pem.reveal().decode()  # type: ignore[union-attr]
    assert not any("PRIVATE" in repr((one.source, one.draft)) for one in entries)


class Pods:
    """A compiler that knows EndpointSlices, and what it says of the pods of one tenant, or of its port."""

    def __init__(self, *before: LabelledObject, port: int | str = "http") -> None:
        self.config = config("a", {"gateway": {"balance": "endpoints", "port": port}})
        first = Following(Compiler(parse_yaml, endpoints_known=True))
        running = snapshot_of(first.compile([settings(), self.config, *before], NOW))
        self.following = Following(Compiler(parse_yaml, endpoints_known=True))
        self.following.compiler.resume(running)

    def see(self, *objects: LabelledObject, unread: str | None = None) -> list[str] | None:
        compiled = self.following.compile(
            [settings(), *objects], NOW, frozenset() if unread is None else frozenset({unread})
        )
        endpoints = compiled.tenants["a"].gateway_endpoints
        return None if endpoints is None else [one.address for one in endpoints]


def test_pods_in_force_stay_while_endpoint_slices_cannot_be_read() -> None:
    """ConfigMaps and Secrets may be there long before, when only the permission to read slices is missing."""
    for port in ("http", 8080):
        pods = Pods(endpoint_slice("a", "10.0.0.1"), port=port)
        assert pods.see(unread="") == ["10.0.0.1:8080"]
        assert pods.see(pods.config, unread="EndpointSlice") == ["10.0.0.1:8080"]
        changed = msgspec.structs.replace(pods.config, data={**pods.config.data, "tenant.yaml": "broken: 1"})
        assert pods.see(changed, unread="EndpointSlice") == ["10.0.0.1:8080"]
        assert pods.see(pods.config, endpoint_slice("a", "10.0.0.2"), unread="EndpointSlice") == ["10.0.0.2:8080"]
        assert pods.see(pods.config, unread="EndpointSlice") == (None if port == 8080 else [])


def test_pods_in_force_do_not_come_back_once_slices_have_been_read() -> None:
    broken = config("a", "broken: 1")
    for one in (broken, None):
        pods = Pods(endpoint_slice("a", "10.0.0.1"))
        assert pods.see(one or pods.config, endpoint_slice("a", "10.0.0.2")) == ["10.0.0.2:8080"]
        assert pods.see(one or pods.config) == []
        pods = Pods(endpoint_slice("a", "10.0.0.1"))
        assert pods.see(one or pods.config) == []
        assert pods.see(one or pods.config, unread="EndpointSlice") == []


def test_pods_of_another_service_are_not_recalled() -> None:
    pods = Pods(endpoint_slice("a", "10.0.0.1"))
    other = config("a", {"gateway": {"balance": "endpoints", "port": "http", "service": "other"}})
    assert pods.see(other, unread="EndpointSlice") == []
    assert pods.see(pods.config, unread="EndpointSlice") == ["10.0.0.1:8080"]


def test_a_kind_that_could_not_be_read_keeps_all_of_its_kind() -> None:
    compiler = resumed(running(*GOOD))
    kept = compiler.compile(GOOD[:1], NOW, frozenset({"ConfigMap"}))
    assert sorted(kept.tenants) == ["a", "b"]
    assert kept.tenants["a"].certificates == ()
