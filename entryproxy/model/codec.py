"""Model structs as MessagePack for the channel between processes; the only place besides TLS that opens
PrivateBytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from entryproxy.model.secret import PrivateBytes

T = TypeVar("T")


def _encode_private(value: Any) -> bytes:
    if isinstance(value, PrivateBytes):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} does not travel")


def _decode_private(kind: type, value: Any) -> PrivateBytes:
    if kind is PrivateBytes and isinstance(value, bytes):
        return PrivateBytes(value)
    raise TypeError(f"{kind.__name__} does not travel")


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_private)


def encode(message: msgspec.Struct) -> bytes:
    """One struct of the model as MessagePack, keys included."""
    return _encoder.encode(message)


def decoder_of(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """A decoder for one struct type or tagged union; raises msgspec.ValidationError with the path of what is wrong."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_decode_private)
