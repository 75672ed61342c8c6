from __future__ import annotations

import copy
import math
import ssl
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from tests.compiler.objects import DOMAIN, Following, config, secret, settings
from tests.compiler.pairs import DAY, NOW, certificate, key, key_pem, pem


def compile_(*objects: LabelledObject, compiler: Following | None = None, now: float = NOW) -> Compilation:
    return (compiler or Following()).compile(objects, now)


def reasons(compilation: Compilation) -> list[str]:
    return [one.reason for one in compilation.findings if one.reason != "UncoveredHost"]


class CountingYaml:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, text: str) -> object:
        self.calls += 1
        return parse_yaml(text)


def test_unchanged_tenants_stay_the_same_objects() -> None:
    objects: list[LabelledObject] = [settings(), config("a"), config("b", {"domains": ["b.org"]}), secret("b", "b.org")]
    compiler = Following()
    first = compile_(*objects, compiler=compiler)
    objects[1] = config("a", {"limits": {"connections": 3}})
    second = compile_(*objects, compiler=compiler)
    assert second.platform is first.platform
    assert second.tenants["b"] is first.tenants["b"]
    assert second.tenants["a"].limits.connections == 3


def test_findings_stay_the_same_object_while_nothing_new_is_found() -> None:
    compiler = Following()
    first = compile_(settings(), config("a"), config("b", "bad: 1"), compiler=compiler)
    again = compile_(settings(), config("a", {"hsts": True}), config("b", "bad: 1"), compiler=compiler)
    assert first.findings
    assert again.findings is first.findings
    assert reasons(compile_(settings(), config("a"), compiler=compiler)) == []


def test_only_the_changed_object_is_parsed_again() -> None:
    yaml = CountingYaml()
    compiler = Following(Compiler(yaml))
    objects: list[LabelledObject] = [settings(), *(config(f"t{number}") for number in range(50))]
    compile_(*objects, compiler=compiler)
    yaml.calls = 0
    objects[7] = config("t6", {"hsts": True})
    compile_(*objects, compiler=compiler)
    assert yaml.calls == 1
    # What the API server lists again are equal objects, not the same ones.
    compile_(*map(copy.copy, objects), compiler=compiler)
    assert yaml.calls == 1


def test_an_object_whose_text_changed_but_not_its_meaning_leaves_the_tenant_alone() -> None:
    compiler = Following()
    first = compile_(settings(), config("a", "hsts: false"), compiler=compiler)
    second = compile_(settings(), config("a", "# a remark\nhsts: false", version="2"), compiler=compiler)
    assert second.tenants["a"] is first.tenants["a"]


class TestParsedElsewhere:
    """What was parsed before the run is taken for the very object, if nothing is known of it yet."""

    GOOD = config("a", {"hsts": True})

    @pytest.mark.parametrize(
        ("source", "calls"),
        [(GOOD, 0), (copy.copy(GOOD), 1)],
        ids=["the object", "one that equals it"],
    )
    def test_it_is_not_parsed_again(self, source: LabelledObject, calls: int) -> None:
        yaml = CountingYaml()
        compiler = Compiler(yaml)
        parsed = {self.GOOD.reference: compiler.parser.parse(self.GOOD, None, NOW)}
        compiler.compile(Reading(changed=(settings(),)), NOW)
        yaml.calls = 0
        compilation = compiler.compile(Reading(changed=(source,)), NOW, parsed)
        assert compilation.tenants["a"].hsts
        assert yaml.calls == calls

    def test_the_last_good_version_still_counts(self) -> None:
        compiler = Compiler(parse_yaml)
        compiler.compile(Reading(changed=(settings(), self.GOOD)), NOW)
        bad = config("a", "broken: 1")
        parsed = {bad.reference: compiler.parser.parse(bad, None, NOW)}
        assert compiler.compile(Reading(changed=(bad,)), NOW, parsed).tenants["a"].hsts

    def test_what_has_turned_stale_since_is_judged_anew(self) -> None:
        early = secret("a", "a.org", start=1)
        compiler = Compiler(parse_yaml)
        parsed = {early.reference: compiler.parser.parse(early, None, NOW)}
        objects = (settings(), config("a", {"domains": ["a.org"]}), early)
        compilation = compiler.compile(Reading(changed=objects), NOW + 2 * DAY, parsed)
        assert len(compilation.tenants["a"].certificates) == 1


