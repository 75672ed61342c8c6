"""What heads and trailers are made of: tokens, field lines, lists, host and port (RFC 9110 §5, RFC 9112 §5, RFC 3986
§3.2).
"""

from __future__ import annotations

import ipaddress
import re

from entryproxy.errors import EntryError

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""Pattern of a token (RFC 9110 §5.6.2)."""

BLANKS = b" \t"
"""Optional whitespace (RFC 9110 §5.6.3). Never call `strip()` without it: Python strips far more.

Around a field's value, the parsers take it off in front but only blanks off the end: llhttp takes a HTAB at the end for
part of the value, so "chunked" HTAB is chunked to some servers and not to others. Here it is part of the value, which
refuses it wherever the value matters.
"""

is_token = re.compile(TOKEN).fullmatch

# Every control octet but HTAB. CR and LF are among them; those that end lines are counted apart.
_CONTROLS = bytes(octet for octet in range(0x20) if octet != 0x09) + b"\x7f"

# Unreserved characters only: a reg-name may also carry sub-delims and percent-encoding, but no DNS name does, and a
# comma or semicolon in a host would read as a list in the forwarded fields.
_PORT = rb"(?::(?:[0-5]?[0-9]{0,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"  # up to 65535, or none
_NAME_AND_PORT = re.compile(rb"[0-9A-Za-z\-._~]+" + _PORT).fullmatch
_IPV6_AND_PORT = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\]" + _PORT).fullmatch


def malformed(detail: str, reason: str = "malformed_field") -> EntryError:
    """The error for bytes outside the grammar: 400, and the connection ends because its framing is in doubt."""
    return EntryError(400, reason, detail, close=True)


def split_lines(block: bytes, fields_max: int) -> list[bytes]:
    """Field lines without their CRLF. `block` is a field section without the empty line that ends it; b"" has no lines.

    Raises 400 for control octets, bare CR or LF and an unfinished line, 431 for more than `fields_max` lines.
    """
    if not block:
        return []
    lines = block.split(b"\r\n")
    if lines.pop():
        raise malformed("The last field line does not end in CRLF.")
    if len(block) - len(block.translate(None, _CONTROLS)) != 2 * len(lines):
        raise malformed("A field holds a control character, or a line that does not end in CRLF.")
    if len(lines) > fields_max:
        raise EntryError(431, "too_many_fields", f"More than {fields_max} header fields.", close=True)
    return lines


def require_name(name: bytes) -> None:
    """Raises 400 unless the part of a line before its colon is a field name.

    Folded lines, a blank before the colon and an empty line inside the block fail here, as they don't make a token.
    """
    if is_token(name) is None:
        raise malformed("A field line does not start with a name.")


def without_fields(lines: list[bytes], unwanted: frozenset[bytes]) -> list[bytes]:
    """Field lines whose lower-case name is not among `unwanted`."""
    return [line for line in lines if line.partition(b":")[0].lower() not in unwanted]


def list_elements(value: bytes) -> list[bytes]:
    """The elements of a comma-separated list of tokens, empty ones left out (RFC 9110 §5.6.1); not for quoted
    strings.
    """
    return [element for part in value.split(b",") if (element := part.strip(BLANKS))]


def connection_options(value: bytes) -> frozenset[bytes]:
    """Connection's options in lower case (RFC 9110 §7.6.1); raises 400 for anything but tokens."""
    options = list_elements(value.lower())
    for option in options:
        if is_token(option) is None:
            raise malformed("Connection holds something else than options.")
    return frozenset(options)


def content_length_of(value: bytes) -> int:
    """Octets announced by a Content-Length value: DIGITs only, at most 18 (RFC 9110 §8.6); raises 400 otherwise.

    bytes.isdigit() knows ASCII digits only, unlike its namesake of str.
    """
    if not value.isdigit() or len(value) > 18:
        raise malformed("Content-Length is not a number.", "malformed_framing")
    return int(value)


def is_host(value: bytes) -> bool:
    """A DNS name, an IPv4 address or a bracketed IPv6 address, with an optional port (RFC 9110 §7.2, RFC 3986
    §3.2.2).
    """
    if _NAME_AND_PORT(value) is not None:
        return True
    literal = _IPV6_AND_PORT(value)
    if literal is None:
        return False
    try:
        ipaddress.IPv6Address(literal[1].decode("ascii"))
    except ValueError:
        return False
    return True
