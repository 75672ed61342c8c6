"""A plain reverse proxy as one writes it with aiohttp: its server, its client, uvloop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from bench.contenders.base import Contender


class AiohttpProxy(Contender):
    name: ClassVar[str] = "aiohttp"

    def command(self, folder: Path) -> list[str]:
        return [
            sys.executable,
            "-m",
            "bench.plain_proxy",
            f"--port={self.https_port}",
            f"--upstream=http://127.0.0.1:{self.site.upstream_port}",
            f"--certificate={self.site.certificate}",
            f"--key={self.site.key}",
            f"--access-log={folder / 'access.log'}",
        ]
