from __future__ import annotations

import pytest

from entryproxy.controller.holders import Holder
from entryproxy.controller.situation import situation
from entryproxy.controller.tenants import Wanted
from entryproxy.model.release import ReleaseSpec
from entryproxy.model.tenant import TenantSpec


def wanted(release: ReleaseSpec | None = ReleaseSpec(), uid: str = "u1") -> Wanted:  # noqa: B008 - it is frozen
    return Wanted(
        tenant="acme",
        namespace="entry",
        name="acme",
        uid=uid,
        created="2026-01-01T00:00:00Z",
        spec=TenantSpec(release=release),
    )


def holder(uid: str = "u1", label: str = "acme", deleted_at: float = 0.0) -> Holder:
    return Holder(tenant="acme", namespace="entry", name="acme", uid=uid, tenant_label=label, deleted_at=deleted_at)


OFF = ReleaseSpec(enabled=False)
DELETED, UNLABELLED, RELABELLED = holder(deleted_at=1.0), holder(label=""), holder(label="other")


@pytest.mark.parametrize(
    ("tenant", "holders", "kind", "going"),
    [
        (None, (), "none", ()),
        (wanted(None), (), "none", ()),
        (wanted(OFF), (), "none", ()),
        (wanted(), (), "provision", ()),
        (wanted(), (holder(),), "provision", ()),
        # Taken away: deleted, without the label or with another, without `release`
        (None, (DELETED,), "remove", (DELETED,)),
        (None, (UNLABELLED,), "remove", (UNLABELLED,)),
        (None, (RELABELLED,), "remove", (RELABELLED,)),
        (wanted(None), (holder(),), "remove", (holder(),)),
        (wanted(OFF, uid="u2"), (DELETED,), "remove", (DELETED,)),
        # Wanted again by a younger ConfigMap
        (wanted(uid="u2"), (DELETED,), "replace", (DELETED,)),
        (wanted(), (DELETED,), "replace", (DELETED,)),
        # Nothing is taken from the ConfigMap in force because a copy of it is another tenant's, or deleted
        (wanted(uid="u2"), (holder(uid="u2"), UNLABELLED), "disown", (UNLABELLED,)),
        (wanted(uid="u2"), (holder(uid="u2"), RELABELLED), "disown", (RELABELLED,)),
        (wanted(uid="u2"), (holder(uid="u2"), DELETED), "disown", (DELETED,)),
        # Neither from one that isn't in force: its document can't be read, says hands off, or another one was faster
        (None, (holder(uid="u2"), RELABELLED), "disown", (RELABELLED,)),
        (wanted(OFF, uid="u2"), (holder(uid="u2"), RELABELLED), "disown", (RELABELLED,)),
        (wanted(uid="u3"), (holder(uid="u2"), RELABELLED), "disown", (RELABELLED,)),
        # Hands off
        (wanted(OFF), (holder(),), "hand_over", (holder(),)),
        # The document can't be read, or another ConfigMap declares the tenant: nobody asked to take anything away
        (None, (holder(),), "hold", ()),
        (wanted(uid="u2"), (holder(),), "hold", ()),
        (wanted(None, uid="u2"), (holder(),), "hold", ()),
    ],
)
def test_situation(tenant: Wanted | None, holders: tuple[Holder, ...], kind: str, going: tuple[Holder, ...]) -> None:
    found = situation(tenant, holders)
    assert (found.kind, found.going) == (kind, going)
