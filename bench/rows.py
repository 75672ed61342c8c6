"""What is compared: the rows, and how one sample of each is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bench import idle, load, measure
from bench.contenders import Contender

_WARM_UP_SECONDS = 1.0
_Loader = Callable[[int, int, float], load.Load]


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One figure. worker: the same for the process that used most CPU alone. cores: how busy the proxy's core was."""

    value: float
    worker: float | None = None
    cores: float | None = None
    per_second: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One comparison. loader is None where memory is measured instead of CPU time."""

    key: str
    title: str
    unit: str
    higher_is_better: bool
    loader: _Loader | None

    @property
    def wants_fresh_process(self) -> bool:
        return self.loader is None


_PER_CPU_SECOND = "requests per CPU-second"
ROWS: dict[str, Row] = {
    row.key: row
    for row in (
        Row("plain", "HTTP/1.1, three fields, one path", _PER_CPU_SECOND, True, load.plain),
        Row("browser", "HTTP/1.1, browser's fields, 5,000 paths", _PER_CPU_SECOND, True, load.browser),
        Row("large", "10 MB bodies", _PER_CPU_SECOND, True, load.large),
        Row("handshake", "full handshake per request", _PER_CPU_SECOND, True, load.handshakes),
        Row("idle", "memory per idle TLS connection", "KB", False, None),
    )
}


def sample_traffic(contender: Contender, loader: _Loader, seconds: float) -> Sample:
    """Load for `seconds`, and what the proxy's processes spent on it."""
    core = contender.site.load_core
    before = measure.tree(contender.pid)
    done = loader(contender.https_port, core, seconds)
    used = measure.cpu_between(before, measure.tree(contender.pid))
    contender.drop_logs()
    if used.total <= 0:
        raise load.LoadError("the proxy used no measurable CPU time")
    return Sample(
        value=done.requests / used.total,
        worker=done.requests / used.busiest,
        cores=used.total / done.seconds,
        per_second=done.requests / done.seconds,
        p50_ms=done.p50_ms or None,
        p99_ms=done.p99_ms or None,
    )


def warm_up(contender: Contender, loader: _Loader) -> None:
    """A short load that doesn't count: connections to the upstream, caches, branch history."""
    loader(contender.https_port, contender.site.load_core, _WARM_UP_SECONDS)
    contender.drop_logs()


def sample_idle(contender: Contender, connections: int) -> Sample:
    """Memory per idle connection."""
    return Sample(value=idle.kilobytes_per_connection(contender, connections))
