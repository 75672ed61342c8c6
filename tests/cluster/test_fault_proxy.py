from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.faults import (
    Answer,
    Delayed,
    Reset,
    Silent,
    Torn,
    both,
    empty_list,
    failure,
    is_list,
    is_next_page,
    is_watch,
    of,
    token_digest,
    with_token,
)
from tests.e2e.gateways import wait_until

SHORT_SECONDS = 0.3


class Watch:
    """An open watch of a namespace's ConfigMaps through the proxy."""

    def __init__(self, cluster: Cluster, proxy: FaultProxy, namespace: str) -> None:
        self._cluster = cluster
        self._configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
        version = cluster.api.get(self._configmaps)["metadata"]["resourceVersion"]
        self.connection = _connect(cluster, proxy)
        self.connection.request(
            "GET", f"{self._configmaps}?watch=1&resourceVersion={version}", headers=_authorization(cluster)
        )
        self.response = self.connection.getresponse()

    def make(self, name: str) -> None:
        """Cause an event, past the proxy."""
        self._cluster.api.post(self._configmaps, {"metadata": {"name": name}})

    def line(self) -> bytes:
        return self.response.readline()

    def event(self) -> tuple[str, str]:
        """Type and name."""
        event = json.loads(self.line())
        return event["type"], event["object"]["metadata"]["name"]

    def is_reset(self) -> bool:
        """Reading says no more than that it ended (ssl doesn't tell); but nothing can be written to it any more."""
        assert self.line() == b""
        try:
            self.connection.sock.sendall(b"more")
        except OSError:
            return True
        return False

    def is_quiet(self) -> bool:
        """Nothing comes for a while; what has come is read."""
        self.connection.sock.settimeout(SHORT_SECONDS)
        try:
            return self.line() == b"nothing"
        except TimeoutError:
            return True


@pytest.fixture
def proxied(cluster: Cluster, fault_proxy: FaultProxy) -> Api:
    """The administrator's requests, through the proxy."""
    return Api(fault_proxy.url, cluster.authority.context(), cluster.admin_token)


@pytest.fixture
def configmaps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def watch(cluster: Cluster, fault_proxy: FaultProxy, namespace: str) -> Iterator[Watch]:
    watch = Watch(cluster, fault_proxy, namespace)
    yield watch
    watch.response.close()
    watch.connection.close()


# -- without faults


def test_requests_pass_unchanged_both_ways(cluster: Cluster, proxied: Api, configmaps: str) -> None:
    made = proxied.post(configmaps, {"metadata": {"name": "there"}, "data": {"key": "ü" * 100_000}})

    assert cluster.api.get(f"{configmaps}/there") == made
    assert proxied.get(f"{configmaps}?limit=1&labelSelector=a%3Db%2Cc")["items"] == []


def test_events_pass_one_by_one(watch: Watch) -> None:
    for name in ("one", "two"):
        watch.make(name)
        assert watch.event() == ("ADDED", name)


def test_kubectl_works_through_it(cluster: Cluster, fault_proxy: FaultProxy, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "user", url=fault_proxy.url)

    assert account.user in cluster.kubectl("auth", "whoami", kubeconfig=account.kubeconfig)


def test_requests_are_recorded(cluster: Cluster, proxied: Api, fault_proxy: FaultProxy, configmaps: str) -> None:
    proxied.get(f"{configmaps}?limit=5")
    with pytest.raises(ApiError):
        proxied.get(f"{configmaps}/nothing")

    first, second = fault_proxy.requests
    assert (first.method, first.path, first.query, first.status) == ("GET", configmaps, {"limit": "5"}, 200)
    assert second.status == 404
    assert second.at >= first.at
    assert first.token == token_digest(cluster.admin_token)
    assert cluster.admin_token not in repr(first)


