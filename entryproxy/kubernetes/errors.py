"""What goes wrong between us and the API server, in its own words. No credential is ever part of a message."""

from __future__ import annotations

import msgspec

from entryproxy.kubernetes.nesting import any_depth

MESSAGE_CHARACTERS_MAX = 1_000
GONE = 410
UNAUTHORIZED = 401
FORBIDDEN = 403
NOT_FOUND = 404
CONFLICT = 409
TOO_MANY_REQUESTS = 429


class CredentialsError(Exception):
    """There is no way to the cluster: nothing that says where it is, or that can't be used. The message is a
    sentence."""


class ApiError(Exception):
    """The API server refused, or could not be reached.

    status: HTTP status, 0 when there was no answer. reason: `reason` of the Kubernetes Status ("NotFound", "Expired"),
    "Unreachable" without an answer. message: a sentence. retry_after_seconds: what the server asks for, None if
    nothing.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    def __repr__(self) -> str:
        return f"<ApiError {self.status} {self.reason}: {self.message}>"

    @property
    def is_gone(self) -> bool:
        """The version, or the continue token, is too old: list again."""
        return self.status == GONE or self.reason in ("Expired", "Gone")


class _Details(msgspec.Struct):
    retryAfterSeconds: float = 0  # noqa: N815 - the API's field


class _Status(msgspec.Struct):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""

    kind: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_decode = any_depth(msgspec.json.Decoder(_Status).decode)


def read_status(body: bytes | msgspec.Raw, status: int = 0, retry_after: str = "") -> ApiError:
    """The error that a response, or the object of an ERROR event, tells; `body` may be anything.

    status: of the HTTP response, 0 to believe the body's `code`. retry_after: the header's value.
    """
    try:
        said = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Status()
    if said.kind != "Status":
        said = _Status()
    wait: float | None = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    if wait is None and said.details is not None and said.details.retryAfterSeconds > 0:
        wait = said.details.retryAfterSeconds
    code = status or said.code
    message = said.message or f"The API server answered {code}"
    return ApiError(code, said.reason or "Unknown", message[:MESSAGE_CHARACTERS_MAX], wait)
