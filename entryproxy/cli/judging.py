"""Objects from a folder or a cluster, read once, and what the compiler makes of them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import msgspec

from entryproxy.cli.cluster import on_cluster
from entryproxy.cli.output import CommandError
from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.config.folder import FolderSource
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.model.reading import Reading


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One reading, compiled. findings: of the source and of the compiler, errors first. now: Unix seconds."""

    reading: Reading
    compilation: Compilation
    findings: tuple[Finding, ...]
    now: float


def add_folder_argument(parser: argparse.ArgumentParser) -> None:
    """DIR, without which the cluster is meant."""
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", help="folder of Kubernetes objects as YAML, else the cluster"
    )


def judge(args: argparse.Namespace) -> Judgement:
    """What the arguments name, a folder or a cluster; raises CommandError."""
    if args.folder is None:
        return compile_reading(on_cluster(args, lambda access: access.read()), endpoints_known=True)
    folder = Path(args.folder)
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder", status=2)
    return compile_reading(FolderSource(folder, namespace=args.namespace).load(), endpoints_known=False)


def compile_reading(reading: Reading, *, endpoints_known: bool) -> Judgement:
    """All objects of a first reading, judged as the entry would. endpoints_known: the source knows EndpointSlices."""
    now = time.time()
    compilation = Compiler(parse_yaml, endpoints_known=endpoints_known).compile(reading, now)
    findings = sorted((*reading.findings, *compilation.findings), key=finding_order)
    return Judgement(reading=reading, compilation=compilation, findings=tuple(findings), now=now)


def finding_order(finding: Finding) -> tuple[str, str, str, str]:
    """Errors first, then by object."""
    return finding.severity, finding.object, finding.field, finding.message
