from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from entryproxy.migrate.findings import Reason, error, warning
from entryproxy.migrate.inventory import ConfigMap
from entryproxy.migrate.verdicts import Verdict
from tests.migrate.builders import ingress

PAGE = (Path(__file__).parents[2] / "docs/migrate-from-ingress-nginx.md").read_text()


@pytest.mark.parametrize("word", [*get_args(Reason), *get_args(Verdict)])
def test_words_are_explained(word: str) -> None:
    assert any(f"`{word}`" in line for line in PAGE.splitlines() if line.startswith("| `"))


def test_findings_say_where() -> None:
    found = error(ingress("a.com", origin="a.yaml"), "InvalidHost", "spec", "No", "acme")
    assert str(found) == "error: Ingress acme-gateway/web spec (a.yaml): No [InvalidHost]"
    assert found.tenant == "acme"
    about = ConfigMap(namespace="n", name="c", data={})
    assert str(warning(about, "StreamService", "data.1", "No")) == "warning: ConfigMap n/c data.1: No [StreamService]"
