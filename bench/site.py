"""What every contender serves: one host, one P-256 certificate, one upstream that answers a constant."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.processes import Child, free_port, listens, need_program

SYSTEM_DOMAIN = "aigw.example.com"
TENANT = "tenant1"
HOST = f"app.{TENANT}.{SYSTEM_DOMAIN}"
LARGE_PATH = "/large"
LARGE_BYTES = 10_000_000
_ANSWER = '{"choices": [' + ", ".join(f'{{"index": {n}, "text": "constant answer"}}' for n in range(6)) + "]}"

_UPSTREAM = """\
worker_processes 1;
daemon off;
pid {folder}/upstream.pid;
error_log stderr warn;
events {{ worker_connections 40000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/upstream-body;
  proxy_temp_path {folder}/upstream-proxy;
  fastcgi_temp_path {folder}/upstream-fastcgi;
  uwsgi_temp_path {folder}/upstream-uwsgi;
  scgi_temp_path {folder}/upstream-scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = {large_path} {{ root {folder}/static; default_type application/octet-stream; }}
    location / {{ default_type application/json; add_header Cache-Control no-store; return 200 '{answer}'; }}
  }}
}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """The common ground of a run. folder: scratch space, on tmpfs where there is one. Cores are CPU numbers."""

    folder: Path
    certificate: Path
    key: Path
    upstream_port: int
    proxy_core: int
    load_core: int


class Authority:
    """Issues P-256 certificates that share one key: distinct names cost one signature each."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.key_pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def issue(self, *names: str) -> bytes:
        """A self-signed certificate for `names` as PEM, valid for 30 days."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def prepare(folder: Path, proxy_core: int, load_core: int) -> Site:
    """Write certificate, key and the large file."""
    authority = Authority()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(authority.issue(f"*.{TENANT}.{SYSTEM_DOMAIN}", f"*.{SYSTEM_DOMAIN}"))
    key.touch(mode=0o600)
    key.write_bytes(authority.key_pem)
    static = folder / "static"
    static.mkdir()
    (static / LARGE_PATH.strip("/")).write_bytes(b"0123456789" * (LARGE_BYTES // 10))
    # An nginx started by root serves as an unprivileged user, which must be able to read the file.
    for place in (folder, static):
        place.chmod(0o755)
    return Site(folder, certificate, key, free_port(), proxy_core, load_core)


def start_upstream(site: Site) -> Child:
    """The upstream of all contenders, an nginx without TLS on the load generator's core."""
    config = site.folder / "upstream.conf"
    config.write_text(
        _UPSTREAM.format(folder=site.folder, port=site.upstream_port, large_path=LARGE_PATH, answer=_ANSWER)
    )
    child = Child(
        "upstream",
        [need_program("nginx"), "-c", str(config), "-e", "stderr"],
        site.load_core,
        site.folder / "upstream.log",
    )
    try:
        child.wait_until(lambda: listens(site.upstream_port), 10)
    except BaseException:
        child.stop()
        raise
    return child
