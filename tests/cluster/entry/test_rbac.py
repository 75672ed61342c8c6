"""An entry that lacks a right which the chart gives it names the permission, in its log and in /readyz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.certificates import Authority
from tests.cluster.cluster import Cluster
from tests.cluster.entry.conftest import STEADY_HOST, furnish
from tests.cluster.entry.rights import Rights
from tests.cluster.entry.site import Site
from tests.e2e.gateways import Gateway, wait_until
from tests.e2e.harness import Entry
from tests.e2e.probes import status

VITAL = [(verb, resource) for verb in ("list", "watch") for resource in ("configmaps", "secrets")]
ENDPOINTS = [(verb, "endpointslices") for verb in ("list", "watch")]
SECONDS = 20.0


@pytest.fixture(scope="module")
def entries(cluster: Cluster, authority: Authority, steady_gateway: Gateway) -> Iterator[dict[tuple[str, str], Entry]]:
    """One for each right that it lacks; all start at once, because starting takes them longest."""
    sites = {lacks: Site(cluster, None, authority, lacks) for lacks in (*VITAL, *ENDPOINTS)}
    for site in sites.values():
        furnish(site, steady_gateway)
        site.tenant("pods", gateway={"balance": "endpoints"})
    entries = {lacks: site.start("--workers", "1") for lacks, site in sites.items()}
    try:
        yield entries
    finally:
        for entry in entries.values():
            entry.close()


def test_these_are_all_its_rights(namespace: str) -> None:
    assert set(Rights.of_chart(namespace).granted()) == {*VITAL, *ENDPOINTS}


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_without_a_list_it_is_not_ready(entries: dict[tuple[str, str], Entry], resource: str) -> None:
    entry = entries["list", resource]
    _wait_for_the_permission(entry, "list", f"{resource} --namespace {_namespace(entry)}")
    ready, text = entry.admin("/readyz")
    assert ready == 503
    assert text.startswith("not ready: no configuration yet\nthe source can't be read: error: ")
    assert f"list {resource} --namespace {_namespace(entry)}" in text
    assert entry.admin("/healthz")[0] == 200
    assert entry.metric("entryproxy_config_source_up") == 0


@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_without_a_watch_it_serves_what_it_listed(
    entries: dict[tuple[str, str], Entry], steady_gateway: Gateway, resource: str
) -> None:
    entry = entries["watch", resource]
    _wait_for_the_permission(entry, "watch", f"{resource} --namespace {_namespace(entry)}")
    entry.wait_ready(SECONDS)
    assert f"watch {resource} --namespace {_namespace(entry)}" in entry.admin("/readyz")[1]
    assert entry.metric("entryproxy_config_source_up") == 0
    assert status(entry, STEADY_HOST, steady_gateway.path()) == 200


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_without_endpoint_slices_everything_else_is_served(
    entries: dict[tuple[str, str], Entry], steady_gateway: Gateway, verb: str
) -> None:
    """Only tenants with `balance: endpoints` need them, and are dialled by the Service's name then."""
    entry = entries[verb, "endpointslices"]
    _wait_for_the_permission(entry, verb, "endpointslices.discovery.k8s.io --all-namespaces")
    entry.wait_ready(SECONDS)
    assert entry.admin("/readyz") == (200, "ready\n")
    assert entry.metric("entryproxy_config_source_up") == 1
    assert status(entry, STEADY_HOST, steady_gateway.path()) == 200
    (finding,) = [one for one in _findings(entry) if one["reason"] == "NoEndpoints"]
    assert finding["object"] == f"ConfigMap {_namespace(entry)}/pods"
    assert [one["severity"] for one in _findings(entry) if one["reason"] == "Forbidden"] == ["warning"]


def _namespace(entry: Entry) -> str:
    assert isinstance(entry.source, Site)
    return entry.source.namespace


def _findings(entry: Entry) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(entry.admin("/api/findings")[1])["items"]
    return items


def _wait_for_the_permission(entry: Entry, verb: str, what: str) -> None:
    """The log says what is missing, and how to look for oneself."""
    words = f'Not allowed to {verb} {what} (\\"kubectl auth can-i {verb} {what}\\")'
    wait_until(lambda: any(words in line for line in entry.messages), f"not in the log: {words}", SECONDS)
