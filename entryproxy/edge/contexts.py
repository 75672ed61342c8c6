"""SSLContexts: one per tenant and certificate, built at the first handshake that needs it, a bounded number kept."""

from __future__ import annotations

import logging
import os
import ssl
from collections import OrderedDict

from entryproxy.edge import libssl
from entryproxy.edge.tickets import share_tickets, ticket_keys
from entryproxy.model.certificate import Certificate

_log = logging.getLogger(__name__)

CIPHERS_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
GROUPS = (b"X25519MLKEM768:" if ssl.OPENSSL_VERSION_INFO[:2] >= (3, 5) else b"") + b"X25519:P-256:P-384"
"""Key exchanges. OpenSSL's own defaults hold finite fields of 8192 bits, where one handshake costs a server what some
five hundred others do, and a client nothing (CVE-2002-20001)."""
ALPN_PROTOCOLS = ["http/1.1"]
TICKETS_PER_HANDSHAKE = 1
_REFUSED_MAX = 4_096
_SET_GROUPS_LIST = 92  # SSL_CTRL_SET_GROUPS_LIST


class ContextCache:
    """Least-recently-used contexts. A context costs about a millisecond and 20 KB, so it is neither built for a tenant
    that nobody calls nor kept for one that nobody calls any more. Connections keep theirs alive by themselves."""

    def __init__(self, contexts_max: int, ticket_secret: bytes) -> None:
        self._contexts_max = contexts_max
        self._ticket_secret = ticket_secret
        self._contexts: OrderedDict[tuple[str, str, str], ssl.SSLContext] = OrderedDict()
        self._refused: set[str] = set()

    def __len__(self) -> int:
        return len(self._contexts)

    def find(self, candidates: tuple[Certificate, ...], tenant_id: str, min_version: str) -> ssl.SSLContext | None:
        """The context of the first candidate that OpenSSL accepts, for this tenant's tickets; None when it accepts
        none.
        """
        for certificate in candidates:
            key = (tenant_id, certificate.fingerprint, min_version)
            context = self._contexts.get(key)
            if context is not None:
                self._contexts.move_to_end(key)
                return context
            if certificate.fingerprint not in self._refused:
                context = self._build(certificate, tenant_id, min_version)
                if context is not None:
                    self._keep(key, context)
                    return context
        return None

    def _keep(self, key: tuple[str, str, str], context: ssl.SSLContext) -> None:
        self._contexts[key] = context
        if len(self._contexts) > self._contexts_max:
            self._contexts.popitem(last=False)

    def _build(self, certificate: Certificate, tenant_id: str, min_version: str) -> ssl.SSLContext | None:
        try:
            context = server_context(certificate, min_version)
        except (ssl.SSLError, OSError) as error:
            _log.error("certificate %s is refused by OpenSSL: %s", certificate.source, error)
            if len(self._refused) < _REFUSED_MAX:
                self._refused.add(certificate.fingerprint)
            return None
        share_tickets(context, ticket_keys(self._ticket_secret, tenant_id))
        return context


def server_context(certificate: Certificate, min_version: str) -> ssl.SSLContext:
    """A server's context: TLS 1.2 and 1.3, forward secrecy and AEAD only, no renegotiation, no compression."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_TLS12)
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = TICKETS_PER_HANDSHAKE
    _limit_groups(context)
    _load_from_memory(context, certificate)
    return context


def _limit_groups(context: ssl.SSLContext) -> None:
    if libssl.control(context, _SET_GROUPS_LIST, 0, GROUPS) != 1:
        context.set_ecdh_curve("prime256v1")  # one group for all, but one that everybody has


def _load_from_memory(context: ssl.SSLContext, certificate: Certificate) -> None:
    # load_cert_chain wants a path; a memfd has one and never touches a disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate.key_pem.reveal().rstrip() + b"\n" + certificate.chain_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
