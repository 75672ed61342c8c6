from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fault_proxy import FaultProxy


@pytest.fixture
def fault_proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    """A proxy of the test's own in front of the shared control plane, without faults yet."""
    with FaultProxy(cluster) as proxy:
        yield proxy
