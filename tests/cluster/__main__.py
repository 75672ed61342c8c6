"""`python -m tests.cluster`: a control plane in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests import tools
from tests.cluster.component import StartError
from tests.cluster.control_plane import ControlPlane


def main() -> int:
    argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__).parse_args()
    tools.ensure(lambda line: print(line, file=sys.stderr))
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="control-plane-") as folder:
        try:
            with ControlPlane(Path(folder)) as cluster:
                print(f"{cluster.url} is ready after {time.monotonic() - started:.1f} s", file=sys.stderr)
                print(f"export KUBECONFIG={cluster.admin_kubeconfig}", flush=True)
                signal.pause()
        except StartError as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
