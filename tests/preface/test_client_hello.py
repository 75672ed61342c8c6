from __future__ import annotations

import itertools
import ssl
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.preface import client_hello
from entryproxy.preface.client_hello import ClientHello, ClientHelloReader, read_unfragmented
from entryproxy.preface.errors import PrefaceError
from tests.preface import hellos

BYTES_MAX = 135_168
NAME = b"app.customer.com"

Outcome = ClientHello | tuple[str, int | None] | None


def read(data: bytes, bytes_max: int = BYTES_MAX) -> ClientHello | None:
    """The hello in `data` when it is all that has come, judged as the edge judges it."""
    return read_unfragmented(data, bytes_max=bytes_max) or ClientHelloReader(bytes_max).feed(data)


def outcome(pieces: Sequence[bytes], bytes_max: int = BYTES_MAX) -> Outcome:
    """What a reader comes to: a hello or an error at some piece, or None behind the last."""
    reader = ClientHelloReader(bytes_max)
    try:
        for piece in pieces:
            hello = reader.feed(piece)
            if hello is not None:
                return hello
    except PrefaceError as error:
        return error.detail, error.alert
    return None


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def single_bytes(data: bytes) -> list[bytes]:
    return split(data, range(len(data)))


def read_whole(data: bytes) -> ClientHello:
    hello = read(data)
    assert hello is not None
    return hello


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["app1.tenant1.aigw.example.com", None])
def test_hellos_of_a_real_client(version: ssl.TLSVersion, name: str | None) -> None:
    hello = read_whole(hellos.real_hello(name, version=version, alpn=("h2", "http/1.1")))
    assert hello == ClientHello(name, False)


def test_every_prefix_of_a_hello_needs_more() -> None:
    whole = hellos.real_hello()
    assert all(read(whole[:length]) is None for length in range(len(whole)))
    assert read(whole) is not None
    assert read(whole + b"\x17\x03\x03\x00\x05early") is not None


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100, 511])
def test_a_hello_over_many_records(size: int) -> None:
    handshake = hellos.real_hello()[5:]
    fragmented = hellos.records(handshake, size)
    assert read(fragmented) == read(hellos.records(handshake))
    assert all(read(fragmented[:length]) is None for length in range(0, len(fragmented), 7))


def test_a_hello_larger_than_a_record() -> None:
    padding = hellos.extension(21, bytes(40_000))
    assert read_whole(hellos.hello(extensions=padding + hellos.server_name(NAME))).server_name == NAME.decode()


def test_the_largest_hello_that_the_length_fields_allow() -> None:
    sni = hellos.server_name(NAME)
    extensions = hellos.extension(21, bytes(65_535 - 4 - len(sni))) + sni
    body = hellos.body(session_id=bytes(32), ciphers=bytes(65_534), compressions=bytes(255), extensions=extensions)
    assert len(body) == 131_396  # also OpenSSL's limit
    handshake = hellos.message(body)
    for size in (16_384, 1_024, 256):
        whole = hellos.records(handshake, size)
        hello = ClientHello(NAME.decode(), False)
        assert outcome([whole]) == outcome(split(whole, range(0, len(whole), 1_460))) == hello


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9, 100, 16_384])
def test_a_hello_in_single_bytes(size: int) -> None:
    whole = hellos.records(hellos.real_hello(alpn=("h2",))[5:], size)
    reader = ClientHelloReader(BYTES_MAX)
    for at in range(len(whole) - 1):
        assert reader.feed(whole[at : at + 1]) is None
        assert reader.pending == whole[: at + 1]
    assert reader.feed(whole[-1:]) == ClientHello("app1.tenant1.aigw.example.com", False)
    assert reader.pending == whole


def test_what_follows_the_hello_is_pending_too() -> None:
    early = b"\x17\x03\x03\x00\x05early"
    whole = hellos.real_hello()
    reader = ClientHelloReader(BYTES_MAX)
    assert reader.feed(whole[:50]) is None
    assert reader.feed(whole[50:] + early) == read(whole)
    assert reader.pending == whole + early


def test_only_a_lone_record_with_a_lone_hello_is_unfragmented() -> None:
    handshake = hellos.real_hello()[5:]
    whole = hellos.records(handshake)
    assert read_unfragmented(whole, bytes_max=len(whole)) == ClientHello("app1.tenant1.aigw.example.com", False)
    assert read_unfragmented(whole, bytes_max=len(whole) - 1) is None
    for other in (b"", whole[:-1], whole + b"\x14", hellos.records(handshake, 400), b"\x17" + whole[1:]):
        assert read_unfragmented(other, bytes_max=BYTES_MAX) is None


@pytest.mark.parametrize(
    ("sent", "name", "is_ip"),
    [
        (b"app.customer.com", "app.customer.com", False),
        (b"App.CUSTOMER.com", "app.customer.com", False),
        (b"app.customer.com.", "app.customer.com", False),
        (b"localhost", "localhost", False),
        (b"under_score.example.com", "under_score.example.com", False),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example", False),
        (b"192.0.2.1", "192.0.2.1", True),
        (b"2001:db8::1", "2001:db8::1", True),
        (b"[2001:db8::1]", "[2001:db8::1]", True),
    ],
)
def test_server_names(sent: bytes, name: str, is_ip: bool) -> None:
    hello = read_whole(hellos.hello(extensions=hellos.server_name(sent)))
    assert (hello.server_name, hello.server_name_is_ip) == (name, is_ip)


