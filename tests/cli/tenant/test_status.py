from __future__ import annotations

import argparse

from entryproxy.cli.tenant.status import Told, read_told, status_lines, told_at
from entryproxy.model.status import TenantStatus
from tests.cli.tenant.teller import Teller

READY = TenantStatus(phase="Ready", reason="Ready", message="It serves.", revision=2)


async def test_what_is_told_of_every_tenant() -> None:
    teller = Teller()
    teller.tell("t1", READY)
    teller.tell("t2", None)
    teller.tell("t3", READY, is_going=True)
    teller.write("t4", "somebody wrote this by hand")
    assert await read_told(teller.access) == {
        "entry/t1": Told(tenant="t1", uid="u-t1", status=READY),
        "entry/t2": Told(tenant="t2", uid="u-t2", status=None),
        "entry/t3": Told(tenant="t3", uid="u-t3", status=READY, is_going=True),
        "entry/t4": Told(tenant="t4", uid="u-t4", status=None),
    }
    assert list(await read_told(teller.access, "t3")) == ["entry/t3"]


def test_nobody_tells_anything_in_a_folder() -> None:
    assert told_at(argparse.Namespace(folder="/etc/tenants")) is None


def test_lines() -> None:
    assert list(status_lines(READY)) == [
        "Ready (Ready)",
        "It serves.",
        "revision 2 of chart version  in namespace ",
    ]
    failed = TenantStatus(phase="Failed", reason="ClassTaken", next_retry="2026-01-01T00:00:00Z")
    assert list(status_lines(failed)) == ["Failed (ClassTaken)", "next try at 2026-01-01T00:00:00Z"]
