"""`entryproxy controller`: makes, mends and removes the gateways of tenants that ask for one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entryproxy.cli import options, words
from entryproxy.cli.cluster import add_cluster_options
from entryproxy.cli.output import CommandError, say
from entryproxy.model.release import check_chart, check_version
from entryproxy.settings import ControllerSettings

if TYPE_CHECKING:
    from entryproxy.controller.rounds import Round


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "controller",
        help="provision tenants' gateways",
        description="Make, mend and remove the gateways of tenants whose ConfigMap says `release`, until a signal ends "
        "it. Of several controllers one leads.",
        allow_abbrev=False,
    )
    defaults = ControllerSettings()
    add_cluster_options(parser)
    _add_life_options(parser, defaults)
    _add_chart_options(parser, defaults)
    _add_pace_options(parser, defaults)
    parser.set_defaults(run=run)


def _add_life_options(parser: argparse.ArgumentParser, defaults: ControllerSettings) -> None:
    """Who this is, and where it answers."""
    options.add_switch(parser, "dry-run", "say what would be done, for every tenant, and end")
    options.add_option(
        parser,
        "identity",
        str,
        "",
        "name among the controllers, no two alike at a time; without it the host's and a random end",
        metavar="NAME",
    )
    options.add_option(
        parser, "admin-port", options.port, str(defaults.admin_port), "health and metrics", metavar="PORT"
    )
    options.add_option(
        parser, "admin-bind", options.address, defaults.admin_bind, "where the admin port listens", metavar="ADDRESS"
    )
    options.add_option(parser, "helm", str, defaults.helm, "the Helm program, a path or a name in PATH", metavar="FILE")
    options.add_option(
        parser, "work-dir", str, "", "private folder, without it a temporary one; keeps fetched charts", metavar="DIR"
    )


def _add_chart_options(parser: argparse.ArgumentParser, defaults: ControllerSettings) -> None:
    """What is installed unless a tenant says otherwise, and where it comes from."""
    options.add_option(
        parser, "chart", _chart, defaults.chart, "chart of tenants that name none: a name or oci://…", metavar="CHART"
    )
    options.add_option(
        parser, "chart-version", _version, defaults.chart_version, "its version, exactly", metavar="VERSION"
    )
    options.add_option(
        parser, "chart-repository", _repository, "", "where charts by name are fetched from", metavar="URL"
    )
    options.add_list_option(
        parser, "chart-registries", options.registry, "below which tenants may name oci:// charts", metavar="oci://…"
    )
    options.add_option(parser, "charts-dir", str, "", "vendored charts, looked at first", metavar="DIR")
    options.add_option(
        parser, "chart-plain-http", options.on_off, "off", "OCI registries speak plain HTTP", metavar="on|off"
    )
    options.add_list_option(
        parser, "shared-namespaces", options.label, "what tenants may share or watch, without it any", metavar="NAME"
    )


def _add_pace_options(parser: argparse.ArgumentParser, defaults: ControllerSettings) -> None:
    """How much at a time, how often, how long."""
    options.add_option(
        parser, "parallel", options.parallel, str(defaults.parallel), "runs of Helm at a time", metavar="NUMBER"
    )
    for name, value, text in (
        ("resync", defaults.resync_seconds, "seconds until a tenant is looked at again though nothing changed"),
        ("withdraw", defaults.withdraw_seconds, "seconds from a tenant's removal until its gateway goes"),
        ("operation", defaults.operation_seconds, "seconds that one run of Helm may take"),
        ("rollout", defaults.rollout_seconds, "seconds that a rollout may get no further until it has failed"),
    ):
        options.add_option(parser, f"{name}-seconds", options.seconds, f"{value:g}", text, metavar="SECONDS")
    # Nothing for operators: shorter ones are for tests, longer ones only make successors wait.
    parser.add_argument("--lease-seconds", type=int, default=defaults.lease_seconds, help=argparse.SUPPRESS)


def _chart(text: str) -> str:
    return _checked(check_chart, text)


def _version(text: str) -> str:
    return _checked(check_version, text)


def _checked(check: Callable[[str], None], text: str) -> str:
    """The rule is the one for tenants' documents."""
    try:
        check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _repository(text: str) -> str:
    """Not quoted when it is refused: a password may be in it."""
    if text and not _is_web_url(text):
        raise argparse.ArgumentTypeError("it is no URL with http:// or https:// and a host")
    return text


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # an IPv6 address without its end, say
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def run(args: argparse.Namespace) -> int:
    """Provision in the foreground, or say what would be done; the exit status. Raises CommandError."""
    from entryproxy.controller import main  # what only this command needs is loaded only for it

    settings = settings_from(args)
    if settings.charts_dir and not Path(settings.charts_dir).is_dir():
        raise CommandError(f"--charts-dir: {settings.charts_dir} is not a folder", status=2)
    try:
        if settings.dry_run:
            return print_rounds(main.preview(settings))
        main.run(settings)
    except main.StartError as error:
        raise CommandError(str(error), error.status) from error
    return 0


def print_rounds(rounds: Mapping[str, Round]) -> int:
    """For each tenant its phase and what would be done; 1 if one of them can't have what it wants."""
    for tenant, one in rounds.items():
        say(f"{tenant}: {one.plan.phase} ({one.plan.reason}): {one.plan.message}")
        for action in one.plan.actions:
            say(f"  - {action.describe()}")
    changed = sum(bool(one.plan.actions) for one in rounds.values())
    say(f"{words.count(len(rounds), 'tenant')}, {changed} to be changed")
    return 1 if any(one.plan.phase == "Failed" for one in rounds.values()) else 0


def settings_from(args: argparse.Namespace) -> ControllerSettings:
    """What was asked for."""
    return ControllerSettings(
        namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        context=args.context,
        identity=args.identity,
        admin_port=args.admin_port,
        admin_bind=args.admin_bind,
        helm=args.helm,
        work_dir=args.work_dir,
        chart=args.chart,
        chart_version=args.chart_version,
        chart_repository=args.chart_repository,
        chart_registries=args.chart_registries or (),
        charts_dir=args.charts_dir,
        chart_plain_http=args.chart_plain_http,
        shared_namespaces=args.shared_namespaces,
        parallel=args.parallel,
        resync_seconds=args.resync_seconds,
        withdraw_seconds=args.withdraw_seconds,
        operation_seconds=args.operation_seconds,
        rollout_seconds=args.rollout_seconds,
        lease_seconds=args.lease_seconds,
        dry_run=args.dry_run,
    )