def test_answers_can_be_rewritten(cluster: Cluster, namespace: str, configmaps: str) -> None:
    with FaultProxy(cluster, rewrite={"198.51.100.": "127.0.0."}) as proxy:
        api = Api(proxy.url, cluster.authority.context(), cluster.admin_token)
        watch = Watch(cluster, proxy, namespace)
        with contextlib.closing(watch.connection), contextlib.closing(watch.response):
            cluster.api.post(configmaps, {"metadata": {"name": "there"}, "data": {"ip": "198.51.100.3"}})
            assert json.loads(watch.line())["object"]["data"]["ip"] == "127.0.0.3"
        assert api.get(f"{configmaps}/there")["data"]["ip"] == "127.0.0.3"
    assert cluster.api.get(f"{configmaps}/there")["data"]["ip"] == "198.51.100.3"


# -- answers


def test_a_failure_as_often_as_wanted(proxied: Api, fault_proxy: FaultProxy, configmaps: str) -> None:
    injection = fault_proxy.inject(failure(429, retry_after_seconds=2), both(is_list, of("configmaps")), times=2)

    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            proxied.get(configmaps)
        assert caught.value.status == 429
    proxied.get(configmaps)

    assert injection.used == 2
    assert [request.status for request in fault_proxy.requests] == [429, 429, 200]


def test_retry_after_is_told(cluster: Cluster, fault_proxy: FaultProxy, configmaps: str) -> None:
    fault_proxy.inject(failure(503, retry_after_seconds=7))
    with contextlib.closing(_connect(cluster, fault_proxy)) as connection:
        connection.request("GET", configmaps)
        response = connection.getresponse()
        document = json.load(response)

    assert response.headers["Retry-After"] == "7"
    assert (document["kind"], document["code"], document["reason"]) == ("Status", 503, "ServiceUnavailable")


def test_the_oldest_fault_goes_first_and_any_can_be_withdrawn(proxied: Api, fault_proxy: FaultProxy) -> None:
    forbidden = fault_proxy.inject(failure(403), times=None)
    fault_proxy.inject(failure(500))

    assert [_status(proxied), _status(proxied)] == [403, 403]
    fault_proxy.withdraw(forbidden)
    assert [_status(proxied), _status(proxied)] == [500, 200]


def test_a_continue_token_expires_between_pages(proxied: Api, fault_proxy: FaultProxy, configmaps: str) -> None:
    for name in ("one", "two"):
        proxied.post(configmaps, {"metadata": {"name": name}})
    fault_proxy.inject(failure(410), is_next_page)

    page = proxied.get(f"{configmaps}?limit=1")
    following = f"{configmaps}?limit=1&continue={urllib.parse.quote(page['metadata']['continue'])}"
    with pytest.raises(ApiError, match="Expired"):
        proxied.get(following)
    assert len(proxied.get(following)["items"]) == 1


def test_empty_and_stale_lists(cluster: Cluster, proxied: Api, fault_proxy: FaultProxy, configmaps: str) -> None:
    stale = cluster.api.raw("GET", configmaps)
    proxied.post(configmaps, {"metadata": {"name": "new"}})
    fault_proxy.inject(empty_list(), is_list)
    fault_proxy.inject(Answer(stale), is_list)

    empty = proxied.get(f"{configmaps}?limit=1")
    assert (empty["kind"], empty["items"]) == ("ConfigMapList", [])
    assert "continue" not in empty["metadata"]
    assert proxied.get(configmaps) == json.loads(stale)
    assert "new" in _names(proxied.get(configmaps))


def test_an_old_token_is_refused(cluster: Cluster, fault_proxy: FaultProxy, namespace: str) -> None:
    account = cluster.service_account_kubeconfig(namespace, "rotating", url=fault_proxy.url)
    old = account.token_file.read_text()
    new = cluster.rotate_token(account)
    fault_proxy.inject(failure(401), with_token(old), times=None)

    assert _status(Api(fault_proxy.url, cluster.authority.context(), old)) == 401
    assert _status(Api(fault_proxy.url, cluster.authority.context(), new)) == 200


