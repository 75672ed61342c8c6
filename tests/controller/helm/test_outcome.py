from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entryproxy.controller.helm.outcome import (
    MESSAGE_CHARACTERS_MAX,
    HelmError,
    clean,
    failure,
    kind_of,
    unrecorded,
)

SAID = [
    ("in_progress", "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"),
    ("in_progress", "UPGRADE FAILED: release: already exists"),
    (
        "in_progress",
        "INSTALLATION FAILED: release name check failed: cannot reuse a name that is still in use",
    ),
    (
        "ownership",
        'unable to continue with install: IngressClass "e1" in namespace "" exists and cannot be imported into the'
        ' current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name"'
        ' must equal "e2": current value is "e1"',
    ),
    (
        "forbidden",
        'query: failed to query with labels: secrets is forbidden: User "u" cannot list resource "secrets" in'
        ' API group ""',
    ),
    (
        "forbidden",
        'server-side apply failed for object r rbac.authorization.k8s.io/v1, Kind=ClusterRole: clusterroles "r" is'
        ' forbidden: user "u" (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:'
        '[""]}',
    ),
    (
        "unreachable",
        'kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect:'
        " connection refused",
    ),
    ("unreachable", 'looks like "http://x" is not a valid chart repository or cannot be reached: Get: refused'),
    ("not_found", "release: not found"),
    ("not_found", "uninstall: Release not loaded: c8: release: not found"),
    ("not_found", "release has no 0 version"),
    ("not_found", 'create: failed to create: namespaces "e6-none" not found'),
    ("not_found", 'path "./nochart" not found'),
    ("not_found", 'chart "lab" version "9.0.0" not found in http://127.0.0.1/ repository'),
    (
        "immutable",
        "UPGRADE FAILED: server-side apply failed for object e5/e5-gw apps/v1, Kind=Deployment: Deployment.apps"
        ' "e5-gw" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
    ),
    (
        "conflict",
        "UPGRADE FAILED: conflict occurred while applying object f1/f1-gw apps/v1, Kind=Deployment: Apply failed with 1"
        ' conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
    ),
    (
        "quota",
        'server-side apply failed for object e9/e9-gw /v1, Kind=Service: services "e9-gw" is forbidden: exceeded quota:'
        " q, requested: services=1, used: services=0, limited: services=0",
    ),
    (
        "terminating",
        'create: failed to create: secrets "sh.helm.release.v1.e7.v1" is forbidden: unable to create new content in'
        " namespace e7 because it is being terminated",
    ),
    ("timed_out", "UPGRADE FAILED: context deadline exceeded"),
    (
        "timed_out",
        "resource Deployment/w1/w1-gw not ready. status: InProgress, message: Updated: 1/2\ncontext deadline exceeded",
    ),
    ("no_deployed", 'UPGRADE FAILED: "c6" has no deployed releases'),
    (
        "missing_kind",
        'unable to build kubernetes objects from release manifest: resource mapping not found for name: "x" namespace:'
        ' "" from "": no matches for kind "Nope" in version "nope/v1"\nensure CRDs are installed first',
    ),
    (
        "rejected",
        "failed to create typed patch object (e12/x; /v1, Kind=ConfigMap): .bogus: field not declared in schema",
    ),
    ("rejected", "release name is invalid: E_12"),
    ("rejected", "create: failed to create: Request entity too large: limit is 3145728"),
    (
        "rejected",
        "UPGRADE FAILED: user supplied labels contains system reserved label name. System labels: [name owner status]",
    ),
    ("rejected", "failed to parse bad.yaml: error converting YAML to JSON"),
    ("rejected", "chart reference and version mismatch: 1.0.0 is not 1.0.1"),
    ("rejected", 'invalid reference: invalid repository "charts/tiny/"'),
    ("unknown", "failed to delete release: e11"),
    ("unknown", ""),
]


@pytest.mark.parametrize(("kind", "text"), SAID)
def test_kinds(kind: str, text: str) -> None:
    error = failure(f'level=WARN msg="upgrade failed" name=x error="is forbidden"\nError: {text}\n')
    assert error.kind == kind_of(text) == kind
    assert "level=" not in error.message


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("Error: release: not found\n", "release: not found"),
        ("Error: UPGRADE FAILED: context deadline exceeded\n", "context deadline exceeded"),
        ("Error: INSTALLATION FAILED: x\n", "x"),
        ("level=WARN msg=a\nError: first\nsecond\n", "first"),
        ("panic: runtime error\n\ngoroutine 1\n", "goroutine 1"),
        ("", "Helm failed without a word"),
        ("Error: a\tb\x1b[31m  c\n", "a b [31m c"),
    ],
)
def test_messages(stderr: str, message: str) -> None:
    error = failure(stderr)
    assert error.message == str(error) == message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('spec.type: Invalid value: "s3cr3t": must be a word', "spec.type: Invalid value: must be a word"),
        ('x: Invalid value: "s3\\"cr3t": no', "x: Invalid value: no"),
        ('x: Unsupported value: "s3cr3t": supported values: "A"', 'x: Unsupported value: supported values: "A"'),
        ('x: Duplicate value: "s3cr3t"', "x: Duplicate value"),
        ('x: Invalid value: {"a":{"b": "s3cr3t"}}: field is immutable', "x: Invalid value: field is immutable"),
        (
            '[a: Invalid value: "s3cr3t": no, b: Invalid value: "s3cr3t": no]',
            "[a: Invalid value: no, b: Invalid value: no]",
        ),
        ("x: Invalid value: s3cr3t", "x: Invalid value"),
        ("Get https://me:s3cr3t@example.com/index.yaml: 401", "Get https://example.com/index.yaml: 401"),
    ],
)
def test_values_and_credentials_are_left_out(said: str, told: str) -> None:
    assert clean(said) == told


@given(st.text())
def test_every_message_is_one_short_line(text: str) -> None:
    message = failure(text).message
    assert 0 < len(message) <= MESSAGE_CHARACTERS_MAX
    assert message.isprintable()


def test_long_messages_are_cut() -> None:
    message = failure("Error: " + "x" * 5000).message
    assert message == "x" * (MESSAGE_CHARACTERS_MAX - 1) + "…"


def test_a_success_that_was_not_recorded() -> None:
    error = unrecorded('level=ERROR msg="failed to record the release" error="secrets is forbidden"')
    assert isinstance(error, HelmError)
    assert error.kind == "unrecorded"
    assert unrecorded("level=WARN msg=other") is None
