"""The ClientHello's reader against the engine that gets the same bytes next."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.preface.client_hello import ClientHelloReader, alert_record
from entryproxy.preface.errors import PrefaceError
from tests.preface import hellos


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
        hello = ClientHelloReader(135_168).feed(data)
    except PrefaceError:
        return
    assert hello is not None
    assert hello.server_name == (None if seen is None else seen.lower().removesuffix("."))


def test_openssl_sees_the_name_of_an_untouched_hello() -> None:
    assert OPENSSL.server_name(hellos.real_hello("app.customer.com")) == "app.customer.com"
    assert OPENSSL.server_name(hellos.real_hello(None)) is None
