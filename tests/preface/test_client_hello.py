from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.preface.client_hello import ClientHello, alert_record, read_client_hello
from entryproxy.preface.errors import PrefaceError
from tests.preface import hellos

BYTES_MAX = 65_536
NAME = b"app.customer.com"


def read(data: bytes) -> ClientHello | None:
    return read_client_hello(data, bytes_max=BYTES_MAX)


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


def test_a_bytearray_is_read_as_bytes_are() -> None:
    whole = hellos.real_hello(alpn=("h2",))
    assert read_client_hello(bytearray(whole), bytes_max=BYTES_MAX) == read(whole)


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
    "message over the limit": (47, b"\x16\x03\x01\x40\x00\x01\x01\x00\x00"),
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


def test_an_unfinished_hello_meets_the_limit() -> None:
    dribbled = hellos.records(hellos.message(bytes(9_000)), 20)
    assert read_client_hello(dribbled[:9_999], bytes_max=10_000) is None
    with pytest.raises(PrefaceError, match="too long"):
        read_client_hello(dribbled[:10_000], bytes_max=10_000)


def test_the_number_of_records_is_bounded() -> None:
    with pytest.raises(PrefaceError, match="too many records"):
        read(hellos.records(hellos.message(bytes(4_000)), 1))


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


def test_alert_record_is_what_openssl_understands() -> None:
    received = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(received, ssl.MemoryBIO(), server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    received.write(alert_record(112))
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    assert "UNRECOGNIZED_NAME" in str(caught.value).upper().replace(" ", "_")


class OpenSsl:
    """The engine that the hello goes to next, asked for the server name that it sees."""

    def __init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = self._see
        self._seen: list[str | None] = []

    def server_name(self, hello: bytes) -> str | None:
        """The name, None when there is none; LookupError when it refuses the hello before it comes to the name."""
        self._seen.clear()
        received = ssl.MemoryBIO()
        received.write(hello)
        try:
            self._context.wrap_bio(received, ssl.MemoryBIO(), server_side=True).do_handshake()
        except ssl.SSLError:
            pass
        if not self._seen:
            raise LookupError
        return self._seen[0]

    def _see(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int:
        self._seen.append(name)
        return ssl.AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE


OPENSSL = OpenSsl()


@st.composite
def mutated_hellos(draw: st.DrawFn) -> bytes:
    """A real hello, cut into records, with a few bytes changed, most of them around the server name."""
    handshake = bytearray(hellos.real_hello("app.customer.com", alpn=("h2",))[5:])
    name_at = handshake.index(b"app.customer.com")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.one_of(st.integers(name_at - 9, name_at + 20), st.integers(4, len(handshake) - 1)))
        handshake[at] = draw(st.one_of(st.integers(0, 255), st.sampled_from(b".A\0:[*0")))
    return hellos.records(bytes(handshake), draw(st.sampled_from([16_384, 200, 7])))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # names that ssl can't decode for us
@given(mutated_hellos())
def test_openssl_never_sees_another_name(data: bytes) -> None:
    try:
        seen = OPENSSL.server_name(data)
    except LookupError:
        return
    try:
        hello = read(data)
    except PrefaceError:
        return
    assert hello is not None
    assert hello.server_name == (None if seen is None else seen.lower().removesuffix("."))


def test_openssl_sees_the_name_of_an_untouched_hello() -> None:
    assert OPENSSL.server_name(hellos.real_hello("app.customer.com")) == "app.customer.com"
    assert OPENSSL.server_name(hellos.real_hello(None)) is None
