"""What a source tells the compiler: not everything there is, but what is different since it was asked last."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledObject


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The difference since the reading before; the first one holds all objects.

    changed: objects that are new or have another version. removed: references of objects that are gone.
    findings: all that can't be read at present, whether that is news or not. unread: references of objects that are
    there but can't be read, a kind alone ("EndpointSlice") where none of that kind could be read yet, "" where not even
    that is known; what was in force of them before this process began stays in force.
    error: why the source as a whole is out of reach at present, "" when it isn't.
    """

    changed: tuple[LabelledObject, ...] = ()
    removed: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unread: frozenset[str] = frozenset()
    error: str = ""

    @classmethod
    def between(cls, before: Mapping[str, LabelledObject], after: Mapping[str, LabelledObject]) -> Reading:
        """From all objects by reference, as they were, to all objects as they are; an object that is still the same
        Python object has not changed."""
        return cls(
            changed=tuple(one for reference, one in after.items() if before.get(reference) is not one),
            removed=tuple(reference for reference in before if reference not in after),
        )
