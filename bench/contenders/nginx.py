"""nginx: one worker, keep-alive to the upstream, everything else as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bench.contenders.base import Contender
from bench.processes import need_program

_CONFIG = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 40000; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format entry escape=json '{{"time":"$time_iso8601","requestId":"$request_id","client":"$remote_addr",'
    '"method":"$request_method","host":"$host","path":"$request_uri","protocol":"$server_protocol","status":$status,'
    '"receivedBytes":$request_length,"sentBytes":$bytes_sent,"duration":$request_time,'
    '"timeToFirstByte":"$upstream_header_time","gateway":"$upstream_addr","tlsVersion":"$ssl_protocol",'
    '"userAgent":"$http_user_agent"}}';
  access_log {folder}/access.log entry buffer=64k flush=1s;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:SSL:10m;
  keepalive_requests 100000;
  keepalive_timeout 300s;
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  upstream gateway {{
    server 127.0.0.1:{upstream_port};
    keepalive 256;
    keepalive_requests 100000000;
    keepalive_timeout 60s;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Request-Id $request_id;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ proxy_pass http://gateway; }}
  }}
  {more}
}}
"""


class Nginx(Contender):
    """`more` goes into the http block: further server blocks."""

    name: ClassVar[str] = "nginx"
    more = ""

    def command(self, folder: Path) -> list[str]:
        program = need_program("nginx")
        config = folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder,
                port=self.https_port,
                upstream_port=self.site.upstream_port,
                certificate=self.site.certificate,
                key=self.site.key,
                more=self.more,
            )
        )
        return [program, "-c", str(config), "-e", "stderr"]
