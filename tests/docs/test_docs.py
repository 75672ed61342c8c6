"""The documentation against the code: what it must name, and that its links lead somewhere."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from entryproxy.cli import _parser
from entryproxy.compiler.findings import Reason
from entryproxy.console.api import DOCUMENTS
from entryproxy.model.release import NamespaceSpec, QuotaSpec, ReleaseSpec
from entryproxy.model.snapshot import Snapshot
from entryproxy.model.tenant import Gateway, Hsts, Limits, Platform, PlatformSpec, TenantSpec, Timeouts
from entryproxy.provision.collisions import Reason as CollisionReason
from entryproxy.provision.profiles import PROFILES
from entryproxy.provision.value_ownership import ONE_PER_NAMESPACE, RESERVED
from entryproxy.settings import EdgeLimits, ServeSettings
from entryproxy.telemetry.access_line import ConnectionText, HeadText, LineRenderer
from entryproxy.telemetry.counters import WorkerReport
from entryproxy.telemetry.exposition import render
from entryproxy.telemetry.histogram import Histogram
from entryproxy.telemetry.releases import ControllerReport, render_releases
from entryproxy.telemetry.scrape import Scrape

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
CONTRACT = (ROOT / "docs/contract.md").read_text()


def options(parser: argparse.ArgumentParser, command: str = "") -> Iterator[tuple[str, str]]:
    """Every (command, long option), those of a command's own commands too: ("tenant add", "--domain"). Not what the
    help doesn't tell either."""
    for action in parser._actions:
        if action.help is argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from options(inner, f"{command} {name}".strip())
        for option in action.option_strings:
            if command and option.startswith("--") and option != "--help":
                yield command, option


def section(text: str, heading: str) -> str:
    """From a heading that contains `heading` to the next one of any level."""
    match = re.search(rf"^#+ [^\n]*{re.escape(heading)}[^\n]*\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match is not None, heading
    return match[1]


@pytest.mark.parametrize(("command", "option"), list(options(_parser())))
def test_options_with_their_variables(command: str, option: str) -> None:
    text = section(CONFIGURATION + COMMANDS, f"entryproxy {command}")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    row = next((line for line in rows if f"{option} " in line or f"{option}`" in line), None)
    assert row is not None
    assert "`ENTRYPROXY_" + option[2:].upper().replace("-", "_") + "`" in row


@pytest.mark.parametrize("field", dataclasses.fields(EdgeLimits), ids=lambda field: field.name)
def test_limits_with_their_defaults(field: dataclasses.Field[float]) -> None:
    default = field.default
    shown = f"{default:,}" if isinstance(default, int) else f"{default:g}"
    assert f"| `{field.name}` | {shown} |" in CONFIGURATION


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (field, "--" + field.name.removesuffix("_seconds").replace("_", "-"))
        for field in dataclasses.fields(ServeSettings)
    ],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_settings_defaults(settings: dataclasses.Field[object], option: str) -> None:
    row = next(line for line in section(CONFIGURATION, "entryproxy serve").splitlines() if f"`{option} " in line)
    if settings.name not in ("source", "workers", "proxy_protocol", "state_dir"):
        shown = f"{settings.default:g}" if isinstance(settings.default, float) else str(settings.default)
        assert (f"| `{shown}` |" if shown else "| none |") in row


@pytest.mark.parametrize(
    ("prefix", "document"),
    [
        ("", PlatformSpec),
        ("", TenantSpec),
        ("gateway.", Gateway),
        ("hsts.", Hsts),
        ("limits.", Limits),
        ("timeouts.", Timeouts),
        ("release.", ReleaseSpec),
        ("namespace.", NamespaceSpec),
        ("namespace.quota.", QuotaSpec),
    ],
)
def test_document_fields(prefix: str, document: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(document):
        name = f"{prefix}{field.encode_name}"
        assert f"`{name}`" in CONFIGURATION or f"`{name}." in CONFIGURATION, name


def test_profiles() -> None:
    for name, plan in PROFILES.items():
        limits = f"{plan.limits.cpu}, {plan.limits.memory}" if plan.limits.cpu else "the chart's"
        scale = plan.autoscaling
        scaling = "no" if scale is None else f"{scale.replicas_min} to {scale.replicas_max} at {scale.cpu_percent} %"
        cells = (f"`{name}`", plan.replicas, plan.requests.cpu, plan.requests.memory, limits, scaling)
        assert "| " + " | ".join(map(str, cells)) + " |" in CONFIGURATION


def test_values_that_are_not_the_tenants() -> None:
    rows = section(CONFIGURATION, "Values that aren't the tenant's")
    assert [path for path in (*RESERVED, *ONE_PER_NAMESPACE) if f"`{path}`" not in rows] == []


def metrics() -> list[str]:
    """Of the entry and of the controller."""
    report = WorkerReport()
    text = render(
        Scrape(
            reports=(report,),
            snapshot=Snapshot.build(Platform(system_domain="example.com")),
            generation=1,
            findings=(),
            propagation=Histogram(),
            workers=1,
            worker_restarts=0,
            configured_at=1.0,
            source_readable=True,
        )
    ).decode()
    text += render_releases(ControllerReport()).decode()
    return re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)


