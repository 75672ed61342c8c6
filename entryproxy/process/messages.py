"""What the control process and a worker say to each other, as tagged MessagePack.

control → worker: Publish, ReportRequest, SnapshotRequest. worker → control: Hello first, then Applied or Refused for
every Publish, Report for every ReportRequest, and Running for every SnapshotRequest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from entryproxy.model import codec
from entryproxy.model.snapshot import Change
from entryproxy.model.tenant import Platform, Tenant
from entryproxy.telemetry.counters import WorkerReport


class Publish(msgspec.Struct, frozen=True, tag="publish"):
    """Put this change in force."""

    change: Change


class EncodedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A Change as it arrives, its tenants still to be decoded: each takes some 7 µs, during which nobody is served."""

    generation: int
    whole: bool = False
    platform: Platform | None = None
    tenants: tuple[msgspec.Raw, ...] = ()
    removed: tuple[str, ...] = ()

    def decode(self) -> Change:
        """All of it at once. Raises msgspec.ValidationError."""
        return msgspec.structs.replace(self.head, tenants=tuple(self.decode_tenants()))

    @property
    def head(self) -> Change:
        """The change without its tenants."""
        return Change(generation=self.generation, whole=self.whole, platform=self.platform, removed=self.removed)

    def decode_tenants(self) -> Iterator[Tenant]:
        """One after the other, as they are asked for. Raises msgspec.ValidationError."""
        return map(_decode_tenant, self.tenants)


class Arrival(msgspec.Struct, frozen=True, tag="publish"):
    """Publish as a worker reads it."""

    change: EncodedChange


class ReportRequest(msgspec.Struct, frozen=True, tag="report-request"):
    """Send the counters; `id` comes back with them."""

    id: int


class SnapshotRequest(msgspec.Struct, frozen=True, tag="snapshot-request"):
    """Send the snapshot that you serve with; for a control process that has just been started again."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker introduces itself. generation: of the snapshot it serves with already, 0 for none."""

    slot: int
    pid: int
    generation: int


class Applied(msgspec.Struct, frozen=True, tag="applied"):
    """The change to `generation` is in force, and the worker accepts connections."""

    generation: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The change to `generation` could not be put in force; the worker serves on with what it had."""

    generation: int
    problem: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """The counters of a worker, in answer to the request with the same id."""

    id: int
    report: WorkerReport


class Running(msgspec.Struct, frozen=True, tag="running"):
    """The snapshot that a worker serves with, whole, certificates with their keys included."""

    change: Change


ToWorker = Arrival | ReportRequest | SnapshotRequest
ToControl = Hello | Applied | Refused | Report | Running

encode = codec.encode
_decode_tenant: Callable[[msgspec.Raw], Tenant] = codec.decoder_of(Tenant).decode
worker_decoder: msgspec.msgpack.Decoder[ToWorker] = codec.decoder_of(ToWorker)
control_decoder: msgspec.msgpack.Decoder[ToControl] = codec.decoder_of(ToControl)
