"""`entryproxy tenant …` beside a controller: the gateway comes and goes while somebody looks on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.operators import Operator, allow, rule
from tests.cluster.provision.kubelet import Kubelet
from tests.cluster.provision.place import Place
from tests.cluster.provision.running import RunningController

pytestmark = pytest.mark.usefixtures("kubelet")


@pytest.fixture
def operator(place: Place, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(place.cluster, place.namespace, capsys)


@pytest.fixture(scope="module")
def running(place: Place, controller: RunningController, kubelet: Kubelet) -> Iterator[None]:
    """A tenant that is ready, for tests that leave it so."""
    place.provision("commanded")
    place.wait_for("commanded", "Ready")
    yield


def steps(output: str) -> list[str]:
    """Of the progress, each line without its time."""
    return [line.split(" s  ", 1)[1] for line in output.splitlines() if " s  " in line]


# -- add


def test_a_tenant_is_added_and_changed(place: Place, operator: Operator, controller: RunningController) -> None:
    assert operator.tenant("add", "tenant3", "--profile", "test", "--domain", "app.x.com", "--wait") == 0, operator.err
    assert operator.out.startswith("configmap/tenant3 created\n")
    assert [one.partition(" ")[0] for one in steps(operator.out)][-2:] == ["Provisioning", "Ready"]
    assert "[UncoveredHost]" in operator.err
    assert "there is no Service" not in operator.err
    assert place.history("tenant3") == [(1, "deployed")]
    assert operator.document("tenant3") == {"domains": ["app.x.com"], "release": {"profile": "test"}}

    # What was said of the first document isn't taken for an answer to the second.
    assert operator.tenant("add", "tenant3", "--profile", "dev", "--wait") == 0, operator.err
    assert operator.out.startswith("configmap/tenant3 configured\n")
    assert [one.partition(" ")[0] for one in steps(operator.out)][-2:] == ["Upgrading", "Ready"]
    assert "Revision 2" in operator.out
    assert place.history("tenant3") == [(1, "superseded"), (2, "deployed")]

    # Nothing that Helm would have to do is asked for, and nothing at all.
    assert operator.tenant("add", "tenant3", "--connections", "5", "--wait") == 0
    assert operator.tenant("add", "tenant3", "--wait") == 0
    assert operator.out.startswith("configmap/tenant3 unchanged\n")
    assert [one.partition(" ")[0] for one in steps(operator.out)] == ["Ready"]
    assert place.history("tenant3") == [(1, "superseded"), (2, "deployed")]

    assert operator.tenant("remove", "tenant3", "--yes", "--wait") == 0, operator.err
    assert operator.out.startswith("configmap/tenant3 deleted, and gone once its gateway is\n")
    assert steps(operator.out)[-1] == "gone"
    assert {one.partition(" ")[0] for one in steps(operator.out)[:-1]} <= {"Removing", "Removed"}
    assert "finalizers" not in operator.err
    assert operator.names() == ["platform", "steady"]
    assert place.history("tenant3") == []


@pytest.mark.usefixtures("controller")
def test_what_the_controller_refuses(place: Place, operator: Operator) -> None:
    assert operator.tenant("add", "measly", "--profile", "dev", "--quota-cpu", "10m", "--wait") == 1
    assert "the gateway of tenant measly can't be made as written: namespace.quota.cpu: " in operator.err
    assert operator.out.startswith("configmap/measly created\n")
    assert not place.cluster.api.exists("/api/v1/namespaces/measly-gateway")
    assert operator.tenant("add", "measly", "--quota-cpu", "8", "--wait") == 0


@pytest.mark.usefixtures("controller")
def test_what_is_not_ready_in_time(kubelet: Kubelet, operator: Operator) -> None:
    with kubelet.failing(namespace="late-gateway"):
        assert operator.tenant("add", "late", "--profile", "dev", "--wait", "--timeout", "3") == 1
        assert "the gateway of tenant late isn't ready after 3 s" in operator.err
        assert steps(operator.out)
    assert operator.tenant("remove", "late", "--yes") == 0


# -- show and list


@pytest.mark.usefixtures("running")
def test_what_is_shown(place: Place, operator: Operator) -> None:
    assert operator.tenant("show", "commanded") == 0
    words = " ".join(operator.out.split())
    assert "release Ready (Ready)" in words
    assert "revision 1 of chart version" in words
    assert "Ready=True since" in words
    for output, load in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert operator.tenant("show", "commanded", "-o", output) == 0
        release = load(operator.out)["release"]
        assert (release["phase"], release["revision"], release["namespace"]) == ("Ready", 1, "commanded-gateway")
    assert operator.tenant("show", "steady", "-o", "json") == 0
    assert json.loads(operator.out)["release"] is None


@pytest.mark.usefixtures("running")
def test_what_is_listed(operator: Operator) -> None:
    assert operator.tenant("list") == 0
    header, *rows = (line.split() for line in operator.out.splitlines())
    column = header.index("RELEASE")
    assert {row[0]: row[column] for row in rows}.items() >= {"commanded": "Ready", "steady": "<none>"}.items()
    assert operator.tenant("list", "-o", "json") == 0
    releases = {one["id"]: one["release"] for one in json.loads(operator.out)["items"]}
    assert (releases["commanded"]["phase"], releases["steady"]) == ("Ready", None)


@pytest.mark.usefixtures("running")
def test_listing_is_enough_of_a_right(cluster: Cluster, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = allow(cluster, place.namespace, "onlooker", rule(["configmaps", "secrets"], "list"))
    onlooker = Operator(cluster, place.namespace, capsys, kubeconfig)
    assert onlooker.tenant("show", "commanded") == 0, onlooker.err
    assert "release" in onlooker.out
    assert onlooker.tenant("list") == 0, onlooker.err


def test_what_is_rendered(operator: Operator) -> None:
    (document,) = yaml.safe_load_all(operator.render("drawn", "--profile", "prod", "--isolation", "class"))
    assert yaml.safe_load(document["data"]["tenant.yaml"]) == {"release": {"profile": "prod", "isolation": "class"}}


# -- nobody is there; the last test, since the others want the controller


@pytest.mark.usefixtures("running")
def test_without_a_controller(place: Place, operator: Operator, controller: RunningController) -> None:
    controller.stop()
    assert operator.tenant("add", "unattended", "--profile", "dev", "--wait", "--timeout", "1") == 1
    assert "isn't ready after 1 s: no controller has said anything" in operator.err
    assert operator.tenant("remove", "unattended", "--yes", "--wait") == 0
    assert operator.out.startswith("configmap/unattended deleted\n")
    assert steps(operator.out) == []

    assert operator.tenant("remove", "commanded", "--yes") == 0
    assert operator.out == "configmap/commanded deleted, and gone once its gateway is\n"
    assert operator.tenant("show", "commanded") == 0, operator.err
    assert "state    Removing" in operator.out
    assert operator.tenant("list") == 0
    assert "Removing" in operator.out
    assert operator.tenant("add", "commanded", "--profile", "dev") == 1
    assert "is being removed and waits for" in operator.err
    assert operator.tenant("remove", "commanded", "--yes", "--wait", "--timeout", "1") == 1
    assert "tenant commanded isn't gone after 1 s" in operator.err
    with place.controlled(identity="successor"):
        assert operator.tenant("remove", "commanded", "--yes", "--wait") == 0, operator.err
        assert operator.tenant("show", "commanded") == 1
