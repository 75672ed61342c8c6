"""What `tenant.yaml` says about the tenant's own gateway: the release that makes it, and the namespace around it.

The entry checks these parts and makes no use of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from entryproxy.model.document import Document
from entryproxy.model.hostname import is_label
from entryproxy.model.printable import UNPRINTABLE

Profile = Literal["prod", "staging", "test", "dev"]
Isolation = Literal["namespace", "class", "shared"]
ADMINS_MAX = 100
SUBJECT_CHARACTERS_MAX = 253
CHART_CHARACTERS_MAX = 500
VERSION_CHARACTERS_MAX = 128

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?(?:(?:0|[1-9][0-9]*)\.){{2}}(?:0|[1-9][0-9]*)(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class ReleaseSpec(Document, frozen=True, kw_only=True):
    """`release` as written. chart: a name in the configured repository, an oci:// reference or a path; "" for the
    operator's choice, as for version. values: the chart's own, which win over ours."""

    enabled: bool = True
    chart: str = ""
    version: str = ""
    profile: Profile = "prod"
    isolation: Isolation = "namespace"
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    gateway_api: bool = msgspec.field(default=False, name="gatewayAPI")
    istio_api: bool = msgspec.field(default=False, name="istioAPI")


class QuotaSpec(Document, frozen=True, kw_only=True, gc=False):
    """Kubernetes quantities, see `model.quantity`; "" for no quota."""

    cpu: str = ""
    memory: str = ""
    storage: str = ""


class NamespaceSpec(Document, frozen=True, kw_only=True):
    """`namespace` as written. admins: who administers the namespace, see `parse_admin`."""

    quota: QuotaSpec = QuotaSpec()
    admins: Annotated[tuple[str, ...], msgspec.Meta(max_length=ADMINS_MAX)] = ()
    network_policy: bool = True


class Subject(msgspec.Struct, frozen=True):
    """Whom a RoleBinding names (rbac.authorization.k8s.io/v1). namespace: of a ServiceAccount, "" for others."""

    kind: Literal["Group", "User", "ServiceAccount"]
    name: str
    namespace: str = ""


def parse_admin(text: str) -> Subject:
    """ "group:NAME", "user:NAME" or "serviceaccount:NAMESPACE/NAME"; raises ValueError with a sentence.

    Names of groups and users are opaque to Kubernetes and may hold colons: "user:system:serviceaccount:a:b" is one.
    """
    kind, _, name = text.partition(":")
    if not name or name != name.strip() or len(name) > SUBJECT_CHARACTERS_MAX or UNPRINTABLE.search(name):
        raise ValueError(_not_an_admin(text))
    match kind:
        case "group":
            return Subject("Group", name)
        case "user":
            return Subject("User", name)
        case "serviceaccount":
            namespace, _, account = name.partition("/")
            if is_label(namespace) and _SUBDOMAIN.fullmatch(account):
                return Subject("ServiceAccount", account, namespace)
    raise ValueError(_not_an_admin(text))


def _not_an_admin(text: str) -> str:
    return f'"{text}" is not "group:NAME", "user:NAME" or "serviceaccount:NAMESPACE/NAME"'


def check_chart(text: str) -> None:
    """Raises ValueError with a sentence for what can't be a chart. A leading "-" would be an option of the command line
    that fetches it, and other schemes than oci:// would let a document choose any server."""
    if len(text) > CHART_CHARACTERS_MAX or UNPRINTABLE.search(text) or " " in text or text.startswith("-"):
        raise ValueError(f'"{text[:CHART_CHARACTERS_MAX]}" is not a chart: a name, an oci:// reference or a path')
    if "://" in text and not text.startswith("oci://"):
        raise ValueError(f'"{text}" is not a chart: of references by URL, only oci:// is one')


def check_version(text: str) -> None:
    """Raises ValueError with a sentence unless `text` is one version (SemVer 2.0.0), "v" in front or not: a range would
    install something else on another day."""
    if len(text) > VERSION_CHARACTERS_MAX or _VERSION.fullmatch(text) is None:
        raise ValueError(f'"{text[:VERSION_CHARACTERS_MAX]}" is not one exact version such as "2.2.1"')
