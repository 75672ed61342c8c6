"""Findings by what they are about, in one tuple that stays the same object until one of them is another."""

from __future__ import annotations

from collections.abc import Sequence

from entryproxy.model.finding import Finding


class Remarks:
    """Thousands of tenants may each have a remark that stays for months; a change of another one must not be work for
    all of them, here or with those who read them."""

    def __init__(self) -> None:
        self._by_subject: dict[str, tuple[Finding, ...]] = {}
        self._everything: tuple[Finding, ...] | None = ()

    def put(self, subject: str, findings: Sequence[Finding] = ()) -> None:
        """These are all there are about `subject` now."""
        known, wanted = self._by_subject.get(subject, ()), tuple(findings)
        if known == wanted:
            return
        self._everything = None
        if wanted:
            self._by_subject[subject] = wanted
        else:
            del self._by_subject[subject]

    @property
    def everything(self) -> tuple[Finding, ...]:
        """About everybody."""
        if self._everything is None:
            self._everything = tuple(one for some in self._by_subject.values() for one in some)
        return self._everything
