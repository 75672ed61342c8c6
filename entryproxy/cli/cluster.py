"""A command and a cluster: the options that say which one, and the client for as long as the command needs it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from entryproxy.cli import options
from entryproxy.cli.output import CommandError
from entryproxy.settings import ServeSettings

if TYPE_CHECKING:
    from entryproxy.cli.access import ClusterAccess

T = TypeVar("T")


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """--kubeconfig, --context and --namespace."""
    options.add_option(
        parser,
        "kubeconfig",
        str,
        "",
        "leads to the cluster; without it the pod's own, else $KUBECONFIG or ~/.kube/config",
        metavar="FILE",
    )
    options.add_option(parser, "context", str, "", "of the kubeconfig; without it the current one", metavar="NAME")
    add_namespace_option(parser)


def add_namespace_option(parser: argparse.ArgumentParser) -> None:
    """--namespace."""
    default = ServeSettings(source="").namespace
    options.add_option(parser, "namespace", options.label, default, "where the entry runs", metavar="NAME")


def on_cluster(args: argparse.Namespace, work: Callable[[ClusterAccess], Awaitable[T]]) -> T:
    """What `work` gives, run against the cluster that the arguments name; raises CommandError."""
    return asyncio.run(_with_access(args, work))


async def _with_access(args: argparse.Namespace, work: Callable[[ClusterAccess], Awaitable[T]]) -> T:
    from entryproxy.cli.access import ClusterAccess  # aiohttp costs what reads a folder, or serves, a sixth of a second
    from entryproxy.kubernetes.client import CredentialsError, connect

    try:
        client = await connect(args.kubeconfig, args.context)
    except CredentialsError as problem:
        message = f"no way to a cluster: {problem}\n  --kubeconfig and --context say which one; "
        raise CommandError(f"{message}check, explain and migrate also take a folder.", status=2) from None
    async with client:
        return await work(ClusterAccess(client, args.namespace))
