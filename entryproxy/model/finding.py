"""What the compiler has to say about an object: the words of log lines, metrics, `check` and Kubernetes Events."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One judgement about one field of one object.

    severity: "error" means the object, or the claim, is not in force as written; "warning" that it is, but look.
    reason: CamelCase word as in a Kubernetes Event, from a closed set. object: "ConfigMap higress-system/tenant1" or
    "Secret …"; field: the path inside, "tenant.yaml: $.limits.connections".
    """

    severity: Literal["error", "warning"]
    reason: str
    object: str
    field: str
    message: str
    tenant: str = ""
    origin: str = ""

    def __str__(self) -> str:
        where = f"{self.object} {self.field}".rstrip()
        origin = f" ({self.origin})" if self.origin else ""
        return f"{self.severity}: {where}{origin}: {self.message} [{self.reason}]"
