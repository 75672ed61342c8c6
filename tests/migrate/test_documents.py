from __future__ import annotations

from typing import Any

import pytest

from entryproxy.migrate.inventory import ConfigMap
from entryproxy.migrate.plan import Wishes, make_plan
from tests.migrate.builders import DOMAIN, document, ingress, inventory, plan, reasons


def parts(*settings: dict[str, str], controller: dict[str, str] | None = None) -> dict[str, Any]:
    """limits and timeouts of a tenant with an Ingress for each of `settings`."""
    found = inventory(*(ingress(f"h{n}.com", name=f"i{n}", settings=one) for n, one in enumerate(settings)))
    found.controllers.append(ConfigMap(namespace="n", name="c", data=controller or {}))
    whole = document("acme", make_plan(found, Wishes(system_domain=DOMAIN)))
    return {key: value for key, value in whole.items() if key in ("limits", "timeouts")}


SIZE, READ, SEND = "proxy-body-size", "proxy-read-timeout", "proxy-send-timeout"


@pytest.mark.parametrize(
    ("settings", "controller", "expected"),
    [
        ([{}], {}, {}),
        ([{SIZE: "8m"}], {}, {"limits": {"requestBodyBytes": 8 << 20}}),
        ([{SIZE: "8m"}, {SIZE: "1g"}], {}, {"limits": {"requestBodyBytes": 1 << 30}}),
        ([{SIZE: "512k"}, {}], {}, {"limits": {"requestBodyBytes": 1 << 20}}),  # the other one has nginx's default
        ([{SIZE: "8m"}, {SIZE: "0"}], {}, {}),  # no limit, which is our default
        ([{SIZE: "8 m"}], {}, {}),
        ([{SIZE: "8m"}], {SIZE: "8m"}, {}),  # settings.yaml says it
        ([{SIZE: "1m"}, {}], {SIZE: "8m"}, {}),
        ([{SIZE: "0"}], {SIZE: "8m"}, {"limits": {"requestBodyBytes": 0}}),
        ([{READ: "3600"}], {}, {"timeouts": {"firstByte": 3600, "idle": 3600}}),
        ([{READ: "30"}], {}, {"timeouts": {"firstByte": 30, "idle": 30}}),
        ([{READ: "30"}, {}], {}, {"timeouts": {"firstByte": 60, "idle": 60}}),
        ([{READ: "30", SEND: "90"}], {}, {"timeouts": {"firstByte": 30, "idle": 90}}),
        ([{SEND: "900"}], {}, {"timeouts": {"idle": 900}}),
        ([{READ: "300"}], {}, {}),
        ([{READ: "999999"}], {}, {"timeouts": {"firstByte": 86400, "idle": 86400}}),
        ([{READ: "60"}], {READ: "120"}, {"timeouts": {"firstByte": 60, "idle": 60}}),
        ([{READ: "60"}, {}], {READ: "120"}, {}),
    ],
)  # fmt: skip
def test_limits_and_timeouts(settings: Any, controller: dict[str, str], expected: dict[str, Any]) -> None:
    assert parts(*settings, controller=controller) == expected


def test_a_canary_says_nothing() -> None:
    canary = ingress("a.com", name="b", settings={"canary": "true", SIZE: "1g"})
    assert "limits" not in document("acme", plan(ingress("a.com"), canary))


def redirect(*ingresses: Any, controller: dict[str, str] | None = None) -> tuple[Any, list[str]]:
    found = inventory(*ingresses)
    found.controllers.append(ConfigMap(namespace="n", name="c", data=controller or {}))
    made = make_plan(found, Wishes(system_domain=DOMAIN))
    return document("acme", made).get("httpsRedirect"), [one for one in reasons(made) if one != "MissingSecret"]


OFF, FORCED = {"ssl-redirect": "false"}, {"force-ssl-redirect": "true"}


def test_redirects() -> None:
    assert redirect(ingress("a.com")) == (None, [])
    assert redirect(ingress("a.com", settings=OFF)) == (False, [])
    assert redirect(ingress("a.com", settings={**OFF, **FORCED})) == (None, [])
    assert redirect(ingress("a.com"), ingress("b.com", name="b", settings=OFF)) == (None, ["MixedRedirect"])
    assert redirect(ingress("a.com", tls=())) == (False, ["HostWithoutTls"])
    assert redirect(ingress("a.com", tls=(), settings=FORCED)) == (None, ["HostWithoutTls"])
    assert redirect(ingress(f"a.acme.{DOMAIN}", tls=())) == (None, [])


def test_redirects_by_the_controller() -> None:
    off = {"ssl-redirect": "false"}
    assert redirect(ingress("a.com"), controller=off) == (None, []), "as settings.yaml says"
    assert redirect(ingress("a.com", settings={"ssl-redirect": "true"}), controller=off) == (True, [])
    assert redirect(ingress("a.com"), controller={**off, "force-ssl-redirect": "true"}) == (None, [])


def test_hsts_as_ingress_nginx_sent_it() -> None:
    assert document("acme", plan(ingress("a.com")))["hsts"] == {"maxAge": 31536000, "includeSubDomains": True}
    assert "hsts" not in document("acme", plan(ingress("a.com", tls=())))
    others = plan(ingress("a.com", tls=()), ingress("b.com", namespace="b-gateway"))
    assert "hsts" not in document("acme", others), "another tenant's TLS is not this one's"