def test_platform_defaults_reach_every_tenant_at_once() -> None:
    compiler = Following()
    compile_(settings(), config("a"), config("b", {"limits": {"connections": 1}}), compiler=compiler)
    changed = settings(limits={"connections": 9, "requestsPerSecond": 5}, httpsRedirect=False)
    second = compile_(changed, config("a"), config("b", {"limits": {"connections": 1}}), compiler=compiler)
    assert [second.tenants[key].limits.connections for key in "ab"] == [9, 1]
    assert [second.tenants[key].limits.requests_per_second for key in "ab"] == [5, 5]
    assert not second.tenants["a"].https_redirect


def test_the_last_good_version_belongs_to_the_same_object_and_tenant() -> None:
    for replacement in (config("a", "nonsense: 1", uid="other"), config("b", "nonsense: 1", name="a")):
        compiler = Following()
        compile_(settings(), config("a", uid="one"), compiler=compiler)
        assert dict(compile_(settings(), replacement, compiler=compiler).tenants) == {}


@pytest.mark.parametrize(("before", "after"), [("", "one"), ("one", ""), ("", "")])
def test_where_a_uid_is_not_known_the_name_decides(before: str, after: str) -> None:
    compiler = Following()
    compile_(settings(), config("a", {"hsts": True}, uid=before), compiler=compiler)
    assert compile_(settings(), config("a", "bad: 1", uid=after), compiler=compiler).tenants["a"].hsts


def test_a_last_good_version_survives_many_bad_ones_and_ends_with_the_object() -> None:
    compiler = Following()
    compile_(settings(), config("a", {"hsts": True}), compiler=compiler)
    for number in range(3):
        bad = compile_(settings(), config("a", f"bad: {number}"), compiler=compiler)
        assert bad.tenants["a"].hsts
    compile_(settings(), compiler=compiler)
    assert dict(compile_(settings(), config("a", "bad: 1"), compiler=compiler).tenants) == {}


def test_a_claim_kept_by_a_broken_object_still_beats_later_ones() -> None:
    compiler = Following()
    later = config("b", {"domains": ["x.org"]}, created="2026-02-01T00:00:00Z")
    compile_(settings(), config("a", {"domains": ["x.org"]}), later, compiler=compiler)
    second = compile_(settings(), config("a", "broken: 1"), later, compiler=compiler)
    assert second.tenants["a"].domains == ("x.org",)
    assert second.tenants["b"].domains == ()


def test_a_host_that_is_given_up_goes_to_the_next_claim() -> None:
    compiler = Following()
    later = config("b", {"domains": ["x.org"]}, created="2026-02-01T00:00:00Z")
    first = compile_(settings(), config("a", {"domains": ["x.org"]}), later, compiler=compiler)
    assert reasons(first) == ["HostConflict"]
    second = compile_(settings(), config("a"), later, compiler=compiler)
    assert second.tenants["b"].domains == ("x.org",)
    assert second.touched == {"a", "b"}
    assert reasons(second) == []


def test_losing_a_host_takes_the_certificate_names_with_it() -> None:
    pair = secret("b", "x.org", f"*.b.{DOMAIN}")
    owner = config("a", {"domains": ["x.org"]})
    later = config("b", {"domains": ["x.org"]}, created="2026-02-01T00:00:00Z")
    compiled = compile_(settings(), owner, later, pair)
    assert compiled.tenants["b"].certificates[0].names == (f"*.b.{DOMAIN}",)
    assert sorted(reasons(compiled)) == ["CertificateNames", "HostConflict"]


def test_a_certificate_that_begins_later_comes_in_force_by_the_clock_alone() -> None:
    compiler = Following()
    old, new = secret("a", f"*.a.{DOMAIN}", end=5), secret("a", f"*.a.{DOMAIN}", start=2, end=100)
    compile_(settings(), config("a"), old, compiler=compiler)
    waiting = compile_(settings(), config("a"), new, compiler=compiler)
    assert waiting.tenants["a"].certificates[0].not_after == NOW + 5 * DAY
    assert waiting.stale_at == NOW + 2 * DAY
    begun = compile_(settings(), config("a"), new, compiler=compiler, now=waiting.stale_at)
    assert begun.tenants["a"].certificates[0].not_after == NOW + 100 * DAY
    assert reasons(begun) == []


