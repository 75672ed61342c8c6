"""ClientHellos to read: real ones from the ssl module, and hand-made ones with any field wrong."""

from __future__ import annotations

import ssl


def real_hello(
    server_name: str | None = "app1.tenant1.aigw.example.com",
    *,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    alpn: tuple[str, ...] = (),
) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    sent = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=server_name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()


def vector(length_bytes: int, data: bytes) -> bytes:
    return len(data).to_bytes(length_bytes) + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2) + vector(2, data)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(2, b"".join(bytes((kind,)) + vector(2, name) for name in names)))


def body(
    *,
    version: bytes = b"\x03\x03",
    session_id: bytes = b"",
    ciphers: bytes = b"\x13\x01",
    compressions: bytes = b"\x00",
    extensions: bytes | None = b"",
) -> bytes:
    start = version + bytes(32) + vector(1, session_id) + vector(2, ciphers) + vector(1, compressions)
    return start if extensions is None else start + vector(2, extensions)


def message(hello_body: bytes) -> bytes:
    return b"\x01" + vector(3, hello_body)


def records(data: bytes, size: int = 16_384) -> bytes:
    return b"".join(b"\x16\x03\x01" + vector(2, data[at : at + size]) for at in range(0, len(data), size))


def hello(**fields: bytes | None) -> bytes:
    return records(message(body(**fields)))  # type: ignore[arg-type]
