"""Field names that are not simply passed on, and names that look like them to servers behind the gateway."""

from __future__ import annotations

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields of one connection, never forwarded (RFC 9110 §7.6.1, §11.7; RFC 7540 §3.2.1)."""

OWN = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-request-id"})
OWN_PREFIXES = (b"x-forwarded-", b"x-entry-")
"""Fields of a request that only the entry sets (docs/contract.md, "What the gateway receives")."""

_TAKEN = HOP_BY_HOP | OWN | {b"content-length", b"expect", b"host", b"max-forwards"}

# Fields that act before the body is read, or on who may read it, have no business after it (RFC 9110 §6.5.1).
_NOT_IN_TRAILERS = _TAKEN | {
    b"age",
    b"authorization",
    b"cache-control",
    b"cookie",
    b"date",
    b"expires",
    b"location",
    b"origin",
    b"pragma",
    b"range",
    b"referer",
    b"retry-after",
    b"set-cookie",
    b"strict-transport-security",
    b"trailer",
    b"user-agent",
    b"vary",
    b"warning",
    b"www-authenticate",
}
_PREFIXES_NOT_IN_TRAILERS = (*OWN_PREFIXES, b"content-", b"if-", b"sec-", b"access-control-")
_CONTENT_IN_TRAILERS = b"content-digest"  # made for trailers (RFC 9530 §2)

# CGI and its heirs turn "-" into "_", some of them every character that is not a letter or digit, so that
# X_Forwarded_For and X-Forwarded-For arrive as one variable.
_AS_DASH = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)


def may_pass(name: bytes) -> bool:
    """Whether a request field with this lower-case name, a token, travels to the gateway."""
    plain = name.translate(_AS_DASH)
    return plain not in _TAKEN and not plain.startswith(OWN_PREFIXES)


def may_trail(name: bytes) -> bool:
    """Whether a trailer field with this lower-case name, a token, is forwarded (RFC 9110 §6.5.1)."""
    plain = name.translate(_AS_DASH)
    if plain == _CONTENT_IN_TRAILERS:
        return True
    return plain not in _NOT_IN_TRAILERS and not plain.startswith(_PREFIXES_NOT_IN_TRAILERS)