def test_warnings_about_expiry_appear_by_the_clock_alone() -> None:
    compiler = Following()
    objects = (settings(), config("a"), secret("a", f"*.a.{DOMAIN}", end=30))
    calm = compile_(*objects, compiler=compiler)
    assert (reasons(calm), calm.stale_at) == ([], NOW + 9 * DAY)
    soon = compile_(*objects, compiler=compiler, now=calm.stale_at)
    assert reasons(soon) == ["CertificateExpiring"]
    over = compile_(*objects, compiler=compiler, now=soon.stale_at)
    assert (reasons(over), over.stale_at) == (["CertificateExpired"], math.inf)
    assert over.tenants["a"].certificates


def test_a_secret_that_breaks_keeps_its_previous_pair() -> None:
    compiler = Following()
    first = compile_(settings(), config("a"), secret("a", f"*.a.{DOMAIN}"), compiler=compiler)
    other_key = key_pem(key("p256", 5))
    broken = secret("a", f"*.a.{DOMAIN}", key_pem=other_key)
    second = compile_(settings(), config("a"), broken, compiler=compiler)
    assert second.tenants["a"] is first.tenants["a"]
    (finding,) = [one for one in second.findings if one.reason == "InvalidCertificate"]
    assert str(finding) == (
        "error: Secret higress-system/a-tls tls.key: The key does not belong to the certificate; "
        "the last good version stays in force [InvalidCertificate]"
    )
    assert other_key.decode() not in repr(second)


def test_a_secret_that_turns_to_other_names_keeps_its_previous_pair_while_that_is_of_use() -> None:
    compiler = Following()
    objects = (settings(), config("a", {"domains": ["x.org"]}))
    first = compile_(*objects, secret("a", "x.org", f"*.a.{DOMAIN}"), compiler=compiler)
    for names in (("elsewhere.org",), ("other.org",)):
        other = compile_(*objects, secret("a", *names), compiler=compiler)
        assert other.tenants["a"] is first.tenants["a"]
        (finding,) = [one for one in other.findings if one.reason == "CertificateNames"]
        assert finding.message.endswith("the last good version stays in force")
    moved = compile_(settings(), config("a"), secret("a", "elsewhere.org"), compiler=compiler)
    assert [one.names for one in moved.tenants["a"].certificates] == [(f"*.a.{DOMAIN}",)]
    gone = compile_(settings(), config("a"), compiler=compiler)
    assert gone.tenants["a"].certificates == ()
    back = compile_(settings(), config("a"), secret("a", "elsewhere.org"), compiler=compiler)
    assert back.tenants["a"].certificates == ()


@pytest.mark.parametrize("tenant", ["a", "system"])
def test_a_secret_made_anew_does_not_keep_the_pair_of_the_one_that_was_deleted(tenant: str) -> None:
    """The deletion may be missed: it and the new object come in one burst, or in one list."""
    compiler = Following()
    objects = (settings(), config("a"))
    good = f"*.{DOMAIN}" if tenant == "system" else f"*.a.{DOMAIN}"

    def in_force(name: str, uid: str, certificate_pem: bytes | None = None) -> list[tuple[str, ...]]:
        version = secret(tenant, name, uid=uid, certificate_pem=certificate_pem)
        compiled = compile_(*objects, version, compiler=compiler)
        assert compiled.platform is not None
        owner = compiled.platform if tenant == "system" else compiled.tenants["a"]
        return [one.names for one in owner.certificates]

    assert in_force(good, "one") == [(good,)]
    assert in_force("elsewhere.org", "one") == [(good,)]
    assert in_force("elsewhere.org", "two") == []
    assert in_force("other.org", "two") == []
    assert in_force(good, "two") == [(good,)]
    assert in_force(good, "two", certificate_pem=b"garbage") == [(good,)]
    assert in_force(good, "three", certificate_pem=b"garbage") == []


