"""`entryproxy tenant add ID`: the objects of a tenant, judged with all others and written to the cluster."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from entryproxy.authoring.objects import Manifest
from entryproxy.authoring.ownership import guarded, refusal
from entryproxy.authoring.wish import Wish, certificate_manifest, tenant_manifest
from entryproxy.cli import options, words
from entryproxy.cli.cluster import add_cluster_options, on_cluster
from entryproxy.cli.output import CommandError, complain, complain_of, say
from entryproxy.cli.tenant.candidates import judge_together
from entryproxy.cli.tenant.rows import service_of
from entryproxy.cli.tenant.waiting import Progress, add_waiting_options, wait_for_gateway
from entryproxy.cli.tenant.wishing import add_wish_arguments, wish_of
from entryproxy.compiler.compile import Compilation
from entryproxy.compiler.tenants import DOCUMENT
from entryproxy.config.yaml import YamlError, parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.reading import Reading
from entryproxy.model.tenant import Tenant

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess

Candidate = tuple[Manifest, Manifest | None]
"""An object as it is wanted, and as it is in the cluster."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "add",
        help="write the labelled objects of a tenant to the cluster",
        description="Write the labelled objects of a tenant to the cluster, unless something would not be in force as "
        "written. For a tenant that this command made, what is asked for changes and all else stays.",
        allow_abbrev=False,
    )
    add_wish_arguments(parser)
    add_cluster_options(parser)
    options.add_switch(parser, "allow-uncovered", "although no certificate covers a domain yet")
    options.add_switch(parser, "dry-run", "let the API server try it, and change nothing")
    add_waiting_options(parser, "the gateway that the controller makes is ready")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when everything is written, or would be; raises CommandError."""
    on_cluster(args, lambda access: _add(access, args))
    return 0


async def _add(access: ClusterAccess, args: argparse.Namespace) -> None:
    wish = wish_of(args)
    progress = Progress(time.monotonic(), args.timeout)
    reading = await access.read()
    candidates = await _candidates(access, wish, reading)
    # A gateway that is still to be made leaves time for the certificate; nobody has been served by either.
    is_early = args.allow_uncovered or any(path.startswith("release.") for path in wish.fields)
    compilation = _judge(wish, reading, candidates, allow_uncovered=is_early)
    # All of them on trial first, so that a missing permission, a webhook or a conflict leaves nothing half-written.
    for wanted, present in candidates:
        tried = await access.apply(guarded(wanted, present), dry_run=True)
        if args.dry_run:
            say(f"{_outcome(wanted, present, tried)} (server dry run)")
    if not args.dry_run:
        for wanted, present in candidates:
            say(_outcome(wanted, present, await access.apply(guarded(wanted, present), dry_run=False)))
    if args.wait and not args.dry_run and _wants_release(candidates):
        await wait_for_gateway(access, wish.tenant, _document(candidates), progress)
    elif not _wants_release(candidates):
        await _remark_gateway(access, compilation.tenants.get(wish.tenant))


async def _candidates(access: ClusterAccess, wish: Wish, reading: Reading) -> list[Candidate]:
    """Certificates first: until the tenant follows they are those of an unknown one, which disturbs nobody."""
    config_map = await access.get("ConfigMap", wish.tenant)
    secrets = [await access.get("Secret", one.name) for one in wish.certificates]
    refusals = [why for one in (config_map, *secrets) if one is not None and (why := refusal(one, wish.tenant))]
    refusals += [
        f"{one.reference} declares the tenant already: change it there"
        for one in reading.changed
        if isinstance(one, LabelledConfigMap) and one.tenant == wish.tenant and one.name != wish.tenant
    ]
    if refusals:
        raise CommandError("\n".join([f"tenant {wish.tenant} is not written:", *(f"  {why}" for why in refusals)]))
    wanted = [certificate_manifest(wish, one) for one in wish.certificates]
    return [*zip(wanted, secrets, strict=True), (_tenant_manifest(wish, config_map), config_map)]


def _tenant_manifest(wish: Wish, present: Manifest | None) -> Manifest:
    """What is asked for over what is there."""
    data = (present or {}).get("data") or {}
    try:
        document = parse_yaml(data.get(DOCUMENT, ""))
        return tenant_manifest(wish, write_yaml, data, document if isinstance(document, dict) else {})
    except (YamlError, TypeError) as problem:
        message = f"ConfigMap {wish.namespace}/{wish.tenant} {DOCUMENT} can't be changed, mend it first: {problem}"
        raise CommandError(message) from None


def _judge(wish: Wish, reading: Reading, candidates: list[Candidate], *, allow_uncovered: bool) -> Compilation:
    """What would be in force; raises CommandError when it may not be."""
    compilation, verdict = judge_together(wish.tenant, reading, candidates, allow_uncovered=allow_uncovered)
    if compilation.platform is None:
        raise CommandError(
            f"no settings are in force in namespace {wish.namespace}, so nothing would be served\n"
            "  --namespace names the namespace that the entry runs in."
        )
    complain_of(verdict.refused or verdict.remarks)
    if not verdict.refused:
        return compilation
    message = f"tenant {wish.tenant} is not written: {words.count(len(verdict.refused), 'finding')} above would be new"
    if any(one.reason == "UncoveredHost" for one in verdict.refused):
        message += "\n  --allow-uncovered adds a domain before its certificate, without which clients are refused."
    raise CommandError(message)


def _outcome(wanted: Manifest, present: Manifest | None, done: Manifest) -> str:
    verb = "created" if present is None else "unchanged" if _content(done) == _content(present) else "configured"
    return f"{wanted['kind'].lower()}/{wanted['metadata']['name']} {verb}"


def _content(manifest: Manifest) -> tuple[object, object]:
    return manifest.get("data"), manifest["metadata"].get("labels")


def _document(candidates: list[Candidate]) -> str:
    text: str = candidates[-1][0].get("data", {}).get(DOCUMENT, "")
    return text


def _wants_release(candidates: list[Candidate]) -> bool:
    """Whether a controller is going to make the gateway."""
    document = parse_yaml(_document(candidates))
    release = document.get("release") if isinstance(document, dict) else None
    return isinstance(release, dict) and release.get("enabled") is not False


async def _remark_gateway(access: ClusterAccess, tenant: Tenant | None) -> None:
    """A gateway often comes after its tenant, so that one that is missing is only worth a word."""
    service = service_of(tenant) if tenant is not None else None
    if service is not None and await access.is_missing("Service", *service):
        namespace, name = service
        complain(f"warning: there is no Service {namespace}/{name} yet; until then requests are answered with 503")
