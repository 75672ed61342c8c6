from __future__ import annotations

import json
import time

import pytest

from entryproxy.controller.releases import list_releases, parse_page
from entryproxy.kubernetes.client import connect
from entryproxy.kubernetes.errors import ApiError
from entryproxy.provision.digests import DIGEST_LABEL
from entryproxy.provision.state import Revision
from tests.charts import CUSTOM_RESOURCES, chart
from tests.cluster.cluster import Cluster, CommandError


def item(**changes: object) -> dict[str, object]:
    labels = {"owner": "helm", "name": "one", "version": "3", "status": "deployed", DIGEST_LABEL: "abc", **changes}
    return {
        "metadata": {
            "name": "sh.helm.release.v1.one.v3",
            "namespace": "ns",
            "labels": {key: value for key, value in labels.items() if value is not None},
            "creationTimestamp": "2026-01-01T00:00:10Z",
        }
    }


def page(*items: object) -> bytes:
    return json.dumps({"metadata": {}, "items": list(items)}).encode()


def test_a_revision_is_what_its_labels_say() -> None:
    created = 1_767_225_610.0
    assert parse_page(page(item(), item(**{DIGEST_LABEL: None}))) == [
        (("ns", "one"), Revision(number=3, status="deployed", digest="abc", created=created)),
        (("ns", "one"), Revision(number=3, status="deployed", digest="", created=created)),
    ]
    assert parse_page(b'{"items": null}') == []


@pytest.mark.parametrize("changes", [{"name": None}, {"version": None}, {"version": "x"}, {"status": "splendid"}])
def test_a_secret_that_only_looks_like_one_hides_no_other(changes: dict[str, object]) -> None:
    assert [name for name, _ in parse_page(page(item(**changes), item()))] == [("ns", "one")]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items": 7}', b'\xff{"items": []}'])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(ApiError, match="list"):
        parse_page(body)


async def test_we_say_what_helm_says(cluster: Cluster, namespace: str) -> None:
    """Install, upgrade, fail: number, status and digest by the API server alone, next to `helm history`."""
    cluster.kubectl("apply", "--server-side", "--filename", str(CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    began = time.time()

    def upgrade(digest: str, *settings: str) -> None:
        values = [part for one in (f"global.ingressClass={namespace}", *settings) for part in ("--set", one)]
        cluster.helm(
            *("upgrade", "--install", "one", str(chart()), "--namespace", namespace, "--skip-crds"),
            *("--labels", f"{DIGEST_LABEL}={digest}", *values),
        )

    upgrade("first")
    upgrade("second", "gateway.replicas=3")
    with pytest.raises(CommandError):
        upgrade("third", "gateway.replicas=many")
    history = json.loads(cluster.helm("history", "one", "--namespace", namespace, "--output=json"))
    async with await connect(str(cluster.admin_kubeconfig)) as client:
        here, everywhere = await list_releases(client, namespace), await list_releases(client)
    revisions = here[namespace, "one"]
    assert list(here) == [(namespace, "one")]
    assert everywhere[namespace, "one"] == revisions
    assert [(one.number, one.status) for one in revisions] == [(one["revision"], one["status"]) for one in history]
    assert [(one.status, one.digest) for one in revisions] == [
        ("superseded", "first"),
        ("deployed", "second"),
        ("failed", "third"),
    ]
    assert all(began - 2 <= one.created <= time.time() + 2 for one in revisions)
    cluster.helm("uninstall", "one", "--namespace", namespace)
    async with await connect(str(cluster.admin_kubeconfig)) as client:
        assert await list_releases(client, namespace) == {}
