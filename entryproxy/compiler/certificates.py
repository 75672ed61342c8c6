"""A TLS Secret's bytes → a checked pair of certificate chain and key, or the reason why not.

What is checked here needs no time and no owner: the chain's order, that the key is the certificate's, names,
strength. Bytes in, values out; nothing is verified against a trust store, because the entry presents certificates and
clients judge them.
"""

from __future__ import annotations

import functools
import hashlib

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from entryproxy.compiler.findings import Reason, Rejected
from entryproxy.model.hostname import is_hostname
from entryproxy.model.secret import PrivateBytes

CERTIFICATE = "tls.crt"
KEY = "tls.key"
CHAIN_LENGTH_MAX = 10
PEM_BYTES_MAX = 262_144
RSA_BITS_MIN = 2_048
RSA_BITS_MAX = 8_192  # a larger key makes every handshake a burden that any client can ask for
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_AUTHORITY_EC_BITS_MIN = 224
_NAMES_SHOWN = 10
_AUTHORITIES_REMEMBERED = 1_024
MALFORMED = (  # what the library raises, some of it only when a field is read
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class CheckedPair(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A usable pair. names: DNS SANs in normal form. not_before, not_after: of the leaf, Unix seconds. remarks:
    sentences about what was repaired or left out, each with its reason."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    fingerprint: str
    chain_pem: bytes
    key_pem: PrivateBytes
    remarks: tuple[tuple[Reason, str], ...]


def check_pair(certificate_pem: bytes, key_pem: PrivateBytes) -> CheckedPair:
    """The pair, its chain in order from the leaf up; raises Rejected, never with key material in the message."""
    try:
        return _check_pair(certificate_pem, key_pem)
    except MALFORMED:
        raise Rejected(CERTIFICATE, "A certificate of the chain is malformed", "InvalidCertificate") from None


def _check_pair(certificate_pem: bytes, key_pem: PrivateBytes) -> CheckedPair:
    certificates = _load_chain(certificate_pem)
    key = _load_key(key_pem)
    _check_strength(key)
    chain = _in_order(certificates, key.public_key())
    _check_signs(key)
    _check_signatures(chain)
    _ = (chain[0].subject, chain[0].issuer)  # see read_through; the key has been read
    for one in chain[1:]:
        _check_authority(one)
    names, unusable = _names(chain[0])
    remarks: list[tuple[Reason, str]] = []
    if chain != certificates:
        remarks.append(("CertificateChain", "The chain was put in order: leaf first, each followed by its issuer"))
    if unusable:
        shown = ", ".join(unusable[:_NAMES_SHOWN]) + (", …" if len(unusable) > _NAMES_SHOWN else "")
        remarks.append(("CertificateNames", f"Names that can't be served are left out: {shown}"))
    return CheckedPair(
        names=names,
        not_before=chain[0].not_valid_before_utc.timestamp(),
        not_after=chain[0].not_valid_after_utc.timestamp(),
        fingerprint=_fingerprint(chain),
        chain_pem=b"".join(one.public_bytes(Encoding.PEM) for one in chain),
        key_pem=key_pem,
        remarks=tuple(remarks),
    )


def _load_chain(pem: bytes) -> list[x509.Certificate]:
    if not pem.strip():
        raise Rejected(CERTIFICATE, "The certificate is missing", "InvalidCertificate")
    if len(pem) > PEM_BYTES_MAX:
        raise Rejected(CERTIFICATE, f"More than {PEM_BYTES_MAX} bytes of certificates", "InvalidCertificate")
    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as problem:
        raise Rejected(CERTIFICATE, "Not a certificate chain in PEM", "InvalidCertificate") from problem
    if len(chain) > CHAIN_LENGTH_MAX:
        raise Rejected(CERTIFICATE, f"More than {CHAIN_LENGTH_MAX} certificates in the chain", "InvalidCertificate")
    return chain


def _load_key(pem: PrivateBytes) -> _PrivateKey:
    """The library's own errors may quote what they read, so none of them is passed on or chained."""
    if not pem.reveal().strip():
        raise Rejected(KEY, "The key is missing", "InvalidCertificate")
    try:
        # The library's own validation tests an RSA key's primes, 50 ms each; `_check_signs` tries the key out instead.
        key = load_pem_private_key(pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise Rejected(KEY, "The key is encrypted; store it without a passphrase", "InvalidCertificate") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected(KEY, "Not a private key in PEM", "InvalidCertificate") from None
    if not isinstance(key, _PrivateKey):
        raise Rejected(KEY, "Keys are RSA, ECDSA or Ed25519", "InvalidCertificate")
    return key


def _check_strength(key: _PrivateKey) -> None:
    if isinstance(key, rsa.RSAPrivateKey) and not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise Rejected(
            KEY,
            f"An RSA key of {key.key_size} bits; at least {RSA_BITS_MIN} and at most {RSA_BITS_MAX} are served",
            "InvalidCertificate",
        )
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES:
        raise Rejected(KEY, f"The curve {key.curve.name} is none of P-256, P-384, P-521", "InvalidCertificate")


def _check_signs(key: _PrivateKey) -> None:
    """An RSA key whose private parts don't fit would make wrong signatures, which can betray it (fault attacks)."""
    if not isinstance(key, rsa.RSAPrivateKey):
        return
    try:
        signature = key.sign(b"entryproxy", PKCS1v15(), SHA256())
        key.public_key().verify(signature, b"entryproxy", PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        raise Rejected(KEY, "The parts of the RSA key don't fit together", "InvalidCertificate") from None


def _in_order(certificates: list[x509.Certificate], public: object) -> list[x509.Certificate]:
    """Leaf first, then its issuers as far as the bundle holds them; what belongs to neither is left out."""
    rest = list(certificates)
    leaf = next((one for one in rest if _public_key(one) == public), None)
    if leaf is None:
        raise Rejected(KEY, "The key does not belong to the certificate", "InvalidCertificate")
    chain = [leaf]
    rest.remove(leaf)
    while rest and (issuer := _issuer_of(chain[-1], rest)) is not None:
        chain.append(issuer)
        rest.remove(issuer)
    return chain


def _public_key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _issuer_of(certificate: x509.Certificate, candidates: list[x509.Certificate]) -> x509.Certificate | None:
    """The one that issued `certificate`.

    Verifying a signature costs as much as all the rest of the checks, and the only certificate with the right name goes
    to clients either way, who judge it; signatures tell namesakes apart.
    """
    issuer = certificate.issuer
    if issuer == certificate.subject:
        return None
    namesakes = [one for one in candidates if one.subject == issuer]
    if len(namesakes) < 2:
        return namesakes[0] if namesakes else None
    return next((one for one in namesakes if _is_signed_by(certificate, one)), None)


def _is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _check_signatures(chain: list[x509.Certificate]) -> None:
    """No SHA-1 or MD5 where clients check it; a root's signature over itself is checked by nobody."""
    for depth, certificate in enumerate(chain):
        if depth and certificate.issuer == certificate.subject:
            continue
        try:
            algorithm = certificate.signature_hash_algorithm
        except UnsupportedAlgorithm:
            raise Rejected(CERTIFICATE, "Signed with an unknown algorithm", "InvalidCertificate") from None
        if isinstance(algorithm, SHA1 | MD5):
            raise Rejected(CERTIFICATE, f"Signed with {algorithm.name}, which no client accepts", "InvalidCertificate")


@functools.lru_cache(_AUTHORITIES_REMEMBERED)  # thousands of tenants have the same ones
def _check_authority(one: x509.Certificate) -> None:
    """OpenSSL refuses the whole chain for a certificate that it can't decode, or whose key is too weak for its security
    level 2 (112 bits), where a client would not have looked at it."""
    read_through(one)
    public = one.public_key()
    is_weak = isinstance(public, rsa.RSAPublicKey) and public.key_size < RSA_BITS_MIN
    if is_weak or (isinstance(public, ec.EllipticCurvePublicKey) and public.key_size < _AUTHORITY_EC_BITS_MIN):
        raise Rejected(CERTIFICATE, "The key of a CA in the chain is too weak to be served", "InvalidCertificate")


def read_through(one: x509.Certificate) -> None:
    """Raises one of MALFORMED for a certificate that OpenSSL would not load."""
    _ = (one.subject, one.issuer, one.public_key())


def _names(leaf: x509.Certificate) -> tuple[tuple[str, ...], list[str]]:
    """DNS SANs in normal form, and those that no host can match. The common name counts nothing (RFC 9525 §2)."""
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise Rejected(
            CERTIFICATE, "No subject alternative names; clients ignore the common name", "InvalidCertificate"
        ) from None
    except ValueError:
        raise Rejected(CERTIFICATE, "The certificate's extensions are malformed", "InvalidCertificate") from None
    written = dict.fromkeys(name.lower().removesuffix(".") for name in san.get_values_for_type(x509.DNSName))
    usable = tuple(name for name in written if is_hostname(name.removeprefix("*.")))
    served = frozenset(usable)
    if not usable:
        raise Rejected(
            CERTIFICATE, "No subject alternative name is a DNS name that can be served", "InvalidCertificate"
        )
    return usable, [name for name in written if name not in served]


def _fingerprint(chain: list[x509.Certificate]) -> str:
    """The key that belongs to a chain is known by its leaf."""
    digest = hashlib.sha256()
    for certificate in chain:
        digest.update(certificate.public_bytes(Encoding.DER))
    return digest.hexdigest()
