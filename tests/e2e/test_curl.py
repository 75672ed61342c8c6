"""The entry as curl sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.gateways import Exchange, Gateway
from tests.e2e.harness import Entry
from tests.support import require_tool

HOST = "app1.alpha.aigw.example.com"


class Curl:
    """curl with the entry's address for every name and the authority's certificate."""

    def __init__(self, entry: Entry, folder: Path) -> None:
        self._entry = entry
        self._program = require_tool("curl")
        self.folder = folder
        (folder / "ca.pem").write_text(entry.authority.pem)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        https, http = self._entry.ports["https"], self._entry.ports["http"]
        redirects = [*("--connect-to", f":443:127.0.0.1:{https}"), *("--connect-to", f":80:127.0.0.1:{http}")]
        options = ["--silent", "--show-error", "--max-time", "20", "--cacert", str(self.folder / "ca.pem"), *redirects]
        return subprocess.run([self._program, *options, *arguments], capture_output=True, timeout=30, check=False)

    def output(self, *arguments: str) -> bytes:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@pytest.fixture
def curl(entry: Entry, authority: Authority, tmp_path: Path) -> Curl:
    return Curl(entry, tmp_path)


@pytest.mark.parametrize("options", [[], ["--http1.0"], ["--http2"], ["--tls-max", "1.2"], ["--tlsv1.3"]])
def test_get(curl: Curl, gateway: Gateway, options: list[str]) -> None:
    output = curl.output(
        *options, "--write-out", "\n%{http_version} %{ssl_verify_result}", f"https://{HOST}{gateway.path()}"
    )
    assert b'"X-Entry-Tenant", "alpha"' in output
    assert output.endswith(b" 0")


def test_redirect_is_followed(curl: Curl, gateway: Gateway) -> None:
    output = curl.output("--location", "--write-out", "%{num_redirects}", f"http://{HOST}{gateway.path()}")
    assert b'"X-Forwarded-Proto", "https"' in output
    assert output.endswith(b"1")


@pytest.mark.parametrize("options", [[], ["--header", "Transfer-Encoding: chunked"], ["--header", "Expect:"]])
def test_upload(curl: Curl, gateway: Gateway, options: list[str]) -> None:
    (curl.folder / "upload").write_bytes(b"u" * 2_000_000)
    url = f"https://{HOST}{gateway.path()}"
    assert b'"bodyBytes": 2000000' in curl.output(*options, "--upload-file", str(curl.folder / "upload"), url)


def test_head(curl: Curl, gateway: Gateway) -> None:
    assert curl.output("--head", f"https://{HOST}{gateway.path()}").startswith(b"HTTP/1.1 200 ")


def test_many_in_parallel(curl: Curl, gateway: Gateway) -> None:
    urls = [f"https://{HOST}{gateway.path()}" for _ in range(40)]
    output = curl.output(
        "--parallel", "--write-out", "%{http_code}\n", *(part for url in urls for part in ("-o", "/dev/null", url))
    )
    assert output.split() == [b"200"] * 40


def test_a_truncated_answer_is_an_error(curl: Curl, gateway: Gateway) -> None:
    async def truncated(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        exchange.reset()

    assert curl.run(f"https://{HOST}{gateway.script(truncated)}").returncode in (18, 56)


def test_an_unknown_name(curl: Curl) -> None:
    done = curl.run("https://unknown.example.org/")
    assert done.returncode == 35
    assert b"unrecognized name" in done.stderr
