from __future__ import annotations

import json
import logging
import sys

from entryproxy.telemetry.log import LineFormatter


def record(message: str, *arguments: object) -> logging.LogRecord:
    made = logging.LogRecord("name", logging.WARNING, "file", 1, message, arguments, None)
    made.created, made.msecs = 1_767_225_600.25, 250.0
    return made


def test_a_line_says_when_how_bad_who_and_what() -> None:
    line = LineFormatter("worker-1").format(record("%s — done", "größer"))
    assert line == 'time=2026-01-01T00:00:00.250Z level=warning process=worker-1 message="größer — done"'


def test_no_message_makes_a_second_line() -> None:
    made = record("a\nlevel=error process=control\r\x1b[0m")
    try:
        raise ValueError("x\ny")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = LineFormatter("control").format(made)
    assert line.isprintable()
    assert "ValueError: x\ny" in json.loads(line.partition("message=")[2])


def test_what_a_terminal_would_obey_is_escaped_as_json_has_it() -> None:
    text = "\x7f\x9b31m \u202e txt.exe"
    line = LineFormatter("control").format(record("%s", text))
    assert line.isprintable()
    assert json.loads(line.partition("message=")[2]) == text
