"""Findings as log lines: each once when it appears and once when it is gone, however often the source is compiled."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from entryproxy.model.finding import Finding

_log = logging.getLogger(__name__)
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


class FindingLog:
    """Remembers what has been said."""

    def __init__(self) -> None:
        self._parts: tuple[Sequence[Finding], ...] = ()
        self._known: dict[Finding, None] = {}

    def announce(self, *parts: Sequence[Finding]) -> None:
        """These are all there are now. Parts that are the same objects as before cost nothing."""
        if parts == self._parts:
            return
        present = dict.fromkeys(finding for part in parts for finding in part)
        if news := present.keys() - self._known.keys():
            for finding in present:
                if finding in news:
                    _log.log(_LEVELS[finding.severity], "%s", finding)
        for finding in self._known.keys() - present.keys():
            _log.info("resolved: %s", finding)
        self._parts, self._known = parts, present
