"""A plan → files to write: labelled objects, one file a tenant, and how its certificates get there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from entryproxy.authoring.objects import config_map, tls_secret
from entryproxy.compiler.platform import DOCUMENT as SETTINGS
from entryproxy.compiler.tenants import DOCUMENT
from entryproxy.migrate.certificates import CertificatePlan, Pair
from entryproxy.migrate.plan import Plan
from entryproxy.migrate.report import Report
from entryproxy.model.hostname import SYSTEM
from entryproxy.model.objects import TENANT_LABEL

SETTINGS_FILE = "settings.yaml"
SECRETS_FILE = "secrets.yaml"
CERTIFICATES_FILE = "certificates.yaml"
COMMANDS_FILE = "copy-secrets.sh"
SETTINGS_NAME = "entryproxy-settings"
SEPARATOR = "---\n"

WriteYaml = Callable[[object], str]
"""Plain data → one YAML document as text."""

_COMMANDS_HEAD = """\
#!/usr/bin/env bash
# Copies TLS Secrets to the entry's namespace and labels them. Keys go from kubectl to kubectl, never to a disk.
set -euo pipefail

copy() { # namespace and name today, name to be, owner
  field() { kubectl get secret "$2" --namespace "$1" -o go-template="{{index .data \\"$3\\" | base64decode}}"; }
  kubectl create secret tls "$3" --namespace "$entry" --dry-run=client -o yaml \\
    --cert=<(field "$1" "$2" tls.crt) --key=<(field "$1" "$2" tls.key) |
    kubectl label --local -f - "$label=$4" -o yaml |
    kubectl apply --server-side -f -
}

"""


class File(msgspec.Struct, frozen=True):
    """is_private: it holds key material, so that nobody but its owner may read it."""

    name: str
    text: str
    is_private: bool = False


def write_files(plan: Plan, namespace: str, write_yaml: WriteYaml) -> list[File]:
    """Everything to put into the output folder. namespace: the entry's."""
    report = plan.report
    files = []
    if report.settings.is_written:
        text = _config_map(namespace, SETTINGS_NAME, SYSTEM, report.settings.document, write_yaml)
        files.append(File(SETTINGS_FILE, text))
    files += [
        File(f"tenant-{one.id}.yaml", _config_map(namespace, one.id, one.id, one.document, write_yaml))
        for one in report.tenants
    ]
    certificates = list(_certificates(report))
    with_pair = [one for one in certificates if one.name in plan.pairs]
    if with_pair:
        texts = [_secret(namespace, one, plan.pairs[one.name], write_yaml) for one in with_pair]
        files.append(File(SECRETS_FILE, SEPARATOR.join(texts), is_private=True))
    if issued := [_certificate(namespace, one, write_yaml) for one in certificates if one.issuer is not None]:
        files.append(File(CERTIFICATES_FILE, SEPARATOR.join(issued)))
    if copied := [one for one in certificates if one.how == "command"]:
        files.append(File(COMMANDS_FILE, _commands(copied, namespace)))
    return files


def _certificates(report: Report) -> Iterator[CertificatePlan]:
    yield from report.settings.certificates
    for tenant in report.tenants:
        yield from tenant.certificates


def _commands(certificates: list[CertificatePlan], namespace: str) -> str:
    lines = [f"entry={shlex.quote(namespace)}", f"label={TENANT_LABEL}", ""]
    lines += [shlex.join(["copy", *one.source.split("/"), one.name, one.owner]) for one in certificates]
    return _COMMANDS_HEAD + "\n".join(lines) + "\n"


def _config_map(namespace: str, name: str, owner: str, document: Mapping[str, Any], write_yaml: WriteYaml) -> str:
    key = SETTINGS if owner == SYSTEM else DOCUMENT
    return write_yaml(config_map(namespace, name, owner, {key: write_yaml(document)} if document else {}))


def _secret(namespace: str, one: CertificatePlan, pair: Pair, write_yaml: WriteYaml) -> str:
    return write_yaml(tls_secret(namespace, one.name, one.owner, pair.certificate_pem, pair.key_pem))


def _certificate(namespace: str, one: CertificatePlan, write_yaml: WriteYaml) -> str:
    """cert-manager keeps a Secret of this name, with our label on it. The Certificate itself needs none."""
    return write_yaml(
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": one.name, "namespace": namespace},
            "spec": {
                "secretName": one.name,
                "dnsNames": list(one.hosts),
                "issuerRef": msgspec.to_builtins(one.issuer),
                "secretTemplate": {"labels": {TENANT_LABEL: one.owner}},
            },
        }
    )
