from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest

from entryproxy.authoring.wish import Wish, overlay
from entryproxy.cli.tenant.wishing import add_wish_arguments, wish_of
from entryproxy.compiler.certificates import PEM_BYTES_MAX
from entryproxy.model.tenant import TenantSpec


def wish(*arguments: str) -> Wish:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_wish_arguments(parser)
    args = parser.parse_args(["t1", *arguments])
    args.namespace = "ns"
    return wish_of(args)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ([], {}),
        (["--domain", "a.example", "--domain", "*.b.example"], {"domains": ("a.example", "*.b.example")}),
        (["--domain", ""], {"domains": ()}),
        (["--address", "127.0.0.1:1,[::1]:2"], {"gateway.addresses": ("127.0.0.1:1", "[::1]:2")}),
        (["--gateway-namespace", "n", "--gateway-service", "s"], {"gateway.namespace": "n", "gateway.service": "s"}),
        (["--gateway-port", "8080", "--balance", "endpoints"], {"gateway.port": 8080, "gateway.balance": "endpoints"}),
        (["--gateway-port", "http"], {"gateway.port": "http"}),
        (["--gateway-protocol", "https", "--gateway-server-name", "g"],
         {"gateway.protocol": "https", "gateway.serverName": "g"}),
        (["--https-redirect", "off", "--hsts", "on"], {"httpsRedirect": False, "hsts": True}),
        (["--requests-per-second", "5", "--connections", "0", "--request-body-bytes", "7"],
         {"limits.requestsPerSecond": 5, "limits.connections": 0, "limits.requestBodyBytes": 7}),
        (["--connect-timeout", "1.5", "--first-byte-timeout", "2", "--idle-timeout", "3"],
         {"timeouts.connect": 1.5, "timeouts.firstByte": 2.0, "timeouts.idle": 3.0}),
        (["--release", "on"], {"release.enabled": True}),
        (["--profile", "test", "--isolation", "class", "--chart", "oci://r/c", "--chart-version", "2.2.1"],
         {"release.profile": "test", "release.isolation": "class", "release.chart": "oci://r/c",
          "release.version": "2.2.1"}),
        (["--quota-cpu", "8", "--quota-memory", "16Gi", "--quota-storage", "1Gi", "--network-policy", "off"],
         {"namespace.quota.cpu": "8", "namespace.quota.memory": "16Gi", "namespace.quota.storage": "1Gi",
          "namespace.networkPolicy": False}),
        (["--admin", "group:a,user:b"], {"namespace.admins": ("group:a", "user:b")}),
    ],
)  # fmt: skip
def test_only_what_is_asked_for(arguments: list[str], fields: dict[str, Any]) -> None:
    one = wish(*arguments)
    assert (one.tenant, one.namespace, one.fields) == ("t1", "ns", fields)
    assert (one.gateway_ca_pem, one.certificates) == (None, ())
    # Every path is one of the document's.
    msgspec.convert(overlay({}, fields), TenantSpec, strict=True)


def test_the_help_says_what_becomes_of_a_field_that_is_not_asked_for() -> None:
    """Nothing: of a tenant that is there it stays, of a new one it has its default."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_wish_arguments(parser)
    text = " ".join(parser.format_help().split())
    assert "--gateway-namespace NAME of the gateway's Service (without it as it was, or the field's default;" in text
    assert "none by default" not in text


def test_files(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"chain")
    (tmp_path / "k").write_bytes(b"key")
    pair = f"{tmp_path}/c,{tmp_path}/k"
    one = wish("--certificate", f"a={pair};b.c={pair}", "--gateway-ca", f"{tmp_path}/c")
    assert one.gateway_ca_pem == "chain"
    assert [(pair.name, pair.certificate_pem, pair.key_pem.reveal()) for pair in one.certificates] == [
        ("a", b"chain", b"key"),
        ("b.c", b"chain", b"key"),
    ]
    assert one.certificates[0].origin == (f"{tmp_path}/c", f"{tmp_path}/k")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--certificate", "a"], "is not NAME=CERTIFICATE,KEY"),
        (["--certificate", "a=b"], "is not NAME=CERTIFICATE,KEY"),
        (["--certificate", "a=,b"], "is not NAME=CERTIFICATE,KEY"),
        (["--certificate", "a=b,c,d"], "is not NAME=CERTIFICATE,KEY"),
        (["--certificate", "A=b,c"], "'A' is not the name of a Secret"),
        (["--certificate", "a={folder}/missing,b"], "missing: No such file"),
        (["--certificate", "a={folder}/large,b"], "more than 262144 bytes"),
        (["--gateway-ca", "{folder}"], "Is a directory"),
        (["--gateway-ca", "{folder}/binary"], "is no text"),
        (["--balance", "random"], "is none of service, endpoints"),
        (["--connections", "-1"], "is not a whole number"),
        (["--gateway-namespace", "A.b"], "is not a DNS label"),
    ],
)
def test_bad_usage_names_the_option(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large").write_bytes(b"x" * (PEM_BYTES_MAX + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(SystemExit) as end:
        wish(*(one.format(folder=tmp_path) for one in arguments))
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {arguments[0]}: " in said
    assert complaint in said


@pytest.mark.parametrize("tenant", ["T1", "system", "a" * 40, "a.b", ""])
def test_ids(tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_wish_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([tenant])
    assert "is not a tenant id" in capsys.readouterr().err
