"""What Python's ssl module can't ask of OpenSSL: SSL_CTX_ctrl, called in the very libssl that the module uses."""

from __future__ import annotations

import _ssl
import ctypes
import logging
import ssl
import sys

_log = logging.getLogger(__name__)


def control(context: ssl.SSLContext, command: int, number: int, argument: object = None) -> int | None:
    """SSL_CTX_ctrl on `context`; argument: bytes, a ctypes buffer or None. None when this Python's libssl is out of
    reach.
    """
    function = _libssl_control()
    if function is None:
        return None
    return int(function(_context_pointer(context), command, number, argument))


def _context_pointer(context: ssl.SSLContext) -> int:
    # PySSLContext starts with PyObject_HEAD and then `SSL_CTX *ctx` in every CPython that we support.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    if pointer is None:
        raise ssl.SSLError("no SSL_CTX where it was expected")
    return pointer


_control: list[ctypes._NamedFuncPointer | None] = []


def _libssl_control() -> ctypes._NamedFuncPointer | None:
    """The function, looked up once."""
    if not _control:
        found = None
        if sys.implementation.name == "cpython" and getattr(_ssl, "__file__", None):
            found = getattr(ctypes.CDLL(_ssl.__file__), "SSL_CTX_ctrl", None)
        if found is None:
            _log.warning("libssl is out of reach: TLS sessions resume only in the worker that issued them, by P-256")
        else:
            found.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
            found.restype = ctypes.c_long
        _control.append(found)
    return _control[0]
