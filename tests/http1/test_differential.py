"""No input makes h11, llhttp and us disagree on where a message ends, and pass (see comparison.py for the law)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http1 import readers
from tests.http1.comparison import REQUEST_READERS, RESPONSE_READERS, faults_of_request, faults_of_response
from tests.http1.fuzz import examine
from tests.http1.messages import FOLLOWER, ODD_FRAMINGS, Source
from tests.http1.readers import Message, Refused

SEEDS = 15_000


def test_grown_messages() -> None:
    verdicts: Counter[str] = Counter()
    faults = [f"seed {seed}: {fault}" for seed in range(SEEDS) for fault in examine(seed, verdicts)]
    assert not faults, "\n".join(faults[:10])
    assert verdicts["request message"] > SEEDS / 5, "the generator must make enough messages that pass"
    assert verdicts["response message"] > SEEDS / 5
    assert verdicts["request refused"] > SEEDS / 5


@settings(max_examples=150)
@given(st.randoms(use_true_random=False))
def test_shrinkable_messages(random: Random) -> None:
    source = Source(random)
    request = source.mutate(source.request() + FOLLOWER)
    assert list(faults_of_request(request, source.cuts(request))) == []
    response = source.mutate(source.response() + FOLLOWER)
    assert list(faults_of_response(response, source.cuts(response))) == []


@settings(max_examples=300)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_after_a_good_beginning(head: bytes, body: bytes) -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n\r\n" + body
    assert list(faults_of_request(data, [])) == []


# Messages on which known servers have disagreed, each followed by a request that a wrong end would reveal.
DESYNC = {
    "CL.TE": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "TE.CL": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n",
    "TE.TE space": b"Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "TE.TE repeated": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "TE.TE folded": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "TE.TE tab": b"Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
    "TE.TE vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE.TE bare line feed": b"X: x\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.TE next line": b"X: x\x85Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n",
    "TE identity": b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "CL.CL": b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "CL list": b"Content-Length: 5, 5\r\n\r\n0\r\n\r\n",
    "CL sign": b"Content-Length: +5\r\n\r\n0\r\n\r\n",
    "CL underscore": b"Content-Length: 0_5\r\n\r\n0\r\n\r\n",
    "CL.0 space": b"Content-Length : 5\r\n\r\n0\r\n\r\n",
    "chunk TERM.EXT": b"Transfer-Encoding: chunked\r\n\r\n2;\n\r\nxx\r\n0\r\n\r\n",
    "chunk EXT.TERM": b"Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n",
    "chunk spill": b"Transfer-Encoding: chunked\r\n\r\n5\r\nAAAAAXX\r\n0\r\n\r\n",
    "chunk 0x": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk overflow": b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "chunk bare carriage return": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r0\r\n\r\n",
    "last chunk bare line feed": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "trailer bare line feed": b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n\r\n",
}


@pytest.mark.parametrize("name", DESYNC)
def test_desync_classics_are_refused(name: str) -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\n" + DESYNC[name] + FOLLOWER
    assert isinstance(readers.read_request(data), Refused)
    response = b"HTTP/1.1 200 OK\r\n" + DESYNC[name] + FOLLOWER
    assert isinstance(readers.read_response(response), Refused)


@pytest.mark.parametrize("framing", ODD_FRAMINGS)
def test_odd_framing_is_refused_or_read_alike(framing: bytes) -> None:
    for body in (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n"):
        field = framing.replace(b"%d", b"%d" % len(body)).replace(b"%x", b"%x" % len(body))
        request = b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n" + body + FOLLOWER
        assert list(faults_of_request(request, [])) == []
        response = b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n" + body + FOLLOWER
        assert list(faults_of_response(response, [])) == []


def test_the_readers_do_read() -> None:
    """A comparison in which everyone refuses everything would be green too."""
    request = b"POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"
    expected = Message((b"POST", b"/a?b", 1), len(request), b"hello")
    for read in (readers.read_request, *REQUEST_READERS.values()):
        assert read(request + FOLLOWER) == expected
    response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"
    for read in (readers.read_response, *RESPONSE_READERS.values()):
        assert read(response + FOLLOWER) == Message((404,), len(response), b"hello")


def test_a_wrong_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: an h11 that saw the end one byte later is reported."""
    right = REQUEST_READERS["h11"]

    def wrong(data: bytes) -> readers.Verdict:
        verdict = right(data)
        return Message(verdict.start, verdict.end + 1, verdict.body) if isinstance(verdict, Message) else verdict

    monkeypatch.setitem(REQUEST_READERS, "h11", wrong)
    assert any("h11 reads" in fault for fault in faults_of_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", []))
