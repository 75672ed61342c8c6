"""`entryproxy tenant list`: a line for each tenant."""

from __future__ import annotations

import argparse

from entryproxy.cli import words
from entryproxy.cli.output import complain, print_document, print_table, say
from entryproxy.cli.tenant.rows import TenantLine, tenant_lines
from entryproxy.cli.tenant.sources import add_source_options, judge_source
from entryproxy.cli.tenant.status import told_at
from entryproxy.routing.explain import GatewayView

_HEADER = ("TENANT", "STATE", "RELEASE", "DOMAINS", "GATEWAY", "CERTIFICATES", "EXPIRES", "FINDINGS", "AGE")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "list",
        help="every tenant with its domains, gateway, certificates and findings",
        description="Every tenant that an object is labelled for.",
        allow_abbrev=False,
    )
    add_source_options(parser, "text", "json", "yaml", "name")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, also without tenants; raises CommandError."""
    judgement = judge_source(args)
    lines = tenant_lines(judgement, told_at(args))
    if args.output == "name":
        for one in lines:
            say(one.id)
    elif args.output != "text":
        print_document({"items": lines}, args.output)
    elif lines:
        print_table(_HEADER, [_cells(one, judgement.now) for one in lines])
    else:
        complain(f"no tenants in namespace {args.namespace}" if args.folder is None else f"no tenants in {args.folder}")
    return 0


def _cells(one: TenantLine, now: float) -> tuple[str, ...]:
    left = [certificate.days_left for certificate in one.certificates]
    return (
        one.id,
        one.state,
        one.release.phase if one.release is not None else "Waiting" if one.is_awaited else words.NONE,
        words.some_of(one.domains),
        _gateway(one.gateway),
        str(len(one.certificates)),
        words.days_left(min(left)) if left else words.NONE,
        words.findings(one.errors, one.warnings),
        words.age(one.created, now),
    )


def _gateway(row: GatewayView | None) -> str:
    if row is None:
        return words.NONE
    if row.endpoints is not None:
        return f"{row.service} ({words.count(len(row.endpoints), 'endpoint')})"
    return words.some_of(row.addresses)
