"""Bodies and time: sizes, buffers, time limits."""

from __future__ import annotations

from collections.abc import Mapping

from entryproxy.migrate.verdicts import Known, default, differs, entry

_NO_BUFFER = default("Bodies stream through the entry and Higress; there is no buffer to size.")

BODIES: Mapping[str, Known] = {
    "proxy-body-size": entry("Over it the client gets 413. One limit for the tenant: the largest of its Ingresses."),
    "client-body-buffer-size": _NO_BUFFER,
    "proxy-request-buffering": differs(
        "Bodies stream: the application sees a request before its body is complete, and slow uploads keep it busy.",
        on={"off": default("Bodies stream anyway.")},
    ),
    "proxy-buffering": differs(
        "Answers stream: a slow client keeps the application busy.", on={"off": default("Answers stream anyway.")}
    ),
    "proxy-buffers-number": _NO_BUFFER,
    "proxy-buffer-size": default("Answers' heads of up to 64 KiB pass; nothing to size."),
    "proxy-busy-buffers-size": _NO_BUFFER,
    "proxy-max-temp-file-size": _NO_BUFFER,
    "proxy-http-version": differs("HTTP/1.1 and newer only.", on={r"1\.1": default("HTTP/1.1 is spoken anyway.")}),
    "proxy-connect-timeout": differs(
        "The entry connects to the gateway (timeouts.connect, 2 s); to the pods connects Higress, by its own limit."
    ),
    "proxy-send-timeout": entry(
        "timeouts.idle between two pieces of a body, either way; the largest of the tenant's Ingresses counts."
    ),
    "proxy-read-timeout": entry(
        "timeouts.firstByte until the answer begins, timeouts.idle between two pieces; the largest of the tenant's "
        "Ingresses counts."
    ),
}
