from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from entryproxy.kubernetes import credentials
from entryproxy.kubernetes.credentials import TOKEN_REFRESH_SECONDS, Credentials, load_credentials
from entryproxy.kubernetes.errors import CredentialsError
from entryproxy.settings import pod_api_server
from tests.certificates import Authority

SECRET = "c2VjcmV0LXRva2Vu"


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pod, no kubeconfig of whoever runs the tests."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock of the credentials shows, in its first element."""
    now = [0.0]
    made = Credentials.__init__
    monkeypatch.setattr(Credentials, "__init__", lambda *args: made(*args, clock=lambda: now[0]))
    return now


def kubeconfig(folder: Path, user: dict[str, Any] | None, **cluster: Any) -> str:
    document = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "one", "user": "me", "namespace": "mine"}},
            {"name": "two", "context": {"cluster": "two", "user": "me"}},
        ],
        "clusters": [
            {"name": "one", "cluster": {"server": "http://one.example.com:1/", **cluster}},
            {"name": "two", "cluster": {"server": "http://two.example.com:2"}},
        ],
        "users": [{"name": "me", "user": user}] if user is not None else [],
    }
    path = folder / "config"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first\n")
    (folder / "ca.crt").write_text(Authority().pem)
    (folder / "namespace").write_text("higress-system\n")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return folder


async def test_in_a_pod(service_account: Path) -> None:
    found = await load_credentials("", "", service_account)
    assert (found.endpoint.server, found.namespace) == ("https://[fd00::1]:443", "higress-system")
    assert found.endpoint.tls is not None
    assert found.endpoint.tls.verify_mode == ssl.CERT_REQUIRED
    assert await found.authorization() == "Bearer first"


async def test_a_rotated_token_in_a_pod(service_account: Path, time: list[float]) -> None:
    found = await load_credentials("", "", service_account)
    (service_account / "token").write_text("second")
    assert await found.authorization() == "Bearer first"
    time[0] = TOKEN_REFRESH_SECONDS
    assert await found.authorization() == "Bearer second"


async def test_a_token_that_is_not_there_for_a_moment(
    service_account: Path, time: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    found = await load_credentials("", "", service_account)
    for number, content in enumerate((None, ""), 1):
        if content is None:
            (service_account / "token").unlink()
        else:
            (service_account / "token").write_text(content)
        time[0] = number * TOKEN_REFRESH_SECONDS
        assert await found.authorization() == "Bearer first"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert f"{service_account}/token: No such file or directory" in caplog.text


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
async def test_a_pod_without_its_files(service_account: Path, missing: str) -> None:
    (service_account / missing).unlink()
    with pytest.raises(CredentialsError, match="does not exist"):
        await load_credentials("", "", service_account)


@pytest.mark.parametrize("empty", ["token", "ca.crt"])
async def test_a_pod_whose_files_are_empty(service_account: Path, empty: str) -> None:
    (service_account / empty).write_text("\n")
    with pytest.raises(CredentialsError, match="is empty"):
        await load_credentials("", "", service_account)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [("10.0.0.1", "6443", "https://10.0.0.1:6443"), ("api.local", "", "https://api.local:443"), ("", "443", "")],
)
def test_where_the_api_server_of_a_pod_is(host: str, port: str, url: str) -> None:
    assert pod_api_server({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}) == url


def test_a_pod_needs_no_kubernetes_library(service_account: Path) -> None:
    """It would cost 40 MB and a third of a second at every start."""
    script = (
        "import asyncio, pathlib, sys; from entryproxy.kubernetes.credentials import load_credentials;"
        "asyncio.run(load_credentials('', '', pathlib.Path(sys.argv[1])));"
        "print('kubernetes_asyncio' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(service_account)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


async def test_a_pod_without_a_namespace_file(service_account: Path) -> None:
    (service_account / "namespace").unlink()
    assert (await load_credentials("", "", service_account)).namespace == ""


async def test_a_kubeconfig_wins_over_the_pod(service_account: Path, tmp_path: Path) -> None:
    found = await load_credentials(kubeconfig(tmp_path, None), "", service_account)
    assert found.endpoint.server == "http://one.example.com:1"


async def test_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig(tmp_path, {"token": "t"})
    found = await load_credentials(path, "")
    assert (found.endpoint.server, found.namespace) == ("http://one.example.com:1", "mine")
    assert found.endpoint.tls is None
    assert await found.authorization() == "Bearer t"
    other = await load_credentials(path, "two")
    assert (other.endpoint.server, other.namespace) == ("http://two.example.com:2", "")
    assert other.endpoint.identity != found.endpoint.identity
    monkeypatch.setenv("KUBECONFIG", f"/nowhere:{path}")
    assert (await load_credentials("", "")).endpoint == found.endpoint


async def test_nobody_in_particular(tmp_path: Path) -> None:
    found = await load_credentials(kubeconfig(tmp_path, None), "")
    assert await found.authorization() == ""


async def test_basic_authentication(tmp_path: Path) -> None:
    found = await load_credentials(kubeconfig(tmp_path, {"username": "u", "password": "p"}), "")
    assert await found.authorization() == f"Basic {base64.b64encode(b'u:p').decode()}"


async def test_a_token_file_is_read_again(tmp_path: Path, time: list[float]) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    found = await load_credentials(kubeconfig(tmp_path, {"tokenFile": "token"}), "")
    token.write_text("second\n")
    assert await found.authorization() == "Bearer first"
    time[0] = TOKEN_REFRESH_SECONDS
    assert await found.authorization() == "Bearer second"
    token.unlink()
    time[0] *= 2
    assert await found.authorization() == "Bearer second"


async def test_an_exec_plugin(tmp_path: Path, time: list[float]) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"runs = pathlib.Path({str(tmp_path)!r}, 'runs')\n"
        "runs.write_text((runs.read_text() if runs.exists() else '') + 'x')\n"
        "status = {'token': f'token{len(runs.read_text())}'}\n"
        "print(json.dumps({'apiVersion': 'v1', 'kind': 'ExecCredential', 'status': status}))\n"
    )
    user = {"exec": {"apiVersion": "v1", "command": sys.executable, "args": [str(plugin)]}}
    found = await load_credentials(kubeconfig(tmp_path, user), "")
    assert await found.authorization() == "Bearer token1"
    assert await found.authorization() == "Bearer token1"
    time[0] = TOKEN_REFRESH_SECONDS
    assert await found.authorization() == "Bearer token2"


