"""One look at what a running entry does: each on a connection of its own, whatever the certificate is."""

from __future__ import annotations

import ssl

from cryptography import x509

from tests.e2e.clients import Client
from tests.e2e.gateways import Gateway
from tests.e2e.harness import Entry


def unverified(entry: Entry, host: str) -> Client:
    """A connection whose certificate nobody judges."""
    context = entry.authority.context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return entry.client(host, context=context)


def status(entry: Entry, host: str, path: str) -> int:
    """Of the answer."""
    with unverified(entry, host) as client:
        return client.get(path).status


def tenant_of(entry: Entry, host: str, gateway: Gateway) -> str | None:
    """Whose gateway the entry took the request to; None when nobody's."""
    try:
        with unverified(entry, host) as client:
            answer = client.get(gateway.path())
    except ssl.SSLError:
        return None
    return answer.received("X-Entry-Tenant")[0] if answer.status == 200 else None


def serial(entry: Entry, host: str) -> int | None:
    """The serial number of the certificate that a handshake gets; None when it is refused."""
    try:
        with unverified(entry, host) as client:
            certificate = client.tls.getpeercert(binary_form=True)
    except ssl.SSLError:
        return None
    return x509.load_der_x509_certificate(certificate or b"").serial_number


def rejected(entry: Entry, kind: str) -> float:
    """How many objects of a kind are not in force as written."""
    return entry.metric("entryproxy_config_rejected_objects", kind=kind)
