"""Pure: a packed chart → its files, within bounds that leave far more room than Helm's 1 MiB for a whole release."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping

from entryproxy.controller.helm.chart import ChartError

ARCHIVE_BYTES_MAX = 4 * 1024 * 1024
UNPACKED_BYTES_MAX = 32 * 1024 * 1024
"""Of the whole tar file, its headers too."""
FILE_BYTES_MAX = 5 * 1024 * 1024
"""Helm's own limit."""
MEMBERS_MAX = 2000

_GZIP = 16 + zlib.MAX_WBITS
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a packed chart by their names below the chart's folder, as Helm sees them. Raises ChartError.

    Links, devices, sparse files, and names that are absolute, lead upwards or appear twice are refused.
    """
    files: dict[str, bytes] = {}
    try:
        # As a stream: no header can lead back to an earlier place.
        with tarfile.open(fileobj=io.BytesIO(_decompressed(data)), mode="r|") as archive:
            for number, member in enumerate(archive):
                if number >= MEMBERS_MAX:
                    raise ChartError(f"the packed chart has more than {MEMBERS_MAX} members")
                if member.isdir():
                    continue
                name = _name(member.name)
                if name in files:
                    raise ChartError(f"the packed chart has {name[:100]!r} twice")
                files[name] = _contents(archive, member)
    except (tarfile.TarError, ValueError):
        raise _broken() from None
    return files


def contents_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 in hex of names and contents. Packing again changes the file, by its times, and not this."""
    digest = hashlib.sha256()
    for name in sorted(files):
        encoded = name.encode(errors="surrogateescape")
        digest.update(b"%d %d\n" % (len(encoded), len(files[name])))
        digest.update(encoded)
        digest.update(files[name])
    return digest.hexdigest()


def _decompressed(data: bytes) -> bytes:
    if len(data) > ARCHIVE_BYTES_MAX:
        raise ChartError(f"the packed chart is larger than {ARCHIVE_BYTES_MAX} bytes")
    decompressor = zlib.decompressobj(wbits=_GZIP)
    try:
        unpacked = decompressor.decompress(data, UNPACKED_BYTES_MAX + 1)
    except zlib.error:
        raise _broken() from None
    if len(unpacked) > UNPACKED_BYTES_MAX:
        raise ChartError(f"the chart is larger than {UNPACKED_BYTES_MAX} bytes when unpacked")
    if not decompressor.eof or decompressor.unused_data:  # torn, or more than one: Helm would read on
        raise _broken()
    return unpacked


def _name(written: str) -> str:
    """Without the first part, which is the chart's folder."""
    parts = written.removeprefix("./").split("/")
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts) or "\\" in written or "\0" in written:
        raise ChartError(f"the packed chart has a member {written[:100]!r}: not a name inside one folder")
    return "/".join(parts[1:])


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise ChartError(f"the packed chart has a member {member.name[:100]!r} that is not a plain file")
    if member.size > FILE_BYTES_MAX:
        raise ChartError(f"the packed chart has a file {member.name[:100]!r} larger than {FILE_BYTES_MAX} bytes")
    file = archive.extractfile(member)
    assert file is not None  # it is only for what has no contents
    return file.read().removeprefix(_BYTE_ORDER_MARK)


def _broken() -> ChartError:
    return ChartError("it is not a packed chart: a whole tar file, compressed with gzip")
