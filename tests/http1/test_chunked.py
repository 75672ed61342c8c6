"""Chunked bodies: the same result however they arrive, and nothing that RFC 9112 §7.1 does not allow."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entryproxy.errors import EntryError
from entryproxy.http1.chunked import (
    EXTENSION_BYTES_MAX,
    TRAILER_FIELDS_MAX,
    ChunkedDecoder,
    encode_chunk,
    last_chunk,
)


def make(chunk_line_bytes_max: int = 256, trailer_bytes_max: int = 4096) -> ChunkedDecoder:
    return ChunkedDecoder(chunk_line_bytes_max=chunk_line_bytes_max, trailer_bytes_max=trailer_bytes_max)


def decode(*pieces: bytes, decoder: ChunkedDecoder | None = None) -> tuple[bytes, ChunkedDecoder]:
    decoder = decoder or make()
    return b"".join(b"".join(decoder.feed(piece)) for piece in pieces), decoder


def octets(wire: bytes) -> list[bytes]:
    return [wire[at : at + 1] for at in range(len(wire))]


def refuse(wire: bytes, decoder: ChunkedDecoder | None = None, pieces: list[bytes] | None = None) -> None:
    with pytest.raises(EntryError) as caught:
        decode(*(pieces or [wire]), decoder=decoder)
    error = caught.value
    assert (error.status, error.reason, error.close) == (400, "malformed_chunk", True)


GOOD = {
    b"0\r\n\r\n": b"",
    b"000\r\n\r\n": b"",
    b"5\r\nhello\r\n0\r\n\r\n": b"hello",
    b"a\r\n0123456789\r\n0\r\n\r\n": b"0123456789",
    b"A\r\n0123456789\r\n0\r\n\r\n": b"0123456789",
    b"00000000000000A\r\n0123456789\r\n0\r\n\r\n": b"0123456789",
    b"1\r\na\r\n2\r\nbc\r\n3\r\n\r\n0\r\n0\r\n\r\n": b"abc\r\n0",
    b"1;a\r\nx\r\n0;b\r\n\r\n": b"x",
    b'1;a=b;c="d;\\"\\\\\te\xff";f\r\nx\r\n0\r\n\r\n': b"x",
    b'1;a=""\r\nx\r\n0\r\n\r\n': b"x",
}


@pytest.mark.parametrize("wire", GOOD)
def test_good(wire: bytes) -> None:
    for pieces in ([wire], octets(wire), [wire + b"GET /next"]):
        body, decoder = decode(*pieces)
        assert body == GOOD[wire]
        assert decoder.done
        assert decoder.rest == (b"GET /next" if pieces[0] != wire and len(pieces) == 1 else b"")
        assert decoder.trailers == b""


@pytest.mark.parametrize(
    "wire",
    [
        *[
            b"\r\n",
            b"\n",
            b" ",
            b"g",
            b";a\r\n",
            b"-5\r\nhello\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5_0\r\n",
            b"5 \r\n",
        ],
        *[
            b" 5\r\n",
            b"\t5\r\n",
            b"5\t\r\n",
            b"5\n",
            b"5\rhello",
            b"5\r\r\n",
            b"1111111111111111\r\n",
            b"0000000000000000\r\n",
        ],
        *[
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n",
            b"5\r\nhello\rX",
            b"5\r\nhello0\r\n",
            b"0\n",
            b"0\r\n\n",
            b"0\r\nX: a\n",
            b"-0\r\n\r\n",
        ],
        *[
            b"5 ;a\r\n",
            b"5; a\r\n",
            b"5;a =b\r\n",
            b"5;a= b\r\n",
            b"5;\r\n",
            b"5;a;\r\n",
            b"5;a=\r\n",
            b"5;=b\r\n",
            b'5;a="b\r\n',
        ],
        *[
            b'5;a="b"c\r\n',
            b'5;a="\x00"\r\n',
            b"5;a=b c\r\n",
            b"5;\xe4\r\n",
            b"5;a\n",
            b"5;a\rb\r\n",
            b"5,a\r\n",
            b'5;a="\\\r\n',
        ],
        *[b"\xb25\r\n", "５\r\n".encode(), b"5\x00\r\n", b"5\x0b\r\n", b"5\x85\r\n"],
        *[
            b"0\r\nX : a\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\n: a\r\n\r\n",
            b"0\r\nX: \x00\r\n\r\n",
        ],
        *[b"0\r\nX: a\r\n b\r\n\r\n", b"0\r\nX: a\rb\r\n\r\n", b"0\r\nX: a\nb\r\n\r\n"],
    ],
)
def test_malformed(wire: bytes) -> None:
    refuse(wire)
    refuse(b"1\r\nx\r\n" + wire)
    refuse(wire, pieces=octets(wire))


@pytest.mark.parametrize("wire", [b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n"])
def test_bare_line_feed_in_an_else_good_body(wire: bytes) -> None:
    refuse(wire)
    refuse(wire, pieces=octets(wire))


def test_chunk_line_is_bounded() -> None:
    line = b"5;" + b"a" * 14
    assert decode(line + b"\r\nhello\r\n0\r\n\r\n", decoder=make(chunk_line_bytes_max=16))[1].done
    assert decode(*octets(line + b"\r\nhello\r\n0\r\n\r\n"), decoder=make(chunk_line_bytes_max=16))[1].done
    for longer in (line + b"a\r\n", line + b"aa"):
        refuse(longer, make(chunk_line_bytes_max=16))
        refuse(longer, make(chunk_line_bytes_max=16), octets(longer))


def test_plain_chunk_line_is_bounded_too() -> None:
    refuse(b"00005\r\nhello\r\n", make(chunk_line_bytes_max=4))


def test_extensions_of_a_message_are_bounded() -> None:
    chunk = b"1;" + b"a" * 255 + b"\r\nx\r\n"
    fitting = EXTENSION_BYTES_MAX // 256
    body, decoder = decode(chunk * fitting, decoder=make(chunk_line_bytes_max=1024))
    assert body == b"x" * fitting
    refuse(b"1;a\r\n", decoder)


def test_trailers_are_bounded() -> None:
    section = b"X: " + b"a" * 95 + b"\r\n"
    assert decode(b"0\r\n" + section + b"\r\n", decoder=make(trailer_bytes_max=100))[1].trailers == section
    for wire in (b"0\r\nX: " + b"a" * 96 + b"\r\n\r\n", b"0\r\n" + b"a" * 105):
        refuse(wire, make(trailer_bytes_max=100))
        refuse(wire, make(trailer_bytes_max=100), octets(wire))
    refuse(b"0\r\n" + b"X: a\r\n" * (TRAILER_FIELDS_MAX + 1) + b"\r\n")


def test_bytes_after_the_body_don_t_count_as_trailers() -> None:
    rest = b"GET / HTTP/1.1\r\n" + b"a" * 200
    assert decode(b"0\r\n\r\n" + rest, decoder=make(trailer_bytes_max=100))[1].rest == rest


def test_trailers() -> None:
    wire = b'0\r\nX-T: 1\r\nServer-Timing:a\r\nETag:  "b"  \r\nContent-Digest: c\r\n\r\n'
    _, decoder = decode(*octets(wire))
    assert decoder.trailers == b'X-T: 1\r\nServer-Timing: a\r\nETag: "b"\r\nContent-Digest: c\r\n'


@pytest.mark.parametrize(
    "name",
    [
        *[
            b"Content-Length",
            b"Transfer-Encoding",
            b"TE",
            b"Trailer",
            b"Host",
            b"Connection",
            b"Keep-Alive",
            b"Upgrade",
        ],
        *[
            b"Authorization",
            b"Proxy-Authorization",
            b"Cookie",
            b"Set-Cookie",
            b"Cache-Control",
            b"Expect",
            b"Max-Forwards",
        ],
        *[b"Range", b"If-Match", b"Content-Type", b"Content-Encoding", b"Content-Range", b"Location", b"Date", b"Vary"],
        *[
            b"X-Forwarded-For",
            b"Forwarded",
            b"X-Real-IP",
            b"X-Request-Id",
            b"X-Entry-Tenant",
            b"Via",
            b"X_Entry_Tenant",
        ],
        *[b"content_length", b"TRANSFER-ENCODING", b"transfer.encoding", b"Strict-Transport-Security"],
    ],
)
def test_forbidden_trailers_are_left_out(name: bytes) -> None:
    _, decoder = decode(b"0\r\nX-A: 1\r\n" + name + b": 2\r\nX-B: 3\r\n\r\n")
    assert decoder.trailers == b"X-A: 1\r\nX-B: 3\r\n"


def test_not_fed_after_the_end() -> None:
    _, decoder = decode(b"0\r\n\r\n")
    with pytest.raises(RuntimeError):
        decoder.feed(b"0")
    assert decoder.feed(b"") == []


def test_long_pieces_are_not_copied() -> None:
    decoder = make()
    data = b"10000\r\n" + b"a" * 1000
    (piece,) = decoder.feed(data)
    assert isinstance(piece, memoryview)
    assert piece.obj is data
    more = b"b" * 2000
    assert decoder.feed(more)[0] is more


def test_a_flood_of_small_chunks_comes_as_one_piece() -> None:
    pieces = make().feed(b"1\r\nx\r\n" * 10_000)
    assert [len(piece) for piece in pieces] == [10_000]


def test_order_of_small_and_long_pieces() -> None:
    parts = [b"a", b"b" * 600, b"c", b"d", b"e" * 600, b"f" * 600, b"g"]
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    pieces = make().feed(wire)
    assert b"".join(pieces) == b"".join(parts)
    assert [len(piece) for piece in pieces] == [1, 600, 2, 600, 600, 1]


def test_encode() -> None:
    assert encode_chunk(b"") == ()
    assert b"".join(encode_chunk(b"x" * 26)) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    view = memoryview(b"abc")[1:]
    assert encode_chunk(view) == (b"2\r\n", view, b"\r\n")
    assert last_chunk(b"") == b"0\r\n\r\n"
    assert last_chunk(b"X: a\r\n") == b"0\r\nX: a\r\n\r\n"


# -- properties

bodies = st.lists(st.binary(min_size=1, max_size=30) | st.binary(min_size=500, max_size=700), max_size=6)
extensions = st.sampled_from([b"", b"", b";a", b';a="b\r"'.replace(b"\r", b";")])
trailers = st.sampled_from([b"", b"X-T: 1\r\n", b"X-T: 1\r\nContent-Length: 9\r\n"])


@st.composite
def cut_wires(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, list[bytes]]:
    """Body, trailers, bytes that follow, and the wire in pieces."""
    body = draw(bodies)
    section = draw(trailers)
    rest = draw(st.binary(max_size=20))
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(part), draw(extensions), part) for part in body)
    wire += b"0" + draw(extensions) + b"\r\n" + section + b"\r\n" + rest
    cuts = sorted(draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    pieces = [wire[left:right] for left, right in itertools.pairwise([0, *cuts, len(wire)])]
    return b"".join(body), section, rest, pieces


@settings(max_examples=300)
@given(cut_wires())
def test_any_cut_gives_the_same(case: tuple[bytes, bytes, bytes, list[bytes]]) -> None:
    body, section, rest, pieces = case
    decoder = make()
    got = b""
    after = b""
    for piece in pieces:
        if decoder.done:
            after += piece
            continue
        parts = decoder.feed(piece)
        assert all(parts), "no piece is empty"
        got += b"".join(parts)
    assert decoder.done
    assert got == body
    assert decoder.rest + after == rest
    assert decoder.trailers == section.replace(b"Content-Length: 9\r\n", b"")


@settings(max_examples=500)
@given(
    st.lists(
        st.sampled_from([*octets(b'0123aF;=" \r\n\\x:'), b"\r\n", b"\r\n0\r\n\r\n", b"5\r\nhello\r\n"]), max_size=16
    )
)
def test_any_bytes_whole_or_octet_by_octet(parts: list[bytes]) -> None:
    wire = b"".join(parts)
    assert outcome([wire]) == outcome(octets(wire))


def outcome(pieces: list[bytes]) -> object:
    decoder = make()
    body = b""
    for at, piece in enumerate(pieces):
        try:
            body += b"".join(decoder.feed(piece))
        except EntryError as error:
            return error.status
        if decoder.done:
            return body, decoder.rest + b"".join(pieces[at + 1 :])
    return body


@settings(max_examples=200)
@given(bodies)
def test_encode_and_decode(parts: list[bytes]) -> None:
    wire = b"".join(b"".join(encode_chunk(part)) for part in parts) + last_chunk(b"X: a\r\n")
    body, decoder = decode(wire)
    assert body == b"".join(parts)
    assert decoder.trailers == b"X: a\r\n"