@pytest.mark.parametrize(
    "sent",
    [
        b"app.customer.com\x00.evil.com",
        b"a b.com",
        b"a..b",
        b".",
        b"..",
        b".a",
        b"a/b",
        b"a:443:",
        b"*.customer.com",
        b"caf\xe9.fr",
        "ſ.example".encode(),
        "\u212a.example".encode(),  # the Kelvin sign lower-cases to an ASCII k
        b"a\n",
        b"a" * 64 + b".com",
        b".".join([b"a" * 60] * 5),
    ],
)
def test_names_that_are_no_host_names(sent: bytes) -> None:
    with pytest.raises(PrefaceError) as caught:
        read(hellos.hello(extensions=hellos.server_name(sent)))
    assert caught.value.alert == 47


def test_extensions_are_optional() -> None:
    assert read(hellos.hello(extensions=None)) == ClientHello(None, False)
    assert read(hellos.hello(extensions=b"")) == ClientHello(None, False)


ALPN = hellos.extension(16, hellos.vector(2, b"\x02h2"))
VERSIONS = hellos.extension(43, hellos.vector(1, b"\x03\x04"))

MALFORMED: dict[str, tuple[int, bytes]] = {
    "plain HTTP": (10, b"GET / HTTP/1.1\r\n"),
    "alert": (10, b"\x15\x03\x03\x00\x02\x02\x00"),
    "SSL 2.0 hello": (70, b"\x80\x2e\x01\x03\x01"),
    "record version 2": (70, b"\x16\x02"),
    "record too long": (22, b"\x16\x03\x01\x40\x01"),
    "record too long, with its start": (22, b"\x16\x03\x01\x40\x01\x01\x00\x40\x00\x03\x03"),
    "empty record": (10, b"\x16\x03\x01\x00\x00"),
    "not a hello": (10, b"\x16\x03\x01\x00\x30\x02"),
    "type of a later record": (10, b"\x16\x03\x01\x00\x04\x01\x00\x00\x30\x17"),
    "message over the limit": (47, b"\x16\x03\x01\x40\x00\x01\x02\x0f\xfd"),
    "second message in the record": (10, hellos.records(hellos.message(hellos.body()) + b"\x00")),
    "SSL 3.0": (70, hellos.hello(version=b"\x03\x00")),
    "empty body": (70, hellos.records(hellos.message(b""))),
    "cut in the random": (50, hellos.records(hellos.message(hellos.body()[:20]))),
    "session id too long": (50, hellos.hello(session_id=bytes(33))),
    "no cipher suites": (50, hellos.hello(ciphers=b"")),
    "half a cipher suite": (50, hellos.hello(ciphers=b"\x13\x01\x13")),
    "no compression": (50, hellos.hello(compressions=b"")),
    "bytes behind extensions": (50, hellos.records(hellos.message(hellos.body() + b"\x00"))),
    "extensions cut": (50, hellos.records(hellos.message(hellos.body(extensions=ALPN)[:-1]))),
    "extension header cut": (50, hellos.hello(extensions=ALPN + b"\x00\x10\x00")),
    "two SNI extensions": (47, hellos.hello(extensions=hellos.server_name(NAME) * 2)),
    "empty SNI extension": (50, hellos.hello(extensions=hellos.extension(0, b""))),
    "empty SNI list": (50, hellos.hello(extensions=hellos.server_name())),
    "empty name": (50, hellos.hello(extensions=hellos.server_name(b""))),
    "two names": (47, hellos.hello(extensions=hellos.server_name(NAME, b"b.com"))),
    "unknown name type": (50, hellos.hello(extensions=hellos.server_name(NAME, kind=1))),
    "garbage behind the SNI list": (50, hellos.hello(extensions=hellos.extension(0, b"\x00\x04\x00\x00\x01ax"))),
    "SNI list too long": (50, hellos.hello(extensions=hellos.extension(0, b"\xff" * 4))),
}


