"""Log lines of every process on stderr: one line each, `time=… level=… process=… message="…"`."""

from __future__ import annotations

import json
import logging
import sys
import time

from entryproxy.model.printable import UNPRINTABLE


class LineFormatter(logging.Formatter):
    """One event as one line of key=value; the message is a JSON string, so a traceback can't forge a second line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return (
            f"time={moment}.{int(record.msecs):03d}Z level={record.levelname.lower()} process={self._process} "
            f"message={_quoted(message)}"
        )


def _quoted(message: str) -> str:
    """A JSON string that a terminal shows as it is; JSON itself lets DEL, C1 controls and changes of direction pass."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(message, ensure_ascii=False))


def log_as(process: str) -> None:
    """Send this process's log to stderr under the name `process`; replaces what a parent process had set up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts every batch of changes aloud
