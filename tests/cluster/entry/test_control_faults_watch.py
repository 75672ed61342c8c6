"""Watches and lists that go wrong: what changed meanwhile is in force afterwards, and nobody flaps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.entry.conftest import add_tenant
from tests.cluster.entry.site import Site
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Altered, Answer, Torn, both, failure, is_list, is_watch, of
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import LABEL, SYSTEM_DOMAIN, Entry
from tests.e2e.probes import rejected, serial, status

SECONDS = 10.0
STALLED_SECONDS = 1.5

pytestmark = pytest.mark.usefixtures("undisturbed")

Change = Callable[[], Callable[[], bool]]
"""Changes something; what it gives says whether all of that is in force."""


@pytest.fixture
def change(site: Site, entry: Entry, gateway: Gateway, tenant: str) -> Iterator[Change]:
    """A tenant is new, another is gone, and a certificate rotated."""
    removed = f"{tenant}-removed"
    add_tenant(site, removed, gateway)
    wait_until(lambda: _status(entry, removed, gateway) == 200, "never served")

    def change() -> Callable[[], bool]:
        add_tenant(site, f"{tenant}-added", gateway)
        site.remove("configmaps", removed)
        pair = site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}")
        site.certificate(f"{tenant}-wildcard", tenant, pair)
        return lambda: (
            _status(entry, f"{tenant}-added", gateway) == 200
            and _status(entry, removed, gateway) == 404
            and serial(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}") == pair.serial
        )

    yield change
    site.remove("configmaps", removed, f"{tenant}-added")
    site.remove("secrets", f"{removed}-wildcard", f"{tenant}-added-wildcard")


class TestExpired:
    """410."""

    def test_an_open_watch_expires(self, faults: FaultProxy, change: Change) -> None:
        lists = len(faults.received(is_list))
        assert faults.expire() == 3
        is_in_force = change()
        wait_until(is_in_force, "never in force", SECONDS)
        assert len(faults.received(is_list)) > lists

    def test_a_version_that_is_too_old_to_watch_from(self, faults: FaultProxy, change: Change) -> None:
        """What changed and what went while nobody watched shows in the list alone."""
        faults.refuse()
        is_in_force, lists = change(), len(faults.received(is_list))
        faults.inject(failure(410), is_watch, times=3)
        faults.listen()
        wait_until(is_in_force, "never in force", SECONDS)
        wait_until(lambda: len(faults.received(is_list)) == lists + 3, "not listed again", SECONDS)

    @pytest.mark.parametrize("code", [400, 504])
    def test_a_version_that_the_server_does_not_have(self, faults: FaultProxy, change: Change, code: int) -> None:
        """It was restored from a backup, or lags behind."""
        refusal = json.dumps({"kind": "Status", "status": "Failure", "reason": "BadRequest", "code": code})
        faults.inject(Answer(refusal.encode(), code), is_watch, times=3)
        lists = len(faults.received(is_list))
        faults.cut()
        wait_until(change(), "never in force", SECONDS)
        wait_until(lambda: len(faults.received(is_list)) == lists + 3, "not listed again", SECONDS)


class TestLists:
    """From a replica that lags behind."""

    def test_stale_lists(self, site: Site, faults: FaultProxy, change: Change) -> None:
        """A list from before the changes, then the watch from there: versions say nothing about what is newer."""
        queries = {"configmaps": f"labelSelector={LABEL}"}
        queries["secrets"] = queries["configmaps"] + "&fieldSelector=type%3Dkubernetes.io/tls"
        stale = [
            faults.inject(
                Answer(site.cluster.api.raw("GET", f"{site.path(plural)}?{query}")), both(is_list, of(plural))
            )
            for plural, query in queries.items()
        ]
        is_in_force = change()
        wait_until(is_in_force, "never in force", SECONDS)
        watches = len(faults.received(is_watch))
        faults.expire()
        wait_until(lambda: len(faults.received(is_watch)) == watches + 3, "never watched again", SECONDS)
        assert all(one.used for one in stale)
        wait_until(is_in_force, "the stale list stays", SECONDS)

    def test_a_poison_object_in_a_list(
        self, site: Site, entry: Entry, gateway: Gateway, tenant: str, faults: FaultProxy, change: Change
    ) -> None:
        """It stays what it was, reported; all others are read."""

        def poison(answer: Any) -> Any:
            for item in answer["items"]:
                if item["metadata"]["name"] == tenant:
                    item["data"] = {"tenant.yaml": 7}
            return answer

        faults.inject(Altered(poison), both(is_list, of("configmaps")))
        faults.expire(of("configmaps"))
        wait_until(lambda: rejected(entry, "ConfigMap") == 1, "not reported", SECONDS)
        wait_until(change(), "nobody else is read", SECONDS)
        assert _status(entry, tenant, gateway) == 200
        message = _reported(entry, f"ConfigMap {site.namespace}/{tenant} data")
        assert "Expected `str`, got `int`" in message
        site.tenant(tenant, gateway={"addresses": [gateway.address]}, httpsRedirect=False)
        wait_until(lambda: rejected(entry, "ConfigMap") == 0, "never mended", SECONDS)


class TestEvents:
    """What comes between two good ones."""

    def test_a_torn_event(self, faults: FaultProxy, change: Change) -> None:
        """The watch ends in the middle of it, and is resumed before it."""
        torn = [faults.inject(Torn(), both(is_watch, of(plural))) for plural in ("configmaps", "secrets")]
        faults.cut()
        wait_until(lambda: all(one.used for one in torn), "never watched", SECONDS)
        lists = len(faults.received(is_list))
        wait_until(change(), "never in force", SECONDS)
        assert len(faults.received(is_list)) == lists

    @pytest.mark.parametrize("line", [b"{]\n", b'{"type":"ADDED"}\n', b"\xff\xfe\n", b'"text"\n', b"[]\n"])
    def test_garbage(self, faults: FaultProxy, change: Change, line: bytes) -> None:
        """It may have been an event, so the watch is resumed before it."""
        watches = len(faults.received(is_watch))
        assert faults.say(line) == 3
        wait_until(change(), "never in force", SECONDS)
        wait_until(lambda: len(faults.received(is_watch)) == watches + 3, "not resumed", SECONDS)

    def test_a_poison_event(self, site: Site, entry: Entry, gateway: Gateway, faults: FaultProxy, tenant: str) -> None:
        """Of one object, which stays what it was, with a finding, until there is a good event of it."""
        secret = {"name": f"{tenant}-wildcard", "namespace": site.namespace, "resourceVersion": "1"}
        host = f"app1.{tenant}.{SYSTEM_DOMAIN}"
        before = serial(entry, host)
        metadata = {**secret, "labels": {LABEL: tenant}, "creationTimestamp": "yesterday"}
        poison = {"type": "MODIFIED", "object": {"metadata": metadata, "type": "kubernetes.io/tls", "data": {}}}
        assert faults.say(json.dumps(poison).encode() + b"\n", of("secrets")) == 1

        wait_until(lambda: rejected(entry, "Secret") == 1, "not reported", SECONDS)
        assert "metadata.creationTimestamp" in _reported(entry, f"Secret {site.namespace}/{tenant}-wildcard")
        assert serial(entry, host) == before
        pair = site.authority.issue(f"*.{tenant}.{SYSTEM_DOMAIN}")
        site.certificate(f"{tenant}-wildcard", tenant, pair)
        wait_until(lambda: serial(entry, host) == pair.serial, "never mended", SECONDS)
        assert rejected(entry, "Secret") == 0

    def test_a_watch_that_stands_still_for_a_while(
        self, entry: Entry, tenant: str, gateway: Gateway, faults: FaultProxy, change: Change
    ) -> None:
        """What was held up comes later; until then everybody is served as before. (That longer silence is taken for
        the end, see tests/config/kubernetes.)"""
        requests = len(faults.requests)
        faults.stall()
        is_in_force = change()
        with entry.client(f"app1.{tenant}.{SYSTEM_DOMAIN}") as client:
            assert client.get(gateway.path()).status == 200
            assert client.is_quiet(STALLED_SECONDS)
            assert client.get(gateway.path()).status == 200
        assert not is_in_force()
        faults.resume()
        wait_until(is_in_force, "never in force", SECONDS)
        assert len(faults.requests) == requests


def _status(entry: Entry, tenant: str, gateway: Gateway) -> int:
    return status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path())


def _reported(entry: Entry, words: str) -> str:
    wait_until(lambda: any(words in line for line in entry.messages), f"{words}: not in the log")
    return next(line for line in reversed(entry.messages) if words in line)
