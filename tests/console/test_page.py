from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import tempfile
from html.parser import HTMLParser
from typing import Literal

import pytest

from entryproxy.console import page
from entryproxy.console.server import Console
from entryproxy.console.state import PodState, take
from entryproxy.console.view import WorkerInfo
from entryproxy.model.finding import Finding
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import GatewayEndpoint, GatewayService, Platform, Tenant
from tests.console import pod
from tests.console.pod import FakePod
from tests.support import require_tool

HOSTILE = "\"><script>alert(1)</script>'&"


@pytest.fixture
async def state() -> PodState:
    return await take(FakePod(), pod.NOW)


class Tags(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.seen}


def text_of(html: str) -> str:
    """What a reader sees, with plain spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.partition("</style>")[2]))


def test_the_page_is_well_formed_and_loads_nothing(state: PodState) -> None:
    tags = Tags(page.render(state, {"host": "app.customer.com"}))
    assert tags.names.isdisjoint({"script", "img", "link", "iframe", "object"})
    targets = [attributes.get("href") or attributes.get("action") for _, attributes in tags.seen]
    assert all("//" not in target for target in targets if target)
    assert all("style" not in attributes and "onclick" not in attributes for _, attributes in tags.seen)


@pytest.mark.parametrize(
    "expected",
    [
        "Ready aigw.example.com",
        "2 tenants",
        "2 406 requests",
        "tenant1 higress-system/tenant1",
        "*.customer.com",
        "higress-gateway.tenant1-gateway.svc.cluster.local:80",
        "9 days left 2027-01-24",
        "error ConfigMap higress-system/tenant3",
        "0 in force 4711 42 0",
        "1 behind 4712 41 2",
    ],
)
def test_it_shows(state: PodState, expected: str) -> None:
    assert expected in text_of(page.render(state, {}))


def test_the_certificate_that_ends_first_comes_first(state: PodState) -> None:
    text = text_of(page.render(state, {}))
    expiry = re.findall(r"(expired|\d+ days left)", text.partition("Certificates")[2])
    assert expiry == ["expired", "9 days left", "80 days left", "300 days left"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("app.customer.com", "Outcome Served"),
        ("app1.tenant1.aigw.example.com", "Service app1"),
        ("elsewhere.example.org", "Refused in the TLS handshake"),
        ("app1.nobody.aigw.example.com", "Refused"),
    ],
)
def test_it_explains(state: PodState, host: str, expected: str) -> None:
    assert expected in text_of(page.render(state, {"host": host}))


@pytest.mark.parametrize(
    ("provisioning", "expected"), [("pending", "has not served yet: 503"), ("failed", "last attempt")]
)
def test_it_tells_of_a_gateway_that_has_never_served(
    state: PodState, provisioning: Literal["pending", "failed"], expected: str
) -> None:
    tenant = Tenant(
        id="t", source="ns/t", domains=("a.example",), gateway_addresses=("g:80",), provisioning=provisioning
    )
    told = dataclasses.replace(state, snapshot=Snapshot.build(pod.snapshot().platform, [tenant]))
    assert expected in text_of(page.render(told, {"host": "a.example"}))


def test_everything_hostile_is_escaped(state: PodState) -> None:
    finding = Finding(
        severity="error", reason=HOSTILE, object=HOSTILE, field=HOSTILE, message=HOSTILE, tenant="t", origin=HOSTILE
    )
    tenant = Tenant(id="t", source=HOSTILE, domains=(HOSTILE,), gateway_addresses=(HOSTILE,))
    snapshot = Snapshot.build(pod.snapshot().platform, [tenant])
    hostile = dataclasses.replace(
        state, snapshot=snapshot, findings=(finding,), ready=False, reason=HOSTILE, source_error=HOSTILE
    )
    text = page.render(hostile, {"host": HOSTILE})
    assert "script" not in Tags(text).names
    assert text.count("&lt;script&gt;") >= 8
    assert "script" not in Tags(page.render(hostile, {"tenant": HOSTILE})).names


def test_trouble_shows(state: PodState) -> None:
    troubled = dataclasses.replace(
        state,
        ready=False,
        reason="draining",
        source_error="tenants/: permission denied",
        workers=(WorkerInfo(slot=0, pid=0, connected=False, generation=0, restarts=9),),
    )
    text = text_of(page.render(troubled, {}))
    assert "Not ready draining" in text
    assert "Stale the source can&#x27;t be read: tenants/: permission denied" in text
    assert "0 away 0 0 9" in text


async def test_many_tenants_come_in_pages() -> None:
    view = FakePod(snapshot=pod.snapshot(more_tenants=250))
    state = await take(view, pod.NOW)
    found: list[str] = []
    query: dict[str, str] = {}
    for _ in range(3):
        tags = Tags(page.render(state, query))
        links = [str(attributes["href"]) for tag, attributes in tags.seen if tag == "a"]
        found += [link.removeprefix("?tenant=") for link in links if link.startswith("?tenant=")]
        following = [link.removeprefix("?tenants=") for link in links if link.startswith("?tenants=")]
        query = {"tenants": following[0]} if following else {}
    assert found == sorted(pod.snapshot(more_tenants=250).tenants)
    assert query == {}


async def test_chromium_shows_the_page_with_its_style() -> None:
    """A browser is the judge of the Content-Security-Policy: with a wrong hash the page would have no style."""
    chromium = require_tool("chromium")
    console = Console(FakePod(), clock=lambda: pod.NOW)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/?host=app.customer.com"
        await console.start(listening)
        try:
            dom, complaints = await _dump_dom(chromium, url)
        finally:
            await console.close()
    assert "Served" in text_of(dom)
    assert "tenant2" in text_of(dom)
    assert "script" not in Tags(dom).names
    assert "Content Security Policy" not in complaints


async def _dump_dom(chromium: str, url: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--enable-logging=stderr", f"--user-data-dir={profile}", "--dump-dom", url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, errors.decode()
    return output.decode(), errors.decode()


@pytest.mark.parametrize(
    ("endpoints", "shown"),
    [
        (None, "g.ns.svc:80"),
        ((GatewayEndpoint(address="10.0.0.1:80"), GatewayEndpoint(address="10.0.0.2:80")), "10.0.0.1:80 10.0.0.2:80"),
        ((), "no pod of ns/g is ready"),
    ],
)
def test_the_pods_that_are_dialled_stand_for_their_service(
    state: PodState, endpoints: tuple[GatewayEndpoint, ...] | None, shown: str
) -> None:
    tenant = Tenant(
        id="t",
        gateway_addresses=("g.ns.svc:80",),
        gateway_service=GatewayService("ns", "g", 80),
        gateway_endpoints=endpoints,
    )
    snapshot = Snapshot.build(Platform(system_domain="aigw.example.com"), [tenant])
    text = text_of(page.render(dataclasses.replace(state, snapshot=snapshot), {}))
    assert shown in text
    assert ("g.ns.svc:80" in text) == (endpoints is None)
