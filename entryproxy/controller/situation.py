"""Pure: what a tenant's documents ask for × who carries our finalizer for it → what kind of round it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from entryproxy.controller.holders import Holder
from entryproxy.controller.tenants import Wanted

Kind = Literal[
    "provision",  # bring the release to what is wanted
    "remove",  # take everything away
    "replace",  # likewise, and afterwards the tenant is wanted again, by another ConfigMap
    "disown",  # take our marks off copies of the tenant's ConfigMap, which came with them
    "hand_over",  # `enabled: false`: let go of it, and leave it as it is
    "hold",  # somebody has to mend a document first: leave everything as it is
    "none",  # nothing of ours
]


class Situation(msgspec.Struct, frozen=True):
    """going: the ConfigMaps whose tenant has to be taken away, or let go."""

    kind: Kind
    going: tuple[Holder, ...] = ()


def situation(wanted: Wanted | None, holders: Sequence[Holder]) -> Situation:
    """wanted: None unless the tenant is in force. A document that can't be read takes nothing away, and neither does
    one that lost its tenant to another: only a deletion, another label, or a document without `release`."""
    release = wanted.spec.release if wanted is not None else None
    own = tuple(one for one in holders if wanted is not None and _is_of(one, wanted))
    going = tuple(one for one in holders if _is_withdrawn(one))
    if wanted is not None and release is None:
        going += tuple(one for one in own if one not in going)
    if going and len(going) < len(holders):
        # Marks are copied with a ConfigMap. One of those that carry them stays, and gives nothing up.
        return Situation("disown", going)
    if release is not None and release.enabled:
        return Situation("replace", going) if going else _provision(holders, own)
    if going:
        return Situation("remove", going)
    if release is not None and own:
        return Situation("hand_over", own)
    return Situation("hold") if holders else Situation("none")


def _provision(holders: Sequence[Holder], own: Sequence[Holder]) -> Situation:
    """Two ConfigMaps may not provision one tenant."""
    return Situation("provision") if len(own) == len(holders) else Situation("hold")


def _is_of(holder: Holder, wanted: Wanted) -> bool:
    return holder.uid == wanted.uid


def _is_withdrawn(holder: Holder) -> bool:
    return holder.deleted_at > 0 or holder.tenant_label != holder.tenant
