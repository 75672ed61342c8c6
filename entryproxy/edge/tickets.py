"""TLS session tickets that every worker of a pod can read, and that never cross from one tenant to another.

OpenSSL makes random ticket keys for each SSL_CTX. Each tenant has contexts of its own, made by each worker, so with
those keys a session would resume only in the worker that issued it. Python's ssl module has no call for
SSL_CTX_set_tlsext_ticket_keys; this module makes it through libssl itself, with keys derived from a secret that the
supervisor draws before it forks. It proves at first use that the keys were taken; where that can't be done (another
libssl, a static build) sessions still resume within a worker.
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import ssl

from entryproxy.edge.libssl import control

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
    if control(context, _SET_SESSION_CACHE_MODE, _CACHE_OFF) is None:
        return False
    if control(context, _SET_TICKET_KEYS, len(keys), keys) != 1:
        return False
    taken = ctypes.create_string_buffer(len(keys))
    control(context, _GET_TICKET_KEYS, len(keys), taken)
    return taken.raw == keys
