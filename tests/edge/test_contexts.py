"""TLS contexts: built at first use, a bounded number kept."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from entryproxy.edge.contexts import ContextCache
from entryproxy.model.certificate import Certificate
from entryproxy.model.secret import PrivateBytes
from tests.certificates import Authority
from tests.edge.network import make_certificate


@pytest.fixture(scope="module")
def certificates(authority: Authority) -> list[Certificate]:
    return [make_certificate(authority.issue("a.example"), "t", "a.example", source=f"ns/{n}") for n in range(3)]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def broken(certificate: Certificate, other: Certificate) -> Certificate:
    """The certificate with somebody else's key."""
    return make_certificate_like(certificate, other.key_pem)


def make_certificate_like(one: Certificate, key_pem: PrivateBytes) -> Certificate:
    return Certificate(
        owner=one.owner,
        source="ns/broken",
        names=one.names,
        not_before=one.not_before,
        not_after=one.not_after,
        fingerprint="broken",
        chain_pem=one.chain_pem,
        key_pem=key_pem,
    )


def test_the_same_context_for_the_same_tenant_and_certificate(certificates: list[Certificate]) -> None:
    cache = ContextCache(10, b"secret")
    first = cache.find((certificates[0],), "t", "1.2")
    assert first is not None
    assert cache.find((certificates[0],), "t", "1.2") is first
    others = [
        cache.find((certificates[0],), "u", "1.2"),
        cache.find((certificates[1],), "t", "1.2"),
        cache.find((certificates[0],), "t", "1.3"),
    ]
    assert len({id(one) for one in (first, *others)}) == 4


def test_the_least_recently_used_goes(certificates: list[Certificate]) -> None:
    cache = ContextCache(2, b"secret")
    one, two, three = ((certificate,) for certificate in certificates)
    first, second = cache.find(one, "t", "1.2"), cache.find(two, "t", "1.2")
    assert cache.find(one, "t", "1.2") is first
    cache.find(three, "t", "1.2")
    assert len(cache) == 2
    assert cache.find(one, "t", "1.2") is first
    assert cache.find(two, "t", "1.2") is not second


def test_a_certificate_that_openssl_refuses_gives_way(
    certificates: list[Certificate], caplog: pytest.LogCaptureFixture
) -> None:
    cache = ContextCache(10, b"secret")
    bad = broken(certificates[0], certificates[1])
    for _ in range(2):
        assert cache.find((bad, certificates[1]), "t", "1.2") is not None
        assert cache.find((bad,), "t", "1.2") is None
    assert cache.find((), "t", "1.2") is None
    assert caplog.text.count("ns/broken") == 1
    assert "PRIVATE" not in caplog.text


def test_versions_and_suites(certificates: list[Certificate]) -> None:
    cache = ContextCache(10, b"secret")
    context = cache.find((certificates[0],), "t", "1.2")
    strict = cache.find((certificates[0],), "t", "1.3")
    assert context is not None
    assert strict is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert strict.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    for suite in context.get_ciphers():
        assert suite["aead"], suite["name"]
        assert suite["protocol"] == "TLSv1.3" or suite["kea"] == "kx-ecdhe"


def test_keys_touch_no_disk_and_leave_no_descriptor(
    certificates: list[Certificate], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[str] = []
    real = ssl.SSLContext.load_cert_chain

    def load(self: ssl.SSLContext, path: str) -> None:
        loaded.append(str(Path(path).readlink()))
        real(self, path)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
    monkeypatch.chdir(tmp_path)
    before = open_descriptors()
    ContextCache(10, b"secret").find((certificates[0],), "t", "1.2")
    assert loaded
    assert all(path.startswith("/memfd:") for path in loaded)
    assert open_descriptors() == before
    assert not list(tmp_path.iterdir())