def test_a_delay(proxied: Api, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(Delayed(SHORT_SECONDS))

    assert _status(proxied) == 200


# -- connections


def test_a_reset_in_place_of_an_answer(proxied: Api, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(Reset())

    with pytest.raises(ConnectionError):
        proxied.get("/version")
    assert _status(proxied) == 200


def test_silence_in_place_of_an_answer(cluster: Cluster, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(Silent())
    with contextlib.closing(_connect(cluster, fault_proxy, SHORT_SECONDS)) as connection:
        connection.request("GET", "/version")
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_refusing_and_listening_again(cluster: Cluster, proxied: Api, fault_proxy: FaultProxy, watch: Watch) -> None:
    fault_proxy.refuse()

    assert watch.is_reset()
    with pytest.raises(ConnectionRefusedError):
        proxied.get("/version")
    fault_proxy.heal()
    assert _status(proxied) == 200


def test_a_cut_resets_what_is_open(proxied: Api, fault_proxy: FaultProxy, watch: Watch) -> None:
    fault_proxy.cut()

    assert watch.is_reset()
    assert _status(proxied) == 200


def test_stalled_bytes_come_later(cluster: Cluster, fault_proxy: FaultProxy, watch: Watch) -> None:
    fault_proxy.stall()
    watch.make("late")
    assert watch.is_quiet()
    with contextlib.closing(_connect(cluster, fault_proxy, 10)) as connection:
        connection.request("GET", "/version")
        wait_until(lambda: fault_proxy.requests[-1].path == "/version", "the request never arrived")
        assert fault_proxy.requests[-1].status is None

        fault_proxy.resume()
        assert connection.getresponse().status == 200


# -- watches


def test_a_watch_may_be_refused(proxied: Api, fault_proxy: FaultProxy, configmaps: str) -> None:
    fault_proxy.inject(failure(410), is_watch)

    with pytest.raises(ApiError, match="Expired"):
        proxied.get(f"{configmaps}?watch=1&resourceVersion=1")


def test_an_open_watch_expires(fault_proxy: FaultProxy, watch: Watch) -> None:
    assert fault_proxy.expire(of("configmaps")) == 1

    event = json.loads(watch.line())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert watch.line() == b""


def test_garbage_between_events(fault_proxy: FaultProxy, watch: Watch) -> None:
    assert fault_proxy.say(b"{]\n", of("secrets")) == 0
    assert fault_proxy.say(b"{]\n") == 1
    watch.make("next")

    assert watch.line() == b"{]\n"
    assert watch.event() == ("ADDED", "next")


def test_a_torn_event(cluster: Cluster, fault_proxy: FaultProxy, namespace: str) -> None:
    fault_proxy.inject(Torn(after_events=1), is_watch)
    watch = Watch(cluster, fault_proxy, namespace)
    with contextlib.closing(watch.connection), contextlib.closing(watch.response):
        watch.make("whole")
        watch.make("half")

        assert watch.event() == ("ADDED", "whole")
        torn = watch.line()
        assert torn.startswith(b'{"type":"ADDED"')
        with pytest.raises(json.JSONDecodeError):
            json.loads(torn)
        assert watch.line() == b""


def _connect(cluster: Cluster, proxy: FaultProxy, seconds: float = 10) -> http.client.HTTPSConnection:
    host = urllib.parse.urlsplit(proxy.url).netloc
    return http.client.HTTPSConnection(host, context=cluster.authority.context(), timeout=seconds)


def _authorization(cluster: Cluster) -> dict[str, str]:
    return {"Authorization": f"Bearer {cluster.admin_token}"}


def _status(api: Api) -> int:
    try:
        api.get("/version")
    except ApiError as error:
        return error.status
    return 200


def _names(answer: Any) -> set[str]:
    return {item["metadata"]["name"] for item in answer["items"]}
