"""The commands that the demo prints: each one runs exactly as printed, from any directory, in any POSIX shell."""

from __future__ import annotations

import dataclasses
import shlex

from entryproxy.demo.folder import (
    CUSTOM_DOMAIN,
    NEW_TENANT,
    RATE_PER_SECOND,
    SYSTEM_DOMAIN,
    DemoFolder,
    new_tenant_object,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Something to try. title: one line, what it shows. command: shell text, not indented because of heredocs."""

    title: str
    command: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """Where the entry listens on 127.0.0.1."""

    https: int
    http: int
    admin: int


def make_steps(folder: DemoFolder, ports: Ports, new_gateway: str) -> list[Step]:
    """All steps in the order to try them. new_gateway: address of the fourth tenant's stand-in gateway."""
    client = _Client(folder, ports)
    return [
        *_requests(client),
        *_streams(client),
        *_refusals(client),
        *_changes(folder, client, new_gateway),
        *_admin(ports),
    ]


class _Client:
    """Writes curl lines for this demo's ports and CA."""

    def __init__(self, folder: DemoFolder, ports: Ports) -> None:
        self._ca = shlex.quote(str(folder.ca))
        self._ports = ports

    def https(self, host: str, path: str = "/", options: str = "") -> str:
        port = self._ports.https
        return self._curl(
            f"--resolve {host}:{port}:127.0.0.1 --cacert {self._ca}", options, f"https://{host}:{port}{path}"
        )

    def http(self, host: str, path: str, options: str) -> str:
        port = self._ports.http
        return self._curl(f"--resolve {host}:{port}:127.0.0.1", options, f"http://{host}:{port}{path}")

    @staticmethod
    def _curl(start: str, options: str, url: str) -> str:
        return f"curl -sS {start} {options + ' ' if options else ''}{shlex.quote(url)}"


def _system_host(tenant: str, service: str = "app1") -> str:
    return f"{service}.{tenant}.{SYSTEM_DOMAIN}"


def _requests(client: _Client) -> list[Step]:
    return [
        Step(
            "Hello from tenant1's gateway: what it received", client.https(_system_host("tenant1"), "/hello?name=you")
        ),
        Step("Another tenant, another certificate, another gateway", client.https(_system_host("tenant2"), "/hello")),
        Step("tenant3 also owns a domain, with a certificate for it", client.https(CUSTOM_DOMAIN, "/hello")),
        Step("Port 80 sends people to https", client.http(_system_host("tenant1"), "/hello", "-i")),
    ]


def _streams(client: _Client) -> list[Step]:
    host = _system_host("tenant1")
    upgrade = (
        "-i --http1.1 --output - -H 'Connection: Upgrade' -H 'Upgrade: websocket'"
        " -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: ZW50cnlwcm94eSBkZW1vIQ=='"
    )
    totals = "-o /dev/null -w '%{http_code}: %{size_download} bytes, %{speed_download} bytes/s\\n'"
    return [
        Step(
            "Server-sent events arrive one by one, as they are sent",
            client.https(host, "/sse?events=5&interval=0.5", "-N"),
        ),
        Step("A WebSocket: 101, then frames until the gateway closes", client.https(host, "/ws?greetings=3", upgrade)),
        Step("An answer that takes its time", client.https(host, "/slow?seconds=2")),
        Step("A large answer, 200 MB", client.https(host, "/bytes?size=200000000", totals)),
        Step(
            "An upload of unknown length, 50 MB, counted and hashed as it comes",
            "head -c 50000000 /dev/zero | " + client.https(host, "/upload", "-T -"),
        ),
    ]


def _refusals(client: _Client) -> list[Step]:
    codes = "-o /dev/null -w '%{http_code}\\n'"
    return [
        Step(
            "421: TLS says tenant1, the Host field says tenant2",
            client.https(_system_host("tenant1"), "/", f"-i -H 'Host: {_system_host('tenant2')}'"),
        ),
        Step("404: no such tenant", client.https(f"nobody.{SYSTEM_DOMAIN}", "/", "-i")),
        Step(
            f"429: tenant2 may have {RATE_PER_SECOND} requests a second; how many of 30 pass?",
            client.https(_system_host("tenant2"), "/?n=[1-30]", codes) + " | sort | uniq -c",
        ),
        Step(
            "A name that nobody owns is refused in the handshake",
            client.https("www.example.org") + " || echo 'refused, as it should be'",
        ),
    ]


def _changes(folder: DemoFolder, client: _Client, new_gateway: str) -> list[Step]:
    source = shlex.quote(str(folder.source)) + "/"
    new_tenant = shlex.quote(str(folder.new_tenant))
    return [
        Step(
            "Add a fourth tenant by writing one file; it works within 100 ms",
            f"cat > {new_tenant} <<'EOF'\n{new_tenant_object(new_gateway)}EOF\nsleep 0.1",
        ),
        Step(
            "Its own name is under the platform's wildcard certificate",
            client.https(f"{NEW_TENANT}.{SYSTEM_DOMAIN}", "/hello"),
        ),
        Step(
            "Give it a wildcard certificate, so that the names of its services are covered too",
            f"cp {shlex.quote(str(folder.certificate))} {source} && sleep 0.1",
        ),
        Step(
            "A service of the fourth tenant",
            client.https(_system_host(NEW_TENANT), "/hello"),
        ),
    ]


def _admin(ports: Ports) -> list[Step]:
    admin = f"http://127.0.0.1:{ports.admin}"
    return [
        Step(f"The admin port (a page for people: {admin}/)", f"curl -sS {admin}/api/tenants"),
        Step("What the entry counted", f"curl -sS {admin}/metrics | grep entryproxy_requests_total"),
    ]
