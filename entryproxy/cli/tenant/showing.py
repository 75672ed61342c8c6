"""`entryproxy tenant show ID`: everything that is known of one tenant."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from entryproxy.cli import words
from entryproxy.cli.output import CommandError, print_document, print_fields, several
from entryproxy.cli.tenant.rows import TenantSheet, tenant_sheet
from entryproxy.cli.tenant.sources import add_source_options, judge_source
from entryproxy.cli.tenant.status import status_lines, told_at
from entryproxy.cli.tenant.wishing import add_id_argument
from entryproxy.console.rows import CertificateRow


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "show",
        help="hosts, gateway, certificates, limits and findings of one tenant",
        description="Everything that is known of one tenant. Exit 1 when there is none.",
        allow_abbrev=False,
    )
    add_id_argument(parser)
    add_source_options(parser, "text", "json", "yaml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 for a tenant, whatever its state; raises CommandError, also when there is none."""
    judgement = judge_source(args)
    sheet = tenant_sheet(args.id, judgement, told_at(args, args.id))
    if sheet is None:
        raise CommandError(
            f"no object has the label of tenant {args.id}: {args.folder or f'namespace {args.namespace}'}"
        )
    if args.output == "text":
        print_fields(_fields(sheet, judgement.now))
    else:
        print_document(sheet, args.output)
    return 0


def _fields(sheet: TenantSheet, now: float) -> Iterator[tuple[str, str]]:
    """Label and text of each line, only those that apply."""
    yield "tenant", sheet.id
    yield "state", sheet.state
    yield "age", words.age(sheet.created, now)
    yield from several("objects", sheet.objects)
    yield from several("hosts", sheet.hosts)
    if sheet.gateway is not None:
        yield from several("gateway", words.gateway(sheet.gateway))
    yield from several("release", list(_release(sheet)))
    yield from several("asked for", list(_asked(sheet)))
    yield from several("certificates", [line for one in sheet.certificates for line in _certificate(one)])
    if sheet.limits is not None:
        yield "limits", words.limits(sheet.limits)
    if sheet.timeouts is not None:
        yield "timeouts", words.timeouts(sheet.timeouts)
    if sheet.https_redirect is not None:
        yield "port 80", "redirects to https" if sheet.https_redirect else "is served"
    if sheet.hsts:
        yield "hsts", sheet.hsts
    yield from several("findings", [str(one) for one in sheet.findings])


def _release(sheet: TenantSheet) -> Iterator[str]:
    """What the controller says of the gateway, or that it says nothing."""
    if sheet.is_awaited:
        yield "no controller has said anything yet"
    if sheet.release is None:
        return
    if sheet.state == "Removing" and sheet.release.phase != "Removing":
        yield "deleted, and no controller has taken that up yet; this was said before:"
    yield from status_lines(sheet.release)


def _asked(sheet: TenantSheet) -> Iterator[str]:
    """What the document wants of the controller."""
    asked, namespace = sheet.asked, sheet.namespace
    if asked is None or namespace is None:
        return
    if not asked.enabled:
        yield "nothing: somebody else runs the gateway"
        return
    chart = f"chart {asked.chart or 'of the controller'}, version {asked.version or 'of the controller'}"
    yield f"profile {asked.profile}, isolation {asked.isolation}, {chart}"
    if asked.values:
        yield f"values for {', '.join(asked.values)}"
    quota = [f"{name} {amount}" for name in ("cpu", "memory", "storage") if (amount := getattr(namespace.quota, name))]
    if quota:
        yield f"quota {', '.join(quota)}"
    if namespace.admins:
        yield f"admins {', '.join(namespace.admins)}"


def _certificate(row: CertificateRow) -> list[str]:
    return [
        f"Secret {row.source}: {row.state}, {words.days_left(row.days_left)}, until {row.not_after}",
        f"names {', '.join(row.names)}",
    ]
