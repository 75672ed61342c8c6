"""What is known of one collection: the last good version of each object, and what changed since somebody asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set

import msgspec

from entryproxy.config.kubernetes.decode import Decoded
from entryproxy.model.finding import Finding
from entryproxy.model.objects import LabelledEndpointSlice, LabelledObject


class Store:
    """Objects by reference. An object that can't be read (any more) stays what it was, with a finding; another one made
    anew under its name does not."""

    def __init__(self) -> None:
        self._objects: dict[str, LabelledObject] = {}
        self._problems: dict[str, Finding] = {}  # under "" one that is about nobody knows which object
        self._changes: dict[str, LabelledObject | None] = {}
        self._expected: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def _known(self) -> Set[str]:
        return self._objects.keys() | self._expected

    def expect(self, references: Iterable[str]) -> None:
        """Objects that are in force from before this process began: what the first list is measured by.

        "Service namespace/name" stands for at least one EndpointSlice of that Service.
        """
        self._expected = frozenset(references)

    @property
    def findings(self) -> Collection[Finding]:
        """About objects that can't be read now."""
        return self._problems.values()

    @property
    def unread(self) -> Collection[str]:
        """References of these objects, "" for one that can't be told."""
        return self._problems.keys()

    def take_changes(self) -> dict[str, LabelledObject | None]:
        """Objects that are new or different since the last call, None for those that are gone."""
        changes, self._changes = self._changes, {}
        return changes

    def missing(self, items: Iterable[Decoded]) -> set[str]:
        """What a list lacks of the objects that are known. None of them while it has one that can't be told."""
        present = {reference for one in items for reference in _answered_by(one)}
        return set() if "" in present else set(self._known - present)

    def replace(self, items: Collection[Decoded]) -> bool:
        """A whole list; whether anything is different."""
        present = {one.reference for one in items}
        gone = self.missing(items) | (self._problems.keys() - present)
        self._expected = frozenset()
        changes = [self.apply(Decoded(reference)) for reference in gone]
        changes += map(self.apply, items)
        return any(changes)

    def apply(self, decoded: Decoded) -> bool:
        """One object as it is now; whether anything is different."""
        reference, new = decoded.reference, decoded.object
        if decoded.problem is not None:
            was = self._problems.get(reference)
            self._problems[reference] = decoded.problem
            return self._end_namesake(decoded) or was != decoded.problem
        was = self._problems.pop(reference, None)
        if new is None:
            if self._objects.pop(reference, None) is None:
                return was is not None
            self._changes[reference] = None
            return True
        old = self._objects.get(reference)
        if old is not None and _is_same(old, new):
            return was is not None
        self._objects[reference] = self._changes[reference] = new
        return True

    def _end_namesake(self, decoded: Decoded) -> bool:
        """Drop the object that this one, which can't be read, is not a version of; whether there was one."""
        old = self._objects.get(decoded.reference)
        if old is None or not old.uid or not decoded.uid or old.uid == decoded.uid:
            return False
        del self._objects[decoded.reference]
        self._changes[decoded.reference] = None
        return True


def _answered_by(one: Decoded) -> Iterator[str]:
    """The references that an item of a list answers for."""
    yield one.reference
    if isinstance(one.object, LabelledEndpointSlice):
        yield f"Service {one.object.namespace}/{one.object.service}"


def _is_same(old: LabelledObject, new: LabelledObject) -> bool:
    """Whether nothing that we read is different; versions are opaque, so that equal is all they can be."""
    if old.version == new.version and old.uid == new.uid:
        return True
    return msgspec.structs.replace(old, version=new.version) == new
