from __future__ import annotations

import pytest

from entryproxy.cli.failures import Action, attempt, explain_failure
from entryproxy.cli.output import CommandError
from entryproxy.kubernetes.errors import ApiError

SERVER = "https://10.0.0.1"
LIST = Action(verb="list", resource="secrets", namespace="higress-system", server=SERVER)
PATCH = Action(verb="patch", resource="configmaps", namespace="higress-system", name="t1", server=SERVER)
RULES = "The cluster's own rules (a webhook, a policy, a quota) refuse it. Nothing of this object was changed."
SLICES = Action(verb="list", resource="endpointslices", group="discovery.k8s.io", server=SERVER)


@pytest.mark.parametrize(
    ("action", "error", "expected"),
    [
        (
            LIST,
            ApiError(0, "Unreachable", "Can't connect to 10.0.0.1:443: Connection refused"),
            "can't list secrets in namespace higress-system: Can't connect to 10.0.0.1:443: Connection refused\n"
            "  Is https://10.0.0.1 the right cluster? --kubeconfig and --context choose another one.",
        ),
        (
            LIST,
            ApiError(401, "Unauthorized", "Unauthorized"),
            "can't list secrets in namespace higress-system: Unauthorized\n"
            "  https://10.0.0.1 doesn't accept the credentials: log in again, or choose others with --context.",
        ),
        (
            LIST,
            ApiError(403, "Forbidden", 'secrets is forbidden: User "x" cannot list resource "secrets"'),
            "can't list secrets in namespace higress-system: "
            'secrets is forbidden: User "x" cannot list resource "secrets"\n'
            '  It takes a Role in namespace higress-system with the verb "list" for secrets: '
            "kubectl auth can-i list secrets --namespace higress-system",
        ),
        (
            SLICES,
            ApiError(403, "Forbidden", 'User "x" cannot list resource "endpointslices"'),
            'can\'t list endpointslices: User "x" cannot list resource "endpointslices"\n'
            '  It takes a ClusterRole with the verb "list" for endpointslices.discovery.k8s.io: '
            "kubectl auth can-i list endpointslices.discovery.k8s.io --all-namespaces",
        ),
        (
            PATCH,
            ApiError(403, "Forbidden", 'admission webhook "policy.example.com" denied the request: no owner'),
            "can't patch configmaps t1 in namespace higress-system: "
            'admission webhook "policy.example.com" denied the request: no owner\n'
            f"  {RULES}",
        ),
        (
            PATCH,
            ApiError(400, "BadRequest", 'admission webhook "policy.example.com" denied the request: no owner'),
            "can't patch configmaps t1 in namespace higress-system: "
            'admission webhook "policy.example.com" denied the request: no owner\n'
            f"  {RULES}",
        ),
        (
            PATCH,
            ApiError(403, "Forbidden", 'configmaps "t1" is forbidden: exceeded quota'),
            'can\'t patch configmaps t1 in namespace higress-system: configmaps "t1" is forbidden: exceeded quota\n'
            f"  {RULES}",
        ),
        (
            PATCH,
            ApiError(403, "Forbidden", 'User "x" cannot create resource "configmaps"'),
            "can't patch configmaps t1 in namespace higress-system: "
            'User "x" cannot create resource "configmaps"\n'
            '  It takes a Role in namespace higress-system with the verb "create" for configmaps: '
            "kubectl auth can-i create configmaps --namespace higress-system",
        ),
        (
            PATCH,
            ApiError(404, "NotFound", 'namespaces "higress-system" not found'),
            'can\'t patch configmaps t1 in namespace higress-system: namespaces "higress-system" not found\n'
            "  --namespace names the namespace that the entry runs in.",
        ),
        (
            PATCH,
            ApiError(409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl": .data.tenant.yaml'),
            "can't patch configmaps t1 in namespace higress-system: "
            'Apply failed with 1 conflict: conflict with "kubectl": .data.tenant.yaml\n'
            "  Somebody else keeps these fields: change them there. Nothing of this object was changed.",
        ),
        (
            PATCH,
            ApiError(409, "Conflict", "the object has been modified."),
            "can't patch configmaps t1 in namespace higress-system: the object has been modified\n"
            "  Somebody else was quicker. Nothing of this object was changed: look at it, then try again.",
        ),
        (
            PATCH,
            ApiError(429, "TooManyRequests", "slow down", 3.0),
            "can't patch configmaps t1 in namespace higress-system: slow down\n"
            "  The API server can't do it just now: try again in 3 s.",
        ),
        (
            PATCH,
            ApiError(503, "ServiceUnavailable", "no"),
            "can't patch configmaps t1 in namespace higress-system: no\n"
            "  The API server can't do it just now: try again.",
        ),
        (
            PATCH,
            ApiError(422, "Invalid", "data: Too long"),
            "can't patch configmaps t1 in namespace higress-system: data: Too long",
        ),
    ],
)
def test_sentences(action: Action, error: ApiError, expected: str) -> None:
    assert explain_failure(error, action) == expected


def test_an_attempt_fails_with_a_sentence() -> None:
    with pytest.raises(CommandError, match="can't list secrets") as caught, attempt(LIST):
        raise ApiError(500, "InternalError", "no")
    assert caught.value.status == 1


def test_what_the_caller_expects_passes() -> None:
    with pytest.raises(ApiError), attempt(LIST, passed=(404,)):
        raise ApiError(404, "NotFound", "no")
