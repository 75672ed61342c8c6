from __future__ import annotations

import pytest

from entryproxy.model.finding import Finding
from entryproxy.process.findings import FindingLog

BAD = Finding(severity="error", reason="InvalidObject", object="ConfigMap ns/a", field="$.x", message="no")
ODD = Finding(severity="warning", reason="Expiring", object="Secret ns/b", field="", message="soon")


def test_each_finding_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log = FindingLog()
    for findings in ([BAD], [BAD, BAD, ODD], [ODD], [ODD], [BAD, ODD]):
        log.announce(findings)
    log.announce((BAD,), (ODD,))
    log.announce((BAD,), (ODD,))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", str(BAD)),
        ("WARNING", str(ODD)),
        ("INFO", f"resolved: {BAD}"),
        ("ERROR", str(BAD)),
    ]
