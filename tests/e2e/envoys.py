"""A real Envoy as a tenant's gateway, in front of a backend of ours."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.gateways import wait_until


class Envoy:
    """One Envoy that routes `/sockets` to one address and everything else to another."""

    def __init__(self, program: str, folder: Path, backend: str, sockets: str) -> None:
        config, admin = folder / "envoy.yaml", folder / "admin"
        config.write_text(yaml.safe_dump(_bootstrap(backend, sockets)))
        self._process = subprocess.Popen(
            [
                *(program, "--config-path", str(config), "--admin-address-path", str(admin)),
                *("--concurrency", "1", "--disable-hot-restart", "--log-level", "error"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: admin.exists() and admin.read_text() != "", "Envoy never started", 20)
        self._admin = admin.read_text()
        wait_until(lambda: self._get("/ready") == "LIVE\n", "Envoy is not live", 20)
        (listener,) = json.loads(self._get("/listeners?format=json"))["listener_statuses"]
        self.address = f"127.0.0.1:{listener['local_address']['socket_address']['port_value']}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://{self._admin}{path}", timeout=5) as answer:
                body: str = answer.read().decode()
                return body
        except OSError:
            return ""


def _bootstrap(backend: str, sockets: str) -> dict[str, Any]:
    extensions = "type.googleapis.com/envoy.extensions"
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "codec_type": "HTTP1",
        "http_protocol_options": {"enable_trailers": True},
        "proxy_100_continue": True,
        "stream_idle_timeout": "30s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [_route("/sockets", "sockets"), _route("/", "backend")]}
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "http", "address": _address("127.0.0.1:0"), "filter_chains": [{"filters": filters}]}
    clusters = [_cluster("backend", backend), _cluster("sockets", sockets)]
    return {
        "admin": {"address": _address("127.0.0.1:0")},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _route(prefix: str, cluster: str) -> dict[str, Any]:
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "0s"}}


def _cluster(name: str, address: str) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(address)}}]}]
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
            }
        },
    }


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
