"""What everything here needs: Helm, which is built along with the control plane, and often that control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import charts
from tests.cluster.cluster import Cluster
from tests.deploy.chart import EVERYTHING, EXAMPLES, render
from tests.e2e.gateways import wait_until


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def defaults() -> list[Any]:
    """What the chart renders to without any values."""
    return render()


@pytest.fixture(scope="session")
def everything() -> list[Any]:
    """What it renders to with every switch on."""
    return render(EVERYTHING)


@pytest.fixture(scope="session")
def prepared(cluster: Cluster) -> Cluster:
    """The control plane, knowing the custom resources that our manifests use, with the examples' namespaces."""
    cluster.kubectl("apply", "--filename", str(Path(__file__).parent / "crds"))
    cluster.kubectl("apply", "--server-side", "--filename", str(charts.CUSTOM_RESOURCES))
    cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    cluster.kubectl("apply", "--filename", str(EXAMPLES / "namespaces.yaml"))
    # Established says that they are served; kubectl asks what there is.
    wait_until(lambda: "wasmplugins" in cluster.kubectl("api-resources", "--output=name"), "no custom resources")
    return cluster
