"""Options → what is wanted of a tenant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from entryproxy.authoring.wish import WantedCertificate, Wish
from entryproxy.cli import options
from entryproxy.compiler.certificates import PEM_BYTES_MAX
from entryproxy.model.hostname import TENANT_ID_CHARACTERS_MAX, is_hostname, is_label, is_tenant_id
from entryproxy.model.secret import PrivateBytes


class _Field(NamedTuple):
    """An option and the field of `tenant.yaml` that it writes."""

    option: str
    path: str
    parse: Callable[[str], Any]
    metavar: str
    text: str


_LISTS = (
    _Field("domain", "domains", str, "HOST", "a custom domain, exact or *.name"),
    _Field(
        "admin",
        "namespace.admins",
        str,
        "SUBJECT",
        "group:NAME, user:NAME or serviceaccount:NAMESPACE/NAME; needs a release",
    ),
    _Field("address", "gateway.addresses", str, "HOST:PORT", "of a gateway outside the cluster, instead of a Service"),
)
_RELEASE = (
    _Field("release", "release.enabled", options.on_off, "on|off", "whether the controller makes the gateway"),
    _Field(
        "profile",
        "release.profile",
        options.choice("prod", "staging", "test", "dev"),
        "NAME",
        "size of the gateway that the controller makes: prod, staging, test or dev",
    ),
    _Field("chart", "release.chart", str, "CHART", "of that gateway, without it the controller's"),
    _Field("chart-version", "release.version", str, "VERSION", "of that chart, exactly"),
    _Field(
        "isolation",
        "release.isolation",
        options.choice("namespace", "class", "shared"),
        "NAME",
        "from other tenants' gateways: namespace, class or shared",
    ),
    _Field("quota-cpu", "namespace.quota.cpu", str, "QUANTITY", "requests of the namespace in all; needs a release"),
    _Field(
        "quota-memory", "namespace.quota.memory", str, "QUANTITY", "requests of the namespace in all; needs a release"
    ),
    _Field(
        "quota-storage", "namespace.quota.storage", str, "QUANTITY", "requests of the namespace in all; needs a release"
    ),
    _Field(
        "network-policy",
        "namespace.networkPolicy",
        options.on_off,
        "on|off",
        "whether only the entry may dial it",
    ),
)
# What a field may hold is the compiler's to judge, so that one place knows it; here only text becomes what YAML has.
_VALUES = (
    _Field("gateway-namespace", "gateway.namespace", options.label, "NAME", "of the gateway's Service"),
    _Field("gateway-service", "gateway.service", options.label, "NAME", "the gateway's Service"),
    _Field(
        "gateway-port", "gateway.port", lambda text: int(text) if text.isdigit() else text, "PORT", "of the gateway"
    ),
    _Field(
        "gateway-protocol", "gateway.protocol", options.choice("http", "https", "h2c"), "NAME", "http, https or h2c"
    ),
    _Field("gateway-server-name", "gateway.serverName", str, "HOST", "that an https gateway's certificate must carry"),
    _Field("balance", "gateway.balance", options.choice("service", "endpoints"), "NAME", "service or endpoints"),
    _Field("https-redirect", "httpsRedirect", options.on_off, "on|off", "whether the plain port redirects"),
    _Field("hsts", "hsts", options.on_off, "on|off", "whether to send Strict-Transport-Security"),
    _Field("requests-per-second", "limits.requestsPerSecond", options.count, "NUMBER", "0 for no limit"),
    _Field("connections", "limits.connections", options.count, "NUMBER", "concurrent requests, 0 for no limit"),
    _Field("request-body-bytes", "limits.requestBodyBytes", options.count, "BYTES", "0 for no limit"),
    _Field("connect-timeout", "timeouts.connect", options.seconds, "SECONDS", "for each address of the gateway"),
    _Field("first-byte-timeout", "timeouts.firstByte", options.seconds, "SECONDS", "until the answer begins"),
    _Field("idle-timeout", "timeouts.idle", options.seconds, "SECONDS", "between two pieces of a body or tunnel"),
)
_UNSET = "without it as it was, or the field's default"


def add_id_argument(parser: argparse.ArgumentParser) -> None:
    """ID, which must be one."""
    parser.add_argument("id", metavar="ID", type=_tenant_id, help="the tenant")


def add_wish_arguments(parser: argparse.ArgumentParser) -> None:
    """ID and everything that can be asked for; what isn't asked for isn't written."""
    add_id_argument(parser)
    for one in _LISTS:
        options.add_list_option(parser, one.option, one.parse, one.text, metavar=one.metavar)
    for one in (*_VALUES, *_RELEASE):
        options.add_option(
            parser, one.option, options.optional(one.parse), "", one.text, metavar=one.metavar, unset=_UNSET
        )
    options.add_option(
        parser,
        "gateway-ca",
        options.optional(_read_text),
        "",
        "certificates (PEM) that an https gateway is verified against",
        metavar="FILE",
        unset=_UNSET,
    )
    options.add_list_option(
        parser,
        "certificate",
        _certificate,
        "a Secret NAME with this chain and key (PEM)",
        metavar="NAME=CERTIFICATE,KEY",
        separator=";",
    )


def wish_of(args: argparse.Namespace) -> Wish:
    """What the arguments ask for."""
    asked = ((one.path, getattr(args, one.option.replace("-", "_"))) for one in (*_LISTS, *_VALUES, *_RELEASE))
    return Wish(
        tenant=args.id,
        namespace=args.namespace,
        fields={path: value for path, value in asked if value is not None},
        gateway_ca_pem=args.gateway_ca,
        certificates=args.certificate or (),
    )


def _tenant_id(text: str) -> str:
    if not is_tenant_id(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a tenant id: a DNS label in lower case, at most {TENANT_ID_CHARACTERS_MAX} characters, "
            "and not system"
        )
    return text


def _certificate(text: str) -> WantedCertificate:
    name, equals, files = text.partition("=")
    certificate, comma, key = files.partition(",")
    if not (equals and comma and certificate and key) or "," in key:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CERTIFICATE,KEY")
    if not (is_label(name) or is_hostname(name)):
        raise argparse.ArgumentTypeError(f"{name!r} is not the name of a Secret")
    return WantedCertificate(
        name=name, certificate_pem=_read(certificate), key_pem=PrivateBytes(_read(key)), origin=(certificate, key)
    )


def _read_text(path: str) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{path} is no text") from None


def _read(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(PEM_BYTES_MAX + 1)
    except OSError as problem:
        raise argparse.ArgumentTypeError(f"can't read {path}: {problem.strerror}") from None
    if len(content) > PEM_BYTES_MAX:
        raise argparse.ArgumentTypeError(f"{path} has more than {PEM_BYTES_MAX} bytes")
    return content
