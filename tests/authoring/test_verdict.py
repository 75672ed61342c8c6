from __future__ import annotations

from typing import Any

import pytest

from entryproxy.authoring.verdict import judge_change
from entryproxy.model.finding import Finding


def finding(severity: Any = "error", reason: str = "HostConflict", field: str = "", tenant: str = "t1") -> Finding:
    return Finding(severity=severity, reason=reason, object="ConfigMap ns/x", field=field, message="m", tenant=tenant)


UNCOVERED_DOMAIN = finding("warning", "UncoveredHost", "tenant.yaml: $.domains")
UNCOVERED_SYSTEM_HOST = finding("warning", "UncoveredHost", "metadata.labels")
OF_ANOTHER = finding(tenant="t2")


@pytest.mark.parametrize(
    ("before", "after", "refused", "remarks"),
    [
        ([], [], [], []),
        ([], [finding()], [finding()], []),
        ([finding()], [finding()], [], [finding()]),
        ([], [OF_ANOTHER], [OF_ANOTHER], []),  # an older tenant takes a host away from a younger one
        ([OF_ANOTHER], [OF_ANOTHER], [], []),
        ([], [UNCOVERED_DOMAIN], [UNCOVERED_DOMAIN], []),
        ([UNCOVERED_DOMAIN], [UNCOVERED_DOMAIN], [], [UNCOVERED_DOMAIN]),
        ([], [UNCOVERED_SYSTEM_HOST], [], [UNCOVERED_SYSTEM_HOST]),
        ([finding()], [], [], []),
    ],
)
def test_verdicts(before: list[Finding], after: list[Finding], refused: list[Finding], remarks: list[Finding]) -> None:
    verdict = judge_change("t1", before, after)
    assert (list(verdict.refused), list(verdict.remarks)) == (refused, remarks)


def test_uncovered_domains_allowed() -> None:
    verdict = judge_change("t1", [], [UNCOVERED_DOMAIN, finding()], allow_uncovered=True)
    assert (verdict.refused, verdict.remarks) == ((finding(),), (UNCOVERED_DOMAIN,))
