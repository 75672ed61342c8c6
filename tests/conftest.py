"""One control plane serves the whole run; tests keep apart by namespaces. Those that use it are marked `cluster`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import tools
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import PROGRAMS, ControlPlane
from tests.support import require_tool

# No test is timed, Hypothesis's own deadline for an example included.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

pytest.register_assert_rewrite("tests.golden")  # so that a difference is shown


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write the .out.yaml files beside golden inputs")


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and "cluster" in item.fixturenames:
            item.add_marker(pytest.mark.cluster)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test, whose timeout is far too short for it."""
    is_wanted = any(item.get_closest_marker("cluster") for item in session.items)
    if is_wanted and not session.config.option.collectonly:
        tools.ensure(session.config.get_terminal_writer().line)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The control plane that most tests share; a test that stops a part of it needs a ControlPlane of its own."""
    for program in PROGRAMS:
        require_tool(program)
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as cluster:
        yield cluster


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """An empty namespace of the test's own."""
    return cluster.new_namespace()
