"""Host names as DNS and TLS see them: normal form, labels, one-label wildcards (RFC 1123 §2.1, RFC 6125 §6.4.3)."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ALL_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")

TENANT_ID_CHARACTERS_MAX = 39
SYSTEM = "system"
"""The platform's reserved tenant id."""


def normalize(host: str) -> str:
    """Lower case, without port and without one trailing dot (routing rule 1). IPv6 literals keep their brackets."""
    host = host.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


def is_label(text: str) -> bool:
    """One DNS label in lower case."""
    return _LABEL.fullmatch(text) is not None


def is_tenant_id(text: str) -> bool:
    """A label short enough for the chart's longest derived name, and not the platform's own id."""
    return len(text) <= TENANT_ID_CHARACTERS_MAX and text != SYSTEM and is_label(text)


def is_hostname(text: str) -> bool:
    """A DNS name in normal form with at least two labels that is not an IP address."""
    return "." in text and len(text) <= 253 and _NAME.fullmatch(text) is not None and not is_ip_literal(text)


def is_ip_literal(text: str) -> bool:
    """An IPv4 address or a bracketed or bare IPv6 address: things that SNI must not carry (RFC 6066 §3)."""
    return text.startswith("[") or ":" in text or _ALL_DIGITS_AND_DOTS.fullmatch(text) is not None


def wildcard_of(host: str) -> str:
    """The one wildcard name that covers `host`: "a.b.c" -> "*.b.c"; "" for a single label."""
    _, dot, rest = host.partition(".")
    return "*." + rest if dot else ""


def covers(pattern: str, host: str) -> bool:
    """Whether a certificate name or custom domain `pattern` covers `host`; a wildcard spans exactly one label."""
    return pattern == host or (pattern.startswith("*.") and pattern == wildcard_of(host))


def is_under(host: str, domain: str) -> bool:
    """`host` is `domain` itself or below it; wildcards count as the name they stand under."""
    return host == domain or host.endswith("." + domain)
