"""`python -m entryproxy`."""

from __future__ import annotations

import sys

from entryproxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
