from __future__ import annotations

import msgspec
import pytest

from entryproxy.model.codec import decoder_of, encode
from tests.routing.snapshots import certificate


def test_the_channels_codec_carries_keys_and_nothing_else_foreign() -> None:
    one = certificate("t1", "a.b")
    assert decoder_of(type(one)).decode(encode(one)) == one

    class Odd(msgspec.Struct):
        value: object

    with pytest.raises(TypeError, match="does not travel"):
        encode(Odd(value={1j}.pop()))


def test_what_is_wrong_in_a_message_is_named() -> None:
    broken = msgspec.msgpack.encode({"owner": 7})
    with pytest.raises(msgspec.ValidationError, match="owner"):
        decoder_of(type(certificate("t1", "a.b"))).decode(broken)
