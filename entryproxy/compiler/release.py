"""What a tenant's document says about its release and its namespace, beyond the types of its fields.

The entry uses nothing of it, but it is the one that tells an operator, and `entryproxy check` before that.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from entryproxy.compiler.findings import Rejected
from entryproxy.model.quantity import parse_quantity
from entryproxy.model.release import NamespaceSpec, ReleaseSpec, check_chart, check_version, parse_admin


def check_release(document: str, release: ReleaseSpec | None, namespace: NamespaceSpec) -> None:
    """Raises Rejected with the path of the first field that can't be. document: the key, "tenant.yaml"."""
    if release is not None:
        _check(f"{document}: $.release.chart", release.chart, check_chart)
        _check(f"{document}: $.release.version", release.version, check_version)
    for resource, quantity in msgspec.structs.asdict(namespace.quota).items():
        _check(f"{document}: $.namespace.quota.{resource}", quantity, _check_amount)
    for number, admin in enumerate(namespace.admins):
        _check(f"{document}: $.namespace.admins[{number}]", admin, parse_admin, is_optional=False)


def _check(field: str, text: str, check: Callable[[str], object], *, is_optional: bool = True) -> None:
    if is_optional and not text:
        return
    try:
        check(text)
    except ValueError as problem:
        raise Rejected(field, str(problem)) from problem


def _check_amount(text: str) -> None:
    if parse_quantity(text) < 0:
        raise ValueError(f'"{text}" is less than nothing')
