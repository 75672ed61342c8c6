from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from entryproxy.cli import main, serve
from entryproxy.settings import ServeSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of ours."""
    for option in OPTIONS:
        monkeypatch.delenv(variable(option), raising=False)


OPTIONS = {
    "bind": "::1",
    "https-port": "443",
    "http-port": "0",
    "admin-port": "9999",
    "admin-bind": "127.0.0.1",
    "namespace": "entry",
    "kubeconfig": "/etc/kubeconfig",
    "context": "prod",
    "zone": "eu-1a",
    "workers": "7",
    "proxy-protocol": "on",
    "state-dir": "/var/lib/entry",
    "drain-delay": "0.5",
    "drain-timeout": "120",
    "source": ".",
}
BAD = [
    ("https-port", "65536"),
    ("https-port", "-1"),
    ("http-port", "eighty"),
    ("http-port", "80_80"),
    ("admin-port", "٩٠٩٠"),
    ("workers", "0"),
    ("workers", "257"),
    ("bind", "localhost"),
    ("admin-bind", "127.0.0"),
    ("namespace", "Entry_"),
    ("proxy-protocol", "yes"),
    ("drain-delay", "-1"),
    ("drain-delay", "nan"),
    ("drain-timeout", "soon"),
    ("drain-timeout", "inf"),
    ("source", "/nowhere/at/all"),
]


def variable(option: str) -> str:
    return "ENTRYPROXY_" + option.upper().replace("-", "_")


def settings(*arguments: str) -> ServeSettings:
    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())
    return serve.settings_from(parser.parse_args(["serve", *arguments]))


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(5)))
    assert settings("--source", str(tmp_path)) == ServeSettings(source=str(tmp_path), workers=5)


def test_every_option_as_an_argument_or_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ServeSettings(
        source=".",
        namespace="entry",
        kubeconfig="/etc/kubeconfig",
        context="prod",
        zone="eu-1a",
        bind="::1",
        https_port=443,
        http_port=0,
        admin_port=9999,
        admin_bind="127.0.0.1",
        workers=7,
        proxy_protocol=True,
        state_dir="/var/lib/entry",
        drain_delay_seconds=0.5,
        drain_timeout_seconds=120.0,
    )
    assert settings(*(part for name, value in OPTIONS.items() for part in (f"--{name}", value))) == wanted
    for name, value in OPTIONS.items():
        monkeypatch.setenv(variable(name), value)
    assert settings() == wanted
    assert settings("--workers", "2").workers == 2


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRYPROXY_HTTPS_PORT", "")
    assert settings("--source", ".").https_port == 8443


@pytest.mark.parametrize(("option", "value"), BAD)
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_bad_values_name_the_option(
    option: str, value: str, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["serve"] if option == "source" else ["serve", "--source", "."]
    if place == "argument":
        arguments += [f"--{option}={value}"]
    else:
        monkeypatch.setenv(variable(option), value)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"--{option}" in said.splitlines()[-1]
    assert repr(value) in said


def test_the_cluster_as_source() -> None:
    wanted = settings("--source", "kubernetes", "--kubeconfig", "a", "--context", "b")
    assert (wanted.source, wanted.kubeconfig, wanted.context) == ("kubernetes", "a", "b")


def test_brackets_around_an_address_are_taken_off() -> None:
    assert settings("--source", ".", "--bind", "[::1]").bind == "::1"
