from __future__ import annotations

import argparse
import contextlib
import socket
from pathlib import Path

import pytest

from entryproxy.demo import command
from entryproxy.listening import listen_on


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["demo", *arguments])


def test_defaults() -> None:
    args = parse()
    assert (args.dir, args.https_port, args.http_port, args.admin_port) == (Path("demo"), 8443, 8080, 9090)


def test_the_environment_gives_defaults_and_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRYPROXY_HTTPS_PORT", "1443")
    assert parse().https_port == 1443
    assert parse("--https-port", "0").https_port == 0


@pytest.mark.parametrize(
    "arguments", [("--https-port", "65536"), ("--http-port", "-1"), ("--admin-port", "x"), ("--workers", "0")]
)
def test_bad_usage(arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_busy_port_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        args = parse(
            "--dir", str(tmp_path / "demo"), "--https-port", "0", "--http-port", str(port), "--admin-port", "0"
        )
        assert args.run(args) == 1
    assert f"port {port} is in use: choose another with --http-port" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_one_port_for_two_purposes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    args = parse("--dir", str(tmp_path / "demo"), "--https-port", port, "--http-port", port, "--admin-port", "0")
    assert args.run(args) == 1
    assert "is in use" in capsys.readouterr().err


def test_chosen_ports_are_the_entry_s_alone() -> None:
    with contextlib.ExitStack() as held:
        ports = command.choose_ports(parse("--https-port", "0", "--http-port", "0", "--admin-port", "0"), held)
        assert len({ports.https, ports.http, ports.admin}) == 3
        for port in (ports.https, ports.http, ports.admin):
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            listen_on("127.0.0.1", port, reuse_port=port == ports.https).close()


def test_a_folder_with_something_else_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    args = parse("--dir", str(tmp_path), "--https-port", "0", "--http-port", "0", "--admin-port", "0")
    assert args.run(args) == 1
    error = capsys.readouterr().err
    assert error.startswith("entryproxy demo: ")
    assert error.count("\n") == 1
