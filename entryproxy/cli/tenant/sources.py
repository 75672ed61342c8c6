"""--source: where `tenant list` and `tenant show` read."""

from __future__ import annotations

import argparse

from entryproxy.cli import options
from entryproxy.cli.cluster import add_cluster_options
from entryproxy.cli.judging import Judgement, judge
from entryproxy.cli.output import add_output_argument, complain

CLUSTER = "kubernetes"


def add_source_options(parser: argparse.ArgumentParser, *formats: str) -> None:
    """--source, the cluster's options, and -o with these formats."""
    options.add_option(
        parser, "source", str, CLUSTER, "the cluster, or a folder of Kubernetes objects", metavar="kubernetes|DIR"
    )
    add_cluster_options(parser)
    add_output_argument(parser, *formats)


def judge_source(args: argparse.Namespace) -> Judgement:
    """What --source names; raises CommandError. Warns when nothing of it is served."""
    args.folder = None if args.source == CLUSTER else args.source
    judgement = judge(args)
    if judgement.compilation.platform is None:
        complain("warning: no settings are in force, so nothing is served")
    return judgement
