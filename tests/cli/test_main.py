from __future__ import annotations

import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from entryproxy.cli import main

KUBECONFIG = """\
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["serve", "--help"], 0),
        ([], 2),
        (["sing"], 2),
        (["serve"], 2),
        (["serve", "--source", ".", "--sing"], 2),
        (["serve", "--source", ".", "--work", "2"], 2),
    ],
)
def test_exit_status(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == status
    said = capsys.readouterr()
    assert (said.err if status == 0 else said.out) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], ["entryproxy: the following arguments are required: COMMAND", "entryproxy --help"]),
        (["sing"], ["entryproxy: argument COMMAND: invalid choice: 'sing'", "entryproxy --help"]),
        (["check", "--sing"], ["entryproxy check: unrecognized arguments: --sing", "entryproxy check --help"]),
        (["tenant", "sing"], ["entryproxy tenant: argument COMMAND: invalid choice", "entryproxy tenant --help"]),
        (
            ["tenant", "add", "t1", "--domian", "a.b"],
            ["entryproxy tenant add: unrecognized arguments: --domian a.b", "entryproxy tenant add --help"],
        ),
        (
            ["tenant", "add", "T1\x1b[0m"],
            ["entryproxy tenant add: argument ID: 'T1\\x1b[0m' is not a", "entryproxy tenant add --help"],
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said[0])
    assert line.endswith(f" ({said[1]} says what there is)")


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--help"])
    text = capsys.readouterr().out
    options = {word.strip("[],") for word in text.split() if word.strip("[],").startswith("--")} - {"--help"}
    assert {"--source", "--namespace", "--workers"} <= options
    for option in options:
        assert "ENTRYPROXY_" + option[2:].upper().replace("-", "_") in text


def test_the_module_runs() -> None:
    done = subprocess.run([sys.executable, "-m", "entryproxy", "--version"], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, version("entryproxy"))


def test_a_reader_that_has_enough_is_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "entryproxy", "tenant", "render", "one"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (1, b"")


def test_who_is_interrupted_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(port=silent.getsockname()[1]))
        process = subprocess.Popen(
            [sys.executable, "-m", "entryproxy", "tenant", "list", "--kubeconfig", str(kubeconfig)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        asked, _ = silent.accept()
        with asked:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=30)
    assert (process.returncode, *output) == (130, b"", b"entryproxy: interrupted\n")
