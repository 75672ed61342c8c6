"""Children are pinned, explain why they did not start, and are ended with what they forked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.measure import tree
from bench.processes import Child, StartError, free_port, listens, need_program


def core() -> int:
    return min(os.sched_getaffinity(0))


def test_a_child_is_pinned_and_ended_with_what_it_forked(tmp_path: Path) -> None:
    program = "import os, time; os.fork(); print(os.sched_getaffinity(0), flush=True); time.sleep(60)"
    output = tmp_path / "output.log"
    child = Child("sleeper", [sys.executable, "-c", program], core(), output)
    try:
        child.wait_until(lambda: output.read_text().count("}") == 2, 20)
        members = [pid for pid, _ in tree(child.pid)]
    finally:
        child.stop()
    assert output.read_text().splitlines() == [f"{{{core()}}}"] * 2
    assert len(members) == 2
    assert not tree(child.pid)


def test_an_early_end_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("failing", [sys.executable, "-c", "raise SystemExit('no such setting')"], core(), tmp_path / "log")
    with pytest.raises(StartError, match="failing ended with 1: no such setting"):
        child.wait_until(lambda: False, 20)
    child.stop()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no-such-proxy is not installed"):
        need_program("no-such-proxy")
    with pytest.raises(StartError, match="absent"):
        Child("absent", [str(tmp_path / "absent")], core(), tmp_path / "log")


def test_nobody_listens_on_a_free_port() -> None:
    assert not listens(free_port())
