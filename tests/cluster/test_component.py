from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.cluster.component import Component, ReservedPort, StartError
from tests.e2e.gateways import wait_until


def test_a_start_that_fails_shows_the_log(tmp_path: Path) -> None:
    component = Component(["sh", "-c", "echo the reason >&2; exit 3"], tmp_path / "log")

    with pytest.raises(StartError, match=r"sh ended with status 3:\nthe reason"):
        component.wait_until(lambda: False, 10)


def test_a_start_that_takes_too_long_shows_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    component = Component(["sh", "-c", "echo still starting; exec sleep 60"], log)
    wait_until(lambda: log.read_text() != "", "nothing logged")

    with pytest.raises(StartError, match=r"not ready after 0 s:\nstill starting"):
        component.wait_until(lambda: False, 0)
    component.kill()
    assert component.has_ended


def test_its_children_end_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    component = Component(["sh", "-c", "sleep 60 & echo $!; wait"], log)
    wait_until(lambda: log.read_text().endswith("\n"), "nothing logged")
    child = int(log.read_text())

    component.kill()
    component.kill()

    wait_until(lambda: not _is_running(child), "the child lives on")


def test_a_reserved_port_refuses_until_somebody_listens() -> None:
    port = ReservedPort()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.number), 5)
    for _ in range(2):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port.number))
            listener.listen()
            socket.create_connection(("127.0.0.1", port.number), 5).close()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port.number))
    port.release()


def _is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
