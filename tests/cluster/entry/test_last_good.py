"""Containers that are restarted while the API server is away: they serve what was good, at once, and say so."""

from __future__ import annotations

import math
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entryproxy.model.times import rfc3339
from tests.cluster.entry.conftest import STEADY_HOST, add_tenant, follow_again, state_folder
from tests.cluster.entry.site import Site
from tests.cluster.entry.steady import SteadyLoad
from tests.cluster.faults import empty_list, is_list, is_watch
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import SYSTEM_DOMAIN, Entry
from tests.e2e.probes import rejected, serial, status

TENANTS = ("one", "two", "three")
SECONDS = 10.0
AN_HOUR_AGO = math.floor(time.time()) - 3600.0


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site], gateway: Gateway) -> Site:
    site = make_site()
    for tenant in TENANTS:
        add_tenant(site, tenant, gateway)
    return site


@pytest.fixture
def away(site: Site) -> Iterator[None]:
    site.proxy.refuse()
    yield
    site.proxy.heal()


@pytest.fixture(scope="module")
def written(site: Site, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an entry leaves behind that is killed with all its processes, as a container is."""
    state = state_folder(tmp_path_factory.mktemp("killed"))
    entry = site.start("--state-dir", str(state))
    try:
        entry.wait_ready()
        wait_until((state / "last-good").exists, "never written", SECONDS)
    finally:
        for pid in [entry.pid, *entry.children()]:
            os.kill(pid, signal.SIGKILL)
        entry.wait()
    assert [one.name for one in state.iterdir()] == ["last-good"]
    assert stat.S_IMODE((state / "last-good").stat().st_mode) == 0o600
    return (state / "last-good").read_bytes()


@pytest.fixture
def state(written: bytes, tmp_path: Path) -> Path:
    """That, in a folder of the test's own, from an hour ago."""
    folder = state_folder(tmp_path)
    file = folder / "last-good"
    file.touch(0o600)
    file.write_bytes(written)
    os.utime(file, (AN_HOUR_AGO, AN_HOUR_AGO))
    return folder


@pytest.mark.usefixtures("away")
def test_a_restarted_container_serves_at_once(
    site: Site, gateway: Gateway, steady_gateway: Gateway, state: Path
) -> None:
    """And follows the cluster again as soon as it is back: what changed meanwhile, and what is gone."""
    rotated = site.authority.issue(f"*.two.{SYSTEM_DOMAIN}")
    with site.running("--state-dir", str(state)) as entry, SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        for tenant in TENANTS:
            assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200
        wait_until(lambda: "the source can't be read" in entry.admin("/readyz")[1], "not told", SECONDS)
        ready, text = entry.admin("/readyz")
        assert (ready, text.startswith("ready\n")) == (200, True)
        assert f"; serving what was good at {rfc3339(AN_HOUR_AGO)}" in text
        said = f"serving the last good configuration of {rfc3339(AN_HOUR_AGO)}"
        wait_until(lambda: _is_said(entry, "level=warning", said), "not in the log", SECONDS)
        assert entry.metric("entryproxy_config_source_up") == 0
        assert entry.metric("entryproxy_config_last_success_timestamp_seconds") == AN_HOUR_AGO
        assert rejected(entry, "ConfigMap") == rejected(entry, "Secret") == 0

        site.remove("configmaps", "one")
        site.certificate("two-wildcard", "two", rotated)
        site.proxy.listen()
        follow_again(site, entry)
        two, one = f"app1.two.{SYSTEM_DOMAIN}", f"app1.one.{SYSTEM_DOMAIN}"
        wait_until(lambda: serial(entry, two) == rotated.serial, "not rotated", SECONDS)
        wait_until(lambda: status(entry, one, gateway.path()) == 404, "not removed", SECONDS)
        assert entry.admin("/readyz") == (200, "ready\n")
        assert entry.metric("entryproxy_config_last_success_timestamp_seconds") >= AN_HOUR_AGO + 3600
        load.check()
    add_tenant(site, "one", gateway)


def test_all_that_is_withdrawn_meanwhile_goes_though_finalizers_hold_it(
    site: Site, gateway: Gateway, steady_gateway: Gateway, state: Path
) -> None:
    """The first list names most of what was good as being deleted: nobody doubts that."""
    paths = {tenant: site.path("configmaps", tenant) for tenant in TENANTS}
    for path in paths.values():
        site.cluster.api.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})
        site.cluster.api.delete(path)
    with site.running("--state-dir", str(state)) as entry, SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        hosts = [f"app1.{tenant}.{SYSTEM_DOMAIN}" for tenant in TENANTS]
        wait_until(lambda: all(status(entry, host, gateway.path()) == 404 for host in hosts), "still served", SECONDS)
        load.check()
    assert not _is_said(entry, "level=warning", "SuddenDrop")
    for tenant, path in paths.items():
        site.cluster.api.patch(path, {"metadata": {"finalizers": None}})
        add_tenant(site, tenant, gateway)


def test_an_empty_list_right_after_a_restart(
    site: Site, gateway: Gateway, steady_gateway: Gateway, state: Path
) -> None:
    """From a replica that lags behind: nobody is deleted before a second list says the same."""
    watches = len(site.proxy.received(is_watch))
    site.proxy.inject(empty_list(), is_list, times=3)
    with site.running("--state-dir", str(state)) as entry, SteadyLoad(entry, STEADY_HOST, steady_gateway) as load:
        wait_until(lambda: len(site.proxy.received(is_watch)) >= watches + 3, "never followed", SECONDS)
        for tenant in TENANTS:
            assert status(entry, f"app1.{tenant}.{SYSTEM_DOMAIN}", gateway.path()) == 200
        load.check()
    site.proxy.heal()


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("fault", ["cut short", "garbage", "readable by others", "nothing"])
def test_a_file_that_is_not_trusted(site: Site, gateway: Gateway, state: Path, fault: str) -> None:
    """Not ready, with the reason in the log; ready once the API server is back, and then the file is good again."""
    file = state / "last-good"
    whole = file.read_bytes()
    if fault == "cut short":
        file.write_bytes(whole[:-100])
    elif fault == "garbage":
        file.write_bytes(bytes(range(256)) * 8)
    elif fault == "readable by others":
        file.chmod(0o644)
    else:
        file.unlink()
    entry = site.start("--state-dir", str(state), "--workers", "1")
    try:
        wait_until(lambda: len(entry.ports) == 3 and _is_told(entry), "not told", SECONDS)
        assert entry.admin("/readyz")[0] == 503
        assert _is_said(entry, "level=error", "is not used") == (fault != "nothing")
        site.proxy.listen()
        follow_again(site, entry)
        entry.wait_ready()
        assert status(entry, f"app1.two.{SYSTEM_DOMAIN}", gateway.path()) == 200
        wait_until(lambda: file.exists() and len(file.read_bytes()) > len(whole) / 2, "not written", SECONDS)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [one.name for one in state.iterdir()] == ["last-good"]
    finally:
        entry.close()


def _is_told(entry: Entry) -> bool:
    try:
        return "the source can't be read" in entry.admin("/readyz")[1]
    except OSError:
        return False


def _is_said(entry: Entry, *words: str) -> bool:
    return any(all(word in line for word in words) for line in entry.messages)
