"""Whatever Ingresses there are: a plan comes of them, it prints, and the entry takes what was written."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.compiler.compile import Compiler
from entryproxy.config.manifests import read_object, split_documents
from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.migrate.annotations import ANNOTATIONS
from entryproxy.migrate.inventory import ConfigMap, Ingress, TlsSecret
from entryproxy.migrate.manifests import COMMANDS_FILE, write_files
from entryproxy.migrate.options import OPTIONS
from entryproxy.migrate.plan import Plan, Wishes, make_plan
from entryproxy.migrate.text import render
from entryproxy.model.objects import LabelledObject
from entryproxy.model.reading import Reading
from entryproxy.model.secret import PrivateBytes
from tests.certificates import Authority
from tests.migrate.builders import DOMAIN, ingress, inventory

HOSTS = st.sampled_from(
    [
        "a.com",
        "b.com",
        "*.a.com",
        "*.*.a.com",
        "x",
        "",
        DOMAIN,
        f"acme.{DOMAIN}",
        f"app.acme.{DOMAIN}",
        f"*.red.{DOMAIN}",
    ]
) | st.text("abc.*-_ ü", max_size=12)
VALUES = st.sampled_from(["true", "false", "on", "off", "", "8m", "0", "60", "10.0.0.0/8", "a.com,b.com"]) | st.text(
    max_size=10
)
INGRESSES = st.builds(
    lambda hosts, namespace, name, values, secret, tls: ingress(
        *hosts, namespace=namespace, name=name, settings=values, secret=secret, tls=None if tls else ()
    ),
    st.lists(HOSTS, max_size=3),
    st.sampled_from(["acme-gateway", "red", "red-gateway", "system", "a" * 45]),
    st.sampled_from(["a", "b", "c", "d"]),
    st.dictionaries(st.sampled_from(sorted(ANNOTATIONS)), VALUES, max_size=4),
    st.sampled_from(["", "tls", "other"]),
    st.booleans(),
)


SECRETS = [
    TlsSecret(
        namespace=namespace,
        name=name,
        certificate_pem=pair.chain_pem.encode(),
        key_pem=PrivateBytes(pair.key_pem.encode()),
    )
    for namespace, name, pair in (
        ("acme-gateway", "tls", Authority().issue("a.com", "*.a.com", f"*.acme.{DOMAIN}")),
        ("red", "tls", Authority().issue("b.com")),
        ("red-gateway", "tls", Authority().issue(f"*.{DOMAIN}", "a.com")),
        ("red", "other", Authority().issue("elsewhere.com")),
    )
]


def make(ingresses: list[Ingress], options: dict[str, str], secrets: Iterable[TlsSecret] = ()) -> Plan:
    found = inventory(*{one.reference: one for one in ingresses}.values())
    found.secrets = {(one.namespace, one.name): one for one in secrets}
    found.controllers.append(ConfigMap(namespace="n", name="c", data=options))
    return make_plan(found, Wishes(system_domain=DOMAIN))


def labelled(made: Plan) -> list[LabelledObject]:
    texts = [one.text for one in write_files(made, "entry", write_yaml) if one.name != COMMANDS_FILE]
    read = [read_object(parse_yaml(text), "entry", "") for one in texts for _, text in split_documents(one)]
    return [one for one in read if one is not None]


@settings(max_examples=200)
@given(
    st.lists(INGRESSES, max_size=5),
    st.dictionaries(st.sampled_from(sorted(OPTIONS)), VALUES, max_size=5),
    st.sets(st.sampled_from(range(len(SECRETS)))),
)
def test_whatever_there_is(ingresses: list[Ingress], options: dict[str, str], secrets: set[int]) -> None:
    made = make(ingresses, options, (SECRETS[number] for number in secrets))
    assert render(made.report)
    assert msgspec.json.encode(made.report)
    objects = labelled(made)
    compilation = Compiler(parse_yaml).compile(Reading(changed=tuple(objects)), time.time())
    assert [one for one in compilation.findings if one.severity == "error"] == []
    assert set(compilation.tenants) == {one.id for one in made.report.tenants}
    served = {host for one in compilation.tenants.values() for host in one.domains}
    claimed = {rule.host for one in ingresses for rule in one.rules} | {
        name.strip().lower() for one in ingresses for name in one.setting("server-alias").split(",")
    }
    assert served <= claimed, "nobody gets a host that no Ingress had"


def test_the_order_of_ingresses_does_not_matter() -> None:
    several = [
        ingress("a.com", "b.com", namespace="red"),
        ingress("b.com", "c.com", namespace="acme-gateway", settings={"proxy-body-size": "8m"}),
        ingress(f"x.acme.{DOMAIN}", namespace="red", name="y"),
    ]
    assert make(several, {}).report == make(several[::-1], {}).report
