from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from entryproxy.demo.authority import DemoAuthority, IssuedCertificate


def handshake(authority: DemoAuthority, issued: IssuedCertificate, name: str, folder: Path) -> None:
    """A client that trusts the CA, as strictly as Python can, talks to a server with the certificate."""
    (folder / "pair.pem").write_text(issued.certificate_pem + issued.key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "pair.pem")
    client_context = ssl.create_default_context(cadata=authority.certificate_pem)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    upstream, downstream = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(downstream, upstream, server_hostname=name)
    server = server_context.wrap_bio(upstream, downstream, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    assert client.version() == "TLSv1.3"


def test_clients_verify_what_it_issues(tmp_path: Path) -> None:
    authority = DemoAuthority()
    handshake(authority, authority.issue("*.tenant1.aigw.example.com"), "app1.tenant1.aigw.example.com", tmp_path)


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    issued = DemoAuthority().issue("app.customer.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(DemoAuthority(), issued, "app.customer.com", tmp_path)


def test_the_key_does_not_show() -> None:
    issued = DemoAuthority().issue("app.customer.com")
    assert "PRIVATE KEY" in issued.key_pem
    assert "PRIVATE KEY" not in repr(issued)
