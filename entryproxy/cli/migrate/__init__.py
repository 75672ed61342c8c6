"""`entryproxy migrate [DIR]`: what becomes of ingress-nginx's Ingresses, and the labelled objects to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from entryproxy.cli import options
from entryproxy.cli.cluster import add_cluster_options
from entryproxy.cli.migrate.folder import read_folder
from entryproxy.cli.migrate.writing import check_folder, write_folder
from entryproxy.cli.output import CommandError, add_output_argument, print_document
from entryproxy.config.yaml import YamlError, parse_yaml
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.migrate.inventory import Inventory
from entryproxy.migrate.manifests import SETTINGS_FILE, File, write_files
from entryproxy.migrate.plan import Plan, Wishes, make_plan
from entryproxy.migrate.selection import DEFAULT_CLASS
from entryproxy.migrate.text import render
from entryproxy.model.hostname import is_hostname, is_tenant_id


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "migrate",
        help="what becomes of ingress-nginx's Ingresses, host by host and annotation by annotation",
        description="Read the Ingresses of ingress-nginx from a folder or the cluster, say what becomes of each host "
        "and annotation, and write the labelled objects. Changes nothing in the cluster. Exit 1 when something "
        "conflicts or can't be kept.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        help="folder of Ingresses and what belongs to them as YAML, else the cluster",
    )
    options.add_list_option(
        parser,
        "ingress-class",
        str,
        f"a class of ingress-nginx; without it those of its IngressClasses and {DEFAULT_CLASS}",
        metavar="NAME",
    )
    options.add_switch(
        parser, "watch-ingress-without-class", "Ingresses without a class too, if your ingress-nginx has this option"
    )
    options.add_list_option(
        parser,
        "tenant-of",
        _tenant_of,
        "whose a namespace is; asked before everything else",
        metavar="NAMESPACE=TENANT",
    )
    options.add_option(
        parser,
        "system-domain",
        _domain,
        "",
        "of the entry, to tell system hosts; without it that of the settings that are there",
        metavar="DOMAIN",
    )
    options.add_option(parser, "output-dir", str, "", "new folder for the labelled objects", metavar="DIR")
    options.add_switch(parser, "with-secrets", "write TLS Secrets with their keys there too, readable for you only")
    add_cluster_options(parser)
    add_output_argument(parser, "text", "json")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when everything maps, else 1; raises CommandError."""
    if args.with_secrets and not args.output_dir:
        raise CommandError("--with-secrets needs --output-dir", status=2)
    if args.output_dir:
        check_folder(Path(args.output_dir))
    plan = _plan(args)
    files = write_files(plan, args.namespace, write_yaml) if args.output_dir else []
    if files:
        write_folder(Path(args.output_dir), files)
    if args.output == "json":
        names = [one.name for one in files]
        document = {**msgspec.to_builtins(plan.report), "isClean": plan.report.is_clean, "files": names}
        print_document(document, args.output)
    else:
        print(render(plan.report), end="")
        _tell_files(args.output_dir, files)
    return 0 if plan.report.is_clean else 1


def _plan(args: argparse.Namespace) -> Plan:
    inventory = _read(args)
    domain = args.system_domain or _domain_in(inventory.settings)
    if args.output_dir and not domain:
        raise CommandError("--output-dir needs --system-domain: there are no settings that say it", status=2)
    wishes = Wishes(
        classes=_classes(args),
        tenant_of=dict(args.tenant_of or ()),
        system_domain=domain,
        has_settings=bool(inventory.settings),
    )
    plan = make_plan(inventory, wishes)
    if not plan.report.ingresses and not inventory.findings:
        others = sorted({one.ingress_class or "(none)" for one in inventory.ingresses.values()})
        there = f"; classes that are there: {', '.join(others)}" if others else ""
        raise CommandError(f"no Ingress of class {', '.join(plan.report.classes)}{there}")
    return plan


def _read(args: argparse.Namespace) -> Inventory:
    if args.folder is not None:
        return read_folder(Path(args.folder), with_keys=args.with_secrets)
    from entryproxy.cli.migrate.cluster import read_cluster  # folders need none of what it takes

    return read_cluster(args, _classes(args), with_keys=args.with_secrets)


def _classes(args: argparse.Namespace) -> tuple[str, ...]:
    named: tuple[str, ...] = args.ingress_class or ()
    return (*(named or (DEFAULT_CLASS,)), "") if args.watch_ingress_without_class else named


def _domain_in(settings: str) -> str:
    """The system domain of a `settings.yaml`, "" when there is none."""
    try:
        document = parse_yaml(settings)
    except YamlError:
        return ""
    domain = document.get("systemDomain") if isinstance(document, dict) else None
    return domain.lower().removesuffix(".") if isinstance(domain, str) else ""


def _tell_files(folder: str, files: list[File]) -> None:
    if not files:
        return
    print(f"\nWRITTEN to {folder}")
    for one in files:
        print(f"  {one.name}" + (" (holds private keys)" if one.is_private else ""))
    if any(one.name == SETTINGS_FILE for one in files):
        print(f"  Look through them, then: entryproxy check {folder}")
    else:
        print(f"  Look through them. With a copy of the settings that are there beside them: entryproxy check {folder}")


def _tenant_of(text: str) -> tuple[str, str]:
    namespace, equals, tenant = text.partition("=")
    if not equals or not is_tenant_id(tenant):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE=TENANT with a tenant id")
    return options.label(namespace), tenant


def _domain(text: str) -> str:
    name = text.lower().removesuffix(".")
    if name and not is_hostname(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not a DNS name of two or more labels")
    return name
