"""Whole pods of real processes: who is replaced, what a crash costs, and how a pod ends."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.process.pods import Line, Pod, is_running, running, wait_until


def test_two_workers_share_a_port_that_the_kernel_chose(tmp_path: Path) -> None:
    with running(tmp_path, 2) as pod:
        assert {pod.ask("pid") for _ in range(50)} == {str(row["pid"]) for row in pod.workers()}
        assert pod.ask("tenants") == "one two"


def test_a_killed_worker_is_replaced_and_costs_only_its_own_connections(tmp_path: Path) -> None:
    with running(tmp_path, 2) as pod:
        lines: dict[str, Line] = {}
        while len(lines) < 2:
            line = pod.line()
            if lines.setdefault(line.ask("pid"), line) is not line:
                line.close()
        victim, survivor = lines
        os.kill(int(victim), signal.SIGKILL)
        assert lines[victim].receive() == ""
        assert lines[survivor].ask("pid") == survivor
        wait_until(lambda: all(row["generation"] for row in pod.workers()), "a successor with a configuration")
        assert sum(row["restarts"] for row in pod.workers()) == 1
        assert pod.admin("/readyz")[0] == 200
        assert len(pod.said("was killed by Killed (9)")) == 1
        for line in lines.values():
            line.close()


def test_a_queued_connection_survives_the_crash_of_its_worker(tmp_path: Path) -> None:
    with running(tmp_path) as pod:
        victim = pod.worker()
        os.kill(victim, signal.SIGSTOP)
        line = pod.line()
        line.send("pid")
        os.kill(victim, signal.SIGKILL)
        assert line.receive() not in ("", str(victim))
        line.close()


def test_counters_never_go_down_when_a_worker_dies(tmp_path: Path) -> None:
    with running(tmp_path) as pod:
        for _ in range(5):
            pod.ask("pid")
        before = pod.metric("entryproxy_tls_handshakes_total")
        assert before == 5
        victim = pod.worker()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: pod.worker() not in (0, victim), "a successor")
        assert pod.metric("entryproxy_tls_handshakes_total") >= before
        assert pod.metric("entryproxy_client_connections") == 0


def test_traffic_goes_on_while_the_control_process_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path, 2) as pod:
        before = pod.workers()
        line = pod.line()
        assert line.ask("tenants") == "one two"
        control = pod.control()
        pod.file.write_text("one three")
        os.kill(control, signal.SIGKILL)
        assert line.ask("pid") in {str(row["pid"]) for row in before}
        wait_until(lambda: line.ask("tenants") == "one three", "the next control process's configuration")
        wait_until(lambda: pod.admin("/readyz")[0] == 200, "ready again")
        after = pod.workers()
        assert [row["pid"] for row in after] == [row["pid"] for row in before]
        assert all(new["generation"] > old["generation"] for old, new in zip(before, after, strict=True))
        assert pod.control() != control
        line.close()


def test_what_is_broken_when_the_control_process_is_replaced_stays_in_force(tmp_path: Path) -> None:
    with running(tmp_path, 2, tenants="one two three") as pod:
        before = [row["pid"] for row in pod.workers()]
        control = pod.control()
        pod.file.write_text("one! never! three four")
        for _ in range(2):  # the second successor gets what the first one got
            os.kill(control, signal.SIGKILL)
            wait_until(lambda gone=control: gone not in pod.children() and len(pod.children()) == 3, "replaced")  # type: ignore[misc]
            wait_until(lambda: pod.admin("/readyz")[0] == 200, "ready again")
            assert {pod.ask("tenants") for _ in range(20)} == {"four one three"}
            assert len(pod.said("ConfigMap higress-system/one")) > 0
            control = pod.control()
        assert pod.said("the last good version stays in force")
        assert [row["pid"] for row in pod.workers()] == before
        pod.file.write_text("one three")
        pod.signal(signal.SIGHUP)
        wait_until(lambda: pod.ask("tenants") == "one three", "the next change")


def test_a_worker_that_does_not_answer_holds_up_its_own_configuration_only(tmp_path: Path) -> None:
    with running(tmp_path, 2) as pod:
        control, stopped, other = pod.control(), pod.worker(0), pod.worker(1)
        os.kill(stopped, signal.SIGSTOP)
        try:
            pod.file.write_text("one! four")
            os.kill(control, signal.SIGKILL)
            wait_until(lambda: pod.said("generation 2"), "a configuration without it")
            wait_until(lambda: pod.workers()[1]["generation"] == 2, "in force in the other")
            assert pod.worker(1) == other
        finally:
            os.kill(stopped, signal.SIGCONT)
        wait_until(lambda: pod.workers()[0]["generation"] == 2, "in force in both")


def test_sighup_reads_the_source_again(tmp_path: Path) -> None:
    with running(tmp_path) as pod:
        pod.file.write_text("two three")
        pod.signal(signal.SIGHUP)
        wait_until(lambda: pod.ask("tenants") == "three two", "the new tenants")
        pod.signal(signal.SIGHUP)
        wait_until(lambda: pod.metric("entryproxy_config_propagation_seconds_count") == 2, "two changes in force")
        assert pod.workers()[0]["generation"] == 2


def test_a_worker_that_refuses_a_change_serves_on_and_is_reported(tmp_path: Path) -> None:
    with running(tmp_path) as pod:
        pod.file.write_text("one poison")
        pod.signal(signal.SIGHUP)
        wait_until(lambda: "NotApplied" in pod.admin("/api/findings")[1], "a finding")
        assert pod.ask("tenants") == "one two"
        pod.messages.clear()  # the traceback is meant to be there
        pod.file.write_text("one four")
        pod.signal(signal.SIGHUP)
        wait_until(lambda: pod.ask("tenants") == "four one", "the next change, from nothing")
        assert "NotApplied" not in pod.admin("/api/findings")[1]


def test_fifty_restarts_leak_no_descriptor_and_leave_no_zombie(tmp_path: Path) -> None:
    with running(tmp_path, 2) as pod:
        descriptors = _descriptors(pod.pid), _descriptors(pod.control()), _descriptors(pod.worker(1))
        for round_number in range(50):
            victims = pod.children()
            victim = pod.control() if round_number % 5 == 0 else pod.worker(0)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda gone=victim: gone not in pod.children() and len(pod.children()) == 3, "replaced")  # type: ignore[misc]
            wait_until(lambda: pod.admin("/readyz")[0] == 200 and all(row["pid"] for row in pod.workers()), "complete")
            assert len(victims & pod.children()) == 2
        wait_until(lambda: _descriptors(pod.pid) == descriptors[0], "the supervisor's descriptors as at first")
        wait_until(lambda: _descriptors(pod.control()) <= descriptors[1] + 2, "the control process's")
        wait_until(lambda: _descriptors(pod.worker(1)) == descriptors[2], "the descriptors of the worker that stayed")


def test_children_hold_only_their_own_listening_sockets(tmp_path: Path) -> None:
    with running(tmp_path, 3) as pod:
        listening = {pid: _listening_inodes(pid) for pid in (pod.pid, *pod.children())}
        control = pod.control()
        workers = [listening[row["pid"]] for row in pod.workers()]
        assert [len(one) for one in workers] == [2, 2, 2]
        assert len(listening[control]) == 1
        assert set.union(*workers, listening[control]) == listening[pod.pid]
        assert len(listening[pod.pid]) == 7


def test_drain_fails_readiness_first_then_refuses_then_lets_connections_end(tmp_path: Path) -> None:
    with running(tmp_path, 2, "0.5", "5") as pod:
        line = pod.line()
        pid = line.ask("pid")
        pod.signal(signal.SIGTERM)
        wait_until(lambda: pod.admin("/readyz")[0] == 503, "not ready")
        assert pod.ask("tenants") == "one two"  # a load balancer takes its time to notice
        wait_until(pod.is_refused, "no new connections")
        assert line.ask("pid") == pid
        assert pod.admin("/readyz")[0] == 503
        assert pod.status is None
        line.close()
        assert pod.wait() == 0
        assert len(pod.said("exited with 0")) == 3


def test_a_terminals_signals_reach_every_process_and_change_nothing(tmp_path: Path) -> None:
    with running(tmp_path, 2, "0", "5") as pod:
        children = pod.children()
        pod.file.write_text("three")
        pod.signal_group(signal.SIGHUP)
        wait_until(lambda: pod.ask("tenants") == "three", "the source read again")
        assert pod.children() == children
        line = pod.line()
        pid = line.ask("pid")
        pod.signal_group(signal.SIGINT)
        wait_until(pod.is_refused, "no new connections")
        assert line.ask("pid") == pid
        line.close()
        assert pod.wait() == 0


def test_a_worker_that_dies_while_draining_is_not_replaced(tmp_path: Path) -> None:
    with running(tmp_path, 1, "0", "5") as pod:
        line = pod.line()
        victim = int(line.ask("pid"))
        pod.signal(signal.SIGTERM)
        wait_until(pod.is_refused, "no new connections")
        os.kill(victim, signal.SIGKILL)
        assert pod.wait() == 0
        assert len(pod.said("worker-0 started")) == 1
        line.close()


def test_connections_over_the_drain_timeout_are_ended(tmp_path: Path) -> None:
    with running(tmp_path, 1, "0", "0.3") as pod:
        line = pod.line()
        line.ask("pid")
        pod.signal(signal.SIGINT)
        assert pod.wait() == 0
        assert line.receive() == ""
        line.close()


def test_a_second_sigterm_kills(tmp_path: Path) -> None:
    with running(tmp_path, 2, "60", "60") as pod:
        children = pod.children()
        pod.signal(signal.SIGTERM)
        wait_until(lambda: pod.said("SIGTERM, draining"), "draining")
        pod.signal(signal.SIGTERM)
        assert pod.wait(5) == 1
        assert not any(map(is_running, children))


@pytest.mark.parametrize("is_stopped", [False, True], ids=["idle", "with a connection"])
def test_without_a_supervisor_every_child_leaves(tmp_path: Path, is_stopped: bool) -> None:
    with running(tmp_path, 2, "60", "5") as pod:
        children = pod.children()
        line = pod.line()
        worker = line.ask("pid")
        if not is_stopped:
            line.close()
        pod.signal(signal.SIGKILL)
        wait_until(pod.is_refused, "the ports are free at once")
        if is_stopped:
            assert line.ask("pid") == worker
            line.close()
        wait_until(lambda: not any(map(is_running, children)), "everyone has left")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "tenants").write_text("")
        pod = Pod(tmp_path / "tenants", 2, "0", "5", str(port))
        assert pod.wait() == 1
        assert pod.said(f"127.0.0.1 port {port}: Address already in use")


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _listening_inodes(pid: int) -> set[str]:
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    return listening & {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
