"""`entryproxy explain HOST [DIR]`: what a client that asks for a host would meet, or why it is refused."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import msgspec

from entryproxy.cli import words
from entryproxy.cli.cluster import add_cluster_options
from entryproxy.cli.judging import add_folder_argument, judge
from entryproxy.cli.output import CommandError, add_output_argument, complain_of, print_document, print_fields, several
from entryproxy.model.snapshot import Snapshot
from entryproxy.routing.explain import CertificateView, Explanation, explain


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "explain",
        help="certificate, tenant, gateway and limits of a host, or the reason for refusal",
        description="What a client that asks for HOST would meet. Exit 1 when it is refused.",
        allow_abbrev=False,
    )
    parser.add_argument("host", metavar="HOST")
    add_folder_argument(parser)
    add_cluster_options(parser)
    add_output_argument(parser, "text", "json")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when the host is served, 1 when it is refused; raises CommandError, also when nothing is in force at all."""
    judgement = judge(args)
    compilation = judgement.compilation
    if compilation.platform is None:
        complain_of(judgement.findings)
        raise CommandError("no settings are in force, so nothing is served")
    snapshot = Snapshot.build(compilation.platform, compilation.tenants.values())
    explanation = explain(snapshot, judgement.findings, args.host, judgement.now)
    if args.folder is not None:
        # Nobody writes into a folder how far a gateway is: each of them would look as if it had never served.
        explanation = msgspec.structs.replace(explanation, provisioning="")
    if args.output == "json":
        print_document(explanation, args.output)
    else:
        print_fields(_lines(explanation))
    return 0 if explanation.outcome == "served" else 1


def _lines(one: Explanation) -> Iterator[tuple[str, str]]:
    """Label and text of each line, only those that apply."""
    yield "host", one.host
    yield "outcome", _OUTCOMES[one.outcome]
    if one.provisioning:
        yield "release", _PROVISIONING[one.provisioning].format(tenant=one.tenant)
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
        yield from several("gateway", words.gateway(one.gateway))
        yield "port 80", "redirects to https" if one.https_redirect else "is served"
    if one.hsts:
        yield "hsts", one.hsts
    if one.limits is not None:
        yield "limits", words.limits(one.limits)
    if one.timeouts is not None:
        yield "timeouts", words.timeouts(one.timeouts)
    for finding in one.findings:
        yield "finding", str(finding)


_PROVISIONING = {
    "pending": "its gateway has not served yet, 503 until it answers: entryproxy tenant show {tenant}",
    "failed": "its gateway has not served yet, 503, and the last attempt failed: entryproxy tenant show {tenant}",
}
_OUTCOMES = {
    "served": "served",
    "refusedAtTls": "refused in the TLS handshake (alert unrecognized_name)",
    "refusedAtHttp": "refused with 404",
}


def _describe(certificate: CertificateView) -> str:
    covered = "" if certificate.covered else "; does NOT cover this host, the client judges"
    return f"Secret {certificate.source} of {certificate.owner}{covered}"
