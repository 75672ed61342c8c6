from __future__ import annotations

import subprocess
import sys

from bench.provision import Sampler, tenants
from entryproxy.compiler.compile import Compiler
from entryproxy.config.manifests import read_object
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.reading import Reading
from tests.compiler.pairs import NOW
from tests.e2e.gateways import wait_until

MEGABYTES = 60
_PARENT = f"""
import subprocess, sys
child = "data = bytearray({MEGABYTES} << 20); print(len(data), flush=True); import sys; sys.stdin.read()"
sys.exit(subprocess.call([sys.executable, "-c", child]))
"""


def test_the_sampler_keeps_the_peak_of_a_process_with_its_children() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        assert parent.stdout.readline()
        with Sampler(parent.pid) as sampler:
            wait_until(lambda: sampler.processes == 2, "the child wasn't seen")
            parent.stdin.close()
            assert parent.wait() == 0
    assert MEGABYTES < sampler.pss < sampler.rss < MEGABYTES + 60


def test_the_tenants_of_the_bench_are_good_ones() -> None:
    documents = [{**one, "metadata": {**one["metadata"], "uid": "u"}} for one in tenants("entry", 2)]
    found = [read_object(one, "entry", "") for one in documents]
    reading = Reading(changed=tuple(one for one in found if one is not None))
    compilation = Compiler(parse_yaml).compile(reading, NOW)
    assert [one.reason for one in compilation.findings if one.severity == "error"] == ["NoSettings"]
