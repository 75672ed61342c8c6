from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane


def test_the_api_server_tells_its_version(cluster: Cluster) -> None:
    version = cluster.api.get("/version")

    assert int(version["major"]) == 1
    assert int(version["minor"]) >= 30


@pytest.fixture
def control_plane(cluster: Cluster, tmp_path: Path) -> ControlPlane:
    """A second one, at the same time; not started."""
    return ControlPlane(tmp_path / "second")


def test_an_api_server_that_went_comes_back_as_it_was(control_plane: ControlPlane) -> None:
    with control_plane as cluster:
        namespace = cluster.new_namespace()
        account = cluster.service_account_kubeconfig(namespace, "patient")

        control_plane.stop_api_server()
        with pytest.raises(ConnectionRefusedError):
            cluster.api.get("/version")

        control_plane.start_api_server()
        assert account.user in cluster.kubectl("auth", "whoami", kubeconfig=account.kubeconfig)
