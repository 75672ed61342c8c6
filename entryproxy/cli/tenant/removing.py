"""`entryproxy tenant remove ID`: the labelled objects of a tenant, deleted in an order that clients don't notice."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from entryproxy.authoring.objects import Manifest
from entryproxy.authoring.ownership import obstacles
from entryproxy.cli import options, words
from entryproxy.cli.cluster import add_cluster_options, on_cluster
from entryproxy.cli.output import CommandError, complain, say
from entryproxy.cli.tenant.waiting import Progress, add_waiting_options, wait_for_removal
from entryproxy.cli.tenant.wishing import add_id_argument
from entryproxy.model.objects import CONFIG_MAP, FINALIZER, STATUS_ANNOTATION
from entryproxy.model.status import decode_status

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "remove",
        help="delete the labelled objects of a tenant from the cluster",
        description="Delete the ConfigMap and the Secrets with the label of a tenant from the namespace of the entry. "
        "With the ConfigMap goes a gateway that the controller made; any other one is not touched.",
        allow_abbrev=False,
    )
    add_id_argument(parser)
    add_cluster_options(parser)
    options.add_switch(parser, "keep-secrets", "leave the tenant's certificates")
    options.add_switch(parser, "yes", "don't ask")
    options.add_switch(parser, "dry-run", "let the API server try it, and change nothing")
    add_waiting_options(parser, "the gateway that the controller made is gone")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when nothing is left, or nothing but what the controller is going to take away; also when nothing was there.
    Raises CommandError."""
    progress = Progress(time.monotonic(), args.timeout)
    found = on_cluster(args, lambda access: _find(access, args))
    if not found:
        complain(f"no object in namespace {args.namespace} has the label of tenant {args.id}: nothing to remove")
        return 0
    for one in found:
        for reason in obstacles(one["metadata"]):
            complain(f"warning: {_name(one)} {reason}")
    if not args.dry_run and not args.yes:
        _ask(args.id, found)
    on_cluster(args, lambda access: _remove(access, found, is_trial=args.dry_run))
    if args.wait and not args.dry_run:
        # The controller may have taken one up since it was looked at.
        going = {one["metadata"]["uid"] for one in found if one["kind"] == CONFIG_MAP}
        on_cluster(args, lambda access: wait_for_removal(access, args.id, going, progress))
    return 0


async def _find(access: ClusterAccess, args: argparse.Namespace) -> list[Manifest]:
    """The ConfigMap first: with it the tenant ends as a whole, new handshakes are refused and requests under way go on.
    A tenant that lost its certificates first would for a moment be served with somebody else's."""
    found = await access.list_of("ConfigMap", args.id)
    if not args.keep_secrets:
        found += await access.list_of("Secret", args.id)
    if not found:
        await access.check_namespace()
    return found


def _ask(tenant: str, found: list[Manifest]) -> None:
    """Raises CommandError unless somebody says yes."""
    for one in found:
        complain(f"{_name(one)} would be deleted{_what_goes_too(one)}")
    if not sys.stdin.isatty():
        raise CommandError("nobody to ask: --yes removes without asking", status=2)
    try:
        answer = input(f"Remove tenant {tenant} with {words.count(len(found), 'object')}? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was removed")


async def _remove(access: ClusterAccess, found: list[Manifest], *, is_trial: bool) -> None:
    for one in found:
        was_there = await access.delete(one, dry_run=is_trial)
        deleted = "deleted, and gone once its gateway is" if _is_provisioned(one) else "deleted"
        trial = f" (server dry run){_what_goes_too(one)}" if is_trial else ""
        say(f"{_name(one)} {deleted if was_there else 'was gone already'}{trial}")


def _is_provisioned(manifest: Manifest) -> bool:
    """Whether the controller takes a gateway away before it lets it go."""
    return FINALIZER in (manifest["metadata"].get("finalizers") or ())


def _what_goes_too(manifest: Manifest) -> str:
    """The end of a sentence. Only the controller knows whether it made the namespace, and it leaves any other."""
    if not _is_provisioned(manifest):
        return ""
    status = decode_status((manifest["metadata"].get("annotations") or {}).get(STATUS_ANNOTATION, ""))
    namespace = f"namespace {status.namespace}" if status is not None and status.namespace else "its namespace"
    return f"; with it goes the tenant's release and, if the controller made it, {namespace} with all that is in it"


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
