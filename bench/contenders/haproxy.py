"""HAProxy: one thread, log lines on its standard output, which is a file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bench.contenders.base import Contender
from bench.processes import need_program

_CONFIG = """\
global
  nbthread 1
  maxconn 11000
  no strict-limits
  log stdout len 4096 format raw daemon
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  timeout connect 2s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  http-reuse always
  unique-id-format %[uuid]
  log-format '{{"time":"%t","requestId":"%ID","client":"%ci","request":"%[capture.req.method] %[capture.req.uri]",\
"host":"%[capture.req.hdr(0)]","protocol":"%HV","status":%ST,"receivedBytes":%U,"sentBytes":%B,"duration":%Ta,\
"timeToFirstByte":%Tr,"gateway":"%s","tlsVersion":"%sslv","userAgent":"%[capture.req.hdr(1),json(utf8s)]"}}'
frontend https
  bind 127.0.0.1:{port} ssl crt {bundle} backlog 4096 alpn http/1.1
  capture request header Host len 128
  capture request header User-Agent len 256
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  default_backend gateway
backend gateway
  server gateway 127.0.0.1:{upstream_port} pool-max-conn 256
"""


class HAProxy(Contender):
    name: ClassVar[str] = "haproxy"

    def command(self, folder: Path) -> list[str]:
        program = need_program("haproxy")
        bundle = folder / "bundle.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(self.site.certificate.read_bytes() + self.site.key.read_bytes())
        config = folder / "haproxy.cfg"
        config.write_text(_CONFIG.format(port=self.https_port, upstream_port=self.site.upstream_port, bundle=bundle))
        return [program, "-db", "-f", str(config)]
