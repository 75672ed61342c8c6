"""The API server is away, or doesn't want us: nobody who is served notices, and the operator is told."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.cluster.control_plane import ControlPlane
from tests.cluster.entry.conftest import STEADY_HOST, add_tenant, follow_again, furnish
from tests.cluster.entry.site import Site
from tests.cluster.entry.steady import SteadyLoad
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import Request, both, failure, is_list, of, token_digest, with_token
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import status

COLLECTIONS = ("configmaps", "secrets", "endpointslices")
NOTICED_SECONDS = 5.0
"""Until an outage is spoken of; two seconds are not worth a word."""
BACK_SECONDS = 20.0
"""Until somebody who backed off asks again."""


@pytest.mark.usefixtures("undisturbed")
class TestAwayMidRun:
    """The shared entry."""

    def test_what_is_in_force_is_served_and_the_outage_told(
        self, site: Site, entry: Entry, gateway: Gateway, tenant: str, faults: FaultProxy
    ) -> None:
        """What changed meanwhile is in force afterwards, what went is gone."""
        followed = entry.metric("entryproxy_config_last_success_timestamp_seconds")
        faults.refuse()
        wait_until(lambda: "the source can't be read" in entry.admin("/readyz")[1], "not told", NOTICED_SECONDS)
        add_tenant(site, "meanwhile", gateway)
        site.remove("configmaps", tenant)

        assert entry.admin("/readyz")[0] == 200
        assert entry.metric("entryproxy_config_source_up") == 0
        stale_since = entry.metric("entryproxy_config_last_success_timestamp_seconds")
        assert stale_since == entry.metric("entryproxy_config_last_success_timestamp_seconds") >= followed
        assert "Can't connect to" in _said(entry, "ConfigMaps", "UnreachableCluster")
        assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200

        faults.listen()
        follow_again(site, entry)
        wait_until(lambda: status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 404, "it stays")
        assert status(entry, f"app1.meanwhile.{SYSTEM_DOMAIN}", gateway.path()) == 200
        assert entry.admin("/readyz") == (200, "ready\n")
        assert entry.metric("entryproxy_config_last_success_timestamp_seconds") > stale_since
        site.remove("configmaps", "meanwhile")
        site.remove("secrets", "meanwhile-wildcard")

    def test_a_moment_away_is_not_worth_a_word(
        self, site: Site, entry: Entry, gateway: Gateway, faults: FaultProxy
    ) -> None:
        """Cut and resumed from the same version, without a list."""
        said, lists = len(entry.messages), len(faults.received(is_list))
        faults.cut()
        add_tenant(site, "resumed", gateway)

        wait_until(lambda: status(entry, f"app1.resumed.{SYSTEM_DOMAIN}", gateway.path()) == 200, "never resumed")
        assert len(faults.received(is_list)) == lists
        assert [line for line in entry.messages[said:] if "UnreachableCluster" in line] == []
        site.remove("configmaps", "resumed")
        site.remove("secrets", "resumed-wildcard")

    def test_rbac_revoked(self, site: Site, entry: Entry, gateway: Gateway, tenant: str, faults: FaultProxy) -> None:
        """Told with the permission that is missing; mended by itself once it is given back."""
        binding = site.rights.named("RoleBinding")
        site.cluster.kubectl("delete", f"rolebinding/{binding}", "--namespace", site.namespace)
        faults.cut()  # the API server doesn't look at open watches again
        wait_until(lambda: "Not allowed" in entry.admin("/readyz")[1], "not told", NOTICED_SECONDS)

        assert entry.admin("/readyz")[0] == 200
        assert entry.metric("entryproxy_config_source_up") == 0
        said = _said(entry, "Secrets", "Forbidden")
        assert f"kubectl auth can-i watch secrets --namespace {site.namespace}" in said
        assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200

        site.rights.install(site.cluster)
        add_tenant(site, "forgiven", gateway)
        wait_until(
            lambda: status(entry, f"app1.forgiven.{SYSTEM_DOMAIN}", gateway.path()) == 200, "never again", BACK_SECONDS
        )
        site.remove("configmaps", "forgiven")
        site.remove("secrets", "forgiven-wildcard")

    def test_a_rotated_token(self, site: Site, entry: Entry, tenant: str, gateway: Gateway, faults: FaultProxy) -> None:
        """The old one is refused from one moment to the next; the file has the new one."""
        old = site.account.token_file.read_text()
        new = site.cluster.rotate_token(site.account)
        faults.inject(failure(401), with_token(old), times=None)
        asked = len(faults.requests)
        faults.cut()

        add_tenant(site, "rotated", gateway)
        wait_until(lambda: status(entry, f"app1.rotated.{SYSTEM_DOMAIN}", gateway.path()) == 200, "never let in")
        digests = [request.token for request in faults.requests[asked:]]
        assert set(digests) == {token_digest(old), token_digest(new)}
        assert digests.count(token_digest(old)) <= len(COLLECTIONS)
        assert not any(old in line or new in line for line in entry.messages)
        site.remove("configmaps", "rotated")
        site.remove("secrets", "rotated-wildcard")

    def test_retry_after_is_honoured(
        self, site: Site, entry: Entry, gateway: Gateway, tenant: str, faults: FaultProxy
    ) -> None:
        """429, 503 and 500, each for another collection, in place of a watch and then of a list."""
        asked = {"configmaps": 2, "secrets": 1}
        faults.inject(failure(429, retry_after_seconds=asked["configmaps"]), of("configmaps"))
        faults.inject(failure(503, retry_after_seconds=asked["secrets"]), of("secrets"), times=2)
        faults.inject(failure(500), of("endpointslices"), times=2)
        began = len(faults.requests)
        faults.cut()
        add_tenant(site, "patient", gateway)

        wait_until(lambda: status(entry, f"app1.patient.{SYSTEM_DOMAIN}", gateway.path()) == 200, "never", BACK_SECONDS)
        requests = faults.requests[began:]
        for resource, seconds in asked.items():
            gaps = _gaps([request for request in requests if request.resource == resource], refused=(429, 503))
            assert gaps
            assert min(gaps) >= seconds
            assert max(gaps) < seconds * 1.2 + 3  # not a fixed time, and no more than it needs
        assert [one.status for one in requests if one.resource == "endpointslices"] == [500, 500, 200]
        site.remove("configmaps", "patient")
        site.remove("secrets", "patient-wildcard")

    def test_the_control_process_dies_meanwhile(
        self, site: Site, entry: Entry, gateway: Gateway, tenant: str, faults: FaultProxy
    ) -> None:
        """Workers serve on; the next one has from them what is in force."""
        tenants, workers = entry.metric("entryproxy_tenants"), set(entry.workers())
        (control,) = set(entry.children()) - workers
        faults.refuse()
        os.kill(control, signal.SIGKILL)
        wait_until(lambda: control not in entry.children(), "not reaped")
        assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200

        wait_until(entry.is_ready, "no control process came back", 10)
        wait_until(lambda: "the source can't be read" in entry.admin("/readyz")[1], "not told", NOTICED_SECONDS)
        assert entry.metric("entryproxy_tenants") == tenants
        assert set(entry.workers()) == workers
        faults.listen()
        follow_again(site, entry)
        assert entry.metric("entryproxy_tenants") == tenants
        assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200


def test_refused_at_the_start(site: Site, gateway: Gateway, load: SteadyLoad) -> None:
    """Not ready, and says why; asks again and again, never at once and not in step; no process ends over it."""
    site.proxy.inject(failure(503), both(is_list, of("configmaps")), times=4)
    began = len(site.proxy.requests)
    entry = site.start()
    try:
        wait_until(lambda: len(entry.ports) == 3 and _answers(entry), "the admin port never answered", 10)
        wait_until(lambda: "injected by a test" in entry.admin("/readyz")[1], "not told", NOTICED_SECONDS)
        assert entry.admin("/readyz")[0] == 503
        assert entry.admin("/readyz")[1].startswith("not ready: no configuration yet\n")
        assert entry.admin("/healthz")[0] == 200
        children = entry.children()
        entry.wait_ready(BACK_SECONDS)

        requests = [one for one in site.proxy.requests[began:] if one.resource == "configmaps" and is_list(one)]
        gaps = _gaps(requests, refused=(503,))
        assert len(gaps) == 4
        assert min(gaps) >= 0.2
        assert len({round(gap, 2) for gap in gaps}) > 1
        assert entry.children() == children
        assert entry.metric("entryproxy_worker_restarts_total") == 0
        assert status(entry, STEADY_HOST, gateway.path()) == 200
        assert entry.admin("/readyz") == (200, "ready\n")
    finally:
        entry.close()
    load.check()


def test_a_real_api_server_that_comes_and_goes(
    tmp_path: Path, authority: Authority, gateway: Gateway, steady_gateway: Gateway
) -> None:
    """Away at the start, there, away again, and there again."""
    control_plane = ControlPlane(tmp_path / "control-plane")
    with control_plane as cluster:
        site = Site(cluster, None, authority)
        furnish(site, steady_gateway)
        control_plane.stop_api_server()
        entry = site.start()
        try:
            wait_until(lambda: len(entry.ports) == 3 and _answers(entry), "the admin port never answered", 10)
            wait_until(lambda: "the source can't be read" in entry.admin("/readyz")[1], "not told", NOTICED_SECONDS)
            assert entry.admin("/readyz")[0] == 503
            control_plane.start_api_server()
            entry.wait_ready(BACK_SECONDS)
            with SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
                control_plane.stop_api_server()
                load.check()
                control_plane.start_api_server()
                add_tenant(site, "back", gateway)
                host = f"app1.back.{SYSTEM_DOMAIN}"
                wait_until(lambda: status(entry, host, gateway.path()) == 200, "never followed again", BACK_SECONDS)
                assert entry.admin("/readyz") == (200, "ready\n")
        finally:
            entry.close()


def _said(entry: Entry, *words: str) -> str:
    """The newest line of its log that has all of these words."""
    found: list[str] = []

    def is_said() -> bool:
        found[:] = [line for line in entry.messages if all(word in line for word in words)]
        return bool(found)

    wait_until(is_said, f"{words} are in no line of the log")
    return found[-1]


def _gaps(requests: list[Request], refused: tuple[int, ...]) -> list[float]:
    """Seconds from each refused request to the next one."""
    return [later.at - earlier.at for earlier, later in itertools.pairwise(requests) if earlier.status in refused]


def _answers(entry: Entry) -> bool:
    try:
        return entry.admin("/healthz")[0] == 200
    except OSError:
        return False