@pytest.mark.parametrize("metric", metrics())
def test_metrics(metric: str) -> None:
    assert re.search(rf"^\| `{metric}[`{{]", OPERATIONS, re.MULTILINE), "in the table of operations.md"
    assert f"`{metric}" in CONTRACT


def test_access_log_fields() -> None:
    connection = ConnectionText(client=None, tls_version=None)
    words = ("null", "null", "HTTP/1.1", 200, 0, 0, 0.0, None, "null", "null")
    line = LineRenderer().render([(0.0, b"id", HeadText(), connection, *words)])
    fields = list(json.loads(line))
    assert f"`{', '.join(fields)}`" in re.sub(r"\s+", " ", CONTRACT), "all fields, in their order"
    rows = section(OPERATIONS, "Logs")
    assert [field for field in fields if not re.search(rf"^\|[^|]*`{field}`", rows, re.MULTILINE)] == []


def words_in_code(functions: dict[str, int], folder: str = "") -> set[str]:
    """Constant strings given to these functions: name → position of the argument."""
    words = set()
    for path in (ROOT / "entryproxy" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            position = functions.get(name)
            if position is not None and len(node.args) > position:
                word = node.args[position]
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    words.add(word.value)
    return words


def test_reasons_of_requests_and_connections() -> None:
    reasons = words_in_code({"EntryError": 1, "malformed": 1, "reject": 0, "_note": 2, "client_gone": 0, "NoRoute": 0})
    assert {"tenant_rate", "malformed_chunk", "connect_timeout", "proxy_header", "slow_reader"} <= reasons
    assert [one for one in sorted(reasons) if f"`{one}`" not in section(OPERATIONS, "Troubleshooting")] == []


def test_results_of_handshakes() -> None:
    results = words_in_code({"handshake": 0, "_refuse": 0}, "edge")
    source = (ROOT / "entryproxy/edge/tls.py").read_text()
    results |= set(re.findall(r'return "([a-z_]+)"', source.partition("def _handshake_failure")[2]))
    results |= {"resumed", "full"}
    assert {"unrecognized_name", "no_shared_parameters", "timeout"} <= results
    assert [one for one in sorted(results) if f"`{one}`" not in OPERATIONS] == []


def reasons_of_sources() -> set[str]:
    """What stands for the reason of a Finding outside of the compiler, whose words are a closed set."""
    words = set()
    for folder in ("config", "process"):
        for path in (ROOT / "entryproxy" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "reason":
                    words.add(node.value)
                elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("(reason, "):
                    words.add(node.value.elts[0])  # type: ignore[attr-defined]
    return {str(word.value) for word in words if isinstance(word, ast.Constant)}


def test_reasons_of_findings() -> None:
    reasons = {*get_args(Reason), *get_args(CollisionReason), *words_in_code({"_finding": 0}), *reasons_of_sources()}
    assert {"UnreadableFolder", "DuplicateObject", "NotApplied", "SuddenDrop", "Forbidden"} <= reasons
    table = section(OPERATIONS, "Findings")
    assert [one for one in sorted(reasons) if re.match("[A-Z]", one) and f"`{one}`" not in table] == []


def test_admin_paths() -> None:
    paths = ["/healthz", "/readyz", "/metrics", *DOCUMENTS]
    assert [path for path in paths if f"`{path}" not in CONTRACT] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_decisions_are_listed() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert [path.name for path in (ROOT / "docs/decisions").glob("0*.md") if f"({path.name})" not in index] == []