async def test_a_plugin_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes_asyncio.config.exec_provider import ExecProvider

    monkeypatch.setattr(ExecProvider, "run", lambda _: asyncio.sleep(60))
    monkeypatch.setattr(credentials, "LOAD_TIMEOUT_SECONDS", 0.01)
    user = {"exec": {"apiVersion": "v1", "command": "aws"}}
    with pytest.raises(CredentialsError, match="not there within"):
        await load_credentials(kubeconfig(tmp_path, user), "")


async def test_certificates_inside_leave_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    authority = Authority()
    pair = authority.issue("me")

    def inline(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    path = kubeconfig(
        tmp_path,
        {"client-certificate-data": inline(pair.chain_pem), "client-key-data": inline(pair.key_pem)},
        **{"server": "https://one.example.com", "certificate-authority-data": inline(authority.pem)},
    )
    first = await load_credentials(path, "")
    assert first.endpoint.tls is not None
    assert [one["serialNumber"] for one in first.endpoint.tls.get_ca_certs()] != []
    assert not list(folder.iterdir())
    again = await load_credentials(path, "")
    assert again.endpoint.identity == first.endpoint.identity
    assert not list(folder.iterdir())


async def test_a_changed_authority_is_another_endpoint(service_account: Path) -> None:
    first = await load_credentials("", "", service_account)
    assert (await load_credentials("", "", service_account)).endpoint.identity == first.endpoint.identity
    (service_account / "ca.crt").write_text(Authority().pem)
    assert (await load_credentials("", "", service_account)).endpoint.identity != first.endpoint.identity


async def test_more_of_the_cluster(tmp_path: Path) -> None:
    path = kubeconfig(
        tmp_path,
        {},
        **{
            "server": "https://one.example.com",
            "insecure-skip-tls-verify": True,
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy.example.com:3128",
        },
    )
    endpoint = (await load_credentials(path, "")).endpoint
    assert (endpoint.server_name, endpoint.proxy) == ("kubernetes", "http://proxy.example.com:3128")
    assert endpoint.tls is not None
    assert endpoint.tls.verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "/config can't be read as a kubeconfig (TypeError)"),
        ("{", "/config can't be read as a kubeconfig (ParserError)"),
        ("[]", "/config can't be read as a kubeconfig (TypeError)"),
        (f"current-context: x\nusers: [{{name: x, token: {SECRET}}}]", "Invalid kube-config file"),
        (
            "current-context: x\ncontexts: [{name: x, context: {user: x, cluster: x}}]\n"
            f"clusters: [{{name: x, cluster: {{server: 'http://x'}}}}]\nusers: [{{name: x, token: {SECRET}}}]",
            "Invalid kube-config file. Expected key user in",
        ),
        (f"token: {SECRET}: x", "/config can't be read as a kubeconfig (ScannerError)"),
    ],
)
async def test_a_broken_kubeconfig_is_not_quoted(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CredentialsError) as caught:
        await load_credentials(str(path), "")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_nowhere(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="There is no kubeconfig at /nowhere/config, and this is no pod"):
        await load_credentials("", "")
    with pytest.raises(CredentialsError, match=r"Expected object with name three in .*contexts list"):
        await load_credentials(kubeconfig(tmp_path, None), "three")
    path = kubeconfig(tmp_path, {}, server="https://x", **{"certificate-authority": "missing.crt"})
    with pytest.raises(CredentialsError, match=r"missing\.crt"):
        await load_credentials(path, "")
    (tmp_path / "missing.crt").write_text("no PEM")
    with pytest.raises(CredentialsError, match="TLS: "):
        await load_credentials(path, "")


async def test_a_key_with_a_passphrase_asks_nobody(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = Authority().issue("me")
    key = serialization.load_pem_private_key(pair.key_pem.encode(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (tmp_path / "crt").write_text(pair.chain_pem)
    (tmp_path / "key").write_bytes(encrypted)
    (tmp_path / "key").chmod(stat.S_IRUSR)
    user = {"client-certificate": "crt", "client-key": "key"}
    with pytest.raises(CredentialsError, match="TLS: "):
        await load_credentials(kubeconfig(tmp_path, user, server="https://x"), "")
