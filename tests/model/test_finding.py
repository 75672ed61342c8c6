from __future__ import annotations

from entryproxy.model.finding import Finding


def test_a_finding_is_one_line() -> None:
    finding = Finding(
        severity="error",
        reason="InvalidObject",
        object="ConfigMap ns/a",
        field="tenant.yaml: $.hsts",
        message="no",
        origin="a.yaml:3",
    )
    assert str(finding) == "error: ConfigMap ns/a tenant.yaml: $.hsts (a.yaml:3): no [InvalidObject]"
    bare = Finding(severity="warning", reason="X", object="Folder d", field="", message="gone")
    assert str(bare) == "warning: Folder d: gone [X]"
