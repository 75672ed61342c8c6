"""The one question the entry asks of Accept: a page or a problem document? (RFC 9110 §12.5.1)"""

from __future__ import annotations

import re

from entryproxy.http1.grammar import BLANKS

_QUALITY = re.compile(rb";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)").search
_HTML = (b"text/html", b"text/*")
_JSON = (b"application/problem+json", b"application/json", b"application/*", b"*/*")
_RANGES_MAX = 32


def prefers_html(accept: bytes) -> bool:
    """Whether text/html is named (by itself or as text/*) and ranked at or above the JSON types.

    Only a preference for how an error looks: malformed ranges count as absent, and only the first 32 are read.
    """
    lower = accept.lower()
    if lower.startswith(b"text/html,"):
        return True  # browsers; nothing outranks the quality 1 that it has
    if b"text/" not in lower:
        return False
    qualities: dict[bytes, float] = {}
    for part in lower.split(b",", _RANGES_MAX)[:_RANGES_MAX]:
        media, _, parameters = part.partition(b";")
        qualities.setdefault(media.strip(BLANKS), _quality_of(b";" + parameters))
    html = next((qualities[media] for media in _HTML if media in qualities), 0.0)
    json = [qualities[media] for media in _JSON[:2] if media in qualities] or [
        next((qualities[media] for media in _JSON[2:] if media in qualities), 0.0)
    ]
    return html > 0 and html >= max(json)


def _quality_of(parameters: bytes) -> float:
    if b"q=" not in parameters:
        return 1.0
    match = _QUALITY(parameters)
    return float(match[1]) if match else 0.0
