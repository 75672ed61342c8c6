from __future__ import annotations

import os
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.compiler.certificates import CheckedPair, check_pair
from entryproxy.compiler.findings import Rejected
from entryproxy.model.secret import PrivateBytes
from tests.compiler.pairs import DAY, NOW, Key, certificate, claim_sha1, key, key_pem, pem

RSA = key("rsa2048")
ROOT = certificate(subject="root", of=key("p256", 1), ca=True, end=900)
MIDDLE = certificate(subject="middle", of=key("p256", 2), issuer=("root", key("p256", 1)), ca=True, end=800)
LEAF = certificate("a.example.com", issuer=("middle", key("p256", 2)))


def check(*chain: x509.Certificate, of: Key | None = None) -> CheckedPair:
    return check_pair(pem(*chain), PrivateBytes(key_pem(of)))


def problem(certificate_pem: bytes, private_pem: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check_pair(certificate_pem, PrivateBytes(private_pem))
    assert caught.value.reason == "InvalidCertificate"
    return caught.value


def test_a_good_pair() -> None:
    pair = check(LEAF, MIDDLE)
    assert pair.names == ("a.example.com",)
    assert (pair.not_before, pair.not_after) == (NOW - DAY, NOW + 90 * DAY)
    assert pair.chain_pem == pem(LEAF, MIDDLE)
    assert pair.remarks == ()
    assert len(pair.fingerprint) == 64


@pytest.mark.parametrize("order", [(MIDDLE, LEAF), (ROOT, MIDDLE, LEAF), (LEAF, ROOT, MIDDLE)])
def test_the_chain_is_put_in_order_and_says_so(order: tuple[x509.Certificate, ...]) -> None:
    pair = check(*order)
    assert pair.chain_pem == pem(*[one for one in (LEAF, MIDDLE, ROOT) if one in order])
    assert [reason for reason, _ in pair.remarks] == ["CertificateChain"]


def test_strangers_in_the_chain_are_left_out() -> None:
    stranger = certificate("b.example.com", subject="middle", of=key("p256", 3))  # the issuer's name, another key
    pair = check(LEAF, stranger, MIDDLE)
    assert pair.chain_pem == pem(LEAF, MIDDLE)
    assert [reason for reason, _ in pair.remarks] == ["CertificateChain"]


def test_fingerprints_differ_by_material() -> None:
    again = certificate("a.example.com", issuer=("middle", key("p256", 2)))
    assert check(LEAF, MIDDLE).fingerprint == check(MIDDLE, LEAF).fingerprint
    assert check(LEAF, MIDDLE).fingerprint != check(again, MIDDLE).fingerprint
    assert check(LEAF, MIDDLE).fingerprint != check(LEAF).fingerprint


@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_other_keys(kind: str) -> None:
    assert check(certificate("a.example.com", of=key(kind)), of=key(kind)).names == ("a.example.com",)


@pytest.mark.parametrize(
    ("chain", "private", "field", "message"),
    [
        (b"", key_pem(), "tls.crt", "missing"),
        (b"nonsense", key_pem(), "tls.crt", "Not a certificate chain"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key_pem(), "tls.crt", ""),
        (b"x" * 300_000, key_pem(), "tls.crt", "More than"),
        (pem(*[LEAF] * 11), key_pem(), "tls.crt", "More than 10"),
        (pem(LEAF), b"", "tls.key", "missing"),
        (pem(LEAF), b"nonsense", "tls.key", "Not a private key"),
        (pem(LEAF), key_pem()[:-60], "tls.key", "Not a private key"),
        (pem(LEAF), key_pem(password=b"secret"), "tls.key", "encrypted"),
        (pem(LEAF), key_pem(key("p256", 9)), "tls.key", "does not belong"),
        (pem(certificate("a.b.c", of=key("rsa1024"))), key_pem(key("rsa1024")), "tls.key", "1024 bits"),
        (pem(certificate("a.b.c", of=key("p192"))), key_pem(key("p192")), "tls.key", "curve secp192r1"),
        (pem(claim_sha1(certificate("a.b.c", of=RSA))), key_pem(RSA), "tls.crt", "sha1"),
        (pem(certificate()), key_pem(), "tls.crt", "common name"),
        (pem(certificate("localhost", "w*.example.com")), key_pem(), "tls.crt", "No subject alternative name is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_rejections(chain: bytes, private: bytes, field: str, message: str) -> None:
    rejected = problem(chain, private)
    assert rejected.field == field
    assert message in rejected.message
    assert rejected.__cause__ is None or field == "tls.crt"  # errors about a key may quote it


def test_sha1_counts_in_intermediates_but_not_in_roots() -> None:
    signed_with_rsa = certificate(subject="middle", of=key("p256", 2), issuer=("root", RSA), ca=True)
    assert "sha1" in problem(pem(LEAF, claim_sha1(signed_with_rsa)), key_pem()).message
    root = claim_sha1(certificate(subject="root", of=RSA, ca=True))
    assert check(LEAF, signed_with_rsa, root).chain_pem == pem(LEAF, signed_with_rsa, root)


def test_names_are_normal_and_odd_ones_are_reported() -> None:
    pair = check(certificate("A.Example.COM", "a.example.com", "*.Example.com", "localhost", "f*.example.com"))
    assert pair.names == ("a.example.com", "*.example.com")
    ((reason, sentence),) = pair.remarks
    assert reason == "CertificateNames"
    assert "localhost, f*.example.com" in sentence


@given(st.integers(0, len(pem(LEAF)) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_rejected_or_still_holds_together(position: int, value: int) -> None:
    damaged = bytearray(pem(LEAF))
    damaged[position] = value
    try:
        pair = check_pair(bytes(damaged), PrivateBytes(key_pem()))
    except Rejected:
        return
    assert pair.names


def test_an_rsa_key_whose_parts_do_not_fit_is_rejected() -> None:
    assert isinstance(RSA, rsa.RSAPrivateKey)
    numbers = RSA.private_numbers()
    broken = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    rejected = problem(pem(certificate("a.example.com", of=RSA)), key_pem(broken))
    assert rejected.field == "tls.key"


def damaged(one: x509.Certificate, old: bytes, new: bytes) -> bytes:
    """PEM with some octets replaced."""
    der = one.public_bytes(Encoding.DER)
    assert old in der
    return ssl.DER_cert_to_PEM_cert(der.replace(old, new)).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x11"),  # X.509 version 18
        (b"\x0c\x06middle", b"\x03\x06middle"),  # a name in bits
        (b"\x0c\x06middle", b"\x0c\x06\xff\xff\xff\xff\xff\xff"),  # or not in UTF-8
    ],
)
def test_what_cannot_be_decoded_is_rejected_wherever_it_stands(old: bytes, new: bytes) -> None:
    """OpenSSL would refuse the whole chain, in every worker, in the place of the good one that was there."""
    for chain in (damaged(LEAF, old, new), pem(LEAF) + damaged(MIDDLE, old, new)):
        try:
            pair = check_pair(chain, PrivateBytes(key_pem()))
        except Rejected:
            continue
        load(pair)
    assert "malformed" in problem(damaged(LEAF, old, new), key_pem()).message


@pytest.mark.parametrize("kind", ["rsa1024", "p192"])
def test_a_weak_authority_would_have_openssl_refuse_the_chain(kind: str) -> None:
    weak = certificate(subject="weak", of=key(kind), issuer=("root", key("p256", 1)), ca=True)
    leaf = certificate("a.example.com", issuer=("weak", key(kind)))
    assert "CA in the chain is too weak" in problem(pem(leaf, weak), key_pem()).message
    load(check(leaf))


def load(pair: CheckedPair) -> None:
    """As a worker does."""
    descriptor = os.memfd_create("pair")
    try:
        os.write(descriptor, pair.key_pem.reveal() + pair.chain_pem)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
