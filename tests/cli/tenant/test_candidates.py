from __future__ import annotations

from typing import Any

from entryproxy.authoring.objects import Manifest, config_map, tls_secret
from entryproxy.cli.tenant.candidates import judge_alone, judge_together
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.secret import PrivateBytes
from tests.certificates import Authority
from tests.compiler.objects import NAMESPACE, config, settings

HOST = "app.customer.com"


def tenant(name: str, *domains: str, **spec: Any) -> Manifest:
    return config_map(NAMESPACE, name, name, {"tenant.yaml": write_yaml({"domains": list(domains), **spec})})


def present(manifest: Manifest, created: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "uid": "u", "creationTimestamp": created}}


def pair(name: str, owner: str, *names: str) -> Manifest:
    issued = Authority().issue(*names)
    return tls_secret(NAMESPACE, name, owner, issued.chain_pem.encode(), PrivateBytes(issued.key_pem.encode()))


def labelled(manifest: Manifest) -> LabelledObject:
    one = read_object(present(manifest, "2026-01-01T00:00:00Z"), "", "")
    assert one is not None
    return one


def refused(
    reading: Reading, *candidates: tuple[Manifest, Manifest | None], allow_uncovered: bool = False
) -> list[str]:
    _, verdict = judge_together("t1", reading, candidates, allow_uncovered=allow_uncovered)
    return [one.reason for one in verdict.refused]


def test_alone() -> None:
    assert judge_alone([tenant("t1", HOST), pair("tls", "t1", HOST)]) == []
    findings = judge_alone([tenant("t1", HOST, limits={"connections": -1}), config_map(NAMESPACE, "x", "BAD", {})])
    assert [(one.object, one.reason) for one in findings] == [
        ("ConfigMap higress-system/t1", "InvalidObject"),
        ("ConfigMap higress-system/x", "InvalidObject"),
    ]


def test_a_new_tenant_is_younger_than_all_others() -> None:
    # Created in the future, because the cluster's clock is ahead of ours: still the owner.
    reading = Reading(changed=(settings(), config("t2", {"domains": [HOST]}, created="2999-01-01T00:00:00Z")))
    assert refused(reading, (tenant("t1", HOST), None)) == ["HostConflict"]


def test_an_old_tenant_may_not_take_a_host_from_a_younger_one() -> None:
    old, young = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    reading = Reading(
        changed=(
            settings(),
            config("t1", {"domains": []}, created=old),
            config("t2", {"domains": [HOST]}, created=young),
            labelled(pair("a", "t1", HOST)),
            labelled(pair("b", "t2", HOST)),
        )
    )
    wanted = tenant("t1", HOST)
    _, verdict = judge_together("t1", reading, [(wanted, present(wanted, old))], allow_uncovered=False)
    assert ("HostConflict", "t2") in {(one.reason, one.tenant) for one in verdict.refused}


def test_uncovered_domains() -> None:
    reading = Reading(changed=(settings(),))
    assert refused(reading, (tenant("t1", HOST), None)) == ["UncoveredHost"]
    assert refused(reading, (tenant("t1", HOST), None), allow_uncovered=True) == []
    assert refused(reading, (pair("tls", "t1", HOST), None), (tenant("t1", HOST), None)) == []
    # A certificate that came first, by cert-manager for example, and waits for its tenant.
    waiting = Reading(changed=(settings(), labelled(pair("tls", "t1", HOST))))
    assert refused(waiting, (tenant("t1", HOST), None)) == []


def test_uncovered_system_hosts_are_remarks() -> None:
    compilation, verdict = judge_together(
        "t1", Reading(changed=(settings(),)), [(tenant("t1"), None)], allow_uncovered=False
    )
    assert verdict.refused == ()
    assert {one.reason for one in verdict.remarks} == {"UncoveredHost"}
    assert "t1" in compilation.tenants


def test_a_certificate_whose_names_its_owner_may_not_serve() -> None:
    reading = Reading(changed=(settings(), config("t1")))
    assert refused(reading, (pair("tls", "t1", "other.example"), None)) == ["CertificateNames"]


def test_releases_that_the_documents_alone_rule_out() -> None:
    """`entryproxy check` would call it an error at once."""
    reading = Reading(changed=(settings(), config("t2", {"release": {"gatewayAPI": True}})))
    assert refused(reading, (tenant("t1", release={"profile": "test"}), None)) == []
    assert refused(reading, (tenant("t1", release={"isolation": "shared"}), None)) == [
        "NamespaceMissing",
        "WrongService",
    ]
    assert refused(reading, (tenant("t1", release={"gatewayAPI": True}), None)) == ["GatewayApiTaken"]
    assert refused(reading, (tenant("t1", gateway={"namespace": NAMESPACE}, release={}), None)) == ["ReservedNamespace"]


def test_a_release_of_an_older_tenant_that_a_younger_one_has_to_yield_to() -> None:
    old, young = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    taken = config("t2", {"release": {"gatewayAPI": True}}, created=young)
    reading = Reading(changed=(settings(), config("t1", {"release": {}}, created=old), taken))
    wanted = tenant("t1", release={"gatewayAPI": True})
    _, verdict = judge_together("t1", reading, [(wanted, present(wanted, old))], allow_uncovered=True)
    assert [(one.reason, one.tenant) for one in verdict.refused] == [("GatewayApiTaken", "t2")]


def test_a_release_that_was_ruled_out_before_is_no_news() -> None:
    old = "2026-01-01T00:00:00Z"
    shared = {"isolation": "shared"}
    reading = Reading(changed=(settings(), config("t1", {"release": shared}, created=old)))
    more = tenant("t1", release=shared, limits={"connections": 5})
    assert refused(reading, (more, present(more, old))) == []
    mended = tenant("t1", release={})
    assert refused(reading, (mended, present(mended, old))) == []


def test_a_release_in_a_document_that_is_rejected() -> None:
    old = "2026-01-01T00:00:00Z"
    reading = Reading(changed=(settings(), config("t1", {"release": {}}, created=old)))
    wanted = tenant("t1", release={"chart": "ftp://x"})
    assert refused(reading, (wanted, present(wanted, old))) == ["InvalidObject"]


def test_without_settings_nothing_is_in_force() -> None:
    compilation, _ = judge_together("t1", Reading(), [(tenant("t1"), None)], allow_uncovered=True)
    assert compilation.platform is None
