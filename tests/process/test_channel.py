from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.model.certificate import Certificate
from entryproxy.model.secret import PrivateBytes
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.process import messages
from entryproxy.process.channel import FRAME_BYTES_MAX, Channel, FrameError, FrameReader, frame
from entryproxy.telemetry.counters import WorkerReport


@given(st.lists(st.binary(max_size=300)), st.data())
def test_frames_survive_being_torn_anywhere(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    reader = FrameReader()
    received = [
        payload
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for payload in reader.feed(stream[start:end])
    ]
    assert received == payloads


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"\0\0\0\0", [b""], id="empty payload"),
        pytest.param(b"\0\0\0\x02ab\0\0\0\x01c", [b"ab", b"c"], id="two at once"),
        pytest.param(b"\0\0\0\x02a", [], id="not yet whole"),
        pytest.param(b"\0\0\0", [], id="not even a length"),
        pytest.param(b"\0\0\0\x08abcdefgh", [b"abcdefgh"], id="at the limit"),
    ],
)
def test_frames(stream: bytes, expected: list[bytes]) -> None:
    assert FrameReader(bytes_max=8).feed(stream) == expected


def test_a_length_over_the_limit_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(FrameError, match="9 bytes is over the limit of 8"):
        FrameReader(bytes_max=8).feed(b"\0\0\0\x09")
    with pytest.raises(FrameError):
        FrameReader().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


def test_messages_come_back_as_they_were() -> None:
    certificate = Certificate(
        owner="system",
        source="ns/name",
        names=("a.example",),
        not_before=1.0,
        not_after=2.0,
        fingerprint="00",
        chain_pem=b"chain",
        key_pem=PrivateBytes(b"key"),
    )
    change = Change(
        generation=7,
        whole=True,
        platform=Platform(system_domain="a.example", certificates=(certificate,)),
        tenants=(Tenant(id="a", gateway_addresses=("10.0.0.1:80",), certificates=(certificate,)),),
        removed=("b",),
    )
    report = WorkerReport()
    report.tenant("one").observe(200, "h1", 0.1, 0.05, 10, 20)
    arrival = messages.worker_decoder.decode(messages.encode(messages.Publish(change)))
    assert isinstance(arrival, messages.Arrival)
    assert (arrival.change.decode(), arrival.change.head) == (change, msgspec.structs.replace(change, tenants=()))
    assert messages.worker_decoder.decode(messages.encode(messages.ReportRequest(3))) == messages.ReportRequest(3)
    for to_control in (
        messages.Hello(1, 2, 3),
        messages.Applied(4),
        messages.Refused(5, "why"),
        messages.Report(6, report),
    ):
        assert messages.control_decoder.decode(messages.encode(to_control)) == to_control


class End:
    """What one end of a channel hears."""

    def __init__(self) -> None:
        self.heard: list[messages.ToWorker] = []
        self.ended = asyncio.Event()

    def on_message(self, channel: Channel[messages.ToWorker], message: messages.ToWorker) -> None:
        self.heard.append(message)

    def on_end(self, channel: Channel[messages.ToWorker]) -> None:
        self.ended.set()

    async def open(self) -> tuple[Channel[messages.ToWorker], socket.socket]:
        ours, theirs = socket.socketpair()
        return await Channel.open(ours, messages.worker_decoder, self.on_message, self.on_end), theirs


@pytest.mark.parametrize(
    "nonsense",
    [b"\xff\xff\xff\xff", frame(b"\xc1"), frame(messages.encode(messages.Applied(1)))],
    ids=["oversize", "not MessagePack", "a message of the other direction"],
)
async def test_nonsense_ends_the_channel(nonsense: bytes) -> None:
    end = End()
    _, theirs = await end.open()
    with theirs:
        theirs.sendall(frame(messages.encode(messages.ReportRequest(1))) + nonsense)
        async with asyncio.timeout(5):
            await end.ended.wait()
    assert end.heard == [messages.ReportRequest(1)] or nonsense == b"\xff\xff\xff\xff"


async def test_sending_on_an_ended_channel_is_silent() -> None:
    end = End()
    channel, theirs = await end.open()
    theirs.close()
    async with asyncio.timeout(5):
        await end.ended.wait()
        channel.send(b"lost")
        await channel.close()


async def test_close_sends_what_is_queued_first() -> None:
    end = End()
    channel, theirs = await end.open()
    payload = b"x" * 4_000_000
    channel.send(payload)
    closing = asyncio.ensure_future(channel.close())
    theirs.setblocking(False)
    received = b""
    async with asyncio.timeout(5):
        while chunk := await asyncio.get_running_loop().sock_recv(theirs, 1 << 20):
            received += chunk
        await closing
    theirs.close()
    assert received == frame(payload)
