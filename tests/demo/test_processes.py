from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

from entryproxy.demo.processes import SignalWaiter, start_gateways


def test_gateways_answer_until_they_are_stopped() -> None:
    child, addresses = start_gateways(["tenant1", "tenant2"])
    try:
        for tenant, address in addresses.items():
            with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
                assert answer.headers["X-Demo-Gateway"] == tenant
        assert child.status is None
    finally:
        child.stop(10.0)
    assert child.status == 0


def test_gateways_end_with_their_standard_input() -> None:
    command = [sys.executable, "-m", "entryproxy.demo.gateways", "tenant1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"tenant1"')
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_signal_ends_the_wait_whenever_it_comes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with SignalWaiter() as waiter:
        assert not waiter.wait(0.0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert waiter.wait()
        assert waiter.wait()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_end_of_a_child_interrupts_the_wait() -> None:
    with SignalWaiter() as waiter:
        child, _ = start_gateways(["tenant1"])
        child.stop(10.0)
        assert not waiter.wait()
