"""The program: manifests from standard input, narrowed, to standard output.

Any failure ends it with status 1, upon which Helm writes nothing to the cluster.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from entryproxy.config.yaml import parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.controller.helm.leash import die_with
from entryproxy.controller.helm.postrender import Order
from entryproxy.provision.narrowing import narrow
from entryproxy.provision.rendered import RenderingError

INPUT_BYTES_MAX = 16 * 2**20
"""Helm's own record of a release, packed, has to fit into 1 MiB."""


def main(argument: str) -> int:
    """The status to exit with."""
    order = msgspec.json.decode(argument, type=Order)
    try:
        # Helm leads the process group that the driver made for it, and is who starts this.
        if reason := die_with(os.getpgrp()):
            raise RenderingError(f"the post-renderer can't start: {reason}")
        output = narrow(
            _manifests(), namespace=order.namespace, rendering=order.rendering, load=parse_yaml, dump=write_yaml
        )
    except RenderingError as error:
        Path(order.refusal_file).write_text(str(error), encoding="utf-8")
        return 1
    sys.stdout.buffer.write(output.encode())
    return 0


def _manifests() -> str:
    data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise RenderingError(f"the rendered chart is larger than {INPUT_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RenderingError("the rendered chart is not UTF-8") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
