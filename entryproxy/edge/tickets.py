"""TLS session tickets that every worker of a pod can read, and that never cross from one tenant to another.

OpenSSL makes random ticket keys for each SSL_CTX. Each tenant has contexts of its own, made by each worker, so with
those keys a session would resume only in the worker that issued it. Python's ssl module has no call for
SSL_CTX_set_tlsext_ticket_keys; this module makes it through libssl itself, with keys derived from a secret that the
supervisor draws before it forks. It proves at first use that the keys were taken; where that can't be done (another
libssl, a static build) sessions still resume within a worker.
"""

from __future__ import annotations

import _ssl
import ctypes
import hashlib
import hmac
import logging
import ssl
import sys

_log = logging.getLogger(__name__)

_KEYS_BYTES = 80  # name 16, HMAC key 32, AES key 32: OpenSSL 1.1.1 and later
_SET_SESSION_CACHE_MODE = 44  # SSL_CTRL_SET_SESS_CACHE_MODE
_GET_TICKET_KEYS = 58  # SSL_CTRL_GET_TLSEXT_TICKET_KEYS
_SET_TICKET_KEYS = 59  # SSL_CTRL_SET_TLSEXT_TICKET_KEYS
_CACHE_OFF = 0


def ticket_keys(secret: bytes, tenant_id: str) -> bytes:
    """Ticket keys of one tenant: HKDF-Expand (RFC 5869 §2.3) of the pod's secret, with the tenant as its context."""
    output, block = b"", b""
    for counter in range(1, 4):
        block = hmac.digest(
            secret, block + b"entryproxy ticket " + tenant_id.encode() + bytes([counter]), hashlib.sha256
        )
        output += block
    return output[:_KEYS_BYTES]


def share_tickets(context: ssl.SSLContext, keys: bytes) -> bool:
    """Give `context` these ticket keys and no session cache of its own; False when this Python's libssl is out of
    reach.
    """
    control = _libssl_control()
    if control is None:
        return False
    pointer = _context_pointer(context)
    control(pointer, _SET_SESSION_CACHE_MODE, _CACHE_OFF, None)
    if control(pointer, _SET_TICKET_KEYS, len(keys), keys) != 1:
        return False
    taken = ctypes.create_string_buffer(len(keys))
    control(pointer, _GET_TICKET_KEYS, len(keys), taken)
    return taken.raw == keys


def _context_pointer(context: ssl.SSLContext) -> int:
    # PySSLContext starts with PyObject_HEAD and then `SSL_CTX *ctx` in every CPython that we support.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    if pointer is None:
        raise ssl.SSLError("no SSL_CTX where it was expected")
    return pointer


_control: list[ctypes._NamedFuncPointer | None] = []


def _libssl_control() -> ctypes._NamedFuncPointer | None:
    """SSL_CTX_ctrl of the very libssl that the ssl module uses, looked up once."""
    if not _control:
        found = None
        if sys.implementation.name == "cpython" and getattr(_ssl, "__file__", None):
            found = getattr(ctypes.CDLL(_ssl.__file__), "SSL_CTX_ctrl", None)
        if found is None:
            _log.warning("TLS sessions resume only in the worker that issued them: libssl is out of reach")
        else:
            found.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
            found.restype = ctypes.c_long
        _control.append(found)
    return _control[0]
