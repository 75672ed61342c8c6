"""What stands in the way of a gateway, found before anything is written."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One judgement about what a tenant wants.

    field: the path inside `tenant.yaml`, "namespace.quota.cpu". message: one sentence without the value of anything
    secret. reason: a CamelCase word as in a Kubernetes Event. is_fatal: nothing may be written; otherwise tell, go on.
    """

    field: str
    message: str
    reason: str
    is_fatal: bool = True
