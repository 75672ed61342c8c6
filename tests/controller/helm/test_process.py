"""Real children, on both event loops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from entryproxy.controller.helm.process import Completed, run
from tests.controller.helm.children import children, is_running, program
from tests.e2e.gateways import wait_until

Drive = Callable[[Coroutine[Any, Any, Any]], Any]
ROOT = Path(__file__).parents[3]

STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()}\\n")
time.sleep(600)
"""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs a coroutine to its end."""

    def to_its_end(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(work)

    return to_its_end


@pytest.fixture(autouse=True)
def everything_is_reaped() -> Any:
    before = children()
    yield
    assert children() - before == set()


def once(argv: list[str], deadline_seconds: float = 60, **options: Any) -> Coroutine[Any, Any, Completed]:
    return run(argv, {"PATH": "/usr/bin"}, deadline_seconds=deadline_seconds, **options)


def test_what_it_says(drive: Drive) -> None:
    text = "import sys; print('out', sys.stdin.read()); print('err', file=sys.stderr); sys.exit(3)"
    assert drive(once(program(text))) == Completed(3, b"out \n", b"err\n", is_timed_out=False)


def test_its_surroundings(drive: Drive) -> None:
    text = "import os; print(os.getsid(0) == os.getpgid(0) == os.getpid(), sorted(set(os.environ) - {'LC_CTYPE'}))"
    assert drive(once(program(text))).stdout == b"True ['PATH']\n"


def test_what_it_printed_is_in_no_log() -> None:
    assert "s3cr3t" not in repr(Completed(0, b"s3cr3t", b"s3cr3t", is_timed_out=False))


def test_one_that_isnt_there(drive: Drive) -> None:
    done = drive(once(["/nonexistent/helm"]))
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr == b"Error: cannot start: /nonexistent/helm: No such file or directory\n"


def test_output_is_kept_to_a_cap_and_the_rest_is_read(drive: Drive) -> None:
    text = "import sys\nfor one in (sys.stdout, sys.stderr): one.write('x' * 5_000_000)\nprint('the end')"
    done = drive(once(program(text), output_bytes_max=1000))
    assert done == Completed(0, b"x" * 1000, b"x" * 1000, is_timed_out=False)


def test_one_that_heeds_its_deadline(drive: Drive) -> None:
    text = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\ntime.sleep(600)"
    done = drive(once(program(text), 2))
    assert (done.returncode, done.is_timed_out) == (4, True)


def test_one_that_ignores_sigterm(drive: Drive, tmp_path: Path) -> None:
    done = drive(once(program(STUBBORN, str(tmp_path / "pid")), 2, grace_seconds=0.2))
    assert (done.returncode, done.is_timed_out) == (-signal.SIGKILL, True)


FORKING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    {first}
    time.sleep(600)
else:
    time.sleep(0.3)
    print(pid)
"""


def test_a_grandchild_dies_too(drive: Drive) -> None:
    done = drive(once(program(FORKING.format(first="pass"))))
    assert (done.returncode, done.is_timed_out) == (0, False)
    wait_until(lambda: not is_running(int(done.stdout)), "the grandchild runs on")


def test_a_grandchild_dies_at_the_deadline_too(drive: Drive, tmp_path: Path) -> None:
    text = FORKING.format(first="pass").replace("print(pid)", "print(pid, flush=True); time.sleep(600)")
    done = drive(once(program(text), 2, grace_seconds=0.1))
    assert (done.returncode, done.is_timed_out) == (-signal.SIGKILL, True)
    wait_until(lambda: not is_running(int(done.stdout)), "the grandchild runs on")


def test_one_that_left_the_group_holds_nobody_up(drive: Drive) -> None:
    done = drive(once(program(FORKING.format(first="os.setsid()"))))
    os.kill(int(done.stdout), signal.SIGKILL)
    assert (done.returncode, done.is_timed_out) == (0, False)


@pytest.mark.parametrize(("cancellations", "grace_seconds"), [(1, 0.2), (2, 600)])
def test_cancellation(drive: Drive, tmp_path: Path, cancellations: int, grace_seconds: float) -> None:
    file = tmp_path / "pid"

    async def cancelled() -> None:
        task = asyncio.get_running_loop().create_task(
            once(program(STUBBORN, str(file)), 600, grace_seconds=grace_seconds)
        )
        while not (file.exists() and file.read_text().endswith("\n")):
            await asyncio.sleep(0.01)
        for _ in range(cancellations):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_running(int(file.read_text()))

    drive(cancelled())


def test_cancellation_at_any_moment(drive: Drive) -> None:
    before = children()

    async def cancelled_after(turns: int) -> None:
        task = asyncio.get_running_loop().create_task(once(program("import time; time.sleep(600)"), 600))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() - before == set()

    async def all_of_them() -> None:
        for turns in range(12):
            await cancelled_after(turns)

    drive(all_of_them())


def test_a_child_dies_with_us(tmp_path: Path) -> None:
    """Also when we are killed, and it ignores signals."""
    file = tmp_path / "pid"
    text = (
        "import asyncio, sys\nfrom entryproxy.controller.helm.process import run\n"
        "asyncio.run(run(sys.argv[1:], {}, deadline_seconds=600))"
    )
    with subprocess.Popen([sys.executable, "-c", text, *program(STUBBORN, str(file))], cwd=ROOT) as parent:
        wait_until(lambda: file.exists() and file.read_text().endswith("\n"), "no child")
        assert is_running(int(file.read_text()))
        parent.kill()
    wait_until(lambda: not is_running(int(file.read_text())), "the child outlives us")
