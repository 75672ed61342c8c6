"""A request's body on its way to the gateway."""

from __future__ import annotations

from typing import cast

import pytest

from entryproxy.edge.upload import Upload
from entryproxy.edge.upstream import GatewayConnection
from entryproxy.errors import EntryError


class Recording:
    """The part of a GatewayConnection that an upload uses."""

    def __init__(self) -> None:
        self.sent = b""

    def writelines(self, pieces: list[bytes]) -> None:
        self.sent += b"".join(pieces)


@pytest.mark.parametrize(
    ("chunked", "expected"),
    [(False, b"onetwothree"), (True, b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nA: 1\r\n\r\n")],
)
@pytest.mark.parametrize("attach_after", [0, 1, 2])
def test_what_is_held_follows_in_order(chunked: bool, expected: bytes, attach_after: int) -> None:
    upload, connection = Upload(chunked=chunked, bytes_max=0), Recording()
    for number, pieces in enumerate([[b"one", memoryview(b"two")], [b"three"]]):
        if number == attach_after:
            upload.attach(cast(GatewayConnection, connection))
        upload.send(pieces)  # type: ignore[arg-type]
    upload.end(b"A: 1\r\n")
    if attach_after == 2:
        assert connection.sent == b""
        upload.attach(cast(GatewayConnection, connection))
    assert connection.sent == expected
    assert upload.forwarded_bytes == 11


def test_a_chunked_body_is_counted() -> None:
    upload = Upload(chunked=True, bytes_max=10)
    upload.send([bytes(10)])
    with pytest.raises(EntryError) as caught:
        upload.send([b"x"])
    assert (caught.value.status, caught.value.close) == (413, True)