@pytest.mark.parametrize(("alert", "data"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_hellos_say_which_alert(alert: int, data: bytes) -> None:
    with pytest.raises(PrefaceError) as caught:
        read(data)
    assert caught.value.alert == alert
    assert outcome(single_bytes(data)) == (caught.value.detail, alert)


def test_an_unfinished_hello_meets_the_limit() -> None:
    dribbled = hellos.records(hellos.message(bytes(9_000)), 20)
    assert read(dribbled[:9_999], 10_000) is None
    with pytest.raises(PrefaceError, match="too long"):
        read(dribbled[:10_000], 10_000)


@pytest.mark.parametrize("size", [16_384, 100])
def test_a_hello_fits_the_limit_with_its_record_headers(size: int) -> None:
    whole = hellos.records(hellos.message(hellos.body(extensions=hellos.server_name(NAME))), size)
    for pieces in ([whole + b"\x14"], [whole], single_bytes(whole)):
        assert outcome(pieces, len(whole)) == ClientHello(NAME.decode(), False)
        assert outcome(pieces, len(whole) - 1) == ("ClientHello too long", 47)


def test_bytes_over_the_limit_are_not_judged() -> None:
    data = hellos.records(hellos.message(hellos.body())[:8], 1) + b"\x16\xff"
    limit = len(data)
    assert outcome([data], limit) == outcome(single_bytes(data), limit) == ("unknown TLS record version", 70)
    assert outcome([data], limit - 1) == outcome(single_bytes(data), limit - 1) == ("ClientHello too long", 47)


def test_the_number_of_records_is_bounded() -> None:
    whole = hellos.records(hellos.message(bytes(4_000)), 1)
    records_max = 1_536
    assert outcome([whole[: records_max * 6 - 1]]) is None
    assert outcome([whole[: records_max * 6]]) == ("ClientHello in too many records", 10)
    longest = hellos.message(hellos.body(session_id=b"\x00", ciphers=bytes(1_492), extensions=None))
    assert len(longest) == records_max
    assert outcome([hellos.records(longest, 1)]) == ClientHello(None, False)


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of the reader's module `call` runs: its cost without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal count
        if frame.f_code.co_filename != client_hello.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("record_bytes", [1, 3, 50, 16_384])
@pytest.mark.parametrize("segment_bytes", [1, 6, 7, 100])
def test_the_cost_grows_with_the_bytes_not_with_their_square(record_bytes: int, segment_bytes: int) -> None:
    def cost(size: int) -> int:
        whole = hellos.records(hellos.message(bytes(10_000)), record_bytes)[:size]
        return lines_run(lambda: outcome(split(whole, range(0, size, segment_bytes))))

    once, twice, four_times = (cost(size) for size in (1_500, 3_000, 6_000))
    assert twice - once < 1.1 * once
    assert four_times - twice < 1.1 * twice
    assert four_times <= 40 * 6_000


@st.composite
def fragments(draw: st.DrawFn) -> bytes:
    """Hellos in records of any sizes, some with a few bytes changed, cut off, or followed by something."""
    handshake = hellos.message(hellos.body(extensions=hellos.server_name(NAME) + draw(st.binary(max_size=40))))
    handshake += draw(st.sampled_from([b"", b"", b"", b"\x01"]))
    whole = b""
    while handshake:
        size = draw(st.integers(1, 60))
        whole += hellos.records(handshake[:size])
        handshake = handshake[size:]
    changed = bytearray(whole + draw(st.binary(max_size=8)))
    for _ in range(draw(st.integers(0, 2))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.sampled_from(b"\0\1\3\x16\x17\x80\xff"))
    return bytes(changed[: draw(st.integers(0, 2 * len(changed)))])


@given(fragments(), st.lists(st.integers(1, 500)), st.one_of(st.just(BYTES_MAX), st.integers(1, 400)))
def test_any_split_comes_to_the_same(data: bytes, cuts: list[int], bytes_max: int) -> None:
    expected = outcome([data], bytes_max)
    assert outcome(split(data, cuts), bytes_max) == expected
    assert outcome(single_bytes(data), bytes_max) == expected


@given(st.binary(max_size=60), st.integers(1, 200))
def test_an_unfragmented_hello_is_what_the_reader_reads(extensions: bytes, bytes_max: int) -> None:
    whole = hellos.hello(extensions=hellos.server_name(NAME) + extensions)
    try:
        hello: Outcome = read_unfragmented(whole, bytes_max=bytes_max)
    except PrefaceError as error:
        hello = error.detail, error.alert
    if hello is not None:
        assert outcome([whole], bytes_max) == hello


@given(st.data())
def test_mutations_end_in_a_hello_or_a_preface_error(data: st.DataObject) -> None:
    mutated = bytearray(hellos.real_hello(alpn=("h2", "http/1.1")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        hello = read(bytes(mutated))
    except PrefaceError as error:
        assert error.alert is not None
        assert 0 < error.alert < 256
    else:
        assert hello is None or hello.server_name is None or hello.server_name.isascii()


@given(st.binary(max_size=300))
def test_any_extensions_end_in_a_hello_or_a_preface_error(extensions: bytes) -> None:
    try:
        assert read(hellos.hello(extensions=extensions)) is not None
    except PrefaceError as error:
        assert error.alert in (47, 50)


@given(st.binary(max_size=60))
def test_judging_early_agrees_with_judging_late(data: bytes) -> None:
    """A prefix is never refused when the whole is accepted, and never accepted as something else."""
    whole = hellos.hello(extensions=hellos.server_name(NAME) + data)
    outcomes = []
    for length in range(len(whole) + 1):
        try:
            outcomes.append(read(whole[:length]))
        except PrefaceError:
            assert length == len(whole)
            return
    assert outcomes[:-1] == [None] * (len(outcomes) - 1)
