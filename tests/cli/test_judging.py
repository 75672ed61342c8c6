from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from entryproxy.cli.judging import compile_reading, judge
from entryproxy.cli.output import CommandError
from entryproxy.model.reading import Reading
from tests.cli.folders import folder as folder
from tests.compiler.objects import config, settings


def arguments(folder: object, namespace: str = "higress-system") -> argparse.Namespace:
    return argparse.Namespace(folder=folder, namespace=namespace)


def test_a_folder(folder: Path) -> None:
    judgement = judge(arguments(str(folder)))
    assert set(judgement.compilation.tenants) == {"t1"}
    assert judgement.findings == ()
    assert len(judgement.reading.changed) == 4


def test_the_namespace_of_objects_that_name_none(folder: Path) -> None:
    judgement = judge(arguments(str(folder), "elsewhere"))
    assert judgement.compilation.tenants["t1"].source == "elsewhere/t1"


def test_no_folder() -> None:
    with pytest.raises(CommandError, match="is not a folder") as caught:
        judge(arguments("/nowhere"))
    assert caught.value.status == 2


def test_only_a_cluster_knows_endpoints() -> None:
    reading = Reading(changed=(settings(), config("t1", {"gateway": {"balance": "endpoints"}})))
    assert "Unsupported" in {one.reason for one in compile_reading(reading, endpoints_known=False).findings}
    reasons = {one.reason for one in compile_reading(reading, endpoints_known=True).findings}
    assert "NoEndpoints" in reasons
    assert "Unsupported" not in reasons
