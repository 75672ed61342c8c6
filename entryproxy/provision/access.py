"""What a tenant's admins may do, in the tenant's namespace only: a Role, never a ClusterRole.

They see everything but Secrets, and change what configures their gateway. Two things are left out on purpose:

- Secrets, with every verb. RBAC can't tell types apart, and Helm's release Secrets are among them: whoever writes one
  chooses what the next rollback applies with the platform's rights, and `create` is enough for that, with a higher
  revision. Certificates belong into the entry's namespace anyway.
- Pods and whatever makes them, `exec` included: who starts a pod picks its ServiceAccount, and who enters one has its
  token. The controller's reaches further than its tenant.
"""

from __future__ import annotations

from collections.abc import Mapping

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")

ADMIN_RULES: tuple[Mapping[str, tuple[str, ...]], ...] = (
    {
        "apiGroups": ("",),
        "resources": ("pods", "pods/log", "endpoints", "events", "resourcequotas", "limitranges", "serviceaccounts"),
        "verbs": READ,
    },
    {"apiGroups": ("",), "resources": ("configmaps", "services"), "verbs": READ + WRITE},
    {"apiGroups": ("apps",), "resources": ("deployments", "replicasets"), "verbs": READ},
    {"apiGroups": ("autoscaling",), "resources": ("horizontalpodautoscalers",), "verbs": READ},
    {"apiGroups": ("discovery.k8s.io",), "resources": ("endpointslices",), "verbs": READ},
    {"apiGroups": ("networking.k8s.io",), "resources": ("networkpolicies",), "verbs": READ},
    {"apiGroups": ("networking.k8s.io",), "resources": ("ingresses",), "verbs": READ + WRITE},
    {"apiGroups": ("networking.istio.io",), "resources": ("envoyfilters",), "verbs": READ},
    {"apiGroups": ("extensions.higress.io",), "resources": ("wasmplugins",), "verbs": READ + WRITE},
    {"apiGroups": ("networking.higress.io",), "resources": ("http2rpcs", "mcpbridges"), "verbs": READ + WRITE},
)
