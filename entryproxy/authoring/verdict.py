"""Whether a change may be written: what the compiler says with it against what it says without it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from entryproxy.compiler.tenants import DOCUMENT
from entryproxy.model.finding import Finding


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """refused: what the change would bring about and must not. remarks: what else is to be said about the tenant."""

    refused: tuple[Finding, ...]
    remarks: tuple[Finding, ...]


def judge_change(
    tenant: str, before: Iterable[Finding], after: Iterable[Finding], *, allow_uncovered: bool = False
) -> Verdict:
    """An error that was not there before is refused, whoever's it would be: an older tenant could take a host away from
    a younger one. So is a domain that no certificate covers, unless `allow_uncovered`.

    What was wrong before is no reason: one must be able to mend things one at a time.
    """
    known = set(before)
    refused, remarks = [], []
    for one in after:
        is_refused = one.severity == "error" or (_is_uncovered_domain(one) and not allow_uncovered)
        if is_refused and one not in known:
            refused.append(one)
        elif one.tenant == tenant:
            remarks.append(one)
    return Verdict(refused=tuple(refused), remarks=tuple(remarks))


def _is_uncovered_domain(finding: Finding) -> bool:
    """A custom domain: clients would be refused in the handshake. A system host gets the platform's certificate
    (routing rule 6), so that one is only a remark."""
    return finding.reason == "UncoveredHost" and finding.field.startswith(f"{DOCUMENT}: $.domains")
