"""Certificates with everything that can be wrong about them, at times relative to a fixed NOW."""

from __future__ import annotations

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000.0
DAY = 86_400.0
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def key(kind: str = "p256", number: int = 0) -> Key:
    """One key per kind and number, because making RSA keys takes time."""
    match kind:
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p192":
            return ec.generate_private_key(ec.SECP192R1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=int(kind.removeprefix("rsa")))


def certificate(
    *names: str,
    of: Key | None = None,
    start: float = -1,
    end: float = 90,
    subject: str = "leaf",
    issuer: tuple[str, Key] | None = None,
    ca: bool = False,
) -> x509.Certificate:
    """Valid from `start` to `end` in days from NOW; issued by itself unless `issuer` (name, key) is given."""
    of = of or key()
    issuer_name, issuer_key = issuer or (subject, of)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer_name))
        .public_key(of.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(start))
        .not_valid_after(_time(end))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        san: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    return builder.sign(issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def claim_sha1(one: x509.Certificate) -> x509.Certificate:
    """The same certificate with sha1WithRSAEncryption for its algorithm, which libraries don't sign with any more."""
    sha256_with_rsa, sha1_with_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    return x509.load_der_x509_certificate(one.public_bytes(Encoding.DER).replace(sha256_with_rsa, sha1_with_rsa))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def key_pem(of: Key | None = None, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return (of or key()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _time(days: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(NOW + days * DAY, datetime.UTC)