def test_what_is_said_of_a_secret_made_anew() -> None:
    compiler = Following()
    compile_(settings(), config("a"), secret("a", f"*.a.{DOMAIN}", uid="one"), compiler=compiler)
    anew = compile_(settings(), config("a"), secret("a", "elsewhere.org", uid="two"), compiler=compiler)
    (finding,) = [one for one in anew.findings if one.reason == "CertificateNames"]
    assert finding.message.endswith("the certificate is not in force")


def test_nothing_is_said_of_settings_that_could_not_be_read_yet() -> None:
    compiler = Compiler(parse_yaml)
    away = Reading(unread=frozenset({""}), error="away")
    assert reasons(compiler.compile(away, NOW)) == []
    assert reasons(compiler.compile(away, NOW)) == []
    assert reasons(compiler.compile(Reading(), NOW)) == ["NoSettings"]
    assert reasons(compiler.compile(away, NOW)) == ["NoSettings"]
    assert reasons(compiler.compile(Reading(changed=(settings(),)), NOW)) == []


def test_an_object_that_cannot_be_told_does_not_hide_that_there_are_no_settings() -> None:
    assert reasons(Compiler(parse_yaml).compile(Reading(unread=frozenset({""})), NOW)) == ["NoSettings"]


def test_the_platforms_certificate_too() -> None:
    compiler = Following()
    first = compile_(settings(), secret("system", f"*.{DOMAIN}"), compiler=compiler)
    assert compile_(settings(), secret("system", "elsewhere.org"), compiler=compiler).platform is first.platform


def test_several_certificates_stand_oldest_object_first() -> None:
    newer = secret("system", f"*.{DOMAIN}", name="a", created="2026-05-01T00:00:00Z")
    older = secret("system", f"*.{DOMAIN}", name="b", created="2026-04-01T00:00:00Z")
    compiled = compile_(settings(), newer, older)
    assert compiled.platform is not None
    assert [one.source for one in compiled.platform.certificates] == ["higress-system/b", "higress-system/a"]


def test_the_gateways_ca_is_carried_clean() -> None:
    ca = pem(certificate(subject="ca", ca=True)).decode()
    compiled = compile_(settings(), config("a", data={"ca.crt": f"some remark\n{ca}"}))
    assert compiled.tenants["a"].gateway_ca_pem == ca


def test_endpoints_are_accepted_from_a_source_that_knows_them() -> None:
    balanced = config("a", {"gateway": {"balance": "endpoints"}})
    assert "a" not in compile_(settings(), balanced).tenants
    assert "a" in Following(Compiler(parse_yaml, endpoints_known=True)).compile([settings(), balanced], NOW).tenants


@pytest.mark.parametrize("value", ["", "# nothing\n", "null", "{}"])
def test_an_empty_document_is_the_defaults(value: str) -> None:
    assert "a" in compile_(settings(), config("a", value)).tenants


DOMAINS = st.lists(st.sampled_from(["a.org", "b.org", "*.a.org", f"x.{DOMAIN}", "bad"]), max_size=3)
TENANTS = st.builds(
    lambda tenant, name, domains, day: config(
        tenant, {"domains": domains}, name=name, created=f"2026-01-0{day}T00:00:00Z"
    ),
    st.sampled_from("abc"),
    st.sampled_from("pqrs"),
    DOMAINS,
    st.integers(1, 3),
)
VERSIONS = st.lists(st.lists(TENANTS, max_size=5, unique_by=lambda one: one.name), min_size=1, max_size=4)


@given(VERSIONS)
def test_one_owner_per_host_whatever_happens(versions: Sequence[Sequence[LabelledObject]]) -> None:
    compiler = Following()
    platform = settings()
    for objects in versions:
        compiled = compile_(platform, *objects, compiler=compiler)
        owned = [host for one in compiled.tenants.values() for host in one.domains]
        assert len(owned) == len(set(owned))
        assert not any(host.endswith(DOMAIN) for host in owned)
        declared = {one.tenant for one in objects}
        assert set(compiled.tenants) <= declared


@given(st.lists(TENANTS, max_size=5, unique_by=lambda one: one.name), st.randoms())
def test_the_order_of_objects_does_not_matter(objects: list[LabelledObject], random: object) -> None:
    shuffled = list(objects)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = compile_(settings(), *objects), compile_(settings(), *shuffled)
    assert dict(one.tenants) == dict(other.tenants)
    assert sorted(map(str, one.findings)) == sorted(map(str, other.findings))


