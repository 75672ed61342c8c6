"""`entryproxy check DIR`: what the compiler has to say about a folder, without serving it."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from entryproxy.compiler.compile import Compilation, Compiler
from entryproxy.config.folder import FolderSource
from entryproxy.config.yaml import parse_yaml
from entryproxy.model.finding import Finding
from entryproxy.settings import from_environment

_NO_FOLDER = "entryproxy: without DIR the cluster would be judged, which this version can't do yet; name a folder"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "check",
        help="judge a folder of objects: conflicts, uncovered hosts, bad or expiring certificates",
        description="Judge a folder of objects as the entry would. Exit 1 when something is not in force as written.",
    )
    add_folder_argument(parser)
    add_output_argument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 without errors, 1 with, 2 when there is no folder to judge."""
    folder = folder_of(args)
    if folder is None:
        return 2
    compilation, findings = compile_folder(folder)
    findings = sorted(findings, key=_order)
    errors = sum(one.severity == "error" for one in findings)
    if args.output == "json":
        summary = {"tenants": len(compilation.tenants), "errors": errors, "warnings": len(findings) - errors}
        print(msgspec.json.encode({"findings": findings, "summary": summary}).decode())
    else:
        for one in findings:
            print(one)
        print(_summarize(compilation, findings))
    return 1 if errors else 0


def add_folder_argument(parser: argparse.ArgumentParser) -> None:
    """DIR, optional on the command line because without it the cluster is meant."""
    parser.add_argument("folder", metavar="DIR", nargs="?", help="folder of Kubernetes objects as YAML")


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    """-o text or json."""
    default = from_environment("output") or "text"
    parser.add_argument(
        "-o",
        "--output",
        type=_output,
        default=default,
        metavar="FORMAT",
        help=f"text or json (default {default}; ENTRYPROXY_OUTPUT)",
    )


def _output(text: str) -> str:
    if text not in ("text", "json"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither text nor json")
    return text


def folder_of(args: argparse.Namespace) -> Path | None:
    """The folder that the arguments name, or None after saying why there is none."""
    if args.folder is None:
        print(_NO_FOLDER, file=sys.stderr)
        return None
    folder = Path(args.folder)
    if not folder.is_dir():
        print(f"entryproxy: {folder} is not a folder", file=sys.stderr)
        return None
    return folder


def compile_folder(folder: Path) -> tuple[Compilation, list[Finding]]:
    """A folder compiled once, with the findings of the source and of the compiler."""
    objects, unreadable = FolderSource(folder).load()
    compilation = Compiler(parse_yaml).compile(objects, time.time())
    return compilation, [*unreadable, *compilation.findings]


def _order(finding: Finding) -> tuple[str, str, str, str]:
    return finding.severity, finding.object, finding.field, finding.message


def _summarize(compilation: Compilation, findings: list[Finding]) -> str:
    counts = Counter(one.severity for one in findings)
    certificates = sum(len(one.certificates) for one in compilation.tenants.values())
    if compilation.platform is not None:
        certificates += len(compilation.platform.certificates)
    return (
        f"{_count(len(compilation.tenants), 'tenant')} and {_count(certificates, 'certificate')} in force, "
        f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
