from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from entryproxy.controller.helm import leash
from tests.controller.helm.children import program

SCRIPT = [sys.executable, "-I", "-S", str(Path(leash.__file__))]


def leashed(parent: int, argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCRIPT, str(parent), *argv], capture_output=True, text=True, timeout=60, env={})


def test_it_becomes_the_program() -> None:
    done = leashed(os.getpid(), program("import sys; print(sys.argv[1:]); sys.exit(5)", "a b", "$HOME"))
    assert (done.returncode, done.stdout, done.stderr) == (5, "['a b', '$HOME']\n", "")


def test_whoever_started_it_is_gone_already() -> None:
    done = leashed(1 if os.getpid() != 1 else 2, program("print('started')"))
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "Error: cannot start: whoever started this has ended\n"


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    done = leashed(os.getpid(), [str(tmp_path)])
    assert (done.returncode, done.stderr) == (127, f"Error: cannot start: {tmp_path}: Permission denied\n")
