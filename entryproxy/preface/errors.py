"""Why a connection ends before its first HTTP message."""

from __future__ import annotations

# TLS alert descriptions (RFC 8446 §6).
UNEXPECTED_MESSAGE = 10
RECORD_OVERFLOW = 22
ILLEGAL_PARAMETER = 47
DECODE_ERROR = 50
PROTOCOL_VERSION = 70
UNRECOGNIZED_NAME = 112


class PrefaceError(Exception):
    """What came before HTTP is malformed, and the connection must end.

    detail: one phrase for the log, never made of the peer's bytes.
    alert: the TLS alert description to send first (RFC 8446 §6), or None where the peer isn't speaking TLS yet.
    """

    def __init__(self, detail: str, *, alert: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.alert = alert
