"""A tenant's document for those who make its gateway, judged as the entry judges it."""

from __future__ import annotations

from entryproxy.compiler.documents import ParseYaml, validate
from entryproxy.compiler.tenants import DOCUMENT, parse_tenant
from entryproxy.model.objects import LabelledConfigMap
from entryproxy.model.tenant import TenantSpec


def read_tenant_spec(config_map: LabelledConfigMap, parse_yaml: ParseYaml) -> TenantSpec:
    """What the ConfigMap says. Raises Rejected for whatever the compiler would reject, in any part of the document: a
    version that doesn't come in force must not install anything either."""
    draft, _ = parse_tenant(config_map, parse_yaml, endpoints_known=True)
    return validate(DOCUMENT, draft.document, TenantSpec)
