"""`entryproxy serve`: the data plane."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from entryproxy.cli import options
from entryproxy.model.hostname import is_label
from entryproxy.settings import ServeSettings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "serve", help="serve traffic", description="Serve traffic until a signal ends it.", allow_abbrev=False
    )
    defaults = ServeSettings(source="")
    _add_source_options(parser, defaults)
    _add_listening_options(parser, defaults)
    _add_life_options(parser, defaults)
    parser.set_defaults(run=run)


def _add_source_options(parser: argparse.ArgumentParser, defaults: ServeSettings) -> None:
    """Where the configuration comes from."""
    options.add_option(
        parser,
        "source",
        _source,
        None,
        "the cluster, or a folder of Kubernetes objects; watched",
        metavar="kubernetes|DIR",
    )
    options.add_option(
        parser,
        "namespace",
        _namespace,
        defaults.namespace,
        "namespace of the entry, and of a folder's objects that name none",
        metavar="NAME",
    )
    options.add_option(parser, "kubeconfig", str, "", "leads to the cluster, instead of the pod's own", metavar="FILE")
    options.add_option(parser, "context", str, "", "of the kubeconfig, when it isn't the current one", metavar="NAME")
    options.add_option(
        parser, "zone", str, "", "zone of this pod: endpoints in it are preferred when they have one", metavar="NAME"
    )


def _add_listening_options(parser: argparse.ArgumentParser, defaults: ServeSettings) -> None:
    """Where traffic, and questions about it, come in."""
    options.add_option(parser, "bind", options.address, defaults.bind, "where to accept traffic", metavar="ADDRESS")
    options.add_option(parser, "https-port", options.port, str(defaults.https_port), "TLS port", metavar="PORT")
    options.add_option(parser, "http-port", options.port, str(defaults.http_port), "plain port", metavar="PORT")
    options.add_option(
        parser,
        "admin-port",
        options.port,
        str(defaults.admin_port),
        "health, metrics, API; not for the Internet",
        metavar="PORT",
    )
    options.add_option(
        parser, "admin-bind", options.address, defaults.admin_bind, "where the admin port listens", metavar="ADDRESS"
    )
    options.add_option(
        parser,
        "proxy-protocol",
        options.on_off,
        "off",
        "expect PROXY v1 or v2 in front of TLS from trusted proxies",
        metavar="on|off",
    )


def _add_life_options(parser: argparse.ArgumentParser, defaults: ServeSettings) -> None:
    """Processes, what they keep, and how they end."""
    options.add_option(
        parser, "workers", options.workers, str(_cores()), "processes that handle traffic", metavar="NUMBER"
    )
    options.add_option(
        parser, "state-dir", str, "", "where the last good configuration outlives the container", metavar="DIR"
    )
    options.add_option(
        parser,
        "drain-delay",
        options.seconds,
        f"{defaults.drain_delay_seconds:g}",
        "seconds from SIGTERM until new connections are refused",
        metavar="SECONDS",
    )
    options.add_option(
        parser,
        "drain-timeout",
        options.seconds,
        f"{defaults.drain_timeout_seconds:g}",
        "seconds that connections then get to end",
        metavar="SECONDS",
    )


def run(args: argparse.Namespace) -> int:
    """Serve in the foreground; the exit status."""
    from entryproxy.process.serve import serve  # commands that only read a folder need none of what serves

    return serve(settings_from(args))


def settings_from(args: argparse.Namespace) -> ServeSettings:
    """What was asked for."""
    return ServeSettings(
        source=args.source,
        namespace=args.namespace,
        kubeconfig=args.kubeconfig,
        context=args.context,
        zone=args.zone,
        bind=args.bind,
        https_port=args.https_port,
        http_port=args.http_port,
        admin_port=args.admin_port,
        admin_bind=args.admin_bind,
        workers=args.workers,
        proxy_protocol=args.proxy_protocol,
        state_dir=args.state_dir or None,
        drain_delay_seconds=args.drain_delay,
        drain_timeout_seconds=args.drain_timeout,
    )


def _source(text: str) -> str:
    if text != "kubernetes" and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return text


def _namespace(text: str) -> str:
    if not is_label(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a namespace")
    return text


def _cores() -> int:
    return min(len(os.sched_getaffinity(0)), options.WORKERS_MAX)
