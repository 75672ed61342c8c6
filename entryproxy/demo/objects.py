"""The demo's Kubernetes objects as text: written to be read and edited by a person, as one would keep them in Git."""

from __future__ import annotations

import textwrap

from entryproxy.demo.authority import IssuedCertificate
from entryproxy.model.objects import TENANT_LABEL, TLS_SECRET_TYPE

NAMESPACE = "higress-system"


def config_map(name: str, tenant: str, key: str, text: str) -> str:
    """A ConfigMap with our label and one key, whose value is the YAML `text`."""
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {NAMESPACE}
  labels: {{{TENANT_LABEL}: {tenant}}}
data:
  {key}: |
{textwrap.indent(text, "    ")}"""


def tls_secret(name: str, tenant: str, certificate: IssuedCertificate) -> str:
    """A kubernetes.io/tls Secret with our label, its material as readable PEM (`stringData`)."""
    return f"""\
apiVersion: v1
kind: Secret
type: {TLS_SECRET_TYPE}
metadata:
  name: {name}
  namespace: {NAMESPACE}
  labels: {{{TENANT_LABEL}: {tenant}}}
stringData:
  tls.crt: |
{textwrap.indent(certificate.certificate_pem, "    ")}\
  tls.key: |
{textwrap.indent(certificate.key_pem, "    ")}"""


def documents(*texts: str) -> str:
    """Several objects in one file."""
    return "---\n".join(texts)