@given(VERSIONS)
def test_memory_changes_nothing_but_the_last_good_versions(versions: Sequence[Sequence[LabelledObject]]) -> None:
    """With only good objects a compiler that has seen everything says the same as a new one."""
    compiler = Following()
    for version in versions:
        objects = [one for one in version if "bad" not in one.data["tenant.yaml"]]  # type: ignore[union-attr]
        seasoned, fresh = compile_(settings(), *objects, compiler=compiler), compile_(settings(), *objects)
        assert dict(seasoned.tenants) == dict(fresh.tenants)
        assert sorted(map(str, seasoned.findings)) == sorted(map(str, fresh.findings))


@given(st.text("abdgilmnostu:{}[],-.'\"\n 0123*&", max_size=60), st.binary(max_size=60))
def test_a_poison_object_never_stops_the_others(text: str, material: bytes) -> None:
    poison = secret("a", certificate_pem=material or b"x", key_pem=material or b"x", name="poison")
    compiled = compile_(settings(), config("a"), config("p", text), poison)
    assert "a" in compiled.tenants
    assert "InvalidCertificate" in reasons(compiled)


def test_a_certificate_of_the_platform_for_one_tenant_concerns_nobody_else() -> None:
    compiler = Following()
    others: list[LabelledObject] = [
        settings(),
        config("a"),
        config("b"),
        secret("system", f"*.b.{DOMAIN}", name="b-tls"),
    ]

    def touched(*objects: LabelledObject) -> tuple[set[str], set[str]]:
        compiled = compile_(*others, *objects, compiler=compiler)
        uncovered = {one.tenant for one in compiled.findings if one.reason == "UncoveredHost" and "*." in one.message}
        return set(compiled.touched), uncovered

    touched()
    assert touched(secret("system", f"*.a.{DOMAIN}", name="a-tls")) == ({"a"}, set())
    assert touched(secret("system", f"x.nobody.{DOMAIN}", name="a-tls")) == ({"a"}, {"a"})
    everybody = secret("system", f"*.{DOMAIN}", f"*.a.{DOMAIN}", name="wildcard")
    assert touched(everybody) == ({"a", "b"}, set())


def test_the_platforms_first_and_last_certificate_concern_what_everybodys_clients_meet() -> None:
    compiler = Following()

    def met(*objects: LabelledObject) -> set[str]:
        compiled = compile_(settings(), config("a"), config("b"), *objects, compiler=compiler)
        return {one.message.rpartition(": ")[2] for one in compiled.findings if one.reason == "UncoveredHost"}

    assert met() == {"clients are refused"}
    assert met(secret("system", f"x.nobody.{DOMAIN}")) == {"clients get one of the platform that does not match"}
    assert met() == {"clients are refused"}


def test_a_defect_that_one_object_brings_to_light_concerns_that_object_alone() -> None:
    def fragile(text: str) -> object:
        if "explode" in text:
            raise RuntimeError("near a secret")
        return parse_yaml(text)

    compiler = Following(Compiler(fragile))
    compile_(settings(), config("a", {"hsts": True}), compiler=compiler)
    compiled = compile_(settings(), config("a", "explode: 1"), config("b"), compiler=compiler)
    assert compiled.tenants["a"].hsts
    assert "b" in compiled.tenants
    (finding,) = [one for one in compiled.findings if one.reason == "InvalidObject"]
    assert str(finding) == (
        "error: ConfigMap higress-system/a: It can't be judged (RuntimeError), which is a defect; please report it; "
        "the last good version stays in force [InvalidObject]"
    )


@pytest.mark.parametrize(
    ("old", "new"), [(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x11"), (b"\x0c\x02ca", b"\x03\x02ca")]
)
def test_a_gateways_ca_that_openssl_would_refuse_is_rejected(old: bytes, new: bytes) -> None:
    der = certificate(subject="ca", ca=True).public_bytes(Encoding.DER)
    text = ssl.DER_cert_to_PEM_cert(der.replace(old, new))
    compiled = compile_(settings(), config("a", data={"ca.crt": text}), config("b"))
    assert list(compiled.tenants) == ["b"]
    assert [one.field for one in compiled.findings if one.reason == "InvalidObject"] == ["ca.crt"]
