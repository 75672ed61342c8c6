"""Findings as log lines: each once when it appears and once when it is gone, however often the source is compiled."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from entryproxy.model.finding import Finding

_log = logging.getLogger(__name__)
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING}


class FindingLog:
    """Remembers what has been said."""

    def __init__(self) -> None:
        self._known: dict[Finding, None] = {}

    def announce(self, findings: Iterable[Finding]) -> None:
        """`findings` are all there are now."""
        present = dict.fromkeys(findings)
        for finding in present:
            if finding not in self._known:
                _log.log(_LEVELS[finding.severity], "%s", finding)
        for finding in self._known:
            if finding not in present:
                _log.info("resolved: %s", finding)
        self._known = present
