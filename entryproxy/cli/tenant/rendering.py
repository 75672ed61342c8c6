"""`entryproxy tenant render ID`: the objects of a tenant as YAML, for a repository or for kubectl."""

from __future__ import annotations

import argparse
import shlex

from entryproxy.authoring.wish import WantedCertificate, Wish, certificate_manifest, tenant_manifest
from entryproxy.cli import options
from entryproxy.cli.cluster import add_namespace_option
from entryproxy.cli.output import CommandError, complain_of
from entryproxy.cli.tenant.candidates import judge_alone
from entryproxy.cli.tenant.wishing import add_wish_arguments, wish_of
from entryproxy.config.yaml_writer import write_yaml
from entryproxy.model.objects import TENANT_LABEL


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "render",
        help="print the labelled objects of a tenant as YAML",
        description="Print the labelled objects of a tenant as YAML, without asking a cluster. Only what is asked for "
        "is in them; everything else has its default.",
        allow_abbrev=False,
    )
    add_wish_arguments(parser)
    add_namespace_option(parser)
    options.add_switch(parser, "with-secrets", "print Secrets with their private keys, too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0; raises CommandError when the entry would reject an object."""
    wish = wish_of(args)
    config_map = tenant_manifest(wish, write_yaml)
    findings = judge_alone([*(certificate_manifest(wish, one) for one in wish.certificates), config_map])
    complain_of(findings)
    if any(one.severity == "error" for one in findings):
        raise CommandError("the entry would reject this, so nothing is printed")
    parts = [_secret_text(wish, one, is_shown=args.with_secrets) for one in wish.certificates]
    print("---\n".join([*parts, write_yaml(config_map)]), end="")
    return 0


def _secret_text(wish: Wish, wanted: WantedCertificate, *, is_shown: bool) -> str:
    if is_shown:
        return (
            f"# Holds a private key: encrypt it before you commit it.\n{write_yaml(certificate_manifest(wish, wanted))}"
        )
    certificate, key = map(shlex.quote, wanted.origin)
    return (
        f"# Secret {wanted.name} is left out, it holds a private key. --with-secrets prints it; this makes it:\n"
        f"#   kubectl create secret tls {wanted.name} --namespace {wish.namespace} --cert {certificate} --key {key}\n"
        f"#   kubectl label secret {wanted.name} --namespace {wish.namespace} {TENANT_LABEL}={wish.tenant}\n"
    )
