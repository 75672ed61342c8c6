"""A certificate with its key, checked by the compiler, as workers load it."""

from __future__ import annotations

import msgspec

from entryproxy.model.secret import PrivateBytes


class Certificate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One TLS Secret in force.

    owner: tenant id or "system". source: "namespace/name" of the Secret. names: DNS SANs in normal form. not_before,
    not_after: Unix seconds. fingerprint: SHA-256 over the certificate chain, hex; equal fingerprints mean
    the same material, so that workers keep their TLS contexts over unrelated changes.
    """

    owner: str
    source: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    fingerprint: str
    chain_pem: bytes
    key_pem: PrivateBytes
