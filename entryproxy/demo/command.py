"""`entryproxy demo`: write the folder, start the gateways, serve, say what to try, end everything at Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import errno
import http.client
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from entryproxy.demo.folder import NEW_TENANT, DemoFolder, FolderError
from entryproxy.demo.processes import Child, SignalWaiter, start_gateways
from entryproxy.demo.steps import Ports, Step, make_steps
from entryproxy.settings import from_environment

_ADDRESS = "127.0.0.1"
_TENANTS = ("tenant1", "tenant2", "tenant3", NEW_TENANT)
_WORKERS_MAX = 64
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 5
_STOP_SECONDS = 15.0  # the entry's drain, and some more


class _DemoError(Exception):
    """The demo can't go on; the message is for the person who started it."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `demo` command."""
    parser = subparsers.add_parser(
        "demo",
        help="try everything on this machine, no cluster needed",
        description=(
            "Makes a CA, certificates, tenants and stand-in gateways, serves them on 127.0.0.1 "
            "and prints commands to try."
        ),
    )
    _add_option(parser, "dir", Path, "demo", "folder to write to")
    _add_option(parser, "https-port", _port, "8443", "TLS port, 0 for a free one")
    _add_option(parser, "http-port", _port, "8080", "plain port, 0 for a free one")
    _add_option(parser, "admin-port", _port, "9090", "health, metrics, API; 0 for a free one")
    _add_option(parser, "workers", _workers, "2", "processes that handle traffic")
    parser.set_defaults(run=run)


def _add_option(
    parser: argparse.ArgumentParser, name: str, parse: Callable[[str], object], default: str, text: str
) -> None:
    # A default that is text goes through `parse` too, so that a bad value in the environment names the option.
    value = from_environment(name) or default
    parser.add_argument(
        f"--{name}",
        type=parse,
        default=value,
        metavar=name.rpartition("-")[2].upper(),
        help=f"{text} (default {default})",
    )


def _port(text: str) -> int:
    return _integer(text, 0, 65_535)


def _workers(text: str) -> int:
    return _integer(text, 1, _WORKERS_MAX)


def _integer(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and lowest <= int(text) <= highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run until a signal. 0 when told to stop, 1 with one sentence on standard error when something is in the way."""
    try:
        with SignalWaiter() as waiter, contextlib.ExitStack() as cleanup:
            ports = choose_ports(args, cleanup)
            folder = DemoFolder(args.dir)
            gateways, addresses = start_gateways(_TENANTS)
            cleanup.callback(gateways.stop, _STOP_SECONDS)
            folder.write(addresses)
            entry = _start_entry(folder, ports, args.workers)
            cleanup.callback(entry.stop, _STOP_SECONDS)
            _wait_ready(entry, ports.admin, waiter)
            if not waiter.stopped:
                _print_steps(folder, ports, make_steps(folder, ports, addresses[NEW_TENANT]))
            _watch(waiter, {"the entry": entry, "the stand-in gateways": gateways})
    except (_DemoError, FolderError, OSError) as error:
        print(f"entryproxy demo: {error}", file=sys.stderr)
        return 1
    return 0


def choose_ports(args: argparse.Namespace, held: contextlib.ExitStack) -> Ports:
    """The ports asked for, checked, or free ones in place of 0. They stay bound until `held` is closed: the system
    gives them to nobody else before the entry listens there."""
    chosen: list[int] = []
    for option in ("https_port", "http_port", "admin_port"):
        chosen.append(_hold(option.replace("_", "-"), getattr(args, option), chosen, held))
    return Ports(*chosen)


def _hold(option: str, port: int, others: Sequence[int], held: contextlib.ExitStack) -> int:
    """Bound and not listening: with SO_REUSEADDR on both sides, as `listen_on` has it, Linux lets one other listen."""
    sock = held.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if port in others:
            raise OSError(errno.EADDRINUSE, "")
        sock.bind((_ADDRESS, port))
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        raise _DemoError(f"port {port} {reason}: choose another with --{option}, 0 takes a free one") from None
    number: int = sock.getsockname()[1]
    return number


def _start_entry(folder: DemoFolder, ports: Ports, workers: int) -> Child:
    """The product itself, as anybody would start it."""
    options = {
        "source": folder.source,
        "bind": _ADDRESS,
        "https-port": ports.https,
        "http-port": ports.http,
        "admin-port": ports.admin,
        "admin-bind": _ADDRESS,
        "workers": workers,
        "proxy-protocol": "off",
        "state-dir": "",
        "drain-delay": 0,
        "drain-timeout": _DRAIN_SECONDS,
    }
    return Child("entryproxy", ["serve", *(f"--{name}={value}" for name, value in options.items())])


def _wait_ready(entry: Child, admin_port: int, waiter: SignalWaiter) -> None:
    """Return when the first configuration is in force, or at a signal to stop."""
    deadline = time.monotonic() + _READY_SECONDS
    while not waiter.stopped and not _is_ready(admin_port):
        if entry.status is not None:
            raise _DemoError(f"the entry ended with status {entry.status} instead of serving")
        if time.monotonic() > deadline:
            raise _DemoError(f"the entry is not ready after {_READY_SECONDS:g} seconds")
        waiter.wait(_POLL_SECONDS)


def _is_ready(admin_port: int) -> bool:
    connection = http.client.HTTPConnection(_ADDRESS, admin_port, timeout=5.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _print_steps(folder: DemoFolder, ports: Ports, steps: list[Step]) -> None:
    print(
        f"\n# Serving on {_ADDRESS}: https {ports.https}, http {ports.http}, admin http://{_ADDRESS}:{ports.admin}/\n"
        f"# Objects: {folder.source} (watched: change them while it runs)\n"
        "# Gateways: stand-ins of the demo, not real ones.\n"
        "# Paste what follows into another terminal; each request is logged at the end of this output.\n"
    )
    for step in steps:
        print(f"# {step.title}\n{step.command}\n")
    print("# Ctrl-C ends the demo.\n", flush=True)


def _watch(waiter: SignalWaiter, children: dict[str, Child]) -> None:
    """Wait for a signal to stop; that a child ends first is an error."""
    while not waiter.stopped:
        for name, child in children.items():
            if child.status is not None:
                raise _DemoError(f"{name} ended with status {child.status}")
        waiter.wait()
