"""`entryproxy explain HOST DIR`: what a client that asks for a host would meet, or why it is refused."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import msgspec

from entryproxy.cli.check import add_folder_argument, add_output_argument, compile_folder, folder_of
from entryproxy.model.snapshot import Snapshot
from entryproxy.routing.explain import CertificateView, Explanation, explain


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "explain",
        help="certificate, tenant, gateway and limits of a host, or the reason for refusal",
        description="What a client that asks for HOST would meet. Exit 1 when it is refused.",
    )
    parser.add_argument("host", metavar="HOST")
    add_folder_argument(parser)
    add_output_argument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when the host is served, 1 when it is refused or nothing is in force, 2 when there is no folder."""
    folder = folder_of(args)
    if folder is None:
        return 2
    compilation, findings = compile_folder(folder)
    if compilation.platform is None:
        for one in findings:
            print(one, file=sys.stderr)
        print("entryproxy: no settings are in force, so nothing is served", file=sys.stderr)
        return 1
    snapshot = Snapshot.build(compilation.platform, compilation.tenants.values())
    explanation = explain(snapshot, findings, args.host, time.time())
    if args.output == "json":
        print(msgspec.json.encode(explanation).decode())
    else:
        for label, text in _lines(explanation):
            print(f"{label:<13}{text}")
    return 0 if explanation.outcome == "served" else 1


def _lines(one: Explanation) -> Iterator[tuple[str, str]]:
    """Label and text of each line, only those that apply."""
    yield "host", one.host
    yield "outcome", _OUTCOMES[one.outcome]
    if one.reason:
        yield "reason", f"{one.detail} [{one.reason}]"
    if one.certificate is not None:
        yield "certificate", _describe(one.certificate)
        yield "", f"names {', '.join(one.certificate.names)}"
        yield "", f"valid {one.certificate.not_before} to {one.certificate.not_after}"
        yield "", f"fingerprint {one.certificate.fingerprint}"
    if one.gateway is not None:
        yield "tenant", f"{one.tenant} ({one.domain_type} host)"
        if one.service:
            yield "service", one.service
        verified = f", certificate for {one.gateway.server_name}" if one.gateway.server_name else ""
        yield "gateway", f"{', '.join(one.gateway.addresses)} ({one.gateway.protocol}{verified})"
        yield "port 80", "redirects to https" if one.https_redirect else "is served"
    if one.hsts:
        yield "hsts", one.hsts
    if one.limits is not None:
        yield "limits", _limits(one)
    if one.timeouts is not None:
        wait = one.timeouts
        yield "timeouts", f"connect {wait.connect:g} s, first byte {wait.first_byte:g} s, idle {wait.idle:g} s"
    for finding in one.findings:
        yield "finding", str(finding)


_OUTCOMES = {
    "served": "served",
    "refusedAtTls": "refused in the TLS handshake (alert unrecognized_name)",
    "refusedAtHttp": "refused with 404",
}


def _describe(certificate: CertificateView) -> str:
    covered = "" if certificate.covered else "; does NOT cover this host, the client judges"
    return f"Secret {certificate.source} of {certificate.owner}{covered}"


def _limits(one: Explanation) -> str:
    if one.limits is None:
        return ""
    parts = (
        ("request body", one.limits.request_body_bytes, "bytes"),
        ("rate", one.limits.requests_per_second, "requests per second"),
        ("concurrent requests", one.limits.connections, ""),
    )
    return ", ".join(f"{name} {f'{value} {unit}'.strip() if value else 'unlimited'}" for name, value, unit in parts)
