from __future__ import annotations

from entryproxy.config.kubernetes.health import Health
from entryproxy.config.kubernetes.resources import endpoint_slices, secrets
from entryproxy.kubernetes.errors import ApiError

AWAY = ApiError(0, "Unreachable", "Can't connect to 10.0.0.1:443: Connection refused")
DENIED = ApiError(403, "Forbidden", 'User "system:serviceaccount:ns:entry" cannot list resource "secrets"')
START = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def test_a_first_failure_before_any_success_is_told() -> None:
    health = Health(secrets("ns"))
    assert health.failed("list", AWAY, START)
    assert health.finding is not None
    assert (health.finding.severity, health.finding.reason) == ("error", "UnreachableCluster")
    assert health.finding.object == "Secrets ns/?"
    assert health.finding.message == (
        "Can't connect to 10.0.0.1:443: Connection refused; since 2027-01-15T08:00:00Z; "
        "what was good before, if anything, stays in force"
    )
    assert not health.failed("list", AWAY, START + 5)  # the same words: nothing new
    assert health.recovered()
    assert health.finding is None


def test_a_cut_that_heals_soon_is_not_worth_a_word() -> None:
    health = Health(secrets("ns"))
    assert not health.recovered()
    assert not health.failed("watch", AWAY, START)
    assert not health.recovered()
    assert not health.failed("watch", AWAY, START + 3)
    assert not health.failed("watch", AWAY, START + 4.9)
    assert health.failed("watch", AWAY, START + 5)
    assert health.finding is not None
    assert "since 2027-01-15T08:00:03Z" in health.finding.message


def test_a_missing_permission_is_told_at_once_and_named() -> None:
    health = Health(secrets("ns"))
    health.recovered()
    assert health.failed("watch", DENIED, START)
    assert health.is_forbidden
    assert health.finding is not None
    assert health.finding.reason == "Forbidden"
    assert '"kubectl auth can-i watch secrets --namespace ns"' in health.finding.message
    assert "system:serviceaccount:ns:entry" in health.finding.message
    assert health.failed("watch", AWAY, START + 60)
    assert not health.is_forbidden


def test_without_endpoint_slices_there_is_a_configuration() -> None:
    health = Health(endpoint_slices())
    health.failed("list", DENIED, START)
    assert health.finding is not None
    assert health.finding.severity == "warning"
    assert "list endpointslices.discovery.k8s.io --all-namespaces" in health.finding.message
    assert "dialled by the Service's name" in health.finding.message
