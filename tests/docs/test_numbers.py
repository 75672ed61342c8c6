"""Numbers and names in the documentation that the code, the chart and the alerts have too."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
import yaml

import entryproxy
from entryproxy import controller, kubernetes, provision
from entryproxy.config import kubernetes as kubernetes_source
from entryproxy.config.kubernetes import guard, health, reflector, source
from entryproxy.console.state import staleness_of
from entryproxy.console.view import ControlView
from entryproxy.controller import helm
from entryproxy.kubernetes import backoff, client, credentials, session
from entryproxy.process import last_good
from tests.docs.test_docs import CONFIGURATION, OPERATIONS, ROOT, section

ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
CHART = ROOT / "deploy/chart"
PACKAGES = sorted(path.parent.name for path in (ROOT / "entryproxy").glob("*/__init__.py"))

FOLLOWING = [
    f"{client.PAGE_ITEMS} objects",
    f"after {source.SETTLE_QUIET_SECONDS * 1000:g} ms of quiet, after {source.SETTLE_LONGEST_SECONDS * 1000:g} ms",
    f"| {session.CONNECT_TIMEOUT_SECONDS:g} s, {client.REQUEST_TIMEOUT_SECONDS:g} s |",
    f"| {client.SILENCE_SECONDS * (1 - reflector.SILENCE_JITTER):g} to {client.SILENCE_SECONDS:g} s, then",
    f"last {reflector.WATCH_SECONDS_MIN} to {2 * reflector.WATCH_SECONDS_MIN} s",
    f"| {backoff.SECONDS_MIN:g} s doubling to {backoff.SECONDS_MAX:g} s",
    f"{backoff.UNAUTHORIZED_SECONDS_MAX:g} s at most after 401, {backoff.FORBIDDEN_SECONDS_MAX:g} s after 403",
    f"`Retry-After` up to {backoff.RETRY_AFTER_SECONDS_MAX:g} s",
    f"after {credentials.TOKEN_REFRESH_SECONDS:g} s, and at once after 401",
    f"{client.BODY_BYTES_MAX / 2**20:g} MiB for an answer, {client.WATCH_LINE_BYTES_MAX / 2**20:g} MiB for an event",
]


@pytest.mark.parametrize("words", FOLLOWING)
def test_how_the_cluster_is_followed(words: str) -> None:
    assert words in section(CONFIGURATION, "How the cluster is followed")


def test_moments_of_patience() -> None:
    assert f"waited for {source.PATIENCE_SECONDS:g} s longer" in section(OPERATIONS, "Start")
    assert f"if it is back within {health.GRACE_SECONDS:g} s" in section(OPERATIONS, "When the API server is away")


def test_the_drop_guard() -> None:
    text = section(OPERATIONS, "A list that lacks most objects")
    assert f"is asked for {guard.CONFIRM_SECONDS:g} s later" in re.sub(r"\s+", " ", text)


def test_the_last_good_file() -> None:
    text = section(OPERATIONS, "Last good configuration")
    assert f"`DIR/{last_good.FILE_NAME}`" in text
    assert f"lags by up to {last_good.WRITE_SECONDS_MIN:g} s" in text


def test_what_readiness_says_of_a_source_that_is_away() -> None:
    view = cast(ControlView, SimpleNamespace(source_error="…", configured_at=0.0))
    before, after = staleness_of(view).split("…")
    example = section(OPERATIONS, "Readiness")
    assert before in example
    assert after.partition("1970")[0] in example


def test_every_alert_is_in_the_table_of_metrics() -> None:
    files = [yaml.safe_load(path.read_text()) for path in (CHART / "rules").glob("*.yaml")]
    alerts = {rule["alert"] for file in files for group in file["groups"] for rule in group["rules"]}
    assert set(re.findall(r"`(Entryproxy\w+)`", section(OPERATIONS, "Metrics"))) == alerts
    assert set(re.findall(r"`(Entryproxy\w+)`", OPERATIONS)) <= alerts


def test_the_numbers_of_an_upgrade() -> None:
    text = section(OPERATIONS, "Upgrade")
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    drain = values["drain"]
    assert f"{drain['preStop']}, {drain['delay']}, {drain['timeout']} s" in text
    assert f"`podDisruptionBudget.maxUnavailable: {values['podDisruptionBudget']['maxUnavailable']}`" in text
    deployment = (CHART / "templates/deployment.yaml").read_text()
    for setting in ("maxSurge: 1", "maxUnavailable: 0", "minReadySeconds: 10"):
        assert f"`{setting}`" in text
        assert setting in deployment
    assert "startup probe, 60 × 1 s on `/healthz`" in text
    assert (_probe(deployment, "startup"), _probe(deployment, "readiness"), _probe(deployment, "liveness")) == (
        ("/healthz", "1", "60"),
        ("/readyz", "2", "3"),
        ("/healthz", "10", "6"),
    )


def _probe(deployment: str, name: str) -> tuple[Any, ...]:
    block = deployment.partition(f"{name}Probe:")[2]
    fields = [re.search(rf"{field}: ([^,}}\s]+)", block) for field in ("path", "periodSeconds", "failureThreshold")]
    return tuple(field[1] for field in fields if field)


def test_modules_of_the_journeys_exist() -> None:
    named = set(re.findall(r"`(?:entryproxy/)?([\w/]+\.py)`", ARCHITECTURE))
    here = {str(path.relative_to(ROOT / "entryproxy")) for path in (ROOT / "entryproxy").rglob("*.py")}
    names = {one.rpartition("/")[2] for one in here}
    assert [one for one in sorted(named) if one not in here and ("/" in one or one not in names)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages(package: str) -> None:
    """In the map, and in the law about who may import whom."""
    assert re.search(rf"^    {package} ", entryproxy.__doc__ or "", re.MULTILINE)
    assert re.search(rf"\b{package}\b", section(ARCHITECTURE, "Laws"))


@pytest.mark.parametrize("package", [kubernetes, kubernetes_source, controller, helm, provision])
def test_every_module_is_in_the_map_of_its_package(package: ModuleType) -> None:
    folder = Path(package.__path__[0])
    modules = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    modules += [path.parent.name for path in folder.glob("*/__init__.py")]
    listed = re.findall(r"^    (\w+) ", package.__doc__ or "", re.MULTILINE)
    assert sorted(listed) == sorted(modules)
