"""`entryproxy check [DIR]`: what the compiler has to say about a folder or a cluster, without serving it, and what
collides there."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from entryproxy.cli import words
from entryproxy.cli.cluster import add_cluster_options, on_cluster
from entryproxy.cli.judging import Judgement, add_folder_argument, compile_reading, finding_order, judge
from entryproxy.cli.neighbours import judge_neighbours
from entryproxy.cli.output import add_output_argument, complain, print_document, say
from entryproxy.model.reading import Reading
from entryproxy.provision.inventory import Inventory

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess

_TELLING_KINDS = ("deployments.apps", "ingressclasses.networking.k8s.io", "services")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "check",
        help="judge all objects: conflicts, uncovered hosts, bad or expiring certificates, colliding releases",
        description="Judge the labelled objects of a folder, or of the cluster, as the entry would, and in a cluster "
        "what all gateways there collide over. Exit 1 when something is not in force as written, or collides.",
        allow_abbrev=False,
    )
    add_folder_argument(parser)
    add_cluster_options(parser)
    add_output_argument(parser, "text", "json")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 without errors, 1 with; raises CommandError."""
    judgement = _judge(args)
    findings = judgement.findings
    errors = sum(one.severity == "error" for one in findings)
    if args.output == "json":
        tenants = len(judgement.compilation.tenants)
        summary = {"tenants": tenants, "errors": errors, "warnings": len(findings) - errors}
        print_document({"findings": findings, "summary": summary}, args.output)
    else:
        for one in findings:
            say(str(one))
        say(_summarize(judgement))
    return 1 if errors else 0


def _judge(args: argparse.Namespace) -> Judgement:
    """Objects, and then neighbours; in a folder the tenants are each other's."""
    if args.folder is None:
        reading, inventory = on_cluster(args, _read)
        judgement = compile_reading(reading, endpoints_known=True)
    else:
        judgement, inventory = judge(args), Inventory()
    more = judge_neighbours(judgement, inventory, args.namespace)
    findings = sorted((*judgement.findings, *more), key=finding_order)
    return msgspec.structs.replace(judgement, findings=tuple(findings))


async def _read(access: ClusterAccess) -> tuple[Reading, Inventory]:
    """Whoever sees nothing but the entry's own, as in its pod, is told so once instead of kind by kind."""
    reading, inventory = await access.read(), await access.take_inventory()
    if any(inventory.is_judged(kind) for kind in _TELLING_KINDS):
        return reading, inventory
    complain("gateways aren't judged against each other: you may list none of what they are made of")
    return reading, Inventory()


def _summarize(judgement: Judgement) -> str:
    compilation = judgement.compilation
    counts = Counter(one.severity for one in judgement.findings)
    certificates = sum(len(one.certificates) for one in compilation.tenants.values())
    if compilation.platform is not None:
        certificates += len(compilation.platform.certificates)
    return (
        f"{words.count(len(compilation.tenants), 'tenant')} and {words.count(certificates, 'certificate')} in force, "
        f"{words.count(counts['error'], 'error')}, {words.count(counts['warning'], 'warning')}"
    )
