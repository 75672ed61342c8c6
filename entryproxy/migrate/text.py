"""A report for a person at a terminal: plain text, indented, wrapped. Much of it was written by tenants."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

from entryproxy.migrate.certificates import CertificatePlan
from entryproxy.migrate.report import HostReport, IngressReport, Report, SettingsReport, TenantReport
from entryproxy.migrate.verdicts import Judgement, Verdict
from entryproxy.model.finding import Finding
from entryproxy.model.printable import printable

WIDTH = 110
_LABEL = 14
_URGENCY: tuple[Verdict, ...] = ("unsupported", "unknown", "differs", "gateway", "entry", "default")


def render(report: Report) -> str:
    """All of it: tenants with their hosts, Ingresses with their annotations, the controller's options, a summary."""
    sections = [
        *(_tenant(one) for one in report.tenants),
        *_homeless(report.homeless),
        *(_ingress(one) for one in report.ingresses),
        *_settings(report.settings),
        *_skipped(report),
        *_findings(report.findings),
        _summary(report),
    ]
    return "\n\n".join("\n".join(map(printable, lines)) for lines in sections) + "\n"


def _tenant(one: TenantReport) -> list[str]:
    lines = [f"TENANT {one.id}"]
    lines += _labelled("  ", "because", "; ".join(one.because))
    lines += _labelled("  ", "namespaces", ", ".join(one.namespaces))
    for number, sentence in enumerate(one.entry):
        lines += _labelled("  ", "" if number else "the entry", sentence)
    for certificate in one.certificates:
        lines += _labelled("  ", "certificate", _certificate(certificate))
    for host in one.hosts:
        lines += ["", *_host(host)]
    return lines


def _host(one: HostReport) -> list[str]:
    lines = [f"  HOST {one.host}" + (" (system host)" if one.kind == "system" else "")]
    for number, source in enumerate(one.sources):
        lines += _labelled("    ", "" if number else "from", source)
    if one.certificate:
        lines += _labelled("    ", "certificate", one.certificate)
    return lines + _conflicts("    ", one.conflicts)


def _certificate(one: CertificatePlan) -> str:
    said = {
        "secret": f"{one.source} → Secret {one.name}, written out",
        "issuer": f"{one.source} → Secret {one.name}, from {one.issuer.kind} {one.issuer.name}" if one.issuer else "",
        "command": f"{one.source} → Secret {one.name}, to be copied",
    }
    return said[one.how] + f" ({', '.join(one.hosts)})"


def _homeless(hosts: Iterable[HostReport]) -> Iterator[list[str]]:
    lines = ["HOSTS THAT ARE LEFT OUT"]
    for one in hosts:
        lines += ["", *_host(one)]
    if len(lines) > 1:
        yield lines


def _ingress(one: IngressReport) -> list[str]:
    lines = [f"{one.ingress.upper().partition(' ')[0]} {one.ingress.partition(' ')[2]}"]
    if one.origin:
        lines[0] += f" ({one.origin})"
    if one.tenants:
        lines += _labelled("  ", "for", "the gateway of " + ", ".join(one.tenants))
    for judgement in _sorted(one.annotations):
        lines += _judgement(judgement)
    if not one.annotations:
        lines.append("  no annotations of ingress-nginx")
    return lines + _conflicts("  ", one.findings)


def _sorted(judgements: Iterable[Judgement]) -> list[Judgement]:
    """What needs a person first."""
    return sorted(judgements, key=lambda one: (_URGENCY.index(one.verdict), not one.todo, one.name))


def _judgement(one: Judgement) -> list[str]:
    lines = _labelled("  ", one.verdict, f"{one.name}: {one.value}" if one.value else one.name)
    if one.field:
        lines += _labelled("  ", "", f"→ {one.field}")
    lines += _labelled("  ", "", one.note)
    if one.todo:
        lines += _labelled("  ", "", f"To do: {one.todo}.")
    return lines


def _settings(one: SettingsReport) -> Iterator[list[str]]:
    if not one.source and not one.certificates:
        return
    lines = [f"CONTROLLER {one.source}" if one.source else "PLATFORM"]
    if one.source:
        becomes = "settings.yaml" if one.is_written else "nothing, because the platform's settings are there already"
        lines += _labelled("  ", "becomes", becomes)
    for certificate in one.certificates:
        lines += _labelled("  ", "certificate", _certificate(certificate))
    for judgement in _sorted(one.options):
        lines += _judgement(judgement)
    yield lines


def _skipped(report: Report) -> Iterator[list[str]]:
    lines = [f"SKIPPED, because not of class {', '.join(one or '(none)' for one in report.classes)}"]
    for one in report.skipped:
        lines += textwrap.wrap(f"{one.ingress}: {one.reason}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    if report.skipped:
        yield lines


def _findings(findings: Iterable[Finding]) -> Iterator[list[str]]:
    lines = ["BESIDES", *_conflicts("  ", findings)]
    if len(lines) > 1:
        yield lines


def _conflicts(indent: str, findings: Iterable[Finding]) -> list[str]:
    lines = []
    for one in findings:
        origin = f" ({one.origin})" if one.origin else ""
        text = f"{one.message} [{one.reason}; {one.object} {one.field}{origin}]"
        lines += _labelled(indent, "CONFLICT" if one.severity == "error" else "look", text)
    return lines


def _labelled(indent: str, label: str, text: str) -> list[str]:
    """A label in a column of its own, the text wrapped beside it. Words are not broken, so that names can be copied."""
    first = f"{indent}{label:<{_LABEL}}"
    rest = " " * (len(indent) + _LABEL)
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _summary(report: Report) -> list[str]:
    hosts = list(report.hosts())
    troubled = sum(any(finding.severity == "error" for finding in one.conflicts) for one in hosts)
    verdicts = Counter(one.verdict for one in report.judgements())
    severities = Counter(one.severity for one in report.all_findings())
    counted = ", ".join(f"{verdicts[one]} {one}" for one in get_args(Verdict) if verdicts[one]) or "none"
    return [
        "SUMMARY",
        f"  {_count(len(hosts), 'host')} of {_count(len(report.tenants), 'tenant')}, {troubled} with conflicts",
        f"  annotations and options: {counted}",
        f"  {_count(severities['error'], 'conflict')}, {_count(severities['warning'], 'remark')}",
        f"  {_verdict(report)}",
    ]


def _verdict(report: Report) -> str:
    if not report.is_clean:
        return "Not everything maps: see CONFLICT and unsupported above."
    todo = sum(bool(one.todo) for one in report.judgements())
    return f"Everything maps, with {_count(todo, 'thing')} to do." if todo else "Everything maps."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
