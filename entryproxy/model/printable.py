"""Text that others wrote, in a line on a terminal."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 controls, line separators, marks and overrides of the reading direction, halves of surrogate pairs."""


def printable(text: str) -> str:
    r"""`text` with what a terminal would obey instead of showing it written as in Python: "\x1b", "\n", "\u202e".

    Annotations and messages may hold anything; escape sequences move the cursor, set titles, or hide what is there
    (CVE-2021-25743 of kubectl).
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
