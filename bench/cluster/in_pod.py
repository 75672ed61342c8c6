"""`python -m bench.cluster.in_pod FOLDER ARGUMENT…`: entryproxy as in a pod, with FOLDER as its service account.

Nothing else differs: the API server's address comes by KUBERNETES_SERVICE_HOST and _PORT.
"""

from __future__ import annotations

import sys
from pathlib import Path

from entryproxy.cli import main
from entryproxy.kubernetes import credentials

if __name__ == "__main__":
    credentials.SERVICE_ACCOUNT = Path(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
