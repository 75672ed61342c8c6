from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest

from entryproxy.model.secret import PrivateBytes
from tests.routing.snapshots import certificate

KEY = PrivateBytes(b"-----BEGIN PRIVATE KEY-----")


def test_nothing_but_reveal_gives_it_away() -> None:
    assert KEY.reveal() == b"-----BEGIN PRIVATE KEY-----"
    assert "BEGIN" not in f"{KEY} {KEY!r} {[KEY]} {certificate('t1', 'a.b')}"
    for leak in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError):
            leak(KEY)
    with pytest.raises(TypeError):
        json.dumps({"key": KEY})
    assert not hasattr(KEY, "__dict__")


def test_equality_is_by_value() -> None:
    assert PrivateBytes(b"a") == PrivateBytes(b"a")
    assert PrivateBytes(b"a") != PrivateBytes(b"b")
    assert PrivateBytes(b"a") != b"a"
    assert len({PrivateBytes(b"a"), PrivateBytes(b"a")}) == 1
