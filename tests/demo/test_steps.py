from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from entryproxy.demo.folder import DemoFolder
from entryproxy.demo.steps import Ports, Step, make_steps

PORTS = Ports(https=18_443, http=18_080, admin=19_090)


def steps(root: Path) -> list[Step]:
    return make_steps(DemoFolder(root), PORTS, "127.0.0.1:4")


def test_every_command_is_valid_shell(tmp_path: Path) -> None:
    for step in steps(tmp_path / "it's a demo"):
        subprocess.run(["sh", "-n", "-c", step.command], check=True, timeout=10)


def test_every_host_is_resolved_to_this_machine_and_verified(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "a demo")
    for step in steps(folder.root):
        words = shlex.split(step.command)
        for word in words:
            if word.startswith("https://"):
                host = word.removeprefix("https://").partition(":")[0]
                assert words[words.index("--resolve") + 1] == f"{host}:18443:127.0.0.1"
                assert words[words.index("--cacert") + 1] == str(folder.ca)


def test_the_new_tenant_is_written_as_shown(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "a demo")
    folder.source.mkdir(parents=True)
    (step,) = [step for step in steps(folder.root) if "<<" in step.command]
    subprocess.run(["sh", "-c", step.command], check=True, timeout=10)
    assert 'addresses: ["127.0.0.1:4"]' in folder.new_tenant.read_text()
