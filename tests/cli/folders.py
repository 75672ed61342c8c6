"""A folder for the commands that judge one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.config.objects import config_map, secret, together

DOMAIN = "aigw.example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A platform and one tenant that lacks nothing."""
    pair = Authority().issue(f"*.t1.{DOMAIN}", "app.customer.com")
    wild = Authority().issue(f"*.{DOMAIN}")
    (tmp_path / "all.yaml").write_text(
        together(
            config_map("system", {"settings.yaml": f"systemDomain: {DOMAIN}"}),
            config_map("t1", {"tenant.yaml": "domains: [app.customer.com]\ngateway: {addresses: ['127.0.0.1:9001']}"}),
            secret("t1", pair.chain_pem.encode(), pair.key_pem.encode(), name="t1"),
            secret("system", wild.chain_pem.encode(), wild.key_pem.encode(), name="wild"),
        )
    )
    return tmp_path
